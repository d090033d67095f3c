"""What should enforcement do from this night on, and on whose evidence?

Reads account_scores, campaigns and their members, accounts, labels and people's decisions known by
the night, and the actions of the nights before. Writes thresholds, the score from which on each
action is within the policy's false positive rate; policies, the policy as its file had it; and
enforcement_actions under it: independent families of evidence for anything above `watch`,
allow-list, caps, an expiry for each action, a person's word where the policy wants one, and what
people decided, before all else.
Harm if late: yesterday's actions hold until they expire; new accounts of an operation go on.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs import thresholds, verdicts
from jobs.catalog.desk_tables import POLICIES, VETTED
from jobs.catalog.enforcement import (
    LADDER,
    PERSON_DECIDES,
    VERIFIED,
    Cap,
    EnforcementPolicy,
    Rung,
)
from jobs.platform.faults import readable_errors
from jobs.platform.lake import arrow_schema
from models.definitions import BENIGN
from models.labels import resolve_labels

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

WATCH, LIMIT, _, REVIEW, _ = LADDER
_SAID = "account_id string, said string, said_on date"
_PEOPLE = (
    "account_id string, verdict string, ordered string, holds_until date, decided_on date, "
    "decision_id string, decided_evidence array<string>, decided_campaigns array<string>, "
    "decided_campaign string"
)


def run(lake: Lake, date: dt.date) -> None:
    policy = lake.settings.enforcement_policy
    said = latest_labels(lake, date)
    benign = said.filter(pc.equal(said["said"], BENIGN))["account_id"]
    scores_in_force = thresholds.settle(lake, date, benign, policy)
    lake.replace_night("policies", date, policy_row(date, policy))
    earlier = lake.read("enforcement_actions", oldest(date, policy), date - dt.timedelta(days=1))
    scores = lake.night("account_scores", date)
    actions = decided_by(lake, date, policy, scores, earlier, said, scores_in_force)
    mode = pa.repeat(pa.scalar(verdicts.mode_on(lake, date)), actions.num_rows)
    lake.replace_night("enforcement_actions", date, actions.append_column("mode", mode))


def oldest(date: dt.date, policy: EnforcementPolicy) -> dt.date:
    """The first night whose actions may still hold on a night."""
    return date - dt.timedelta(days=max(rung.expires_days for rung in policy.rungs))


def decided_by(
    lake: Lake,
    date: dt.date,
    policy: EnforcementPolicy,
    scores: DataFrame,
    earlier: DataFrame,
    said: pa.Table,
    scores_in_force: Mapping[str, float],
) -> pa.Table:
    """What `decided` makes of a night of the lake: in force, in a trial, in a shadow.

    Args:
        scores: account_scores of the night, or what another model gives in their columns.
        earlier: actions of the nights before, from `oldest` on.
        said: what `latest_labels` gives.
        scores_in_force: as `decided` takes it.
    """
    actions = decided(
        scores,
        lake.night("campaigns", date),
        lake.night("accounts", date),
        # The types are said: from a lake without a single label nothing could be inferred.
        lake.session.createDataFrame(said, _SAID),
        lake.session.createDataFrame(people_decided(lake, date, policy), _PEOPLE),
        earlier,
        date,
        policy,
        scores_in_force,
    )
    # Into this process, and not written by the engine: Sail 0.7.2 finds that rows break the
    # table's constraint that don't, once it stands behind as many conditions as these.
    with readable_errors(f"the actions of {date} can't be decided"):
        return actions.toArrow()


def latest_labels(lake: Lake, date: dt.date) -> pa.Table:
    """What people last said of each account by the night: (account_id, said, said_on)."""
    said = resolve_labels(verdicts.labels_known(lake, date), date)
    return pa.table({
        "account_id": pa.array(said["account_id"], pa.string()),
        "said": pa.array(said["label"], pa.string()),
        "said_on": pa.array(said["labelled_on"], pa.int32()).cast(pa.date32()),
    })  # fmt: skip


def people_decided(lake: Lake, date: dt.date, policy: EnforcementPolicy) -> pa.Table:
    """What stands of people's decisions on the night, an account a row, as `_PEOPLE` has it."""
    stands = verdicts.standing(verdicts.decisions_by(lake, date), date, policy)
    stands = stands.append_column("campaign", verdicts.campaign_of(lake, stands, date))
    return stands.select([
        "account_id", "verdict", "action", "holds_until", "decided_on", "decision_id", "evidence",
        "campaigns", "campaign",
    ]).rename_columns([column.split()[0] for column in _PEOPLE.split(", ")])  # fmt: skip


