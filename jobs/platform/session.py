"""The one place that starts an engine.

`sail` runs inside this process and speaks Spark Connect; `spark` is Apache Spark with delta-spark,
either the session of `spark-submit` or, on one machine, one of its own.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from importlib.metadata import version
from typing import IO, TYPE_CHECKING

from jobs.platform import storage
from jobs.platform.errors import LakeError, SettingsError
from jobs.platform.sizing import MOST_FILES, PIECE_BYTES, driver_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

    from jobs.platform.settings import Settings

#: The jar that belongs to the locked delta-spark; infra/spark/spark-defaults.conf names the same.
DELTA_PACKAGE = "io.delta:delta-spark_4.2_2.13:"
#: What Spark needs for an object store: the Hadoop that it was built with, and of the AWS SDK the
#: version that this Hadoop wants, but only the parts that it uses: 18 MB, where the bundle that it
#: asks for has 674. infra/spark/spark-defaults.conf names the same.
STORE_PACKAGES = ",".join(
    ["org.apache.hadoop:hadoop-aws:3.5.0"]
    + [f"software.amazon.awssdk:{part}:2.35.4" for part in ("s3", "s3-transfer-manager", "sts")]
)
STORE_EXCLUDED = "software.amazon.awssdk:bundle"

#: A night on one machine runs much code once and little of it long. At its own thresholds Java
#: spends more on optimising that code than the night spends on its rows: here a method has to be
#: run twenty times as often first, which those that read the rows are at once.
ONE_MACHINE_JAVA = " ".join((
    "-XX:Tier4InvocationThreshold=100000",
    "-XX:Tier4MinInvocationThreshold=40000",
    "-XX:Tier4CompileThreshold=300000",
    "-XX:Tier4BackEdgeThreshold=800000",
))  # fmt: skip

#: Every column expression would otherwise look up where it was written: a fifth of a small night
#: on Sail, a tenth of the driver's Python on Spark.
NO_CALL_SITES = {"spark.python.sql.dataFrameDebugging.enabled": "false"}

#: Seconds.
A_WEEK = 7 * 86_400


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
    # Its allocator keeps what is freed for a second, in which a large night frees gigabytes; it
    # looks here when it is loaded, so before the import.
    os.environ.setdefault("MIMALLOC_PURGE_DELAY", "10")
    # It forgets a session that asks nothing for a quarter of an hour, as a large night's steps do
    # that work in compiled loops; here it ends with the process in any case.
    os.environ.setdefault("SAIL_SPARK__SESSION_TIMEOUT_SECS", str(A_WEEK))
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    from jobs.platform.answers import AskAgain, in_one_line

    if storage.endpoint().startswith("http://"):
        # A store without TLS, as on one machine: the engine refuses it unless it is told.
        os.environ.setdefault("AWS_ALLOW_HTTP", "true")
    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    host, port = server.listening_address
    session = SparkSession.builder.remote(f"sc://{host}:{port}").create()
    client = session.client
    client.set_retry_policies([*client.get_retry_policies(), AskAgain()])
    logging.getLogger("grpc._common").addFilter(in_one_line)
    session.conf.set("spark.sql.session.timeZone", "UTC")
    for name, value in NO_CALL_SITES.items():
        session.conf.set(name, value)
    try:
        yield session
    finally:
        session.stop()
        server.stop()


def _spark(settings: Settings) -> Iterator[SparkSession]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # A parent that spoke Spark Connect, as Sail's does, leaves word of it to its children, and
    # PySpark would look for a server instead of starting Spark.
    os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    submitted = os.environ.get("PYSPARK_GATEWAY_PORT") is not None
    options = _spark_options(submitted) | _store_options(settings, submitted)
    # What Java says (its warnings, how the jar was resolved) would drown a night's progress; it is
    # looked into when the engine does not start, and gone with the process.
    with tempfile.TemporaryFile() as said:
        try:
            if submitted:
                options["spark.submit.pyFiles"] = _python_files()
            else:
                options["spark.master"] = settings.spark_master
                _start_java(options, said)
            builder = SparkSession.builder.appName("stillwatch")
            session = builder.config(map=dict(options)).getOrCreate()
        except Exception as error:
            said.seek(0)
            why = _why_not_started(said.read().decode(errors="replace"), error)
            raise SettingsError(
                f"the spark engine did not start: {why}; or set STILLWATCH_ENGINE=sail, which "
                "needs neither Java nor a network"
            ) from error
        session.sparkContext.setLogLevel("ERROR")
        try:
            yield session
        except Exception as error:
            if _java_is_gone():
                raise LakeError(
                    "Spark's Java process ended in the middle of the run (out of memory, or "
                    "killed); run the same night again"
                ) from error
            raise
        finally:
            if not _java_is_gone():
                session.stop()


def _python_files() -> str:
    """What was submitted for Python. spark-submit counts the jars of spark.jars.packages among it,
    and the session would copy them to each executor for its Python, to look for modules in."""
    from pyspark import SparkConf

    files = (SparkConf().get("spark.submit.pyFiles") or "").split(",")
    return ",".join(file for file in files if not file.endswith(".jar"))


def _java_is_gone() -> bool:
    from pyspark import SparkContext

    process = getattr(SparkContext._gateway, "proc", None)
    return process is not None and process.poll() is not None


def _start_java(options: dict[str, str], said: IO[bytes]) -> None:
    """Start the gateway to Java as PySpark would, but for where its words go."""
    from pyspark import SparkConf, SparkContext
    from pyspark.accumulators import AccumulatorTCPServer
    from pyspark.java_gateway import launch_gateway

    if SparkContext._gateway is not None:
        return  # a session before this one started it
    conf = SparkConf(loadDefaults=False).setAll(list(options.items()))
    gateway = launch_gateway(conf, popen_kwargs={"stdout": said, "stderr": said})
    SparkContext._ensure_initialized(gateway=gateway)
    # They would print tracebacks of their own when Java ends first; py4j to the root logger.
    logging.getLogger().addFilter(lambda record: record.msg != "Exception while sending command.")
    AccumulatorTCPServer.handle_error = lambda *_: None  # type: ignore[method-assign]


#: What a line of Java's says, and what it means to whoever runs the command.
_START_FAULTS = (
    ("JAVA_HOME is not set|java: (command )?not found|No such file or directory.*java|"
     "java.*No such file or directory",
     "it needs Java 17 or 21 on the path (or in JAVA_HOME), and there is none"),
    ("UnsupportedClassVersionError|Unrecognized option|add-modules",
     "it needs Java 17 or 21, and this Java is another"),
    ("UNRESOLVED DEPENDENCIES|unresolved dependency|UnknownHostException|"
     "Server access error|download failed",
     "its Delta package could not be had from a Maven repository (a network or a mirror is needed "
     "the first time)"),
    ("Could not reserve enough space|insufficient memory|Cannot allocate memory",
     "there is too little memory for Java"),
    ("Could not parse Master URL|Master must either be",
     "STILLWATCH_SPARK_MASTER names no Spark master"),
)  # fmt: skip


def _why_not_started(said: str, error: Exception) -> str:
    # The gateway's own words come as an exception, Java's as what it printed before it ended.
    words = f"{said}\n{error}"
    for pattern, meaning in _START_FAULTS:
        if re.search(pattern, words):
            return meaning
    lines = [line.strip() for line in said.splitlines() if "rror" in line or "xception" in line]
    return (lines[0] if lines else f"{type(error).__name__}: {error}")[:200].rstrip(" .")


def _spark_options(submitted: bool) -> dict[str, str]:
    options = {
        # Both engines read clear times as UTC and stop at an overflow.
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        **NO_CALL_SITES,
        # Pieces, and the files that are written from them, follow from bytes, not from cores.
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        "spark.sql.adaptive.advisoryPartitionSizeInBytes": str(PIECE_BYTES),
        # A night has more expressions than the hundred whose compiled form is kept by default.
        "spark.sql.codegen.cache.maxEntries": "2000",
        # It writes all of judging and sketching once more for each kind of landing file, and each
        # copy is planned, compiled and made quick again. What it is for, reading fewer columns,
        # other rules do.
        "spark.sql.optimizer.excludedRules": (
            "org.apache.spark.sql.catalyst.optimizer.PushProjectionThroughUnion"
        ),
    }
    if not submitted:
        options |= {
            "spark.jars.packages": DELTA_PACKAGE + version("delta-spark"),
            "spark.driver.memory": driver_memory(),
            "spark.driver.extraJavaOptions": ONE_MACHINE_JAVA,
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.databricks.delta.snapshotPartitions": "1",
            "spark.default.parallelism": str(os.cpu_count() or 1),
            # Files that are given by name are looked at in this process, not by a job.
            "spark.sql.sources.parallelPartitionDiscovery.threshold": str(MOST_FILES),
        }
    return options


def _store_options(settings: Settings, submitted: bool) -> dict[str, str]:
    """What Spark is told about an object store: never a key, which it finds for itself."""
    places = [settings.lake, settings.landing or ""]
    if not any(place.startswith(storage.STORE) for place in places):
        return {}
    options = {
        # Staging is read when all of it is there and thrown away otherwise, so tasks may move
        # their files into place at once: a store moves by copying.
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
    }
    if storage.endpoint():
        options |= {
            "spark.hadoop.fs.s3a.endpoint": storage.endpoint(),
            # A store of one's own seldom has a name for each bucket.
            "spark.hadoop.fs.s3a.path.style.access": "true",
        }
    if storage.region():
        options["spark.hadoop.fs.s3a.endpoint.region"] = str(storage.region())
    if not submitted:
        delta = DELTA_PACKAGE + version("delta-spark")
        options |= {
            "spark.jars.packages": f"{delta},{STORE_PACKAGES}",
            "spark.jars.excludes": STORE_EXCLUDED,
        }
    return options
