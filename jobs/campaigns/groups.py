"""Communities of the weighted graph of links.

Label propagation (Raghavan, Albert and Kumara 2007) on weights, semi-synchronous as by Cordasco
and Gargano (2010): accounts move in parts, each in a few array operations, and at last only
accounts that are not linked to each other move at once, so that every move raises the weight
inside groups and the method ends (Barber and Clark 2009). No randomness: parts follow from
account hashes, ties keep the label an account has or else take the smallest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from jobs.campaigns.links import CIRCLE, FIRM, LISTED, Links
from jobs.campaigns.pairs import spread_keys
from jobs.catalog.policy import CampaignPolicy

Ints = NDArray[np.int64]
_PARTS = 4


def graph_of(
    links: Links, accounts: int, among: NDArray[np.bool_] | None = None
) -> sparse.csr_matrix:
    """The symmetric adjacency matrix, weights in nats, of all links or of these."""
    first, second, weight = links.first, links.second, links.weight
    if among is not None:
        first, second, weight = first[among], second[among], weight[among]
    ends = np.concatenate([first, second]), np.concatenate([second, first])
    graph = sparse.csr_matrix((np.concatenate([weight, weight]), ends), shape=(accounts, accounts))
    graph.sort_indices()
    return graph


def find_groups(keys: Ints, links: Links, policy: CampaignPolicy) -> list[Ints]:
    """Members of each group, sorted; groups in order of their first member."""
    # What two kinds of trace hold together comes first, then closed circles. One list alone
    # gathers who is left: what many people copy from one place would otherwise swallow an
    # operation that copies it too.
    free = np.ones(len(keys), bool)
    groups: list[Ints] = []
    for level in (FIRM, CIRCLE, LISTED):
        among = free[links.first] & free[links.second] & (links.level <= level)
        if not among.any():
            continue
        graph = graph_of(links, len(keys), among)
        labels = merge(graph, propagate(graph, keys, policy.rounds))
        found = core_members(graph, labels, policy)
        for members in found:
            free[members] = False
        groups += found
    return sorted(groups, key=lambda group: int(group[0]))


def propagate(graph: sparse.csr_matrix, keys: Ints, rounds: int) -> Ints:
    """A label for each account: the one that its links weigh most for."""
    labels = np.arange(graph.shape[0])
    spread = spread_keys(keys)
    linked = np.flatnonzero(np.diff(graph.indptr) > 0)
    if not len(linked):
        return labels
    parts = [linked[(spread[linked] >> 17) % _PARTS == part] for part in range(_PARTS)]
    # Whoever has no neighbour that moved wants what it wanted before.
    ask = np.ones(graph.shape[0], bool)
    for _ in range(rounds):
        changed = 0
        for part in parts:
            asked = part[ask[part]]
            if not len(asked):
                continue
            new = _heaviest(graph[asked], labels, labels[asked])
            moved = asked[new != labels[asked]]
            labels[asked] = new
            ask[asked] = False
            ask[graph[moved].indices] = True
            changed += len(moved)
        if not changed:
            return labels
    rank = np.empty(len(keys), np.int64)
    rank[np.argsort(spread, kind="stable")] = np.arange(len(keys))
    asked = linked
    for _ in range(len(linked) + 1):
        new = _heaviest(graph[asked], labels, labels[asked])
        wants = new != labels[asked]
        movers = asked[wants]
        if not len(movers):
            break
        between = graph[movers][:, movers].tocoo()
        waits = np.zeros(len(movers), bool)
        waits[between.row[rank[movers[between.row]] > rank[movers[between.col]]]] = True
        moved = movers[~waits]
        labels[moved] = new[wants][~waits]
        asked = np.union1d(movers[waits], graph[moved].indices)
    return labels


def _heaviest(rows: sparse.csr_matrix, labels: Ints, own: Ints) -> Ints:
    """The label with the most weight in each row; ties keep the own one, else the smallest."""
    new = own.copy()
    if not rows.nnz:
        return new
    accounts = rows.shape[1]
    # A product with who has which label adds up the weights of each row by label.
    has = sparse.csr_matrix(
        (np.ones(accounts), labels, np.arange(accounts + 1)), shape=(accounts, accounts)
    )
    by_label = rows @ has
    row = np.repeat(np.arange(rows.shape[0]), np.diff(by_label.indptr))
    label = by_label.indices.astype(np.int64)
    # The last digit of a sum must not decide between labels that weigh the same.
    total = np.round(by_label.data, 9)
    first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    heaviest = np.repeat(np.maximum.reduceat(total, first), np.diff(np.r_[first, len(row)]))
    # The own label before any other, then the smallest.
    rank = np.where(label == own[row], -1, label)
    best = np.minimum.reduceat(np.where(total == heaviest, rank, accounts), first)
    moves = best >= 0
    new[row[first][moves]] = best[moves]
    return new


def merge(graph: sparse.csr_matrix, labels: Ints) -> Ints:
    """Join groups that are bound to each other nearly as firmly as within themselves.

    The second level of a multi-level method (Blondel et al. 2008): a large operation may settle
    in several labels at first. A group joins another when its weight to that one, for the size
    of both, is at least half of what binds its own members on average.
    """
    for _ in range(10):
        names, group = np.unique(labels, return_inverse=True)
        size = np.bincount(group)
        edges = graph.tocoo()
        between = sparse.coo_matrix(
            (edges.data, (group[edges.row], group[edges.col])), shape=(len(names), len(names))
        ).tocsr()
        inside = between.diagonal() / size
        off = sparse.coo_matrix(between - sparse.diags(between.diagonal()))
        # Mean weight a member of the smaller group has to the larger one.
        smaller = np.where(
            (size[off.row] < size[off.col])
            | ((size[off.row] == size[off.col]) & (off.row > off.col)),
            off.row, -1,
        )  # fmt: skip
        joins = (smaller >= 0) & (
            off.data / size[off.row] >= 0.5 * np.maximum(inside[off.row], 1e-9)
        )
        if not joins.any():
            return labels
        order = np.lexsort((off.col[joins], -off.data[joins], off.row[joins]))
        row, target = off.row[joins][order], off.col[joins][order]
        first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
        into = np.arange(len(names))
        into[row[first]] = target[first]
        for _ in range(20):  # a chain of joins ends in its largest group
            into = into[into]
        labels = names[into[group]]
    return labels


def core_members(graph: sparse.csr_matrix, labels: Ints, policy: CampaignPolicy) -> list[Ints]:
    """Groups without the members that hardly belong to them."""
    edges = graph.tocoo()
    inside = labels[edges.row] == labels[edges.col]
    accounts = graph.shape[0]
    within = np.bincount(edges.row[inside], weights=edges.data[inside], minlength=accounts)
    partners = np.bincount(edges.row[inside], minlength=accounts)
    whole = np.bincount(edges.row, weights=edges.data, minlength=accounts)
    firm = (partners >= policy.member_links) & (within >= policy.member_share * whole)
    members = np.flatnonzero(firm)
    if not len(members):
        return []
    order = members[np.argsort(labels[members], kind="stable")]
    starts = np.flatnonzero(np.r_[True, labels[order][1:] != labels[order][:-1]])
    groups = np.split(order, starts[1:])
    groups = [g[strengths(graph, g) >= policy.member_strength] for g in groups]
    groups = [g for g in groups if len(g) >= policy.group_accounts]
    return sorted(groups, key=lambda group: int(group[0]))


def strengths(graph: sparse.csr_matrix, members: Ints) -> NDArray[np.float64]:
    """How firmly each member belongs: its weight inside over the group's median, at most 1."""
    inside = np.asarray(graph[members][:, members].sum(axis=1)).ravel()
    typical = max(float(np.median(inside)), 1e-9)
    whole = np.asarray(graph[members].sum(axis=1)).ravel()
    share = inside / np.maximum(whole, 1e-9)
    return np.round(np.minimum(inside / typical, 1.0) * share, 9)
