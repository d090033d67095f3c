"""What is known of each account as of this night, in figures?

Merges the rollups of 1, 7, 28 and 45 days, adds the account's own record and its campaign, and
evaluates every feature that the catalogue declares. Reads nothing later than the night.
Writes account_features. Harm if late: the night can't be scored.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.catalog.features import FEATURES, TEMPLATE_STATISTICS
from jobs.catalog.figures import FIGURES
from jobs.catalog.measures import (
    FEATURE_WINDOWS,
    INDICATORS,
    LONGEST_WINDOW,
    MEASURES,
    WINDOWS,
    still_remembered,
)
from jobs.platform.parts import Parts
from jobs.platform.sizing import GROUPED_ROWS, parts

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

#: A shared token counts as an account's own when this share of its requests carries it, so that
#: one request through a friend's network makes nobody a neighbour.
OWN_SHARE = 0.25
#: A template that more accounts use than this is a common phrase.
COMMON_TEMPLATE_ACCOUNTS = 1_000
#: How an account's figures of several parts make one.
_MERGED = {"tokens": F.sum, "fan": F.min, "share": F.sum}
_TEMPLATE_MERGED = {
    "template_count": F.sum, "template_top": F.max, "template_prompts": F.sum,
    "template_shared": F.sum, "template_fan": F.min,
}  # fmt: skip
#: Names that the features' SQL reads, and `evaluated` itself. Each further aggregate costs an
#: engine milliseconds to plan, on the smallest day as on the largest.
READ_NAMES = frozenset(
    name for feature in FEATURES for name in re.findall("[a-z_][a-z_0-9]*", feature.sql)
) | {"requests_1d"}


def run(lake: Lake, date: dt.date) -> None:
    first = date - dt.timedelta(days=LONGEST_WINDOW - 1)
    shared_first = date - dt.timedelta(days=max(FEATURE_WINDOWS) - 1)
    daily = lake.read("account_daily", first, date)
    indicators = lake.read("account_indicators", shared_first, date)
    templates = lake.read("account_templates", shared_first, date)
    accounts = lake.night("accounts", date)
    members = lake.night("campaign_members", date)
    campaigns = lake.night("campaigns", date)
    tokens, phrases = (
        parts(lake.count(name, date, shared_first), GROUPED_ROWS, lake.settings.engine)
        for name in ("account_indicators", "account_templates")
    )
    with Parts(lake, "features") as staged:
        wide = reduce(
            lambda left, right: left.join(right, "account_id", "left"),
            (
                windows(daily, date, READ_NAMES),
                shared(indicators, date, staged, tokens),
                shared_templates(templates, date, staged, phrases),
                account_record(accounts),
                campaign_of(campaigns, members),
            ),
        ).withColumn("date", F.lit(date))
        made = evaluated(wide, unavailable_columns(lake, date))
        lake.write_night("account_features", date, made)


def unavailable_columns(lake: Lake, date: dt.date) -> frozenset[str]:
    """Landing columns that the whole night lacks: what needs them is null, not zero."""
    table: pa.Table = lake.rows("source_columns", date, date)
    return frozenset(
        row["column_name"]
        for row in table.to_pylist()
        if row["declared"] and row["records"] > 0 and not row["available"]
    )


def _within(days: int, date: dt.date) -> Column:
    return F.col("date") >= F.lit(date - dt.timedelta(days=days - 1))


def windows(daily: DataFrame, date: dt.date, wanted: Collection[str] | None = None) -> DataFrame:
    """Measures merged over windows, `<measure>_<days>d`, and active days: those wanted, or all.

    One pass: a window is the rows of the longest one that are recent enough.
    """
    merges = {"sum": F.sum, "min": F.min, "max": F.max}
    aggregates: dict[str, Column] = {}
    for days in WINDOWS:
        recent = _within(days, date)
        for measure in MEASURES:
            merged = merges[measure.merge](F.when(recent, F.col(measure.name)))
            if measure.merge == "sum":
                merged = F.coalesce(merged, F.lit(0).cast(measure.type))
            aggregates[f"{measure.name}_{days}d"] = merged
        aggregates[f"active_days_{days}d"] = F.count(F.when(recent, F.lit(1)))
        aggregates[f"requests_max_day_{days}d"] = F.max(F.when(recent, F.col("requests")))
    return daily.groupBy("account_id").agg(
        *(
            column.alias(name)
            for name, column in aggregates.items()
            if wanted is None or name in wanted
        )
    )


def shared(indicators: DataFrame, date: dt.date, staged: Parts, number: int = 1) -> DataFrame:
    """For each kind and window: tokens used, requests on shared tokens, and the fewest accounts
    on a token that carries OWN_SHARE of the account's requests of that kind.

    All accounts of a token are in one part of `number`, and what an account has in each part
    merges.
    """
    indicators = indicators.where(still_remembered(date))
    # Tokens by number: half the memory of their texts, and among a hundred million of them two
    # share a number on one night in thousands.
    numbered = indicators.select(
        "account_id", "kind", "date", "requests", F.xxhash64("token").alias("token")
    )
    totals = (
        indicators.groupBy("account_id", "kind")
        .agg(*_requests(date))
        .withColumnsRenamed({f"requests_{days}d": f"total_{days}d" for days in FEATURE_WINDOWS})
    )
    if number > 1:
        totals = staged.filed("totals", totals)
    by_kind = staged.gathered(
        "kinds",
        [_by_kind(p, totals, date) for p in staged.split("tokens", numbered, "token", number)],
    )
    columns = []
    for indicator in INDICATORS:
        if indicator.origin != "requests":
            continue
        for days, figure in product(indicator.windows, ("tokens", "fan", "share")):
            name = f"{figure}_{days}d"
            value = _MERGED[figure](F.when(F.col("kind") == indicator.kind, F.col(name)))
            if figure == "tokens":
                value = F.coalesce(value, F.lit(0))
            columns.append(value.alias(f"{indicator.kind}_{name}"))
    return by_kind.groupBy("account_id").agg(*columns)


def _requests(date: dt.date) -> list[Column]:
    return [
        F.coalesce(F.sum(F.when(_within(days, date), F.col("requests"))), F.lit(0)).alias(
            f"requests_{days}d"
        )
        for days in FEATURE_WINDOWS
    ]


def _by_kind(numbered: DataFrame, totals: DataFrame, date: dt.date) -> DataFrame:
    """Six figures for each account and kind, of few rows, before there is a column for each."""
    used = numbered.groupBy("account_id", "kind", "token").agg(*_requests(date))
    spread = _spread(used, ["kind", "token"])
    known = used.join(spread, ["kind", "token"], "left").join(
        totals, ["account_id", "kind"], "inner"
    )
    figures: dict[str, Column] = {}
    for days in FEATURE_WINDOWS:
        there = F.col(f"requests_{days}d") > 0
        fan = _fan(days)
        own = F.col(f"requests_{days}d") >= OWN_SHARE * F.col(f"total_{days}d")
        figures |= {
            f"tokens_{days}d": F.count(F.when(there, F.lit(1))),
            f"fan_{days}d": F.min(F.when(there & own, fan)),
            f"share_{days}d": F.sum(
                F.when(there & (fan > 1), F.col(f"requests_{days}d")).when(there, 0)
            ),
        }
    return known.groupBy("account_id", "kind").agg(
        *(figure.alias(name) for name, figure in figures.items())
    )


def _spread(used: DataFrame, keys: list[str]) -> DataFrame:
    """Accounts that used each thing, `fan_<days>d`, where more than one did.

    Most things are one account's own: without them the join's other side is a small one.
    """
    counted = used.groupBy(*keys).agg(
        *(
            F.count(F.when(F.col(f"requests_{days}d") > 0, F.lit(1))).alias(f"fan_{days}d")
            for days in FEATURE_WINDOWS
        )
    )
    return counted.where(F.col(f"fan_{max(FEATURE_WINDOWS)}d") > 1)


def _fan(days: int) -> Column:
    """Accounts on a thing that this account used: itself at least."""
    return F.coalesce(F.col(f"fan_{days}d"), F.lit(1))


def shared_templates(
    templates: DataFrame, date: dt.date, staged: Parts, number: int = 1
) -> DataFrame:
    """TEMPLATE_STATISTICS of each account over each window; parts are as those of `shared`."""
    numbered = templates.select(
        "account_id", "date", "requests", "prompts",
        F.xxhash64("template_key").alias("template_key"),
    )  # fmt: skip
    made = [
        _of_templates(p, date) for p in staged.split("templates", numbered, "template_key", number)
    ]
    if number == 1:
        return made[0]
    names = {name: _TEMPLATE_MERGED[name.rsplit("_", 1)[0]] for name in made[0].columns[1:]}
    return (
        staged.gathered("used", made)
        .groupBy("account_id")
        .agg(*(merged(name).alias(name) for name, merged in names.items()))
    )


def _of_templates(numbered: DataFrame, date: dt.date) -> DataFrame:
    used = numbered.groupBy("account_id", "template_key").agg(
        *(
            F.coalesce(F.sum(F.when(_within(days, date), F.col(name))), F.lit(0)).alias(
                f"{name}_{days}d"
            )
            for days in FEATURE_WINDOWS
            for name in ("requests", "prompts")
        )
    )
    known = used.join(_spread(used, ["template_key"]), "template_key", "left")
    aggregates: dict[str, Column] = {}
    for days in FEATURE_WINDOWS:
        requests, fan = F.col(f"requests_{days}d"), _fan(days)
        shared_by_some = (requests > 0) & fan.between(2, COMMON_TEMPLATE_ACCOUNTS)
        aggregates |= {
            f"template_count_{days}d": F.count(F.when(requests > 0, F.lit(1))),
            f"template_top_{days}d": F.max(requests),
            f"template_prompts_{days}d": F.sum(f"prompts_{days}d"),
            f"template_shared_{days}d": F.sum(F.when(shared_by_some, requests).otherwise(0)),
            f"template_fan_{days}d": F.min(F.when(shared_by_some, fan)),
        }
    missing = {name for name, _ in TEMPLATE_STATISTICS} - {
        name.rsplit("_", 1)[0] for name in aggregates
    }
    if missing:
        raise KeyError(f"declared and not computed: {sorted(missing)}")
    return known.groupBy("account_id").agg(
        *(column.alias(name) for name, column in aggregates.items())
    )


def account_record(accounts: DataFrame) -> DataFrame:
    """The account's own columns of the night, and `<kind>_fan` for what it shares at sign-up."""
    kinds = [i for i in INDICATORS if i.origin == "accounts"]
    tokens = accounts.select(
        "account_id",
        F.explode(
            F.array(
                *(
                    F.struct(F.lit(i.kind).alias("kind"), F.expr(i.sql).alias("token"))
                    for i in kinds
                )
            )
        ).alias("held"),
    ).select("account_id", "held.kind", "held.token")
    held = tokens.where(F.col("token").isNotNull())
    fans = held.groupBy("kind", "token").agg(F.count(F.lit(1)).alias("fan"))
    shared_at_signup = (
        held.join(fans, ["kind", "token"], "inner")
        .groupBy("account_id")
        .agg(*(F.max(F.when(F.col("kind") == i.kind, F.col("fan"))).alias(f"{i.kind}_fan")
               for i in kinds))
    )  # fmt: skip
    record = accounts.select(
        "account_id", "created_at", "plan", F.col("signup_country").alias("country"),
        "kyc_level", "verified_organization", "payment_type", "declared_use_chars",
    )  # fmt: skip
    return record.join(shared_at_signup, "account_id", "left")


def campaign_of(campaigns: DataFrame, members: DataFrame) -> DataFrame:
    groups = campaigns.select(
        "campaign_id",
        *(
            F.col(name).alias(f"campaign_{name}")
            for name in ("accounts", "score", "resale_score", *(f.name for f in FIGURES))
        ),
    )
    return members.join(groups, "campaign_id", "inner").select(
        "account_id",
        F.col("strength").alias("campaign_strength"),
        *(name for name in groups.columns if name != "campaign_id"),
    )


def evaluated(wide: DataFrame, unavailable: frozenset[str]) -> DataFrame:
    """Every declared feature; null where the night lacks a column that it needs."""
    return wide.select(
        "account_id", "plan", "country",
        (F.col("requests_1d") > 0).alias("active"),
        *(
            (
                F.lit(None).cast("double")
                if unavailable.intersection(feature.needs)
                else F.expr(feature.sql).cast("double")
            ).alias(feature.name)
            for feature in FEATURES
        ),
    )  # fmt: skip
