"""Pairs of accounts worth weighing: so many of each account, however much it shares.

Pairs are proposed on each rare token between neighbours on a ring of the accounts that carry it,
in an order of its own for each token: the union of such rings is an expander, so a group hangs
together at a cost linear in its size, where all pairs would be quadratic. Accounts of one operation
share more with each day, and would meet on more rings: of all that an account meets some are kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.evidence import KINDS, Evidence
from jobs.campaigns.threads import even_parts, in_threads
from jobs.campaigns.traces import (
    ENTRIES,
    OF_CIRCLE,
    ON_LIST,
    TELLING,
    Traces,
    declared_caps,
    most_accounts,
    share_of,
)
from jobs.catalog.policy import CampaignPolicy
from jobs.platform.compiling import compiled

Ints = NDArray[np.int64]
Narrow = NDArray[np.int32]
Single = NDArray[np.float32]

#: What meeting on a token says is added up in steps of a nat: whole numbers have no order.
_STEPS = 16
_MOST_NATS = 255 / _STEPS
#: A pair's place among an account's partners: its lot, and above it how far they are apart.
_LOT_BITS = 28
_LOTS, _FAR = (1 << _LOT_BITS) - 1, (1 << 12) - 1
_ALL = np.iinfo(np.int64).max


class Pairs(NamedTuple):
    """Of each account the partners that it is compared with. Of two accounts the one that carries
    more has the other as its partner; of two that carry as much, the first."""

    starts: Ints
    partner: Narrow


class _Kinds(NamedTuple):
    """What a token of each kind may say when two accounts meet on it."""

    #: Nats at most, and the axis that they are of.
    cap: Single
    axis: Ints
    #: Steps that each axis may bring.
    most: Ints


class _Rings(NamedTuple):
    """A ring of accounts for each token, one after another."""

    starts: Ints
    #: To how many steps away accounts are neighbours.
    turns: Ints
    #: Of each place on a ring its account, and how typical the token is of it, if that counts.
    account: Narrow
    use: Single
    #: The place of each entry of the accounts' rows; -1: on no ring.
    place: Narrow


class _Met(NamedTuple):
    """Partners of some accounts that follow each other, and what speaks for each, in steps."""

    low: int
    partners: Ints
    partner: Narrow
    near: NDArray[np.int16]


def propose(evidence: Evidence, traces: Traces, policy: CampaignPolicy) -> Pairs:
    """Pairs worth weighing: ring neighbours on every token that is no hub, some of each account.

    On a token that tells much by itself, or is of a closed circle, the ring is in an order of the
    token's own. On content that only counts as one piece of a list, all rings are in one order:
    accounts with one list then meet the same neighbours again and again, and only who meets often
    enough is weighed.

    An account keeps all whom it meets where they are `partners` at most. Else a pair is kept that
    one of the two has among its nearest partners, for whom most speaks, or among those that it
    draws by lot. Lots thin evenly: each cut of a group keeps its share of links (Karger 1999,
    "Random sampling in cut, flow, and network design problems"), so that what hung together still
    does.
    """
    keys = evidence.account_keys
    met, last_near, last_lot = meetings(evidence, traces, policy)
    kept = in_threads(lambda some: _chosen(some, keys, last_near, last_lot), met)
    counts = [count for count, _ in kept]
    return Pairs(np.cumsum(np.r_[0, *counts]), np.concatenate([partner for _, partner in kept]))


def meetings(
    evidence: Evidence, traces: Traces, policy: CampaignPolicy
) -> tuple[list[_Met], Ints, Ints]:
    """All who meet, and of each account the place of its last partner by nearness and by lot."""
    keys, carriers = evidence.account_keys, evidence.token_accounts
    usable = carriers <= most_accounts(evidence, policy)[evidence.token_kind]
    few = declared_caps()[evidence.token_kind]
    # Many stand on a gateway, and few of them together: fewer neighbours keep those who do
    # connected, as they meet on more than one.
    steps = np.where(carriers > few, policy.hub_ring, policy.ring)
    steps[~usable] = 0
    in_one_order = np.argsort(spread_keys(keys))
    hashes = spread_keys(evidence.token_hash)

    def lined_up(flag: int) -> _Rings:
        rings, entries = _line_up(traces, flag, steps, in_one_order)
        if flag != ON_LIST:
            _shuffle_all(rings, entries, keys, hashes)
        return rings

    # What else they were made of is not held while accounts meet, which is when most memory is.
    on_lists, telling, circle = in_threads(lined_up, (ON_LIST, TELLING, OF_CIRCLE))
    last_near, last_lot = np.full((2, len(keys)), _ALL)
    numbers = _kinds(policy), traces.rarity.astype(np.float32), traces.busy.astype(np.float32)
    known = np.column_stack((keys, _places_by_length(traces)))
    met = in_threads(
        lambda part: _meet(
            traces, on_lists, telling, circle, *numbers, known, policy.list_tokens,
            policy.partners, policy.nearest, *part, last_near, last_lot,
        ),
        even_parts(traces.starts, ENTRIES),
    )  # fmt: skip
    return met, last_near, last_lot


def _places_by_length(traces: Traces) -> Ints:
    """Of each account its place when all are put in order, who carries most first."""
    place = np.empty(len(traces.starts) - 1, np.int64)
    place[np.argsort(-np.diff(traces.starts), kind="stable")] = np.arange(len(place))
    return place


def _kinds(policy: CampaignPolicy) -> _Kinds:
    axis = np.zeros(len(KINDS), np.int64)
    for at, declared in enumerate(policy.axes):
        for kind, _ in declared.kinds:
            if kind in KINDS:
                axis[KINDS.index(kind)] = at
    most = np.array([int(axis.cap * _STEPS) for axis in policy.axes])
    return _Kinds(np.minimum(kind_caps(policy), _MOST_NATS).astype(np.float32), axis, most)


@compiled
def _line_up(traces: Traces, flag: int, steps: Ints, order: Ints) -> tuple[_Rings, Narrow]:
    """Rings of the accounts whose entries have a flag, all in one order of accounts; `steps` says
    for each token how far neighbours are. Also returns the entry at each place."""
    tokens = len(traces.kind)
    size = np.zeros(tokens, np.int64)
    for entry in range(len(traces.token)):
        if traces.flags[entry] & flag:
            size[traces.token[entry]] += 1
    turns, starts = np.zeros(tokens, np.int64), np.zeros(tokens + 1, np.int64)
    for token in range(tokens):
        # Beyond half way round, a ring only meets the same pairs from the other side.
        turns[token] = min(steps[token], size[token] // 2)
        starts[token + 1] = starts[token] + (size[token] if turns[token] > 0 else 0)
    free = starts[:-1].copy()
    lined_up = np.empty(starts[-1], np.int32)
    use = np.empty(starts[-1] if flag == TELLING else 0, np.float32)
    entries = np.empty(starts[-1], np.int32)
    places = np.full(len(traces.token), -1, np.int32)
    for account in order:
        for entry in range(traces.starts[account], traces.starts[account + 1]):
            token = traces.token[entry]
            if traces.flags[entry] & flag and turns[token] > 0:
                place = free[token]
                free[token] += 1
                lined_up[place], entries[place], places[entry] = account, entry, place
                if flag == TELLING:
                    by_use = traces.by_use[traces.kind[token]]
                    share = share_of(by_use, traces.requests[entry], traces.sent[account])
                    use[place] = np.sqrt(np.sqrt(share))
    return _Rings(starts, turns, lined_up, use, places), entries


def _shuffle_all(rings: _Rings, entries: Narrow, keys: Ints, hashes: Ints) -> None:
    in_threads(
        lambda part: _shuffle(rings, entries, keys, hashes, *part),
        even_parts(rings.starts, ENTRIES),
    )


@compiled
def _shuffle(rings: _Rings, entries: Narrow, keys: Ints, hashes: Ints, low: int, high: int) -> None:
    """Put each of these tokens' rings into an order of its own."""
    for token in range(low, high):
        start, stop = rings.starts[token], rings.starts[token + 1]
        if start < stop:
            account = rings.account[start:stop].copy()
            use, entry = rings.use[start:stop].copy(), entries[start:stop].copy()
            drawn = np.empty(stop - start, np.int64)
            for at in range(stop - start):
                drawn[at] = spread_key(keys[account[at]] ^ hashes[token])
            order = np.argsort(drawn)
            for at in range(stop - start):
                rings.account[start + at] = account[order[at]]
                rings.place[entry[order[at]]] = start + at
                if len(use):
                    rings.use[start + at] = use[order[at]]


