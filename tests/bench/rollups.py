"""Our rollup step, what it starts from, and whether others made the same tables."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.bench.data import DATE, requests_in
from tests.bench.measure import Meter
from tests.bench.rollups_sql import TABLES

#: Sums of logarithms, which each engine adds up in an order of its own.
TOLERANCE = 1e-9


def request_files(folder: Path) -> list[str]:
    """The Parquet files of the day's `requests`, which all rollups start from."""
    from deltalake import DeltaTable

    return sorted(DeltaTable(str(folder / "lake" / "requests")).file_uris())


def outputs(folder: Path, who: str) -> Path:
    """An empty folder for what one of the compared writes."""
    place = folder / "written" / who
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def ingest_day(folder: Path, meter: Meter) -> dict[str, Any]:
    """Make `requests` of the landed day, in a new lake."""
    from jobs import ingest
    from jobs.night import open_lake
    from jobs.platform.settings import Settings

    shutil.rmtree(folder / "lake", ignore_errors=True)
    settings = Settings(lake=str(folder / "lake"), landing=str(folder / "landing"))
    with open_lake(settings) as lake:
        with meter:
            ingest.run(lake, DATE)
        return {"rows": lake.rows_written, "requests": requests_in(folder / "lake")}


def stillwatch(folder: Path, meter: Meter, engine: str = "sail") -> dict[str, Any]:
    """The rollups of the step: Delta tables with their checks, in a lake. `account_tokens`, the
    same rows once more as numbers, has no counterpart elsewhere and counts in whole nights."""
    from jobs import rollup
    from jobs.night import open_lake
    from jobs.platform.settings import Settings

    for name in TABLES:  # the same first writing each time, not a replacement that keeps the old
        shutil.rmtree(folder / "lake" / name, ignore_errors=True)
    settings = Settings(
        lake=str(folder / "lake"), landing=str(folder / "landing"), engine=engine,
        spark_master="local[2]",
    )  # fmt: skip
    with open_lake(settings) as lake, meter:
        rollup.write_rollups(lake, DATE)
        return {"rows": lake.rows_written}


def compare(folder: Path, meter: Meter, whom: list[str]) -> dict[str, Any]:
    """Rows that are in one table only or differ in any column, by whom and table; 0 everywhere
    says that all wrote the same."""
    import duckdb

    from jobs.catalog.tables import TABLES as DECLARED

    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'; set preserve_insertion_order = false")
    connection.execute("set memory_limit = '6GB'")
    connection.execute(f"set temp_directory = '{_quoted(folder / 'written' / 'spill')}'")
    rows: dict[str, int] = {}
    differing: dict[str, dict[str, int]] = {}
    with meter:
        for name in TABLES:
            table = DECLARED[name]
            key = [column for column in table.key if column != "date"]
            connection.execute(
                f"create or replace view ours as select * from read_parquet({_ours(folder, name)})"
            )
            rows[name] = _one(connection, "select count(*) from ours")
            unequal = " or ".join(
                _unequal(column.name, column.type)
                for column in table.columns
                if column.name not in (*key, "date")
            )
            for who in whom:
                files = _quoted(folder / "written" / who / name) + "*/*.parquet"
                if not list((folder / "written" / who / name).glob("*.parquet")):
                    files = _quoted(folder / "written" / who / name) + ".parquet"
                connection.execute(
                    "create or replace view theirs as select * from "
                    f"read_parquet('{files}', hive_partitioning = false)"
                )
                join = f"ours full join theirs using ({', '.join(key)})"
                differing.setdefault(who, {})[name] = _one(
                    connection, f"select count(*) from {join} where {unequal}"
                )
    return {"rows": rows, "differing": differing}


def _ours(folder: Path, name: str) -> str:
    from deltalake import DeltaTable

    files = DeltaTable(str(folder / "lake" / name)).file_uris()
    return "[" + ", ".join(f"'{_quoted(file)}'" for file in files) + "]"


def _unequal(column: str, kind: str) -> str:
    if kind != "double":
        return f"ours.{column} is distinct from theirs.{column}"
    near = f"{TOLERANCE} * greatest(1, abs(ours.{column}))"
    missing = f"(ours.{column} is null) <> (theirs.{column} is null)"
    return f"({missing} or abs(ours.{column} - theirs.{column}) > {near})"


def _quoted(path: Path | str) -> str:
    return str(path).replace("'", "''")


def _one(connection: Any, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
