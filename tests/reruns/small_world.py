"""A small world, and lakes as they were between its steps: made once, copied by each test."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from deltalake import DeltaTable
from landing_days import KEY_HEX, LandingDays
from personal_data import plant_a_few
from step_processes import Steps

from jobs.catalog.steps import STEP_NAMES

FIRST, SECOND = dt.date(2026, 5, 1), dt.date(2026, 5, 2)


@dataclass(frozen=True)
class World:
    """Two nights, never killed, and the lake as it was on the way."""

    landing: Path
    root: Path

    def lake(self, moment: str) -> Path:
        """The lake at a moment: `before training`, `first night`, `second night`."""
        return self.root / moment.replace(" ", "_")

    def seconds(self, date: dt.date) -> dict[str, float]:
        """How long each step of a night took."""
        log = DeltaTable(self.lake("second night") / "run_log").to_pyarrow_table().to_pylist()
        return {row["step"]: row["seconds"] for row in log if row["date"] == date}


def run_night(
    lake: Path, landing: Path, date: dt.date, steps: Sequence[str] = STEP_NAMES,
    said: Path = Path(os.devnull),
) -> None:  # fmt: skip
    run = Steps(lake, landing, date, steps, KEY_HEX, said=said)
    assert run.ended() == 0


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> World:
    """Made by the first process of a test run that asks for it, shared by the others."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder = root / "small_world"
    with (root / "small_world.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder)
            (folder / "made").touch()
    return World(folder / "landing", folder)


def _make(root: Path) -> None:
    from jobs.simulator import WorldSettings, simulate

    settings = WorldSettings(days=2, accounts=120, seed=3, start=FIRST, requests_per_day=600)
    simulate(root / "landing", root / "truth", settings, lambda _: None)
    made = World(root / "landing", root)
    plant_a_few(LandingDays(made.landing), FIRST)
    lake, said = root / "lake", root / "said.txt"
    at = STEP_NAMES.index("train")
    run_night(lake, made.landing, FIRST, STEP_NAMES[:at], said)
    shutil.copytree(lake, made.lake("before training"))
    run_night(lake, made.landing, FIRST, STEP_NAMES[at:], said)
    shutil.copytree(lake, made.lake("first night"))
    run_night(lake, made.landing, SECOND, said=said)
    shutil.copytree(lake, made.lake("second night"))


@pytest.fixture
def copy(world, tmp_path) -> Callable[[str], Path]:
    """A lake of the test's own, as the world's was at a moment."""

    def of(moment: str) -> Path:
        shutil.copytree(world.lake(moment), tmp_path / "lake")
        return tmp_path / "lake"

    return of


def outcomes(lake: Path, date: dt.date) -> dict[str, list[str]]:
    """How each run of each step of a night ended, from the run log."""
    found: dict[str, list[str]] = {}
    for row in DeltaTable(lake / "run_log").to_pyarrow_table().to_pylist():
        if row["date"] == date:
            assert json.loads(row["versions_written"]) is not None
            found.setdefault(row["step"], []).append(row["outcome"])
    return found
