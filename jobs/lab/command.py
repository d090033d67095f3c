"""What `stillwatch lab` does: run the worlds, judge them, say and write what came out."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

from jobs.lab import ablation, corpora, nights, page, tactics
from jobs.lab.metrics import judge
from jobs.lab.strength import strength_curves
from jobs.lab.terminal import print_world
from jobs.lab.worlds import (
    PUBLIC_TEXT,
    SMALL_WORLDS,
    TACTIC_OUT,
    WORLDS,
    LabWorld,
    public_text_world,
)
from jobs.platform.errors import StillwatchError

#: What figures may change with, beside the project's own code.
_VERSIONED = ("stillwatch", "pyspark", "pysail", "deltalake", "xgboost-cpu", "scikit-learn",
              "numpy", "scipy", "pandas", "pyarrow")  # fmt: skip


def run_lab(
    names: Sequence[str],
    small: bool,
    out: Path,
    corpora_folder: Path | None,
    workers: int,
    say: Callable[[str], None],
) -> None:
    """Judge the named worlds, or all of them; write `lab.json` and `lab.html` into `out`.

    Args:
        names: of worlds; none for all.
        small: the small worlds instead of the declared ones.
        out: folder of the report; finished worlds are kept in `worlds` within it.
        corpora_folder: of public prompts, for the world of public text; None for none.
        workers: worlds that run at once, each in a process of its own.
        say: progress.

    Raises:
        StillwatchError: there is no world of such a name, or one of them can't be run.
    """
    worlds = chosen(names, small, corpora_folder)
    if not names and not small and corpora_folder is None:
        say(f"{PUBLIC_TEXT}: skipped, it needs --corpora DIR")
    kept = out / "worlds"
    blind = any(world.protocol == TACTIC_OUT for world in worlds)
    rows_of = tactics.TRAINING_WORLDS if blind else ()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running: list[Future[Path]] = [
            *(pool.submit(nights.finish, world, kept, _tell) for world in worlds),
            *(pool.submit(tactics.finish_rows, world, kept, _tell) for world in rows_of),
        ]
        try:
            folders = [future.result() for future in running]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    rows = {
        str(world.seed): tactics.read_rows(folder)
        for world, folder in zip(rows_of, folders[len(worlds) :], strict=True)
    }
    report: dict[str, Any] = {
        "command": command_line(names, small, corpora_folder),
        "versions": {"python": platform.python_version()} | {n: version(n) for n in _VERSIONED},
        "code": nights.code_fingerprint(),
        "worlds": {},
    }
    for world, folder in zip(worlds, folders, strict=False):
        report["worlds"][world.name] = _judged(world, folder, rows, say)
        print_world(world.name, report["worlds"][world.name]["figures"])
    report["strength"] = strength_curves(
        (world, report["worlds"][world.name]["figures"]) for world in worlds if world.adversaries
    )
    (out / "lab.json").write_text(json.dumps(report, indent=1, default=str), encoding="utf-8")
    (out / "lab.html").write_text(page.render(report), encoding="utf-8")
    click.echo(f"open {out / 'lab.html'}; the same figures are in {out / 'lab.json'}")


def chosen(names: Sequence[str], small: bool, corpora_folder: Path | None) -> list[LabWorld]:
    """The worlds of these names, all where none is named.

    Raises:
        StillwatchError: there is no world of that name, or it needs prompts that are not there.
    """
    known = dict(SMALL_WORLDS if small else WORLDS)
    if corpora_folder is not None:
        world = public_text_world(corpora.read(corpora_folder))
        known[world.name] = world
    unknown = [name for name in names if name not in known]
    if unknown:
        raise StillwatchError(
            f"there is no world {unknown[0]!r}: choose of {', '.join(known)}"
            + (", and with --corpora public-text" if corpora_folder is None else "")
        )
    return [known[name] for name in dict.fromkeys(names or known)]


def command_line(names: Sequence[str], small: bool, corpora_folder: Path | None) -> str:
    """The command that makes this report, without the names of folders."""
    words = ["stillwatch lab", *(f"--worlds {name}" for name in names), *["--small"] * small]
    return " ".join([*words, *["--corpora DIR"] * (corpora_folder is not None)])


def _judged(
    world: LabWorld, folder: Path, rows: dict[str, Any], say: Callable[[str], None]
) -> dict[str, Any]:
    tables = nights.read_tables(folder)
    return nights.described(world) | {
        "judged_nights": [str(night) for night in world.judged],
        "seconds": nights.seconds_of(folder),
        "figures": judge(tables),
        "ablation": ablation.ablated(folder, tables) if world.ablate else None,
        "tactics": (
            tactics.leave_each_out(folder, tables, rows, say)
            if world.protocol == TACTIC_OUT
            else None
        ),
    }


def _tell(text: str) -> None:
    """Progress from a world's own process."""
    click.echo(text, err=True)
