"""A day's landing files as frames of judged records, all of them in their declared types.

Lines and Parquet rows of undeclared types are read as text and typed here; so are typed Parquet
rows of a small day, since each further frame costs an engine more to plan than they cost to read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.catalog.landing import Source
from jobs.ingest import privacy, reading, validation
from jobs.platform.sizing import reading_tasks

#: Typed Parquet rows above which a frame of their own pays.
TYPED_ROWS = 100_000


def judged_records(
    session: SparkSession,
    engine: str,
    source: Source,
    files: Sequence[reading.LandingFile],
    date: dt.date,
) -> list[DataFrame]:
    """At most two frames: file_no, line, problem, masked, unknown, and the source's columns in
    their declared types. `problem` is null for a record that holds to its declaration."""
    frames = []
    typed = _typed(files)
    texts = _texts(session, engine, source, [f for f in files if f not in typed])
    if texts is not None:
        frames.append(_judged(texts, source, date, typed=False))
    if typed:
        reader = reading.ReadRows(source, typed=True)
        rows = _units(session, engine, typed, reader, reading.row_schema(source, typed=True))
        frames.append(_judged(_with_line_columns(rows, source), source, date, typed=True))
    return frames


def raw_texts(
    session: SparkSession,
    engine: str,
    source: Source,
    files: Sequence[reading.LandingFile],
    names: list[str],
) -> DataFrame | None:
    """Some of the source's columns as text, unjudged; None where there are no records."""
    frame = _texts(session, engine, source, files)
    return None if frame is None else frame.select(*names)


def _typed(files: Sequence[reading.LandingFile]) -> list[reading.LandingFile]:
    typed = [f for f in files if f.shape == "typed" and f.row_groups]
    return typed if sum(f.rows for f in typed) > TYPED_ROWS else []


def _texts(
    session: SparkSession, engine: str, source: Source, files: Sequence[reading.LandingFile]
) -> DataFrame | None:
    """Lines and rows in one frame: file_no, line, problem, value (the line), unknown, texts."""
    frames = []
    lines = [f for f in files if f.shape == "lines"]
    if lines:
        read = _units(session, engine, lines, reading.read_lines, reading.LINE_SCHEMA)
        frames.append(_flattened(read, source))
    rows = [f for f in files if f.row_groups]
    if rows:
        reader = reading.ReadRows(source, typed=False)
        read = _units(session, engine, rows, reader, reading.row_schema(source, typed=False))
        frames.append(_with_line_columns(read, source))
    return reduce(DataFrame.unionByName, frames) if frames else None


def _units(
    session: SparkSession,
    engine: str,
    files: Sequence[reading.LandingFile],
    reader: Callable[..., object],
    schema: str,
) -> DataFrame:
    units = [
        (f.path, f.number, f.format, *groups)
        for f in files
        for groups in (f.row_groups or ((0, 0, 0),))
    ]
    frame = session.createDataFrame(
        units,
        "path string, file_no int, format string, first_group int, past_group int, first_row long",
    )
    tasks = reading_tasks(len(units), sum(f.bytes for f in files), engine)
    return frame.repartition(tasks).mapInArrow(reader, schema)  # type: ignore[arg-type]


def _flattened(lines: DataFrame, source: Source) -> DataFrame:
    """Lines of JSON to the source's columns as texts, and the names of undeclared ones."""
    schema = ", ".join(f"`{column.name}` string" for column in source.columns)
    known = [column.name for column in source.columns]
    keys = F.col("keys")
    return (
        lines.withColumn("keys", F.json_object_keys("value"))
        .select(
            "file_no", "line", "value",
            F.coalesce(
                "problem",
                F.when(keys.isNull(), F.lit("not a JSON object")),
                # Which of the two is meant can't be known, and the engines take different ones.
                F.when(F.size(F.array_distinct(keys)) < F.size(keys),
                       F.lit("the same key twice in a JSON object")),
                F.when(~_stands_alone(F.col("value")), F.lit("text after the JSON object")),
            ).alias("problem"),
            F.filter(keys, lambda name: ~name.isin(known)).alias("unknown"),
            F.from_json("value", schema).alias("record"),
        )
        .select(
            "file_no", "line",
            # Also where a JSON parser gave up half-way, as at a number of 400 digits.
            F.coalesce(
                "problem",
                F.when(F.coalesce(*(F.col(f"record.{name}") for name in known)).isNull(),
                       F.lit("no column of the contract can be read")),
            ).alias("problem"),
            "unknown", "value",
            *(F.col(f"record.{name}").alias(name) for name in known),
        )
    )  # fmt: skip


def _stands_alone(line: Column) -> Column:
    """Whether nothing follows the JSON object: Spark would leave it unread, Sail the whole line.

    Only where a line looks as if another object did is it parsed once more, as a list.
    """
    elements = F.json_array_length(F.concat(F.lit("["), line, F.lit("]")))
    return (
        F.when(~line.rlike("[}][ \t\r\n]*$"), False)
        .when(line.rlike("[}][ \t\r\n,]*[{]"), F.coalesce(elements, F.lit(0)) == 1)
        .otherwise(True)
    )


def _with_line_columns(rows: DataFrame, source: Source) -> DataFrame:
    """Parquet rows with the columns that only lines have; their schema tells what is unknown."""
    return rows.select(
        "file_no", "line", "problem",
        F.lit(None).cast("array<string>").alias("unknown"),
        F.lit(None).cast("string").alias("value"),
        *(column.name for column in source.columns),
    )  # fmt: skip


def _judged(frame: DataFrame, source: Source, date: dt.date, typed: bool) -> DataFrame:
    """Type the source's columns and say what is wrong with each record, the first thing only."""
    texts = {c.name: F.nullif(F.col(c.name).cast("string"), F.lit("")) for c in source.columns}
    values: dict[str, Column] = {}
    problems = [F.col("problem")]
    for column in source.columns:
        if typed:
            value = F.col(column.name)
            values[column.name] = F.nullif(value, F.lit("")) if column.type == "string" else value
        else:
            problems.append(validation.unreadable(column, texts[column.name]))
            values[column.name] = validation.parsed(column, texts[column.name])
        problems.append(validation.breaks(column, values[column.name], source, date))
    problem = F.coalesce(*problems)
    return frame.select(
        "file_no", "line", problem.alias("problem"),
        # What could not be read as a record has no values to mask, only its line.
        F.when(F.col("problem").isNotNull(), privacy.masked_line(F.col("value")))
        .when(problem.isNotNull(), privacy.masked_record(source, texts))
        .alias("masked"),
        "unknown",
        *(values[c.name].alias(c.name) for c in source.columns),
    )  # fmt: skip
