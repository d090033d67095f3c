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
from jobs.carriers.counting import slots_for
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


class _Row(NamedTuple):
    """One account's entries, found by token, and what is read of each when a partner has it too:
    side by side, since the account is compared with a hundred others."""

    #: A bit for each token, by its lowest bits: most of a partner's tokens are not in the row.
    seen: NDArray[np.uint8]
    #: Open addressing (Knuth 1973, 6.4): the token at a place (-1: none), and its entry.
    token: Narrow
    entry: Narrow
    #: Of each entry: what `traces` says of it and of its token.
    flags: NDArray[np.uint8]
    kind: NDArray[np.int8]
    rarity: Floats
    busy: Floats
    #: The fourth root of its share in the account's requests.
    use: Floats
    #: Accounts that carry its token.
    carriers: Ints


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
    #: Those pieces, one partner's after another's, as `carriers` << 32 | token; where each starts.
    listed: Ints
    bounds: Ints


@compiled
def compare(
    traces: Traces, lists: Lists, rules: Rules, pairs: Pairs, low: int, high: int
) -> Candidates:
    """Weigh what these accounts share with their partners; pairs that may become links."""
    kinds, axes = len(rules.kind_caps), len(rules.axis_caps)
    most, longest, partners, entries = pairs.starts[high] - pairs.starts[low], 1, 1, 1
    for account in range(low, high):
        partner = pairs.partner[pairs.starts[account] : pairs.starts[account + 1]]
        theirs = 0
        for at in range(len(partner)):
            row_length = traces.starts[partner[at] + 1] - traces.starts[partner[at]]
            longest, theirs = max(longest, row_length), theirs + row_length
        longest = max(longest, traces.starts[account + 1] - traces.starts[account])
        partners, entries = max(partners, len(partner)), max(entries, theirs)
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
        np.empty(entries, np.int64), np.zeros(partners + 1, np.int64),
    )  # fmt: skip
    row = _Row(
        np.zeros(8 * longest, np.uint8), np.full(8 * longest, -1, np.int32),
        np.empty(8 * longest, np.int32), np.empty(longest, np.uint8), np.empty(longest, np.int8),
        np.empty(longest), np.empty(longest), np.empty(longest), np.empty(longest, np.int64),
    )  # fmt: skip
    hits, found = np.empty(longest, np.int64), 0
    for account in range(low, high):
        partner = pairs.partner[pairs.starts[account] : pairs.starts[account + 1]]
        if len(partner):
            mask = _fill(traces, account, row)
            _share(traces, row, mask, account, partner, hits, shared)
            found = _judge(traces, lists, rules, account, partner, shared, out, found)
            row.seen[: (mask >> 3) + 1], row.token[: (mask >> 3) + 1] = 0, -1
    return Candidates(
        out.first[:found].copy(), out.second[:found].copy(), out.axes[:found].copy(),
        out.kinds[:found].copy(), out.best[:found].copy(), out.pieces[:found].copy(),
        out.hopeful[:found].copy(), out.one_list[:found].copy(), out.circle[:found].copy(),
    )  # fmt: skip


@compiled
def _fill(traces: Traces, account: int, row: _Row) -> int:
    """Put an account's entries into the row, which is empty. Returns a mask for the bits in use,
    a power of two less one; of places there is one for eight bits."""
    start, stop = traces.starts[account], traces.starts[account + 1]
    mask = slots_for(16 * (stop - start)) - 1
    sent = traces.sent[account]
    for at in range(stop - start):
        token, kind = traces.token[start + at], traces.kind[traces.token[start + at]]
        row.seen[(token & mask) >> 3] |= 1 << (token & 7)
        place = token & mask >> 3
        while row.token[place] >= 0:
            place = (place + 1) & mask >> 3
        row.token[place], row.entry[place] = token, at
        row.flags[at], row.kind[at] = traces.flags[start + at], kind
        row.rarity[at], row.busy[at] = traces.rarity[token], traces.busy[account, kind]
        share = share_of(traces.by_use[kind], traces.requests[start + at], sent)
        row.use[at] = np.sqrt(np.sqrt(share))
        row.carriers[at] = traces.carriers[token]
    return mask


@compiled
def _hits(
    tokens: Narrow, start: int, stop: int, seen: NDArray[np.uint8], mask: int, hits: Ints
) -> int:
    """The entries of a partner whose tokens the row may have; how many they are."""
    count, bits = np.uint64(0), np.uint32(mask)
    for entry in range(start, stop):
        token = np.uint32(tokens[entry])
        hits[count] = entry
        # No branch: a tenth of the tokens are there, in no order that can be foreseen.
        count += seen[(token & bits) >> np.uint32(3)] >> (token & np.uint32(7)) & np.uint8(1)
    return int(count)


@compiled
def _find(token_at: Narrow, entry_at: Narrow, mask: int, token: int) -> int:
    """The place of a token among a row's entries, -1 where it is not there."""
    place = token & mask >> 3
    while token_at[place] >= 0:
        if token_at[place] == token:
            entry: int = entry_at[place]
            return entry
        place = (place + 1) & mask >> 3
    return -1


