"""The table of what was sent to other systems."""

from __future__ import annotations

from jobs.catalog.columns import TRUST_AND_SAFETY
from jobs.catalog.types import DATE, LONG, STRING, TIMESTAMP, Column, Table

WEBHOOK, SLACK = "webhook", "slack"
DELIVERED, DEAD = "delivered", "dead"

DELIVERIES = Table(
    name="deliveries",
    about="Messages that `stillwatch notify` sent or gave up, an outcome a row; those given up "
    "keep their body, to be sent again.",
    owner=TRUST_AND_SAFETY,
    key=("date", "delivery_id", "recorded_at"),
    retention_days=400,
    append_only=True,
    columns=(
        Column("date", DATE, "The night that the message is about.", nullable=False),
        Column("delivery_id", STRING, "The message's name, its webhook-id: made from night and "
               "content, so that it is the same however often it is sent.", nullable=False),
        Column("recorded_at", TIMESTAMP, "When the outcome was known.", unit="UTC", nullable=False),
        Column("kind", STRING, "What was sent.", nullable=False, values=(WEBHOOK, SLACK)),
        Column("host", STRING, "Host that it was sent to; the rest of an address may be secret.",
               nullable=False),
        Column("attempts", LONG, "Requests made.", unit="requests", nullable=False, minimum=0),
        Column("outcome", STRING, "delivered: answered with a status of 200 to 299; dead: given "
               "up.", nullable=False, values=(DELIVERED, DEAD)),
        Column("status", LONG, "HTTP status of the last answer, null without one.",
               unit="HTTP status", minimum=100, maximum=999),
        Column("problem", STRING, "Why it was given up, null if it was delivered."),
        Column("body", STRING, "What was to be sent, null if it was delivered.",
               personal="pseudonym"),
    ),
)  # fmt: skip
