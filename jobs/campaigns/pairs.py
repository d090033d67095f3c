"""Pairs of accounts worth weighing: so many of each account, however much it shares.

Pairs are proposed on each rare token between neighbours on a ring of the accounts that carry it,
in an order of its own for each token: the union of such rings is an expander, so a group hangs
together at a cost linear in its size, where all pairs would be quadratic. Accounts of one operation
share more with each day, and would meet on more rings: of all that an account meets some are kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from jobs.campaigns.evidence import KINDS, Evidence
from jobs.catalog.measures import INDICATORS_BY_KIND
from jobs.catalog.policy import CampaignPolicy

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Pairs or accounts worked on at a time by one thread: bounds memory to some 30 MB each.
_CHUNK = 8_000
#: Accounts on rings, and neighbours, worked on at a time: bounds memory to some 500 MB each.
_ON_RINGS = 4_000_000
_NEIGHBOURS = 50_000_000
#: Below a pair's code stand axis and nats of the token that it meets on, in steps: one sort of
#: whole numbers then brings together what is to be added up.
_STEPS, _NATS_BITS, _MEETING_BITS = 16, 8, 11
_MOST_NATS = ((1 << _NATS_BITS) - 1) / _STEPS
#: A pair's place among an account's partners: its lot, and above it how far they are apart.
_LOT_BITS, _PLACE_BITS = 28, 40
_LOTS, _FAR = (1 << _LOT_BITS) - 1, (1 << (_PLACE_BITS - _LOT_BITS)) - 1
_THREADS = min(os.cpu_count() or 1, 4)


def propose(
    evidence: Evidence,
    rarity: Floats,
    busy: Floats,
    telling: sparse.csr_matrix,
    listed: sparse.csr_matrix,
    closed: sparse.csr_matrix,
    policy: CampaignPolicy,
) -> tuple[Ints, Ints]:
    """Pairs worth weighing: ring neighbours on every token that is no hub, some of each account.

    On a token that tells much by itself, or is of a closed circle, the ring is in an order of the
    token's own. On content that only counts as one piece of a list, all rings are in one order:
    accounts with one list then meet the same neighbours again and again, and only who meets often
    enough is weighed.

    `rarity` is of tokens and `busy` of accounts x kinds, as in `Weights`. Returns the accounts of
    each pair, lower and higher, in that order: `partners` pairs for each account at most.
    """
    usable = evidence.token_accounts <= most_accounts(evidence, policy)[evidence.token_kind]
    few = _declared_caps()[evidence.token_kind]
    # Many stand on a gateway, and few of them together: fewer neighbours keep those who do
    # connected, as they meet on more than one.
    steps = np.where(evidence.token_accounts > few, policy.hub_ring, policy.ring)
    steps[~usable] = 0
    kinds = _Kinds.of(busy, policy)
    meeting = [_rings(evidence, rarity, matrix, steps, True) for matrix in (telling, closed)]
    on_lists = _rings(evidence, rarity, listed, steps, own_order=False)
    accounts = len(evidence.accounts)
    neighbours = sum(int((ring.turns * ring.size).sum()) for ring in (*meeting, on_lists))
    # Some pairs after the others, by their first account, which is the lower of two.
    passes = max(1, -(-neighbours // _NEIGHBOURS))
    edges = accounts * (1.0 - np.sqrt(1.0 - np.arange(passes + 1) / passes))
    found = []
    for low, high in pairwise(np.ceil(edges).astype(np.int64)):
        met = _neighbours(on_lists, kinds, low, high)
        met.sort()
        _, times = _runs(met >> _MEETING_BITS)
        met = met[np.repeat(times >= policy.list_tokens, times)]
        met = np.concatenate([met, *(_neighbours(ring, kinds, low, high) for ring in meeting)])
        codes, near = _nearness(met, policy)
        # Half as wide: of a large population there are hundreds of millions.
        found.append(
            ((codes // accounts).astype(np.int32), (codes % accounts).astype(np.int32), near)
        )
    first, second, near = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    del found
    kept = some_of_each(evidence.account_keys, first, second, near, policy)
    return first[kept], second[kept]


def some_of_each(
    keys: Ints,
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    near: NDArray[np.int16],
    policy: CampaignPolicy,
) -> NDArray[np.bool_]:
    """Which pairs are kept: those that one of the two has among its nearest partners, for whom
    most speaks, or among those that it draws by lot.

    Lots thin evenly: each cut of a group keeps its share of links (Karger 1999, "Random sampling in
    cut, flow, and network design problems"), so that what hung together still does.
    """
    partners = np.bincount(first, minlength=len(keys)) + np.bincount(second, minlength=len(keys))
    many = partners > policy.partners
    # Who has few keeps all, and so does who meets them.
    kept: NDArray[np.bool_] = ~(many[first] & many[second])
    # One lot for both, and in nobody's favour.
    lot = spread_keys(keys[first] + keys[second]) & _LOTS
    nearest = lot | ((_FAR - near.astype(np.int64)) << _LOT_BITS)
    for place, most in ((nearest, policy.nearest), (lot, policy.partners - policy.nearest)):
        last = _last_of_each(np.where(many, partners, 0), first, second, place, most)
        kept |= (place <= last[first]) | (place <= last[second])
    return kept


def _last_of_each(
    partners: Ints,
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    place: Ints,
    most: int,
) -> Ints:
    """Of each account with partners, the place of the last of so many of them; -1 of others."""
    last = np.full(len(partners), -1, np.int64)
    if not most or not partners.any():
        return last
    ends = np.cumsum(partners)
    marks = np.arange(_NEIGHBOURS, ends[-1], _NEIGHBOURS)
    edges = np.unique(np.r_[0, np.searchsorted(ends, marks), len(partners)])
    for low, high in pairwise(edges):
        some = np.zeros(len(partners), bool)
        some[low:high] = partners[low:high] > 0
        number = np.cumsum(some) - 1
        places = []
        for account in (first, second):
            theirs = np.flatnonzero(some[account])
            places.append((number[account[theirs]] << _PLACE_BITS) | place[theirs])
        # One sort for all of them: account by account, in order of place.
        ordered = np.concatenate(places)
        ordered.sort()
        starts = np.cumsum(partners[some]) - partners[some]
        last[some] = ordered[starts + most - 1] & ((1 << _PLACE_BITS) - 1)
    return last


@dataclass(frozen=True)
class _Rings:
    """Rings of accounts, one after another, each in order of place."""

    account: NDArray[np.int32]
    #: How typical the ring's token is of each.
    use: NDArray[np.float32]
    #: Accounts of each ring, and to how many steps away they are neighbours.
    size: Ints
    turns: Ints
    #: Kind and rarity of each ring's token.
    kind: NDArray[np.int8]
    rarity: NDArray[np.float32]

    def parts(self) -> Iterator[tuple[slice, slice]]:
        """Rings of some _ON_RINGS accounts together, and where their accounts stand."""
        ends = np.cumsum(self.size)
        marks = np.arange(_ON_RINGS, len(self.account), _ON_RINGS)
        edges = np.unique(np.r_[0, np.searchsorted(ends, marks), len(ends)])
        at = np.r_[0, ends][edges]
        for (low, high), (start, stop) in zip(pairwise(edges), pairwise(at), strict=True):
            yield slice(low, high), slice(start, stop)


@dataclass(frozen=True)
class _Kinds:
    """What a token of each kind may say."""

    #: Of each account and kind, as in `Weights`.
    busy: NDArray[np.float32]
    #: Nats at most, and the axis that they are of.
    cap: NDArray[np.float32]
    axis: Ints

    @classmethod
    def of(cls, busy: Floats, policy: CampaignPolicy) -> _Kinds:
        axis = np.zeros(len(KINDS), np.int64)
        for at, declared in enumerate(policy.axes):
            for kind, _ in declared.kinds:
                if kind in KINDS:
                    axis[KINDS.index(kind)] = at
        cap = np.minimum(kind_caps(policy), _MOST_NATS)
        return cls(busy.astype(np.float32), cap.astype(np.float32), axis)


def _rings(
    evidence: Evidence, rarity: Floats, carried: sparse.csr_matrix, steps: Ints, own_order: bool
) -> _Rings:
    """A ring of each token's accounts, in an order of the token's own or the same for all;
    `steps` says for each token how far neighbours are."""
    by_token = carried.tocsc()
    size = np.diff(by_token.indptr).astype(np.int64)
    # Beyond half way round, a ring only meets the same pairs from the other side.
    turns = np.minimum(steps, size // 2)
    used = turns > 0
    on_ring = np.repeat(used, size)
    rings = _Rings(
        by_token.indices[on_ring], by_token.data[on_ring].astype(np.float32), size[used],
        turns[used], evidence.token_kind[used], rarity[used].astype(np.float32),
    )  # fmt: skip
    spread, hashes = spread_keys(evidence.account_keys), evidence.token_hash[used]
    for some, at in rings.parts():
        ring = np.repeat(np.arange(some.stop - some.start), rings.size[some])
        account = rings.account[at]
        place = spread[account]
        if own_order:
            place = spread_keys(evidence.account_keys[account] ^ spread_keys(hashes[some])[ring])
        order = _in_order(ring, place)
        rings.account[at], rings.use[at] = account[order], rings.use[at][order]
    return rings


def _neighbours(rings: _Rings, kinds: _Kinds, low: int, high: int) -> Ints:
    """Neighbours whose lower account is in a range, once for each ring that they are neighbours
    on: lower * accounts + higher, and below it the axis and the nats of the ring's token."""
    accounts = len(kinds.busy)
    codes = [np.zeros(0, np.int64)]
    for some, at in rings.parts():
        size, turns = rings.size[some], rings.turns[some]
        account, use = rings.account[at], rings.use[at]
        kind = np.repeat(rings.kind[some], size)
        rare, busy = np.repeat(rings.rarity[some], size), kinds.busy[account, kind]
        start = np.repeat(np.cumsum(size) - size, size)
        length, far = np.repeat(size, size), np.repeat(turns, size)
        within = np.arange(len(account)) - start
        for step in range(1, int(turns.max(initial=0)) + 1):
            turn = np.flatnonzero(step <= far)
            next_ = start[turn] + (within[turn] + step) % length[turn]
            lower = np.minimum(account[turn], account[next_])
            chosen = (lower >= low) & (lower < high)
            lower, turn, next_ = lower[chosen], turn[chosen], next_[chosen]
            higher = np.maximum(account[turn], account[next_])
            nats = np.clip(rare[turn] - busy[turn] - busy[next_], 0.0, kinds.cap[kind[turn]])
            nats *= use[turn] * use[next_] * np.float32(_STEPS)
            meeting = (kinds.axis[kind[turn]] << _NATS_BITS) | nats.astype(np.int64)
            pair = lower.astype(np.int64) * accounts + higher
            codes.append((pair << _MEETING_BITS) | meeting)
    return np.concatenate(codes)


def _in_order(ring: Ints, place: Ints) -> NDArray[np.int32]:
    """An order by ring, and by place on it; rings stand one after another."""
    order = np.argsort(place, kind="stable").astype(np.int32)
    # Sorted by place as a whole, then counted into their rings: linear, and keeps that order.
    table = sparse.csr_matrix((order, (ring[order], np.arange(len(order)))))
    return np.asarray(table.data)


def _nearness(met: Ints, policy: CampaignPolicy) -> tuple[Ints, NDArray[np.int16]]:
    """Pairs that meet, each once and in order, and what the tokens on which they do say of them,
    in steps of a nat: axis by axis, as one cause makes several; sorts `met`."""
    met.sort()
    starts, _ = _runs(met >> _NATS_BITS)
    nats = np.add.reduceat(met & ((1 << _NATS_BITS) - 1), starts) if len(starts) else met
    codes = met[starts] >> _NATS_BITS
    del met
    most = np.zeros(1 << (_MEETING_BITS - _NATS_BITS), np.int64)
    most[: len(policy.axes)] = [int(axis.cap * _STEPS) for axis in policy.axes]
    nats = np.minimum(nats, most[codes & (len(most) - 1)])
    codes >>= _MEETING_BITS - _NATS_BITS
    starts, _ = _runs(codes)
    near = np.add.reduceat(nats, starts) if len(starts) else nats
    return codes[starts], np.minimum(near, _FAR).astype(np.int16)


def _runs(codes: Ints) -> tuple[Ints, Ints]:
    """Where runs of equal codes start, and how long they are."""
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]][: len(codes)])
    return starts, np.diff(np.r_[starts, len(codes)])


