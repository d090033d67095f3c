"""A night on Sail whose landing folder and lake are in an object store, by the real command."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from lake_compare import assert_same_tables
from local_cluster import BUCKET

from jobs.catalog.steps import STEPS
from jobs.catalog.tables import TABLES
from jobs.night import run_steps
from jobs.platform.lake import Lake, arrow_schema
from jobs.platform.settings import Settings
from jobs.platform.storage import Place
from jobs.simulator import WorldSettings, simulate

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NIGHT = dt.date(2026, 5, 1)
LAKE = f"s3://{BUCKET}/lake"


#: Tokens of both nights are made with it.
TOKEN_KEY = "7c" * 32


def run(store: Any, registry: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", "night", "--lake", LAKE,
         "--landing", f"s3://{BUCKET}/landing", "--date", NIGHT.isoformat()],
        env={**os.environ, **store.variables, "STILLWATCH_TOKEN_KEY": TOKEN_KEY,
             "STILLWATCH_MLFLOW_TRACKING_URI": str(registry)},
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.timeout(300)
def test_a_night_makes_the_same_tables_as_on_disk(
    store: Any, session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = WorldSettings(days=1, accounts=200, seed=11, start=NIGHT)
    simulate(tmp_path / "landing", tmp_path / "truth", world, lambda _: None)
    store.put(tmp_path / "landing")
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY", TOKEN_KEY)
    on_disk = str(tmp_path / "lake")
    with ThreadPoolExecutor(1) as pool:
        command = pool.submit(run, store, tmp_path / "registry")
        # What it is compared with needs no process of its own.
        settings = Settings(lake=on_disk, landing=str(tmp_path / "landing"))
        run_steps(Lake(settings, session), NIGHT, STEPS, lambda *_: None)
        in_store = command.result()
    assert in_store.returncode == 0, in_store.stderr
    assert_same_tables(LAKE, on_disk)
    # What stands beside the tables is there too, and nothing else.
    beside = [e.place.name for e in Place(LAKE).entries() if e.place.name.startswith("_")]
    assert beside == ["_data_docs", "_stillwatch"]
    index = (Place(LAKE) / "_data_docs" / "index.html").read_text()
    assert f'<a href="{NIGHT}/check_landed.html">' in index
    assert "anything" not in in_store.stdout + in_store.stderr


def test_of_writers_at_once_none_is_lost(store: Any, tmp_path: Path) -> None:
    """Delta's commits are conditional puts: each appends, or is told."""
    settings = Settings(lake=f"s3://{BUCKET}/{tmp_path.name}")
    Lake(settings).create("run_log")
    words = dict.fromkeys(
        ("step", "engine", "outcome", "rows_written", "versions_read", "versions_written"), ""
    )
    whole = words | {"date": NIGHT, "engine": "sail", "outcome": "done", "seconds": 0.0,
                     "started_at": dt.datetime(2026, 5, 2, tzinfo=dt.UTC)}  # fmt: skip

    def append(n: int) -> None:
        row = whole | {"run_id": f"r{n}"}
        schema = arrow_schema(TABLES["run_log"])
        Lake(settings).append("run_log", pa.Table.from_pylist([row], schema=schema))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(append, range(6)))
    found = Lake(settings).rows("run_log")["run_id"].to_pylist()
    assert sorted(found) == [f"r{n}" for n in range(6)]


def test_a_store_that_does_not_answer_is_one_line(store: Any, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "status", "--lake", LAKE],
        env={**os.environ, **store.variables, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "the object store does not answer" in line and "anything" not in line
