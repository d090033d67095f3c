"""A night: its steps in order, in one process and one session, with a row in run_log for each."""

from __future__ import annotations

import datetime as dt
import gc
import importlib
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from jobs.catalog.measures import LONGEST_WINDOW
from jobs.catalog.steps import STEPS
from jobs.catalog.tables import TABLES
from jobs.catalog.types import Step
from jobs.platform.errors import LakeError
from jobs.platform.lake import Lake, arrow_schema
from jobs.platform.lock import sole_writer
from jobs.platform.session import engine_session
from jobs.platform.settings import Settings

logger = logging.getLogger(__name__)
#: Python looks for garbage after 700 new objects, and imports and plans make many that stay: a
#: seventh of a small night. What is large (Arrow, NumPy) goes without a collector.
GARBAGE_AFTER = (50_000, 20, 50)


@contextmanager
def open_lake(settings: Settings) -> Iterator[Lake]:
    """The lake with an engine's session, locked against other writers on this machine."""
    # What is amiss with it is said now, not hours later in the step that needs it.
    _ = settings.registry
    collected_after = gc.get_threshold()
    gc.set_threshold(*GARBAGE_AFTER)
    try:
        with sole_writer(settings.lake_root), engine_session(settings) as session:
            yield Lake(settings, session)
    finally:
        gc.set_threshold(*collected_after)


def run_nights(
    settings: Settings,
    dates: Sequence[dt.date],
    progress: Callable[[dt.date, str, float, dict[str, int]], None],
) -> None:
    """Run every step for each date, in order; the first failure ends it all.

    Raises:
        StillwatchError: in one line, what is wrong, where and what to do.
    """
    with open_lake(settings) as lake:
        for date in dates:
            run_steps(lake, date, STEPS, progress)


def run_steps(
    lake: Lake,
    date: dt.date,
    steps: Sequence[Step],
    progress: Callable[[dt.date, str, float, dict[str, int]], None],
) -> None:
    """Run the steps for one date and write what happened to run_log, also when one fails."""
    run_id = uuid.uuid4().hex[:12]
    for step in steps:
        with lake.as_sole_writer():
            entry = _run(lake, date, run_id, step)
        # Arrow's allocator keeps what a step freed, and would hold it beside what the next takes.
        pa.default_memory_pool().release_unused()
        progress(date, step.name, entry["seconds"], json.loads(entry["rows_written"]))


def _run(lake: Lake, date: dt.date, run_id: str, step: Step) -> dict[str, Any]:
    """Run a step; its row of run_log, which is written also when it fails."""
    require_inputs(lake, step, date)
    entry = _begun(lake, date, run_id, step)
    started = time.perf_counter()
    try:
        lake.prepare_for(_read_bytes(lake, step, date))
        _function(step)(lake, date)
    except BaseException as error:
        entry |= {"outcome": "failed", "message": str(error)[:500] or type(error).__name__}
        raise
    finally:
        entry["seconds"] = round(time.perf_counter() - started, 3)
        _log(lake, entry)
    return entry


def require_inputs(lake: Lake, step: Step, date: dt.date) -> None:
    """Refuse a step whose night's input was never made: it would write an empty night.

    Raises:
        LakeError: says which step has to run first.
    """
    made_by = {table: s.name for s in STEPS for table in s.writes}
    for table in step.reads:
        if table not in _EVERY_NIGHT:
            continue
        maker = made_by[table]
        # What a step reads of its own table is of other nights.
        if maker == step.name or date in lake.nights(table):
            continue
        if table == "requests" and date in lake.nights("landing_files"):
            continue  # a day on which nothing was sent
        raise LakeError(
            f"{step.name} of {date} needs {table} of that night, which is not there: run "
            f"`stillwatch run {maker} --date {date}` first"
        )


def _read_bytes(lake: Lake, step: Step, date: dt.date) -> int:
    """What the step reads of the lake, at most: requests of the night, of the rest a window."""
    if lake.settings.engine != "spark":
        return 0
    first = date - dt.timedelta(days=LONGEST_WINDOW - 1)
    return sum(
        lake.stored_bytes(name, date if name == "requests" else first, date) for name in step.reads
    )


#: Tables that hold rows for every night that had any traffic.
_EVERY_NIGHT = ("requests", "account_daily", "account_features", "account_scores")


def _function(step: Step) -> Callable[[Lake, dt.date], None]:
    module, _, name = step.entry.partition(":")
    function: Callable[[Lake, dt.date], None] = getattr(importlib.import_module(module), name)
    return function


def _begun(lake: Lake, date: dt.date, run_id: str, step: Step) -> dict[str, Any]:
    lake.rows_written = {}
    lake.tables_read = set()
    return {
        "date": date, "run_id": run_id, "step": step.name, "engine": lake.settings.engine,
        "started_at": dt.datetime.now(dt.UTC), "seconds": 0.0, "outcome": "done", "message": None,
    }  # fmt: skip


def _log(lake: Lake, entry: dict[str, Any]) -> None:
    """Append the step's row at once: a run that is killed leaves those of its steps that ended."""
    written = dict(lake.rows_written)
    read = sorted(lake.tables_read - set(written))
    entry["rows_written"] = json.dumps(written, sort_keys=True)
    entry["versions_read"] = json.dumps({name: lake.version(name) for name in read})
    entry["versions_written"] = json.dumps({name: lake.version(name) for name in sorted(written)})
    schema = arrow_schema(TABLES["run_log"])
    lake.append("run_log", pa.Table.from_pylist([entry], schema=schema))
