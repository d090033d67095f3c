"""What holds on Sail holds on Apache Spark: every write scenario of tests/lake, and the checks of
a bad night, outcome by outcome, examples included."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "lake"))
sys.path.insert(0, str(Path(__file__).parents[1] / "checks"))

from nights import NIGHT, planted, write
from write_scenarios import SCENARIOS

from jobs.catalog.checks import CHECKED
from jobs.platform.expectations import NightValidator
from jobs.platform.lake import Lake

TESTS = Path(__file__).parents[1]
pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Apache Spark needs Java on the path"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def on_spark(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("spark")
    paths = [TESTS.parent, TESTS, TESTS / "lake", TESTS / "checks"]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run_on_spark.py")), str(folder)],
        capture_output=True, text=True, timeout=580,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in paths)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


@pytest.mark.parametrize("name", [scenario.__name__ for scenario in SCENARIOS])
def test_a_write_scenario(name: str, on_spark: dict[str, Any]) -> None:
    assert on_spark["writes"][name] == ""


def test_checks_find_the_same_on_both_engines(
    on_spark: dict[str, Any], lake: Lake, fill: Callable[..., int]
) -> None:
    write(lake, fill, planted())
    with NightValidator(lake, NIGHT) as validator:
        on_sail = [asdict(outcome) for names in CHECKED.values() for name in names
                   for outcome in validator.validate(name).outcomes]  # fmt: skip
    assert on_spark["checks"] == on_sail
    assert sum(not outcome["passed"] for outcome in on_sail) > 10
