"""Windows merged from daily rollups equal what one pass over all requests would say."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobs import features, rollup
from jobs.catalog.measures import WINDOWS
from jobs.catalog.sketch import MARKERS
from tests.conftest import NIGHT, rows_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CODE = 1 << next(marker.bit for marker in MARKERS if marker.name == "code")

# Days on both sides of each window's edge; 45 and 46 are outside all of them.
AGES = st.sampled_from([0, 1, 6, 7, 27, 28, 44, 45, 46])
REQUEST = st.fixed_dictionaries({
    "age": AGES,
    "account_id": st.sampled_from("abcdef"),
    "late_hours": st.integers(0, 30),
    "status_code": st.sampled_from([200, 400, 429]),
    "input_tokens": st.integers(0, 100_000_000),
    "output_tokens": st.integers(0, 5_000),
    "temperature": st.sampled_from([None, 0.0, 0.7, 1.0]),
    "tool_result_count": st.none() | st.integers(0, 5),
    "prompt_chars": st.none() | st.integers(0, 9_000),
    "prompt_markers": st.none() | st.sampled_from([0, CODE, 2 * CODE, 3 * CODE]),
})  # fmt: skip


def night_of(request: dict[str, Any]) -> dt.date:
    return NIGHT - dt.timedelta(days=request["age"])


def time_of(request: dict[str, Any]) -> dt.datetime:
    """A late record's own time lies before its landing date; its window is the landing date's."""
    end = dt.datetime.combine(night_of(request), dt.time(23, 30), dt.UTC)
    return end - dt.timedelta(hours=request["late_hours"])


def naive(requests: list[dict[str, Any]], account: str, days: int) -> dict[str, Any]:
    """The figures of one window, straight from its requests."""
    own = [r for r in requests if r["account_id"] == account and r["age"] < days]
    nights = Counter(r["age"] for r in own)
    times = [time_of(r) for r in own]
    return {
        "requests": len(own),
        "first_event": min(times, default=None),
        "last_event": max(times, default=None),
        "errors": sum(r["status_code"] >= 400 for r in own),
        "rate_limited": sum(r["status_code"] == 429 for r in own),
        "input_tokens": sum(r["input_tokens"] for r in own),
        "output_log": math.fsum(math.log1p(r["output_tokens"]) for r in own),
        "input_log_squared": math.fsum(math.log1p(r["input_tokens"]) ** 2 for r in own),
        "temperature_zero": sum(r["temperature"] == 0 for r in own),
        "tool_results": sum(r["tool_result_count"] or 0 for r in own),
        "prompts_known": sum(r["prompt_chars"] is not None for r in own),
        "prompt_chars": sum(r["prompt_chars"] or 0 for r in own),
        "asks_code": sum(bool((r["prompt_markers"] or 0) & CODE) for r in own),
        "hour_05": sum(t.hour == 5 for t in times),
        "active_days": len(nights),
        "requests_max_day": max(nights.values(), default=None),
    }


def daily_rollups(session: SparkSession, requests: list[dict[str, Any]]) -> pa.Table:
    """`account_daily` of each night, as a lake would have it.

    One plan rolls up all nights: an account is another one each night, and itself again after.
    """
    from pyspark.sql import functions as F

    rows = [
        {k: v for k, v in r.items() if k not in ("age", "late_hours")}
        | {"account_id": f"{r['account_id']} {night_of(r)}", "event_time": time_of(r)}
        for r in requests
    ]
    daily = rollup.account_daily(session.createDataFrame(rows_of("requests", NIGHT, rows)))
    account, night = (F.split_part("account_id", F.lit(" "), F.lit(n)) for n in (1, 2))
    return daily.select(
        account.alias("account_id"),
        night.cast("date").alias("date"),
        *(c for c in daily.columns if c not in ("account_id", "date")),
    ).toArrow()


# Each example asks an engine: making a failing one smaller would outlast a test's time.
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow],
          phases=[phase for phase in Phase if phase != Phase.shrink])  # fmt: skip
@given(st.lists(REQUEST, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_merged_windows_equal_one_pass_over_requests(
    session: SparkSession, requests: list[dict[str, Any]], order: random.Random
) -> None:
    daily = daily_rollups(session, requests)
    places = list(range(daily.num_rows))
    order.shuffle(places)
    # Rows come back in whatever order files are read: merging must not depend on it. The second
    # order has accounts of its own, so that one plan merges both.
    shuffled = daily.take(pa.array(places))
    other = pc.binary_join_element_wise(shuffled["account_id"], "shuffled", " ")
    both = pa.concat_tables([daily, shuffled.set_column(0, "account_id", other)])
    merged = {
        row["account_id"]: row
        for row in features.windows(session.createDataFrame(both), NIGHT).toArrow().to_pylist()
    }
    accounts = {r["account_id"] for r in requests}
    assert set(merged) == accounts | {f"{account} shuffled" for account in accounts}
    for name_of, row in merged.items():
        account = name_of.removesuffix(" shuffled")
        for days in WINDOWS:
            for name, value in naive(requests, account, days).items():
                got = row[f"{name}_{days}d"]
                where = f"{name} of {name_of} over {days} days"
                if isinstance(value, float):
                    assert math.isclose(got, value, rel_tol=1e-9, abs_tol=1e-9), where
                else:
                    assert got == value, where
