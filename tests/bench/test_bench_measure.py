"""What is measured of a process and its children."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.measure import Meter, WorkerFailed, run_apart


def test_memory_cpu_and_bytes_of_children_are_measured(tmp_path: Path) -> None:
    found = run_apart("test_bench_measure:busy_child", tmp_path, {"megabytes": 150})
    assert 150e6 < found.peak_bytes < 400e6
    assert 0.3 < found.cpu_seconds < 3
    assert 20e6 <= found.written_bytes < 40e6
    assert found.seconds < found.process_seconds


def busy_child(folder: Path, meter: Meter, megabytes: int) -> dict[str, Any]:
    """A child that holds memory, works 0.4 seconds and writes 20 MB."""
    program = (
        f"import sys, time; held = b'x' * {megabytes * 1_000_000}\n"
        "while time.process_time() < 0.4: pass\n"
        "open(sys.argv[1], 'wb').write(held[:20_000_000])"
    )
    with meter:
        subprocess.run([sys.executable, "-c", program, str(folder / "held")], check=True)
    return {}


def test_work_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkerFailed, match=r"test_bench_measure:fail in .* ended with 3"):
        run_apart("test_bench_measure:fail", tmp_path, {})


def fail(folder: Path, meter: Meter) -> dict[str, Any]:
    sys.exit(3)


@pytest.mark.timeout(60)  # it would wait for good
def test_work_may_tell_more_than_a_pipe_holds(tmp_path: Path) -> None:
    found = run_apart("test_bench_measure:talkative", tmp_path, {"characters": 300_000})
    assert len(found.result["told"]) == 300_000


def talkative(folder: Path, meter: Meter, characters: int) -> dict[str, Any]:
    with meter:
        return {"told": "x" * characters}
