"""Tables that Spark on one machine reads by the names of their files.

Delta on Spark reads a table's log by Spark jobs, and runs one more for each query to choose files:
seconds of a core each, on the smallest table as on the largest. delta-rs has the log open already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.catalog.types import Table
from jobs.platform.sizing import MOST_FILES
from jobs.platform.storage import STORE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def nights_by_name(
    session: SparkSession, table: Table, path: str, files: Sequence[str]
) -> DataFrame | None:
    """The rows of the files, of all that the log names for some nights; None where Delta is to
    read them."""
    # In a store each file would be looked at once more, over a network.
    if table.partition != "date" or path.startswith(STORE):
        return None
    schema = ", ".join(f"`{column.name}` {column.type}" for column in table.columns)
    if len(files) > MOST_FILES:
        return None
    if not files:
        return session.createDataFrame([], schema)
    # A column that a file is older than reads as null, as in Delta.
    reader = session.read.schema(schema).option("basePath", path)
    return reader.parquet(*(f"{path}/{file}" for file in files))
