"""A night as events of the Open Cybersecurity Schema Framework, for a SIEM: JSON Lines.

A Detection Finding (class 2004) for each campaign with actions and each account outside any; an
Incident Finding (class 2005) for each campaign, as a case, and for each that ended. Written to
version 1.2.0 of the schema (github.com/ocsf/ocsf-schema), which later 1.x versions read alike.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs import verdicts
from jobs.cases import CLAIMED, REVIEW
from jobs.catalog import desk_tables as desk
from jobs.catalog.enforcement import LADDER
from jobs.catalog.events import EVENTS
from jobs.outputs.formats import Written, sink
from jobs.outputs.nights import Night, acted_on_before
from jobs.outputs.text import (
    batches,
    joined,
    json_objects,
    json_texts,
    plain_texts,
    text_bytes,
)
from jobs.plain_text import plain
from jobs.platform.lake import Lake
from jobs.platform.storage import Place

SCHEMA_VERSION = "1.2.0"
ABOUT = (
    f"Events of OCSF {SCHEMA_VERSION}: Detection Findings (2004) of accounts that are acted on, "
    "Incident Findings (2005) of campaigns."
)
_CATEGORY = {"category_uid": 2, "category_name": "Findings"}
_DETECTION, _INCIDENT = (2004, "Detection Finding"), (2005, "Incident Finding")
_CREATE, _UPDATE, _CLOSE = (1, "Create"), (2, "Update"), (3, "Close")
_NEW, _RESOLVED, _CLOSED = (1, "New"), (4, "Resolved"), (5, "Closed")
_IN_PROGRESS = (2, "In Progress")
#: severity_id and severity of each rung of the ladder.
SEVERITIES = {
    "watch": (1, "Informational"),
    "limit": (2, "Low"),
    "challenge": (3, "Medium"),
    "review": (3, "Medium"),
    "suspend": (4, "High"),
}
#: verdict_id of what people found.
_VERDICTS = {
    "distillation": (2, "True Positive"),
    "resale": (2, "True Positive"),
    "benign": (5, "Benign"),
    desk.VETTED: (5, "Benign"),
    desk.OVERTURNED: (1, "False Positive"),
}
_ENDS = {event.name: event for event in EVENTS if event.ends}
_LEARNING = 4  # analytic.type_id
_USER = 1  # user.type_id
#: Accounts that one event names: SIEMs cut events of more than some tens of kilobytes.
MOST_ACCOUNTS = 50
_MOST_ID, _MOST_TEXT = 128, 1_000


def write(folder: Place, name: str, lake: Lake, night: Night) -> Written:
    path = f"{name}.ocsf.jsonl"
    events = 0
    with sink(folder / path) as file:
        before = acted_on_before(lake, night.date)
        for event in (*_campaign_findings(night, before), *_incidents(lake, night)):
            file.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
            events += 1
        alone = night.actions.filter(pc.is_null(night.actions["campaign_id"]))
        for batch in batches(alone):
            file.write(text_bytes(account_findings(night, batch, before["account_id"])))
            events += batch.num_rows
    return Written(path, name, "ocsf", events, file.size, file.sha256)


def _event(
    night: Night,
    kind: tuple[int, str],
    activity: tuple[int, str],
    severity: tuple[int, str],
    status: tuple[int, str],
    subject: str,
) -> dict[str, Any]:
    """What every event has."""
    uid, name = kind
    return {
        **_CATEGORY,
        "class_uid": uid, "class_name": name,
        "activity_id": activity[0], "activity_name": activity[1],
        "type_uid": uid * 100 + activity[0], "type_name": f"{name}: {activity[1]}",
        "time": _milliseconds(night.ended),
        "severity_id": severity[0], "severity": severity[1],
        "status_id": status[0], "status": status[1],
        "metadata": _metadata(f"{uid}:{subject}:{night.date}"),
    }  # fmt: skip


def _metadata(event: str) -> dict[str, Any]:
    return {
        "version": SCHEMA_VERSION,
        "product": {
            "name": "Stillwatch", "vendor_name": "Stillwatch", "version": version("stillwatch"),
        },
        # The same event of the same night again has the same name.
        "uid": hashlib.sha256(event.encode()).hexdigest()[:32],
    }  # fmt: skip


def _milliseconds(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1000)


def _day(date: dt.date) -> int:
    return _milliseconds(dt.datetime.combine(date, dt.time(), dt.UTC))


def campaign_uid(campaign: str) -> str:
    """finding_info.uid of a campaign: the same on every night."""
    return f"stillwatch:campaign:{plain(campaign, _MOST_ID)}"


def _confidence(row: dict[str, Any]) -> int:
    """Percent of the score that speaks for what the campaign is taken for."""
    return round(100 * row["resale_score" if row["kind"] == "resale" else "score"])


def _analytic(night: Night) -> dict[str, Any]:
    return {
        "type_id": _LEARNING, "type": "Learning (ML/DL)", "name": "stillwatch",
        "version": ", ".join(night.model_versions) or "unknown",
    }  # fmt: skip


def _campaign_findings(night: Night, before: pa.Table) -> Iterator[dict[str, Any]]:
    known = set(pc.unique(before["campaign_id"]).to_pylist())
    campaigns = {row["campaign_id"]: row for row in night.campaigns.to_pylist()}
    for campaign, members in grouped_by_campaign(night.actions):
        counts = counted(members["action"])
        row = campaigns.get(campaign)
        activity = _UPDATE if campaign in known else _CREATE
        event = _event(night, _DETECTION, activity, _hardest(counts), _NEW, campaign)
        listed = members.slice(0, MOST_ACCOUNTS).to_pylist()
        summary = plain(row["summary"], _MOST_TEXT) if row else "its actions still hold"
        yield event | {
            "message": summary,
            "count": members.num_rows,
            "finding_info": {
                "uid": campaign_uid(campaign),
                "title": f"Campaign {plain(campaign, _MOST_ID)}: accounts acted on",
                "desc": summary,
                "types": [row["kind"] if row else "unknown"],
                "analytic": _analytic(night),
                "last_seen_time": _day(night.date),
                **({"first_seen_time": _day(row["first_seen"])} if row else {}),
            },
            **({"confidence_score": _confidence(row)} if row else {}),
            "evidences": [_evidence(account) for account in listed],
            "unmapped": {
                "mode": night.mode,
                "night": night.date.isoformat(),
                "campaign_id": plain(campaign, _MOST_ID),
                "actions": {rung: counts[rung] for rung in LADDER if counts[rung]},
                "accounts": members.num_rows,
                "accounts_listed": len(listed),
                "families": sorted(pc.unique(pc.list_flatten(members["evidence"])).to_pylist()),
                "policy_versions": list(night.policy_versions),
            },
        }


def _evidence(action: dict[str, Any]) -> dict[str, Any]:
    return {
        "actor": {"user": {"uid": plain(action["account_id"], _MOST_ID), "type_id": _USER}},
        "data": {
            "action": action["action"],
            "expires": action["expires"].isoformat(),
            "reason": plain(action["reasons"][0], 300) if action["reasons"] else "",
        },
    }


def _hardest(actions: Counter[str]) -> tuple[int, str]:
    hardest = max((LADDER.index(action) for action in actions), default=0)
    return SEVERITIES[LADDER[hardest]]


def counted(actions: pa.ChunkedArray) -> Counter[str]:
    """How many accounts each rung is taken against."""
    counts = pc.value_counts(actions)
    return Counter(dict(zip(*(counts.field(at).to_pylist() for at in (0, 1)), strict=True)))


def grouped_by_campaign(actions: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Campaigns that are acted on, by name, each with its rows, the hardest actions first."""
    rank = pc.index_in(actions["action"], value_set=pa.array(LADDER))
    ranked = actions.append_column("rank", rank)
    ranked = ranked.filter(pc.is_valid(ranked["campaign_id"])).sort_by(
        [("campaign_id", "ascending"), ("rank", "descending"), ("account_id", "ascending")]
    )
    if not ranked.num_rows:
        return
    ids = ranked["campaign_id"].combine_chunks().dictionary_encode()
    first = np.flatnonzero(np.diff(ids.indices.to_numpy(), prepend=-1))
    ends = [*first[1:], ranked.num_rows]
    for start, end in zip(first.tolist(), ends, strict=True):
        yield ranked["campaign_id"][start].as_py(), ranked.slice(start, end - start)


