"""Events hold what OCSF requires, for campaigns and accounts, and nothing of others."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hostile_texts import HOSTILE

from jobs import verdicts
from jobs.outputs import ocsf
from jobs.outputs.nights import load_night
from jobs.platform.storage import Place

#: From github.com/ocsf/ocsf-schema at tag v1.2.0: attributes whose requirement is `required`, in
#: events/base_event.json (with includes/classification.json and includes/occurrence.json),
#: events/findings/finding.json, detection_finding.json and incident_finding.json, and in
#: objects/*.json. `|` is a constraint `at_least_one`. At tag 1.8.0 they are the same or fewer.
BASE = {
    "activity_id": int, "category_uid": int, "class_uid": int, "type_uid": int, "time": int,
    "severity_id": int, "metadata": dict,
}  # fmt: skip
REQUIRED = {
    2004: BASE | {"finding_info": dict},
    2005: BASE | {"status_id": int, "finding_info_list": list, "assignee|assignee_group": dict},
}
OBJECTS = {
    "metadata": {"product": dict, "version": str},
    "product": {"vendor_name": str, "name|uid": str},
    "finding_info": {"title": str, "uid": str},
    "analytic": {"type_id": int, "name|uid": str},
    "evidences": {"actor|api|data|process|src_endpoint": dict},
    "actor": {"user|process|session": dict},
    "user": {"uid|name|account": str},
    "assignee_group": {"name|uid": str},
}
#: The same places: values that the schema's enumerations know.
SEVERITY = {0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical",
            6: "Fatal", 99: "Other"}  # fmt: skip
ACTIVITY = {1: "Create", 2: "Update", 3: "Close"}
STATUS = {
    2004: {1: "New", 2: "In Progress", 3: "Suppressed", 4: "Resolved"},
    2005: {1: "New", 2: "In Progress", 3: "On Hold", 4: "Resolved", 5: "Closed"},
}
VERDICT = {0: "Unknown", 1: "False Positive", 2: "True Positive", 5: "Benign"}


def has(what, required, where):
    for names, kind in required.items():
        present = [what[name] for name in names.split("|") if name in what]
        assert present, f"{where} lacks {names}"
        assert all(isinstance(value, kind) and value != "" for value in present), (where, names)


def conforms(event):
    has(event, REQUIRED[event["class_uid"]], event["class_uid"])
    assert event["category_uid"] == 2
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert ACTIVITY[event["activity_id"]] == event["activity_name"]
    assert SEVERITY[event["severity_id"]] == event["severity"]
    assert STATUS[event["class_uid"]][event["status_id"]] == event["status"]
    assert VERDICT[event.get("verdict_id", 0)] == event.get("verdict", "Unknown")

    def walk(name, value):
        if isinstance(value, list):
            for each in value:
                walk(name, each)
        elif isinstance(value, dict) and name not in ("data", "unmapped"):
            has(value, OBJECTS.get(name, {}), name)
            for key, inner in value.items():
                walk("finding_info" if key == "finding_info_list" else key, inner)

    walk("event", event)


@pytest.fixture
def written(tmp_path, night):
    def make(lake):
        ocsf.write(Place(str(tmp_path)), "findings", lake, load_night(lake))
        text = (tmp_path / "findings.ocsf.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    return make


def of(events, kind, subject):
    def uids(event):
        one = [event["finding_info"]] if "finding_info" in event else event["finding_info_list"]
        return [finding["uid"] for finding in one]

    (found,) = [e for e in events if e["class_uid"] == kind and uids(e) == [subject]]
    return found


ROWS = {
    "actions": [
        {"account_id": "a1", "action": "review", "campaign_id": "c1", "reasons": ["same prompts"]},
        {"account_id": "a2", "action": "limit", "campaign_id": "c1"},
        {"account_id": "a3", "action": "suspend", "reasons": ["its own reason", "another"]},
        {"account_id": "a4", "action": "watch"},
    ],
    "campaigns": [
        {"campaign_id": "c1", "kind": "distillation", "score": 0.93, "accounts": 5,
         "summary": "5 accounts.", "first_seen": dt.date(2026, 5, 1)},
        {"campaign_id": "c2", "kind": "unknown", "accounts": 3},
    ],
    "changes": [
        {"campaign_id": "c0", "event": "merged", "other_campaign_id": "c1", "accounts": 3},
        {"campaign_id": "c9", "event": "gone", "accounts": 2},
        {"campaign_id": "c2", "event": "founded", "accounts": 3},
    ],
}  # fmt: skip


def test_every_event_has_what_the_schema_requires(decided, written):
    events = written(decided(**ROWS))
    assert [e["type_uid"] for e in events] == [
        200401,
        200502,
        200501,
        200503,
        200503,
        200401,
        200401,
    ]
    for event in events:
        conforms(event)
    assert len({e["metadata"]["uid"] for e in events}) == len(events)


def test_a_campaigns_accounts_are_one_finding(decided, written, night):
    event = of(written(decided(**ROWS)), 2004, "stillwatch:campaign:c1")
    end = dt.datetime.combine(night + dt.timedelta(days=1), dt.time(), dt.UTC)
    assert event["time"] == int(end.timestamp()) * 1000
    assert (event["severity"], event["message"], event["count"]) == ("Medium", "5 accounts.", 2)
    assert event["confidence_score"] == 93
    assert [e["actor"]["user"]["uid"] for e in event["evidences"]] == ["a1", "a2"]
    assert event["evidences"][0]["data"] == {
        "action": "review", "expires": str(night), "reason": "same prompts",
    }  # fmt: skip
    assert event["unmapped"]["actions"] == {"limit": 1, "review": 1}
    assert event["finding_info"]["analytic"]["version"] == "m/1"


def test_an_account_outside_campaigns_is_a_finding_of_its_own(decided, written):
    events = written(decided(**ROWS))
    event = of(events, 2004, "stillwatch:account:a3")
    assert (event["severity"], event["message"]) == ("High", "its own reason")
    assert event["finding_info"]["title"] == "Account a3: suspend"
    assert event["evidences"][0]["actor"]["user"] == {"uid": "a3", "type_id": 1}
    assert of(events, 2004, "stillwatch:account:a4")["message"] == ""


def test_what_was_acted_on_the_night_before_is_an_update(decided, written, fill, night):
    lake = decided(**ROWS)
    before = night - dt.timedelta(days=1)
    fill(lake, "enforcement_actions", before, [
        {"account_id": "a1", "campaign_id": "c1"}, {"account_id": "a3"},
    ])  # fmt: skip
    events = written(lake)
    assert of(events, 2004, "stillwatch:campaign:c1")["type_uid"] == 200402
    assert of(events, 2004, "stillwatch:account:a3")["type_name"] == "Detection Finding: Update"
    assert of(events, 2004, "stillwatch:account:a4")["type_name"] == "Detection Finding: Create"


def test_a_campaign_is_a_case_that_opens_and_closes(decided, written):
    events = written(decided(**ROWS))
    opened = of(events, 2005, "stillwatch:campaign:c2")
    assert (opened["activity_name"], opened["status"]) == ("Create", "New")
    merged = of(events, 2005, "stillwatch:campaign:c0")
    assert (merged["activity_name"], merged["status"]) == ("Close", "Closed")
    assert merged["message"] == "c0 merged into c1, with 3 of its accounts"


def test_what_people_found_and_who_works_on_it_is_said(decided, written, fill, night):
    lake = decided(**ROWS)
    fill(lake, "campaign_members", night, [{"campaign_id": "c1", "account_id": "a1"}])
    fill(lake, "case_events", night, [{"subject": "c2", "event": "claimed"}])
    assert of(written(lake), 2005, "stillwatch:campaign:c2")["status"] == "In Progress"
    verdicts.record(lake, verdict="distillation", subject="c1", by="kim", reason="one list")
    event = of(written(lake), 2005, "stillwatch:campaign:c1")
    assert (event["status"], event["verdict"]) == ("Resolved", "True Positive")


def test_names_of_findings_stay_and_the_mode_is_said(decided, written, night):
    first = written(decided(**ROWS))
    assert written(decided(**ROWS)) == first
    observed = written(decided(**ROWS, mode="observe"))
    assert {e["unmapped"]["mode"] for e in observed} == {"observe"}
    assert [e["metadata"]["uid"] for e in observed] == [e["metadata"]["uid"] for e in first]


def test_hostile_text_and_large_campaigns_stay_lines_of_bounded_size(decided, written):
    alone = [{"account_id": f"{n}{t}", "reasons": [t * 10_000]} for n, t in enumerate(HOSTILE)]
    bound = [{"account_id": f"x{n}", "campaign_id": "c" * 10**6, "reasons": ["r" * 10**4]}
             for n in range(200)]  # fmt: skip
    events = written(decided(actions=alone + bound))
    assert len(events) == len(alone) + 1
    for event in events:
        conforms(event)
        assert len(json.dumps(event)) < 50_000
    (campaign,) = [e for e in events if e["count"] == 200]
    assert campaign["unmapped"]["accounts_listed"] == ocsf.MOST_ACCOUNTS
