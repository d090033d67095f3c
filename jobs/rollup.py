"""What did each account do today?

Reads the day's `requests` once for each grain and writes `account_daily`, `account_indicators`
and `account_templates`: aggregates that merge into any window, so that no later step and no later
night reads requests again.
Harm if late: windows lack a day; campaigns and scores of the night can't be made.
"""

from __future__ import annotations

import datetime as dt
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.catalog.measures import INDICATORS, MEASURES
from jobs.catalog.sketch import MARKERS

if TYPE_CHECKING:
    from jobs.platform.lake import Lake


def run(lake: Lake, date: dt.date) -> None:
    requests = lake.night("requests", date)
    lake.write_night("account_daily", date, account_daily(requests))
    lake.write_night("account_indicators", date, account_indicators(requests))
    lake.write_night("account_templates", date, account_templates(requests))


def account_daily(requests: DataFrame) -> DataFrame:
    """One row an account: every measure of the catalogue."""
    return requests.groupBy("account_id").agg(
        *(F.expr(measure.sql).cast(measure.type).alias(measure.name) for measure in MEASURES)
    )


def account_indicators(requests: DataFrame) -> DataFrame:
    """One row an account, kind and token: how often and when it was used."""
    kinds = [
        requests.select("account_id", "event_time", F.expr(indicator.sql).alias("token"))
        .where(F.col("token").isNotNull())
        .groupBy("account_id", "token")
        .agg(
            F.count(F.lit(1)).alias("requests"),
            F.min("event_time").alias("first_event"),
            F.max("event_time").alias("last_event"),
        )
        .select(
            "account_id", F.lit(indicator.kind).alias("kind"), "token", "requests",
            "first_event", "last_event",
        )
        for indicator in INDICATORS
        if indicator.origin == "requests"
    ]  # fmt: skip
    return reduce(DataFrame.unionByName, kinds)


def account_templates(requests: DataFrame) -> DataFrame:
    """One row an account and template: how often, how many prompts, what they ask for."""
    # First by prompt, then by template: distinct prompts are counted without a distinct aggregate.
    prompts = (
        requests.where(F.col("template_key").isNotNull())
        .groupBy("account_id", "template_key", "prompt_key")
        .agg(
            F.count(F.lit(1)).alias("requests"),
            F.sum("output_tokens").alias("output_tokens"),
            F.max("prompt_markers").alias("markers"),
            F.min("event_time").alias("first_event"),
            F.max("event_time").alias("last_event"),
        )
    )
    return prompts.groupBy("account_id", "template_key").agg(
        F.sum("requests").alias("requests"),
        F.count(F.lit(1)).alias("prompts"),
        F.sum("output_tokens").alias("output_tokens"),
        # The markers that any of the prompts has: bits are merged one by one, since the engines'
        # own aggregates of bits differ in type.
        reduce(
            lambda left, right: left + right,
            (
                F.max(F.col("markers").bitwiseAND(1 << marker.bit)).cast("int")
                for marker in MARKERS
            ),
        ).alias("markers"),
        F.min("first_event").alias("first_event"),
        F.max("last_event").alias("last_event"),
    )
