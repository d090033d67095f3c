"""What should enforcement do from this night on, and on whose evidence?

Reads account_scores, campaigns, accounts, labels known by the night and the actions of the nights
before. Writes thresholds, the score from which on each action is within the policy's false
positive rate, and enforcement_actions under the policy: two independent families of evidence for
anything above `watch`, allow-list, a cap on new suspensions, an expiry for each action.
Harm if late: yesterday's actions hold until they expire; new accounts of an operation go on.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs import thresholds
from jobs.catalog.policy import POLICY, EnforcementPolicy
from models.definitions import BENIGN
from models.labels import resolve_labels

if TYPE_CHECKING:
    from jobs.platform.lake import Lake


def run(lake: Lake, date: dt.date) -> None:
    said = latest_labels(lake, date)
    benign = said.filter(pc.equal(said["said"], BENIGN))["account_id"]
    scores_in_force = thresholds.settle(lake, date, benign, POLICY)
    longest = max(rung.expires_days for rung in POLICY.rungs)
    earlier = lake.read("enforcement_actions", date - dt.timedelta(days=longest),
                        date - dt.timedelta(days=1))  # fmt: skip
    actions = decided(
        lake.night("account_scores", date),
        lake.night("campaigns", date),
        lake.night("accounts", date),
        # The types are said: from a lake without a single label nothing could be inferred.
        lake.session.createDataFrame(said, "account_id string, said string"),
        earlier,
        date,
        POLICY,
        scores_in_force,
    )
    lake.write_night("enforcement_actions", date, actions)


def latest_labels(lake: Lake, date: dt.date) -> pa.Table:
    """What people last said of each account by the night: (account_id, said)."""
    said = resolve_labels(lake.rows("labels", last=date), date)
    return pa.table({
        "account_id": pa.array(said["account_id"], pa.string()),
        "said": pa.array(said["label"], pa.string()),
    })  # fmt: skip


def decided(
    scores: DataFrame,
    campaigns: DataFrame,
    accounts: DataFrame,
    labels: DataFrame,
    earlier: DataFrame,
    date: dt.date,
    policy: EnforcementPolicy,
    scores_in_force: Mapping[str, float],
) -> DataFrame:
    """Rows of `enforcement_actions`, without accounts that nothing is to be done about.

    Args:
        scores, campaigns, accounts: the night's rows of these tables.
        labels: as `latest_labels` gives them, on the engine.
        earlier: enforcement_actions of the nights before.
        date: the night.
        policy: what is in force.
        scores_in_force: action -> distillation score from which on it is taken, infinite for none.
    """
    groups = campaigns.select(
        "campaign_id", F.col("kind").alias("group_kind"), F.col("score").alias("group_score")
    )
    people = accounts.select("account_id", "organization_id", "status", "verified_organization")
    suspended = (
        earlier.where((F.col("action") == "suspend") & (F.col("expires") >= F.lit(date)))
        .select("account_id")
        .distinct()
        .withColumn("suspended_before", F.lit(True))
    )
    judged = (
        scores.join(groups, "campaign_id", "left")
        .join(people, "account_id", "left")
        .join(labels, "account_id", "left")
        .join(suspended, "account_id", "left")
        .withColumn("evidence", _evidence())
    )
    wanted = judged.withColumn("action", _action(policy, scores_in_force, date)).where(
        F.col("action").isNotNull()
    )
    capped = _capped(wanted, policy)
    days = F.lit(None).cast("int")
    for rung in policy.rungs:
        days = F.when(F.col("action") == rung.action, rung.expires_days).otherwise(days)
    return capped.select(
        "account_id", "action", "campaign_id", "reasons", "evidence",
        F.date_add(F.lit(date), days).alias("expires"),
        F.lit(policy.version).alias("policy_version"),
    )  # fmt: skip


def _evidence() -> Column:
    """The score's families; what people confirmed of the account is a family of its own."""
    confirmed = F.col("said").isin("distillation", "resale")
    return F.when(confirmed, F.array_append("evidence", F.lit("label"))).otherwise(
        F.col("evidence")
    )


def _action(
    policy: EnforcementPolicy, scores_in_force: Mapping[str, float], date: dt.date
) -> Column:
    """The rung for each account, null for none."""
    score = F.col("distillation_score")
    kind = F.coalesce("group_kind", F.lit("none"))
    group_score = F.coalesce("group_score", F.lit(0.0))
    enough = F.size("evidence") >= policy.families_needed
    vetted = _allow_listed(policy, date)
    either = F.greatest(score, F.col("resale_score"))
    resells = (kind == "resale") | (F.col("resale_score") > score)
    verified = F.coalesce("verified_organization", F.lit(False))
    reached = {action: _reached(score, at) for action, at in scores_in_force.items()}
    watched = reached["watch"] | (F.col("resale_score") >= policy.resale_watch_score)
    reached["suspend"] &= (
        (group_score >= policy.suspend_campaign_score) & (kind == "distillation") & ~verified
    )
    action = F.lit(None).cast("string")
    for rung in policy.rungs:
        action = F.when(reached[rung.action], rung.action).otherwise(action)
    # A reseller breaks the terms, not the model: a person looks, nothing is done by itself. One
    # looked at a verified organization already, which only met the reseller's customers somewhere.
    looked_at = F.when((either >= policy.resale_score) & ~verified, "review").when(watched, "watch")
    action = F.when(resells, looked_at).otherwise(action)
    # Nothing acts on one clue, on what a person vetted, or on a group known to be honest.
    mild = ~enough | vetted | (kind == "benign_group")
    return (
        # People looked and found nothing, or the account is closed already.
        F.when(F.col("said") == "benign", F.lit(None).cast("string"))
        .when(F.col("status").isin("suspended", "closed"), F.lit(None).cast("string"))
        .when(mild & watched, F.lit("watch"))
        .otherwise(action)
    )


def _reached(score: Column, at: float) -> Column:
    return score >= at if math.isfinite(at) else F.lit(False)


def _allow_listed(policy: EnforcementPolicy, date: dt.date) -> Column:
    subjects = [e.subject for e in policy.allow_list if e.expires >= date.isoformat()]
    if not subjects:
        return F.lit(False)
    return F.col("account_id").isin(subjects) | F.coalesce(
        F.col("organization_id").isin(subjects), F.lit(False)
    )


def _capped(wanted: DataFrame, policy: EnforcementPolicy) -> DataFrame:
    """At most `new_suspensions_cap` accounts that were not suspended before; the rest to review.

    The surest come first; among equals the account whose id sorts first, so that a re-run decides
    the same.
    """
    new = (F.col("action") == "suspend") & F.col("suspended_before").isNull()
    order = Window.partitionBy(new).orderBy(F.desc("distillation_score"), "account_id")
    ranked = wanted.withColumn("rank", F.row_number().over(order))
    over = new & (F.col("rank") > policy.new_suspensions_cap)
    return ranked.withColumn("action", F.when(over, "review").otherwise(F.col("action")))
