"""Are two lakes the same, row by row?

Every declared table is read with delta-rs, sorted by its key and compared column by column:
floats to 1e-9 relative, everything else exactly. What is a clock or a random name by nature is
left out: the run log, and the MLflow run that a decision names.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.catalog.tables import TABLES
from jobs.platform.lake import arrow_schema
from jobs.platform.storage import delta_options

TOLERANCE = 1e-9
#: What two runs of the same night can't have in common.
TABLES_LEFT_OUT = frozenset({"run_log"})
COLUMNS_LEFT_OUT = frozenset({"run_id"})


def assert_same_tables(
    lake_a: Path | str,
    lake_b: Path | str,
    dates: list[str] | None = None,
    tables: Collection[str] = TABLES,
) -> None:
    """Fail unless every table holds the same rows in both lakes, on all nights or on `dates`.

    A lake is a folder or the address of one in an object store. A table that one lake lacks
    counts as empty. The message names each table that differs with the first row in which it
    does.
    """
    differences = [
        said
        for name in tables
        if name not in TABLES_LEFT_OUT
        and (said := _difference(name, _rows(lake_a, name, dates), _rows(lake_b, name, dates)))
    ]
    assert not differences, f"{lake_a} and {lake_b} differ:\n" + "\n".join(differences)


def _rows(lake: Path | str, name: str, dates: list[str] | None) -> pa.Table:
    """The table's rows in order of its key; rows with the same key in order of their values."""
    declared = arrow_schema(TABLES[name])
    path = f"{lake}/{name}"
    options = delta_options(path)
    if not DeltaTable.is_deltatable(path, options):
        return declared.empty_table()
    filters = None
    if dates is not None:
        filters = [("date", "in", [dt.date.fromisoformat(date) for date in dates])]
    rows = DeltaTable(path, storage_options=options).to_pyarrow_table(filters=filters)
    # By name: what an engine names the elements of a list is no difference.
    rows = pa.table({field.name: rows[field.name].cast(field.type) for field in declared})
    rows = rows.drop_columns([c for c in rows.column_names if c in COLUMNS_LEFT_OUT])
    key = [c for c in TABLES[name].key if c in rows.column_names]
    rest = [
        c for c in rows.column_names
        if c not in key and not pa.types.is_nested(rows.schema.field(c).type)
        and not pa.types.is_floating(rows.schema.field(c).type)
    ]  # fmt: skip
    return rows.sort_by([(c, "ascending") for c in (*key, *rest)])


def _difference(name: str, a: pa.Table, b: pa.Table) -> str | None:
    key = [c for c in TABLES[name].key if c in a.column_names]
    if a.num_rows != b.num_rows or any(not a[c].equals(b[c]) for c in key):
        return f"{name}: {a.num_rows} and {b.num_rows} rows; {_keys_apart(a, b, key)}"
    said = []
    for column in a.column_names:
        apart = _rows_apart(a[column], b[column])
        if len(apart):
            row = int(apart[0])
            where = {c: str(a[c][row].as_py()) for c in key}
            said.append(
                f"{name}.{column} differs in {len(apart)} of {a.num_rows} rows, first where "
                f"{where}: {a[column][row].as_py()!r} and {b[column][row].as_py()!r}"
            )
    return "\n".join(said) or None


def _keys_apart(a: pa.Table, b: pa.Table, key: list[str]) -> str:
    left, right = (
        {tuple(map(str, row.values())) for row in t.select(key).to_pylist()} for t in (a, b)
    )
    return (
        f"only in the first: {sorted(left - right)[:3]}, only in the second: "
        f"{sorted(right - left)[:3]} (by {', '.join(key)})"
    )


def _rows_apart(a: pa.ChunkedArray, b: pa.ChunkedArray) -> np.ndarray:
    """Numbers of the rows that differ."""
    if pa.types.is_floating(a.type):
        left, right = (c.to_numpy(zero_copy_only=False) for c in (a, b))
        same = np.isclose(left, right, rtol=TOLERANCE, atol=1e-12, equal_nan=True)
        return np.flatnonzero(~(same & (_nulls(a) == _nulls(b))))
    if a.equals(b):
        return np.array([], int)
    if pa.types.is_nested(a.type):
        return np.flatnonzero([x != y for x, y in zip(a.to_pylist(), b.to_pylist(), strict=True)])
    unequal = np.flatnonzero(
        pc.fill_null(pc.not_equal(a, b), False).to_numpy(zero_copy_only=False)
        | (_nulls(a) != _nulls(b))
    )
    if pa.types.is_string(a.type):
        return np.array([i for i in unequal if not _same_json(a[i].as_py(), b[i].as_py())], int)
    return unequal


def _nulls(column: pa.ChunkedArray) -> np.ndarray:
    nulls: np.ndarray = column.is_null().to_numpy(zero_copy_only=False)
    return nulls


def _same_json(a: str | None, b: str | None) -> bool:
    """Whether two texts are the same JSON objects but for the last digits of their floats."""
    if not (a or "").startswith("{") or not (b or "").startswith("{"):
        return False
    try:
        return _close(json.loads(str(a)), json.loads(str(b)))
    except ValueError:
        return False


def _close(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_close(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_close, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return bool(np.isclose(a, b, rtol=TOLERANCE, atol=1e-12, equal_nan=True))
    return bool(a == b)
