"""What landed today, and what of it can be trusted?

Reads the landing folder of one date and the requests of the days that a record could repeat.
Writes requests, accounts, labels, quarantine, landing_files, source_columns and, where a setting
says so, request_text. Personal data in clear goes no further than this package.
Harm if late: nothing downstream runs; yesterday's actions stay in force until they expire.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.catalog.landing import SOURCES, LandingColumn, Source
from jobs.catalog.tables import TABLES
from jobs.ingest import privacy, reading, sketching, validation
from jobs.platform.errors import LakeError
from jobs.platform.keys import TokenKey, load_key, require_key_of_lake

if TYPE_CHECKING:
    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings

#: An e-mail domain is written in clear only where this many accounts of a day use it: fewer may
#: be one person's own.
COMMON_DOMAIN_ACCOUNTS = 10
_DOMAIN = "^[a-z0-9-]{1,63}([.][a-z0-9-]{1,63}){1,4}$"
#: Unknown columns are named where the name is a plain word; another is shown by its shape.
_PLAIN_NAME = "^[a-z][a-z_]{0,39}$"


def run(lake: Lake, date: dt.date) -> None:
    settings = lake.settings
    key = load_key()
    require_key_of_lake(Path(lake.root), key)
    staging = Path(lake.root) / "_staging" / date.isoformat()
    counted: list[pa.Table] = []
    columns: list[pa.Table] = []
    refused: list[DataFrame] = []
    try:
        # Every source is read and its files looked for before any table changes.
        staged = [
            stage(lake.session, settings, source, date, key, staging / source.name)
            for source in SOURCES.values()
        ]
        for batch in staged:
            kept, duplicates = deduplicated(lake, batch, date)
            lake.write_night(batch.source.name, date, kept.withColumn("key_id", F.lit(key.id)))
            if batch.source.name == "requests" and settings.keep_text:
                lake.write_night("request_text", date, kept)
            counted.append(file_counts(batch, duplicates))
            columns.append(column_counts(batch))
            refused.append(quarantined(batch))
        lake.replace_night("landing_files", date, pa.concat_tables(counted))
        lake.replace_night("source_columns", date, pa.concat_tables(columns))
        lake.write_night("quarantine", date, refused[0].unionByName(refused[1]).unionByName(
            refused[2]))  # fmt: skip
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    _require_sum(pa.concat_tables(counted), lake, date)


@dataclass(frozen=True)
class Staged:
    """One source's records of one landing date, read once: typed, tokenised, judged."""

    source: Source
    files: list[reading.LandingFile]
    #: Records that hold to their declaration and those that do not; None where there are none.
    valid: DataFrame | None
    refused: DataFrame | None


def stage(
    session: SparkSession,
    settings: Settings,
    source: Source,
    date: dt.date,
    key: TokenKey,
    folder: Path,
) -> Staged:
    """Read the day's files, judge every record and write the result where later passes read it.

    Parsing and sketching cost most of a night; a second pass over what they made costs little.
    """
    files = reading.landing_files(settings.landing_root, source, date)
    parts = _records(session, source, files, date)
    if not parts:
        return Staged(source, files, None, None)
    domains = _common_domains(parts) if source.name == "accounts" else []
    frames = [_treated(part, source, key, domains, settings.keep_text) for part in parts]
    union = frames[0]
    for frame in frames[1:]:
        union = union.unionByName(frame)
    try:
        # Apart, not by a filter: Sail tests a Delta table's NOT NULL before a filter below a join.
        union.withColumn("refused", F.col("problem").isNotNull().cast("int")).write.mode(
            "overwrite"
        ).partitionBy("refused").parquet(str(folder))
    except Exception as error:
        raise LakeError(
            f"{source.name} of {date} can't be staged under {folder.parent}: "
            + ("no space left on the device; free some and run the same night again"
               if "space" in str(error).lower() else " ".join(str(error).split())[:200])
        ) from error  # fmt: skip
    parts_of = {
        flag: session.read.parquet(str(path))
        for flag in (0, 1)
        if any((path := folder / f"refused={flag}").glob("*.parquet"))
    }
    return Staged(source, files, parts_of.get(0), parts_of.get(1))


