"""What holds on Sail holds on Apache Spark on one machine: the tables of `ingest`, which has most
of what engines do differently, every write scenario of tests/lake, and the checks of a bad night,
outcome by outcome, examples included. And what it says when its Java dies."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "lake"))
sys.path.insert(0, str(Path(__file__).parents[1] / "checks"))

from lake_compare import assert_same_tables
from landing_days import KEY_HEX
from nights import NIGHT, planted, write
from write_scenarios import SCENARIOS

from jobs.catalog.checks import CHECKED
from jobs.catalog.steps import step
from jobs.night import run_steps
from jobs.platform.expectations import NightValidator
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from jobs.simulator import WorldSettings, simulate

TESTS = Path(__file__).parents[1]
pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Apache Spark needs Java on the path"),
    pytest.mark.timeout(1500),
]


@dataclass(frozen=True)
class OnSpark:
    """What one process with one Java left: its folder, what it found, and its words by part."""

    folder: Path
    found: dict[str, Any]
    said: dict[str, str]


@pytest.fixture(scope="module")
def on_spark(tmp_path_factory: pytest.TempPathFactory) -> OnSpark:
    folder = tmp_path_factory.mktemp("spark")
    world = WorldSettings(days=1, accounts=300, seed=11, start=NIGHT, prompt_chars=120)
    simulate(folder / "landing", folder / "truth", world, lambda _: None)
    paths = [TESTS.parent, TESTS, TESTS / "lake", TESTS / "checks"]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run_on_spark.py")), str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={
            **os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in paths),
            "STILLWATCH_ENGINE": "spark", "STILLWATCH_SPARK_MASTER": "local[2]",
            "STILLWATCH_TOKEN_KEY": KEY_HEX,
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    parts = re.split(r"^-- (.+) --$", done.stdout, flags=re.MULTILINE)
    said = {name: words.strip() for name, words in zip(parts[1::2], parts[2::2], strict=True)}
    return OnSpark(folder, json.loads((folder / "found.json").read_text()), said)


def test_ingest_makes_the_same_tables_and_says_nothing_of_its_own(
    on_spark: OnSpark, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY", KEY_HEX)
    by_sail = Lake(
        Settings(lake=lake.settings.lake, landing=str(on_spark.folder / "landing")), lake.session
    )
    ingest = step("ingest")
    run_steps(by_sail, NIGHT, [ingest], lambda *_: None)
    by_spark = Lake(Settings(lake=str(on_spark.folder / "lake")))
    assert by_spark.rows("run_log")["engine"].to_pylist() == ["spark"]
    assert by_spark.count("requests", NIGHT) > 1_000
    assert_same_tables(by_spark.settings.lake, by_sail.settings.lake, [f"{NIGHT}"], ingest.writes)
    (line,) = on_spark.said["ingest"].splitlines()
    assert line.startswith(f"{NIGHT} ingest ")


@pytest.mark.parametrize("name", [scenario.__name__ for scenario in SCENARIOS])
def test_a_write_scenario(name: str, on_spark: OnSpark) -> None:
    assert on_spark.found["writes"][name] == ""


def test_checks_find_the_same_on_both_engines(
    on_spark: OnSpark, lake: Lake, fill: Callable[..., int]
) -> None:
    write(lake, fill, planted())
    with NightValidator(lake, NIGHT) as validator:
        on_sail = [asdict(outcome) for names in CHECKED.values() for name in names
                   for outcome in validator.validate(name).outcomes]  # fmt: skip
    assert on_spark.found["checks"] == on_sail
    assert sum(not outcome["passed"] for outcome in on_sail) > 10


def test_a_java_that_dies_ends_the_run_with_one_line(on_spark: OnSpark) -> None:
    assert on_spark.said["death"] == (
        "stillwatch: Spark's Java process ended in the middle of the run (out of memory, or "
        "killed); run the same night again"
    )
