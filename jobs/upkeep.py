"""Small files into large ones, nights past their retention away, files nobody reads deleted.

Works on the tables' files with delta-rs, without an engine.
Harm if late: nights get slower by the number of small files; text and tokens stay longer than the
catalogue promises.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from jobs.catalog.tables import TABLES
from jobs.platform.lake import Lake

#: Hours for which files of replaced versions are kept for readers that are still at it.
VACUUM_HOURS = 168


@dataclass(frozen=True)
class Upkept:
    table: str
    expired_nights: int
    files_before: int
    files_after: int
    deleted_files: int


def run(lake: Lake, date: dt.date) -> list[Upkept]:
    """Keep every table as of `date`; returns what was done to each."""
    # What a killed ingest left: it may hold text where a setting keeps text.
    (lake.settings.lake_root / "_staging").remove_folder()
    done = []
    for name, table in TABLES.items():
        if not lake.exists(name):
            continue
        delta = lake.table(name)
        before = len(delta.file_uris())
        oldest = date - dt.timedelta(days=table.retention_days)
        expired = [night for night in lake.nights(name) if night < oldest]
        if expired:
            delta.delete(f"date < '{oldest.isoformat()}'")
        for night in lake.nights(name):
            if oldest <= night <= date and not table.write_options:
                delta.optimize.compact(partition_filters=[("date", "=", night.isoformat())])
        text = name == "request_text"
        deleted = delta.vacuum(
            # Promised to be gone after days: files with text don't wait for late readers.
            retention_hours=0 if text else VACUUM_HOURS,
            enforce_retention_duration=False,
            dry_run=False,
        )
        delta.create_checkpoint()
        done.append(Upkept(name, len(expired), before, len(lake.table(name).file_uris()),
                           len(deleted)))  # fmt: skip
    return done