def policy_row(date: dt.date, policy: EnforcementPolicy) -> pa.Table:
    """The night's row of `policies`."""
    row = {"date": date, "version": policy.version, "text": policy.text}
    return pa.Table.from_pylist([row], schema=arrow_schema(POLICIES))


def decided(
    scores: DataFrame,
    campaigns: DataFrame,
    accounts: DataFrame,
    labels: DataFrame,
    people: DataFrame,
    earlier: DataFrame,
    date: dt.date,
    policy: EnforcementPolicy,
    scores_in_force: Mapping[str, float],
) -> DataFrame:
    """Rows of `enforcement_actions` but for `mode`, without accounts that nothing is to be done
    about.

    Args:
        scores, campaigns, accounts: the night's rows of these tables.
        labels: as `latest_labels` gives them, on the engine.
        people: as `people_decided` gives them, on the engine.
        earlier: enforcement_actions of the nights before.
        date: the night.
        policy: what is in force.
        scores_in_force: action -> distillation score from which on it is taken, infinite for none.
    """
    groups = campaigns.select(
        "campaign_id", F.col("kind").alias("group_kind"), F.col("score").alias("group_score")
    )
    customers = accounts.select(
        "account_id", "organization_id", "plan", "status",
        F.coalesce("verified_organization", F.lit(False)).alias("verified"),
    )  # fmt: skip
    # Who was decided on has a row on each night on which that holds, also if nothing is sent; and
    # so has what is lifted: who is suspended sends nothing.
    ordered = people.where(F.col("ordered").isNotNull()).select("account_id")
    before = _before(earlier, date)
    acted_on = before.where(_at_least("before", LIMIT)).select("account_id")
    judged = (
        scores.select("account_id", "distillation_score", "resale_score", "campaign_id", "reasons",
                      "evidence")
        .join(ordered, "account_id", "full")
        .join(acted_on, "account_id", "full")
        .join(groups, "campaign_id", "left")
        .join(customers, "account_id", "left")
        .join(labels, "account_id", "left")
        .join(people, "account_id", "left")
        .join(before, "account_id", "left")
    )  # fmt: skip
    judged = _with_fresh_evidence(judged, policy, date)
    wanted = _with_rungs(judged, policy, scores_in_force, date)
    for cap in policy.caps:
        wanted = _capped(wanted, cap)
    wanted = _as_people_said(_held_back(wanted, policy, date), date)
    expires = F.lit(None).cast("date")
    for rung in policy.rungs:
        until = F.date_add(F.lit(date), rung.expires_days)
        expires = F.when(F.col("action") == rung.action, until).otherwise(expires)
    return wanted.where(F.col("action").isNotNull()).select(
        "account_id", "action",
        # Who is suspended sends nothing, and no night finds it in a campaign.
        F.coalesce("campaign_id", F.when(F.col("ordered").isNotNull(), F.col("decided_campaign")))
        .alias("campaign_id"),
        "reasons", "evidence", F.coalesce("ends", expires).alias("expires"),
        F.lit(policy.version).alias("policy_version"),
        "proposed", "held_since", "held_until", "decision_id",
    )  # fmt: skip


def _before(earlier: DataFrame, date: dt.date) -> DataFrame:
    """Each account's latest action before the night: what holds of it, and since when it is held
    back."""
    latest = Window.partitionBy("account_id").orderBy(F.desc("date"))
    last = earlier.withColumn("age", F.row_number().over(latest)).where(F.col("age") == 1)
    holds = F.col("expires") >= F.lit(date)
    return last.select(
        "account_id",
        F.when(holds, F.col("action")).alias("before"),
        F.when(holds, F.col("held_since")).alias("held_before"),
    )


def _with_fresh_evidence(judged: DataFrame, policy: EnforcementPolicy, date: dt.date) -> DataFrame:
    """Adds `cleared`, whether people's word that nothing is wrong stands; `cooling`, whether it is
    young; and takes families that they saw, or vetted, out of `evidence`."""
    guilty = F.col("said").isin("distillation", "resale")
    cleared = F.col("verdict").isin(*verdicts.CLEARING)
    # Unless people said otherwise since.
    cleared &= ~(F.coalesce(guilty, F.lit(False)) & (F.col("said_on") >= F.col("decided_on")))
    cleared = F.coalesce(cleared, F.lit(False))
    # What people confirmed of the account is a family of its own.
    evidence = F.coalesce("evidence", F.array().cast("array<string>"))
    evidence = F.when(guilty, F.array_append(evidence, F.lit("label"))).otherwise(evidence)
    # The same families in another campaign are other evidence; what was vetted is vetted anywhere.
    seen = (
        (F.col("verdict") == VETTED)
        | F.col("campaign_id").isNull()
        | F.array_contains("decided_campaigns", F.col("campaign_id"))
    )
    fresh = F.array_except(evidence, F.col("decided_evidence"))
    cooled = F.date_add("decided_on", policy.cool_down.days)
    return (
        judged.withColumn("cleared", cleared)
        .withColumn("cooling", F.col("cleared") & (F.lit(date) < cooled))
        .withColumn(
            "evidence", F.when(F.col("cleared") & seen, fresh).otherwise(evidence)
        )
    )  # fmt: skip


