"""The same nights on Sail and on Apache Spark: every table equal, row by row.

Spark runs on a cluster of two workers with lake and landing folder in an object store, Sail on one
machine. Night 1 is Sail's, and copied into the store; night 2, of thousands of requests with all
their dirt, runs on both; night 3 is Sail's again, on disk and in the store, on what each engine
wrote. So both read each other's tables, and windows, records repeated across days and names of
campaigns are met on both. Spark costs minutes of a core a night, however small, so there is one of
it.

Each step of the DAG is a submission of its own, so one of them stands for all: it writes the first
night again.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from lake_compare import assert_same_tables
from local_cluster import BUCKET, LocalCluster, LocalClusterError

from jobs.catalog.steps import STEPS
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from jobs.simulator import WorldSettings, simulate

NIGHTS = [dt.date(2026, 5, day) for day in (5, 6, 7)]
FIRST, SECOND, THIRD = NIGHTS
#: Gateways left out of the small nights.
BUSY = ("transit", "console")
LAKE = f"s3://{BUCKET}/lake"
DAGS = Path(__file__).parents[2] / "dags"
Process = subprocess.Popen[str]

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Apache Spark needs Java on the path"),
    pytest.mark.timeout(1500),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("cluster")
    with LocalCluster(folder, workers=2) as started:
        members = [process for part in started.alive().values()
                   for process in (part, *part.children(recursive=True))]  # fmt: skip
        yield started
    assert [p for p in members if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []


def begin(command: list[str], cluster: Any, **settings: str) -> Process:
    environment = {**os.environ, **cluster.variables, "STILLWATCH_TOKEN_KEY": "7c" * 32}
    return subprocess.Popen(
        command, env=environment | settings,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def ended(process: Process) -> str:
    said, _ = process.communicate()
    if "unresolved dependency" in said:
        pytest.skip("Spark's jars for Delta and S3 can't be had from a Maven repository")
    assert process.returncode == 0, said[-3000:]
    return said


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory, cluster: Any) -> Path:
    """Three days, on disk and in the store."""
    folder = tmp_path_factory.mktemp("landed")
    world = WorldSettings(
        days=len(NIGHTS), accounts=900, seed=11, start=FIRST, requests_per_day=9_000,
        prompt_chars=120,
    )  # fmt: skip
    simulate(folder / "landing", folder / "truth", world, lambda _: None)
    for date in (FIRST, THIRD):
        for path in (folder / "landing" / "requests" / f"date={date}").iterdir():
            if path.name.startswith(BUSY):
                path.unlink()
    cluster.put(folder / "landing")
    return folder / "landing"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, cluster: Any, landing: Path) -> Path:
    """On disk, with the first night, which lies in the store as well."""
    folder = tmp_path_factory.mktemp("one_machine") / "lake"
    ended(on_one_machine(cluster, landing, folder, FIRST))
    cluster.put(folder, "lake")
    return folder


def on_one_machine(cluster: Any, landing: Path, lake: Path, *nights: dt.date) -> Process:
    places = {"STILLWATCH_LANDING": str(landing), "STILLWATCH_LAKE": str(lake)}
    return begin(sail(*nights), cluster, STILLWATCH_MLFLOW_TRACKING_URI="", **places)


def sail(*nights: dt.date) -> list[str]:
    span = ["--from", f"{nights[0]}", "--to", f"{nights[-1]}"]
    return [sys.executable, "-m", "jobs.cli", "night", *span]


@pytest.fixture
def reachable(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store, for this process."""
    for name, value in cluster.variables.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


def registered(cluster: Any) -> int:
    """Applications that the cluster's master has met."""
    return int((cluster.home / "logs" / "master.log").read_text().count("Registered app"))


def total(table: pa.Table, column: str) -> int:
    return int(pc.sum(table[column]).as_py() or 0)


def test_both_engines_make_the_same_tables(
    cluster: Any, landing: Path, lake: Path, tmp_path: Path, reachable: None
) -> None:
    registry = str(tmp_path / "registry")
    shutil.copytree(lake / "_mlflow", registry)
    on_cluster = begin(cluster.submission("night", "--date", f"{SECOND}"), cluster,
                       STILLWATCH_MLFLOW_TRACKING_URI=registry)  # fmt: skip
    alone = tmp_path / "alone"
    shutil.copytree(lake, alone)
    ended(on_one_machine(cluster, landing, alone, SECOND, THIRD))
    said = ended(on_cluster)

    there = Lake(Settings(lake=LAKE))
    assert there.rows("run_log", SECOND, SECOND)["engine"].unique().to_pylist() == ["spark"]
    assert_same_tables(LAKE, alone, [f"{FIRST}", f"{SECOND}"])
    # Both workers worked.
    for worker in ("worker-1", "worker-2"):
        logs = list((cluster.home / worker).glob("app-*/*/stderr"))
        assert any("Finished task" in log.read_text() for log in logs), worker
    assert "anything" not in said

    ended(begin(sail(THIRD), cluster, STILLWATCH_MLFLOW_TRACKING_URI=registry))
    assert_same_tables(LAKE, alone)

    # What is equal is also worth comparing.
    files = there.rows("landing_files", SECOND, SECOND)
    assert there.rows("requests", SECOND, SECOND).num_rows >= 8_000
    assert total(files, "quarantined") > 0 and total(files, "duplicates") > 0
    assert there.rows("account_scores", SECOND, SECOND).num_rows > 300
    first_seen = there.rows("campaigns", SECOND, SECOND)["first_seen"].to_pylist()
    assert FIRST in first_seen and SECOND in first_seen


def test_the_dag_submits_its_steps_to_the_cluster(
    cluster: Any, lake: Path, tmp_path: Path, reachable: None
) -> None:
    # A small one: what executors do, the night above has shown.
    (limits,) = (step for step in STEPS if step.name == "limits")
    before = {name: Lake(Settings(lake=LAKE)).version(name) for name in limits.writes}
    submitted = registered(cluster)
    script = Path(__file__).with_name("run_dag.py")
    said = ended(begin(
        [sys.executable, str(script), f"{FIRST}", limits.name], cluster,
        AIRFLOW_HOME=str(tmp_path), AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGS_FOLDER=str(DAGS), STILLWATCH_ENGINE="spark",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{tmp_path}/airflow.db",
    ))  # fmt: skip
    there = Lake(Settings(lake=LAKE))
    log = there.rows("run_log", FIRST, FIRST).sort_by("started_at").to_pylist()
    assert (log[-1]["step"], log[-1]["engine"]) == (limits.name, "spark")
    assert all((there.version(name) or 0) > (before[name] or 0) for name in limits.writes)
    assert_same_tables(LAKE, lake, [f"{FIRST}"], limits.writes)
    assert registered(cluster) == submitted + 1
    assert "7c7c" not in said, "the key of the tokens is in Airflow's log"


def test_a_folder_has_one_cluster_and_says_what_is_wrong(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LocalClusterError, match="is running: stop it first"):
        LocalCluster(cluster.home).start()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalClusterError, match="no Java on the path"):
        LocalCluster(tmp_path / "other").start()
