"""What the tests of Apache Spark ask it, in a process of its own: two engines can't share one.

Usage: run_on_spark.py FOLDER, the tests' folders on PYTHONPATH and a day of landing files in
FOLDER/landing. One Java serves all of it, since its start is most of each part:

- `stillwatch run ingest`, into FOLDER/lake;
- the write scenarios, and the checks of a bad night, into FOLDER/found.json;
- at the end Java is killed in the middle of a query.

A line of standard error says where each begins.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from conftest import rows_of
from nights import NIGHT, planted, write
from pyspark import SparkContext
from write_scenarios import SCENARIOS

from jobs.catalog.checks import CHECKED
from jobs.cli import cli
from jobs.platform.errors import StillwatchError
from jobs.platform.expectations import NightValidator
from jobs.platform.lake import Lake
from jobs.platform.session import engine_session
from jobs.platform.settings import Settings


def attempt(scenario: Callable[[Lake], None], lake: Lake) -> str:
    """What the scenario raised; empty where it passed."""
    try:
        scenario(lake)
    except Exception:
        return traceback.format_exc(limit=-4)[-2000:]
    return ""


def begins(part: str) -> None:
    sys.stderr.write(f"-- {part} --\n")


def ingest(folder: Path) -> None:
    begins("ingest")
    places = ["--landing", str(folder / "landing"), "--lake", str(folder / "lake")]
    cli(["run", "ingest", "--date", f"{NIGHT}", *places], standalone_mode=False)


def writes_and_checks(folder: Path) -> None:
    begins("writes and checks")
    settings = Settings(lake=str(folder), engine="spark")
    with engine_session(settings) as session:

        def lake(name: str) -> Lake:
            return Lake(Settings(lake=str(folder / name), engine="spark"), session)

        writes = {s.__name__: attempt(s, lake(s.__name__)) for s in SCENARIOS}
        night = lake("checks")
        write(night, lambda lake, name, date, rows: lake.replace_night(
            name, date, rows_of(name, date, rows)), planted())  # fmt: skip
        with NightValidator(night, NIGHT) as validator:
            outcomes = [asdict(outcome) for names in CHECKED.values() for name in names
                        for outcome in validator.validate(name).outcomes]  # fmt: skip
    (folder / "found.json").write_text(json.dumps({"writes": writes, "checks": outcomes}))


def death(folder: Path) -> None:
    begins("death")
    try:
        with engine_session(Settings(lake=str(folder / "dead"), engine="spark")) as session:
            os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)
            SparkContext._gateway.proc.wait()
            session.range(3).count()
    except StillwatchError as error:
        sys.stderr.write(f"stillwatch: {error}\n")


if __name__ == "__main__":
    for part in (ingest, writes_and_checks, death):
        part(Path(sys.argv[1]))
