"""Pieces of one operation that their links alone leave apart, joined by what nobody else has.

An operation of many accounts, or one whose accounts are replaced every few days, may settle in
pieces: each pair shares too little that is rare. As groups they share it openly: tokens that most
members of both carry and hardly anyone outside. Two groups with such tokens on two axes are one.
Place is no such axis: exits are rented, to one operation as well as to the next.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.evidence import KINDS, Evidence
from jobs.campaigns.links import Links
from jobs.campaigns.lists import Lists, list_in_common, sample_of
from jobs.campaigns.pairs import spread_keys
from jobs.campaigns.threads import in_threads
from jobs.campaigns.traces import ON_LIST, ByToken, Traces, by_token
from jobs.catalog.policy import CampaignPolicy
from jobs.platform.compiling import compiled

Ints = NDArray[np.int64]
Narrow = NDArray[np.int32]


class _Piece(NamedTuple):
    """A group, and the tokens that `piece_share` of its members or more carry."""

    members: Ints
    carried: list[tuple[int, int]]  # token, members that carry it


def join_pieces(evidence: Evidence, groups: list[Ints], policy: CampaignPolicy) -> list[Ints]:
    """The groups, pieces of one operation as one, in order of their first member."""
    pieces = [_piece(evidence, members, policy) for members in groups]
    while couples := _couples(evidence, pieces, policy):
        into = list(range(len(pieces)))
        for low, high in couples:  # in order, so that chains end in their first piece
            while into[low] != low:
                low = into[low]
            while into[high] != high:
                high = into[high]
            into[max(low, high)] = min(low, high)
        joined: dict[int, list[_Piece]] = {}
        for index, piece in enumerate(pieces):
            root = index
            while into[root] != root:
                root = into[root]
            joined.setdefault(root, []).append(piece)
        pieces = [
            parts[0] if len(parts) == 1
            else _piece(evidence, np.sort(np.concatenate([p.members for p in parts])), policy)
            for parts in joined.values()
        ]  # fmt: skip
        pieces.sort(key=lambda piece: int(piece.members[0]))
    return [piece.members for piece in pieces]


def _piece(evidence: Evidence, members: Ints, policy: CampaignPolicy) -> _Piece:
    met, inside = np.unique(evidence.carried[members].indices, return_counts=True)
    often = inside >= policy.piece_share * len(members)
    return _Piece(members, list(zip(met[often].tolist(), inside[often].tolist(), strict=True)))


def _couples(
    evidence: Evidence, pieces: list[_Piece], policy: CampaignPolicy
) -> list[tuple[int, int]]:
    """Pairs of groups that have tokens of their own in common on enough axes."""
    axis_of = {
        KINDS.index(kind): at
        for at, declared in enumerate(policy.axes)
        for kind, _ in declared.kinds
        if kind in KINDS and declared.name != "place"
    }
    carriers: dict[int, list[tuple[int, int]]] = {}
    for index, piece in enumerate(pieces):
        for token, count in piece.carried:
            carriers.setdefault(token, []).append((index, count))
    axes: dict[tuple[int, int], set[int]] = {}
    for shared, held in sorted(carriers.items()):
        axis = axis_of.get(int(evidence.token_kind[shared]))
        if axis is None or len(held) < 2:
            continue
        # Of a token that many groups carry, none has it to itself; but crumbs are no reason to
        # leave an operation in pieces. They follow when those are one.
        held = sorted(held, key=lambda group: (-group[1], group[0]))[: policy.pieces_most]
        held.sort()
        own = policy.own_share * int(evidence.token_accounts[shared])
        # All that carry it together, or two of them alone, hold nearly all of its accounts.
        together = sum(count for _, count in held) >= own
        for place, (low, in_low) in enumerate(held):
            for high, in_high in held[place + 1 :]:
                if together or in_low + in_high >= own:
                    axes.setdefault((low, high), set()).add(axis)
    return sorted(pair for pair, on in axes.items() if len(on) >= policy.axes_needed)


def admit(
    evidence: Evidence, traces: Traces, lists: Lists, links: Links, groups: list[Ints],
    policy: CampaignPolicy,
) -> list[Ints]:  # fmt: skip
    """The groups with the accounts that work off a group's list, though too few links reached them.

    A pair is weighed by itself; a group that works off one list is a better judge of who else
    does. An account is admitted whose list has as much in common with the members' as they have
    with each other (the median over a sample of them), or nearly as much where a link says the
    same.
    """
    carriers = by_token(traces, ON_LIST)
    linked = np.zeros(len(evidence.accounts), bool)
    linked[links.first] = linked[links.second] = True
    free = np.ones(len(evidence.accounts), bool)
    for members in groups:
        free[members] = False

    def fitting(members: Ints) -> Ints:
        """The accounts of no group whose lists are like the members'."""
        order = np.argsort(spread_keys(evidence.account_keys[members]), kind="stable")
        sample = sample_of(traces, members[order[: policy.admitting]])
        among = list_in_common(traces, lists, sample.accounts, sample)
        np.fill_diagonal(among, np.nan)
        typical = float(np.median(np.nanmedian(among, axis=1)))
        if typical < policy.admit_nats:
            return np.empty(0, np.int64)
        usual = sample.pieces[np.diff(sample.starts) >= policy.list_tokens]
        held = _held(carriers, usual, len(free))
        near = np.flatnonzero(free & (held >= 0.5 * np.median(held[members])))
        common = np.median(list_in_common(traces, lists, near, sample), axis=1)
        return near[common >= np.where(linked[near], policy.admit_share, 1.0) * typical]

    admitted = []
    for members, joins in zip(groups, in_threads(fitting, groups), strict=True):
        # Who fits into several groups joins the first.
        joins = joins[free[joins]]
        free[joins] = False
        admitted.append(np.sort(np.r_[members, joins]))
    return sorted(admitted, key=lambda group: int(group[0]))


@compiled
def _held(carriers: ByToken, pieces: Narrow, accounts: int) -> Narrow:
    """How many of some pieces each account carries."""
    held = np.zeros(accounts, np.int32)
    for piece in pieces:
        for place in range(carriers.starts[piece], carriers.starts[piece + 1]):
            held[carriers.account[place]] += 1
    return held