@compiled
def _meet(
    traces: Traces, on_lists: _Rings, telling: _Rings, circle: _Rings,
    kinds: _Kinds, rarity: Single, busy: Single, known: Ints,
    list_tokens: int, partners: int, nearest: int, low: int, high: int,
    last_near: Ints, last_lot: Ints,
) -> _Met:  # fmt: skip
    """Whom these accounts meet, of those that they are compared with, and what speaks for them;
    writes the places of each account's last partners. `known` has the key of each account beside
    its place by length: both are read of each whom another meets."""
    most, total = _most_met(traces, (on_lists, telling, circle), low, high)
    often, number = np.zeros(len(known), np.int32), np.full(len(known), -1, np.int32)
    other, steps = np.empty(most, np.int32), np.empty((most, len(kinds.most)), np.int32)
    place = np.empty(most, np.int64)
    count = np.zeros(high - low, np.int64)
    partner, near, found = np.empty(total, np.int32), np.empty(total, np.int16), 0
    for account in range(low, high):
        # How often it meets others on lists, counted from here, so that nothing is to be reset.
        since = (account - low) * list_tokens
        _count(traces, on_lists, account, since, since + list_tokens, often)
        met = 0
        for rings, needed in ((on_lists, since + list_tokens), (telling, 0), (circle, 0)):
            met = _look_around(
                traces, rings, kinds, rarity, busy, account, often, needed, other, steps, number,
                met,
            )  # fmt: skip
        key, own, first = known[account, 0], known[account, 1], found
        for at in range(met):
            number[other[at]] = -1
            speaks = 0
            for axis in range(len(kinds.most)):
                speaks += min(steps[at, axis], kinds.most[axis])
            speaks = min(speaks, _FAR)
            place[at] = (_FAR - speaks) << _LOT_BITS | _lot(key + known[other[at], 0])
            if own < known[other[at], 1]:
                partner[found], near[found] = other[at], speaks
                found += 1
        count[account - low] = found - first
        if met > partners:
            last_near[account] = _last(place[:met], nearest)
            last_lot[account] = _last(place[:met] & _LOTS, partners - nearest)
    return _Met(low, count, partner[:found].copy(), near[:found].copy())


