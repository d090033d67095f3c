"""The comparison is fair: DuckDB's hand-written rollups and ours are the same tables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from deltalake import DeltaTable

from jobs import ingest, rollup
from jobs.catalog.tables import TABLES
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from tests.bench import worker
from tests.bench.duckdb_rollups import ROLLUPS, write_rollups

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REQUESTS = 20_000


def rows(table: Any, name: str) -> list[dict[str, Any]]:
    """Rows without the tokens of sampling settings, which DuckDB hashes by another function."""
    declared = TABLES[name].column_names
    assert set(table.column_names) == set(declared)
    listed = table.select(list(declared)).to_pylist()
    for row in listed:
        if row.get("kind") == "settings":
            row["token"] = "-"
    return sorted(listed, key=lambda row: [str(row[c]) for c in declared if c not in FLOATS])


FLOATS = {c.name for c in TABLES["account_daily"].columns if c.type == "double"}


def test_duckdb_by_hand_gives_the_same_rollups(session: SparkSession, tmp_path: Path) -> None:
    landed = worker.simulate(tmp_path, REQUESTS)
    assert landed["requests"] > 0.8 * REQUESTS
    lake = Lake(Settings(lake=str(tmp_path / "lake"), landing=str(tmp_path / "landing")), session)
    ingest.run(lake, worker.DATE)
    rollup.run(lake, worker.DATE)
    files = DeltaTable(lake.path("requests")).file_uris()
    write_rollups(files, tmp_path / "duckdb", worker.DATE.isoformat())
    for name in ROLLUPS:
        ours = rows(lake.rows(name, worker.DATE, worker.DATE), name)
        theirs = rows(pq.read_table(tmp_path / "duckdb" / f"{name}.parquet"), name)
        assert len(ours) == len(theirs) > 100
        for mine, other in zip(ours, theirs, strict=True):
            for column, value in mine.items():
                if column in FLOATS and name == "account_daily":
                    # Sums of logarithms, in whatever order rows were read.
                    assert math.isclose(value, other[column], rel_tol=1e-9, abs_tol=1e-9)
                else:
                    assert value == other[column], (name, column, mine["account_id"])
