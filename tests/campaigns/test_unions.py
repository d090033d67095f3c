"""Pieces of one operation become one group; honest neighbours stay apart."""

from __future__ import annotations

import numpy as np

from jobs.campaigns.lists import lists_of
from jobs.campaigns.traces import traces_of
from jobs.campaigns.unions import admit, join_pieces
from jobs.catalog.policy import CAMPAIGN_POLICY
from tests.campaigns.conftest import evidence_of, links_between, read, spread


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


def test_crumbs_leave_an_operation_no_less_one() -> None:
    crumbs = [f"{letter}1..{letter}4" for letter in "cdefghij"]
    everyone = " ".join(["a1..a40", "b1..b30", *crumbs])
    (group,) = joined(
        f"{everyone} | template | shard\n{everyone} | client | builtbyus",
        "a1..a40", "b1..b30", *crumbs,
    )  # fmt: skip
    assert len(group) == 40 + 30 + 8 * 4


def test_what_many_groups_of_one_size_carry_joins_none() -> None:
    groups = [f"{letter}1..{letter}9" for letter in "abcdefghijklmn"]
    everyone = " ".join(groups)
    text = f"{everyone} | template | public\n{everyone} | client | popular"
    assert len(joined(text, *groups)) == len(groups)


def admitted(text: str, *groups: str, linked: str = "") -> list[list[str]]:
    """The groups after admission; `linked` has one link with the first group's first member."""
    evidence = evidence_of(read(text))
    index = {account: at for at, account in enumerate(evidence.accounts)}
    parts = [np.array([index[a] for a in spread(group)], np.int64) for group in groups]
    ends = np.array([index[a] for a in spread(linked)] if linked else [], np.int64)
    first, second = np.minimum(ends, parts[0][0]), np.maximum(ends, parts[0][0])
    links = links_between(first, second)
    traces = traces_of(evidence, CAMPAIGN_POLICY)
    lists = lists_of(traces, CAMPAIGN_POLICY)
    found = admit(evidence, traces, lists, links, parts, CAMPAIGN_POLICY)
    return [[evidence.accounts[at] for at in group] for group in found]


def list_of(accounts: str, pieces: range) -> str:
    return "\n".join(f"{accounts} | template | piece{n}" for n in pieces)


def test_who_works_off_the_groups_list_is_admitted_without_a_link() -> None:
    text = list_of("a1..a9 b1", range(12)) + "\n" + list_of("c1", range(3))
    assert admitted(text, "a1..a9") == [spread("a1..a9 b1")]


def test_nearly_as_much_is_enough_with_a_link_and_not_without() -> None:
    # The same list, but what it does beside that makes meeting on some of it likelier.
    text = list_of("a1..a9 b1", range(12)) + "\n" + list_of("b1 c1", range(20, 28))
    assert admitted(text, "a1..a9") == [spread("a1..a9")]
    assert admitted(text, "a1..a9", linked="b1") == [spread("a1..a9 b1")]


def test_who_fits_into_two_groups_joins_the_first() -> None:
    text = list_of("a1..a9 b1..b9 c1", range(12))
    assert admitted(text, "b1..b9", "a1..a9") == [spread("a1..a9"), spread("b1..b9 c1")]


def test_a_group_with_little_in_common_admits_nobody() -> None:
    text = list_of("a1..a9 b1", range(2))
    assert admitted(text, "a1..a9", linked="b1") == [spread("a1..a9")]
