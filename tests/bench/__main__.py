"""How fast is a night, and how far from DuckDB by hand?

For each size: simulates a landing day with text, runs the whole night, then in turn our rollups
and DuckDB's from the same `requests`, each in a process of its own. Worlds are kept in
build/bench, so that a second run only measures; the report is written beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from tests.bench import measure, report
from tests.bench.measure import Measured


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--requests", type=int, nargs="+", default=[1_000_000, 8_000_000])
    parser.add_argument("--nights", type=int, default=1, help="repetitions of the whole night")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions of the rollups")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    given = parser.parse_args()
    out = given.out.absolute()
    machine = f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores"
    summaries = []
    for requests in given.requests:
        summaries.append(measured(out, requests, given.nights, given.repeats))
        text = report.markdown(summaries, machine)
        (out / "report.md").write_text(text, encoding="utf-8")
        (out / "report.json").write_text(
            json.dumps({"machine": machine, "sizes": summaries}, indent=2), encoding="utf-8"
        )
    print("\n" + text)
    print(f"report: {out / 'report.md'} and report.json")


def measured(out: Path, requests: int, nights: int, repeats: int) -> dict[str, Any]:
    """Simulate, run and compare one size."""
    world = out / f"world-{requests}"
    landed = _landed(world, requests)
    whole = [_run(world, "night") for _ in range(nights)]
    ours: list[Measured] = []
    theirs: list[Measured] = []
    for _ in range(repeats):  # in turn: what else the machine does falls on both
        ours.append(_run(world, "rollups"))
        theirs.append(_run(world, "duckdb"))
    return report.summary(landed, whole, ours, theirs)


def _landed(world: Path, requests: int) -> int:
    done = world / "simulated.json"
    if not done.exists():
        shutil.rmtree(world, ignore_errors=True)
        world.mkdir(parents=True)
        done.write_text(json.dumps(_run(world, "simulate", str(requests)).result))
    return int(json.loads(done.read_text())["requests"])


def _run(world: Path, work: str, *arguments: str) -> Measured:
    print(f"{world.name}: {work} …", flush=True)
    found = measure.run(world, work, *arguments)
    seconds = sum(found.steps.values()) or found.seconds
    print(
        f"{world.name}: {work} {seconds:.1f} s, {found.cpu_seconds:.1f} s of CPU, "
        f"{found.peak_bytes / report.GB:.2f} GB",
        flush=True,
    )
    return found


if __name__ == "__main__":
    main()
