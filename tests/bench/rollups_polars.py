"""The rollups by hand on Polars."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.data import DATE
from tests.bench.measure import Meter
from tests.bench.rollups import outputs, request_files
from tests.bench.rollups_sql import MARKERS, WORD_BUCKETS

if TYPE_CHECKING:
    import polars as pl


def work(folder: Path, meter: Meter) -> dict[str, Any]:
    """From the files of `requests` to one Parquet file a table; seconds of each."""
    import polars as pl

    out = outputs(folder, "polars")
    files = request_files(folder)
    seconds = {}
    with meter:
        for name, table in (
            ("account_daily", account_daily),
            ("account_indicators", account_indicators),
            ("account_templates", account_templates),
        ):
            started = time.perf_counter()
            requests = pl.scan_parquet(files, hive_partitioning=False)
            made = table(requests).with_columns(pl.lit(DATE).alias("date"))
            made.sink_parquet(out / f"{name}.parquet")
            seconds[name] = time.perf_counter() - started
    return {"tables": seconds}


def account_daily(requests: pl.LazyFrame) -> pl.LazyFrame:
    """One row an account."""
    import polars as pl

    def count(condition: pl.Expr, name: str) -> pl.Expr:
        return condition.sum().cast(pl.Int64).alias(name)

    def known(column: str, name: str) -> pl.Expr:
        return pl.col(column).count().cast(pl.Int64).alias(name)

    def logs(column: str, name: str) -> list[pl.Expr]:
        log = (1.0 + pl.col(column)).log()
        return [log.sum().alias(name), (log * log).sum().alias(f"{name}_squared")]

    c = pl.col
    hour, weekday = c("event_time").dt.hour(), c("event_time").dt.weekday()
    return requests.group_by("account_id").agg(
        pl.len().cast(pl.Int64).alias("requests"),
        c("event_time").min().alias("first_event"),
        c("event_time").max().alias("last_event"),
        count(c("status_code") >= 400, "errors"),
        count(c("status_code") == 429, "rate_limited"),
        count(c("finish_reason") == "content_filter", "filtered"),
        count(c("finish_reason") == "length", "truncated"),
        c("input_tokens").sum(),
        c("output_tokens").sum(),
        *logs("input_tokens", "input_log"),
        *logs("output_tokens", "output_log"),
        known("max_tokens", "max_tokens_set"),
        count(c("max_tokens") >= 4000, "max_tokens_large"),
        known("temperature", "temperature_set"),
        count(c("temperature") == 0, "temperature_zero"),
        count(c("temperature") >= 0.9, "temperature_high"),
        known("top_p", "top_p_set"),
        count(c("choice_count") > 1, "several_choices"),
        count(c("logprobs"), "logprobs_asked"),
        count(c("stream"), "streamed"),
        known("stream", "stream_known"),
        count(c("tool_count") > 0, "with_tools"),
        c("tool_result_count").sum().alias("tool_results"),
        known("turn_index", "turns_known"),
        count(c("turn_index") == 0, "first_turns"),
        count(c("turn_index") > 0, "later_turns"),
        known("conversation_id", "in_conversation"),
        known("system_prompt_hash", "with_system_prompt"),
        count(c("operation") == "batch", "batched"),
        count(c("channel") == "web", "on_web"),
        known("address_token", "address_known"),
        known("user_agent_token", "user_agent_known"),
        c("latency_ms").sum(),
        known("prompt_chars", "prompts_known"),
        c("prompt_chars").sum(),
        *logs("prompt_chars", "prompt_chars_log"),
        count(c("prompt_script") != "latin", "not_latin"),
        count(weekday >= 6, "weekend"),
        *(
            count((c("prompt_markers") & (1 << bit)) != 0, f"asks_{name}")
            for bit, name in enumerate(MARKERS)
        ),
        known("prompt_words", "words_known"),
        *(
            count((c("prompt_words") & (1 << bucket)) != 0, f"words_{bucket:02d}")
            for bucket in range(WORD_BUCKETS)
        ),
        *(count(hour == one, f"hour_{one:02d}") for one in range(24)),
    )


def account_indicators(requests: pl.LazyFrame) -> pl.LazyFrame:
    """One row an account, kind and token."""
    import polars as pl

    c = pl.col
    counted = (
        pl.len().cast(pl.Int64).alias("requests"),
        c("event_time").min().alias("first_event"),
        c("event_time").max().alias("last_event"),
    )
    merged = (c("requests").sum(), c("first_event").min(), c("last_event").max())

    def tokens(kind: str, token: pl.Expr) -> pl.LazyFrame:
        named = requests.select("account_id", token.alias("token"), "event_time")
        return _of_kind(
            kind,
            named.filter(c("token").is_not_null()).group_by("account_id", "token").agg(*counted),
        )

    # Few combinations make these: grouped by them first, named once each.
    clients = requests.group_by("account_id", "user_agent_token", "tls_token").agg(*counted)
    client = pl.when(c("user_agent_token").is_not_null() | c("tls_token").is_not_null()).then(
        c("user_agent_token").fill_null("-") + "/" + c("tls_token").fill_null("-")
    )
    made_of = ("temperature", "top_p", "max_tokens", "choice_count", "logprobs", "stream",
               "tool_count")  # fmt: skip
    combinations = requests.group_by("account_id", *made_of).agg(*counted)

    def thousandths(column: str) -> pl.Expr:
        return (c(column) * 1000 + 0.5).floor().cast(pl.Int64)

    words = pl.concat_str(
        "temperature=" + thousandths("temperature").cast(pl.String),
        "top_p=" + thousandths("top_p").cast(pl.String),
        "max_tokens=" + c("max_tokens").cast(pl.String),
        "choices=" + c("choice_count").cast(pl.String),
        "logprobs=" + c("logprobs").cast(pl.String),
        "stream=" + c("stream").cast(pl.String),
        "tools=" + c("tool_count").cast(pl.String),
        separator=" ",
        ignore_nulls=True,
    )

    def regrouped(kind: str, groups: pl.LazyFrame, token: pl.Expr) -> pl.LazyFrame:
        named = groups.with_columns(token.alias("token"))
        there = c("token").is_not_null() & (c("token") != "")
        return _of_kind(kind, named.filter(there).group_by("account_id", "token").agg(*merged))

    return pl.concat(
        [
            tokens("address", c("address_token")),
            tokens("network", c("network_token")),
            regrouped("client", clients, client),
            regrouped("settings", combinations, words),
            tokens("system_prompt", c("system_prompt_hash")),
            tokens("template_end", c("template_end_key")),
            # The signature is sorted, smallest first.
            tokens("shingle", c("prompt_signature").list.first().cast(pl.String)),
            tokens("model", c("request_model")),
        ]
    )


def _of_kind(kind: str, groups: pl.LazyFrame) -> pl.LazyFrame:
    import polars as pl

    return groups.select(
        "account_id", pl.lit(kind).alias("kind"), "token", "requests", "first_event", "last_event"
    )


def account_templates(requests: pl.LazyFrame) -> pl.LazyFrame:
    """One row an account and template."""
    import polars as pl

    c = pl.col
    prompts = (
        requests.filter(c("template_key").is_not_null())
        .group_by("account_id", "template_key", "prompt_key")
        .agg(
            pl.len().cast(pl.Int64).alias("requests"),
            c("output_tokens").sum(),
            c("prompt_markers").bitwise_or().alias("markers"),
            c("event_time").min().alias("first_event"),
            c("event_time").max().alias("last_event"),
        )
    )
    return prompts.group_by("account_id", "template_key").agg(
        c("requests").sum(),
        pl.len().cast(pl.Int64).alias("prompts"),
        c("output_tokens").sum(),
        c("markers").bitwise_or(),
        c("first_event").min(),
        c("last_event").max(),
    )
