"""Pairs of accounts worth weighing, at a cost linear in what accounts carry.

Pairs are proposed on each rare token between neighbours on a ring of the accounts that carry it,
in an order of its own for each token: the union of such rings is an expander, so a group hangs
together at a cost linear in its size, where all pairs would be quadratic.
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
_THREADS = min(os.cpu_count() or 1, 4)


def propose(
    evidence: Evidence,
    telling: sparse.csr_matrix,
    listed: sparse.csr_matrix,
    closed: sparse.csr_matrix,
    policy: CampaignPolicy,
) -> tuple[Ints, Ints]:
    """Pairs worth weighing: ring neighbours on every token that is no hub.

    On a token that tells much by itself, or is of a closed circle, the ring is in an order of the
    token's own. On content that only counts as one piece of a list, all rings are in one order:
    accounts with one list then meet the same neighbours again and again, and only who meets often
    enough is weighed.
    """
    usable = evidence.token_accounts <= most_accounts(evidence, policy)[evidence.token_kind]
    few = _declared_caps()[evidence.token_kind]
    # Many stand on a gateway, and few of them together: fewer neighbours keep those who do
    # connected, as they meet on more than one.
    steps = np.where(evidence.token_accounts > few, policy.hub_ring, policy.ring)
    steps[~usable] = 0
    rings = [
        (_rings(evidence, matrix, steps, own_order), 1 if own_order else policy.list_tokens)
        for matrix, own_order in ((telling, True), (closed, True), (listed, False))
    ]
    accounts = len(evidence.accounts)
    firsts, seconds = [], []
    neighbours = sum(int((ring.turns * ring.size).sum()) for ring, _ in rings)
    # Some pairs after the others, by their first account, which is the lower of two.
    passes = max(1, -(-neighbours // _NEIGHBOURS))
    edges = accounts * (1.0 - np.sqrt(1.0 - np.arange(passes + 1) / passes))
    for low, high in pairwise(np.ceil(edges).astype(np.int64)):
        met = [_met(_neighbours(ring, accounts, low, high), times) for ring, times in rings]
        codes = _met(np.concatenate(met), 1)
        # Half as wide: of a large population there are hundreds of millions.
        firsts.append((codes // accounts).astype(np.int32))
        seconds.append((codes % accounts).astype(np.int32))
    return np.concatenate(firsts), np.concatenate(seconds)


@dataclass(frozen=True)
class _Rings:
    """Rings of accounts, one after another, each in order of place."""

    account: NDArray[np.int32]
    #: Accounts of each ring, and to how many steps away they are neighbours.
    size: Ints
    turns: Ints

    def parts(self) -> Iterator[tuple[slice, slice]]:
        """Rings of some _ON_RINGS accounts together, and where their accounts stand."""
        ends = np.cumsum(self.size)
        marks = np.arange(_ON_RINGS, len(self.account), _ON_RINGS)
        edges = np.unique(np.r_[0, np.searchsorted(ends, marks), len(ends)])
        at = np.r_[0, ends][edges]
        for (low, high), (start, stop) in zip(pairwise(edges), pairwise(at), strict=True):
            yield slice(low, high), slice(start, stop)


def _rings(evidence: Evidence, carried: sparse.csr_matrix, steps: Ints, own_order: bool) -> _Rings:
    """A ring of each token's accounts, in an order of the token's own or the same for all;
    `steps` says for each token how far neighbours are."""
    by_token = carried.tocsc()
    size = np.diff(by_token.indptr).astype(np.int64)
    # Beyond half way round, a ring only meets the same pairs from the other side.
    turns = np.minimum(steps, size // 2)
    used = turns > 0
    rings = _Rings(by_token.indices[np.repeat(used, size)], size[used], turns[used])
    spread, hashes = spread_keys(evidence.account_keys), evidence.token_hash[used]
    for some, at in rings.parts():
        ring = np.repeat(np.arange(some.stop - some.start), rings.size[some])
        account = rings.account[at]
        place = spread[account]
        if own_order:
            place = spread_keys(evidence.account_keys[account] ^ spread_keys(hashes[some])[ring])
        rings.account[at] = _in_order(ring, account, place)
    return rings


def _neighbours(rings: _Rings, accounts: int, low: int, high: int) -> Ints:
    """Neighbours whose lower account is in a range, as lower * accounts + higher, once for each
    ring that they are neighbours on."""
    codes = [np.zeros(0, np.int64)]
    for some, at in rings.parts():
        size, turns = rings.size[some], rings.turns[some]
        account = rings.account[at]
        start = np.repeat(np.cumsum(size) - size, size)
        length, far = np.repeat(size, size), np.repeat(turns, size)
        within = np.arange(len(account)) - start
        for step in range(1, int(turns.max(initial=0)) + 1):
            turn = np.flatnonzero(step <= far)
            one = account[turn]
            two = account[start[turn] + (within[turn] + step) % length[turn]]
            lower, higher = np.minimum(one, two), np.maximum(one, two)
            chosen = (lower >= low) & (lower < high)
            codes.append(lower[chosen].astype(np.int64) * accounts + higher[chosen])
    return np.concatenate(codes)


def _in_order(ring: Ints, account: NDArray[np.int32], place: Ints) -> NDArray[np.int32]:
    """The accounts of each ring by their place on it; rings stand one after another."""
    order = np.argsort(place, kind="stable")
    # Sorted by place as a whole, then counted into their rings: linear, and keeps that order.
    table = sparse.csr_matrix((account[order], (ring[order], np.arange(len(order)))))
    return np.asarray(table.data)


def _met(codes: Ints, times: int) -> Ints:
    """The pairs that are there so many times or more, each once and in order; sorts `codes`."""
    codes.sort()
    if len(codes) < times:
        return codes[:0]
    first = np.r_[True, codes[1:] != codes[:-1]][: len(codes)]
    last = len(codes) - times + 1
    first = first[:last] & (codes[:last] == codes[times - 1 :])
    return codes[:last][first]


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
