"""Pairs of accounts worth weighing, at a cost linear in what accounts carry.

Pairs are proposed on each rare token between neighbours on a ring of the accounts that carry it,
in an order of its own for each token: the union of such rings is an expander, so a group hangs
together at a cost linear in its size, where all pairs would be quadratic.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
    accounts = len(evidence.accounts)
    spread = spread_keys(evidence.account_keys)
    pairs = []
    for matrix, own_order in ((telling, True), (closed, True), (listed, False)):
        by_token = matrix.tocsc()
        by_token.sort_indices()
        token = np.repeat(np.arange(by_token.shape[1]), np.diff(by_token.indptr))
        account = by_token.indices.astype(np.int64)
        keep = usable[token]
        token, account = token[keep], account[keep]
        place = spread[account]
        if own_order:
            place = spread_keys(
                evidence.account_keys[account] ^ spread_keys(evidence.token_hash[token])
            )
        # Many stand on a gateway, and few of them together: fewer neighbours keep those who do
        # connected, as they meet on more than one.
        hub = evidence.token_accounts[token] > few[token]
        steps = np.where(hub, policy.hub_ring, policy.ring)
        met, times = _ring(token, account, place, accounts, steps)
        pairs.append(met if own_order else met[times >= policy.list_tokens])
    both = np.sort(np.concatenate(pairs))
    found = both[np.r_[True, both[1:] != both[:-1]][: len(both)]]
    return found // accounts, found % accounts


def _ring(token: Ints, account: Ints, place: Ints, accounts: int, steps: Ints) -> tuple[Ints, Ints]:
    """Neighbours of each token's carriers in order of `place`, up to so many steps away, as
    low * accounts + high, and on how many tokens they are neighbours."""
    if not len(token):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.lexsort((place, token))
    token, account, steps = token[order], account[order], steps[order]
    starts = np.flatnonzero(np.r_[True, token[1:] != token[:-1]])
    size = np.diff(np.r_[starts, len(token)])
    start_of, size_of = np.repeat(starts, size), np.repeat(size, size)
    position = np.arange(len(token)) - start_of
    codes = []
    for step in range(1, int(steps.max()) + 1):
        # Beyond half way round, the ring only meets the same pairs from the other side.
        turn = (2 * step <= size_of) & (step <= steps)
        a = account[turn]
        b = account[(start_of + (position + step) % size_of)[turn]]
        codes.append(np.minimum(a, b) * accounts + np.maximum(a, b))
    pairs = np.sort(np.concatenate(codes))
    heads = np.flatnonzero(np.r_[True, pairs[1:] != pairs[:-1]])
    return pairs[heads], np.diff(np.r_[heads, len(pairs)])


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
