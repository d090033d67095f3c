"""Steps in processes of their own, which can be killed.

The processes are forked from one that has imported what steps need (`forkserver`), so that each
costs its engine's start and not 10 s of imports.
"""

from __future__ import annotations

import datetime as dt
import logging
import multiprocessing
import os
import signal
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

HEAVY = ["jobs.night", "jobs.ingest", "jobs.checks", "jobs.campaigns", "jobs.train", "jobs.score",
         "jobs.decide", "jobs.features", "jobs.rollup", "jobs.limits", "jobs.cases", "jobs.shadow",
         "great_expectations", "great_expectations.render.view", "mlflow",
         "mlflow.store.tracking.sqlalchemy_store", "sklearn.isotonic", "sklearn.metrics",
         "xgboost", "numba", "numba.np.arrayobj", "numba.cpython.builtins", "pyarrow.dataset",
         "pyspark.sql.connect.session", "pyspark.worker", "pysail.spark"]  # fmt: skip
KILLED = -signal.SIGKILL

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(HEAVY)


class Steps:
    """A process that runs steps of one night, one after the other."""

    def __init__(
        self,
        lake: Path,
        landing: Path,
        date: dt.date,
        names: Sequence[str],
        key: str,
        dies_after: int | None = None,
        said: Path = Path(os.devnull),
    ) -> None:
        self.events, far = _context.Pipe(duplex=False)
        self.process: ForkServerProcess = _context.Process(
            target=_run,
            args=(far, str(lake), str(landing), date, list(names), key, dies_after, said),
            daemon=True,
        )
        self.process.start()
        far.close()

    def event(self, seconds: float = 120) -> tuple[str, Any] | None:
        """What the process says next; None when it has ended."""
        try:
            if not self.events.poll(seconds):
                raise TimeoutError(f"no word from the process in {seconds} s")
            received: tuple[str, Any] = self.events.recv()
            return received
        except EOFError:
            return None

    def kill(self) -> None:
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, signal.SIGKILL)

    def ended(self) -> int:
        """Wait for the end; the exit code, negative for a signal. A step that failed raises."""
        failed = self.failed()
        assert failed is None, failed
        return self.process.exitcode or 0

    def failed(self) -> str | None:
        """Wait for the end; what went wrong, if anything did."""
        failed = None
        while (said := self.event()) is not None:
            if said[0] == "failed":
                failed = said[1]
        self.process.join()
        return failed


def _run(
    events: Connection,
    lake: str,
    landing: str,
    date: dt.date,
    names: list[str],
    key: str,
    dies_after: int | None,
    said: Path,
) -> None:
    from jobs.catalog.steps import step
    from jobs.night import open_lake, run_steps
    from jobs.platform.settings import Settings

    os.environ["STILLWATCH_TOKEN_KEY"] = key
    with said.open("a") as output:
        # Also what an engine writes past Python.
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        logging.basicConfig(level=logging.INFO, force=True)
        try:
            if dies_after is not None:
                _die_after_writes(dies_after)
            events.send(("started", os.getpid()))
            with open_lake(Settings(lake=lake, landing=landing)) as opened:
                for name in names:
                    events.send(("begins", name))
                    run_steps(opened, date, [step(name)], lambda *_: None)
        except Exception as error:
            traceback.print_exc()
            events.send(("failed", f"{type(error).__name__}: {error}"))


def _die_after_writes(count: int) -> None:
    """Have the process killed as soon as a table has been written for the `count`th time.

    The run log does not count: a step writes it when it is over.
    """
    from jobs.platform.lake import Lake

    left = [count]
    for method in ("write_night", "replace_night", "append"):
        _dying(Lake, method, left)


def _dying(owner: type, method: str, left: list[int]) -> None:
    written = getattr(owner, method)

    def write(self: Any, name: str, *arguments: Any) -> Any:
        result = written(self, name, *arguments)
        if name != "run_log":
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, method, write)
