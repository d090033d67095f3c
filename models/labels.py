"""Which label an account has by a night, when people said several things about it.

The rule, in order:
1. only labels that had landed by the night;
2. the latest `labelled_at` wins, so an upheld appeal overturns all that was said before it;
3. at the same time an upheld appeal comes first, then the higher confidence (none is lowest);
4. then benign before resale before distillation: doubt is the customer's.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from models.definitions import LABELS
from models.errors import ModelInputError

APPEAL = "appeal_upheld"
REQUIRED = ("account_id", "label", "labelled_at", "date")


def resolve_labels(labels: pa.Table, night: date) -> pd.DataFrame:
    """One row an account: account_id, label, source, campaign, confidence, labelled_on, known_on.

    Args:
        labels: account_id, label, labelled_at (timestamp), date (landing date) and, where known,
            source, campaign, confidence (0 to 1).
        night: labels that landed after it are unknown.

    Raises:
        ModelInputError: a required column is missing.
    """
    missing = [name for name in REQUIRED if name not in labels.column_names]
    if missing:
        raise ModelInputError(
            f"the labels lack {', '.join(missing)}", "labels need the columns of the contract"
        )
    frame = pd.DataFrame(
        {
            "account_id": labels["account_id"].to_pylist(),
            "label": labels["label"].to_pylist(),
            "at": _microseconds(labels["labelled_at"]),
            "known_on": _days(labels["date"]),
            "source": _strings(labels, "source"),
            "campaign": _strings(labels, "campaign"),
            "confidence": _floats(labels, "confidence"),
        }
    )
    frame = frame[(frame["known_on"] <= days(night)) & frame["label"].isin(LABELS)].copy()
    frame["appeal"] = frame["source"] == APPEAL
    frame["sure"] = frame["confidence"].fillna(-1.0)
    frame["order"] = frame["label"].map({label: at for at, label in enumerate(LABELS)})
    frame = frame.sort_values(
        ["account_id", "at", "appeal", "sure", "order", "source", "campaign"],
        ascending=[True, False, False, False, True, True, True],
        kind="stable",
    )
    first = frame.drop_duplicates("account_id").reset_index(drop=True)
    first["labelled_on"] = np.floor_divide(first["at"].to_numpy(np.int64), 86_400_000_000)
    columns = ["account_id", "label", "source", "campaign", "confidence", "labelled_on"]
    return first[[*columns, "known_on"]]


def days(day: date) -> int:
    """Days since 1970-01-01, as Arrow's date32 counts."""
    return (day - date(1970, 1, 1)).days


def _days(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.date32()).cast(pa.int32()).to_numpy().astype(np.int64)


def _microseconds(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    else:
        column = column.cast(pa.timestamp("us"))
    return column.cast(pa.int64()).to_numpy()


def _strings(table: pa.Table, name: str) -> list[str]:
    if name not in table.column_names:
        return [""] * table.num_rows
    return [value or "" for value in table[name].to_pylist()]


def _floats(table: pa.Table, name: str) -> np.ndarray:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    values = table[name].cast(pa.float64()).to_numpy()
    return np.where(np.isfinite(values), np.clip(values, 0.0, 1.0), np.nan)
