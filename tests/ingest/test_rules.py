"""Every rule that a record can break, and values at the edge that break none.

All cases land in one day, as lines, as Parquet of the contract's types and as Parquet of text;
each says in which words its record is refused, or that it is kept (None).
"""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from landing_days import (
    ABSENT,
    Ingested,
    LandingDays,
    account,
    ingest,
    label,
    lines_of,
    request,
    typed_table,
)

NUMBER = "outside 0 to 100,000,000"
WORDS = "not an identifier (letters, digits and ._:=/#|~- only, at most 200)"
SHAPED = "shaped like an address, a path, or a telephone or card number"
NOT_UTC = "not in UTC, wanted a time that ends in Z"
OLD = "more than 3 days before its landing date"
CHANNELS = "not one of first_party, cloud, partner, web"
NO_ADDRESS = "not an IPv4 or IPv6 address and not a token"

# column, value, the reason without the column's name, or None where the record is kept
REQUEST_CASES = [
    ("request_id", ABSENT, "missing"),
    ("request_id", "", "missing"),
    ("request_id", None, "missing"),
    ("request_id", "two words", WORDS),
    ("request_id", "jane@example.org", WORDS),
    ("request_id", "+4915112345678", WORDS),
    ("request_id", "r'; drop table requests; --", WORDS),
    ("request_id", 'r"quoted"', WORDS),
    ("request_id", "r\nnewline", WORDS),
    ("request_id", "r\u202eevil", WORDS),
    ("request_id", "x" * 201, WORDS),
    ("request_id", "../../etc/passwd", WORDS),
    ("request_id", "a/../../etc/passwd", SHAPED),
    ("request_id", "198.51.100.7", SHAPED),
    ("request_id", "198.51.100.7:8080", SHAPED),
    ("request_id", "2001:db8::7", SHAPED),
    ("request_id", "2001:db8::/32", SHAPED),
    ("request_id", "555-123-4567", SHAPED),
    ("request_id", "4111-1111-1111-1111", SHAPED),
    ("request_id", "4111111111111111", SHAPED),
    ("request_id", "x" * 200, None),
    ("request_id", "123456789012", None),
    ("request_id", "01970c2e-7d6f-7cc3-98c4-dc0c0c07398f", None),
    ("account_id", ABSENT, "missing"),
    ("account_id", "Jane Doe", WORDS),
    ("organization_id", "jane@example.org", WORDS),
    ("organization_id", ABSENT, None),
    ("api_key_id", "10.1.2.3", SHAPED),
    ("conversation_id", "10.1.2.3", SHAPED),
    ("system_prompt_hash", "You are Jane's helper", WORDS),
    ("timestamp", ABSENT, "missing"),
    ("timestamp", "yesterday", "not an ISO 8601 time"),
    ("timestamp", "03.05.2026 10:00", "not an ISO 8601 time"),
    ("timestamp", 1777800000, "not an ISO 8601 time"),
    ("timestamp", "2026-05-03T10:00:00+02:00", NOT_UTC),
    ("timestamp", "2026-05-03T10:00:00-0730", NOT_UTC),
    ("timestamp", "2026-02-30T10:00:00Z", "no such time"),
    ("timestamp", "2026-05-03T25:00:00Z", "no such time"),
    ("timestamp", "2026-05-04T00:05:00Z", "after its landing date"),
    ("timestamp", "2062-05-03T00:00:00Z", "after its landing date"),
    ("timestamp", "2026-05-04T00:04:59.999999Z", None),
    ("timestamp", "2026-04-29T23:59:59.999999Z", OLD),
    ("timestamp", "1970-01-01T00:00:00Z", OLD),
    ("timestamp", "0001-01-01T00:00:00Z", OLD),
    ("timestamp", "2026-04-30T00:00:00Z", None),
    ("timestamp", "2026-05-03T10:00:00+00:00", None),
    ("timestamp", "2026-05-03T10:00Z", None),
    ("timestamp", "2026-05-03 10:00Z", None),
    ("timestamp", "2026-05-03T10:00:00.123456789Z", None),
    ("channel", "carrier pigeon", CHANNELS),
    ("channel", "WEB", CHANNELS),
    ("operation", "chats", "not one of chat, text_completion, batch, embeddings"),
    ("request_model", ABSENT, "missing"),
    ("request_model", "a model", "not in its declared form"),
    ("request_model", "jane@example.org", "not in its declared form"),
    ("request_model", "198.51.100.7", SHAPED),
    ("request_model", "4111111111111111", SHAPED),
    ("request_model", "anthropic/x-4.1:beta@20260101", None),
    ("client_address", "198.51.100.256", NO_ADDRESS),
    ("client_address", "198.51.100", NO_ADDRESS),
    ("client_address", "1:2:3:4:5:6:7:8:9", NO_ADDRESS),
    ("client_address", "1::2::3", NO_ADDRESS),
    ("client_address", "localhost", NO_ADDRESS),
    ("client_address", "tok_a b", NO_ADDRESS),
    ("client_address", "tok_Ab-9", None),
    ("client_address", "::ffff:198.51.100.7", None),
    ("client_asn", -1, "outside 0 to 4,294,967,295"),
    ("client_asn", 4_294_967_296, "outside 0 to 4,294,967,295"),
    ("client_country", "Germany", "not in its declared form"),
    ("client_country", "de", None),
    ("input_tokens", ABSENT, "missing"),
    ("input_tokens", None, "missing"),
    ("input_tokens", -1, NUMBER),
    ("input_tokens", 100_000_001, NUMBER),
    ("input_tokens", 2**63, "not a whole number"),
    ("input_tokens", 1.5, "not a whole number"),
    ("input_tokens", "many", "not a whole number"),
    ("input_tokens", True, "not a whole number"),
    ("input_tokens", [1], "not a whole number"),
    ("input_tokens", {"n": 1}, "not a whole number"),
    ("input_tokens", "٣", "not a whole number"),
    ("input_tokens", 0, None),
    ("input_tokens", 12.0, None),
    ("output_tokens", ABSENT, "missing"),
    ("output_tokens", -5, NUMBER),
    ("max_tokens", -1, NUMBER),
    ("temperature", -0.1, "outside 0 to 10"),
    ("temperature", 11, "outside 0 to 10"),
    ("temperature", "warm", "not a number"),
    ("temperature", "NaN", "not a number"),
    ("temperature", "Infinity", "not a number"),
    ("temperature", "1e400", "not a number || outside 0 to 10"),
    ("temperature", "1e999999", "not a number"),
    ("temperature", 1, None),
    ("top_p", 1.01, "outside 0 to 1"),
    ("choice_count", 10_001, "outside 0 to 10,000"),
    ("logprobs", "yes", "not true or false"),
    ("logprobs", 1, "not true or false"),
    ("stream", "TRUE", "not true or false"),
    ("tool_count", 100_001, "outside 0 to 100,000"),
    ("tool_result_count", -1, "outside 0 to 100,000"),
    ("turn_index", -1, "outside 0 to 1,000,000"),
    ("status_code", ABSENT, "missing"),
    ("status_code", 99, "outside 100 to 599"),
    ("status_code", 600, "outside 100 to 599"),
    ("finish_reason", "tired", "not one of stop, length, tool_calls, content_filter"),
    ("latency_ms", 86_400_001, "outside 0 to 86,400,000"),
    ("user_agent", "anything at all <>\"'", None),
    ("tls_ja4", "anything", None),
    ("prompt_text", "", None),
    ("prompt_text", "\u0000\u0007 \ud7ff 🦀", None),
]  # fmt: skip
ACCOUNT_CASES = [
    ("account_id", ABSENT, "missing"),
    ("account_id", "a b", WORDS),
    ("created_at", ABSENT, "missing"),
    ("created_at", "1999-12-31T23:59:59Z", "before the year 2000"),
    ("created_at", "2026-05-05T00:00:00Z", "after its landing date"),
    ("plan", "gold", "not one of free, credits, pay_as_you_go, enterprise"),
    ("status", "asleep", "not one of active, suspended, closed"),
    ("kyc_level", 4, "outside 0 to 3"),
    ("verified_organization", "maybe", "not true or false"),
    ("payment_type", "gold", "not one of none, card, prepaid, invoice, crypto"),
    ("signup_address", "nowhere", NO_ADDRESS),
    ("signup_country", "D", "not in its declared form"),
    ("email_domain", "anything at all", None),
    ("declared_use", "none", None),
]
LABEL_CASES = [
    ("account_id", ABSENT, "missing"),
    ("label", "guilty", "not one of distillation, resale, benign"),
    ("labelled_at", ABSENT, "missing"),
    ("labelled_at", "2027-01-01T00:00:00Z", "after its landing date"),
    ("source", "rumour",
     "not one of analyst, confirmed_ban, appeal_upheld, partner_intelligence, simulation"),
    ("campaign", "jane@example.org", WORDS),
    ("campaign", "operation 7", None),
    ("confidence", 1.1, "outside 0 to 1"),
]  # fmt: skip
CASES = {"requests": REQUEST_CASES, "accounts": ACCOUNT_CASES, "labels": LABEL_CASES}
MAKERS = {"requests": request, "accounts": account, "labels": label}


