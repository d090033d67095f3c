"""The rollups by hand on DuckDB."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.bench.data import DATE
from tests.bench.measure import Meter
from tests.bench.rollups import outputs, request_files
from tests.bench.rollups_sql import DUCKDB, queries


def work(folder: Path, meter: Meter) -> dict[str, Any]:
    """From the files of `requests` to one Parquet file a table; seconds of each."""
    import duckdb

    out = outputs(folder, "duckdb")
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'; set preserve_insertion_order = false")
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in request_files(folder))
    seconds = {}
    with meter:
        connection.execute(
            f"create view requests as select * from read_parquet([{listed}], "
            "hive_partitioning = false)"
        )
        for name, query in queries(DUCKDB, DATE.isoformat()).items():
            started = time.perf_counter()
            target = str(out / f"{name}.parquet").replace("'", "''")
            connection.execute(f"copy ({query}) to '{target}' (format parquet)")
            seconds[name] = time.perf_counter() - started
    return {"tables": seconds}
