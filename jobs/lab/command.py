"""What `stillwatch lab` does: run the worlds, judge them, say and write what came out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from jobs.lab.metrics import judge
from jobs.lab.nights import finished
from jobs.lab.terminal import print_world
from jobs.lab.worlds import SMALL_WORLDS, WORLDS, LabWorld
from jobs.platform.errors import StillwatchError


def run_lab(names: Sequence[str], small: bool, out: Path, say: Callable[[str], None]) -> None:
    """Judge the named worlds, or all of them, and write `lab.json` into `out`."""
    figures = {}
    for world in chosen(names, small):
        figures[world.name] = judge(finished(world, out / "worlds", say))
        print_world(world.name, figures[world.name])
    out.mkdir(parents=True, exist_ok=True)
    (out / "lab.json").write_text(json.dumps(figures, indent=1, default=str), encoding="utf-8")


def chosen(names: Sequence[str], small: bool) -> list[LabWorld]:
    """The worlds of these names, all where none is named.

    Raises:
        StillwatchError: there is no world of that name.
    """
    known = SMALL_WORLDS if small else WORLDS
    unknown = [name for name in names if name not in known]
    if unknown:
        raise StillwatchError(f"there is no world {unknown[0]!r}: choose of {', '.join(known)}")
    return [known[name] for name in names or known]
