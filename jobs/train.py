"""Is there more to learn from than last time, and is what it teaches better than what scores now?

Reads labels and people's decisions known by the night, and account_features as they were on the
nights of the evidence. Trains a challenger when the policy says that training is due, registers it,
and writes the decision to model_decisions: which model scores from this night on.
Harm if late: the champion goes on scoring.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.catalog.features import LEARNED
from jobs.catalog.policy import TRAINING
from jobs.catalog.tables import TABLES
from jobs.platform.lake import arrow_schema
from jobs.score import model_registry
from jobs.verdicts import labels_known
from models.dataset import RowPlan, TrainingSet, build_training_set, plan_rows
from models.decisions import OF_TRAINING, SKIP, sync_aliases
from models.definitions import DISTILLATION, Sampling
from models.training import adopt_prior, run_training

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

logger = logging.getLogger(__name__)
#: Nights of features that a training set may reach back to: evidence older than the longest
#: window says little of how the API is used today.
EVIDENCE_NIGHTS = 60


def run(lake: Lake, date: dt.date, force: bool = False) -> None:
    registry = model_registry(lake.settings)
    decisions = lake.rows("model_decisions").to_pylist()
    prior = adopt_prior(registry, decisions, date)
    if prior is not None:
        record(lake, prior)
        decisions.append(prior)
    if not force and not due(decisions, labels_known(lake, date), date):
        return
    dataset = training_set(lake, date)
    outcome = run_training(
        dataset,
        LEARNED,
        registry=registry,
        decisions=decisions,
        inputs={
            name: lake.version(name) or 0 for name in ("account_features", "labels", "decisions")
        },
        least_positives=TRAINING.minimum_positives,
        least_campaigns=TRAINING.minimum_campaigns,
        past=past_campaigns(lake, date),
    )
    if not outcome.repeated:
        record(lake, outcome.decision)
        decisions.append(outcome.decision)
    sync_aliases(registry, decisions)
    logger.info("training on %s: %s", date, outcome.decision["reason"])


def due(decisions: list[dict[str, Any]], labels: pa.Table, date: dt.date) -> bool:
    """Whether the policy wants a training on this night.

    Decisions of the night itself don't count: run again, the night trains again, finds the same
    rows and comes to the same version.
    """
    first = date - dt.timedelta(days=TRAINING.every_nights - 1)
    recent = any(
        first <= entry["date"] < date and entry["decision"] in OF_TRAINING
        and entry["decision"] != SKIP
        for entry in decisions
    )  # fmt: skip
    if recent:
        return False
    guilty = labels.filter(pc.equal(labels["label"], DISTILLATION))
    campaigns = len(guilty["campaign"].drop_null().unique())
    return (
        len(guilty["account_id"].unique()) >= TRAINING.minimum_positives
        and campaigns >= TRAINING.minimum_campaigns
    )


def training_set(lake: Lake, date: dt.date) -> TrainingSet:
    """Labelled accounts with the features of the nights of the evidence, and unlabelled ones."""
    first = date - dt.timedelta(days=EVIDENCE_NIGHTS)
    features = lake.read("account_features", first, date)
    members = lake.read("campaign_members", first, date).select("date", "account_id", "campaign_id")
    seen = features.select("account_id", "date")
    presence = seen.join(members, ["date", "account_id"], "left").toArrow()
    labels = labels_known(lake, date)
    return rows_of(lake, features, plan_rows(labels, presence, date, Sampling()))


def past_campaigns(lake: Lake, date: dt.date) -> TrainingSet | None:
    """Known distillers whose evidence is too old to learn from, None where there are none.

    A challenger that lost them would not know an operation that comes back.
    """
    before = date - dt.timedelta(days=EVIDENCE_NIGHTS + 1)
    labels = labels_known(lake, date)
    guilty = labels.filter(pc.equal(labels["label"], DISTILLATION))
    nights = [night for night in lake.nights("account_features") if night <= before]
    if not guilty.num_rows or not nights:
        return None
    features = lake.read("account_features", nights[0], before)
    accounts = lake.session.createDataFrame(
        guilty.select(["account_id"]).group_by("account_id").aggregate([])
    )
    seen = features.join(F.broadcast(accounts), ["account_id"], "left_semi")
    presence = seen.select("account_id", "date").toArrow()
    rows = rows_of(lake, features, plan_rows(labels, presence, date, Sampling()))
    rows = rows.take(rows.is_labelled(DISTILLATION))
    return rows if len(rows) else None


def rows_of(lake: Lake, features: DataFrame, plan: RowPlan) -> TrainingSet:
    """The planned accounts and nights with what the classifier learns from."""
    wanted = lake.session.createDataFrame(plan.keys)
    rows = features.join(F.broadcast(wanted), ["account_id", "date"], "left_semi").toArrow()
    return build_training_set(
        plan, rows, tuple(f.name for f in LEARNED), segments=("plan", "country")
    )


def record(lake: Lake, decision: dict[str, Any]) -> None:
    """Append one row to model_decisions."""
    schema = arrow_schema(TABLES["model_decisions"])
    lake.append("model_decisions", pa.Table.from_pylist([decision], schema=schema))
