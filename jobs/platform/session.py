"""The one place that starts an engine.

`sail` runs inside this process and speaks Spark Connect; `spark` is Apache Spark with delta-spark,
either the session of `spark-submit` or, on one machine, one of its own.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from jobs.platform.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

    from jobs.platform.settings import Settings

#: The jar that belongs to the locked delta-spark; infra/spark/spark-defaults.conf names the same.
DELTA_PACKAGE = "io.delta:delta-spark_4.2_2.13:"


@contextmanager
def engine_session(settings: Settings) -> Iterator[SparkSession]:
    """A session of the engine that the settings name, stopped at the end."""
    if settings.engine == "sail":
        yield from _sail()
    else:
        yield from _spark(settings)


def _sail() -> Iterator[SparkSession]:
    # Its log goes to standard error at INFO; a night's progress must stay readable.
    os.environ.setdefault("RUST_LOG", "error")
    # A writer holds a whole row group before it writes it, and each task has a writer: the
    # engine's own million rows come to gigabytes on a large day.
    os.environ.setdefault("SAIL_PARQUET__MAX_ROW_GROUP_SIZE", "131072")
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    host, port = server.listening_address
    session = SparkSession.builder.remote(f"sc://{host}:{port}").create()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    # Every column expression would otherwise look up where it was written: a fifth of a small
    # night.
    session.conf.set("spark.python.sql.dataFrameDebugging.enabled", "false")
    try:
        yield session
    finally:
        session.stop()
        server.stop()


def _spark(settings: Settings) -> Iterator[SparkSession]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    submitted = os.environ.get("PYSPARK_GATEWAY_PORT") is not None
    builder = SparkSession.builder.appName("stillwatch")
    for name, value in _spark_options(submitted).items():
        builder = builder.config(name, value)
    if not submitted:
        builder = builder.master(settings.spark_master)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise SettingsError(
            "the spark engine did not start: it needs Java 17 or 21 on the path and, the first "
            f"time, its Delta package from a Maven repository ({type(error).__name__}); "
            "or set STILLWATCH_ENGINE=sail, which needs neither"
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


def _spark_options(submitted: bool) -> dict[str, str]:
    options = {
        # Both engines read clear times as UTC and stop at an overflow.
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }
    if not submitted:
        options |= {
            "spark.jars.packages": DELTA_PACKAGE + version("delta-spark"),
            "spark.driver.memory": "4g",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            # On one machine small tables dominate: many partitions only cost.
            "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
            "spark.databricks.delta.snapshotPartitions": "1",
            "spark.default.parallelism": str(os.cpu_count() or 1),
        }
    return options
