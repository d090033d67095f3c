"""Contradictory labels end by the declared rule, whatever order they come in."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from models.errors import ModelInputError
from models.labels import resolve_labels

NIGHT = date(2026, 5, 20)


def label(
    account: str,
    label: str,
    day: int,
    source: str = "analyst",
    confidence: float | None = None,
    landed: int | None = None,
    campaign: str | None = None,
) -> dict[str, object]:
    return {
        "account_id": account,
        "label": label,
        "labelled_at": datetime(2026, 5, day, 12, tzinfo=UTC),
        "date": date(2026, 5, landed or day),
        "source": source,
        "confidence": confidence,
        "campaign": campaign,
    }


ROWS = [
    label("later", "distillation", 3),
    label("later", "benign", 9),  # <- the later word
    label("appealed", "distillation", 3, "confirmed_ban", 1.0),
    label("appealed", "benign", 3, "appeal_upheld", 0.1),  # <- same time, but an appeal
    label("caught again", "benign", 5, "appeal_upheld"),
    label("caught again", "distillation", 8),  # <- after the appeal, so it stands
    label("voided", "distillation", 4, confidence=1.0),
    label("voided", "resale", 2),
    label("voided", "benign", 6, "appeal_upheld"),  # <- overturns both
    label("surer", "distillation", 7, confidence=0.9),  # <- surer of two at the same time
    label("surer", "benign", 7, confidence=0.6),
    label("unsure", "distillation", 7),  # no confidence: lowest
    label("unsure", "resale", 7, confidence=0.1),  # <- any confidence beats none
    label("doubt", "distillation", 7, confidence=0.5),
    label("doubt", "resale", 7, confidence=0.5),  # <- the milder of two equals
    label("unknown yet", "benign", 1),  # <- known
    label("unknown yet", "distillation", 2, landed=21),  # lands after the night
    label("not a label", "guilty", 2),  # nobody declared such a label
]
WANTED = {
    "later": "benign",
    "appealed": "benign",
    "caught again": "distillation",
    "voided": "benign",
    "surer": "distillation",
    "unsure": "resale",
    "doubt": "resale",
    "unknown yet": "benign",
}


@pytest.mark.parametrize("seed", range(5))
def test_each_account_gets_the_label_of_the_rule_in_any_order(seed: int) -> None:
    rows = random.Random(seed).sample(ROWS, len(ROWS))
    resolved = resolve_labels(pa.Table.from_pylist(rows), NIGHT)
    assert dict(zip(resolved["account_id"], resolved["label"], strict=True)) == WANTED


def test_a_label_of_the_future_waits_for_its_night() -> None:
    table = pa.Table.from_pylist(ROWS)
    resolved = resolve_labels(table, date(2026, 5, 21)).set_index("account_id")
    assert resolved.loc["unknown yet", "label"] == "distillation"


def test_columns_that_may_be_missing_may_be_missing() -> None:
    table = pa.Table.from_pylist(ROWS).select(["account_id", "label", "labelled_at", "date"])
    resolved = resolve_labels(table, NIGHT).set_index("account_id")
    # Without sources nothing is an appeal: the later word stands.
    assert resolved.loc["later", "label"] == "benign"
    assert resolved.loc["appealed", "label"] == "benign"  # the milder of two equals


def test_missing_required_columns_are_named() -> None:
    table = pa.Table.from_pylist(ROWS).drop_columns(["labelled_at", "date"])
    with pytest.raises(ModelInputError, match="lack labelled_at, date"):
        resolve_labels(table, NIGHT)
