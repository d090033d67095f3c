"""Makes what cases work on, runs their trials in turn, checks what they wrote."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tests.bench import data
from tests.bench.cases import Case, Plan, Round, Trial
from tests.bench.data import Data
from tests.bench.measure import Measured
from tests.bench.results import Results

#: Whose versions decide the figures.
_PACKAGES = ("pysail", "pyspark", "delta-spark", "deltalake", "pyarrow", "duckdb", "polars",
             "datasketch", "rensa", "networkx", "scipy", "numpy", "numba")  # fmt: skip
Execute = Callable[[str, Path, Mapping[str, Any]], Measured]


class Runner:
    """Runs cases in one folder; `execute` is `measure.run_apart`, or `run_here` for trying."""

    def __init__(
        self, out: Path, plan: Plan, execute: Execute, results: Results, no_java: str = ""
    ) -> None:
        self.out, self.plan, self.execute, self.results = out, plan, execute, results
        self.no_java = no_java  # why there is none; empty: there is
        self._made: set[tuple[str, str]] = set()

    def run(self, case: Case, origin: dict[str, str]) -> None:
        repeats = self.plan.night_repeats if case.whole_nights else self.plan.repeats
        for one in case.rounds(self.plan):
            self._run_round(case, one, repeats, origin)

    def tidy(self, done: Case, later: Sequence[Case]) -> None:
        """Remove what a case wrote; keep landing folders, prompts and graphs, and what a later
        case starts from."""
        needed = {
            trial.data.name
            for case in later for one in case.rounds(self.plan) if one.prepare
            for trial in one.trials
        }  # fmt: skip
        for one in done.rounds(self.plan):
            for name in {trial.data.name for trial in one.trials}:
                shutil.rmtree(self.out / name / "written", ignore_errors=True)
                for other in (self.out / name).glob("lake-*"):
                    shutil.rmtree(other)
                if name not in needed:
                    shutil.rmtree(self.out / name / "lake", ignore_errors=True)
                    self._made = {(made, what) for made, what in self._made if made != name}

    def _run_round(self, case: Case, one: Round, repeats: int, origin: dict[str, str]) -> None:
        trials = [trial for trial in one.trials if self._can_run(trial)]
        if not trials:
            return
        self.results.begin(case.name, [trial.data.name for trial in trials], origin)
        for trial in trials:
            self._provide(trial.data)
        for needed in one.prepare:
            for name in dict.fromkeys(trial.data.name for trial in trials):
                if (name, needed.name) not in self._made:
                    self._note(name, self._execute(name, needed.entry, {}))
                    self._made.add((name, needed.name))
        for turn in range(repeats):
            # In turn: what else the machine does falls on all.
            for trial in (t for t in trials if turn == 0 or not t.once):
                measured = self._execute(trial.data.name, trial.arm.entry, trial.arm.options)
                self.results.add(case, trial, measured)
                self._note(trial.data.name, measured)
                if trial.arm.leaves:
                    self._made.add((trial.data.name, trial.arm.leaves))
            if turn == 0:
                for check in one.checks:
                    options = {"whom": list(check.whom)} if check.whom else {}
                    found = self._execute(check.data.name, check.entry, options)
                    self.results.add_check(case, check, found)

    def _note(self, name: str, measured: Measured) -> None:
        """Keep what a work says of the requests that it met."""
        if requests := measured.result.get("requests"):
            self.results.data[name]["requests"] = requests

    def _can_run(self, trial: Trial) -> bool:
        if trial.arm.java and self.no_java:
            self.results.leave_out(trial.arm, self.no_java)
            return False
        return True

    def _provide(self, what: Data) -> None:
        """Make the data unless a whole one of the same options lies there."""
        folder = self.out / what.name
        found = data.made(folder)
        if found is None or found.get("options") != dict(what.options):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            measured = self._execute(what.name, what.maker, what.options)
            found = measured.result | {
                "options": dict(what.options), "seconds_to_make": measured.seconds,
                "peak_bytes_to_make": measured.peak_bytes,
            }  # fmt: skip
            (folder / "made.json").write_text(json.dumps(found), encoding="utf-8")
        self.results.describe(what, found)

    def _execute(self, name: str, entry: str, options: Mapping[str, Any]) -> Measured:
        print(f"{name}: {entry} …", flush=True)
        found = self.execute(entry, self.out / name, options)
        print(
            f"{name}: {entry} {found.seconds:.2f} s, {found.cpu_seconds:.2f} s of CPU, "
            f"{found.peak_bytes / 1e9:.2f} GB",
            flush=True,
        )
        return found


def origin_of(command: str) -> dict[str, str]:
    """Which run it was."""
    return {"command": command, "date": dt.datetime.now(dt.UTC).date().isoformat()}


def about_here() -> dict[str, Any]:
    """Machine and versions; nothing that names a person, a host or a path."""
    return {
        "machine": {
            # Without a kernel's build: machines of one kind have several, and each case is a
            # comparison of its own.
            "system": f"{platform.system()} {platform.release().partition('-')[0]}",
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        },
        "versions": {"Python": platform.python_version(), **_versions(_PACKAGES)},
    }


def _versions(packages: Iterable[str]) -> dict[str, str]:
    return {package: version(package) for package in packages}


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
