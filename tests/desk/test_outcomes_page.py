"""What came of decisions, as the page says it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.conftest import NIGHT
from tests.desk.test_reading_pages import text

NEXT = NIGHT + dt.timedelta(days=1)


@pytest.fixture
def judged(worked: Any, fill: Any) -> Any:
    """Under review: a1 to a3 as c1, found guilty; a9, found guilty and overturned. Reviewed again:
    a9 by ben, otherwise than ana; c1 by ana, as ben."""
    fill(worked, "account_daily", NIGHT - dt.timedelta(days=4), [
        {"account_id": a, "requests": 1} for a in ("a1", "a9")])  # fmt: skip
    fill(worked, "accounts", NIGHT, [
        {"account_id": a, "signup_country": "NO"} for a in ("a1", "a2", "a3", "a9")])  # fmt: skip
    said = {"night": NIGHT, "subject_kind": "account", "accounts": ["a9"], "subject": "a9",
            "decided_by": "ana"}  # fmt: skip
    first = dt.datetime.combine(NIGHT, dt.time(9), dt.UTC)
    fill(worked, "decisions", NEXT, [
        {**said, "decision_id": "d-1", "verdict": "resale", "decided_at": first},
        {**said, "decision_id": "d-2", "verdict": "overturned", "answers": "d-1",
         "decided_at": first + dt.timedelta(hours=1)},
        {**said, "decision_id": "d-3", "verdict": "distillation", "subject": "c1",
         "subject_kind": "campaign", "accounts": ["a1", "a2", "a3"], "decided_by": "ben",
         "decided_at": first},
    ])  # fmt: skip
    from jobs.reviews.reviewers import _decided, _review_id

    decided = {c.subject: c for c in _decided(worked.rows("decisions").to_pylist())}
    reviews = []
    for subject, reviewer, verdict in (("a9", "ben", "benign"), ("c1", "ana", "distillation")):
        row = {"review_id": _review_id(decided[subject], reviewer), "reviewer": reviewer,
               "subject": subject, "subject_kind": "account" if subject == "a9" else "campaign",
               "night": NIGHT}  # fmt: skip
        reviews += [{**row, "event": "drawn"},
                    {**row, "event": "answered", "verdict": verdict, "at": first}]  # fmt: skip
    fill(worked, "blind_reviews", NEXT, reviews)
    return worked


def test_shares_stand_with_their_intervals(judged, as_role) -> None:
    said = text(as_role("read").get("/outcomes"))
    assert "3 decisions count" in said
    # Two units under review, one of them guilty: Wilson's interval of one in two.
    assert "review 1 of 2 = 50 % (9 to 91) 3 of 4" in said
    assert "country NO 1 of 2 = 50 % (9 to 91) 3 of 4" in said
    assert "kind distillation 1 of 1 = 100 % (21 to 100) 3 of 3" in said
    # From the first request, four nights before the last, to the night after it.
    assert "all 2 5 5 5" in said
    # One answered appeal; one account of the four that were found guilty.
    assert "all all 1 of 1 = 100 % (21 to 100) 1 of 4 = 25 % (5 to 70)" in said


def test_who_approves_sees_names_and_others_their_own(judged, as_role) -> None:
    lead = text(as_role("approve").get("/outcomes"))
    assert "Drawn on these nights 2, answered 2" in lead
    assert "Same verdict as the first reviewer: 1 of 2 = 50 %" in lead
    assert "ben account 0 of 1 = 0 %" in lead or "ben no campaign 0 of 1" in lead
    assert "ana distillation 1 of 1 = 100 %" in lead and "ana and ben 1 of 2" in lead
    page = as_role("decide", "ana").get("/outcomes")
    own = text(page)
    assert "ana distillation 1 of 1 = 100 %" in own
    assert "ben" not in own and "Same verdict as the first reviewer" not in own
    assert "No second review of these nights" in text(as_role("read").get("/outcomes"))


def test_nights_are_asked_for(judged, as_role) -> None:
    browser = as_role("read")
    assert "0 decisions count" in text(browser.get(f"/outcomes?from=2026-01-01&to={NIGHT}"))
    assert "3 decisions count" in text(browser.get(f"/outcomes?from={NEXT}&to={NEXT}"))
    assert browser.get("/outcomes?from=<b>").status_code == 400
    assert browser.get(f"/outcomes?from={NEXT}&to={NIGHT}").status_code == 400
    assert browser.get("/outcomes?to=0001-01-01").status_code == 200
    assert browser.get("/outcomes?from=0001-01-01&to=9999-12-31").status_code == 200
