"""Runs the write scenarios and the checks of one bad night on Apache Spark, in a process of its
own: two engines can't share one.

Usage: run_on_spark.py FOLDER, the tests' folders on PYTHONPATH; writes FOLDER/found.json.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from conftest import rows_of
from nights import NIGHT, planted, write
from write_scenarios import SCENARIOS

from jobs.catalog.checks import CHECKED
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


def main(folder: Path) -> None:
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
