"""What a piece of work costs: seconds, CPU seconds, memory, bytes read and written.

The work runs in a process of its own (`tests.bench.worker`), which marks where the measured part
begins and ends; seconds, CPU and bytes are of that part, and of the process's children within it
(Spark's Java is one). Memory is watched from outside, over the whole life of the process.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

_SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class Use:
    """What a process and its children have used since they began."""

    cpu_seconds: float
    #: Passed through read and write calls: files, cached or not, and pipes; memory maps and
    #: sockets are not in it.
    read_bytes: int
    written_bytes: int
    #: What reached the device.
    device_read_bytes: int
    device_written_bytes: int

    def since(self, earlier: Use) -> Use:
        return Use(*(now - then for now, then in zip(
            asdict(self).values(), asdict(earlier).values(), strict=True)))  # fmt: skip


class Meter:
    """Marks the measured part of a worker: `with meter: ...`, once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.used = Use(0.0, 0, 0, 0, 0)
        #: By the clock, to find the samples of memory that belong to it.
        self.begun = self.ended = 0.0

    def __enter__(self) -> Meter:
        self._before = used(psutil.Process())
        self.begun = time.time()
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._started
        self.ended = time.time()
        self.used = used(psutil.Process()).since(self._before)


@dataclass(frozen=True)
class Measured:
    """One run of one piece of work."""

    seconds: float  # of the measured part
    process_seconds: float  # start-up included
    cpu_seconds: float
    peak_bytes: int  # resident, of the process and its children together
    read_bytes: int
    written_bytes: int
    device_read_bytes: int
    device_written_bytes: int
    #: Cores that other processes of the machine (and of its host) kept busy meanwhile, on average.
    others_cores: float = 0.0
    #: What the work itself says of what it did.
    result: dict[str, Any] = field(default_factory=dict)
    #: Peak of each step, where the work says when its steps ended.
    step_peaks: dict[str, int] = field(default_factory=dict)


class WorkerFailed(Exception):
    """The worker ended with a fault; what it said stands on standard error."""


Work = Callable[..., dict[str, Any]]


def work_of(entry: str) -> Work:
    """The function that `module:name` names, the module being one of tests.bench."""
    module, _, name = entry.partition(":")
    work: Work = getattr(importlib.import_module(f"tests.bench.{module}"), name)
    return work


def run_here(entry: str, folder: Path, options: Mapping[str, Any]) -> Measured:
    """Run a piece of work in this process: for trying, since imports and memory are shared."""
    meter = Meter()
    started = time.perf_counter()
    result = work_of(entry)(folder, meter, **options)
    seconds = time.perf_counter() - started
    peak = psutil.Process().memory_info().rss
    return _measured(meter_words(meter) | {"result": result}, seconds, peak, [])


def run_apart(entry: str, folder: Path, options: Mapping[str, Any]) -> Measured:
    """Run a piece of work in a process of its own and watch it.

    Raises:
        WorkerFailed: it did not end with 0.
    """
    # The key of the bench's lakes is its own, never the user's.
    environment = os.environ | {"XDG_CONFIG_HOME": str(folder / "config")}
    words = [sys.executable, "-m", "tests.bench.worker", entry, str(folder), json.dumps(options)]
    started, busy = time.perf_counter(), _busy_seconds()
    own = 0.0
    # Into a file: a pipe takes no more than 64 KB before it is read, and many nights say more.
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as told,
        subprocess.Popen(words, stdout=told, env=environment) as process,
    ):
        watched = psutil.Process(process.pid)
        samples: list[tuple[float, int]] = []
        while process.poll() is None:
            samples.append((time.time(), resident(watched)))
            own = max(own, used(watched).cpu_seconds)
            time.sleep(_SAMPLE_SECONDS)
        seconds = time.perf_counter() - started
        others = max(_busy_seconds() - busy - own, 0.0) / seconds
        told.seek(0)
        said = told.read()
    if process.returncode != 0:
        raise WorkerFailed(
            f"{entry} in {folder.name} ended with {process.returncode}: see what it said above"
        )
    words_of_worker = json.loads(said.strip().splitlines()[-1])
    sampled = max((resident for _, resident in samples), default=0)
    # The kernel knows the peak of one process between samples.
    peak = max(sampled, int(words_of_worker["own_peak_bytes"]))
    return _measured(words_of_worker, seconds, peak, samples, others)


def meter_words(meter: Meter) -> dict[str, Any]:
    """What a worker tells of its measured part, for JSON."""
    return {"seconds": meter.seconds, "begun": meter.begun, "used": asdict(meter.used)}


def _measured(
    words: dict[str, Any],
    process_seconds: float,
    peak: int,
    samples: list[tuple[float, int]],
    others_cores: float = 0.0,
) -> Measured:
    peaks = {}
    begun = float(words["begun"])
    ends: dict[str, float] = words["result"].pop("ended", {})
    for step, ended in ends.items():
        within = [resident for at, resident in samples if begun <= at <= ended]
        peaks[step] = max(within, default=0)
        begun = ended
    return Measured(
        seconds=words["seconds"], process_seconds=process_seconds, peak_bytes=peak,
        others_cores=others_cores, result=words["result"], step_peaks=peaks, **words["used"],
    )  # fmt: skip


def own_peak() -> int:
    """The most that this process alone ever had resident."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    (line,) = (row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def used(process: psutil.Process) -> Use:
    """Of the process, of children that ended (the kernel adds them to their parent) and of those
    that live."""
    cpu, counted = 0.0, [0, 0, 0, 0]
    for one in _tree(process):
        try:
            times = one.cpu_times()
            cpu += times.user + times.system + times.children_user + times.children_system
            found = _bytes(one)
        except psutil.Error:  # it has ended since
            continue
        counted = [total + more for total, more in zip(counted, found, strict=True)]
    return Use(cpu, *counted)


def _busy_seconds() -> float:
    """Seconds that cores of this machine have worked, or were taken from it by its host."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0)
                 - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0))  # fmt: skip


def _bytes(process: psutil.Process) -> list[int]:
    if not hasattr(process, "io_counters"):  # as on macOS
        return [0, 0, 0, 0]
    io = process.io_counters()
    passed = (getattr(io, "read_chars", 0), getattr(io, "write_chars", 0))
    return [*passed, io.read_bytes, io.write_bytes]


def resident(process: psutil.Process) -> int:
    total = 0
    for one in _tree(process):
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue
    return total


def _tree(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
