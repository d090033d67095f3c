"""Run a worker and watch its process tree: seconds, CPU seconds, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Measured:
    """One run of one worker."""

    seconds: float  # of the process, start-up included
    cpu_seconds: float
    peak_bytes: int  # resident, of the process and its children together
    result: dict[str, Any] = field(default_factory=dict)
    #: When each sample was taken, by the clock, and what was resident then.
    samples: list[tuple[float, int]] = field(default_factory=list, repr=False)

    @property
    def step_peaks(self) -> dict[str, int]:
        """Peak of each step, from the times at which the worker says that they ended."""
        peaks = {}
        begun = float(self.result.get("begun", 0.0))
        for step, ended in self.result.get("ended", {}).items():
            peaks[step] = max((n for at, n in self.samples if begun <= at <= ended), default=0)
            begun = ended
        return peaks

    @property
    def steps(self) -> dict[str, float]:
        return dict(self.result.get("steps", {}))


class WorkerFailed(Exception):
    """The worker ended with a fault; what it said stands on standard error."""


def run(world: Path, work: str, *arguments: str) -> Measured:
    """Run `tests.bench.worker` on a world.

    Raises:
        WorkerFailed: it did not end with 0.
    """
    # The key of the bench's lakes is its own, never the user's.
    environment = os.environ | {"XDG_CONFIG_HOME": str(world / "config")}
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.worker", work, str(world), *arguments],
        stdout=subprocess.PIPE, env=environment, text=True,
    ) as process:  # fmt: skip
        watched = psutil.Process(process.pid)
        samples: list[tuple[float, int]] = []
        cpu = 0.0
        while process.poll() is None:
            samples.append((time.time(), _resident(watched)))
            cpu = max(cpu, _cpu(watched))
            time.sleep(_SAMPLE_SECONDS)
        seconds = time.perf_counter() - started
        assert process.stdout is not None
        said = process.stdout.read()
    if process.returncode != 0:
        raise WorkerFailed(f"{work} on {world.name} ended with {process.returncode}")
    peak = max(resident for _, resident in samples)
    return Measured(seconds, cpu, peak, json.loads(said.strip().splitlines()[-1]), samples)


def _resident(process: psutil.Process) -> int:
    total = 0
    for one in _tree(process):
        try:
            total += one.memory_info().rss
        except psutil.Error:  # it has ended since
            continue
    return total


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
        own = times.user + times.system + times.children_user + times.children_system
        children = (child.cpu_times() for child in process.children(recursive=True))
        return own + sum(t.user + t.system for t in children)
    except psutil.Error:
        return 0.0


def _tree(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