def _with_rungs(
    judged: DataFrame,
    policy: EnforcementPolicy,
    scores_in_force: Mapping[str, float],
    date: dt.date,
) -> DataFrame:
    """Adds `action` and `proposed`, null for none: what the policy does, and what it would do if
    a person decided so."""
    score = F.col("distillation_score")
    kind = F.coalesce("group_kind", F.lit("none"))
    verified = F.coalesce("verified", F.lit(False))
    resells = (kind == "resale") | (F.col("resale_score") > score)
    watched = _reached(score, scores_in_force[WATCH])
    watched |= F.col("resale_score") >= policy.resale.watch_score
    due = F.lit(None).cast("string")
    for rung in policy.rungs:
        due = F.when(_holds(rung, scores_in_force[rung.action], kind, verified),
                     rung.action).otherwise(due)  # fmt: skip
    # A reseller breaks the terms, not the model: a person looks, nothing is done by itself. One
    # looked at a verified organization already, which only met the reseller's customers somewhere.
    enough = F.size("evidence") >= policy.families_needed
    either = F.greatest(score, F.col("resale_score"))
    looked_at = (either >= policy.resale.review_score) & ~verified & enough
    due = F.when(
        resells, F.when(looked_at, REVIEW).when(watched, WATCH)
    ).otherwise(F.when(due.isNull() & watched, WATCH).otherwise(due))  # fmt: skip
    # Nothing acts on what a person vetted, or on a group known to be honest.
    mild = _allow_listed(policy, date) | (kind == "benign_group")
    due = F.when(mild & watched, WATCH).when(~mild, due)
    # People looked and found nothing, or the account is closed already.
    let_be = (F.col("said") == BENIGN) & ~F.col("cleared")
    let_be |= F.col("status").isin("suspended", "closed")
    due = F.when(~F.coalesce(let_be, F.lit(False)), due)
    by_person = [r.action for r in policy.rungs if r.decided_by == PERSON_DECIDES]
    waits = F.col("due").isin(*by_person)
    # New evidence on who was cleared not long ago: a person looks, and sees what was said then.
    waits |= F.col("cooling") & _at_least("due", LIMIT)
    return (
        judged.withColumn("due", due)
        .withColumn("action", F.when(waits, REVIEW).otherwise(F.col("due")))
        .withColumn("proposed", F.when(waits & (F.col("due") != REVIEW), F.col("due")))
    )


def _holds(rung: Rung, at: float, kind: Column, verified: Column) -> Column:
    """Whether all that a rung needs is there."""
    holds = _reached(F.col("distillation_score"), at)
    holds &= F.size("evidence") >= rung.families
    if rung.campaign_score > 0:
        holds &= F.coalesce("group_score", F.lit(0.0)) >= rung.campaign_score
    if rung.kinds:
        holds &= kind.isin(*rung.kinds)
    return holds if rung.verified else holds & ~verified


def _reached(score: Column, at: float) -> Column:
    return score >= at if math.isfinite(at) else F.lit(False)


def _at_least(column: str, action: str) -> Column:
    """Whether an action is that hard or harder; not for none."""
    return F.coalesce(F.col(column).isin(*LADDER[LADDER.index(action) :]), F.lit(False))


def _allow_listed(policy: EnforcementPolicy, date: dt.date) -> Column:
    subjects = [e.subject for e in policy.allow_list if e.expires >= date]
    if not subjects:
        return F.lit(False)
    return F.col("account_id").isin(subjects) | F.coalesce(
        F.col("organization_id").isin(subjects), F.lit(False)
    )


