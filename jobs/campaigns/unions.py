"""Pieces of one operation that their links alone leave apart, joined by what nobody else has.

An operation of many accounts, or one whose accounts are replaced every few days, may settle in
pieces: each pair shares too little that is rare. As groups they share it openly: tokens that most
members of both carry and hardly anyone outside. Two groups with such tokens on two axes are one.
Place is no such axis: exits are rented, to one operation as well as to the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.evidence import KINDS, Evidence
from jobs.catalog.policy import CampaignPolicy

Ints = NDArray[np.int64]


def join_pieces(evidence: Evidence, groups: list[Ints], policy: CampaignPolicy) -> list[Ints]:
    """The groups, pieces of one operation as one, in order of their first member."""
    while True:
        couples = _couples(evidence, groups, policy)
        if not couples:
            return groups
        into = list(range(len(groups)))
        for low, high in couples:  # in order, so that chains end in their first piece
            while into[low] != low:
                low = into[low]
            while into[high] != high:
                high = into[high]
            into[max(low, high)] = min(low, high)
        joined: dict[int, list[Ints]] = {}
        for index, members in enumerate(groups):
            root = index
            while into[root] != root:
                root = into[root]
            joined.setdefault(root, []).append(members)
        groups = sorted(
            (np.sort(np.concatenate(parts)) for parts in joined.values()),
            key=lambda group: int(group[0]),
        )


def _couples(
    evidence: Evidence, groups: list[Ints], policy: CampaignPolicy
) -> list[tuple[int, int]]:
    """Pairs of groups that have tokens of their own in common on enough axes."""
    axis_of = {
        KINDS.index(kind): at
        for at, declared in enumerate(policy.axes)
        for kind, _ in declared.kinds
        if kind in KINDS and declared.name != "place"
    }
    # Groups that carry each token by `piece_share` of their members or more.
    carriers: dict[int, list[tuple[int, int]]] = {}
    for index, members in enumerate(groups):
        inside = np.bincount(evidence.carried[members].indices, minlength=len(evidence.token_kind))
        for token in np.flatnonzero(inside >= policy.piece_share * len(members)):
            carriers.setdefault(int(token), []).append((index, int(inside[token])))
    axes: dict[tuple[int, int], set[int]] = {}
    for shared, held in sorted(carriers.items()):
        # Of a token that many groups carry, none has it to itself.
        axis = axis_of.get(int(evidence.token_kind[shared]))
        if axis is None or not 2 <= len(held) <= policy.pieces_most:
            continue
        own = policy.own_share * int(evidence.token_accounts[shared])
        # All that carry it together, or two of them alone, hold nearly all of its accounts.
        together = sum(count for _, count in held) >= own
        for place, (low, in_low) in enumerate(held):
            for high, in_high in held[place + 1 :]:
                if together or in_low + in_high >= own:
                    axes.setdefault((low, high), set()).add(axis)
    return sorted(pair for pair, on in axes.items() if len(on) >= policy.axes_needed)
