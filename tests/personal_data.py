"""Personal data to plant in a landing zone, and a search for it in everything that a run leaves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from landing_days import NIGHT, LandingDays, Record, account, label, request

from jobs.catalog.landing import SOURCES

EMAIL = "jane.quimby@quimby-family.example"
PHONE = "+49 151 555 77 123"
PLANTED = {
    "e-mail": EMAIL,
    "telephone": PHONE,
    "telephone in groups": "555-867-5309",
    "IPv4": "203.0.113.77",
    "IPv6": "2001:db8:dead:beef::77",
    "name": "Jane Q. Quimby",
    "card": "4111 1111 1111 1111",
    "card in groups": "4111-1111-1111-1111",
    "card in one": "4111111111111111",
}
#: What may stand nowhere: the values, and other spellings that a step could give them.
SOUGHT = {
    *PLANTED.values(), EMAIL.upper(), "jane.quimby", "quimby-family.example", "49 151 555 77",
    "4915155577123", "2001:db8:dead:beef:0:0:0:77", "2001:db8:dead:beef", "dead:beef",
    "2001:0db8", "203.0.113.0/24", "Quimby", "zanzibar-blue",
}  # fmt: skip
MAKERS = {"requests": request, "accounts": account, "labels": label}
#: Analysts name operations as they like, with spaces: a name there can't be told from a person's.
ALLOWED = {("labels", "campaign", "name")}


def one_field_each(source: str) -> Iterator[Record]:
    """A record for each column and each kind of personal data in it, the rest as it should be."""
    number = 0
    for column in SOURCES[source].columns:
        for kind, value in PLANTED.items():
            if (source, column.name, kind) not in ALLOWED:
                number += 1
                yield MAKERS[source](f"one{number}", **{column.name: value})


def all_fields(source: str) -> Iterator[Record]:
    """For each kind: every column of text has it; then every column whose values are free, in a
    record that holds to the contract."""
    free = {"user_agent", "tls_ja4", "prompt_text", "response_text", "email_domain",
            "email_local_shape", "phone_token", "payment_fingerprint", "declared_use"}  # fmt: skip
    for number, (kind, value) in enumerate(PLANTED.items()):
        text = [c.name for c in SOURCES[source].columns if c.type == "string"]
        yield MAKERS[source](f"all{number}", **{
            name: value for name in text if (source, name, kind) not in ALLOWED})  # fmt: skip
        words = f"{value} is zanzibar-blue" if source == "requests" else value
        changes: dict[str, Any] = {name: words for name in text if name in free}
        changes["account_id"] = f"a{number}"
        if source == "requests":
            changes["client_address"] = PLANTED["IPv6" if number % 2 else "IPv4"]
        if source == "accounts":
            changes["signup_address"] = PLANTED["IPv4" if number % 2 else "IPv6"]
        # Undeclared columns: in their values and in their names.
        yield MAKERS[source](f"free{number}", **changes, note=value, **{value: value})
        yield MAKERS[source](f"deep{number}", **changes, **{f"{value} 2": {value: [value]}})


BROKEN = "\n".join(
    [f'{{"request_id": "{value}", "prompt_text": "{value}' for value in PLANTED.values()]
    + list(PLANTED.values()) + [f"[{value!r}]" for value in PLANTED.values()]
    + [f'{{"request_id": "x", "request_id": "{value}"}}' for value in PLANTED.values()]
).encode()  # fmt: skip


def as_text(records: Iterable[Record]) -> pa.Table:
    """The records in Parquet, every column as text, undeclared ones too."""
    rows = [{name: None if v is None else str(v) for name, v in r.items()} for r in records]
    names = sorted({name for row in rows for name in row})
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in names]))


def plant_everywhere(landing: LandingDays, date: dt.date = NIGHT) -> None:
    """Every kind in every field of every source, in lines and in Parquet."""
    for source in SOURCES:
        records = [*one_field_each(source), *all_fields(source)]
        landing.put(f"{source}/planted.jsonl", records, date)
        landing.put(f"{source}/planted.parquet", as_text(records), date)
        landing.put(f"{source}/broken.jsonl", BROKEN + b"\n\xff" + EMAIL.encode(), date)
        landing.put(f"{source}/broken.parquet", b"PAR1" + BROKEN, date)
        landing.put(f"{source}/broken.jsonl.gz", BROKEN, date)


def plant_a_few(landing: LandingDays, date: dt.date) -> None:
    """So few that a night goes on to its end: one record of each kind and source, all fields."""
    time = f"{date}T01:02:03Z"
    for source in SOURCES:
        records = [record | {SOURCES[source].event_column: time} for record in all_fields(source)
                   if source == "requests" or "all" not in str(record.values())]  # fmt: skip
        landing.put(f"{source}/planted.jsonl", records, date)


def found_below(*folders: Path) -> list[str]:
    """Where any of what is sought stands: in a file's bytes or its name, or in a value of a
    Parquet file, which may be compressed."""
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            if path.is_file():
                texts = [path.name.encode(), path.read_bytes(), *_parquet_texts(path)]
                found += [f"{word!r} in {path}" for word in sorted(SOUGHT)
                          if any(_holds(text, word) for text in texts)]  # fmt: skip
    return found


def _holds(text: bytes, word: str) -> bool:
    return word.encode() in text or word.encode("utf-16-le") in text


def _parquet_texts(path: Path) -> Iterator[bytes]:
    if path.suffix == ".parquet" and path.read_bytes().endswith(b"PAR1"):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield repr(batch.to_pylist()).encode()
