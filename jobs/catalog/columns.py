"""Columns, bounds and owners that tables have in common."""

from __future__ import annotations

from typing import Any

from jobs.catalog.types import DATE, STRING, Column

DATA_ENGINEERING = "data-engineering"
MACHINE_LEARNING = "machine-learning"
TRUST_AND_SAFETY = "trust-and-safety"

DATE_COLUMN = Column("date", DATE, "Landing date: the night.", nullable=False, promised=True)
ACCOUNT = Column(
    "account_id", STRING, "The billed account.", nullable=False, personal="pseudonym", promised=True
)
KEY_ID = Column("key_id", STRING, "Which key made the row's tokens.", nullable=False)
SCORE: dict[str, Any] = {"minimum": 0.0, "maximum": 1.0}