def _capped(wanted: DataFrame, cap: Cap) -> DataFrame:
    """At most so many accounts with one of the cap's actions that had none as hard before; the
    rest get the cap's other action.

    The surest come first; among equals the account whose id sorts first, so that a re-run decides
    the same.
    """
    # `review` ranks above most: who only got it in place of another action has had none yet.
    instead_before = (F.col("before") == cap.instead) & (F.col("action") != cap.instead)
    had = _at_least("before", cap.mildest) & ~F.coalesce(instead_before, F.lit(False))
    new = F.col("action").isin(*cap.actions) & ~had
    if cap.plans:
        of_kind = [F.col("plan").isin(*[p for p in cap.plans if p != VERIFIED])]
        if VERIFIED in cap.plans:
            of_kind.append(F.col("verified"))
        new &= F.coalesce(functools.reduce(Column.__or__, of_kind), F.lit(False))
    order = Window.partitionBy("new").orderBy(F.desc("distillation_score"), "account_id")
    over = F.col("new") & (F.col("place") > cap.accounts) & (F.col("action") != cap.instead)
    return (
        wanted.withColumn("new", new)
        .withColumn("place", F.row_number().over(order))
        .withColumn("proposed", F.when(over, F.coalesce("proposed", "action"))
                    .otherwise(F.col("proposed")))
        .withColumn("action", F.when(over, cap.instead).otherwise(F.col("action")))
    )  # fmt: skip


def _held_back(wanted: DataFrame, policy: EnforcementPolicy, date: dt.date) -> DataFrame:
    """New actions wait, each account for as many nights as its id says, within the policy's window;
    meanwhile a milder one that holds already goes on, else `watch`."""
    timing = policy.timing
    nothing = F.lit(None).cast("date")
    if not timing.hold_nights + timing.spread_nights or not timing.actions:
        return wanted.withColumn("held_since", nothing).withColumn("held_until", nothing)
    due = F.lit(False)
    for action in timing.actions:
        due |= (F.col("action") == action) & ~_at_least("before", action)
    since = F.coalesce("held_before", F.lit(date))
    nights = timing.hold_nights + F.crc32("account_id") % (timing.spread_nights + 1)
    until = F.date_add(since, nights.cast("int"))
    held = due & (F.lit(date) < until)
    return (
        wanted.withColumn("held_since", F.when(held, since))
        .withColumn("held_until", F.when(held, until))
        .withColumn("proposed", F.when(held, F.col("action")).otherwise(F.col("proposed")))
        .withColumn("action", F.when(held, F.coalesce("before", F.lit(WATCH)))
                    .otherwise(F.col("action")))
    )  # fmt: skip


def _as_people_said(wanted: DataFrame, date: dt.date) -> DataFrame:
    """What people ordered is done whatever the policy says; what they cleared is lifted, by a row
    of its own, since an action holds until a later one."""
    benign = F.coalesce("said", F.lit("")) == BENIGN
    # An appeal may be won elsewhere: a label that landed since ends what people ordered.
    freed = benign & F.coalesce(F.col("said_on") >= F.col("decided_on"), F.lit(False))
    ordered = F.col("ordered").isNotNull() & ~freed
    # Cleared by a decision, or by a label that landed.
    fine = F.col("cleared") | benign
    lifting = ~ordered & fine & F.col("action").isNull() & _at_least("before", LIMIT)
    lifted = F.col("lifted")
    reasons = F.coalesce("reasons", F.array().cast("array<string>"))
    by_person = F.concat(
        F.array(F.concat_ws("", F.lit(verdicts.SAID_BY_PERSON), F.col("decided_on").cast("string"),
                            F.lit("."))),
        reasons,
    )  # fmt: skip
    was_lifted = F.array(
        F.concat(F.lit("Lifted: people looked and found nothing wrong. Until now: "), "before",
                 F.lit("."))
    )  # fmt: skip
    none = F.lit(None).cast("string")
    return (
        wanted.withColumn("lifted", lifting)
        .withColumn("reasons", F.when(ordered, by_person).when(lifted, was_lifted)
                          .otherwise(reasons))
        .withColumn("evidence", F.when(ordered, F.array_union("evidence", "decided_evidence"))
                    .otherwise(F.col("evidence")))
        .withColumn("action", F.when(ordered, F.col("ordered")).when(lifted, WATCH)
                    .otherwise(F.col("action")))
        .withColumn("proposed", F.when(ordered, none).otherwise(F.col("proposed")))
        .withColumn("ends", F.when(ordered, F.col("holds_until")).when(lifted, F.lit(date)))
        .withColumn("decision_id", F.when(ordered | (lifted & F.col("cleared")),
                                          F.col("decision_id")))
    )  # fmt: skip
