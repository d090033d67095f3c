"""Dirt: what real logs have and no contract wants, put in on purpose and counted.

Spoiled records are extra ones: corrupted copies of true records under identifiers of their own,
so that every true record still arrives and every refused one is known.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from jobs.simulator.records import Columns
from jobs.simulator.settings import DirtRates

# Columns spoiled in each source: (integer or time that gets a word, required one that is lost).
_TYPED: Final = {
    "requests": ("input_tokens", "output_tokens", "status_code"),
    "accounts": ("created_at",),
    "labels": ("labelled_at",),
}
_REQUIRED: Final = {
    "requests": ("timestamp", "account_id", "request_model", "input_tokens", "status_code"),
    "accounts": ("created_at",),
    "labels": ("label",),
}
_WORDS: Final = ("n/a", "many", "unknown", "-", "12 apples")


@dataclass
class Counts:
    """Records of one source on one landing day.

    landed = kept + malformed + wrong_type + missing_required + out_of_range
    + duplicates_within_day + duplicates_across_days; late and unknown_columns are kept ones.
    """

    source: str
    landed: int = 0
    malformed: int = 0
    wrong_type: int = 0
    missing_required: int = 0
    out_of_range: int = 0
    duplicates_within_day: int = 0
    duplicates_across_days: int = 0
    late: int = 0
    unknown_columns: int = 0
    files: int = 0


@dataclass
class Spoiled:
    """Records to be written wrongly."""

    malformed: list[bytes] = field(default_factory=list)
    mistyped: list[dict[str, Any]] = field(default_factory=list)
    incomplete: list[dict[str, Any]] = field(default_factory=list)  # and out of range


def total(counts: list[Counts], date: str) -> list[dict[str, Any]]:
    """Sum a day's counts by source, with what should be kept."""
    rows = []
    for source in ("requests", "accounts", "labels"):
        parts = [asdict(c) for c in counts if c.source == source]
        if not parts:
            continue
        names = [n for n in parts[0] if n != "source"]
        row: dict[str, Any] = {"date": date, "source": source}
        row.update({n: sum(p[n] for p in parts) for n in names})
        refused = ("malformed", "wrong_type", "missing_required", "out_of_range",
                   "duplicates_within_day", "duplicates_across_days")  # fmt: skip
        row["kept"] = row["landed"] - sum(row[n] for n in refused)
        rows.append(row)
    return rows