def records(source: str) -> list[dict[str, object]]:
    return [MAKERS[source](n, **{column: value})
            for n, (column, value, _) in enumerate(CASES[source])]  # fmt: skip


def expected(source: str, file: str) -> dict[tuple[str, int], str]:
    return {
        (file, n): f"{column}: {reason}"
        for n, (column, _, reason) in enumerate(CASES[source], start=1)
        if reason is not None
    }


def assert_reasons(found: dict[tuple[str, int], str], wanted: dict[tuple[str, int], str]) -> None:
    assert set(found) == set(wanted)
    column = {place: reason.partition(": ")[0] for place, reason in wanted.items()}
    apart = {
        place: (found[place], reason) for place, reason in wanted.items()
        if found[place] not in {f"{column[place]}: {words}"
                                for words in reason.partition(": ")[2].split(" || ")}
    }  # fmt: skip
    assert apart == {}


@pytest.fixture(scope="module")
def from_lines(session, tmp_path_factory) -> Ingested:
    root = tmp_path_factory.mktemp("rules_lines")
    landing = LandingDays(root / "landing").quiet()
    for source in CASES:
        landing.put(f"{source}/x.jsonl", records(source))
    return ingest(session, landing.root, root / "lake")


@pytest.mark.parametrize("source", CASES)
def test_lines_are_refused_for_what_they_break(from_lines, source):
    found = {k: v for k, v in from_lines.reasons().items() if k[0].startswith(source)}
    assert_reasons(found, expected(source, f"{source}/x.jsonl"))


