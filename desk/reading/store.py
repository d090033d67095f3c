"""Reads tables of the lake with DuckDB, of the nights and columns that a page needs, and no more.

Which files hold a night stands in the Delta log, which is looked at again only when the table has a
new version; files never change. Text of a query is fixed: names of tables and columns come from
the catalogue, and what people ask for goes in as parameters.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from jobs.catalog.tables import TABLES
from jobs.platform.errors import LakeError
from jobs.platform.lake import Lake

#: Results that are kept; the largest is a campaign's page, some hundred kilobytes.
_KEPT = 256
_TYPES = {
    "string": "varchar", "long": "bigint", "int": "integer", "double": "double",
    "boolean": "boolean", "timestamp": "timestamptz", "date": "date",
    "array<string>": "varchar[]", "array<long>": "bigint[]",
}  # fmt: skip
Result = TypeVar("Result")


@dataclass(frozen=True)
class Part:
    """Columns of a table on the nights from `first` to `last`, both included; None: no bound."""

    table: str
    columns: tuple[str, ...]
    first: dt.date | None = None
    last: dt.date | None = None


@dataclass(frozen=True)
class _Files:
    """A table at one version; `nights` is None where it is not read by its files."""

    version: int | None
    nights: dict[dt.date, list[tuple[str, int]]] | None


class Store:
    """Reads one lake; may be used from several threads."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._lock = threading.Lock()
        self._connection = duckdb.connect(config={"enable_external_access": "true"})
        self._connection.execute("set timezone = 'UTC'")
        self._connection.execute("set parquet_metadata_cache = true")
        self._tables: dict[str, _Files] = {}
        self._columns: dict[str, frozenset[str]] = {}
        self._results: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def version(self, table: str) -> int | None:
        """The table's Delta version; None: nothing was written yet, or nobody declares it."""
        return self._files(table).version

    def _files(self, table: str) -> _Files:
        with self._lock:
            if table not in TABLES or not self._lake.exists(table):
                return _Files(None, {})
            version = self._lake.version(table)
            known = self._tables.get(table)
            if known is None or known.version != version:
                known = _Files(version, self._lake.night_files(table))
                self._tables[table] = known
            return known

    def nights(self, table: str) -> list[dt.date]:
        """Nights with rows, oldest first."""
        files = self._files(table)
        if files.nights is not None:
            return sorted(files.nights)
        with self._lock:
            return self._lake.nights(table)

    def recent(self, table: str, night: dt.date, most: int, rows: int) -> dt.date:
        """The first of at most `most` days up to the night that have no more than `rows` rows
        together; the night itself whatever it has."""
        nights = self._files(table).nights
        first, total = night, 0
        for day in (night - dt.timedelta(days=back) for back in range(most)):
            total += sum(count for _, count in (nights or {}).get(day, ()))
            if total > rows and day != night:
                break
            first = day
        return first

    def rows(
        self,
        sql: str,
        parts: Mapping[str, Part | pa.Table],
        values: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Rows of a query, each as a dictionary.

        Args:
            sql: fixed text that reads `parts` by their names and `$values` by theirs.
            parts: what stands for each name: of the lake, or rows that are there already.
            values: parameters.

        Raises:
            LakeError: a file can't be read.
        """
        cursor, columns = self._executed(sql, parts, values)
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def arrays(
        self,
        sql: str,
        parts: Mapping[str, Part | pa.Table],
        values: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The same as NumPy arrays, one a column: for what would be many rows."""
        cursor, _ = self._executed(sql, parts, values)
        arrays: dict[str, Any] = cursor.fetchnumpy()
        return arrays

    def _executed(
        self, sql: str, parts: Mapping[str, Part | pa.Table], values: Mapping[str, Any] | None
    ) -> tuple[duckdb.DuckDBPyConnection, list[str]]:
        given = dict(values or {})
        cursor = self._connection.cursor()
        try:
            relations = [
                f"{name} as not materialized ({self._relation(cursor, name, part, given)})"
                for name, part in parts.items()
            ]
            body = sql.strip()
            join = ", " + body[5:] if body[:5].lower() == "with " else " " + body
            # DuckDB refuses parameters that a query does not name.
            used = {
                key: value for key, value in given.items() if f"${key}" in body + str(relations)
            }
            cursor.execute("with " + ", ".join(relations) + join, used)
        except (duckdb.IOException, duckdb.HTTPException, OSError) as error:
            # As when an upkeep run took files away that the log still named when it was read.
            named = sorted({part.table for part in parts.values() if isinstance(part, Part)})
            for table in named:
                self._tables.pop(table, None)
            tables = ", ".join(named)
            raise LakeError(f"files of {tables} can't be read: load the page again") from error
        return cursor, [column[0] for column in cursor.description or ()]

    def _relation(
        self,
        cursor: duckdb.DuckDBPyConnection,
        name: str,
        part: Part | pa.Table,
        given: dict[str, Any],
    ) -> str:
        if isinstance(part, pa.Table):
            cursor.register(f"arrow_{name}", part)
            return f"select * from arrow_{name}"
        files = self._files(part.table)
        types = (
            {column.name: _TYPES[column.type] for column in TABLES[part.table].columns}
            if part.table in TABLES
            else dict.fromkeys(part.columns, "varchar")
        )
        nothing = ", ".join(f'null::{types[c]} as "{c}"' for c in part.columns)
        if files.version is None:
            return f"select {nothing} where false"
        if files.nights is None:
            with self._lock:
                found = self._lake.rows(part.table, part.first, part.last, list(part.columns))
            cursor.register(f"arrow_{name}", found)
            return f"select * from arrow_{name}"
        paths = [
            path
            for night, of_night in files.nights.items()
            if (part.first is None or night >= part.first)
            and (part.last is None or night <= part.last)
            for path, _ in of_night
        ]
        if not paths:
            return f"select {nothing} where false"
        given[f"f_{name}"] = paths
        there = frozenset().union(*(self._columns_of(cursor, path) for path in paths)) | {"date"}
        selected = ", ".join(
            f'"{c}"::{types[c]} as "{c}"' if c in there else f'null::{types[c]} as "{c}"'
            for c in part.columns
        )
        return (
            f"select {selected} from read_parquet($f_{name}, union_by_name = true, "
            "hive_partitioning = true, hive_types = {'date': date})"
        )

    def _columns_of(self, cursor: duckdb.DuckDBPyConnection, path: str) -> frozenset[str]:
        """Columns of a file: a table gains columns that its older files lack."""
        known = self._columns.get(path)
        if known is None:
            found = cursor.execute(
                "select name from parquet_schema($path)", {"path": path}
            ).fetchall()
            known = self._columns[path] = frozenset(name for (name,) in found)
        return known

    def remember(
        self, key: tuple[Any, ...], tables: tuple[str, ...], make: Callable[[], Result]
    ) -> Result:
        """What `make` gives, made again only once one of the tables has changed."""
        whole = (*key, *(self.version(table) for table in tables))
        with self._lock:
            if whole in self._results:
                self._results.move_to_end(whole)
                found: Result = self._results[whole]
                return found
        made = make()
        with self._lock:
            self._results[whole] = made
            while len(self._results) > _KEPT:
                self._results.popitem(last=False)
        return made
