"""A night as messages for a webhook: one on the whole, and what happened to its campaigns.

Bodies are a function of the night and what it holds, and so are the names of messages: sent again,
they are the same. The type says the mode, so that a receiver that acts on what is enforced passes
over what was only observed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.enforcement import LADDER
from jobs.outputs.nights import Night
from jobs.outputs.ocsf import counted, grouped_by_campaign
from jobs.outputs.sending import Message
from jobs.plain_text import plain

#: Bytes of a body: the specification recommends less than 20 kB.
MOST_BYTES = 20_000
#: Accounts of a campaign that a message names; the export has all.
MOST_ACCOUNTS = 25
_MOST_ID, _MOST_TEXT = 128, 500


def messages(night: Night, changes: pa.Table) -> list[Message]:
    """The summary, then campaigns with changes or actions, as many to a body as it holds.

    Args:
        night: the night.
        changes: its rows of campaign_events.
    """
    packed = list(_packed(list(campaign_events(night, changes))))
    head = _body(night, "night", summary(night, changes) | {"messages": 1 + len(packed)})
    bodies = [head, *(_body(night, "campaigns", {"campaigns": part}) for part in packed)]
    return [Message(message_id(body), body) for body in bodies]


def message_id(body: bytes) -> str:
    """The message's name and idempotency key: night, mode and content are in the body."""
    return f"msg_{hashlib.sha256(body).hexdigest()[:32]}"


def _body(night: Night, kind: str, data: dict[str, Any]) -> bytes:
    event = {
        "type": f"stillwatch.{night.mode}.{kind}",
        "timestamp": night.ended.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": {"night": night.date.isoformat(), "mode": night.mode, "enforce": night.enforcing}
        | data,
    }
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def summary(night: Night, changes: pa.Table) -> dict[str, Any]:
    """The night in figures."""
    alone = night.actions.filter(pc.is_null(night.actions["campaign_id"]))
    return {
        "actions": by_rung(night.actions),
        "actions_outside_campaigns": by_rung(alone),
        "campaigns": night.campaigns.num_rows,
        "campaigns_by_kind": dict(sorted(counted(night.campaigns["kind"]).items())),
        "campaign_changes": dict(sorted(counted(changes["event"]).items())),
        "policy_versions": [plain(version, _MOST_ID) for version in night.policy_versions],
        "model_versions": [plain(version, _MOST_ID) for version in night.model_versions],
    }


def by_rung(actions: pa.Table) -> dict[str, int]:
    """Accounts that each rung is taken against, softest first."""
    counts = counted(actions["action"])
    return {rung: counts[rung] for rung in LADDER if counts[rung]}


def campaign_events(night: Night, changes: pa.Table) -> Iterator[dict[str, Any]]:
    """One for each campaign that changed or is acted on, by name."""
    rows = {row["campaign_id"]: row for row in night.campaigns.to_pylist()}
    acted_on = dict(grouped_by_campaign(night.actions))
    happened: dict[str, list[dict[str, Any]]] = {}
    for change in changes.sort_by(
        [("campaign_id", "ascending"), ("event", "ascending")]
    ).to_pylist():
        happened.setdefault(change["campaign_id"], []).append(change)
    for campaign in sorted(acted_on.keys() | happened.keys()):
        members = acted_on.get(campaign)
        event = {
            "campaign_id": plain(campaign, _MOST_ID),
            **_figures(rows.get(campaign)),
            "changes": [
                {"event": change["event"], "accounts": change["accounts"]}
                | ({"other": plain(change["other_campaign_id"], _MOST_ID)}
                   if change["other_campaign_id"] else {})
                for change in happened.get(campaign, [])
            ],
            "actions": by_rung(members) if members is not None else {},
            "listed": _listed(members) if members is not None else [],
        }  # fmt: skip
        while len(_encoded(event)) > MOST_BYTES // 2 and event["listed"]:
            event["listed"] = event["listed"][: len(event["listed"]) // 2]
        yield event


def _figures(row: dict[str, Any] | None) -> dict[str, Any]:
    """What the night knows of a campaign; nothing of one that is gone."""
    if row is None:
        return {}
    return {
        "kind": row["kind"],
        "score": round(row["score"], 4),
        "resale_score": round(row["resale_score"], 4),
        "first_seen": row["first_seen"].isoformat(),
        "accounts": row["accounts"],
        "requests": row["requests"],
        "families": row["evidence"],
        "summary": plain(row["summary"], _MOST_TEXT),
    }


def _listed(members: pa.Table) -> list[dict[str, str]]:
    return [
        {
            "account_id": plain(row["account_id"], _MOST_ID),
            "action": row["action"],
            "expires": row["expires"].isoformat(),
        }
        for row in members.slice(0, MOST_ACCOUNTS).to_pylist()
    ]


def _packed(events: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    size = 0
    for event in events:
        length = len(_encoded(event)) + 1
        # What surrounds them in a body takes less than 500 bytes.
        if part and size + length > MOST_BYTES - 500:
            yield part
            part, size = [], 0
        part.append(event)
        size += length
    if part:
        yield part


def _encoded(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