@compiled
def _most_met(traces: Traces, systems: tuple[_Rings, ...], low: int, high: int) -> tuple[int, int]:
    """Whom one of these accounts may meet at most, and all of them together."""
    most, total = 0, 0
    for account in range(low, high):
        met = 0
        for rings in systems:
            for entry in range(traces.starts[account], traces.starts[account + 1]):
                if rings.place[entry] >= 0:
                    met += 2 * rings.turns[traces.token[entry]]
        most, total = max(most, met), total + met
    return most, total


@compiled
def _count(
    traces: Traces, rings: _Rings, account: int, since: int, enough: int, often: Narrow
) -> None:
    """Count for each neighbour on how many rings it is one, from `since` until it is enough."""
    for entry in range(traces.starts[account], traces.starts[account + 1]):
        place, token = rings.place[entry], traces.token[entry]
        if place >= 0:
            start, stop = rings.starts[token], rings.starts[token + 1]
            for turn in range(1, rings.turns[token] + 1):
                for there in _both_sides(start, stop, place, turn):
                    neighbour = rings.account[there]
                    often[neighbour] = min(max(often[neighbour], since) + 1, enough)


@compiled
def _both_sides(start: int, stop: int, place: int, turn: int) -> tuple[int, int]:
    """The places so many steps ahead and behind on a ring."""
    ahead, behind = place + turn, place - turn
    if ahead >= stop:
        ahead -= stop - start
    if behind < start:
        behind += stop - start
    return ahead, behind


