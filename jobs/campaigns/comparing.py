"""What two accounts share, compared row by row: the compiled loops of links.

An account's own tokens are put into a small table once, and each partner's row, the shorter one, is
looked up there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.lists import Lists, surprise
from jobs.campaigns.pairs import Pairs
from jobs.campaigns.traces import (
    LISTED_CODES,
    OF_CIRCLE,
    ON_LIST,
    TELLING,
    ByToken,
    Traces,
    share_of,
    which_list,
)
from jobs.platform.compiling import compiled

Ints = NDArray[np.int64]
Narrow = NDArray[np.int32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: The lower of two tokens in one number.
_LOWER = (1 << 32) - 1


class Rules(NamedTuple):
    """The policy's numbers of links, for compiled loops."""

    #: Nats that a token of each kind may bring.
    kind_caps: Floats
    #: Kinds of each axis, one axis after another, where they start, and nats of an axis at most.
    axis_kinds: Ints
    axis_starts: Ints
    axis_caps: Floats
    #: The axis of content.
    work: int
    axis_nats: float
    axes_needed: int
    #: Nats of a link, and those that hours may still bring.
    link_nats: float
    time_nats: float
    list_nats: float
    lift: float
    together_nats: float


class Candidates(NamedTuple):
    """Pairs that may become links, the lower account first."""

    first: Narrow
    second: Narrow
    #: Nats of each axis, time left at zero: pairs x axes.
    axes: Floats
    #: Kinds of which the two share anything telling, a bit each.
    kinds: NDArray[np.uint32]
    #: The strongest token on each axis (-1: none): pairs x axes.
    best: Narrow
    #: Of the content that the two share, where several pieces make the axis of work and not one:
    #: the piece that fewest accounts have, the middle one and the one that most have (else -1).
    pieces: Narrow
    #: Whether two axes may make a link.
    hopeful: Flags
    #: Whether the two work off one list, or in one closed circle: a link by itself.
    one_list: Flags
    circle: Flags


class _Table(NamedTuple):
    """One account's entries by token, with open addressing (Knuth 1973, 6.4)."""

    #: -1: nothing at this place.
    token: Narrow
    entry: Narrow


class _Shared(NamedTuple):
    """What an account shares with each of its partners."""

    #: Of each kind: nats, those of the rarest token, and that token (-1: none).
    nats: Floats
    highest: Floats
    rarest: Narrow
    #: Of each of LISTED_CODES: pieces, and pairs of accounts that meet on them.
    pieces: Narrow
    meetings: Floats
    circle: Flags


@compiled
def compare(
    traces: Traces, lists: Lists, rules: Rules, pairs: Pairs, low: int, high: int
) -> Candidates:
    """Weigh what these accounts share with their partners; pairs that may become links."""
    kinds, axes = len(rules.kind_caps), len(rules.axis_caps)
    most, longest, partners = pairs.starts[high] - pairs.starts[low], 1, 1
    for account in range(low, high):
        longest = max(longest, traces.starts[account + 1] - traces.starts[account])
        partners = max(partners, pairs.starts[account + 1] - pairs.starts[account])
    out = Candidates(
        np.empty(most, np.int32), np.empty(most, np.int32), np.empty((most, axes)),
        np.empty(most, np.uint32), np.empty((most, axes), np.int32),
        np.empty((most, 3), np.int32), np.empty(most, np.bool_), np.empty(most, np.bool_),
        np.empty(most, np.bool_),
    )  # fmt: skip
    shared = _Shared(
        np.empty((partners, kinds)), np.empty((partners, kinds)),
        np.empty((partners, kinds), np.int32), np.empty((partners, len(LISTED_CODES)), np.int32),
        np.empty((partners, len(LISTED_CODES))), np.empty(partners, np.bool_),
    )  # fmt: skip
    table = _Table(np.full(64 * longest, -1, np.int32), np.empty(64 * longest, np.int32))
    found = 0
    for account in range(low, high):
        partner = pairs.partner[pairs.starts[account] : pairs.starts[account + 1]]
        if len(partner):
            mask = _fill(traces, account, table)
            _share(traces, table, mask, account, partner, shared)
            found = _judge(traces, lists, rules, table, mask, account, partner, shared, out, found)
            table.token[: mask + 1] = -1
    return Candidates(
        out.first[:found].copy(), out.second[:found].copy(), out.axes[:found].copy(),
        out.kinds[:found].copy(), out.best[:found].copy(), out.pieces[:found].copy(),
        out.hopeful[:found].copy(), out.one_list[:found].copy(), out.circle[:found].copy(),
    )  # fmt: skip


@compiled
def _fill(traces: Traces, account: int, table: _Table) -> int:
    """Put an account's entries into the table, which is empty. Returns a mask: the places in use
    are a power of two, and this is one less."""
    start, stop = traces.starts[account], traces.starts[account + 1]
    mask = 3
    while mask < 32 * (stop - start):
        mask = 2 * mask + 1
    for entry in range(start, stop):
        place = traces.token[entry] & mask
        while table.token[place] >= 0:
            place = (place + 1) & mask
        table.token[place], table.entry[place] = traces.token[entry], entry
    return mask