def kind_caps(policy: CampaignPolicy) -> Floats:
    """Nats that a token of each kind may bring."""
    caps = np.zeros(len(KINDS))
    for axis in policy.axes:
        for kind, cap in axis.kinds:
            if kind in KINDS:
                caps[KINDS.index(kind)] = cap
    return caps


def most_accounts(evidence: Evidence, policy: CampaignPolicy) -> Floats:
    """Accounts above which a token of each kind proposes nothing."""
    return np.maximum(_declared_caps(), policy.hub_share * len(evidence.accounts))


def _declared_caps() -> Floats:
    """Accounts above which a token of each kind is a hub: a gateway, a popular client."""
    # A template has no indicator of its own, and may be as popular as its ending.
    ending = INDICATORS_BY_KIND["template_end"].link_cap
    return np.array([
        INDICATORS_BY_KIND[kind].link_cap if kind in INDICATORS_BY_KIND else ending
        for kind in KINDS
    ], float)  # fmt: skip


def some_entries(carried: sparse.csr_matrix, kept: NDArray[np.bool_]) -> sparse.csr_matrix:
    """The matrix with these of its entries alone."""
    upto = np.r_[0, np.cumsum(kept)]
    return sparse.csr_matrix(
        (carried.data[kept], carried.indices[kept], upto[carried.indptr]), shape=carried.shape
    )


def in_common(
    carried: sparse.csr_matrix, first: Ints, second: Ints
) -> tuple[sparse.csr_matrix, Ints]:
    """What both accounts of each pair carry, as pairs x tokens with the product of their entries,
    and the pair of each entry."""
    both = carried[first].multiply(carried[second]).tocsr()
    both.sort_indices()
    return both, np.repeat(np.arange(len(first)), np.diff(both.indptr))


def in_parts(work: Callable[[slice], None], count: int) -> None:
    """Do the work for so many pairs or accounts, some at a time: each part writes what is its own
    alone."""
    parts = [slice(at, at + _CHUNK) for at in range(0, count, _CHUNK)]
    if len(parts) < 2:  # not worth a thread
        for part in parts:
            work(part)
        return
    # NumPy and SciPy let go of the interpreter where the time goes.
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(work, parts):
            pass


def spread_keys(keys: Ints) -> Ints:
    """Spread 64-bit keys (the finalizer of SplitMix64, Steele et al. 2014)."""
    z = keys.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))).astype(np.int64)
