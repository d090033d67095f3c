"""One world from its simulation to its finished tables, with the steps that real nights run.

Great Expectations is left out: simulated landings are checked by tests, and it would take longer
than the detection. Landing files and tables of requests are deleted when the world is done; the
few tables that are judged are kept, under a key of everything that they depend on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from jobs.lab.metrics import WorldTables
from jobs.lab.worlds import LabWorld
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings

#: Tables of the lake that are judged.
JUDGED_TABLES = ("account_scores", "enforcement_actions", "campaigns", "campaign_members")
#: Tables of the truth that they are compared with, and the accounts' countries and plans.
TRUTH_TABLES = ("accounts", "campaigns", "exchanges")
_SEGMENTS = "segments"
_ROOT = Path(__file__).parents[2]


def finished(world: LabWorld, cache_root: Path, say: Callable[[str], None]) -> WorldTables:
    """The world's finished tables: from an earlier run of the same code, or made now."""
    folder = cache_root / f"{world.name}-{key_of(world)}"
    if not (folder / "world.json").exists():
        draft = Path(tempfile.mkdtemp(prefix=f".{world.name}-", dir=_made(cache_root)))
        try:
            _run(world, draft, say)
            shutil.rmtree(folder, ignore_errors=True)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return _read(folder)


def key_of(world: LabWorld) -> str:
    """Twelve digits that change with the world's settings or with any code that it runs."""
    said = json.dumps(dataclasses.asdict(world), sort_keys=True, default=str)
    return hashlib.sha256((said + code_fingerprint()).encode()).hexdigest()[:12]


@cache
def code_fingerprint() -> str:
    """SHA-256 over the code of jobs and models and the committed prior.

    Of the lab itself only this module counts: how figures are computed and shown changes no table.
    """
    digest = hashlib.sha256()
    for room in ("jobs", "models"):
        for path in sorted((_ROOT / room).rglob("*")):
            inside = path.relative_to(_ROOT)
            in_lab = inside.parts[:2] == ("jobs", "lab") and path != Path(__file__)
            if path.is_file() and path.suffix in (".py", ".json") and not in_lab:
                digest.update(str(inside).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _run(world: LabWorld, out: Path, say: Callable[[str], None]) -> None:
    from jobs.night import open_lake
    from jobs.simulator import simulate

    # Tokens of these worlds are of no use to anyone; a fixed key makes a world repeatable.
    os.environ["STILLWATCH_TOKEN_KEY"] = "1a" * 32
    started = time.perf_counter()
    scratch = out / "scratch"
    landing = scratch / "landing"
    simulate(landing, out / "truth", world.settings, None)
    if not world.labels:
        shutil.rmtree(landing / "labels", ignore_errors=True)
    simulated = time.perf_counter()
    say(f"{world.name}: simulated in {simulated - started:.0f} s")
    with open_lake(Settings(lake=str(scratch / "lake"), landing=str(landing))) as lake:
        _nights(lake, world, say)
        for name in JUDGED_TABLES:
            pq.write_table(lake.rows(name), out / f"{name}.parquet")
        segments = lake.rows("accounts", columns=["account_id", "plan", "signup_country", "date"])
        pq.write_table(segments, out / f"{_SEGMENTS}.parquet")
    shutil.rmtree(scratch)
    (out / "world.json").write_text(
        json.dumps({
            "world": dataclasses.asdict(world),
            "code": code_fingerprint(),
            "simulated_s": round(simulated - started, 1),
            "nights_s": round(time.perf_counter() - simulated, 1),
        }, default=str, indent=1),
        encoding="utf-8",
    )  # fmt: skip


def _nights(lake: Lake, world: LabWorld, say: Callable[[str], None]) -> None:
    """Warm-up nights are only ingested and rolled up; judged nights run every step but checks."""
    from jobs import campaigns, decide, features, ingest, rollup, score, train

    judged = set(world.judged)
    for date in world.nights:
        started = time.perf_counter()
        steps = [ingest, rollup]
        if date in judged:
            steps += [campaigns, features, train, score, decide]
        for step in steps:
            step.run(lake, date)
        say(f"{world.name}: {date} in {time.perf_counter() - started:.1f} s")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _read(folder: Path) -> WorldTables:
    truth = {name: pq.read_table(folder / "truth" / f"{name}.parquet") for name in TRUTH_TABLES}
    lake = {name: pq.read_table(folder / f"{name}.parquet") for name in JUDGED_TABLES}
    return WorldTables(
        accounts=truth["accounts"].to_pandas(),
        operations=truth["campaigns"].to_pandas(),
        exchanges=truth["exchanges"].to_pandas(),
        segments=pq.read_table(folder / f"{_SEGMENTS}.parquet").to_pandas(),
        scores=lake["account_scores"].drop(["reasons", "evidence", "unavailable"]).to_pandas(),
        actions=lake["enforcement_actions"].drop(["reasons", "evidence"]).to_pandas(),
        groups=lake["campaigns"].drop(["reasons", "evidence"]).to_pandas(),
        members=lake["campaign_members"].to_pandas(),
    )