@compiled
def _share(
    traces: Traces, table: _Table, mask: int, account: int, partners: Narrow, shared: _Shared
) -> None:
    """Add up what an account, whose table it is, shares with its partners."""
    token_at, entry_at = table.token, table.entry
    token, flags, requests = traces.token, traces.flags, traces.requests
    kind_of, rarity, carriers = traces.kind, traces.rarity, traces.carriers
    busy, sent, by_use = traces.busy, traces.sent, traces.by_use
    nats, highest, rarest = shared.nats, shared.highest, shared.rarest
    pieces, meetings, circle = shared.pieces, shared.meetings, shared.circle
    for at in range(len(partners)):
        partner = partners[at]
        first, second = min(account, partner), max(account, partner)
        nats[at], highest[at], rarest[at] = 0.0, -1.0, -1
        pieces[at], meetings[at], circle[at] = 0, 0.0, False
        for entry in range(traces.starts[partner], traces.starts[partner + 1]):
            wanted = token[entry]
            place = wanted & mask
            while token_at[place] >= 0 and token_at[place] != wanted:
                place = (place + 1) & mask
            if token_at[place] < 0:
                continue
            mine = entry_at[place]
            both = flags[entry] & flags[mine]
            kind = kind_of[wanted]
            if both & TELLING:
                value = rarity[wanted] - busy[first, kind] - busy[second, kind]
                value = max(value, 0.0)
                if by_use[kind]:
                    value *= np.sqrt(np.sqrt(share_of(True, requests[mine], sent[account]))) * (
                        np.sqrt(np.sqrt(share_of(True, requests[entry], sent[partner])))
                    )
                nats[at, kind] += value
                if value > highest[at, kind]:
                    highest[at, kind], rarest[at, kind] = value, wanted
            if both & ON_LIST:
                which = which_list(kind)
                pieces[at, which] += 1
                meetings[at, which] += carriers[wanted] * (carriers[wanted] - 1.0)
                circle[at] |= both & OF_CIRCLE != 0


