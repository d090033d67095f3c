"""Daily rollups: literal requests in, literal rows out."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from jobs import rollup
from jobs.catalog.measures import INDICATORS, MEASURE_NAMES
from jobs.catalog.sketch import MARKERS
from tests.conftest import NIGHT, rows_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BIT = {marker.name: 1 << marker.bit for marker in MARKERS}


def at(hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime.combine(NIGHT, dt.time(hour, minute), dt.UTC)


def requests(session: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    return session.createDataFrame(rows_of("requests", NIGHT, rows))


def by(frame: DataFrame, *names: str) -> dict[Any, dict[str, Any]]:
    rows = frame.toArrow().to_pylist()
    found = {tuple(row[n] for n in names) if len(names) > 1 else row[names[0]]: row for row in rows}
    assert len(found) == len(rows), f"{names} is no key"
    return found


def test_account_daily(session: SparkSession) -> None:
    daily = by(rollup.account_daily(requests(
        session,
        {"account_id": "a", "event_time": at(3), "status_code": 200, "input_tokens": 10,
         "output_tokens": 0, "temperature": 0.0, "stream": False, "turn_index": 0,
         "prompt_chars": 100, "prompt_script": "latin", "prompt_markers": BIT["code"],
         "prompt_words": 1 | 1 << 47},
        # A refused request counts as an error and as rate-limited.
        {"account_id": "a", "event_time": at(23, 59), "status_code": 429, "input_tokens": 5,
         "output_tokens": 7, "temperature": 0.9, "stream": True, "turn_index": 2,
         "max_tokens": 4000},
        # Nothing optional is there: nothing optional is counted, and nothing is null.
        {"account_id": "b", "event_time": at(12), "status_code": 200, "input_tokens": 1,
         "output_tokens": 1},
    )), "account_id")  # fmt: skip
    a, b = daily["a"], daily["b"]
    assert set(a) == {"account_id", *MEASURE_NAMES}
    expected = {
        "requests": 2, "errors": 1, "rate_limited": 1, "input_tokens": 15, "output_tokens": 7,
        "temperature_set": 2, "temperature_zero": 1, "temperature_high": 1, "stream_known": 2,
        "streamed": 1, "first_turns": 1, "later_turns": 1, "turns_known": 2, "max_tokens_set": 1,
        "max_tokens_large": 1, "prompts_known": 1, "prompt_chars": 100, "not_latin": 0,
        "words_known": 1, "words_00": 1, "words_01": 0, "words_47": 1,
        "asks_code": 1, "asks_maths": 0, "hour_03": 1, "hour_23": 1, "hour_12": 0,
        "first_event": at(3), "last_event": at(23, 59), "weekend": 2,  # NIGHT is a Sunday
    }  # fmt: skip
    assert {name: a[name] for name in expected} == expected
    assert None not in b.values()
    assert (b["requests"], b["prompt_chars"], b["tool_results"], b["latency_ms"]) == (1, 0, 0, 0)


def test_account_indicators(session: SparkSession) -> None:
    same = {"temperature": 0.7, "max_tokens": 512}
    found = by(rollup.account_indicators(requests(
        session,
        {"account_id": "a", "event_time": at(1), "address_token": "ip1", "user_agent_token": "u",
         "prompt_signature": [3, 9], **same},
        {"account_id": "a", "event_time": at(5), "address_token": "ip1", "user_agent_token": "u",
         "tls_token": "t", "prompt_signature": [3], **same},
        # Another account with the same address is another row.
        {"account_id": "b", "event_time": at(2), "address_token": "ip1", **same},
        # No address: no row of that kind, rather than one of an empty token.
        {"account_id": "c", "event_time": at(2), "temperature": 1.0},
    )), "account_id", "kind", "token")  # fmt: skip
    assert {row["kind"] for row in found.values()} <= {
        i.kind for i in INDICATORS if i.origin == "requests"
    }
    address = found["a", "address", "ip1"]
    assert (address["requests"], address["first_event"], address["last_event"]) == (2, at(1), at(5))
    assert found["b", "address", "ip1"]["requests"] == 1
    assert not [key for key in found if key[:2] == ("c", "address")]
    # One missing half of a client build is a dash; both missing, no client build.
    assert {key[2] for key in found if key[:2] == ("a", "client")} == {"u/-", "u/t"}
    assert not [key for key in found if key[:2] == ("c", "client")]
    # The rare phrase is the signature's smallest hash.
    assert found["a", "shingle", "3"]["requests"] == 2
    settings = {key[0]: key[2] for key in found if key[1] == "settings"}
    assert settings["a"] == settings["b"] != settings["c"]
    assert found["a", "settings", settings["a"]]["requests"] == 2


def test_combinations_that_make_one_token_are_one_row(session: SparkSession) -> None:
    # "x/y" with "-" and "x" with "y/-" make the same text: made-up tokens, but a key is a key.
    found = by(rollup.account_indicators(requests(
        session,
        {"account_id": "a", "event_time": at(1), "user_agent_token": "x/y"},
        {"account_id": "a", "event_time": at(2), "user_agent_token": "x", "tls_token": "y/-"},
    )), "account_id", "kind", "token")  # fmt: skip
    row = found["a", "client", "x/y/-"]
    assert (row["requests"], row["first_event"], row["last_event"]) == (2, at(1), at(2))


def test_account_templates(session: SparkSession) -> None:
    template = {"account_id": "a", "template_key": "t", "output_tokens": 10}
    found = by(rollup.account_templates(requests(
        session,
        {**template, "event_time": at(1), "prompt_key": "p1", "prompt_markers": BIT["code"]},
        # The same prompt again, its numbers others: one prompt, whose markers are both's.
        {**template, "event_time": at(2), "prompt_key": "p1", "prompt_markers": BIT["rubric"]},
        {**template, "event_time": at(3), "prompt_key": "p2", "prompt_markers": 0},
        {**template, "event_time": at(4), "prompt_key": "p3", "template_key": "u",
         "prompt_markers": BIT["maths"]},
        # No text, no template.
        {"account_id": "a", "event_time": at(5)},
    )), "account_id", "template_key")  # fmt: skip
    assert set(found) == {("a", "t"), ("a", "u")}
    t = found["a", "t"]
    assert (t["requests"], t["prompts"], t["output_tokens"]) == (3, 2, 30)
    assert t["markers"] == BIT["code"] | BIT["rubric"]
    assert (t["first_event"], t["last_event"]) == (at(1), at(3))


def test_a_night_without_requests_has_empty_rollups(session: SparkSession) -> None:
    none = requests(session, {"account_id": "a"}).where("account_id = 'nobody'")
    for made in (rollup.account_daily, rollup.account_indicators, rollup.account_templates):
        assert made(none).toArrow().num_rows == 0
