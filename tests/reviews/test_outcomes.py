"""What came of decisions: how right actions were, how long they took, what was overturned."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from jobs.platform.lake import Lake
from jobs.reviews.intervals import share_of
from jobs.reviews.outcomes import Delay, outcomes

NIGHT = dt.date(2026, 5, 10)
NEXT = dt.date(2026, 5, 11)
Fill = Callable[..., int]


def decision(name: str, verdict: str, *accounts: str, **row: object) -> dict[str, object]:
    return {
        "decision_id": name, "decided_at": dt.datetime(2026, 5, 11, int(name[1:]), tzinfo=dt.UTC),
        "decided_by": "ana", "verdict": verdict, "subject": accounts[0], "night": NIGHT,
        "subject_kind": "account", "accounts": list(accounts),
    } | row  # fmt: skip


def a_month(lake: Lake, fill: Fill, decisions: list[dict[str, object]]) -> None:
    """c-1 of a1 to a3, on review since the 8th; b1 and b2 limited, alone."""
    acted = [("a1", "review", "c-1"), ("a2", "review", "c-1"), ("a3", "review", "c-1"),
             ("b1", "limit", None), ("b2", "limit", None)]  # fmt: skip
    fill(lake, "enforcement_actions", dt.date(2026, 5, 8), [
        {"account_id": a, "action": action, "campaign_id": c, "expires": dt.date(2026, 5, 20)}
        for a, action, c in acted
    ])  # fmt: skip
    fill(lake, "campaigns", NIGHT, [{"campaign_id": "c-1", "kind": "distillation"}])
    fill(lake, "accounts", NIGHT, [
        {"account_id": a, "signup_country": "FR" if a < "b" else "DE"} for a, _, _ in acted
    ])  # fmt: skip
    fill(lake, "account_scores", NIGHT, [{"account_id": "a1"}])
    fill(lake, "account_daily", dt.date(2026, 5, 1), [{"account_id": "a2"}])
    fill(lake, "account_daily", dt.date(2026, 5, 7), [{"account_id": "a1"}, {"account_id": "b1"}])
    fill(lake, "decisions", NEXT, decisions)


CAMPAIGN = decision("d1", "distillation", "a1", "a2", "a3", subject="c-1", subject_kind="campaign",
                    action="suspend")  # fmt: skip


def test_accounts_of_one_campaign_are_one_unit(bare_lake: Lake, fill: Fill) -> None:
    a_month(bare_lake, fill, [
        CAMPAIGN, decision("d2", "benign", "b1"), decision("d3", "resale", "b2"),
    ])  # fmt: skip
    made = {(p.by, p.name): p for p in outcomes(bare_lake).precision}
    assert made["rung", "review"].right == share_of(1, 1)
    assert made["rung", "review"].accounts == 3
    assert made["rung", "limit"].right == share_of(1, 2)
    # What people took counts as theirs.
    assert made["rung", "suspend"].accounts_right == 3
    assert made["kind", "distillation"].right == share_of(1, 1)
    assert made["country", "DE"].right == share_of(1, 2)


def test_an_overturned_finding_was_wrong(bare_lake: Lake, fill: Fill) -> None:
    a_month(bare_lake, fill, [
        CAMPAIGN, decision("d2", "resale", "b2"),
        decision("d3", "appealed", "a1"), decision("d4", "appealed", "b2"),
        decision("d5", "appealed", "a2"), decision("d6", "overturned", "b2"),
        decision("d7", "upheld", "a1"),
    ])  # fmt: skip
    made = outcomes(bare_lake)
    precision = {(p.by, p.name): p for p in made.precision}
    assert precision["rung", "limit"].right == share_of(0, 1)
    every = made.overturned[0]
    assert every.of_appeals == share_of(1, 2)
    assert every.of_found == share_of(1, 4)
    assert every.waiting == 1
    by = {(o.by, o.name): o.of_found for o in made.overturned}
    assert by["country", "DE"] == share_of(1, 1)
    assert by["kind", "no campaign"] == share_of(1, 1)


def test_time_runs_from_the_first_request_of_any_account(bare_lake: Lake, fill: Fill) -> None:
    a_month(bare_lake, fill, [CAMPAIGN, decision("d2", "resale", "b1")])
    # c-1: from 1 May to 11 May; b1: from 7 May.
    assert outcomes(bare_lake).delays == [
        Delay("all", 2, 5.5, 7.0, 8.5), Delay("distillation", 1, 10.0, 10.0, 10.0),
        Delay("resale", 1, 4.0, 4.0, 4.0),
    ]  # fmt: skip


@pytest.mark.parametrize("verdict", [None, "rejected"])
def test_what_a_second_person_did_not_approve_does_not_count(
    bare_lake: Lake, fill: Fill, verdict: str | None
) -> None:
    rows = [CAMPAIGN | {"needs_approval": True}]
    if verdict:
        rows.append(decision("d2", verdict, "a1", subject="c-1", answers="d1"))
    a_month(bare_lake, fill, rows)
    assert outcomes(bare_lake).precision == []


def test_an_approved_one_does(bare_lake: Lake, fill: Fill) -> None:
    a_month(bare_lake, fill, [CAMPAIGN | {"needs_approval": True},
                              decision("d2", "approved", "a1", answers="d1")])  # fmt: skip
    assert outcomes(bare_lake).delays[0].units == 1


def test_without_decisions_nothing_is_claimed(bare_lake: Lake, fill: Fill) -> None:
    a_month(bare_lake, fill, [])
    made = outcomes(bare_lake)
    assert (made.decisions, made.precision, made.overturned) == (0, [], [])


def test_an_interval_is_wide_where_cases_are_few() -> None:
    # Wilson (1927), for 1 of 1 and 0 of 4: z²/(n + z²).
    z = 1.959963985**2
    assert share_of(1, 1).low == pytest.approx(1 / (1 + z))
    assert share_of(0, 4).high == pytest.approx(z / (4 + z))
    assert share_of(0, 0).share is None


def test_a_later_finding_keeps_nothing_of_the_one_before(bare_lake: Lake, fill: Fill) -> None:
    a_month(bare_lake, fill, [
        decision("d1", "distillation", "b1", action="suspend"), decision("d2", "benign", "b1"),
    ])  # fmt: skip
    made = {(p.by, p.name): p for p in outcomes(bare_lake).precision}
    # Its last word took no action; the first one's is not the last one's.
    assert ("rung", "suspend") not in made
    assert made["rung", "limit"].right == share_of(0, 1)


def test_what_two_decided_counts_from_the_approval_on(bare_lake: Lake, fill: Fill) -> None:
    a_month(bare_lake, fill, [decision("d1", "resale", "b1", needs_approval=True)])
    fill(bare_lake, "account_scores", dt.date(2026, 5, 14), [{"account_id": "a1"}])
    fill(bare_lake, "decisions", dt.date(2026, 5, 15), [
        decision("d2", "approved", "b1", answers="d1")
        | {"decided_at": dt.datetime(2026, 5, 15, tzinfo=dt.UTC)}])  # fmt: skip
    # From its first request on 7 May to 15 May.
    assert outcomes(bare_lake).delays[0] == Delay("all", 1, 8.0, 8.0, 8.0)
    late = outcomes(bare_lake, dt.date(2026, 5, 15))
    assert late.delays[0].units == 1


def test_a_second_appeal_waits_though_the_first_was_answered(bare_lake: Lake, fill: Fill) -> None:
    a_month(bare_lake, fill, [
        decision("d1", "resale", "b1"), decision("d2", "appealed", "b1"),
        decision("d3", "upheld", "b1"), decision("d4", "appealed", "b1"),
    ])  # fmt: skip
    every = outcomes(bare_lake).overturned[0]
    assert (every.of_appeals, every.waiting) == (share_of(0, 1), 1)


def test_what_was_overturned_stays_so_though_it_was_found_again(
    bare_lake: Lake, fill: Fill
) -> None:
    a_month(bare_lake, fill, [
        decision("d1", "resale", "b1"), decision("d2", "appealed", "b1"),
        decision("d3", "overturned", "b1"), decision("d4", "resale", "b1"),
        decision("d5", "distillation", "b2"), decision("d6", "appealed", "b1"),
    ])  # fmt: skip
    made = outcomes(bare_lake)
    every = made.overturned[0]
    assert (every.of_appeals, every.of_found) == (share_of(1, 1), share_of(1, 2))
    assert every.waiting == 1
    # How right actions were is told by the last word on each.
    precision = {(p.by, p.name): p for p in made.precision}
    assert precision["rung", "limit"].right == share_of(2, 2)


def test_an_account_overturned_twice_is_one_account(bare_lake: Lake, fill: Fill) -> None:
    a_month(bare_lake, fill, [
        decision("d1", "resale", "b1"), decision("d2", "appealed", "b1"),
        decision("d3", "overturned", "b1"), decision("d4", "resale", "b1"),
        decision("d5", "appealed", "b1"), decision("d6", "overturned", "b1"),
    ])  # fmt: skip
    every = outcomes(bare_lake).overturned[0]
    assert (every.of_appeals, every.of_found) == (share_of(2, 2), share_of(1, 1))


@pytest.mark.parametrize("named", [["c-1"], []])
def test_an_account_decided_on_alone_is_of_its_campaigns_kind(
    bare_lake: Lake, fill: Fill, named: list[str]
) -> None:
    a_month(bare_lake, fill, [
        decision("d1", "resale", "a1", campaigns=named), decision("d2", "resale", "b1"),
    ])  # fmt: skip
    if not named:
        fill(bare_lake, "campaign_members", NIGHT, [{"account_id": "a1", "campaign_id": "c-1"}])
    made = outcomes(bare_lake)
    kinds = {p.name: p.accounts for p in made.precision if p.by == "kind"}
    assert kinds == {"distillation": 1, "no campaign": 1}
    assert {o.name for o in made.overturned if o.by == "kind"} == set(kinds)
