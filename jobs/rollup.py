"""What did each account do today?

Reads the day's `requests` once for each grain and writes `account_daily`, `account_indicators`
and `account_templates`: aggregates that merge into any window, so that no later step and no later
night reads requests again. What windows read back of the last two is written once more as
`account_tokens`: numbers in an order that makes them cheap to read.
Harm if late: windows lack a day; campaigns and scores of the night can't be made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.catalog.measures import FEATURE_WINDOWS, INDICATORS, MEASURES, TEMPLATE, Indicator
from jobs.platform.parts import Parts, part_of
from jobs.platform.sizing import GROUPED_REQUESTS, ORDERED_ROWS, fitting, parts

if TYPE_CHECKING:
    from jobs.platform.lake import Lake


def run(lake: Lake, date: dt.date) -> None:
    write_rollups(lake, date)
    for night in [*_without_tokens(lake, date), date]:
        write_tokens(lake, night)


def write_rollups(lake: Lake, date: dt.date) -> None:
    """Write the night's `account_daily`, `account_indicators` and `account_templates`."""
    requests = lake.night("requests", date)
    lake.write_night("account_daily", date, account_daily(requests))
    # Groups are by account, so accounts can come one part after another.
    number = parts(lake.count("requests", date), GROUPED_REQUESTS, lake.settings.engine)
    for name, rolled in _IN_PARTS:
        with Parts(lake, "rollup") as staged:
            frames = [
                rolled(requests if number == 1 else _of_part(requests, part, number))
                for part in range(number)
            ]
            lake.write_night(name, date, staged.gathered(name, frames))


def write_tokens(lake: Lake, date: dt.date) -> None:
    """Write the night's `account_tokens` from its indicators and templates."""
    indicators, templates = (lake.night(name, date) for name, _ in _IN_PARTS)
    rows = sum(lake.count(name, date) for name, _ in _IN_PARTS)
    lake.write_night("account_tokens", date, account_tokens(indicators, templates, rows))


def _without_tokens(lake: Lake, date: dt.date) -> list[dt.date]:
    """Earlier nights of the window that were rolled up before `account_tokens` was declared."""
    first = date - dt.timedelta(days=max(FEATURE_WINDOWS) - 1)
    there = {night for name, _ in _IN_PARTS for night in lake.nights(name)}
    return sorted(n for n in there - set(lake.nights("account_tokens")) if first <= n < date)


def _of_part(requests: DataFrame, part: int, number: int) -> DataFrame:
    return requests.where(part_of("account_id", number) == part)


def account_daily(requests: DataFrame) -> DataFrame:
    """One row an account: every measure of the catalogue."""
    return requests.groupBy("account_id").agg(
        *(F.expr(measure.sql).cast(measure.type).alias(measure.name) for measure in MEASURES)
    )


def account_indicators(requests: DataFrame) -> DataFrame:
    """One row an account, kind and token: how often and when it was used."""
    return reduce(
        DataFrame.unionByName,
        (_tokens(requests, i) for i in INDICATORS if i.origin == "requests"),
    )


def _tokens(requests: DataFrame, indicator: Indicator) -> DataFrame:
    """The rows of one kind of indicator."""
    token = F.expr(indicator.sql).alias("token")
    times = (F.min("first_event").alias("first_event"), F.max("last_event").alias("last_event"))
    counted = (
        F.count(F.lit(1)).alias("requests"),
        F.min("event_time").alias("first_event"),
        F.max("event_time").alias("last_event"),
    )
    if indicator.made_of:
        groups = requests.groupBy("account_id", *indicator.made_of).agg(*counted)
        named = groups.select("account_id", token, "requests", "first_event", "last_event")
        # Again by token: two combinations may make the same one.
        # The test names a count, so that an engine can't move it, and with it the making of the
        # token, below the first grouping and to each request.
        tokens = (
            named.where(F.when(F.col("requests") > 0, F.col("token")).isNotNull())
            .groupBy("account_id", "token")
            .agg(F.sum("requests").alias("requests"), *times)
        )
    else:
        named = requests.select("account_id", token, "event_time")
        tokens = (
            named.where(F.col("token").isNotNull()).groupBy("account_id", "token").agg(*counted)
        )
    return tokens.select(
        "account_id", F.lit(indicator.kind).alias("kind"), "token", "requests",
        "first_event", "last_event",
    )  # fmt: skip


def account_templates(requests: DataFrame) -> DataFrame:
    """One row an account and template: how often, how many prompts, what they ask for."""
    # First by prompt, then by template: distinct prompts are counted without a distinct aggregate.
    prompts = (
        requests.where(F.col("template_key").isNotNull())
        .groupBy("account_id", "template_key", "prompt_key")
        .agg(
            F.count(F.lit(1)).alias("requests"),
            F.sum("output_tokens").alias("output_tokens"),
            F.bit_or("prompt_markers").alias("markers"),
            F.min("event_time").alias("first_event"),
            F.max("event_time").alias("last_event"),
        )
    )
    return prompts.groupBy("account_id", "template_key").agg(
        F.sum("requests").alias("requests"),
        F.count(F.lit(1)).alias("prompts"),
        F.sum("output_tokens").alias("output_tokens"),
        # The markers that any of the prompts has.
        F.bit_or("markers").alias("markers"),
        F.min("first_event").alias("first_event"),
        F.max("last_event").alias("last_event"),
    )


def account_tokens(indicators: DataFrame, templates: DataFrame, rows: int) -> DataFrame:
    """Both as numbers, some ORDERED_ROWS at a time in order of kind and token.

    `rows` is how many there are.
    """
    numbers = indicators.select(
        "kind",
        F.xxhash64("token").alias("token"),
        F.xxhash64("account_id").alias("account"),
        "requests",
        F.lit(0).cast("long").alias("prompts"),
    ).unionByName(
        templates.select(
            F.lit(TEMPLATE).alias("kind"),
            F.xxhash64("template_key").alias("token"),
            F.xxhash64("account_id").alias("account"),
            "requests",
            "prompts",
        )
    )
    tasks = max(1, rows // fitting(ORDERED_ROWS))
    return numbers.coalesce(tasks).mapInArrow(
        in_order, "kind string, token long, account long, requests long, prompts long"
    )


def in_order(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows in order of kind and token, ORDERED_ROWS at a time."""
    at_once = fitting(ORDERED_ROWS)
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(some.num_rows for some in held) >= at_once:
            yield from _sorted(held)
            held = []
    yield from _sorted(held)


def _sorted(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    if not batches:
        return []
    table = pa.Table.from_batches(batches).combine_chunks()
    kinds = table["kind"].combine_chunks().dictionary_encode()
    kind = pc.rank(kinds.dictionary).to_numpy()[kinds.indices.to_numpy()]
    order = np.lexsort((table["token"].to_numpy(), kind))
    batched: list[pa.RecordBatch] = table.take(pa.array(order)).to_batches()
    return batched


#: Tables whose groups are many for each account. `account_daily` has one: it is never too large.
_IN_PARTS = (("account_indicators", account_indicators), ("account_templates", account_templates))
