"""One measured piece of work in a process of its own; its last line of output is JSON.

python -m tests.bench.worker simulate WORLD REQUESTS
python -m tests.bench.worker night WORLD
python -m tests.bench.worker rollups WORLD
python -m tests.bench.worker duckdb WORLD
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

DATE = dt.date(2026, 5, 1)
PROMPT_CHARS = 600.0
#: Requests a day of the mean account: each world has its own number of accounts.
REQUESTS_OF_AN_ACCOUNT = 50


def simulate(world: Path, requests: int) -> dict[str, Any]:
    from jobs.simulator import WorldSettings
    from jobs.simulator import simulate as write_world

    settings = WorldSettings(
        days=1, accounts=max(600, requests // REQUESTS_OF_AN_ACCOUNT), start=DATE,
        requests_per_day=requests, prompt_chars=PROMPT_CHARS,
    )  # fmt: skip
    summary = write_world(world / "landing", world / "truth", settings, lambda *_: None)
    return {"requests": summary.landed["requests"], "bytes": summary.bytes}


def night(world: Path) -> dict[str, Any]:
    """Every step on an empty lake, as the command runs them."""
    from jobs.night import run_nights
    from jobs.platform.settings import Settings

    shutil.rmtree(world / "lake", ignore_errors=True)
    settings = Settings(lake=str(world / "lake"), landing=str(world / "landing"))
    steps: dict[str, float] = {}
    rows: dict[str, int] = {}
    ended: dict[str, float] = {}

    def progress(date: dt.date, step: str, seconds: float, written: dict[str, int]) -> None:
        steps[step] = seconds
        ended[step] = time.time()
        rows.update(written)
        print(f"{step} {seconds:.1f} s", file=sys.stderr, flush=True)

    begun = time.time()
    run_nights(settings, [DATE], progress)
    return {"steps": steps, "rows": rows, "begun": begun, "ended": ended}


def rollups(world: Path) -> dict[str, Any]:
    """The rollup step alone, on the lake that a night left."""
    from jobs import rollup
    from jobs.night import open_lake
    from jobs.platform.settings import Settings

    settings = Settings(lake=str(world / "lake"), landing=str(world / "landing"))
    with open_lake(settings) as lake:
        started = time.perf_counter()
        rollup.run(lake, DATE)
        return {"steps": {"rollup": time.perf_counter() - started}}


def duckdb(world: Path) -> dict[str, Any]:
    from deltalake import DeltaTable

    from tests.bench.duckdb_rollups import write_rollups

    files = DeltaTable(str(world / "lake" / "requests")).file_uris()
    started = time.perf_counter()
    tables = write_rollups(files, world / "duckdb", DATE.isoformat())
    return {"steps": {"rollup": time.perf_counter() - started}, "tables": tables}


def main(arguments: list[str]) -> None:
    work, world = arguments[0], Path(arguments[1])
    if work == "simulate":
        result = simulate(world, int(arguments[2]))
    else:
        result = {"night": night, "rollups": rollups, "duckdb": duckdb}[work](world)
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