@compiled
def _share(
    traces: Traces, row: _Row, mask: int, account: int, partners: Narrow, hits: Ints,
    shared: _Shared,
) -> None:  # fmt: skip
    """Add up what an account, whose row it is, shares with its partners."""
    seen, token_at, entry_at = row.seen, row.token, row.entry
    own_flags, kind_of, rarity = row.flags, row.kind, row.rarity
    own_busy, own_use, carriers = row.busy, row.use, row.carriers
    starts, tokens, flags, requests = traces.starts, traces.token, traces.flags, traces.requests
    busy, by_use, sent = traces.busy, traces.by_use, traces.sent
    nats, highest, rarest = shared.nats, shared.highest, shared.rarest
    pieces, meetings, circle = shared.pieces, shared.meetings, shared.circle
    listed, bounds, count = shared.listed, shared.bounds, 0
    for at in range(len(partners)):
        partner = partners[at]
        nats[at], highest[at], rarest[at] = 0.0, -1.0, -1
        pieces[at], meetings[at], circle[at] = 0, 0.0, False
        for hit in range(_hits(tokens, starts[partner], starts[partner + 1], seen, mask, hits)):
            entry = hits[hit]
            token = tokens[entry]
            mine = _find(token_at, entry_at, mask, token)
            if mine < 0:
                continue
            both, kind = flags[entry] & own_flags[mine], kind_of[mine]
            if both & TELLING:
                # From the first account on, whichever of the two has the row.
                if account < partner:
                    value = rarity[mine] - own_busy[mine] - busy[partner, kind]
                else:
                    value = rarity[mine] - busy[partner, kind] - own_busy[mine]
                value = max(value, 0.0)
                if by_use[kind]:
                    share = share_of(True, requests[entry], sent[partner])
                    value *= own_use[mine] * np.sqrt(np.sqrt(share))
                nats[at, kind] += value
                if value > highest[at, kind]:
                    highest[at, kind], rarest[at, kind] = value, token
            if both & ON_LIST:
                which = which_list(kind)
                pieces[at, which] += 1
                meetings[at, which] += carriers[mine] * (carriers[mine] - 1.0)
                circle[at] |= both & OF_CIRCLE != 0
                listed[count] = carriers[mine] << 32 | token
                count += 1
        bounds[at + 1] = count


@compiled
def _judge(
    traces: Traces, lists: Lists, rules: Rules, account: int, partners: Narrow, shared: _Shared,
    out: Candidates, found: int,
) -> int:  # fmt: skip
    """Add the partners with whom an account may be linked to the candidates, of which so many were
    found before; how many there are then."""
    cap = rules.axis_caps[rules.work]
    kind_caps, axis_caps, axis_starts = rules.kind_caps, rules.axis_caps, rules.axis_starts
    axis_kinds, rarest, nats = rules.axis_kinds, shared.rarest, shared.nats
    out_axes, out_best = out.axes, out.best
    for at in range(len(partners)):
        partner = partners[at]
        for kind in range(len(kind_caps)):
            nats[at, kind] = min(nats[at, kind], kind_caps[kind])
        for axis in range(len(axis_caps)):
            # The strongest kind of an axis and half of the others, as one cause makes several.
            strongest, added, best = 0.0, 0.0, -1
            for place in range(axis_starts[axis], axis_starts[axis + 1]):
                kind = axis_kinds[place]
                added += nats[at, kind]
                if nats[at, kind] > strongest:
                    strongest, best = nats[at, kind], rarest[at, kind]
            added = strongest + 0.5 * (added - strongest)
            out_axes[found, axis] = min(added, axis_caps[axis])
            out_best[found, axis] = best
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
        of_list = listed > out_axes[found, rules.work]
        if of_list:
            out_axes[found, rules.work] = nats[at, LISTED_CODES[0]] = min(listed, cap)
        whole, holding = 0.0, 0
        for axis in range(len(axis_caps)):
            whole += out_axes[found, axis]
            holding += out_axes[found, axis] >= rules.axis_nats
        hopeful = whole + rules.time_nats >= rules.link_nats and holding >= rules.axes_needed
        if hopeful or one_list or shared.circle[at]:
            out.first[found], out.second[found] = min(account, partner), max(account, partner)
            out.hopeful[found], out.one_list[found] = hopeful, one_list
            out.circle[found] = shared.circle[at]
            telling = np.uint32(0)
            for kind in range(len(kind_caps)):
                if nats[at, kind] >= rules.axis_nats:
                    telling |= np.uint32(1 << kind)
            out.kinds[found], out.pieces[found] = telling, -1
            if of_list and hopeful:
                # Of several pieces any may be the one that goes with the place: rare ones are too
                # few to tell, common ones are everybody's.
                some = np.sort(shared.listed[shared.bounds[at] : shared.bounds[at + 1]])
                for place, of in enumerate((0, len(some) // 2, len(some) - 1)):
                    out.pieces[found, place] = some[of] & _LOWER
            found += 1
    return found


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
