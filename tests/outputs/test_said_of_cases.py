"""What other systems are told of cases: by whom, how sure, and whether anything is decided."""

from __future__ import annotations

import json

import pytest

from jobs import verdicts
from jobs.outputs import events, ocsf, slack
from jobs.outputs.nights import load_night
from jobs.platform.storage import Place, place_of

RESALE = {"campaign_id": "c1", "kind": "resale", "score": 0.02, "resale_score": 0.97}
REVIEWED = [
    {"account_id": a, "action": "review", "campaign_id": "c1", "evidence": ["content"]}
    for a in ("a1", "a2")
]


@pytest.fixture
def incident(tmp_path):
    """The Incident Finding of c1, as the night of the lake is written now."""

    def read(lake):
        file = ocsf.write(Place(place_of("folder", str(tmp_path))), "f", lake, load_night(lake))
        lines = (tmp_path / file.path).read_text().splitlines()
        return next(e for e in map(json.loads, lines) if e["class_uid"] == 2005)

    return read


def test_a_reseller_is_told_by_the_score_that_it_resells(decided, incident, night):
    lake = decided(actions=REVIEWED, campaigns=[RESALE])
    assert incident(lake)["confidence_score"] == 97
    told = load_night(lake)
    changes = lake.rows("campaign_events", night, night)
    (event,) = events.campaign_events(told, changes)
    assert (event["score"], event["resale_score"]) == (0.02, 0.97)
    assert "resale, resale score 0.97, " in json.dumps(slack.payload(told, changes))


def test_a_finding_names_the_families_of_all_its_accounts(decided, tmp_path):
    many = [
        {"account_id": f"a{n:03d}", "action": "review", "campaign_id": "c1",
         "evidence": ["time"] if n == 199 else ["content"]}
        for n in range(200)
    ]  # fmt: skip
    lake = decided(actions=many, campaigns=[RESALE])
    file = ocsf.write(Place(place_of("folder", str(tmp_path))), "f", lake, load_night(lake))
    first = json.loads((tmp_path / file.path).read_text().splitlines()[0])
    assert first["unmapped"]["accounts_listed"] == 50
    assert first["unmapped"]["families"] == ["content", "time"]


def test_a_decision_that_waits_or_is_rejected_resolves_nothing(decided, incident, fill, night):
    lake = decided(actions=REVIEWED, campaigns=[RESALE])
    fill(lake, "campaign_members", night, [
        {"campaign_id": "c1", "account_id": a} for a in ("a1", "a2")])  # fmt: skip
    fill(lake, "accounts", night, [
        {"account_id": a, "verified_organization": True} for a in ("a1", "a2")])  # fmt: skip
    first = verdicts.record(lake, verdict="distillation", subject="c1", by="kim", reason="a list",
                            action="suspend")  # fmt: skip
    assert first["needs_approval"]
    assert (incident(lake)["status"], incident(lake)["verdict"]) == ("New", "Unknown")
    verdicts.record(lake, verdict="rejected", subject="c1", by="lea", reason="too much",
                    answers=first["decision_id"])  # fmt: skip
    assert (incident(lake)["status"], incident(lake)["verdict"]) == ("New", "Unknown")
    again = verdicts.record(lake, verdict="distillation", subject="c1", by="kim", reason="a list",
                            action="suspend")  # fmt: skip
    verdicts.record(lake, verdict="approved", subject="c1", by="lea", reason="I agree",
                    answers=again["decision_id"])  # fmt: skip
    assert (incident(lake)["status"], incident(lake)["verdict"]) == ("Resolved", "True Positive")


def test_a_decision_on_some_members_leaves_the_rest_in_progress(decided, incident, fill, night):
    lake = decided(actions=REVIEWED, campaigns=[RESALE])
    fill(lake, "campaign_members", night, [
        {"campaign_id": "c1", "account_id": a} for a in ("a1", "a2")])  # fmt: skip
    verdicts.record(lake, verdict="resale", subject="c1", by="kim", reason="sold", accounts=["a1"])
    assert incident(lake)["status"] == "In Progress"
    verdicts.record(lake, verdict="resale", subject="a2", by="kim", reason="sold")
    assert incident(lake)["status"] == "Resolved"


def test_who_asked_for_a_second_look_works_on_it_no_more(decided, incident, fill, night):
    import datetime as dt

    lake = decided(actions=REVIEWED, campaigns=[RESALE])
    at = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    # A night that is worked through late is claimed on a later day of the calendar.
    day = night + dt.timedelta(days=5)
    claimed = {"subject": "c1", "event": "claimed", "at": at, "event_id": "e-1"}
    fill(lake, "case_events", day, [claimed])
    assert incident(lake)["status"] == "In Progress"
    second = {
        "subject": "c1",
        "event": "second_look",
        "at": at + dt.timedelta(1),
        "event_id": "e-2",
    }
    fill(lake, "case_events", day, [claimed, second])
    assert incident(lake)["status"] == "New"
