"""What people lifted stays lifted in every output, also of accounts that send nothing any more, and
while a night stands still between its steps."""

from __future__ import annotations

import datetime as dt

import pytest

from jobs import decide, verdicts

FIRST = dt.date(2026, 5, 20)
ME = "acct-me"
QUIET = [{"account_id": f"q{n}", "distillation_score": 0.0} for n in range(1_000)]
MINE = {"account_id": ME, "distillation_score": 0.98, "campaign_id": "c-1",
        "evidence": ["content", "infrastructure"], "reasons": ["one work list"]}  # fmt: skip


def nth(n):
    return FIRST + dt.timedelta(days=n)


@pytest.fixture
def scored(lake, fill):
    """Scores of the nth night, with this account's or without."""

    def call(n, here=True):
        date = nth(n)
        fill(lake, "account_scores", date, [*QUIET, *([MINE] if here else [])])
        fill(lake, "campaigns", date,
             [{"campaign_id": "c-1", "kind": "distillation", "score": 0.99}])  # fmt: skip
        fill(lake, "accounts", date, [{"account_id": ME, "status": "active"}])

    return call


@pytest.fixture
def suspended(lake, scored):
    """Suspended by a person; since then it sends nothing, so no night scores it."""
    scored(0)
    decide.run(lake, nth(0))
    verdicts.record(lake, verdict="distillation", subject=ME, by="ana", reason="one work list",
                    action="suspend")  # fmt: skip
    for n in (1, 2):
        scored(n, here=False)
        decide.run(lake, nth(n))
    assert in_force(lake) == {ME: "suspend"}
    return lake


def in_force(lake):
    found = verdicts.actions_in_force(lake).to_pylist()
    return {r["account_id"]: r["action"] for r in found if r["action"] != "watch"}


def test_an_appeal_that_is_won_while_the_account_is_silent_stays_won(suspended, scored):
    verdicts.record(suspended, verdict="overturned", subject=ME, by="ben", reason="a school")
    assert in_force(suspended) == {}
    scored(3, here=False)
    decide.run(suspended, nth(3))
    # A reader of the table alone finds the row that ends it.
    (row,) = suspended.rows("enforcement_actions", nth(3), nth(3)).to_pylist()
    assert (row["account_id"], row["action"], row["expires"]) == (ME, "watch", nth(3))
    assert row["reasons"] == ["Lifted: people looked and found nothing wrong. Until now: suspend."]
    for n in (4, 5):
        scored(n, here=False)
        decide.run(suspended, nth(n))
        assert in_force(suspended) == {}, n


def test_a_label_that_landed_lifts_what_holds_on_a_silent_account(lake, scored, fill):
    scored(0)
    decide.run(lake, nth(0))
    assert in_force(lake) == {ME: "review"}
    fill(lake, "labels", nth(1), [
        {"account_id": ME, "label": "benign", "source": "appeal_upheld", "confidence": 1.0,
         "labelled_at": dt.datetime(2026, 5, 21, 9, tzinfo=dt.UTC)}
    ])  # fmt: skip
    scored(1, here=False)
    decide.run(lake, nth(1))
    assert in_force(lake) == {}


def test_what_was_lifted_stays_lifted_on_a_night_that_stops_between_scores_and_decide(
    suspended, scored
):
    verdicts.record(suspended, verdict="overturned", subject=ME, by="ben", reason="a school")
    scored(3, here=False)
    assert in_force(suspended) == {}


def test_what_was_ordered_is_in_force_on_a_night_that_stops_between_scores_and_decide(lake, scored):
    scored(0)
    decide.run(lake, nth(0))
    verdicts.record(lake, verdict="distillation", subject=ME, by="ana", reason="one work list",
                    action="suspend")  # fmt: skip
    scored(1)
    assert in_force(lake) == {ME: "suspend"}