def as_json(record: dict[str, Any]) -> bytes:
    """One JSON line of a record that is written by hand; nulls are left out."""
    kept = {
        name: value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value
        for name, value in record.items()
        if value is not None
    }
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _copies(
    columns: Columns, source: str, count: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Copies of random records under identifiers that no true record has."""
    rows = len(next(iter(columns.values())))
    records = []
    for row in rng.integers(0, rows, count):
        record = {name: array[int(row)].as_py() for name, array in columns.items()}
        if source == "requests":
            record["request_id"] = "req_" + rng.bytes(8).hex()
        elif source == "accounts":
            record["account_id"] = "acct_" + rng.bytes(8).hex()
        # Text in these columns is escaped already; a copy goes without.
        record.pop("prompt_text", None)
        record.pop("response_text", None)
        records.append(record)
    return records


def spoil(
    columns: Columns,
    source: str,
    rates: DirtRates,
    rng: np.random.Generator,
    jsonl: bool,
    counts: Counts,
) -> Spoiled:
    """Choose what to spoil in one file, and count it."""
    rows = len(next(iter(columns.values())))
    spoiled = Spoiled()
    if rows == 0 or rates == DirtRates.none():
        return spoiled
    amount = {
        "malformed": rng.poisson(rates.malformed * rows) if jsonl else 0,
        "wrong_type": rng.poisson(rates.wrong_type * rows),
        "missing_required": rng.poisson(rates.missing_required * rows),
        "out_of_range": rng.poisson(rates.out_of_range * rows) if source == "requests" else 0,
    }
    for i, record in enumerate(_copies(columns, source, amount["malformed"], rng)):
        spoiled.malformed.append(_malformed(as_json(record), i + int(rng.integers(4)), rng))
    for record in _copies(columns, source, amount["wrong_type"], rng):
        name = str(rng.choice(_TYPED[source])) if jsonl else _TYPED[source][0]
        record[name] = str(rng.choice(_WORDS))
        spoiled.mistyped.append(record)
    for record in _copies(columns, source, amount["missing_required"], rng):
        record[str(rng.choice(_REQUIRED[source]))] = None
        spoiled.incomplete.append(record)
    for record in _copies(columns, source, amount["out_of_range"], rng):
        record[str(rng.choice(["input_tokens", "output_tokens"]))] = -int(rng.integers(1, 900))
        spoiled.incomplete.append(record)
    for name, number in amount.items():
        setattr(counts, name, getattr(counts, name) + int(number))
        counts.landed += int(number)
    return spoiled


def _malformed(line: bytes, variant: int, rng: np.random.Generator) -> bytes:
    """A line that is no JSON object: cut off, not JSON, not UTF-8, or another kind of value."""
    match variant % 4:
        case 0:
            return line[: int(rng.integers(5, len(line) - 2))].rstrip(b"\n") + b"\n"
        case 1:
            return b"upstream connect error or disconnect before headers " + line[2:40] + b"\n"
        case 2:
            return line[:-2] + b',"note":"\xc3\x28 \xfe"}\n'
        case _:
            return b'["' + rng.bytes(6).hex().encode() + b'", 17]\n'


def stray_lines(
    lines: pa.Array, spoiled: Spoiled, rng: np.random.Generator
) -> list[tuple[int, bytes]]:
    """Spoiled records as lines, each with a place of its own in the file."""
    written = spoiled.malformed + [as_json(r) for r in spoiled.mistyped + spoiled.incomplete]
    return [(int(rng.integers(0, len(lines) + 1)), line) for line in written]


def repeat_rows(
    columns: Columns, rates: DirtRates, rng: np.random.Generator, counts: Counts
) -> Columns:
    """Write a few records twice."""
    rows = len(next(iter(columns.values())))
    extra = rng.integers(0, max(rows, 1), rng.poisson(rates.duplicate_within_day * rows))
    counts.duplicates_within_day += len(extra)
    counts.landed += len(extra)
    index = pa.array(np.sort(np.concatenate([np.arange(rows), extra]).astype(np.int64)))
    return {name: array.take(index) for name, array in columns.items()}


def unknown_column(
    columns: Columns, source: str, rates: DirtRates, rng: np.random.Generator, counts: Counts
) -> Columns:
    """Give a few records a column that the contract does not know."""
    rows = len(next(iter(columns.values())))
    if source != "requests" or counts.unknown_columns:  # the gateway adds one of its own
        return columns
    has = rng.random(rows) < rates.unknown_column
    if not has.any():
        return columns
    counts.unknown_columns += int(has.sum())
    return {**columns, "debug_sampling": pa.array(np.full(rows, 1.5), pa.float64(), mask=~has)}


def with_rows(table: pa.Table, records: list[dict[str, Any]], rng: np.random.Generator) -> pa.Table:
    """Put records into a table at random places."""
    extra = pa.Table.from_pylist(records, schema=table.schema)
    at = np.sort(rng.integers(0, table.num_rows + 1, len(records)))
    parts, last = [], 0
    for i, position in enumerate(at):
        parts += [table.slice(last, int(position) - last), extra.slice(i, 1)]
        last = int(position)
    return pa.concat_tables([*parts, table.slice(last)])


def mistyped_table(schema: pa.Schema, records: list[dict[str, Any]]) -> pa.Table:
    """Records with words where the contract has numbers: a file with another schema."""
    fields = []
    for f in schema:
        words = any(isinstance(record.get(f.name), str) for record in records)
        fields.append(pa.field(f.name, pa.string() if words else f.type))
    return pa.Table.from_pylist(records, schema=pa.schema(fields))