@compiled
def _look_around(
    traces: Traces, rings: _Rings, kinds: _Kinds, rarity: Single, busy: Single, account: int,
    often: Narrow, needed: int, other: Narrow, steps: Narrow, number: Narrow, met: int,
) -> int:  # fmt: skip
    """Add the account's neighbours on rings, if often enough, to those whom it has met, and what
    the rings' tokens say to the steps of their axes; how many it has met then. `number` says where
    each stands."""
    for entry in range(traces.starts[account], traces.starts[account + 1]):
        place, token = rings.place[entry], traces.token[entry]
        if place < 0:
            continue
        kind, start, stop = traces.kind[token], rings.starts[token], rings.starts[token + 1]
        for turn in range(1, rings.turns[token] + 1):
            # Of two the one that stands before the other on the ring counts first.
            before = True
            for there in _both_sides(start, stop, place, turn):
                neighbour = rings.account[there]
                one, two = (account, neighbour) if before else (neighbour, account)
                before = False
                if needed and often[neighbour] < needed:
                    continue
                at = number[neighbour]
                if at < 0:
                    at = number[neighbour] = met
                    other[at] = neighbour
                    for axis in range(len(kinds.most)):
                        steps[at, axis] = 0
                    met += 1
                nats = rarity[token] - busy[one, kind] - busy[two, kind]
                nats = min(max(nats, np.float32(0.0)), kinds.cap[kind]) * np.float32(_STEPS)
                if len(rings.use):
                    nats *= rings.use[place] * rings.use[there]
                steps[at, kinds.axis[kind]] += np.int32(nats)
    return met


@compiled
def _last(place: Ints, most: int) -> int:
    """The place of the last of so many partners; -1 where there are to be none."""
    if most == 0:
        return -1
    last: int = np.partition(place, most - 1)[most - 1]
    return last


@compiled
def _lot(both: int) -> int:
    """One lot for two accounts, from the sum of their keys: in nobody's favour."""
    lot: int = spread_key(both) & _LOTS
    return lot


@compiled
def _chosen(met: _Met, keys: Ints, last_near: Ints, last_lot: Ints) -> tuple[Ints, Narrow]:
    """Of each account the partners that are kept, and how many they are."""
    count, partner = np.zeros(len(met.partners), np.int64), np.empty(len(met.partner), np.int32)
    start, kept = 0, 0
    for row in range(len(met.partners)):
        account, first = met.low + row, kept
        for at in range(start, start + met.partners[row]):
            other = met.partner[at]
            lot = _lot(keys[account] + keys[other])
            place = (_FAR - np.int64(met.near[at])) << _LOT_BITS | lot
            if place <= max(last_near[account], last_near[other]) or lot <= max(
                last_lot[account], last_lot[other]
            ):
                partner[kept] = other
                kept += 1
        start += met.partners[row]
        count[row] = kept - first
    return count, partner[:kept].copy()


def kind_caps(policy: CampaignPolicy) -> NDArray[np.float64]:
    """Nats that a token of each kind may bring."""
    caps = np.zeros(len(KINDS))
    for axis in policy.axes:
        for kind, cap in axis.kinds:
            if kind in KINDS:
                caps[KINDS.index(kind)] = cap
    return caps


@compiled
def spread_key(key: int) -> int:
    """Spread a 64-bit key (the finalizer of SplitMix64, Steele et al. 2014)."""
    z = np.uint64(key) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    spread: int = np.int64(z ^ (z >> np.uint64(31)))  # type: ignore[assignment]
    return spread


@compiled
def spread_keys(keys: Ints) -> Ints:
    """Spread 64-bit keys, each as `spread_key` does."""
    spread = np.empty(len(keys), np.int64)
    for at in range(len(keys)):
        spread[at] = spread_key(keys[at])
    return spread
