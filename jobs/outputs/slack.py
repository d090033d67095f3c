"""A night as a message for Slack, or anything that takes its incoming webhooks: Block Kit.

Words of others stand in text that Slack does not format, or in code: `& < >` are escaped, so that
no id becomes a link or calls somebody (docs.slack.dev, "Formatting message text").
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from jobs.outputs.events import campaign_events, message_id, summary
from jobs.outputs.nights import Night
from jobs.outputs.sending import Message
from jobs.plain_text import plain

#: Slack's limits: blocks of a message, characters of a section's text and of a header.
MOST_BLOCKS, MOST_TEXT, MOST_HEADER = 50, 3_000, 150
#: Over all blocks Slack refuses messages of some 13,200 characters (slackapi/bolt-js, thread 2509).
MOST_CHARACTERS = 12_000
#: Campaigns that are shown, those that send most first.
_SHOWN = 10
_MOST_ID, _MOST_SUMMARY = 80, 300


def message(night: Night, changes: pa.Table) -> Message:
    body = json.dumps(payload(night, changes), separators=(",", ":")).encode()
    return Message(message_id(body), body)


def payload(night: Night, changes: pa.Table) -> dict[str, Any]:
    """The body of a request to an incoming webhook."""
    figures = summary(night, changes)
    observed = "" if night.enforcing else " (observed only: nothing is enforced)"
    head = f"Stillwatch, night of {night.date}{observed}"
    events = sorted(
        campaign_events(night, changes), key=lambda e: (-e.get("requests", 0), e["campaign_id"])
    )
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(head, MOST_HEADER)},
        _section(_marked(_figures(figures))),
    ]
    used = len(json.dumps(blocks))
    shown = 0
    for event in events[:_SHOWN]:
        block = [{"type": "divider"}, *_campaign(event)]
        size = len(json.dumps(block))
        if len(blocks) + len(block) > MOST_BLOCKS - 1 or used + size > MOST_CHARACTERS - 500:
            break
        blocks += block
        used += size
        shown += 1
    if len(events) > shown:
        more = f"{len(events) - shown:,} further campaigns changed or are acted on."
        blocks.append({"type": "context", "elements": [_plain(more, MOST_TEXT)]})
    return {"text": head, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _figures(figures: dict[str, Any]) -> str:
    def told(counts: dict[str, int]) -> str:
        return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"

    return "\n".join((
        f"*Accounts acted on*: {told(figures['actions'])}",
        f"*Outside campaigns*: {told(figures['actions_outside_campaigns'])}",
        f"*Campaigns*: {figures['campaigns']:,} ({told(figures['campaigns_by_kind'])})",
        f"*Changes*: {told(figures['campaign_changes'])}",
    ))  # fmt: skip


def _campaign(event: dict[str, Any]) -> list[dict[str, Any]]:
    facts = [f"`{_code(event['campaign_id'])}`"]
    if "kind" in event:
        name = "resale_score" if event["kind"] == "resale" else "score"
        facts.append(
            f"{event['kind']}, {name.replace('_', ' ')} {event[name]:.2f}, "
            f"{event['accounts']:,} accounts, "
            f"{event['requests']:,} requests"
        )
    facts += [f"{rung} {count:,}" for rung, count in event["actions"].items()]
    facts += [change["event"] for change in event["changes"]]
    told = [_section(_marked(" · ".join(facts)))]
    if event.get("summary"):
        told.append({"type": "section", "text": _plain(event["summary"], _MOST_SUMMARY)})
    return told


def _code(text: str) -> str:
    return _harmless(plain(text, _MOST_ID)).replace("`", "'")


def _harmless(text: str) -> str:
    """Escaped; an address in it is no longer one."""
    text = text.replace("://", "[:]//")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(text: dict[str, Any]) -> dict[str, Any]:
    return {"type": "section", "text": text}


def _marked(text: str) -> dict[str, Any]:
    # Verbatim: what looks like an address, a channel or a name stays text.
    return {"type": "mrkdwn", "text": text[:MOST_TEXT], "verbatim": True}


def _plain(text: str, most: int) -> dict[str, Any]:
    # Escaping makes a character five: cut before it, so that no escape is cut in two.
    text = plain(text, most)
    escaped = _harmless(text)
    while len(escaped) > most:
        text = plain(text, len(text) - 1 - (len(escaped) - most) // 10)
        escaped = _harmless(text)
    return {"type": "plain_text", "text": escaped, "emoji": False}
