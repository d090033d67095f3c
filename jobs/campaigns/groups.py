"""Communities of the weighted graph of links.

Label propagation (Raghavan, Albert and Kumara 2007) on weights, semi-synchronous as by Cordasco
and Gargano (2010): accounts move in parts, each at once, and at last only accounts that are not
linked to each other move at once, so that every move raises the weight inside groups and the method
ends (Barber and Clark 2009). No randomness: parts follow from account hashes, ties keep the label
an account has or else take the smallest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.links import CIRCLE, FIRM, LISTED, Links
from jobs.campaigns.pairs import spread_keys
from jobs.campaigns.threads import THREADS, even_parts, in_threads
from jobs.catalog.policy import CampaignPolicy
from jobs.platform.compiling import compiled

Ints = NDArray[np.int64]
Labels = NDArray[np.int32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_PARTS = 4
#: The last digit of a sum must not decide between labels that weigh the same: nats to a billionth.
_DIGITS = 1e9


class Graph(NamedTuple):
    """Links as seen from both ends: of each account a row of neighbours, in order."""

    #: Where each account's row starts, and where the last one ends.
    starts: Ints
    neighbours: Labels
    #: Nats of the link with each.
    weight: Floats


def graph_of(links: Links, among: Flags, level: int = LISTED) -> Graph:
    """The links of at least this level between these accounts; `among` says of each whether it is
    one of them."""
    ends = links.first, links.second, links.level, among, np.int8(level)
    as_second, as_first = _degrees(*ends)
    starts = np.zeros(len(among) + 1, np.int64)
    np.cumsum(as_second + as_first, out=starts[1:])
    graph = Graph(starts, np.empty(starts[-1], np.int32), np.empty(starts[-1]))
    if not len(graph.neighbours):
        return graph
    # Links are in order, so rows are too: neighbours that come before the account, then the others.
    second, first = starts[:-1].copy(), starts[:-1] + as_second
    in_threads(
        lambda side: _fill(*ends, links.weight, *side, graph), [(True, second), (False, first)]
    )
    return graph


@compiled
def _degrees(
    first: Labels, second: Labels, level: NDArray[np.int8], among: Flags, most: np.int8
) -> tuple[Ints, Ints]:
    as_second, as_first = np.zeros(len(among), np.int64), np.zeros(len(among), np.int64)
    for link in range(len(first)):
        a, b = first[link], second[link]
        if level[link] <= most and among[a] and among[b]:
            as_first[a] += 1
            as_second[b] += 1
    return as_second, as_first


@compiled
def _fill(
    first: Labels, second: Labels, level: NDArray[np.int8], among: Flags, most: np.int8,
    weight: Floats, of_second: bool, free: Ints, graph: Graph,
) -> None:  # fmt: skip
    """Write the first account of each link into the row of the second, or the other way; `free` is
    the next place in each row."""
    for link in range(len(first)):
        a, b = first[link], second[link]
        if level[link] <= most and among[a] and among[b]:
            account, neighbour = (b, a) if of_second else (a, b)
            graph.neighbours[free[account]] = neighbour
            graph.weight[free[account]] = weight[link]
            free[account] += 1


def find_groups(keys: Ints, links: Links, policy: CampaignPolicy) -> list[Ints]:
    """Members of each group, sorted; groups in order of their first member."""
    # What two kinds of trace hold together comes first, then closed circles. One list alone
    # gathers who is left: what many people copy from one place would otherwise swallow an
    # operation that copies it too.
    free = np.ones(len(keys), bool)
    groups: list[Ints] = []
    for level in (FIRM, CIRCLE, LISTED):
        graph = graph_of(links, free, level)
        if not len(graph.neighbours):
            continue
        labels = merge(graph, propagate(graph, keys, policy.rounds))
        found = core_members(graph, labels, policy)
        for members in found:
            free[members] = False
        groups += found
    return sorted(groups, key=lambda group: int(group[0]))


def propagate(graph: Graph, keys: Ints, rounds: int) -> Labels:
    """A label for each account: the one that its links weigh most for."""
    accounts = len(graph.starts) - 1
    labels = np.arange(accounts, dtype=np.int32)
    spread = spread_keys(keys)
    linked = np.flatnonzero(np.diff(graph.starts) > 0).astype(np.int32)
    turn = (spread[linked] >> 17) % _PARTS
    parts = [linked[turn == part] for part in range(_PARTS)]
    # Each thread adds up in a table of its own, which is left as it was found: empty.
    tables = [np.zeros(accounts) for _ in range(THREADS)]

    def heaviest(asked: Labels) -> Labels:
        pieces = [asked] if len(asked) < 1_000 else np.array_split(asked, THREADS)
        work = list(zip(pieces, tables, strict=False))
        return np.concatenate(in_threads(lambda one: _heaviest(graph, labels, *one), work))

    # Whoever has no neighbour that moved wants what it wanted before.
    ask = np.ones(accounts, bool)
    for _ in range(rounds):
        changed = 0
        for part in parts:
            asked = part[ask[part]]
            changed += _move(graph, asked, heaviest(asked), labels, ask)
        if not changed:
            return labels
    rank = np.empty(accounts, np.int64)
    rank[np.argsort(spread, kind="stable")] = np.arange(accounts)
    asked = linked
    while True:
        wanted = heaviest(asked)
        wants = wanted != labels[asked]
        movers, wanted = asked[wants], wanted[wants]
        if not len(movers):
            return labels
        waits = _waits(graph, movers, rank)
        ask[:] = False
        _move(graph, movers[~waits], wanted[~waits], labels, ask)
        ask[movers[waits]] = True
        asked = np.flatnonzero(ask).astype(np.int32)


@compiled
def _heaviest(graph: Graph, labels: Labels, asked: Labels, total: Floats) -> Labels:
    """The label with the most weight among each account's neighbours; ties keep the own one, else
    the smallest. `total` has a zero for each label."""
    wanted = np.empty(len(asked), np.int32)
    met = np.empty(len(labels), np.int32)
    for place in range(len(asked)):
        account = asked[place]
        count = _add_up(graph, labels, account, total, met, 0)
        own = labels[account]
        best, most = own, np.rint(total[own] * _DIGITS)
        for label in met[:count]:
            weighs = np.rint(total[label] * _DIGITS)
            if weighs > most or (weighs == most and label < best and best != own):
                best, most = label, weighs
            total[label] = 0.0
        wanted[place] = best
    return wanted


@compiled
def _add_up(
    graph: Graph, labels: Labels, account: int, total: Floats, met: Labels, count: int
) -> int:
    """Add the weights of an account's links by the label of its neighbours to `total`; labels that
    had nothing there go to the `count` that were met before. How many these are then."""
    for link in range(graph.starts[account], graph.starts[account + 1]):
        label = labels[graph.neighbours[link]]
        if total[label] == 0.0:
            met[count] = label
            count += 1
        total[label] += graph.weight[link]
    return count


@compiled
def _move(graph: Graph, asked: Labels, wanted: Labels, labels: Labels, ask: Flags) -> int:
    """Give the accounts the labels that they want, and ask whom that concerns; how many moved."""
    moved = 0
    for account in asked:
        ask[account] = False
    for account, label in zip(asked, wanted):  # noqa: B905  Numba knows no strict
        if labels[account] != label:
            labels[account] = label
            moved += 1
            for link in range(graph.starts[account], graph.starts[account + 1]):
                ask[graph.neighbours[link]] = True
    return moved


@compiled
def _waits(graph: Graph, movers: Labels, rank: Ints) -> Flags:
    """Who is linked to another mover, of lower rank."""
    moves = np.zeros(len(rank), np.bool_)
    moves[movers] = True
    waits = np.zeros(len(movers), np.bool_)
    for place in range(len(movers)):
        account = movers[place]
        for link in range(graph.starts[account], graph.starts[account + 1]):
            neighbour = graph.neighbours[link]
            waits[place] |= moves[neighbour] and rank[neighbour] < rank[account]
    return waits


def merge(graph: Graph, labels: Labels) -> Labels:
    """Join groups that are bound to each other nearly as firmly as within themselves.

    The second level of a multi-level method (Blondel et al. 2008): a large operation may settle
    in several labels at first. A group joins another when its weight to that one, for the size
    of both, is at least half of what binds its own members on average.
    """
    for _ in range(10):
        into = _joins(graph, labels)
        joined = into[labels]
        if (joined == labels).all():
            return labels
        while not (joined == labels).all():  # a chain of joins ends in its largest group
            labels, joined = joined, into[joined]
    return labels


def _joins(graph: Graph, labels: Labels) -> Labels:
    """Of each label, the one whose group its own joins, or itself."""
    members, starts = _by_label(labels)
    into = np.arange(len(labels), dtype=np.int32)
    in_threads(
        lambda part: _join(graph, labels, members, starts, *part, into),
        even_parts(starts, -(-len(labels) // THREADS)),
    )
    return into


@compiled
def _by_label(labels: Labels) -> tuple[Ints, Ints]:
    """Accounts in order of label, those without one (-1) left out, and where those of each label
    start."""
    starts = np.zeros(len(labels) + 1, np.int64)
    for label in labels:
        if label >= 0:
            starts[label + 1] += 1
    starts = np.cumsum(starts)
    free = starts[:-1].copy()
    members = np.empty(starts[-1], np.int64)
    for account in range(len(labels)):
        label = labels[account]
        if label >= 0:
            members[free[label]] = account
            free[label] += 1
    return members, starts


@compiled
def _join(
    graph: Graph, labels: Labels, members: Ints, starts: Ints, low: int, high: int, into: Labels
) -> None:
    """Write into which other each group of these labels goes, if any: of those larger than itself,
    or as large and with a smaller label, that for which its members' links weigh most."""
    total = np.zeros(len(labels))
    met = np.empty(len(labels), np.int32)
    for own in range(low, high):
        size, count = starts[own + 1] - starts[own], 0
        for account in members[starts[own] : starts[own + 1]]:
            count = _add_up(graph, labels, account, total, met, count)
        # Mean weight that binds a member within; as much to the other group is not needed.
        enough, most = 0.5 * max(total[own] / max(size, 1), 1e-9), 0.0
        for label in met[:count]:
            others = starts[label + 1] - starts[label]
            larger = others > size or (others == size and label < own)
            heavier = total[label] > most or (total[label] == most and label < into[own])
            if larger and heavier and total[label] / size >= enough:
                into[own], most = label, total[label]
            total[label] = 0.0


