"""Which pairs are linked: by rare evidence of two causes, not by what one cause explains."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from jobs.campaigns.comparing import compare
from jobs.campaigns.links import rules_of
from jobs.campaigns.lists import lists_of
from jobs.campaigns.pairs import Pairs, propose
from jobs.campaigns.traces import traces_of
from jobs.catalog.policy import CAMPAIGN_POLICY
from tests.campaigns.conftest import evidence_of, links_of, read, spread

Linked = Callable[[str], set[tuple[str, str]]]


@pytest.mark.parametrize(("text", "why"), [
    ("a1..a3 | payment | card\n a1..a3 | phone | mother",
     "a family pays with one card and gives one number"),
    ("a1..a60 | address | gateway\n a1..a60 | network | gateway",
     "a carrier's gateway gives many customers one address and network"),
    ("a1..a40 | client | build\n a1..a40 | settings | defaults\n a1..a40 | system_prompt | tool",
     "an open-source tool brings build, settings and system prompt"),
    ("a1..a9 | signup_hour | noon\n a1..a9 | email_domain | edu",
     "a class signs up in one lesson"),
    ("a1..a60 | address | gateway\n a1..a60 | signup_network | gateway",
     "a carrier's customers sign up through its gateway too"),
    ("a1..a9 | template | greeting\n a1..a9 | template_end | thanks\n a1..a9 | shingle | please",
     "a phrase that went round"),
])  # fmt: skip
def test_what_one_cause_explains_links_nobody(linked: Linked, text: str, why: str) -> None:
    assert linked(text) == set(), why


def test_payment_and_templates_link_all_pairs_of_a_small_group(linked: Linked) -> None:
    group = spread("a1..a6")
    pairs = linked("""
        a1..a6 | payment  | card      # two causes that have nothing to do with each other:
        a1..a6 | template | shard     # who pays, and what is asked
        b1 b2  | payment  | another   # a couple shares a card only
        b1 a1  | template | chance    # and one of them a phrase with a member
    """)
    assert pairs == set(combinations(group, 2))


def test_a_token_of_very_many_accounts_says_nothing(linked: Linked) -> None:
    everywhere = "a1..a90 b1..b90 c1..c90"
    assert (
        linked(f"""
        {everywhere} | address  | gateway   # over its cap: proposes no pairs
        {everywhere} | template | greeting  # and everybody says hello
    """)
        == set()
    )


def test_a_hub_is_weighed_at_its_rarity_where_something_else_proposes() -> None:
    evidence = evidence_of(read("a1..a99 | template | greeting\n a1 a2 | payment | card"))
    traces = traces_of(evidence, CAMPAIGN_POLICY)
    rules = rules_of(CAMPAIGN_POLICY, len(evidence.accounts))
    # One pair alone: the first account with the second.
    starts = np.ones(len(evidence.accounts) + 1, np.int64)
    starts[0] = 0
    pairs = Pairs(starts, np.array([1], np.int32))
    lists = lists_of(traces, CAMPAIGN_POLICY)
    found = compare(traces, lists, rules, pairs, 0, len(evidence.accounts))
    assert (found.first.tolist(), found.second.tolist()) == ([0], [1])
    # 499 accounts with one template each, 99 with this one: ln(499 / 99) = 1.62 nats.
    assert found.axes[0, rules.work] == pytest.approx(np.log(499 / 99))


def test_proposals_grow_with_accounts_and_not_with_pairs() -> None:
    evidence = evidence_of(read("a1..a99 | payment | card"))
    pairs = propose(evidence, traces_of(evidence, CAMPAIGN_POLICY), CAMPAIGN_POLICY)
    assert len(pairs.partner) == 99 * CAMPAIGN_POLICY.ring  # of 4,851 pairs


def test_two_causes_that_meet_by_chance_link_nobody(linked: Linked) -> None:
    assert (
        linked("""
        a1..a50        | address  | gateway  # a carrier's customers,
        a1..a3 b1..b60 | client   | popular  # of whom three have the client that many have
        a1..a3 b1..b60 | settings | popular
    """)
        == set()
    )


def test_an_account_of_very_many_tokens_shares_one_by_chance(linked: Linked) -> None:
    rows = [f"a1 | address | exit{i}" for i in range(200)]
    rows += ["a2 | address | exit7", "a1 a2 | template | phrase"]
    assert linked("\n".join(rows)) == set()


def test_links_do_not_depend_on_the_order_of_rows() -> None:
    text = "a1..a30 | payment | card\n a1..a30 | template | shard"
    lines = text.splitlines()
    one = links_of(evidence_of(read(text)))
    other = links_of(evidence_of(read("\n".join(reversed(lines)))))
    assert (one.first == other.first).all() and (one.second == other.second).all()
    assert (one.weight == other.weight).all()


def work_list(accounts: str, pieces: int, own: int) -> str:
    """Accounts that send the same rare pieces of work, each a small part of what it sends."""
    rows = [f"{accounts} | template | piece{n}" for n in range(pieces)]
    rows += [f"{name} | template | {name}-{n}" for name in spread(accounts) for n in range(own)]
    return "\n".join(rows)


def test_one_list_of_work_links_accounts_that_share_nothing_else(linked: Linked) -> None:
    # Each piece is a fortieth of what an account sends, and no single one would tell.
    assert linked(work_list("a1..a6", pieces=12, own=468)) == set(combinations(spread("a1..a6"), 2))


def test_two_phrases_are_no_list(linked: Linked) -> None:
    assert linked(work_list("a1..a6", pieces=2, own=478)) == set()


def test_what_two_busy_accounts_share_by_chance_is_no_list(linked: Linked) -> None:
    # A hundred phrases in everybody's use, of which each account has a random half.
    rng = np.random.default_rng(5)
    rows = [
        f"{name} | template | phrase{n}"
        for name in spread("a1..a40")
        for n in rng.choice(100, 50, replace=False)
    ]
    # And as much again of its own, or they would be a closed circle.
    rows += [f"{name} | template | {name}-{n}" for name in spread("a1..a40") for n in range(60)]
    assert linked("\n".join(rows)) == set()


def shared_out(accounts: str, items: int, copies: int, own: int) -> str:
    """Items that are sent a few times each, by any of the accounts, beside what is its own."""
    rng = np.random.default_rng(3)
    names = spread(accounts)
    rows = [
        f"{name} | template | item{n}"
        for n in range(items)
        for name in rng.choice(names, copies, replace=False)
    ]
    rows += [f"{name} | template | {name}-{n}" for name in names for n in range(own)]
    return "\n".join(rows)


def test_a_closed_circle_is_linked_where_no_pair_has_much_in_common(linked: Linked) -> None:
    # 600 items thrice over by 40 accounts: 45 each, of which two of them share about one.
    pairs = linked(shared_out("a1..a40", items=600, copies=3, own=0))
    assert {name for pair in pairs for name in pair} == set(spread("a1..a40"))


def test_accounts_with_work_of_their_own_are_no_closed_circle(linked: Linked) -> None:
    assert linked(shared_out("a1..a40", items=600, copies=3, own=60)) == set()


def test_what_outsiders_send_too_is_no_closed_circle(linked: Linked) -> None:
    # Each item also goes to two of a hundred others, who send much else.
    others = shared_out("b1..b99", items=600, copies=4, own=99)
    assert linked(shared_out("a1..a40", items=600, copies=3, own=0) + "\n" + others) == set()


def test_a_roster_larger_than_the_cap_of_addresses_still_proposes_pairs(linked: Linked) -> None:
    # 48 accounts of 448 on one machine, and one list of work: more than a cap made for homes.
    text = "a1..a48 | address | machine\n" + work_list("a1..a48", pieces=3, own=10)
    assert len({name for pair in linked(text) for name in pair}) == 48
