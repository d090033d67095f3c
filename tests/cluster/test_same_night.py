"""A night on a Spark cluster of two workers, lake and landing folder in an object store: the same
tables as on one machine, row by row.

The first night is made on one machine and copied into the store, the second on both.
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
import pytest
from lake_compare import assert_same_tables
from local_cluster import BUCKET, LocalCluster, LocalClusterError

from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from jobs.simulator import WorldSettings, simulate

FIRST, SECOND = dt.date(2026, 5, 1), dt.date(2026, 5, 2)
LAKE = f"s3://{BUCKET}/lake"

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Apache Spark needs Java on the path"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("cluster")
    with LocalCluster(folder, workers=2) as started:
        members = [process for part in started.alive().values()
                   for process in (part, *part.children(recursive=True))]  # fmt: skip
        yield started
    assert [p for p in members if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []


def begin(command: list[str], cluster: Any, **settings: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **cluster.variables, "STILLWATCH_TOKEN_KEY": "7c" * 32}
    return subprocess.Popen(
        command, env=environment | settings,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate()
    if "unresolved dependency" in said:
        pytest.skip("Spark's jars for Delta and S3 can't be had from a Maven repository")
    assert process.returncode == 0, said[-3000:]
    return said


def test_a_cluster_and_a_store_make_the_same_tables_as_one_machine(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = WorldSettings(days=2, accounts=200, seed=11, start=FIRST)
    landing, lake = tmp_path / "landing", tmp_path / "lake"
    simulate(landing, tmp_path / "truth", world, lambda _: None)

    def on_one_machine(night: dt.date) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "jobs.cli", "night", "--date", f"{night}"]
        places = {"STILLWATCH_LANDING": str(landing), "STILLWATCH_LAKE": str(lake)}
        return begin(command, cluster, STILLWATCH_MLFLOW_TRACKING_URI="", **places)

    ended(on_one_machine(FIRST))
    cluster.put(landing)
    cluster.put(lake, "lake")
    shutil.copytree(lake / "_mlflow", tmp_path / "registry")
    on_cluster = begin(cluster.submission("night", "--date", f"{SECOND}"), cluster,
                       STILLWATCH_MLFLOW_TRACKING_URI=str(tmp_path / "registry"))  # fmt: skip
    ended(on_one_machine(SECOND))
    said = ended(on_cluster)

    for name, value in cluster.variables.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    log = Lake(Settings(lake=LAKE)).rows("run_log", SECOND, SECOND)
    assert log["engine"].unique().to_pylist() == ["spark"]
    assert_same_tables(LAKE, lake, [f"{FIRST}", f"{SECOND}"])
    # Both workers worked.
    for worker in ("worker-1", "worker-2"):
        logs = list((cluster.home / worker).glob("app-*/*/stderr"))
        assert any("Finished task" in log.read_text() for log in logs), worker
    assert "anything" not in said


def test_a_folder_has_one_cluster_and_says_what_is_wrong(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LocalClusterError, match="is running: stop it first"):
        LocalCluster(cluster.home).start()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalClusterError, match="no Java on the path"):
        LocalCluster(tmp_path / "other").start()