# Incidents


def _decided(lake: Lake, night: Night) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """What people last found out about each campaign, and all accounts that they decided on.

    A decision that needs a second person says nothing until one approved it.
    """
    counts_by = night.date + dt.timedelta(days=1)
    rows = verdicts.decisions_by(lake, counts_by).to_pylist()
    approved = {row["answers"] for row in rows if row["verdict"] == desk.APPROVED}
    counting = [
        row for row in sorted(rows, key=lambda row: (row["decided_at"], row["decision_id"]))
        if row["verdict"] in _VERDICTS
        and (not row["needs_approval"] or row["decision_id"] in approved)
    ]  # fmt: skip
    of_campaigns = {row["subject"]: row for row in counting
                    if row["subject_kind"] == desk.CAMPAIGN_SUBJECT}  # fmt: skip
    return of_campaigns, {account for row in counting for account in row["accounts"]}


def _claimed(lake: Lake, night: Night) -> set[str]:
    """Subjects that somebody works on: as of the morning after the night, or now after the last
    one, which may have been worked through later than its day."""
    if not lake.exists(desk.CASE_EVENTS.name):
        return set()
    is_last = night.date == lake.nights("thresholds")[-1]
    by = None if is_last else night.date + dt.timedelta(days=1)
    rows = lake.rows(desk.CASE_EVENTS.name, None, by)
    rows = rows.sort_by([("at", "ascending"), ("event_id", "ascending")])
    last = {row["subject"]: row["event"] for row in rows.to_pylist()}
    return {subject for subject, event in last.items() if event == CLAIMED}


