"""What waits for a person: rows by hand, and claims at the desk."""

from __future__ import annotations

import datetime as dt

import pytest

from jobs import cases, verdicts
from jobs.cases import CaseError

NIGHT = dt.date(2026, 5, 20)
NEXT = dt.date(2026, 5, 21)


@pytest.fixture
def night(bare_lake, fill):
    """Writes a night's actions and runs the step: subject -> case."""

    def call(*actions, date=NIGHT, requests=10):
        rows = [
            {"account_id": account, "campaign_id": campaign, "action": action,
             "proposed": proposed, "evidence": ["time", "content"],
             "reasons": [f"reason of {account}"]}
            for account, campaign, action, proposed in actions
        ]  # fmt: skip
        fill(bare_lake, "enforcement_actions", date, rows)
        names = {row["account_id"] for row in rows}
        fill(bare_lake, "account_scores", date, [
            {"account_id": name, "distillation_score": 0.9, "resale_score": 0.2} for name in names
        ])  # fmt: skip
        fill(bare_lake, "account_daily", date,
             [{"account_id": name, "requests": requests} for name in names])  # fmt: skip
        fill(bare_lake, "campaigns", date, [
            {"campaign_id": name, "kind": "distillation", "score": 0.99, "resale_score": 0.1,
             "summary": f"what {name} is", "accounts": 2}
            for name in {row["campaign_id"] for row in rows if row["campaign_id"]}
        ])  # fmt: skip
        fill(bare_lake, "campaign_members", date, [
            {"campaign_id": row["campaign_id"], "account_id": row["account_id"]}
            for row in rows if row["campaign_id"]
        ])  # fmt: skip
        fill(bare_lake, "policies", date, [{"version": "p", "text": ""}])
        cases.run(bare_lake, date)
        return {row["subject"]: row for row in bare_lake.rows("cases", date, date).to_pylist()}

    return call


OPERATION = [(f"a{n}", "c-1", "review", "suspend" if n else None) for n in range(3)]


def test_an_operation_is_one_case_and_who_is_only_limited_is_none(night):
    found = night(*OPERATION, ("alone", None, "review", None), ("slow", "c-1", "limit", None),
                  ("seen", None, "watch", None))  # fmt: skip
    assert set(found) == {"c-1", "alone"}
    case = found["c-1"]
    assert (case["accounts"], case["requests_at_stake"], case["proposed"]) == (3, 30, "suspend")
    assert (case["kind"], case["score"], case["summary"]) == ("distillation", 0.99, "what c-1 is")
    assert (case["state"], case["opened"], case["evidence"]) == ("new", NIGHT, ["content", "time"])
    alone = found["alone"]
    assert (alone["subject_kind"], alone["kind"], alone["score"]) == ("account", None, 0.9)
    assert (alone["summary"], alone["proposed"]) == ("reason of alone", "review")


def test_a_case_that_goes_on_waiting_keeps_its_first_night(night):
    night(*OPERATION, ("alone", None, "review", None))
    more = [*OPERATION, ("a9", "c-1", "review", None), ("alone", None, "review", None)]
    found = night(*more, date=NEXT)
    assert (found["c-1"]["state"], found["c-1"]["opened"]) == ("grown", NIGHT)
    assert (found["alone"]["state"], found["alone"]["opened"]) == ("open", NIGHT)
    assert night(*more, date=NEXT) == found  # run again


def test_a_night_with_nothing_to_look_at_has_no_cases(night, bare_lake):
    night(*OPERATION)
    assert night(("slow", "c-1", "limit", None), date=NEXT) == {}
    assert cases.waiting(bare_lake) == []


def test_a_night_that_fails_leaves_the_cases_of_the_night_before(night, bare_lake, fill):
    night(*OPERATION)
    fill(bare_lake, "account_scores", NEXT, [{"account_id": "a0"}])  # stopped before deciding
    assert [case["subject"] for case in cases.waiting(bare_lake)] == ["c-1"]
    verdicts.record(bare_lake, verdict="benign", subject="c-1", by="ana", reason="a class")
    assert cases.waiting(bare_lake) == []


