"""What the runs found, and medians of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.cases import Arm, Case, Check, Trial
from tests.bench.data import Data
from tests.bench.measure import Measured

#: Cores busy with other work, from which on seconds say little.
BUSY = 0.1


@dataclass(frozen=True)
class Run:
    """One run of one arm of a case."""

    case: str
    arm: str
    data: str
    size: int
    unit: str
    measured: Measured


@dataclass
class Results:
    #: Machine and versions.
    about: dict[str, Any]
    #: By case and data: command and date.
    origins: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    #: What each data holds, by its name.
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    #: What checks found, by case, then by the name of the data.
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Arms that could not run here, and why.
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, case: Case, trial: Trial, measured: Measured) -> None:
        d = trial.data
        self.runs.append(Run(case.name, trial.arm.name, d.name, d.size, d.unit, measured))

    def add_check(self, case: Case, check: Check, measured: Measured) -> None:
        self.checks.setdefault(case.name, {})[check.data.name] = measured.result

    def leave_out(self, arm: Arm, why: str) -> None:
        self.left_out[arm.name] = why

    def begin(self, case: str, data: Sequence[str], origin: dict[str, str]) -> None:
        """Forget what an earlier run found of the case on these data."""
        self.runs = [run for run in self.runs if run.case != case or run.data not in data]
        for name in data:
            self.checks.get(case, {}).pop(name, None)
            self.origins.setdefault(case, {})[name] = origin

    def describe(self, data: Data, found: dict[str, Any]) -> None:
        self.data[data.name] = {"size": data.size, "unit": data.unit} | found

    def of(self, case: str, arm: str | None = None, data: str | None = None) -> list[Run]:
        """Runs of a case, in order."""
        return [r for r in self.runs if r.case == case and arm in (None, r.arm)
                and data in (None, r.data)]  # fmt: skip

    def others_cores(self, case: str) -> float:
        """Cores that work of others kept busy while the case ran, in its median run."""
        return median([run.measured.others_cores for run in self.of(case)] or [0.0])

    def write(self, path: Path) -> None:
        """All of it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Results:
        held = json.loads(path.read_text(encoding="utf-8"))
        runs = [Run(**{**run, "measured": Measured(**run["measured"])}) for run in held["runs"]]
        return cls(**{**held, "runs": runs})


def seconds(runs: Sequence[Run]) -> float:
    return median(run.measured.seconds for run in runs)


def cpu(runs: Sequence[Run]) -> float:
    return median(run.measured.cpu_seconds for run in runs)


def step_seconds(runs: Sequence[Run], step: str) -> float:
    return median(run.measured.result["nights"][0]["steps"][step] for run in runs)
