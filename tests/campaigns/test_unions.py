"""Pieces of one operation become one group; honest neighbours stay apart."""

from __future__ import annotations

import numpy as np

from jobs.campaigns.unions import join_pieces
from jobs.catalog.policy import CAMPAIGN_POLICY
from tests.campaigns.conftest import evidence_of, read, spread


def joined(text: str, *groups: str) -> list[list[str]]:
    evidence = evidence_of(read(text))
    index = {account: at for at, account in enumerate(evidence.accounts)}
    parts = [np.array([index[a] for a in spread(group)], np.int64) for group in groups]
    return [
        [evidence.accounts[at] for at in group]
        for group in join_pieces(evidence, parts, CAMPAIGN_POLICY)
    ]


def test_pieces_with_tokens_of_their_own_on_two_axes_are_one() -> None:
    assert joined("""
        a1..a9 b1..b9 | template | shard     # one work list and one program in both pieces,
        a1..a9 b1..b9 | client   | builtbyus # which nobody else has
    """, "a1..a9", "b1..b9") == [spread("a1..a9") + spread("b1..b9")]  # fmt: skip


def test_one_axis_is_not_enough() -> None:
    assert len(joined("a1..a9 b1..b9 | template | shard", "a1..a9", "b1..b9")) == 2


def test_what_others_carry_too_joins_nobody() -> None:
    assert len(joined("""
        a1..a9 b1..b9 c1..c9 | template | greeting  # a third of its carriers are elsewhere
        a1..a9 b1..b9 c1..c9 | client   | popular
    """, "a1..a9", "b1..b9")) == 2  # fmt: skip


def test_two_operations_behind_one_rented_proxy_are_two() -> None:
    assert len(joined("""
        a1..a9 b1..b9 | address  | exit         # the same proxy service,
        a1..a9 b1..b9 | network  | exit
        a1..a9 b1..b9 | template | instruction  # and a preamble that is public
    """, "a1..a9", "b1..b9")) == 2  # fmt: skip


def test_three_pieces_of_one_roster_are_one() -> None:
    everyone = "a1..a9 b1..b9 c1..c9"
    (group,) = joined(
        f"{everyone} | template | shard\n{everyone} | client | builtbyus",
        "a1..a9", "b1..b9", "c1..c9",
    )  # fmt: skip
    assert group == spread(everyone)