def _left(members: pa.Table, decided: set[str]) -> bool:
    """Whether a person still has to look at one of the accounts."""
    waiting = members.filter(pc.equal(members["action"], REVIEW))["account_id"]
    known = pa.array(sorted(decided), pa.string())
    return not pc.all(pc.is_in(waiting, value_set=known), min_count=0).as_py()


def _incidents(lake: Lake, night: Night) -> Iterator[dict[str, Any]]:
    (found, decided), claimed = _decided(lake, night), _claimed(lake, night)
    acted_on = dict(grouped_by_campaign(night.actions))
    nobody = night.actions.slice(0, 0)
    for row in night.campaigns.to_pylist():
        campaign = row["campaign_id"]
        activity = _CREATE if row["first_seen"] == night.date else _UPDATE
        decision, members = found.get(campaign), acted_on.get(campaign, nobody)
        done = decision is not None and not _left(members, decided)
        worked_on = decision is not None or campaign in claimed
        status = _RESOLVED if done else _IN_PROGRESS if worked_on else _NEW
        counts = counted(members["action"])
        event = _event(night, _INCIDENT, activity, _hardest(counts), status, campaign)
        summary = plain(row["summary"], _MOST_TEXT)
        verdict = _VERDICTS[decision["verdict"]] if decision else (0, "Unknown")
        yield event | {
            "message": summary,
            "desc": summary,
            "assignee_group": {"name": "trust-and-safety"},
            "confidence_score": _confidence(row),
            "verdict_id": verdict[0],
            "verdict": verdict[1],
            "start_time": _day(row["first_seen"]),
            "finding_info_list": [{
                "uid": campaign_uid(campaign),
                "title": f"Campaign {plain(campaign, _MOST_ID)} ({row['kind']})",
                "desc": summary,
                "types": [row["kind"]],
                "first_seen_time": _day(row["first_seen"]),
                "last_seen_time": _day(night.date),
                "analytic": _analytic(night),
            }],
            "unmapped": {
                "mode": night.mode,
                "night": night.date.isoformat(),
                "campaign_id": plain(campaign, _MOST_ID),
                "accounts": row["accounts"],
                "requests": row["requests"],
                "output_tokens": row["output_tokens"],
                "families": row["evidence"],
                "reasons": [plain(reason, 300) for reason in row["reasons"][:10]],
                "actions": {rung: counts[rung] for rung in LADDER if counts[rung]},
            },
        }  # fmt: skip
    yield from _ended(lake, night)


