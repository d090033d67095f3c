"""The same records make the same rows, however they are written."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from lake_compare import assert_same_tables
from landing_days import (
    ABSENT,
    Ingested,
    LandingDays,
    account,
    ingest,
    label,
    request,
    typed_table,
)

REQUESTS = [
    request(1),
    request(2, client_address="2001:DB8::1", user_agent="Mozilla/5.0 (X11)", temperature=0.1),
    request(3, **dict.fromkeys(("organization_id", "channel", "client_address", "temperature",
                                "logprobs", "max_tokens", "prompt_text", "tls_ja4"))),
    request(4, timestamp="2026-04-30T00:00:00Z", temperature=2, prompt_text="数を数えて 12"),
    request(5, input_tokens=-1),
    request(6, timestamp="2026-05-03T23:59:59.5Z", client_address="tok_9", top_p=0.123456789012),
    request(1, output_tokens=99),
]  # fmt: skip
ACCOUNTS = [account(1), account(2, signup_address="::1", declared_use="none", kyc_level=None),
            account(3, plan="gold"), account(1, status="closed")]  # fmt: skip
LABELS = [label(1), label(1, labelled_at="2026-05-02T08:00:00Z"), label(2, campaign=None)]


def put(root: Path, write) -> Path:
    landing = LandingDays(root / "landing").quiet()
    for source, records in (("requests", REQUESTS), ("accounts", ACCOUNTS), ("labels", LABELS)):
        write(landing, source, records)
    return landing.root


@pytest.fixture(scope="module")
def from_lines(session, tmp_path_factory) -> Ingested:
    root = tmp_path_factory.mktemp("formats_lines")
    landing = put(root, lambda days, source, rows: days.put(f"{source}/x.jsonl", rows))
    return ingest(session, landing, root / "lake")


def narrow(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Another type that holds the same values, as other writers choose it."""
    kind = column.type
    if pa.types.is_string(kind):
        return column.dictionary_encode()
    if pa.types.is_int64(kind):
        return column.cast(pa.float64())  # pandas does so for whole numbers with gaps
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("ns", tz="Asia/Kolkata"))
    if pa.types.is_float64(kind):
        return column.cast(pa.large_string())
    return column.cast(pa.string())


def wide(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_string(kind):
        return column.cast(pa.large_binary())
    if pa.types.is_int64(kind):
        return column.cast(pa.decimal128(20, 0))
    if pa.types.is_timestamp(kind):
        return pa.chunked_array([column.cast(pa.timestamp("us", tz="UTC")).combine_chunks()
                                 .cast(pa.timestamp("us"))])  # fmt: skip
    return column


def retyped(change):
    def write(days: LandingDays, source: str, rows) -> None:
        table = typed_table(source, rows)
        columns = {name: change(table[name]) for name in table.column_names}
        days.put(f"{source}/x.parquet", pa.table(columns))

    return write


WRITERS = {
    "gzipped lines": lambda days, source, rows: days.put(f"{source}/x.jsonl.gz", rows),
    "typed Parquet": lambda days, source, rows: days.put(f"{source}/x.parquet", rows),
    "Parquet of narrower types": retyped(narrow),
    "Parquet of wider types": retyped(wide),
}


@pytest.mark.parametrize("written", WRITERS)
def test_every_format_makes_the_rows_that_lines_make(session, tmp_path, from_lines, written):
    landing = put(tmp_path, WRITERS[written])
    assert_same_rows(ingest(session, landing, tmp_path / "lake"), from_lines)


def test_a_large_days_typed_rows_make_the_same(session, tmp_path, from_lines, monkeypatch):
    monkeypatch.setattr("jobs.ingest.records.TYPED_ROWS", 0)
    landing = put(tmp_path, WRITERS["typed Parquet"])
    assert_same_rows(ingest(session, landing, tmp_path / "lake"), from_lines)


def test_a_day_in_every_format_at_once_makes_the_same(session, tmp_path, from_lines):
    """One record a file, formats in turn: the order of files is the order of records."""
    endings = ("jsonl", "parquet", "jsonl.gz")

    def write(days: LandingDays, source: str, rows) -> None:
        for n, row in enumerate(rows):
            days.put(f"{source}/{n}.{endings[n % 3]}", [row])

    assert_same_rows(ingest(session, put(tmp_path, write), tmp_path / "lake"), from_lines)


def assert_same_rows(found: Ingested, wanted: Ingested) -> None:
    for table in ("requests", "accounts", "labels"):
        assert sorted(found.rows(table), key=repr) == sorted(wanted.rows(table), key=repr)
    sums = [tuple(map(sum, zip(*i.counts().values(), strict=True))) for i in (found, wanted)]
    assert sums[0] == sums[1]
    reasons = [sorted(i.reasons().values()) for i in (found, wanted)]
    assert reasons[0] == reasons[1]


def test_rows_are_those_that_landed(from_lines):
    """The one comparison with values written out, on which the others rest."""
    rows = from_lines.requests()
    assert set(rows) == {"r1", "r2", "r3", "r4", "r6"}
    assert rows["r1"]["output_tokens"] == 34  # the first of equal ids
    assert rows["r4"]["temperature"] == 2.0
    assert rows["r6"]["event_time"] == dt.datetime(2026, 5, 3, 23, 59, 59, 500_000, dt.UTC)
    assert rows["r6"]["top_p"] == 0.123456789012
    assert rows["r6"]["network_token"] is None
    assert {rows["r3"][name] for name in ("channel", "max_tokens", "address_token", "logprobs",
                                          "prompt_key", "tls_token")} == {None}  # fmt: skip
    assert sorted(row["account_id"] for row in from_lines.rows("accounts")) == ["a1", "a2"]
    assert [row["declared_use_chars"] for row in from_lines.rows("accounts")] == [10, 0]


def test_columns_that_are_missing_are_null(session, tmp_path):
    least = {name: request(1)[name] for name in (
        "request_id", "timestamp", "account_id", "request_model", "input_tokens",
        "output_tokens", "status_code")}  # fmt: skip
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/a.jsonl", [least])
    landing.put("requests/b.parquet", [least | {"request_id": "r2"}])
    landing.put("requests/c.jsonl", [request(3, status_code=ABSENT)])
    rows = ingest(session, landing.root, tmp_path / "lake").requests()
    assert set(rows) == {"r1", "r2"}
    for row in rows.values():
        present = {name for name, value in row.items() if value is not None}
        assert present == {*least, "event_time", "date", "key_id"} - {"timestamp"}


def test_a_night_again_makes_the_same_tables(session, tmp_path):
    landing = put(tmp_path, WRITERS["typed Parquet"])
    ingest(session, landing, tmp_path / "lake")
    ingest(session, landing, tmp_path / "other")
    ingest(session, landing, tmp_path / "other")
    assert_same_tables(tmp_path / "lake", tmp_path / "other")
