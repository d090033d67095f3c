"""The same nights on Sail and on Apache Spark: every table equal, row by row.

Each night runs through the real command, in a process of its own. Night 1 is Sail's; night 2, of
50,000 requests and more with all their dirt, runs on each engine on what night 1 left; night 3 is
Sail's again, on what each of them wrote. So both engines read each other's tables, and windows,
records repeated across days and names of campaigns are met on both. Spark costs 150 s of a core a
night, so there is one of it, beside Sail's.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from lake_compare import assert_same_tables

from jobs.simulator import WorldSettings, simulate

NIGHTS = [dt.date(2026, 5, day) for day in (5, 6, 7)]
SMALL, LARGE, AFTER = NIGHTS
#: Gateways left out of the small nights.
BUSY = ("transit", "console")
KEY_HEX = "7c" * 32

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java: Apache Spark can't run here"),
    pytest.mark.timeout(1200),
]

Night = subprocess.Popen[str]


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines")
    world = WorldSettings(
        days=len(NIGHTS), accounts=2_500, seed=11, start=SMALL, requests_per_day=52_000,
        prompt_chars=120,
    )  # fmt: skip
    simulate(folder / "landing", folder / "truth", world, lambda _: None)
    for date in (SMALL, AFTER):
        for path in (folder / "landing" / "requests" / f"date={date}").iterdir():
            if path.name.startswith(BUSY):
                path.unlink()
    return folder / "landing"


def start(engine: str, landing: Path, lake: Path, first: dt.date, last: dt.date) -> Night:
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "night", "--landing", str(landing), "--lake", str(lake),
         "--from", first.isoformat(), "--to", last.isoformat()],
        env={**os.environ, "STILLWATCH_ENGINE": engine, "STILLWATCH_TOKEN_KEY": KEY_HEX},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def said(night: Night) -> str:
    words, _ = night.communicate()
    assert night.returncode == 0, words[-3000:]
    return str(words)


def rows(lake: Path, table: str, date: dt.date) -> pa.Table:
    return DeltaTable(lake / table).to_pyarrow_table(filters=[("date", "=", date)])


def total(table: pa.Table, column: str) -> int:
    return int(pc.sum(table[column]).as_py() or 0)


def test_both_engines_make_the_same_tables(landing: Path, tmp_path: Path) -> None:
    sail, mixed = tmp_path / "sail", tmp_path / "mixed"
    said(start("sail", landing, sail, SMALL, SMALL))
    shutil.copytree(sail, mixed)
    on_spark = start("spark", landing, mixed, LARGE, LARGE)
    said(start("sail", landing, sail, LARGE, AFTER))
    told = said(on_spark)

    engines = rows(mixed, "run_log", LARGE)["engine"].unique().to_pylist()
    assert engines == ["spark"]
    assert_same_tables(sail, mixed, [date.isoformat() for date in (SMALL, LARGE)])
    assert "WARN" not in told and "ERROR" not in told, told
    said(start("sail", landing, mixed, AFTER, AFTER))
    assert_same_tables(sail, mixed)

    # What is equal is also worth comparing.
    files = rows(sail, "landing_files", LARGE)
    assert rows(mixed, "requests", LARGE).num_rows >= 50_000
    assert total(files, "quarantined") > 0 and total(files, "duplicates") > 0
    assert rows(mixed, "account_scores", LARGE).num_rows > 1_000
    first_seen = rows(mixed, "campaigns", LARGE)["first_seen"].to_pylist()
    assert SMALL in first_seen and LARGE in first_seen
