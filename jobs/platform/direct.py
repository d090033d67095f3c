"""Tables that Spark on one machine reads by the names of their files.

Delta on Spark reads a table's log by Spark jobs, and runs one more for each query to choose files:
seconds of a core each, on the smallest table as on the largest. delta-rs has the log open already.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.types import Table
from jobs.platform.sizing import MOST_FILES
from jobs.platform.storage import STORE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def nights_by_name(
    session: SparkSession,
    table: Table,
    path: str,
    actions: pa.Table,
    first: dt.date | None,
    last: dt.date | None,
) -> DataFrame | None:
    """The table's rows of the nights from `first` to `last`; None where Delta is to read them.

    `actions` are the files that the log names, with their partitions.
    """
    # In a store each file would be looked at once more, over a network.
    if table.partition != "date" or path.startswith(STORE):
        return None
    schema = ", ".join(f"`{column.name}` {column.type}" for column in table.columns)
    files = _files(actions, first, last)
    if len(files) > MOST_FILES:
        return None
    if not files:
        return session.createDataFrame([], schema)
    # A column that a file is older than reads as null, as in Delta.
    reader = session.read.schema(schema).option("basePath", path)
    return reader.parquet(*(f"{path}/{file}" for file in files))


def _files(actions: pa.Table, first: dt.date | None, last: dt.date | None) -> list[str]:
    if actions.num_rows == 0:
        return []
    dates = actions["partition.date"]
    if first is not None:
        actions = actions.filter(pc.greater_equal(dates, pa.scalar(first)))
        dates = actions["partition.date"]
    if last is not None:
        actions = actions.filter(pc.less_equal(dates, pa.scalar(last)))
    return [str(path) for path in actions["path"].to_pylist()]