def core_members(graph: Graph, labels: Labels, policy: CampaignPolicy) -> list[Ints]:
    """Groups without the members that hardly belong to them."""
    within, partners, whole = _inside(graph, labels)
    firm = (partners >= policy.member_links) & (within >= policy.member_share * whole)
    if not firm.any():
        return []
    members, starts = _by_label(np.where(firm, labels, np.int32(-1)))
    groups = np.split(members, starts[np.flatnonzero(np.diff(starts))[1:]])
    groups = [
        group[strong >= policy.member_strength]
        for group, strong in zip(groups, strengths(graph, groups), strict=True)
    ]
    groups = [group for group in groups if len(group) >= policy.group_accounts]
    return sorted(groups, key=lambda group: int(group[0]))


def strengths(graph: Graph, groups: list[Ints]) -> list[Floats]:
    """How firmly each member of each group belongs: its weight inside over the group's median, at
    most 1, times the share of its links' weight that is inside. No account is in two groups."""
    group_of = np.full(len(graph.starts) - 1, -1, np.int32)
    for number, members in enumerate(groups):
        group_of[members] = number
    within, _, whole = _inside(graph, group_of)
    share = within / np.maximum(whole, 1e-9)
    found = []
    for members in groups:
        inside = within[members]
        typical = max(float(np.median(inside)), 1e-9)
        found.append(np.round(np.minimum(inside / typical, 1.0) * share[members], 9))
    return found


@compiled
def _inside(graph: Graph, group_of: Labels) -> tuple[Floats, Ints, Floats]:
    """Of each account, the weight of its links inside its group and how many they are, and the
    weight of all its links."""
    accounts = len(group_of)
    within, partners, whole = np.zeros(accounts), np.zeros(accounts, np.int64), np.zeros(accounts)
    for account in range(accounts):
        for link in range(graph.starts[account], graph.starts[account + 1]):
            whole[account] += graph.weight[link]
            if group_of[graph.neighbours[link]] == group_of[account]:
                within[account] += graph.weight[link]
                partners[account] += 1
    return within, partners, whole
