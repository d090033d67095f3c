"""What landed today, and what of it can be trusted?

Reads the landing folder of one date and the requests of the days that a record could repeat.
Writes requests, accounts, labels, quarantine, landing_files, source_columns and, where a setting
says so, request_text. Personal data in clear goes no further than this package.
Harm if late: nothing downstream runs; yesterday's actions stay in force until they expire.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.catalog.landing import SOURCES, Source
from jobs.catalog.tables import TABLES
from jobs.ingest import counting, reading
from jobs.ingest.duplicates import NO_PLACES, without_duplicates
from jobs.ingest.records import judged_records, raw_texts
from jobs.ingest.treatment import common_domains, treated
from jobs.platform.faults import readable_errors
from jobs.platform.keys import TokenKey, load_key, require_key_of_lake
from jobs.platform.lake import arrow_schema
from jobs.platform.storage import Place, engine_address

if TYPE_CHECKING:
    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings


def run(lake: Lake, date: dt.date) -> None:
    # Every source is looked for before anything is written.
    landed = {s.name: reading.landing_files(lake.settings.landing_root, s, date)
              for s in SOURCES.values()}  # fmt: skip
    lake.prepare_for(sum(file.bytes for files in landed.values() for file in files))
    key = load_key()
    require_key_of_lake(lake.settings.lake_root, key)
    staging = lake.settings.lake_root / "_staging"
    # A run that was killed leaves its own behind, perhaps of another date.
    staging.remove_folder()
    files: list[pa.Table] = []
    columns: list[pa.Table] = []
    try:
        # Every source is read before any table changes.
        batches = [
            stage(lake.session, lake.settings, source, landed[source.name], date, key,
                  staging / source.name)
            for source in SOURCES.values()
        ]  # fmt: skip
        for batch in batches:
            duplicates = _write_kept(lake, batch, date, key)
            of_files, of_columns = counting.landed(batch, duplicates)
            files.append(of_files)
            columns.append(of_columns)
        lake.replace_night("landing_files", date, pa.concat_tables(files))
        lake.replace_night("source_columns", date, pa.concat_tables(columns))
        lake.write_night("quarantine", date, counting.quarantined(lake.session, batches))
    finally:
        staging.remove_folder()
    counting.require_sum(pa.concat_tables(files), lake, date)


@dataclass(frozen=True)
class Staged:
    """One source's records of one landing date, read once: typed, tokenised, judged."""

    source: Source
    files: list[reading.LandingFile]
    folder: Place
    #: Records that hold to their declaration and those that do not; None where there are none.
    valid: DataFrame | None
    refused: DataFrame | None


def stage(
    session: SparkSession,
    settings: Settings,
    source: Source,
    files: list[reading.LandingFile],
    date: dt.date,
    key: TokenKey,
    folder: Place,
) -> Staged:
    """Judge every record of the files and write the result where later passes read it.

    Parsing and sketching cost most of a night; a second pass over what they made costs little.
    """
    parts = judged_records(session, settings.engine, source, files, date)
    if not parts:
        return Staged(source, files, folder, None, None)
    domains: list[str] = []
    if source.name == "accounts":
        texts = raw_texts(session, settings.engine, source, files, ["account_id", "email_domain"])
        domains = common_domains(texts) if texts is not None else []
    frames = [treated(part, source, key, domains, settings) for part in parts]
    with readable_errors(f"{source.name} of {date} can't be staged in {settings.lake}"):
        # Apart, not by a filter: Sail tests a Delta table's NOT NULL before a filter below a join.
        reduce(DataFrame.unionByName, frames).withColumn(
            "refused", F.col("problem").isNotNull().cast("int")
        ).write.mode("overwrite").partitionBy("refused").parquet(
            engine_address(folder.address, settings.engine),
            compression="snappy",  # read back at once: quick to write, not small
        )
    parts_of = {
        flag: session.read.parquet(engine_address(part.address, settings.engine))
        for flag, part in ((flag, folder / f"refused={flag}") for flag in (0, 1))
        if any(entry.place.name.endswith(".parquet") for entry in part.entries())
    }
    return Staged(source, files, folder, parts_of.get(0), parts_of.get(1))


def _write_kept(lake: Lake, batch: Staged, date: dt.date, key: TokenKey) -> pa.Table:
    """Write a source's table; returns the places of the duplicates that it leaves out."""
    name = batch.source.name
    keeps_text = name == "requests" and lake.settings.keep_text
    duplicates = NO_PLACES
    if batch.valid is None:
        lake.replace_night(name, date, arrow_schema(TABLES[name]).empty_table())
    else:
        kept, duplicates = without_duplicates(lake, batch.source, batch.valid, date, batch.folder)
        lake.write_night(name, date, kept.withColumn("key_id", F.lit(key.id)))
        if keeps_text:
            lake.write_night("request_text", date, kept)
    if (
        name == "requests"
        and date in lake.nights("request_text")
        and (not keeps_text or batch.valid is None)
    ):
        # An earlier run of this night kept text that this one has not, or may not keep.
        empty = arrow_schema(TABLES["request_text"]).empty_table()
        lake.replace_night("request_text", date, empty)
    return duplicates
