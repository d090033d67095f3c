"""Where every landed record went: kept, refused or duplicate, by file; and which columns came."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.catalog.landing import SOURCES
from jobs.catalog.tables import TABLES
from jobs.ingest.treatment import holder, shown_name
from jobs.platform.errors import LakeError
from jobs.platform.lake import Lake, arrow_schema

if TYPE_CHECKING:
    from jobs.ingest import Staged

_QUARANTINE = "source string, file string, line long, reason string, record string"


def landed(staged: Staged, duplicates: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Rows of `landing_files` and of `source_columns`, from one pass over the valid records."""
    columns = {column.name: holder(column) for column in staged.source.columns}
    counted = [] if staged.valid is None else (
        staged.valid.groupBy("file_no")
        .agg(
            F.count(F.lit(1)).alias("records"),
            F.count(F.when(F.size("unknown") > 0, True)).alias("with_unknown"),
            *(F.count(value).alias(f"n_{name}") for name, value in columns.items()),
        )
        .toArrow()
        .to_pylist()
    )  # fmt: skip
    return _files(staged, counted, duplicates), _columns(staged, counted)


def _files(staged: Staged, counted: list[dict[str, Any]], duplicates: pa.Table) -> pa.Table:
    valid = {row["file_no"]: row["records"] for row in counted}
    refused = _by_file(staged.refused)
    doubled = {
        int(item["values"]): int(item["counts"])
        for item in duplicates["file_no"].combine_chunks().value_counts().to_pylist()
    }
    rows = []
    for file in staged.files:
        whole = int(file.problem is not None)
        good, bad = valid.get(file.number, 0), refused.get(file.number, 0) + whole
        if file.row_groups and good + bad != file.rows:
            raise LakeError(
                f"{file.relative} holds {file.rows} rows and {good + bad} were read; nothing was "
                "published: see whether the file is still being written"
            )
        double = doubled.get(file.number, 0)
        rows.append({
            "source": staged.source.name, "file": file.relative, "format": file.format,
            "bytes": file.bytes, "landed": good + bad, "kept": good - double,
            "quarantined": bad, "duplicates": double,
        })  # fmt: skip
    return pa.Table.from_pylist(rows, schema=_schema("landing_files"))


def _by_file(frame: DataFrame | None) -> dict[int, int]:
    if frame is None:
        return {}
    found = frame.groupBy("file_no").agg(F.count(F.lit(1)).alias("n")).toArrow()
    return dict(zip(found["file_no"].to_pylist(), found["n"].to_pylist(), strict=True))


def _columns(staged: Staged, counted: list[dict[str, Any]]) -> pa.Table:
    """How many valid records have a value in each landing column."""
    source = staged.source
    records = sum(row["records"] for row in counted)
    rows = [
        {"source": source.name, "column_name": c.name, "declared": True, "records": records,
         "present": (n := sum(row[f"n_{c.name}"] for row in counted)), "available": n > 0}
        for c in source.columns
    ] + [
        {"source": source.name, "column_name": name, "declared": False, "records": records,
         "present": n, "available": False}
        for name, n in sorted(_unknown(staged, counted).items())
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=_schema("source_columns"))


def _unknown(staged: Staged, counted: list[dict[str, Any]]) -> dict[str, int]:
    unknown: dict[str, int] = {}
    if staged.valid is not None and any(row["with_unknown"] for row in counted):
        named = (
            staged.valid.select(F.explode("unknown").alias("name"))
            .groupBy("name")
            .agg(F.count(F.lit(1)).alias("n"))
            .toArrow()
        )
        unknown = dict(zip(named["name"].to_pylist(), named["n"].to_pylist(), strict=True))
    for file in staged.files:
        for name in file.unknown:
            shown = shown_name(name)
            unknown[shown] = unknown.get(shown, 0) + file.rows
    return unknown


def quarantined(session: SparkSession, batches: Sequence[Staged]) -> DataFrame:
    """Refused records of all sources, and one for each file that can't be read at all."""
    unreadable = [
        (batch.source.name, file.relative, 0, file.problem, None)
        for batch in batches
        for file in batch.files
        if file.problem is not None
    ]
    frames = [session.createDataFrame(unreadable, _QUARANTINE)]
    refused = [
        batch.refused.select(
            F.lit(batch.source.name).alias("source"), "file_no", "line",
            F.col("problem").alias("reason"), F.col("masked").alias("record"),
        )
        for batch in batches
        if batch.refused is not None
    ]  # fmt: skip
    if refused:
        names = session.createDataFrame(
            [(batch.source.name, f.number, f.relative) for batch in batches for f in batch.files],
            "source string, file_no int, file string",
        )
        frames.append(
            reduce(DataFrame.unionByName, refused)
            .join(F.broadcast(names), ["source", "file_no"], "inner")
            .select("source", "file", "line", "reason", "record")
        )
    return reduce(DataFrame.unionByName, frames)


def require_sum(files: pa.Table, lake: Lake, date: dt.date) -> None:
    """What was counted must be what the tables hold: nothing is lost without a trace.

    Raises:
        LakeError: a table holds more or fewer of the night's records than were counted.
    """
    rows = files.to_pylist()
    wanted = {
        source: sum(row["kept"] for row in rows if row["source"] == source) for source in SOURCES
    }
    wanted["quarantine"] = sum(row["quarantined"] for row in rows)
    for table, n in wanted.items():
        if lake.rows_written[table] != n:
            raise LakeError(
                f"{table} of {date}: {n} records were counted and the table holds "
                f"{lake.rows_written[table]}; nothing downstream was published"
            )


def _schema(table: str) -> pa.Schema:
    schema = arrow_schema(TABLES[table])
    return schema.remove(schema.get_field_index("date"))
