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
        peak, cpu = 0, 0.0
        while process.poll() is None:
            peak, cpu = max(peak, _resident(watched)), max(cpu, _cpu(watched))
            time.sleep(_SAMPLE_SECONDS)
        seconds = time.perf_counter() - started
        assert process.stdout is not None
        said = process.stdout.read()
    if process.returncode != 0:
        raise WorkerFailed(f"{work} on {world.name} ended with {process.returncode}")
    return Measured(seconds, cpu, peak, json.loads(said.strip().splitlines()[-1]))


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
