"""Upkeep: what is past its retention goes, what is kept is the same rows in fewer files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from deltalake import DeltaTable

from jobs import upkeep
from jobs.catalog.tables import TABLES

TODAY = dt.date(2026, 5, 20)


def test_nights_past_their_retention_go_and_the_rest_stays(bare_lake, fill):
    kept_days = TABLES["quarantine"].retention_days
    last_kept = TODAY - dt.timedelta(days=kept_days)
    for date in (last_kept - dt.timedelta(days=1), last_kept, TODAY):
        fill(bare_lake, "quarantine", date, [{"file": f"f-{date}"}])
    done = {kept.table: kept for kept in upkeep.run(bare_lake, TODAY)}
    assert bare_lake.nights("quarantine") == [last_kept, TODAY]
    assert sorted(bare_lake.rows("quarantine")["file"].to_pylist()) == [
        f"f-{last_kept}", f"f-{TODAY}"]  # fmt: skip
    assert done["quarantine"].expired_nights == 1


def test_text_is_gone_from_the_disk_and_not_only_from_the_table(bare_lake, fill):
    old = TODAY - dt.timedelta(days=TABLES["request_text"].retention_days + 1)
    fill(bare_lake, "request_text", old, [{"request_id": "r1", "prompt_text": "SECRET-WORDS"}])
    fill(bare_lake, "request_text", TODAY, [{"request_id": "r2", "prompt_text": "today"}])
    before = list(Path(bare_lake.path("request_text")).rglob("*.parquet"))
    upkeep.run(bare_lake, TODAY)
    left = [p for p in Path(bare_lake.path("request_text")).rglob("*.parquet")
            if "_delta_log" not in p.parts]  # fmt: skip
    assert len(before) == 2 and len(left) == 1
    assert f"date={TODAY}" in str(left[0])


def test_small_files_are_joined_and_rows_stay(bare_lake, fill):
    from tests.conftest import rows_of

    for number in range(5):
        bare_lake.append("run_log", rows_of("run_log", TODAY, [{"run_id": f"run{number}"}]))
    before = len(DeltaTable(bare_lake.path("run_log")).file_uris())
    upkeep.run(bare_lake, TODAY)
    assert before == 5
    assert len(DeltaTable(bare_lake.path("run_log")).file_uris()) == 1
    assert sorted(bare_lake.rows("run_log")["run_id"].to_pylist()) == [f"run{n}" for n in range(5)]


def test_twice_is_the_same_as_once(bare_lake, fill):
    fill(bare_lake, "accounts", TODAY, [{"account_id": "a1"}])
    upkeep.run(bare_lake, TODAY)
    version = bare_lake.version("accounts")
    (again,) = upkeep.run(bare_lake, TODAY)
    assert bare_lake.version("accounts") == version
    assert (again.expired_nights, again.files_before, again.files_after) == (0, 1, 1)
