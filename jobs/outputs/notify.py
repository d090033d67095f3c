"""Tell another system of a night, and keep what could not be told.

Writes `deliveries`: what was delivered is not sent again, what was given up can be.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs import verdicts
from jobs.catalog.delivery_tables import DEAD, DELIVERED, DELIVERIES, SLACK, WEBHOOK
from jobs.catalog.desk_tables import ENFORCE, OBSERVE
from jobs.outputs import events, slack
from jobs.outputs.nights import load_night
from jobs.outputs.sending import PATIENCE, Endpoint, Message, Patience, send
from jobs.platform.lake import Lake, arrow_schema

#: Outcomes that are written at once; a kill before that has them sent again, under the same names.
_WRITTEN_TOGETHER = 50


@dataclass(frozen=True)
class Told:
    """What came of it: `held` in observe mode, when nothing was to be sent."""

    night: dt.date | None
    mode: str
    delivered: int = 0
    dead: int = 0
    #: Delivered before.
    known: int = 0
    held: bool = False
    problem: str | None = None


def build(
    lake: Lake, date: dt.date | None, kind: str, observe: bool
) -> tuple[dt.date, str, list[Message] | None]:
    """The night's messages; None in observe mode unless that is asked for."""
    night = load_night(lake, date)
    if not night.enforcing and not observe:
        return night.date, night.mode, None
    changes = lake.rows("campaign_events", night.date, night.date)
    made = {
        WEBHOOK: lambda: events.messages(night, changes),
        SLACK: lambda: [slack.message(night, changes)],
    }[kind]()
    return night.date, night.mode, made


def tell(
    lake: Lake,
    to: Endpoint,
    date: dt.date | None,
    kind: str,
    observe: bool,
    patience: Patience = PATIENCE,
) -> Told:
    """Send a night's messages; those that the host has had are left out."""
    night, mode, messages = build(lake, date, kind, observe)
    if messages is None:
        return Told(night, mode, held=True)
    had = {row["delivery_id"] for row in _last(lake, kind, to.host, night)
           if row["outcome"] == DELIVERED}  # fmt: skip
    fresh = [(night, message) for message in messages if message.id not in had]
    delivered, dead, problem = _send(lake, to, kind, fresh, patience)
    return Told(night, mode, delivered, dead, len(messages) - len(fresh), problem=problem)


def tell_dead(
    lake: Lake, to: Endpoint, kind: str, observe: bool, patience: Patience = PATIENCE
) -> Told:
    """Send again what was given up at this host, under the same names.

    In observe mode nothing that was written to be enforced.
    """
    enforcing = verdicts.enforcing(lake)
    if not enforcing and not observe:
        return Told(None, OBSERVE, held=True)
    waiting = [
        (row["date"], Message(row["delivery_id"], row["body"].encode()))
        for row in _last(lake, kind, to.host, None)
        if row["outcome"] == DEAD and (enforcing or _mode(row["body"]) != ENFORCE)
    ]
    delivered, dead, problem = _send(lake, to, kind, waiting, patience)
    return Told(None, ENFORCE if enforcing else OBSERVE, delivered, dead, problem=problem)


def _mode(body: str) -> str | None:
    """What a webhook's body says of itself; a message for people says it in words."""
    mode = json.loads(body).get("data", {}).get("mode")
    return str(mode) if mode else None


def _last(lake: Lake, kind: str, host: str, night: dt.date | None) -> list[dict[str, Any]]:
    """The last outcome of each message to a host, oldest night first."""
    if not lake.exists(DELIVERIES.name):
        return []
    rows = lake.rows(DELIVERIES.name, night, night)
    rows = rows.filter(pc.and_(pc.equal(rows["kind"], kind), pc.equal(rows["host"], host)))
    rows = rows.sort_by([("date", "ascending"), ("recorded_at", "ascending")])
    return list({row["delivery_id"]: row for row in rows.to_pylist()}.values())


def _send(
    lake: Lake,
    to: Endpoint,
    kind: str,
    messages: Sequence[tuple[dt.date, Message]],
    patience: Patience,
) -> tuple[int, int, str | None]:
    """Delivered, dead, and what was wrong with the last of these."""
    nights = {message.id: night for night, message in messages}
    outcomes: list[dict[str, Any]] = []
    counts = {DELIVERED: 0, DEAD: 0}
    problem = None
    try:
        for message, outcome in send(to, [message for _, message in messages], patience):
            delivered = outcome.problem is None
            problem = outcome.problem or problem
            counts[DELIVERED if delivered else DEAD] += 1
            outcomes.append({
                "date": nights[message.id], "delivery_id": message.id,
                "recorded_at": dt.datetime.now(dt.UTC), "kind": kind, "host": to.host,
                "attempts": outcome.attempts, "outcome": DELIVERED if delivered else DEAD,
                "status": outcome.status, "problem": outcome.problem,
                "body": None if delivered else message.body.decode(),
            })  # fmt: skip
            if len(outcomes) == _WRITTEN_TOGETHER:
                _write(lake, outcomes)
    finally:
        _write(lake, outcomes)
    return counts[DELIVERED], counts[DEAD], problem


def _write(lake: Lake, outcomes: list[dict[str, Any]]) -> None:
    if outcomes:
        lake.append(
            DELIVERIES.name, pa.Table.from_pylist(outcomes, schema=arrow_schema(DELIVERIES))
        )
        outcomes.clear()
