"""The model that scores before a lake has labels: trained on simulated worlds, shipped with the
code in models/prior, made again by `stillwatch prior`.

Worlds differ in seed and tactics; those that judge the prior are none of those it learned from.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jobs import campaigns, features, ingest, rollup
from jobs.catalog.features import JUDGEMENTS
from jobs.night import open_lake
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from models.dataset import TrainingSet, build_training_set, concatenate, plan_rows
from models.definitions import Boosting, Sampling, TrainingPolicy
from models.prior import build_prior

START = dt.date(2026, 2, 2)
DAYS = 28
#: Nights that features are made for, from the first day: the night of the evidence and the states
#: that the training set looks back to.
FEATURE_NIGHTS = (20, 24, 27)


#: Few trees: simulated operations are easier than real ones, and what they add to the judgement is
#: mostly where the simulator's honest groups end.
POLICY = TrainingPolicy(boosting=Boosting(rounds=20, learning_rate=0.05))


@dataclass(frozen=True)
class PriorWorld:
    seed: int
    accounts: int
    tactics: tuple[str, ...]
    distillation_share: float


TRAINING_WORLDS = (
    PriorWorld(101, 2200, ("hydra_proxies", "template_farm", "customer_clothes"), 0.08),
    PriorWorld(102, 2200, ("synchronized_shards", "shared_payment", "censor_rewrite"), 0.05),
    PriorWorld(103, 2200, ("agentic_tools", "model_migration", "hydra_proxies"), 0.06),
    PriorWorld(104, 2200, ("customer_clothes", "synchronized_shards", "template_farm"), 0.04),
)
HOLDOUT_WORLDS = (
    PriorWorld(201, 2200, ("shared_payment", "agentic_tools", "customer_clothes"), 0.05),
)


def build(out: Path, say: Callable[[str], None]) -> None:
    """Simulate the worlds, run their nights, fit and write the prior into `out`."""
    # Tokens of these worlds are of no use to anyone; a fixed key makes the prior repeatable.
    os.environ["STILLWATCH_TOKEN_KEY"] = "5e" * 32
    with tempfile.TemporaryDirectory(prefix="stillwatch-prior-") as scratch:
        sets = {
            str(world.seed): training_rows(world, Path(scratch) / str(world.seed), say)
            for world in (*TRAINING_WORLDS, *HOLDOUT_WORLDS)
        }
    training = concatenate({str(w.seed): sets[str(w.seed)] for w in TRAINING_WORLDS})
    holdout = concatenate({str(w.seed): sets[str(w.seed)] for w in HOLDOUT_WORLDS})
    made = {
        "command": "stillwatch prior",
        "training_worlds": [dataclasses.asdict(world) for world in TRAINING_WORLDS],
        "holdout_worlds": [dataclasses.asdict(world) for world in HOLDOUT_WORLDS],
    }
    figures = build_prior(training, holdout, JUDGEMENTS, made, POLICY, out)
    say(json.dumps({k: v for k, v in figures.items() if not isinstance(v, (dict, list))},
                   default=str))  # fmt: skip


def training_rows(world: PriorWorld, folder: Path, say: Callable[[str], None]) -> TrainingSet:
    """Features and truth of one world as a training set."""
    from jobs.simulator import WorldSettings, simulate

    landing, truth = folder / "landing", folder / "truth"
    say(f"world {world.seed}: {', '.join(world.tactics)}")
    simulate(
        landing, truth,
        WorldSettings(
            days=DAYS, start=START, seed=world.seed, accounts=world.accounts,
            tactics=world.tactics, distillation_share=world.distillation_share,
        ),
        None,
    )  # fmt: skip
    # Labels of the simulator's analysts would be half the truth; the prior learns from all of it.
    shutil.rmtree(landing / "labels", ignore_errors=True)
    with open_lake(Settings(lake=str(folder / "lake"), landing=str(landing))) as lake:
        for day in range(DAYS):
            date = START + dt.timedelta(days=day)
            ingest.run(lake, date)
            rollup.run(lake, date)
            if day in FEATURE_NIGHTS:
                campaigns.run(lake, date)
                features.run(lake, date)
        return _labelled(lake, truth)


def _labelled(lake: Lake, truth: Path) -> TrainingSet:
    night = START + dt.timedelta(days=DAYS - 1)
    known = pq.read_table(truth / "accounts.parquet")
    n = known.num_rows
    at = dt.datetime.combine(night, dt.time(23, 59), dt.UTC)
    labels = pa.table({
        "account_id": known["account_id"],
        "label": known["class"],
        "labelled_at": pa.array([at] * n, pa.timestamp("us", tz="UTC")),
        "source": pa.array(["simulation"] * n),
        "campaign": known["campaign"],
        "confidence": pa.array([1.0] * n),
        "date": pa.array([night] * n, pa.date32()),
    })  # fmt: skip
    rows = lake.rows("account_features")
    members = lake.rows("campaign_members").select(["date", "account_id", "campaign_id"])
    presence = rows.select(["account_id", "date"]).join(
        members, ["date", "account_id"], join_type="left outer"
    )
    plan = plan_rows(labels, presence, night, Sampling())
    return build_training_set(
        plan, rows, tuple(f.name for f in JUDGEMENTS), segments=("plan", "country")
    )