@compiled
def _judge(
    traces: Traces, lists: Lists, rules: Rules, table: _Table, mask: int, account: int,
    partners: Narrow, shared: _Shared, out: Candidates, found: int,
) -> int:  # fmt: skip
    """Add the partners with whom an account may be linked to the candidates, of which so many were
    found before; how many there are then."""
    nats, cap = shared.nats, rules.axis_caps[rules.work]
    for at in range(len(partners)):
        partner = partners[at]
        for kind in range(len(rules.kind_caps)):
            nats[at, kind] = min(nats[at, kind], rules.kind_caps[kind])
        for axis in range(len(rules.axis_caps)):
            # The strongest kind of an axis and half of the others, as one cause makes several.
            strongest, added, best = 0.0, 0.0, -1
            for place in range(rules.axis_starts[axis], rules.axis_starts[axis + 1]):
                kind = rules.axis_kinds[place]
                added += nats[at, kind]
                if nats[at, kind] > strongest:
                    strongest, best = nats[at, kind], shared.rarest[at, kind]
            added = strongest + 0.5 * (added - strongest)
            out.axes[found, axis] = min(added, rules.axis_caps[axis])
            out.best[found, axis] = best
        listed, times = 0.0, 0.0
        for which in range(len(LISTED_CODES)):
            if shared.pieces[at, which] >= lists.least:
                tells, ratio = surprise(
                    lists.meetings[which], lists.incidences[which], shared.pieces[at, which],
                    shared.meetings[at, which], traces.pieces[account, which],
                    traces.pieces[partner, which],
                )  # fmt: skip
                if tells > listed:
                    listed, times = tells, ratio
        one_list = listed >= rules.list_nats and times >= rules.lift
        if shared.circle[at]:
            listed = max(listed, cap)
        of_list = listed > out.axes[found, rules.work]
        if of_list:
            out.axes[found, rules.work] = nats[at, LISTED_CODES[0]] = min(listed, cap)
        whole, holding = 0.0, 0
        for axis in range(len(rules.axis_caps)):
            whole += out.axes[found, axis]
            holding += out.axes[found, axis] >= rules.axis_nats
        hopeful = whole + rules.time_nats >= rules.link_nats and holding >= rules.axes_needed
        if hopeful or one_list or shared.circle[at]:
            out.first[found], out.second[found] = min(account, partner), max(account, partner)
            out.hopeful[found], out.one_list[found] = hopeful, one_list
            out.circle[found] = shared.circle[at]
            telling = np.uint32(0)
            for kind in range(len(rules.kind_caps)):
                if nats[at, kind] >= rules.axis_nats:
                    telling |= np.uint32(1 << kind)
            out.kinds[found], out.pieces[found] = telling, -1
            if of_list and hopeful:
                # Of several pieces any may be the one that goes with the place: rare ones are too
                # few to tell, common ones are everybody's.
                some = _pieces(traces, table, mask, partner)
                for place, of in enumerate((0, len(some) // 2, len(some) - 1)):
                    out.pieces[found, place] = some[of] & _LOWER
            found += 1
    return found


@compiled
def _pieces(traces: Traces, table: _Table, mask: int, partner: int) -> Ints:
    """The pieces of lists that a partner shares with the account whose table it is, by how many
    accounts carry each: that number, and below it the token."""
    start, stop = traces.starts[partner], traces.starts[partner + 1]
    pieces, count = np.empty(stop - start, np.int64), 0
    for entry in range(start, stop):
        token = traces.token[entry]
        place = token & mask
        while table.token[place] >= 0 and table.token[place] != token:
            place = (place + 1) & mask
        if table.token[place] >= 0 and (
            traces.flags[entry] & traces.flags[table.entry[place]] & ON_LIST
        ):
            pieces[count] = traces.carriers[token] << 32 | token
            count += 1
    return np.sort(pieces[:count])


def go_together(pairs: Candidates, carriers: ByToken, accounts: int, rules: Rules) -> Flags:
    """Whether what a pair shares on two axes goes together in others too, beyond chance.

    Behind a carrier's gateway some customers have the same client: place and tool, shared and
    unrelated. Among the carriers of an operation's template nearly all have its client. So the
    strongest token of the strongest axis is compared with that of each other axis: the accounts
    that carry both against the product of their frequencies (a Poisson tail, Chernoff's bound).
    """
    pair, couples = _couples(pairs, carriers, rules)
    codes, place = np.unique(couples, return_inverse=True)
    count = np.diff(carriers.starts).astype(np.float64)
    both = count_both(carriers, accounts, codes)
    expected = count[codes >> 32] * count[codes & _LOWER] / accounts
    ratio = both / np.maximum(expected, 1e-12)
    surprising = both * np.log(np.maximum(ratio, 1.0)) - both + expected
    needed = min(rules.together_nats, 2.0 * math.log(max(accounts, 2)))
    holds = (ratio >= rules.lift) & (surprising >= needed)
    together = np.zeros(len(pairs.first), bool)
    together[pair[holds[place]]] = True
    return together


@compiled
def _couples(pairs: Candidates, carriers: ByToken, rules: Rules) -> tuple[Ints, Ints]:
    """Tokens whose carriers are compared, two of a pair as one number, the commoner above the
    rarer; and the pair of each."""
    axes = len(rules.axis_caps)
    most = len(pairs.first) * 3 * axes
    pair, couples, found = np.empty(most, np.int64), np.empty(most, np.int64), 0
    for at in range(len(pairs.first)):
        if not pairs.hopeful[at]:
            continue
        strongest = 0
        for axis in range(axes):
            if pairs.axes[at, axis] > pairs.axes[at, strongest]:
                strongest = axis
        for axis in range(axes):
            if axis == strongest or pairs.axes[at, axis] < rules.axis_nats:
                continue
            work = pairs.pieces[at, 0] >= 0 and (axis == rules.work or strongest == rules.work)
            for piece in range(3 if work else 1):
                one, two = pairs.best[at, strongest], pairs.best[at, axis]
                if work and axis == rules.work:
                    two = pairs.pieces[at, piece]
                elif work:
                    one = pairs.pieces[at, piece]
                if _count(carriers, one) > _count(carriers, two):
                    one, two = two, one
                pair[found], couples[found] = at, np.int64(two) << 32 | np.int64(one)
                found += 1
    return pair[:found], couples[:found]


@compiled
def _count(carriers: ByToken, token: int) -> int:
    count: int = carriers.starts[token + 1] - carriers.starts[token]
    return count


@compiled
def count_both(carriers: ByToken, accounts: int, couples: Ints) -> Ints:
    """How many accounts carry both tokens of each couple; couples are in order, so that the
    carriers of the upper token are marked once for all of its couples."""
    marked, upper = np.zeros(accounts, np.bool_), np.int64(-1)
    both = np.zeros(len(couples), np.int64)
    for at in range(len(couples)):
        if couples[at] >> 32 != upper:
            if upper >= 0:
                _mark(carriers, upper, marked, False)
            upper = np.int64(couples[at] >> 32)
            _mark(carriers, upper, marked, True)
        lower = couples[at] & _LOWER
        for place in range(carriers.starts[lower], carriers.starts[lower + 1]):
            both[at] += marked[carriers.account[place]]
    return both


@compiled
def _mark(carriers: ByToken, token: np.int64, marked: Flags, value: bool) -> None:
    for place in range(carriers.starts[token], carriers.starts[token + 1]):
        marked[carriers.account[place]] = value