def test_parquet_of_text_is_refused_for_the_same(session, tmp_path, from_lines):
    """Every value as text, as a writer without types has it; the same reason, record by record."""
    landing = LandingDays(tmp_path / "landing").quiet()
    for source in CASES:
        rows = [
            {k: v if v is None or isinstance(v, str) else str(v).lower()
             if isinstance(v, bool) else str(v) for k, v in record.items()}
            for record in records(source)
        ]  # fmt: skip
        names = {name for row in rows for name in row}
        schema = pa.schema([(name, pa.string()) for name in sorted(names)])
        landing.put(f"{source}/x.parquet", pa.Table.from_pylist(rows, schema=schema))
    found = ingest(session, landing.root, tmp_path / "lake").reasons()
    wanted = {(file.replace("jsonl", "parquet"), line): reason
              for (file, line), reason in from_lines.reasons().items()}  # fmt: skip
    assert found == wanted


@pytest.mark.parametrize("rows_of_their_own", [False, True])
def test_typed_parquet_is_refused_for_the_same(session, tmp_path, monkeypatch, rows_of_their_own):
    """What the contract's types can hold; both as text and, as on a large day, as typed rows."""
    if rows_of_their_own:
        monkeypatch.setattr("jobs.ingest.records.TYPED_ROWS", 0)
    landing = LandingDays(tmp_path / "landing").quiet()
    wanted = {}
    for source in CASES:
        rows, n = [], 0
        for (column, _, reason), record in zip(CASES[source], records(source), strict=True):
            try:
                typed_table(source, [record])
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                continue
            if (reason or "").startswith(("not in UTC", "not an ISO", "not a whole", "not true")):
                continue  # nothing of a type's own can be wrong in this way
            rows.append(record)
            n += 1
            if reason is not None:
                wanted[f"{source}/x.parquet", n] = f"{column}: {reason}"
        assert n > len(CASES[source]) * 0.6
        landing.put(f"{source}/x.parquet", rows)
    assert_reasons(ingest(session, landing.root, tmp_path / "lake").reasons(), wanted)


