"""A small world, and lakes as they were between its steps: made once, copied by each test."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from deltalake import DeltaTable
from landing_days import KEY_HEX

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


@contextmanager
def _key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLWATCH_TOKEN_KEY", KEY_HEX)
        yield


def run_night(
    session, lake: Path, landing: Path, date: dt.date, steps: Sequence[str] | None = None
) -> None:
    from jobs.catalog.steps import STEPS
    from jobs.night import run_steps
    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings

    chosen = [step for step in STEPS if steps is None or step.name in steps]
    with _key():
        opened = Lake(Settings(lake=str(lake), landing=str(landing)), session)
        run_steps(opened, date, chosen, lambda *_: None)


@pytest.fixture(scope="session")
def world(session, tmp_path_factory) -> World:
    from jobs.catalog.steps import STEP_NAMES
    from jobs.simulator import WorldSettings, simulate

    root = tmp_path_factory.mktemp("world")
    settings = WorldSettings(days=2, accounts=120, seed=3, start=FIRST, requests_per_day=600)
    simulate(root / "landing", root / "truth", settings, lambda _: None)
    made = World(root / "landing", root)
    lake = root / "lake"
    at = STEP_NAMES.index("train")
    run_night(session, lake, made.landing, FIRST, STEP_NAMES[:at])
    shutil.copytree(lake, made.lake("before training"))
    run_night(session, lake, made.landing, FIRST, STEP_NAMES[at:])
    shutil.copytree(lake, made.lake("first night"))
    run_night(session, lake, made.landing, SECOND)
    shutil.copytree(lake, made.lake("second night"))
    return made


@pytest.fixture
def copy(world, tmp_path) -> Callable[[str], Path]:
    """A lake of the test's own, as the world's was at a moment."""

    def of(moment: str) -> Path:
        shutil.copytree(world.lake(moment), tmp_path / "lake")
        return tmp_path / "lake"

    return of


@pytest.fixture
def night(session, world) -> Callable[..., None]:
    """`night(lake, date)` runs a night on the shared session."""

    def run(lake: Path, date: dt.date, steps: Sequence[str] | None = None) -> None:
        run_night(session, lake, world.landing, date, steps)

    return run


def outcomes(lake: Path, date: dt.date) -> dict[str, list[str]]:
    """How each run of each step of a night ended, from the run log."""
    found: dict[str, list[str]] = {}
    for row in DeltaTable(lake / "run_log").to_pyarrow_table().to_pylist():
        if row["date"] == date:
            assert json.loads(row["versions_written"]) is not None
            found.setdefault(row["step"], []).append(row["outcome"])
    return found
