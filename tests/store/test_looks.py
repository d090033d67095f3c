"""Who is sure that nobody else writes looks at a table once: in a store a look is a list and a
read, and a night would look hundreds of times."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from local_cluster import BUCKET

from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from tests.bench.store_requests import asked
from tests.conftest import rows_of

NIGHT = dt.date(2026, 5, 3)
BEFORE = NIGHT - dt.timedelta(days=1)


@pytest.fixture
def settings(store: Any, tmp_path: Path) -> Settings:
    return Settings(lake=f"s3://{BUCKET}/{tmp_path.name}")


def labelled(lake: Lake, night: dt.date, *accounts: str) -> None:
    lake.replace_night(
        "labels", night, rows_of("labels", night, [{"account_id": a} for a in accounts])
    )


def accounts_of(lake: Lake) -> list[str]:
    return sorted(lake.rows("labels")["account_id"].to_pylist())


def test_the_sole_writer_looks_at_a_table_once(store: Any, settings: Settings) -> None:
    log = store.home / "logs" / "store.log"
    lake = Lake(settings)
    labelled(lake, NIGHT, "a1")

    def lists_of_ten_looks() -> int:
        before = asked(log.read_text())
        for _ in range(10):
            assert accounts_of(lake) == ["a1"]
            assert lake.nights("labels") == [NIGHT] and lake.count("labels", NIGHT) == 1
        return (asked(log.read_text()) - before)["LIST"]

    with lake.as_sole_writer():
        accounts_of(lake)
        assert lists_of_ten_looks() == 0
    assert lists_of_ten_looks() >= 30


def test_it_sees_what_it_wrote_itself_and_afterwards_what_others_did(settings: Settings) -> None:
    lake, other = Lake(settings), Lake(settings)
    with lake.as_sole_writer():
        labelled(lake, BEFORE, "a1")
        assert accounts_of(lake) == ["a1"]
        labelled(lake, NIGHT, "a2", "a3")
        assert accounts_of(lake) == ["a1", "a2", "a3"]
        labelled(lake, NIGHT, "a4")
        assert accounts_of(lake) == ["a1", "a4"]
    labelled(other, NIGHT, "a5")
    assert accounts_of(lake) == ["a1", "a5"]


def test_it_sees_what_people_append_meanwhile(settings: Settings) -> None:
    lake, desk = Lake(settings), Lake(settings)
    row = rows_of("case_events", NIGHT, [{}])
    desk.append("case_events", row)
    with lake.as_sole_writer():
        assert lake.rows("case_events").num_rows == 1
        desk.append("case_events", row)
        assert lake.rows("case_events").num_rows == 2
