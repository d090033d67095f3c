"""Which of the day's records repeat another, of the day or of the nights it could repeat.

The first of equal keys in order of file and line is kept, unless another night kept one. Keys
are compared by their hash first: few records are suspects, and only those are compared whole.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.catalog.landing import Source
from jobs.ingest.treatment import key_hash
from jobs.platform.faults import readable_errors
from jobs.platform.storage import Place, engine_address

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

NO_PLACES = pa.schema([("file_no", pa.int32()), ("line", pa.int64())]).empty_table()


def without_duplicates(
    lake: Lake, source: Source, valid: DataFrame, date: dt.date, folder: Place
) -> tuple[DataFrame, pa.Table]:
    """Kept records, and the place (file_no, line) of each duplicate.

    What is found on the way goes through files in `folder`: when a whole day arrives twice it is
    more than an engine takes as a literal.
    """
    elsewhere = _elsewhere(lake, source, date)
    hashes = valid.groupBy("key_hash").agg(F.count(F.lit(1)).alias("n")).where(F.col("n") > 1)
    suspected = hashes.select("key_hash")
    if elsewhere is not None:
        suspected = suspected.unionByName(
            elsewhere.select("key_hash").join(valid.select("key_hash"), "key_hash", "left_semi")
        ).distinct()
    with readable_errors(f"table {source.name} in {lake.root} can't be read"):
        found = suspected.toArrow()
    if found.num_rows == 0:
        return valid, NO_PLACES
    suspects = F.broadcast(_filed(lake, found, folder / "suspects.parquet"))
    with readable_errors(f"table {source.name} in {lake.root} can't be read"):
        places = _places(source, valid, elsewhere, suspects).toArrow()
    if places.num_rows == 0:
        return valid, NO_PLACES
    doubles = _filed(lake, places, folder / "duplicates.parquet")
    return valid.join(F.broadcast(doubles), ["file_no", "line"], "left_anti"), places


def _elsewhere(lake: Lake, source: Source, date: dt.date) -> DataFrame | None:
    """Keys of the other nights that hold what a record could repeat.

    Later nights too: where an old night is run for the first time after them, they have kept what
    came twice already. Where they were run in order, they hold nothing that this night has.
    """
    if source.duplicate_days == 0:
        return None
    days = source.duplicate_days
    near = [
        night
        for night in lake.nights(source.name)
        if night != date and (days is None or abs((night - date).days) <= days)
    ]
    if not near:
        return None
    kept = lake.read(source.name, near[0], near[-1]).where(F.col("date") != F.lit(date))
    return kept.select(*source.key, key_hash(source).alias("key_hash"))


def _places(
    source: Source, valid: DataFrame, elsewhere: DataFrame | None, suspects: DataFrame
) -> DataFrame:
    keys = list(source.key)
    compared = valid.join(suspects, "key_hash", "left_semi").select(*keys, "file_no", "line")
    firsts = compared.groupBy(*keys).agg(F.min(F.struct("file_no", "line")).alias("first"))
    placed = compared.join(firsts, keys, "inner")
    repeats = (F.col("first.file_no") != F.col("file_no")) | (F.col("first.line") != F.col("line"))
    if elsewhere is not None:
        seen = (
            elsewhere.join(suspects, "key_hash", "left_semi")
            .select(*keys)
            .distinct()
            .withColumn("seen", F.lit(True))
        )
        placed = placed.join(seen, keys, "left")
        repeats = F.coalesce("seen", F.lit(False)) | repeats
    return placed.where(repeats).select("file_no", "line")


def _filed(lake: Lake, rows: pa.Table, place: Place) -> DataFrame:
    with place.create() as file:
        pq.write_table(rows, file)
    return lake.session.read.parquet(engine_address(place.address, lake.settings.engine))