def _ended(lake: Lake, night: Night) -> Iterator[dict[str, Any]]:
    events = lake.rows("campaign_events", night.date, night.date).to_pylist()
    for row in sorted(events, key=lambda row: row["campaign_id"]):
        if row["event"] not in _ENDS:
            continue
        campaign = plain(row["campaign_id"], _MOST_ID)
        message = _ENDS[row["event"]].sentence.format(
            campaign=campaign, other=plain(row["other_campaign_id"] or "", _MOST_ID),
            accounts=row["accounts"],
        )  # fmt: skip
        yield _event(night, _INCIDENT, _CLOSE, SEVERITIES[LADDER[0]], _CLOSED, campaign) | {
            "message": message,
            "desc": message,
            "assignee_group": {"name": "trust-and-safety"},
            "finding_info_list": [{"uid": campaign_uid(row["campaign_id"]), "title": message}],
            "unmapped": {"mode": night.mode, "night": night.date.isoformat(),
                         "campaign_id": campaign, "accounts": row["accounts"]},
        }  # fmt: skip


# Accounts outside any campaign


def account_findings(night: Night, batch: pa.RecordBatch, before: pa.ChunkedArray) -> pa.Array:
    """A Detection Finding a row, each a line; whole columns at a time: there may be a million."""
    actions = batch.column("action")
    known = pc.is_in(batch.column("account_id"), value_set=before)
    activity = {
        key: pc.if_else(known, json.dumps(_UPDATE[at]), json.dumps(_CREATE[at]))
        for at, key in enumerate(("activity_id", "activity_name"))
    }
    type_uid = pc.if_else(known, *(str(_DETECTION[0] * 100 + a[0]) for a in (_UPDATE, _CREATE)))
    type_name = pc.if_else(
        known, *(json.dumps(f"{_DETECTION[1]}: {a[1]}") for a in (_UPDATE, _CREATE))
    )
    rank = pc.index_in(actions, value_set=pa.array(LADDER))
    severity = [
        pa.array([json.dumps(SEVERITIES[rung][at]) for rung in LADDER]).take(rank) for at in (0, 1)
    ]
    account = plain_texts(batch.column("account_id"), _MOST_ID)
    # An element that is not there is null in a list of fixed size.
    reasons = pc.list_slice(batch.column("reasons"), 0, 1, return_fixed_size_list=True)
    first = pc.fill_null(pc.list_element(reasons, 0), "")
    reason = json_texts(plain_texts(first, _MOST_TEXT))
    user = joined(['{"user":{"uid":', json_texts(account), f',"type_id":{_USER}}}}}'])
    shared = {key: json.dumps(value) for key, value in {
        **_CATEGORY, "class_uid": _DETECTION[0], "class_name": _DETECTION[1],
        "time": _milliseconds(night.ended), "status_id": _NEW[0], "status": _NEW[1], "count": 1,
    }.items()}  # fmt: skip
    metadata = _metadata("")
    metadata.pop("uid")
    event_uid = joined([f"{_DETECTION[0]}:", account, f":{night.date}"])
    finding = json_objects([
        ("uid", json_texts(joined(["stillwatch:account:", account]))),
        ("title", json_texts(joined(["Account ", account, ": ", actions]))),
        ("desc", reason),
        ("analytic", json.dumps(_analytic(night))),
        ("last_seen_time", str(_day(night.date))),
    ])  # fmt: skip
    evidence = json_objects([
        ("actor", user),
        ("data", json_objects([("action", json_texts(actions)),
                               ("expires", json_texts(batch.column("expires")))])),
    ])  # fmt: skip
    unmapped = json_objects([
        ("mode", json.dumps(night.mode)),
        ("night", json.dumps(night.date.isoformat())),
        ("families", json_texts(batch.column("evidence"))),
        ("policy_version", json_texts(batch.column("policy_version"))),
    ])  # fmt: skip
    metadata_text = joined([json.dumps(metadata)[:-1] + ', "uid": ', json_texts(event_uid), "}"])
    return joined([
        json_objects([
            *shared.items(), *activity.items(), ("type_uid", type_uid), ("type_name", type_name),
            ("severity_id", severity[0]), ("severity", severity[1]), ("message", reason),
            ("metadata", metadata_text), ("finding_info", finding),
            ("evidences", joined(["[", evidence, "]"])), ("unmapped", unmapped),
        ]),
        "\n",
    ])  # fmt: skip