def _records(
    session: SparkSession, source: Source, files: list[reading.LandingFile], date: dt.date
) -> list[DataFrame]:
    """One frame for each way of reading: file_no, line, problem, masked, unknown, and the
    source's columns in their declared types."""
    parts = []
    lines = [f for f in files if f.shape == "lines"]
    if lines:
        parts.append(_from_lines(_units(session, lines, reading.read_lines, reading.LINE_SCHEMA),
                                 source, date))  # fmt: skip
    for typed in (True, False):
        rows = [f for f in files if f.shape == ("typed" if typed else "untyped") and f.row_groups]
        if rows:
            reader = reading.ReadRows(source, typed)
            frame = _units(session, rows, reader, reading.row_schema(source, typed))
            parts.append(_judged(frame, source, date, typed))
    return parts


def _units(
    session: SparkSession,
    files: list[reading.LandingFile],
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
    # One task for each unit: a large file must not wait behind another in the same task.
    return frame.repartition(len(units)).mapInArrow(reader, schema)  # type: ignore[arg-type]


def _from_lines(lines: DataFrame, source: Source, date: dt.date) -> DataFrame:
    schema = ", ".join(f"`{column.name}` string" for column in source.columns)
    known = [column.name for column in source.columns]
    keys = F.json_object_keys("value")
    read = lines.select(
        "file_no", "line", "value",
        F.coalesce("problem", F.when(keys.isNull(), F.lit("not a JSON object"))).alias("problem"),
        F.array_distinct(F.filter(keys, lambda name: ~name.isin(known))).alias("unknown"),
        F.from_json("value", schema).alias("record"),
    )  # fmt: skip
    flat = read.select(
        "file_no", "line", "problem", "unknown", "value",
        *(F.col(f"record.{column.name}").alias(column.name) for column in source.columns),
    )  # fmt: skip
    return _judged(flat, source, date, typed=False)


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
    whole = privacy.masked_record(source, texts)
    masked = whole
    if "value" in frame.columns:
        masked = F.when(F.col("problem").isNotNull(), privacy.masked_line(F.col("value")))
        masked = masked.otherwise(whole)
    problem = F.coalesce(*problems)
    unknown = F.col("unknown") if "unknown" in frame.columns else F.lit(None)
    return frame.select(
        "file_no", "line", problem.alias("problem"),
        F.when(problem.isNotNull(), masked).alias("masked"),
        unknown.cast("array<string>").alias("unknown"),
        *(values[c.name].alias(c.name) for c in source.columns),
    )  # fmt: skip


def _treated(
    frame: DataFrame, source: Source, key: TokenKey, domains: list[str], keep_text: bool
) -> DataFrame:
    """Personal data into tokens and text into a sketch; a refused record keeps only its mask."""
    valid = F.col("problem").isNull()
    columns: list[Column] = []
    for column in source.columns:
        value = F.when(valid, F.col(column.name))
        columns += _treatment(column, value, key, domains, source)
    shown = F.transform(
        F.col("unknown"),
        lambda name: F.when(name.rlike(_PLAIN_NAME), name).otherwise(
            F.substring(privacy.shape(name), 1, 40)
        ),
    )
    treated = frame.select(
        "file_no", "line", "problem", "masked", shown.alias("unknown"),
        F.xxhash64(*(F.col(name).cast("string") for name in source.key)).alias("key_hash"),
        *columns,
    )  # fmt: skip
    if source.name != "requests":
        return treated
    key_seed = key.sketch_seed
    if not keep_text:
        return sketching.with_sketch(treated, key_seed)
    texts = treated.withColumn("_prompt", F.col("prompt_text")).withColumn(
        "_response", F.col("response_text")
    )
    return sketching.with_sketch(texts, key_seed).withColumnsRenamed(
        {"_prompt": "prompt_text", "_response": "response_text"}
    )


def _treatment(
    column: LandingColumn, value: Column, key: TokenKey, domains: list[str], source: Source
) -> list[Column]:
    name = column.name
    match column.treatment:
        case "address":
            stem = "signup_" if name.startswith("signup") else ""
            address = privacy.canonical_address(value)
            return [
                privacy.token(key, "address", address).alias(f"{stem}address_token"),
                privacy.token(key, "network", privacy.network(address)).alias(
                    f"{stem}network_token"
                ),
            ]
        case "token":
            stem = {"tls_ja4": "tls", "payment_fingerprint": "payment"}.get(
                name, name.removesuffix("_token")
            )
            return [privacy.token(key, stem, value).alias(f"{stem}_token")]
        case "user_agent":
            return [
                privacy.product(value).alias("client"),
                privacy.token(key, "user_agent", value).alias("user_agent_token"),
            ]
        case "email_domain":
            domain = F.lower(value)
            return [
                F.when(domain.isin(domains), domain).alias(name),
                privacy.token(key, "email_domain", domain).alias("email_domain_token"),
            ]
        case "shape":
            return [F.substring(privacy.shape(value), 1, 64).alias(name)]
        case "length":
            # A response's length is part of the sketch; what an account declared is not text to
            # look into.
            if source.name == "requests":
                return [value.alias(name)]
            length = F.coalesce(F.length(value), F.lit(0)).cast("long")
            none = F.lower(value) == "none"
            return [F.when(none, F.lit(0)).otherwise(length).alias(f"{name}_chars")]
        case _:
            renamed = "event_time" if source.name == "requests" and name == "timestamp" else name
            if name.endswith("_country"):
                value = F.upper(value)
            return [value.alias(renamed)]


def _common_domains(parts: list[DataFrame]) -> list[str]:
    domains = [
        part.where(F.col("problem").isNull()).select(F.lower("email_domain").alias("domain"))
        for part in parts
    ]
    union = domains[0]
    for frame in domains[1:]:
        union = union.unionByName(frame)
    found = (
        union.where(F.col("domain").rlike(_DOMAIN))
        .groupBy("domain")
        .agg(F.count(F.lit(1)).alias("accounts"))
        .where(F.col("accounts") >= COMMON_DOMAIN_ACCOUNTS)
        .orderBy("domain")
        .toArrow()
    )
    return [str(domain) for domain in found["domain"].to_pylist()]


def deduplicated(lake: Lake, staged: Staged, date: dt.date) -> tuple[DataFrame, pa.Table]:
    """Kept records, and the place (file_no, line) of each duplicate.

    The first of equal keys in order of file and line is kept, unless an earlier night kept one.
    Keys are compared by hash first: few records are suspects, and only those are compared whole.
    """
    source = staged.source
    valid = staged.valid
    if valid is None:
        return _nothing(lake, source), _no_places()
    hashes = valid.groupBy("key_hash").agg(F.count(F.lit(1)).alias("n")).where(F.col("n") > 1)
    suspects = hashes.select("key_hash")
    earlier = None
    if source.duplicate_days != 0:
        days = source.duplicate_days
        first = date - dt.timedelta(days=days) if days is not None else None
        earlier = lake.read(source.name, first, date - dt.timedelta(days=1)).select(*source.key)
        earlier_hash = F.xxhash64(*(F.col(name).cast("string") for name in source.key))
        suspects = suspects.unionByName(
            earlier.select(earlier_hash.alias("key_hash")).join(
                valid.select("key_hash"), "key_hash", "left_semi"
            )
        ).distinct()
    compared = valid.join(F.broadcast(suspects), "key_hash", "left_semi").select(
        *source.key, "file_no", "line"
    )
    keys = list(source.key)
    firsts = compared.groupBy(*keys).agg(F.min(F.struct("file_no", "line")).alias("first"))
    placed = compared.join(firsts, keys, "inner")
    if earlier is not None:
        seen = earlier.distinct().withColumn("seen", F.lit(True))
        placed = placed.join(seen, keys, "left")
    else:
        placed = placed.withColumn("seen", F.lit(None).cast("boolean"))
    places = (
        placed.where(
            F.col("seen")
            | (F.col("first.file_no") != F.col("file_no"))
            | (F.col("first.line") != F.col("line"))
        )
        .select("file_no", "line")
        .toArrow()
    )
    if places.num_rows == 0:
        return valid, places
    doubles = lake.session.createDataFrame(places)
    return valid.join(F.broadcast(doubles), ["file_no", "line"], "left_anti"), places


def _nothing(lake: Lake, source: Source) -> DataFrame:
    columns = ", ".join(
        f"`{c.name}` {c.type}" for c in TABLES[source.name].columns if c.name != "key_id"
    )
    return lake.session.createDataFrame([], columns)


def _no_places() -> pa.Table:
    return pa.table({"file_no": pa.array([], pa.int32()), "line": pa.array([], pa.int64())})


def quarantined(staged: Staged) -> DataFrame:
    """Refused records, and one for each file that can't be read at all."""
    session = SparkSession.active()
    names = [(f.number, f.relative) for f in staged.files]
    unreadable = session.createDataFrame(
        [
            (staged.source.name, f.relative, 0, f.problem)
            for f in staged.files
            if f.problem is not None
        ],
        "source string, file string, line long, reason string",
    ).withColumn("record", F.lit(None).cast("string"))
    if staged.refused is None:
        return unreadable
    files = session.createDataFrame(names, "file_no int, file string")
    return (
        staged.refused.join(F.broadcast(files), "file_no", "inner")
        .select(
            F.lit(staged.source.name).alias("source"), "file", "line",
            F.col("problem").alias("reason"), F.col("masked").alias("record"),
        )
        .unionByName(unreadable)
    )  # fmt: skip


def file_counts(staged: Staged, duplicates: pa.Table) -> pa.Table:
    """Rows of `landing_files`: what each file brought and what became of it."""
    valid, refused = _by_file(staged.valid), _by_file(staged.refused)
    doubled = {
        int(item["values"]): int(item["counts"])
        for item in duplicates["file_no"].combine_chunks().value_counts().to_pylist()
    }
    rows = []
    for file in staged.files:
        whole = int(file.problem is not None)
        good, bad = valid.get(file.number, 0), refused.get(file.number, 0) + whole
        double = doubled.get(file.number, 0)
        rows.append({
            "source": staged.source.name, "file": file.relative, "format": file.format,
            "bytes": file.bytes, "landed": good + bad, "kept": good - double,
            "quarantined": bad, "duplicates": double,
        })  # fmt: skip
    return pa.Table.from_pylist(rows, schema=_columns_of("landing_files"))


def _by_file(frame: DataFrame | None) -> dict[int, int]:
    if frame is None:
        return {}
    found = frame.groupBy("file_no").agg(F.count(F.lit(1)).alias("n")).toArrow()
    return dict(zip(found["file_no"].to_pylist(), found["n"].to_pylist(), strict=True))


def column_counts(staged: Staged) -> pa.Table:
    """Rows of `source_columns`: how many kept records have a value in each landing column."""
    source = staged.source
    holders = {c.name: _holder(c, source) for c in source.columns}
    present = dict.fromkeys(holders, 0)
    records = 0
    unknown: dict[str, int] = {}
    if staged.valid is not None:
        counted = staged.valid.agg(
            F.count(F.lit(1)).alias("records"),
            *(F.count(holder).alias(name) for name, holder in holders.items()),
        ).toArrow().to_pylist()[0]  # fmt: skip
        records = counted.pop("records")
        present = counted
        named = (
            staged.valid.where(F.size("unknown") > 0)
            .select(F.explode("unknown").alias("name"))
            .groupBy("name")
            .agg(F.count(F.lit(1)).alias("n"))
            .toArrow()
        )
        unknown = dict(zip(named["name"].to_pylist(), named["n"].to_pylist(), strict=True))
    for file in staged.files:
        for name, rows in file.unknown:
            shown = name if _plain(name) else _shape(name)
            unknown[shown] = unknown.get(shown, 0) + rows
    rows = [
        {"source": source.name, "column_name": name, "declared": True, "records": records,
         "present": n, "available": n > 0}
        for name, n in present.items()
    ] + [
        {"source": source.name, "column_name": name, "declared": False, "records": records,
         "present": n, "available": False}
        for name, n in sorted(unknown.items())
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=_columns_of("source_columns"))


def _holder(column: LandingColumn, source: Source) -> Column:
    """The staged column that is there where the landing column was."""
    names = {
        "timestamp": "event_time", "client_address": "address_token",
        "user_agent": "user_agent_token", "tls_ja4": "tls_token", "prompt_text": "prompt_chars",
        "response_text": "response_chars", "email_domain": "email_domain_token",
        "payment_fingerprint": "payment_token", "signup_address": "signup_address_token",
    }  # fmt: skip
    if column.name == "declared_use":
        return F.nullif(F.col("declared_use_chars"), F.lit(0))
    return F.col(names.get(column.name, column.name))


def _plain(name: str) -> bool:
    import re

    return re.match(_PLAIN_NAME, name) is not None


def _shape(name: str) -> str:
    return "".join(
        "a" if c.isascii() and c.isalpha() else "9" if c.isascii() and c.isdigit()
        else c if " " <= c <= "~" else "x" for c in name
    )[:40]  # fmt: skip


def _columns_of(table: str) -> pa.Schema:
    from jobs.platform.lake import arrow_schema

    schema = arrow_schema(TABLES[table])
    return schema.remove(schema.get_field_index("date"))


def _require_sum(counted: pa.Table, lake: Lake, date: dt.date) -> None:
    """What was counted as kept must be what the tables hold: nothing is lost without a trace."""
    kept: dict[str, int] = dict.fromkeys(SOURCES, 0)
    for source, n in zip(counted["source"].to_pylist(), counted["kept"].to_pylist(), strict=True):
        kept[source] += n
    for source, n in kept.items():
        if lake.rows_written[source] != n:
            raise LakeError(
                f"{source} of {date}: {n} records should have been kept and the table holds "
                f"{lake.rows_written[source]}; nothing downstream was published"
            )
