"""Compiled loops are kept for the next process, but never beyond what they were made of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_LOOPS = """
from constants import FACTOR
from inner import one_more
from jobs.platform.compiling import compiled

@compiled
def loop(number):
    return one_more(number) * FACTOR

def kept():
    return sum(loop.stats.cache_hits.values())
"""
_INNER = """
from jobs.platform.compiling import compiled

@compiled
def one_more(number):
    return number + {more}
"""


def said(folder: Path, **environment: str) -> str:
    made = subprocess.run(
        [sys.executable, "-c", "import loops; print(loops.loop(5), loops.kept())"],
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{Path.cwd()}"} | environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return made.stdout.strip()


def written(folder: Path, factor: int, more: int) -> None:
    (folder / "constants.py").write_text(f"FACTOR = {factor}\n")
    (folder / "inner.py").write_text(_INNER.format(more=more))


def test_a_loop_follows_constants_and_functions_of_other_modules(tmp_path):
    (tmp_path / "loops.py").write_text(_LOOPS)
    written(tmp_path, factor=2, more=1)
    assert said(tmp_path) == "12 0"
    assert said(tmp_path) == "12 1"  # kept
    written(tmp_path, factor=30, more=1)
    assert said(tmp_path) == "180 0"
    written(tmp_path, factor=30, more=400)
    assert said(tmp_path) == "12150 0"


def test_a_loop_runs_where_nothing_can_be_written(tmp_path):
    (tmp_path / "loops.py").write_text(_LOOPS)
    written(tmp_path, factor=2, more=1)
    (tmp_path / "__pycache__").write_text("a file in the folder's place")
    nowhere = str(tmp_path / "loops.py" / "cache")
    assert said(tmp_path, HOME=nowhere, XDG_CACHE_HOME=nowhere) == "12 0"


def test_of_processes_that_come_at_once_one_compiles(tmp_path):
    (tmp_path / "loops.py").write_text(_LOOPS)
    written(tmp_path, factor=2, more=1)
    late = "import loops, sys; sys.stdin.readline(); print(loops.loop(5), loops.kept())"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", late],
            env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = sorted(process.communicate()[0].strip() for process in processes)
    assert said == ["12 0", "12 1", "12 1"]
