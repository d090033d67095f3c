"""Whole nights: every step on a new lake, one night or many, by either engine."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.bench.data import DATE, requests_in
from tests.bench.measure import Meter, used

#: Nights between two upkeeps, as the DAGs have them.
UPKEEP_NIGHTS = 7


def night(
    folder: Path,
    meter: Meter,
    engine: str = "sail",
    days: int = 1,
    steps: Sequence[str] = (),
    lake: str = "lake",
    first: int = 1,
    keep: Sequence[int] = (),
) -> dict[str, Any]:
    """The steps of `days` nights in one process; all steps, or those named. Every seventh night is
    followed by upkeep, as in the DAGs, which is no part of the night.

    On a new lake, or from the `first` night on, on the lake as it was kept before that one; `keep`
    names the nights before which it is. The engine's start is measured too, as it is part of every
    night.
    """
    from jobs import upkeep
    from jobs.catalog.steps import STEPS
    from jobs.night import open_lake, run_steps
    from jobs.platform.settings import Settings

    chosen = [step for step in STEPS if not steps or step.name in steps]
    shutil.rmtree(folder / lake, ignore_errors=True)
    if first > 1:
        shutil.copytree(_kept(folder, first), folder / lake)
    settings = Settings(
        lake=str(folder / lake), landing=str(folder / "landing"), engine=engine,
        spark_master="local[2]",
    )  # fmt: skip
    nights: list[dict[str, Any]] = []
    ended: dict[str, float] = {}

    def progress(date: dt.date, step: str, seconds: float, written: dict[str, int]) -> None:
        nights[-1]["steps"][step] = seconds
        nights[-1]["rows"].update(written)
        ended[step] = time.time()
        print(f"{date} {step} {seconds:.1f} s", file=sys.stderr, flush=True)

    with meter, open_lake(settings) as opened:
        for number in range(first - 1, first - 1 + days):
            if number + 1 in keep:
                shutil.rmtree(_kept(folder, number + 1), ignore_errors=True)
                shutil.copytree(folder / lake, _kept(folder, number + 1))
            date = DATE + dt.timedelta(days=number)
            nights.append({"date": date.isoformat(), "steps": {}, "rows": {}})
            started, before = time.perf_counter(), used(psutil.Process())
            run_steps(opened, date, chosen, progress)
            nights[-1]["seconds"] = time.perf_counter() - started
            nights[-1]["cpu_seconds"] = used(psutil.Process()).since(before).cpu_seconds
            if days > 1:
                nights[-1]["tables"] = table_sizes(folder / lake)
            if number % UPKEEP_NIGHTS == UPKEEP_NIGHTS - 1:
                upkeep.run(opened, date)
    found: dict[str, Any] = {"first": first, "nights": nights}
    if days == 1:
        found |= {"ended": ended, "sizes": table_sizes(folder / lake),
                  "requests": requests_in(folder / lake)}  # fmt: skip
    return found


def _kept(folder: Path, before: int) -> Path:
    """The lake as it was before that night."""
    return folder / f"lake-before-{before}"


def table_sizes(lake: Path) -> dict[str, dict[str, int]]:
    """Of each table: bytes and files that it consists of now, and bytes that it takes up with
    what its history keeps."""
    from deltalake import DeltaTable

    found = {}
    for folder in sorted(lake.iterdir()):
        if not DeltaTable.is_deltatable(str(folder)):
            continue
        sizes = DeltaTable(str(folder)).get_add_actions().column("size_bytes")
        live = [size.as_py() for size in sizes]
        whole = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        found[folder.name] = {"bytes": sum(live), "files": len(live), "with_history": whole}
    return found
