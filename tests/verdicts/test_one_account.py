"""One account followed from its first action through a person's decision, an appeal that is upheld,
and the nights after it: what each output says of it."""

from __future__ import annotations

import datetime as dt

import pytest

from jobs import cases, decide, verdicts
from jobs.campaigns.scoring import last_said

FIRST = dt.date(2026, 5, 20)
ME, OTHER = "acct-me", "acct-other"
TWO = ["content", "infrastructure"]
#: Honest accounts: without them no score would be safe to act on.
QUIET = [{"account_id": f"q{n}", "distillation_score": 0.0} for n in range(1_000)]


def nth(n):
    return FIRST + dt.timedelta(days=n)


@pytest.fixture
def run(lake, fill):
    """Runs decide and cases of the nth night, both accounts in one campaign: this account's row."""

    def call(n, score=0.98, evidence=TWO, campaign="c-1"):
        date = nth(n)
        both = (ME, OTHER)
        fill(lake, "account_scores", date, [*QUIET, *(
            {"account_id": name, "distillation_score": score, "campaign_id": campaign,
             "evidence": evidence, "reasons": ["one work list"]} for name in both
        )])  # fmt: skip
        fill(lake, "campaigns", date, [
            {"campaign_id": campaign, "kind": "distillation", "score": 0.99, "accounts": 2}
        ])  # fmt: skip
        fill(lake, "campaign_members", date,
             [{"campaign_id": campaign, "account_id": name} for name in both])  # fmt: skip
        fill(lake, "account_daily", date, [{"account_id": name, "requests": 5} for name in both])
        fill(lake, "accounts", date, [{"account_id": name, "status": "active"} for name in both])
        decide.run(lake, date)
        cases.run(lake, date)
        rows = lake.rows("enforcement_actions", date, date).to_pylist()
        return {row["account_id"]: row for row in rows}

    return call


def in_force(lake):
    return {r["account_id"]: r["action"] for r in verdicts.actions_in_force(lake).to_pylist()}


def waiting(lake):
    return {case["subject"]: case["accounts"] for case in cases.waiting(lake)}


def test_one_account_through_all_of_it(lake, run):
    # A score alone suspends nobody: a person looks.
    row = run(0)[ME]
    assert (row["action"], row["proposed"], row["mode"]) == ("review", "suspend", "observe")
    assert waiting(lake) == {"c-1": 2}
    (policy,) = lake.rows("policies", nth(0), nth(0)).to_pylist()
    assert policy["version"] == row["policy_version"] and "[[rungs]]" in policy["text"]

    # The person suspends the operation; it counts at once, and on the next night.
    made = verdicts.record(lake, verdict="distillation", subject="c-1", by="ana",
                           reason="one list of prompts", action="suspend")  # fmt: skip
    assert in_force(lake) == {ME: "suspend", OTHER: "suspend"} and waiting(lake) == {}
    row = run(1)[ME]
    assert (row["action"], row["decision_id"]) == ("suspend", made["decision_id"])
    assert row["reasons"][1:] == ["one work list"] and row["evidence"] == [*TWO, "label"]
    assert waiting(lake) == {}
    assert last_said(lake, nth(1))[ME] == ("distillation", 0.9)
    assert ME not in last_said(lake, nth(0))  # not yet known then

    # It appeals, and is right: lifted in every output at once.
    verdicts.record(lake, verdict="appealed", subject=ME, by="support", reason="we are a school")
    assert in_force(lake)[ME] == "suspend"
    verdicts.record(lake, verdict="overturned", subject=ME, by="ben", reason="they are",
                    answers=made["decision_id"])  # fmt: skip
    assert in_force(lake) == {OTHER: "suspend"}
    found = run(2)
    assert found[OTHER]["action"] == "suspend"
    # Watched, as nothing but the same evidence speaks against it; that row ends the suspension.
    assert (found[ME]["action"], found[ME]["proposed"]) == ("watch", None)
    assert last_said(lake, nth(2))[ME] == ("benign", 1.0)
    labels = {r["account_id"]: r for r in verdicts.labels_known(lake, nth(2)).to_pylist()}
    assert labels[ME]["source"] == "appeal_upheld"

    # Never again on the same evidence; what is new, a person looks at.
    assert run(3, score=0.999)[ME]["action"] == "watch"
    assert waiting(lake) == {}
    again = run(4, evidence=[*TWO, "identity", "time"])[ME]
    assert (again["action"], again["evidence"]) == ("review", ["identity", "time"])
    assert waiting(lake) == {"c-1": 1}
    # Nothing speaks against it any more: the review is ended by a row.
    assert {name: row["action"] for name, row in run(5, score=0.1).items()} == {
        OTHER: "suspend", ME: "watch",
    }  # fmt: skip
    assert in_force(lake) == {OTHER: "suspend", ME: "watch"}


def test_a_night_that_is_run_again_does_not_know_what_was_decided_after_it(lake, run):
    before = run(0)
    verdicts.record(lake, verdict="benign", subject=ME, by="ana", reason="a school")
    assert run(0) == before
    assert run(1)[ME]["action"] == "watch"
