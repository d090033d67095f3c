"""What is known of each account as of this night, in figures?

Merges the rollups of 1, 7, 28 and 45 days, adds the account's own record and its campaign, and
evaluates every feature that the catalogue declares. Reads nothing later than the night.
Writes account_features. Harm if late: the night can't be scored.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator
from functools import partial
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
    TEMPLATE,
    WINDOWS,
)
from jobs.platform.sizing import counting_tasks

if TYPE_CHECKING:
    from jobs.carriers.reading import Window
    from jobs.platform.lake import Lake

#: A template that more accounts use than this is a common phrase.
COMMON_TEMPLATE_ACCOUNTS = 1_000
#: What TEMPLATE_STATISTICS are among the figures that are counted.
_TEMPLATE_FIGURES = {
    "template_count": "tokens", "template_top": "top", "template_prompts": "prompts",
    "template_shared": "some", "template_fan": "some_fan",
}  # fmt: skip
_KINDS = (*(i.kind for i in INDICATORS if i.origin == "requests"), TEMPLATE)
#: Names that the features' SQL reads, and `evaluated` itself. Each further aggregate costs an
#: engine milliseconds to plan, on the smallest day as on the largest.
READ_NAMES = frozenset(
    name for feature in FEATURES for name in re.findall("[a-z_][a-z_0-9]*", feature.sql)
) | {"requests_1d"}


def run(lake: Lake, date: dt.date) -> None:
    first = date - dt.timedelta(days=LONGEST_WINDOW - 1)
    daily = lake.read("account_daily", first, date)
    accounts = lake.night("accounts", date)
    members = lake.night("campaign_members", date)
    campaigns = lake.night("campaigns", date)
    wide = (
        windows(daily, date, READ_NAMES)
        .withColumn("account", F.xxhash64("account_id"))
        .join(used(lake, date), "account", "left")
        .join(account_record(accounts), "account_id", "left")
        .join(campaign_of(campaigns, members), "account_id", "left")
        .withColumn("date", F.lit(date))
    )
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


def used(lake: Lake, date: dt.date) -> DataFrame:
    """For each kind and window: tokens used, requests on shared tokens, and the fewest accounts
    on a token that is the account's own (`jobs.carriers.counting.OWN_SHARE`); and
    TEMPLATE_STATISTICS. A row for each `account`, by its hash.

    A kind is counted by one task, which reads the window's rows of it where they lie.
    """
    # Late, with what is compiled: a command that counts nothing need not load it.
    from jobs.carriers.figures import FIGURES
    from jobs.carriers.reading import window_of

    window = window_of(lake, date, max(FEATURE_WINDOWS))
    groups = window.together(_KINDS)
    tasks = counting_tasks(len(groups), lake.settings.engine)
    schema = f"account long, kind string, {', '.join(f'{name} long' for name in FIGURES)}"
    by_kind = (
        lake.session.createDataFrame([(list(kinds),) for kinds in groups], "kinds array<string>")
        .repartition(tasks)
        .mapInArrow(partial(_counted, window, COMMON_TEMPLATE_ACCOUNTS), schema)
    )

    def of(kind: str, name: str) -> Column:
        return F.max(F.when(F.col("kind") == kind, F.col(name)))

    columns = []
    for indicator in INDICATORS:
        if indicator.origin != "requests":
            continue
        for days, figure in product(indicator.windows, ("tokens", "fan", "share")):
            value = of(indicator.kind, f"{figure}_{days}d")
            if figure == "tokens":
                value = F.coalesce(value, F.lit(0))
            columns.append(value.alias(f"{indicator.kind}_{figure}_{days}d"))
    for days, (name, _) in product(FEATURE_WINDOWS, TEMPLATE_STATISTICS):
        value = of(TEMPLATE, f"{_TEMPLATE_FIGURES[name]}_{days}d")
        columns.append(value.alias(f"{name}_{days}d"))
    return by_kind.groupBy("account").agg(*columns)


def _counted(
    window: Window, common: int, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Figures of each account, of the kinds named."""
    from jobs.carriers.figures import FIGURES, figures_of

    for batch in batches:
        for kinds in batch["kinds"].to_pylist():
            for kind, accounts, figures in figures_of(window, tuple(kinds), common):
                named = pa.repeat(pa.scalar(kind), len(accounts))
                yield pa.RecordBatch.from_arrays(
                    [pa.array(accounts), named, *figures], ["account", "kind", *FIGURES]
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
