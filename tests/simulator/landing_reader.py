"""A plain reader of a landing folder, written without the simulator's own writing code.

It classifies every record by the contract, the slow and obvious way.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.simulator import Summary, WorldSettings

# The contract: column -> (type, required).
CONTRACT: dict[str, dict[str, tuple[str, bool]]] = {
    "requests": {
        "request_id": ("string", True),
        "timestamp": ("timestamp", True),
        "account_id": ("string", True),
        "organization_id": ("string", False),
        "api_key_id": ("string", False),
        "channel": ("string", False),
        "operation": ("string", False),
        "request_model": ("string", True),
        "client_address": ("string", False),
        "client_asn": ("int", False),
        "client_country": ("string", False),
        "user_agent": ("string", False),
        "tls_ja4": ("string", False),
        "input_tokens": ("int", True),
        "output_tokens": ("int", True),
        "max_tokens": ("int", False),
        "temperature": ("double", False),
        "top_p": ("double", False),
        "choice_count": ("int", False),
        "logprobs": ("boolean", False),
        "stream": ("boolean", False),
        "tool_count": ("int", False),
        "tool_result_count": ("int", False),
        "conversation_id": ("string", False),
        "turn_index": ("int", False),
        "system_prompt_hash": ("string", False),
        "status_code": ("int", True),
        "finish_reason": ("string", False),
        "latency_ms": ("int", False),
        "prompt_text": ("string", False),
        "response_text": ("string", False),
    },
    "accounts": {
        "account_id": ("string", True),
        "organization_id": ("string", False),
        "created_at": ("timestamp", True),
        "plan": ("string", False),
        "status": ("string", False),
        "kyc_level": ("int", False),
        "verified_organization": ("boolean", False),
        "email_domain": ("string", False),
        "email_local_shape": ("string", False),
        "phone_token": ("string", False),
        "payment_fingerprint": ("string", False),
        "payment_type": ("string", False),
        "signup_address": ("string", False),
        "signup_asn": ("int", False),
        "signup_country": ("string", False),
        "declared_use": ("string", False),
    },
    "labels": {
        "account_id": ("string", True),
        "label": ("string", True),
        "labelled_at": ("timestamp", True),
        "source": ("string", True),
        "campaign": ("string", False),
        "confidence": ("double", False),
    },
}
WORDS = {
    "channel": {"first_party", "cloud", "partner", "web"},
    "operation": {"chat", "text_completion", "batch", "embeddings"},
    "finish_reason": {"stop", "length", "tool_calls", "content_filter"},
    "plan": {"free", "credits", "pay_as_you_go", "enterprise"},
    "status": {"active", "suspended", "closed"},
    "payment_type": {"none", "card", "prepaid", "invoice", "crypto"},
    "label": {"distillation", "resale", "benign"},
    "source": {"analyst", "confirmed_ban", "appeal_upheld", "partner_intelligence"},
}


@dataclass(frozen=True)
class Simulated:
    """A world on disk."""

    landing: Path
    truth: Path
    settings: WorldSettings
    summary: Summary

    def known(self, name: str) -> pa.Table:
        """One table of the truth."""
        return pq.read_table(self.truth / f"{name}.parquet")


def partitions(landing: Path, source: str) -> list[tuple[date, Path]]:
    """Landing dates of a source and their folders, in order."""
    folders = sorted((landing / source).glob("date=*"))
    return [(date.fromisoformat(folder.name[5:]), folder) for folder in folders]


def records(folder: Path) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """File name and record of everything in a folder; None for what is no JSON object."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".parquet":
            for record in pq.read_table(path).to_pylist():
                yield path.name, {k: v for k, v in record.items() if v is not None}
            continue
        raw = path.read_bytes()
        for line in (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines():
            try:
                record = json.loads(line.decode("utf-8"))
            except ValueError:
                record = None
            yield path.name, record if isinstance(record, dict) else None


def fits(value: Any, kind: str) -> bool:
    """Whether a value has the contract's type, in JSON or in Parquet."""
    match kind:
        case "string":
            return isinstance(value, str)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "double":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case _:
            if isinstance(value, datetime):
                return value.tzinfo is not None
            try:
                return datetime.fromisoformat(value).tzinfo is not None and value.endswith("Z")
            except (TypeError, ValueError):
                return False


def moment(value: Any) -> datetime:
    """A timestamp of either form."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def verdict(record: dict[str, Any] | None, source: str) -> str:
    """What the contract says of one record, duplicates aside."""
    if record is None:
        return "malformed"
    columns = CONTRACT[source]
    for name, (kind, required) in columns.items():
        if name not in record:
            if required:
                return "missing_required"
        elif not fits(record[name], kind):
            return "wrong_type"
    if source == "requests" and min(record["input_tokens"], record["output_tokens"]) < 0:
        return "out_of_range"
    return "kept"


def audit(landing: Path, source: str) -> list[dict[str, Any]]:
    """Count the records of a source by landing date and verdict."""
    seen: dict[str, date] = {}
    rows = []
    for day, folder in partitions(landing, source):
        counts: Counter[str] = Counter()
        today: set[Any] = set()
        for _, record in records(folder):
            counts["landed"] += 1
            judged = verdict(record, source)
            if judged == "kept" and record is not None:
                key = record["request_id" if source == "requests" else "account_id"]
                if source == "labels":
                    key = json.dumps(record, default=str, sort_keys=True)
                if key in today:
                    judged = "duplicates_within_day"
                elif source == "requests" and key in seen:
                    judged = "duplicates_across_days"
                elif source == "requests" and moment(record["timestamp"]).date() < day:
                    counts["late"] += 1
                today.add(key)
                if source == "requests":
                    seen.setdefault(key, day)
                if judged == "kept" and set(record) - set(CONTRACT[source]):
                    counts["kept_with_unknown_columns"] += 1
            counts[judged] += 1
        rows.append({"date": day.isoformat(), **counts})
    return rows
