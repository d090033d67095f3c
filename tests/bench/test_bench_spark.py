"""Spark as it comes, with the SQL by hand, writes the tables that our rollup step writes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bench import data, rollups
from tests.bench.measure import Meter, run_apart
from tests.bench.rollups_sql import TABLES

pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="Apache Spark needs Java")


def test_spark_by_hand_writes_the_same_rollups(tmp_path: Path) -> None:
    data.make_day(tmp_path, Meter(), requests=1500, accounts=600)
    rollups.ingest_day(tmp_path, Meter())
    rollups.stillwatch(tmp_path, Meter())
    run_apart("rollups_spark:work", tmp_path, {})  # the two engines can't share a process
    found = rollups.compare(tmp_path, Meter(), ["spark"])
    assert found["differing"] == {"spark": dict.fromkeys(TABLES, 0)}
    assert min(found["rows"].values()) > 100
