"""Landing days written record by record, and what ingest made of them.

`request()`, `account()` and `label()` give a record that holds to the contract; a test changes
the one thing it is about. `LandingDays` writes records as lines or Parquet; `Ingested` reads the
lake back as plain rows.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NIGHT = dt.date(2026, 5, 3)
KEY_HEX = "5a" * 32
ABSENT: Any = object()
#: A file without a record.
QUIET = "zz-quiet.jsonl"
Record = dict[str, Any]


def request(number: int | str, **changes: Any) -> Record:
    """A full record; a change to ABSENT leaves its column out."""
    record = {
        "request_id": f"r{number}", "timestamp": "2026-05-03T10:20:30.123456Z",
        "account_id": "a1", "organization_id": "o1", "api_key_id": "k1", "channel": "first_party",
        "operation": "chat", "request_model": "m-large", "client_address": "198.51.100.7",
        "client_asn": 64500, "client_country": "DE", "user_agent": "curl/8.5.0",
        "tls_ja4": "t13d1516h2_8daaf6152771_b0da82dd1658", "input_tokens": 12,
        "output_tokens": 34, "max_tokens": 256, "temperature": 0.7, "top_p": 1.0,
        "choice_count": 1, "logprobs": False, "stream": True, "tool_count": 0,
        "tool_result_count": 0, "conversation_id": "c1", "turn_index": 0,
        "system_prompt_hash": "h1", "status_code": 200, "finish_reason": "stop",
        "latency_ms": 420, "prompt_text": "Write a poem about the sea.",
        "response_text": "The sea.",
    }  # fmt: skip
    return _changed(record, changes)


def account(number: int | str, **changes: Any) -> Record:
    record = {
        "account_id": f"a{number}", "organization_id": "o1",
        "created_at": "2026-01-02T03:04:05Z", "plan": "pay_as_you_go", "status": "active",
        "kyc_level": 2, "verified_organization": False, "email_domain": "example.org",
        "email_local_shape": "aaaa99", "phone_token": "ph_1", "payment_fingerprint": "pay_1",
        "payment_type": "card", "signup_address": "203.0.113.9", "signup_asn": 64501,
        "signup_country": "FR", "declared_use": "a chat bot",
    }  # fmt: skip
    return _changed(record, changes)


def label(number: int | str, **changes: Any) -> Record:
    record = {
        "account_id": f"a{number}", "label": "benign", "labelled_at": "2026-05-02T08:00:00Z",
        "source": "analyst", "campaign": "op-7", "confidence": 0.9,
    }  # fmt: skip
    return _changed(record, changes)


def _changed(record: Record, changes: Record) -> Record:
    return {k: v for k, v in (record | changes).items() if v is not ABSENT}


def lines_of(records: Iterable[Record]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def typed_table(source: str, records: Sequence[Record]) -> pa.Table:
    """The records with the contract's Parquet types."""
    from jobs.catalog.landing import SOURCES
    from jobs.platform.lake import ARROW_TYPES

    names = {name for record in records for name in record}
    fields = [
        pa.field(c.name, ARROW_TYPES[c.type]) for c in SOURCES[source].columns if c.name in names
    ]
    rows = [
        {
            f.name: dt.datetime.fromisoformat(value)
            if pa.types.is_timestamp(f.type) and isinstance(value := record.get(f.name), str)
            else record.get(f.name)
            for f in fields
        }
        for record in records
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


class LandingDays:
    """A landing zone under construction."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, source: str, date: dt.date = NIGHT) -> Path:
        folder = self.root / source / f"date={date.isoformat()}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def put(
        self, name: str, content: bytes | pa.Table | Sequence[Record], date: dt.date = NIGHT
    ) -> Path:
        """`put("requests/x.jsonl", records)`: bytes and tables as they are, records as the
        name's ending says."""
        source, _, file = name.partition("/")
        path = self.folder(source, date) / file
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, pa.Table):
            pq.write_table(content, path)
        elif file.endswith(".parquet"):
            pq.write_table(typed_table(source, content), path)
        elif file.endswith(".gz"):
            path.write_bytes(gzip.compress(lines_of(content), mtime=0))
        else:
            path.write_bytes(lines_of(content))
        return path

    def quiet(self, date: dt.date = NIGHT) -> LandingDays:
        """The files that every night must have, with nothing in them."""
        self.put(f"requests/{QUIET}", b"", date)
        self.put(f"accounts/{QUIET}", b"", date)
        return self


@dataclass(frozen=True)
class Ingested:
    """A lake that ingest has written."""

    root: Path

    def rows(self, table: str, date: dt.date = NIGHT) -> list[Record]:
        from jobs.platform.lake import Lake
        from jobs.platform.settings import Settings

        rows: list[Record] = Lake(Settings(lake=str(self.root))).rows(table, date, date).to_pylist()
        return rows

    def requests(self, date: dt.date = NIGHT) -> dict[str, Record]:
        return {row["request_id"]: row for row in self.rows("requests", date)}

    def reasons(self, date: dt.date = NIGHT) -> dict[tuple[str, int], str]:
        """Why what stands at each place (source/file, line) was refused."""
        return {(_place(row), row["line"]): row["reason"] for row in self.rows("quarantine", date)}

    def counts(self, date: dt.date = NIGHT) -> dict[str, tuple[int, int, int, int]]:
        """source/file → landed, kept, quarantined, duplicates."""
        return {
            _place(row): (row["landed"], row["kept"], row["quarantined"], row["duplicates"])
            for row in self.rows("landing_files", date)
            if not row["file"].endswith(QUIET)
        }


def _place(row: Record) -> str:
    """`requests/x.jsonl`, the name under which the file was put."""
    return f"{row['source']}/{Path(row['file']).name}"


def ingest(
    session: SparkSession,
    landing: Path,
    lake: Path,
    date: dt.date = NIGHT,
    keep_text: bool = False,
    key: str = KEY_HEX,
) -> Ingested:
    """Run the step on the shared session."""
    from jobs import ingest as step
    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings

    settings = Settings(lake=str(lake), landing=str(landing), keep_text=keep_text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLWATCH_TOKEN_KEY", key)
        step.run(Lake(settings, session), date)
    return Ingested(lake)
