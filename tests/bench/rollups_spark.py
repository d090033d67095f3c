"""The rollups by hand on Apache Spark as it comes: no Delta, the SQL that DuckDB runs."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from jobs.platform.sizing import driver_memory
from tests.bench.data import DATE
from tests.bench.measure import Meter
from tests.bench.rollups import outputs, request_files
from tests.bench.rollups_sql import SPARK, queries

CORES = 2


def work(folder: Path, meter: Meter) -> dict[str, Any]:
    """From the files of `requests` to a folder of Parquet files a table; seconds of each."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)  # of a parent that spoke to Sail
    from pyspark.sql import SparkSession

    out = outputs(folder, "spark")
    session = (
        SparkSession.builder.master(f"local[{CORES}]")
        .appName("rollups by hand")
        # Memory and partitions as jobs/platform/session.py sets them: what is compared is the
        # rest.
        .config("spark.driver.memory", driver_memory())
        .config("spark.sql.shuffle.partitions", str(2 * CORES))
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.warehouse.dir", str(out / "warehouse"))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    seconds = {}
    try:
        with meter:
            session.read.parquet(*request_files(folder)).createOrReplaceTempView("requests")
            for name, query in queries(SPARK, DATE.isoformat()).items():
                started = time.perf_counter()
                session.sql(query).write.parquet(str(out / name))
                seconds[name] = time.perf_counter() - started
    finally:
        session.stop()
    return {"tables": seconds}