def test_who_was_decided_on_waits_no_more_but_for_newcomers_and_new_evidence(night, bare_lake):
    night(*OPERATION, ("alone", None, "review", None))
    say = {"by": "ana", "reason": "seen"}
    verdicts.record(bare_lake, verdict="distillation", subject="c-1", **say)
    verdicts.record(bare_lake, verdict="benign", subject="alone", **say)
    assert cases.waiting(bare_lake) == []
    found = night(*OPERATION, ("a9", "c-1", "review", None), ("alone", None, "review", None),
                  date=NEXT)  # fmt: skip
    assert (found["c-1"]["accounts"], found["c-1"]["state"]) == (1, "open")
    assert "alone" in found  # cleared, and here again: `decide` saw something new
    after = NIGHT + dt.timedelta(days=91)
    assert night(*OPERATION, date=after)["c-1"]["accounts"] == 3  # nobody looked for long


def test_a_decision_on_some_members_leaves_the_rest_waiting(night, bare_lake):
    night(*OPERATION)
    verdicts.record(bare_lake, verdict="benign", subject="c-1", by="ana", reason="a school",
                    accounts=["a0"])  # fmt: skip
    assert [case["subject"] for case in cases.waiting(bare_lake)] == ["c-1"]
    assert night(*OPERATION[1:], date=NEXT)["c-1"]["accounts"] == 2


def test_a_decision_on_members_who_do_not_wait_leaves_the_case(night, bare_lake):
    night(*OPERATION, ("slow", "c-1", "limit", None), ("mild", "c-1", "watch", None),
          ("calm", "c-1", "limit", None))  # fmt: skip
    say = {"verdict": "benign", "by": "ana", "reason": "a school"}
    verdicts.record(bare_lake, subject="c-1", accounts=["slow", "mild", "calm"], **say)
    assert [case["subject"] for case in cases.waiting(bare_lake)] == ["c-1"]
    for name in ("a0", "a1", "a2"):  # one by one
        verdicts.record(bare_lake, subject=name, **say)
    assert cases.waiting(bare_lake) == []


def test_a_rejected_decision_puts_the_case_back(night, bare_lake, fill):
    night(*OPERATION)
    fill(bare_lake, "accounts", NIGHT, [{"account_id": "a1", "verified_organization": True}])
    asked = verdicts.record(bare_lake, verdict="distillation", subject="c-1", by="ana",
                            reason="seen", action="suspend")  # fmt: skip
    assert cases.waiting(bare_lake) == []  # waits for a second person
    verdicts.record(bare_lake, verdict="rejected", subject="c-1", by="ben", reason="a class",
                    answers=asked["decision_id"])  # fmt: skip
    assert [case["subject"] for case in cases.waiting(bare_lake)] == ["c-1"]


def test_a_case_says_of_how_many_members_its_accounts_are(night, bare_lake, fill):
    night(*OPERATION, ("slow", "c-1", "limit", None), ("alone", None, "review", None))
    fill(bare_lake, "campaigns", NIGHT, [{"campaign_id": "c-1", "accounts": 7}])
    found = {case["subject"]: case for case in cases.waiting(bare_lake)}
    assert (found["c-1"]["accounts"], found["c-1"]["members"]) == (3, 7)
    assert (found["alone"]["accounts"], found["alone"]["members"]) == (1, None)


def test_the_most_at_stake_comes_first(night, bare_lake):
    night(("alone", None, "review", None), *OPERATION)
    assert [case["subject"] for case in cases.waiting(bare_lake)] == ["c-1", "alone"]


def test_a_case_is_claimed_by_one_and_given_back(night, bare_lake):
    night(*OPERATION)
    cases.claim(bare_lake, "c-1", "ana")
    with pytest.raises(CaseError, match="ana works on c-1 since"):
        cases.claim(bare_lake, "c-1", "ben")
    with pytest.raises(CaseError, match="not yours to give back: ana has it"):
        cases.release(bare_lake, "c-1", "ben")
    (case,) = cases.waiting(bare_lake)
    assert case["claimed_by"] == "ana"
    cases.release(bare_lake, "c-1", "ana")
    cases.second_look(bare_lake, "c-1", "ana", "is it\u202e a class?")
    (case,) = cases.waiting(bare_lake)
    assert (case["claimed_by"], case["second_look"]) == (None, "ana: is it a class?")
    cases.claim(bare_lake, "c-1", "ben")
    with pytest.raises(CaseError, match="no case 'c-9' waits"):
        cases.claim(bare_lake, "c-9", "ben")
