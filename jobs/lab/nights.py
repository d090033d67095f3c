"""One world from its simulation to its finished tables, with the steps that real nights run.

Great Expectations is left out: simulated landings are checked by tests, and it would take longer
than the detection. Landing files and the lake with its tables of requests are deleted when the
world is done; the few tables that are judged are kept, under a key of all that they depend on.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.catalog import policy
from jobs.catalog.policy import SCORING, CampaignPolicy
from jobs.lab.metrics import WorldTables
from jobs.lab.worlds import LabWorld
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings

#: Tables of the lake that are judged.
JUDGED_TABLES = ("account_scores", "enforcement_actions", "campaigns", "campaign_members")
#: Tables of the truth that they are compared with.
TRUTH_TABLES = ("accounts", "campaigns", "exchanges")
#: What the last night's features are kept under, as they were; see `dropped` for the others.
WHOLE = "whole"
_SEGMENTS = "segments"
_DONE = "world.json"
_ROOT = Path(__file__).parents[2]


def folder_of(world: LabWorld, kept: Path) -> Path:
    """Where the world's finished tables are kept: another folder for any other code or world."""
    said = json.dumps(described(world), sort_keys=True)
    key = hashlib.sha256((said + code_fingerprint()).encode()).hexdigest()[:12]
    return kept / f"{world.name}-{key}"


def described(world: LabWorld) -> dict[str, Any]:
    """The world's settings as JSON values; corpora by their size and hash."""
    said = dataclasses.asdict(world)
    said["settings"] |= {
        name: {key: _corpus(texts) for key, texts in value.items()}
        for name, value in said["settings"].items()
        if name == "text_corpora" and value
    }
    return dict(json.loads(json.dumps(said, default=str)))


def _corpus(texts: Any) -> str:
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
    return f"{len(texts):,} texts, sha256 {digest}"


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


def finish(world: LabWorld, kept: Path, say: Callable[[str], None]) -> Path:
    """Run the world unless the same code has run it before; returns the folder of its tables."""
    folder = folder_of(world, kept)
    if (folder / _DONE).exists():
        say(f"{world.name}: kept from an earlier run")
        return folder
    kept.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{world.name}-", dir=kept))
    try:
        _run(world, draft, say)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def read_tables(folder: Path) -> WorldTables:
    """A finished world's tables."""
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


def read_last_night(folder: Path, variant: str = WHOLE) -> tuple[pa.Table, pa.Table]:
    """Features of the accounts that the last night scored, and its campaigns' members."""
    place = folder / variant
    return pq.read_table(place / "features.parquet"), pq.read_table(place / "members.parquet")


def model_of(folder: Path) -> Path:
    """The model that scored the last night."""
    return folder / "model"


def seconds_of(folder: Path) -> dict[str, float]:
    """How long simulation and nights took."""
    return dict(json.loads((folder / _DONE).read_text(encoding="utf-8"))["seconds"])


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
    with open_lake(Settings(lake=str(scratch / "lake"), landing=str(landing))) as lake:
        work_through(lake, world, landing, say)
        for name in JUDGED_TABLES:
            pq.write_table(lake.rows(name), out / f"{name}.parquet")
        segments = lake.rows("accounts", columns=["account_id", "plan", "signup_country", "date"])
        pq.write_table(segments, out / f"{_SEGMENTS}.parquet")
        nights_done = time.perf_counter()
        _keep_last_night(lake, world, out)
    shutil.rmtree(scratch)
    seconds = {
        "simulation": round(simulated - started, 1),
        "nights": round(nights_done - simulated, 1),
        "ablation": round(time.perf_counter() - nights_done, 1),
    }
    done = {"world": described(world), "code": code_fingerprint(), "seconds": seconds}
    (out / _DONE).write_text(json.dumps(done, indent=1), encoding="utf-8")
    say(f"{world.name}: done in {sum(seconds.values()):.0f} s")


def work_through(lake: Lake, world: LabWorld, landing: Path, say: Callable[[str], None]) -> None:
    """Warm-up nights are only ingested and rolled up; judged nights run every step but checks."""
    from jobs import campaigns, decide, features, ingest, rollup, score, train

    judged = set(world.judged)
    for date in world.nights:
        started = time.perf_counter()
        steps: list[Any] = [ingest, rollup]
        if date in judged:
            steps += [campaigns, features, train, score, decide]
        for step in steps:
            step.run(lake, date)
        # What a night was made from is not read again: windows are merged from rollups.
        shutil.rmtree(landing / "requests" / f"date={date}", ignore_errors=True)
        say(f"{world.name}: {date} in {time.perf_counter() - started:.1f} s")


def _keep_last_night(lake: Lake, world: LabWorld, out: Path) -> None:
    """Keep the last night's features, its model, and what they are without each axis' family."""
    from jobs import campaigns, features
    from jobs.score import model_registry
    from models.decisions import serving_model

    last = world.judged[-1]
    decisions = lake.rows("model_decisions").to_pylist()
    _, classifier = serving_model(model_registry(lake.settings), decisions, last)
    classifier.save(model_of(out))
    _write_last_night(lake, last, out / WHOLE)
    if not world.ablate:
        return
    for family in axis_families(policy.CAMPAIGN_POLICY):
        with policy_in_force(dropped(policy.CAMPAIGN_POLICY, family)):
            campaigns.run(lake, last)
        features.run(lake, last)
        _write_last_night(lake, last, out / f"without-{family}")


def _write_last_night(lake: Lake, last: dt.date, place: Path) -> None:
    place.mkdir()
    rows = lake.rows("account_features", last, last)
    scored = pc.greater(rows[SCORING.traffic], 0)
    pq.write_table(rows.filter(scored), place / "features.parquet")
    pq.write_table(lake.rows("campaign_members", last, last), place / "members.parquet")


def axis_families(of: CampaignPolicy) -> list[str]:
    """Families of evidence that some axis of the policy has, in the policy's order."""
    return list(dict.fromkeys(axis.family for axis in of.axes))


def dropped(of: CampaignPolicy, family: str) -> CampaignPolicy:
    """The policy with the axes of one family of evidence worth nothing, so that none makes a link.

    The axes stay declared, because the step says in words what bound a group by their names. What
    the family's tokens do after links, when pieces are joined, is not taken away.
    """
    return dataclasses.replace(of, axes=tuple(
        dataclasses.replace(axis, cap=0.0, kinds=tuple((kind, 0.0) for kind, _ in axis.kinds))
        if axis.family == family else axis
        for axis in of.axes
    ))  # fmt: skip


@contextmanager
def policy_in_force(changed: CampaignPolicy) -> Iterator[None]:
    """Have the step `campaigns`, which reads the catalogue at every run, follow another policy."""
    declared = policy.CAMPAIGN_POLICY
    policy.CAMPAIGN_POLICY = changed
    try:
        yield
    finally:
        policy.CAMPAIGN_POLICY = declared
