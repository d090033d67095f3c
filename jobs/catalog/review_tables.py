"""The table of second reviews: decided cases, and some with known answers, judged again blind."""

from __future__ import annotations

from jobs.catalog.columns import TRUST_AND_SAFETY
from jobs.catalog.desk_tables import FINDINGS, SUBJECT_KINDS
from jobs.catalog.types import DATE, STRING, TIMESTAMP, Column, Table

DRAWN, ANSWERED = "drawn", "answered"

BLIND_REVIEWS = Table(
    name="blind_reviews",
    about="Cases that people judge a second time without the first verdict, a draw or an answer a "
    "row. Of a draw nothing says whether the case was decided or its answer is known.",
    owner=TRUST_AND_SAFETY,
    key=("date", "review_id", "event"),
    retention_days=3650,
    append_only=True,
    columns=(
        Column("date", DATE, "Night of the draw: decisions and labels that count by it are known.",
               nullable=False),
        Column("review_id", STRING, "Its name.", nullable=False),
        Column("event", STRING, "drawn: the case went to the reviewer; answered: they judged it.",
               nullable=False, values=(DRAWN, ANSWERED)),
        Column("reviewer", STRING, "Whose it is.", nullable=False, personal="pseudonym"),
        Column("subject_kind", STRING, "What it is about.", nullable=False, values=SUBJECT_KINDS),
        Column("subject", STRING, "The campaign or the account.", nullable=False),
        Column("night", DATE, "The night as of which it is to be judged: what came later would "
               "give the answer away.", nullable=False),
        Column("at", TIMESTAMP, "When it was answered; null for a draw.", unit="UTC"),
        Column("verdict", STRING, "The answer; null for a draw. It decides nothing.",
               values=FINDINGS),
        Column("reason", STRING, "Why, in their words; null for a draw."),
    ),
)  # fmt: skip