def test_kept_values_are_the_values_that_landed(from_lines):
    kept = from_lines.requests()
    by_value = {
        value: kept.get(f"r{n}") or kept.get(str(value))
        for n, (column, value, reason) in enumerate(REQUEST_CASES)
        if reason is None and isinstance(value, str)
    }
    utc = dt.UTC
    assert by_value["2026-05-03T10:00Z"]["event_time"] == dt.datetime(2026, 5, 3, 10, tzinfo=utc)
    assert by_value["2026-05-03 10:00Z"]["event_time"] == dt.datetime(2026, 5, 3, 10, tzinfo=utc)
    fine = dt.datetime(2026, 5, 3, 10, 0, 0, 123456, utc)
    assert by_value["2026-05-03T10:00:00.123456789Z"]["event_time"] == fine
    assert by_value["de"]["client_country"] == "DE"
    plain = request(0)
    same = ("account_id", "channel", "request_model", "input_tokens", "temperature", "logprobs",
            "stream", "status_code", "latency_ms", "client_asn")  # fmt: skip
    row = by_value["tok_Ab-9"]
    assert {name: row[name] for name in same} == {name: plain[name] for name in same}


def test_the_first_broken_rule_is_the_reason(session, tmp_path):
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/x.jsonl", [
        request(1, input_tokens=-1, channel="pigeon", temperature="hot"),
        request(2, status_code=7, input_tokens="x"),
    ])  # fmt: skip
    assert ingest(session, landing.root, tmp_path / "lake").reasons() == {
        ("requests/x.jsonl", 1): f"channel: {CHANNELS}",
        ("requests/x.jsonl", 2): "input_tokens: not a whole number",
    }


def test_lines_that_are_no_records(session, tmp_path):
    good = lines_of([request("good")]).strip()
    no_object = "not a JSON object"
    unread = "no column of the contract can be read"
    after = "text after the JSON object"
    twice = "the same key twice in a JSON object"
    lines = [
        (b"", None), (b"   ", no_object), (b"{", no_object), (b"[1]", no_object),
        (b'"text"', no_object), (b"null", no_object), (b"17", no_object),
        (b"{'a': 1}", no_object), (good[:-1], no_object), (good[1:], no_object),
        (good.replace(b"m-large", b"m-\xff"), "not UTF-8"),
        (good.replace(b'"r', b'"account_id": "a2", "r', 1), twice),
        (good + b" and more", after), (good + good, after), (good + b", " + good, after),
        (good + b" []", after), (good + b"]", after), (b"{}", unread), (b'{"a": 1}', unread),
        (lines_of([request("brackets", prompt_text='if {a}{b}, {c}')]).strip(), None),
        (b"\x00" * 8, no_object), ("{\u00a0}".encode(), no_object),
        (good + b"\r", None),
    ]  # fmt: skip
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/x.jsonl", b"\xef\xbb\xbf" + b"\n".join(line for line, _ in lines))
    done = ingest(session, landing.root, tmp_path / "lake")
    assert done.reasons() == {
        ("requests/x.jsonl", n): reason for n, (_, reason) in enumerate(lines, start=1) if reason
    }
    assert set(done.requests()) == {"rgood", "rbrackets"}
    # A blank line is no record.
    assert done.counts() == {"requests/x.jsonl": (len(lines) - 1, 2, len(lines) - 3, 0)}
