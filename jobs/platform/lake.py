"""The only place that reads and writes Delta tables.

Tables are made with delta-rs from the catalogue: NOT NULL, CHECK constraints and comments, which
both engines then enforce. A night's rows are written by one function that casts to the declared
columns, keeps to the night's partition and replaces it in one commit, so that what the engines do
differently with other modes of writing (docs/architecture.md) can't happen.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.schema import ArrayType, PrimitiveType

from jobs.catalog.tables import TABLES
from jobs.catalog.types import Column, Table
from jobs.platform.direct import nights_by_name
from jobs.platform.errors import LakeError
from jobs.platform.faults import readable, readable_errors
from jobs.platform.sizing import shuffle_pieces
from jobs.platform.storage import STORE, delta_options, engine_address

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from jobs.platform.settings import Settings

ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "long": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "array<string>": pa.list_(pa.string()),
    "array<long>": pa.list_(pa.int64()),
}
_DELTA_NAMES = {"int": "integer"}
#: Metadata of a column that the table gained after it was made.
_LATER = "stillwatch.later"


def _not_null_in_schema(table: Table, column: Column) -> bool:
    """Whether NOT NULL stands in the Delta schema, as for keys, or in the CHECK constraint.

    Sail's planning time and memory double with each NOT NULL column of a table, as with each
    constraint: 20 of them take 7 s, 70 all the memory there is.
    """
    return not column.nullable and column.name in table.key


def arrow_schema(table: Table) -> pa.Schema:
    """The table's columns as an Arrow schema."""
    return pa.schema(
        [
            pa.field(
                column.name,
                ARROW_TYPES[column.type],
                nullable=not _not_null_in_schema(table, column),
            )
            for column in table.columns
        ]
    )


def delta_schema(table: Table) -> Schema:
    """The table's columns as a Delta schema, meaning, unit and source as comments."""

    def of(column: Column) -> Field:
        kind: PrimitiveType | ArrayType
        if column.type.startswith("array<"):
            element = column.type.removeprefix("array<").removesuffix(">")
            kind = ArrayType(PrimitiveType(element), contains_null=True)
        else:
            kind = PrimitiveType(_DELTA_NAMES.get(column.type, column.type))
        comment = column.about + (f" Unit: {column.unit}." if column.unit else "")
        nullable = not _not_null_in_schema(table, column)
        return Field(column.name, kind, nullable=nullable, metadata={"comment": comment})

    return Schema([of(column) for column in table.columns])


def check_constraints(table: Table, later: Collection[str] = ()) -> dict[str, str]:
    """The table's CHECK constraint, from what its columns declare; none where they declare none.

    One for the whole table, since Sail's planning time doubles with each further one (11: 7 s).
    In SQL a null passes a CHECK; in Delta it fails one, so each test says whether it may: also in
    columns that the table gained `later`, which earlier nights have no value for. The name ends
    in a hash of the test, because Delta stores a test in words of its own, and a changed
    declaration must be told from an unchanged one.
    """
    tests = []
    for column in table.columns:
        of_column = []
        if column.minimum is not None:
            of_column.append(f"{column.name} >= {_literal(column.minimum, column.type)}")
        if column.maximum is not None:
            of_column.append(f"{column.name} <= {_literal(column.maximum, column.type)}")
        if column.values:
            values = ", ".join(f"'{value}'" for value in column.values)
            of_column.append(f"{column.name} IN ({values})")
        if column.nullable or column.name in later:
            if of_column:
                tests.append(f"({column.name} IS NULL OR ({' AND '.join(of_column)}))")
        else:
            if not _not_null_in_schema(table, column):
                of_column.insert(0, f"{column.name} IS NOT NULL")
            tests += of_column
    if not tests:
        return {}
    test = " AND ".join(tests)
    return {f"declared_{zlib.crc32(test.encode()):08x}": test}


def _literal(bound: float, kind: str) -> str:
    return repr(float(bound)) if kind == "double" else str(int(bound))


class Lake:
    """The Delta tables under one root, read and written through one engine's session."""

    def __init__(self, settings: Settings, session: SparkSession | None = None) -> None:
        self.settings = settings
        self.root = settings.lake
        self._session, self.has_engine = session, session is not None
        self._options = delta_options(self.root)
        #: Rows that this object wrote to each table, for the run log.
        self.rows_written: dict[str, int] = {}
        self.tables_read: set[str] = set()
        self._opened: dict[str, DeltaTable] = {}
        self._created: dict[str, Table] = {}
        #: Tables that nothing can have changed since they were opened, and whether there are any.
        self._settled: set[str] = set()
        self._sole_writer = False

    @property
    def session(self) -> SparkSession:
        if self._session is None:
            raise LakeError("this command has no engine; a step that needs one must start it")
        return self._session

    def path(self, name: str) -> str:
        return f"{self.root}/{TABLES[name].name}"

    def _engine_path(self, name: str) -> str:
        return engine_address(self.path(name), self.settings.engine)

    @contextmanager
    def as_sole_writer(self) -> Iterator[None]:
        """Within, a table that is written a night at a time is looked at once, and again when this
        object has written to it: who holds `sole_writer` knows that nobody else does. In an object
        store each look is a list and a read. Append-only tables, to which people write while a
        night runs, are looked at each time."""
        self._sole_writer = True
        try:
            yield
        finally:
            self._sole_writer = False
            self._settled.clear()

    def exists(self, name: str) -> bool:
        if name in self._settled:
            return True
        try:
            return DeltaTable.is_deltatable(self.path(name), self._options)
        except (DeltaError, OSError) as error:
            raise readable(error, f"the lake {self.root} can't be read") from error

    def table(self, name: str) -> DeltaTable:
        """The table in delta-rs's hands, opened anew."""
        return DeltaTable(self.path(name), storage_options=self._options)

    def _open(self, name: str) -> DeltaTable:
        """The table as of now. Kept open: a night looks at tables hundreds of times, and reading
        a log from its beginning takes longer the more nights there are."""
        delta = self._opened.get(name)
        if delta is not None and name in self._settled:
            return delta
        if delta is not None and self.exists(name):
            delta.update_incremental()
        else:
            delta = self.table(name)
            self._opened[name] = delta
        if self._sole_writer and not TABLES[name].append_only:
            self._settled.add(name)
        return delta

    @contextmanager
    def _changing(self, name: str, what: str) -> Iterator[None]:
        """Around what changes a table: it is looked at anew afterwards, and what goes wrong is told
        in one line."""
        try:
            with readable_errors(f"table {name} in {self.root} can't be {what}"):
                yield
        finally:
            self._settled.discard(name)

    def create(self, name: str) -> None:
        """Make the table if it is not there; add columns that its declaration has gained.

        Looked at once for each declaration.
        """
        table = TABLES[name]
        if self._created.get(name) == table and self.exists(name):
            return
        with self._changing(name, "made"):
            if not self.exists(name):
                # A kill between this commit and the next leaves a table without constraints:
                # they are completed below whenever the table is met again.
                DeltaTable.create(
                    self.path(name), delta_schema(table), mode="ignore", name=table.name,
                    description=table.about,
                    partition_by=[table.partition] if table.partition else None,
                    configuration=_CONFIGURATION, storage_options=self._options,
                )  # fmt: skip
            delta = self._open(name)
            present = {field.name for field in delta.schema().fields}
            missing = [f for f in delta_schema(table).fields if f.name not in present]
            if missing:
                # Earlier nights have no value for it, so it can't be NOT NULL; where that is
                # declared, the night's expectations see to it.
                delta.alter.add_columns(
                    [
                        Field(f.name, f.type, nullable=True, metadata={**f.metadata, _LATER: "yes"})
                        for f in missing
                    ]
                )
            declared = check_constraints(table, _later(delta))
            held = _held_constraints(delta)
            for stale in sorted(c for c in held - set(declared) if "declared" in c):
                delta.alter.drop_constraint(stale)
            constraints = {key: test for key, test in declared.items() if key not in held}
            if constraints:
                delta.alter.add_constraint(constraints)
            self._created[name] = table

    def version(self, name: str) -> int | None:
        """The table's Delta version, None where there is no table."""
        try:
            return self._open(name).version()
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise readable(error, f"table {name} in {self.root} can't be read") from error

    def guarantees(self, name: str) -> frozenset[str]:
        """What the table's own metadata holds true of every row, whoever writes it:
        `<column>_not_null` for columns that are NOT NULL, and `declared` where the bounds and
        values that columns declare are its constraint."""
        self.create(name)
        delta = self._open(name)
        later = _later(delta)
        held = {f"{field.name}_not_null" for field in delta.schema().fields if not field.nullable}
        if set(check_constraints(TABLES[name], later)) <= _held_constraints(delta):
            held |= {"declared"} | {
                f"{c.name}_not_null"
                for c in TABLES[name].columns
                if not c.nullable and c.name not in later
            }
        return frozenset(held)

    # Reading

    def read(
        self, name: str, first: dt.date | None = None, last: dt.date | None = None
    ) -> DataFrame:
        """The table's rows of the nights from `first` to `last`, both included.

        A table that nothing has written yet reads as empty.
        """
        from pyspark.sql import functions as F

        self.create(name)
        self.tables_read.add(name)
        frame = self._frame(name, first, last)
        if first is not None:
            frame = frame.where(F.col("date") >= F.lit(first))
        if last is not None:
            frame = frame.where(F.col("date") <= F.lit(last))
        return frame

    def night(self, name: str, date: dt.date) -> DataFrame:
        """The table's rows of one night."""
        from pyspark.sql import functions as F

        self.create(name)
        self.tables_read.add(name)
        return self._frame(name, date, date).where(F.col("date") == F.lit(date))

    def _frame(self, name: str, first: dt.date | None, last: dt.date | None) -> DataFrame:
        """The table in the engine's hands, with rows of other nights too, or without them."""
        delta = self._open(name) if self.settings.engine == "spark" else None
        # Later protocols have what Parquet alone does not tell, as deleted rows.
        if delta is not None and delta.protocol().min_reader_version == 1:
            files = files_of(delta, first, last)["path"].to_pylist()
            frame = nights_by_name(self.session, TABLES[name], self.path(name), files)
            if frame is not None:
                return frame
        return self.session.read.format("delta").load(self._engine_path(name))

    def nights(self, name: str) -> list[dt.date]:
        """The nights that the table has rows for, oldest first; from metadata, not data."""
        if not self.exists(name):
            return []
        with readable_errors(f"table {name} in {self.root} can't be read"):
            return sorted(
                dt.date.fromisoformat(part["date"]) for part in self._open(name).partitions()
            )

    def rows(
        self,
        name: str,
        first: dt.date | None = None,
        last: dt.date | None = None,
        columns: list[str] | None = None,
        only: Mapping[str, Collection[str]] | None = None,
    ) -> pa.Table:
        """The same as `read`, as an Arrow table and without an engine: for small tables, or for
        `only` rows that have one of the values given in each column named."""
        self.create(name)
        self.tables_read.add(name)
        filters: list[tuple[str, str, Any]] = [
            (column, "in", pa.array(sorted(values), pa.string()))
            for column, values in (only or {}).items()
        ]
        if first is not None:
            filters.append(("date", ">=", first))
        if last is not None:
            filters.append(("date", "<=", last))
        try:
            table: pa.Table = self._open(name).to_pyarrow_table(
                filters=filters or None, columns=columns
            )
            return table
        except (DeltaError, OSError) as error:
            raise readable(error, f"table {name} in {self.root} can't be read") from error

    # Writing

    def write_night(self, name: str, date: dt.date, frame: DataFrame) -> int:
        """Replace the table's rows of one night, in one commit; returns how many there are.

        Columns are selected by name and cast to their declared types; a column that the frame
        lacks is an error, one that the table lacks is dropped here and not in an engine. Rows
        that carry the date of another night are left out: an engine would write them there.
        """
        from pyspark.sql import functions as F

        table = TABLES[name]
        self.create(name)
        lacking = [c for c in table.column_names if c != "date" and c not in frame.columns]
        if lacking:
            raise LakeError(f"table {name} wants columns that its job did not make: {lacking}")
        if "date" in frame.columns:
            frame = frame.where(F.col("date").cast("date") == F.lit(date))
        selected = frame.select(
            F.lit(date).cast("date").alias("date"),
            *(
                F.col(f"`{c.name}`").cast(c.type).alias(c.name)
                for c in table.columns
                if c.name != "date"
            ),
        )
        with self._changing(name, "written"):
            (
                selected.write.format("delta")
                .mode("overwrite")
                .option("replaceWhere", f"date = '{date.isoformat()}'")
                .options(**dict(table.write_options))
                .save(self._engine_path(name))
            )
        return self._written(name, date)

    def replace_night(self, name: str, date: dt.date, rows: pa.Table | Iterator[pa.Table]) -> int:
        """The same as `write_night` for rows that are in this process already, or made piece by
        piece as they are written."""
        table = TABLES[name]
        self.create(name)
        pieces = iter([rows]) if isinstance(rows, pa.Table) else rows
        batches = (b for piece in pieces for b in _conformed(piece, table, date).to_batches())
        with self._changing(name, "written"):
            write_deltalake(
                self._open(name),
                pa.RecordBatchReader.from_batches(arrow_schema(table), batches),
                mode="overwrite",
                predicate=f"date = '{date.isoformat()}'",
            )
        return self._written(name, date)

    def append(self, name: str, rows: pa.Table) -> None:
        """Add rows to a table that is declared to be append-only."""
        table = TABLES[name]
        if not table.append_only:
            raise LakeError(f"table {name} is written a night at a time, not appended to")
        self.create(name)
        with self._changing(name, "written"):
            write_deltalake(self._open(name), _conformed(rows, table, None), mode="append")
        self.rows_written[name] = self.rows_written.get(name, 0) + rows.num_rows

    def _written(self, name: str, date: dt.date) -> int:
        self.rows_written[name] = self.count(name, date)
        return self.rows_written[name]

    def prepare_for(self, read_bytes: int) -> None:
        """Tell a cluster's engine how much the step reads: its shuffles are cut accordingly."""
        if self.settings.engine == "spark":
            self.session.conf.set("spark.sql.shuffle.partitions", shuffle_pieces(read_bytes))

    def stored_bytes(self, name: str, first: dt.date, last: dt.date) -> int:
        """Bytes of the table's files for the nights from `first` to `last`, from the Delta log."""
        if not self.exists(name):
            return 0
        return pc.sum(self.files(name, first, last)["size_bytes"]).as_py() or 0

    def files(self, name: str, first: dt.date | None, last: dt.date | None) -> pa.Table:
        """`files_of` the table as of now; it must be there."""
        return files_of(self._open(name), first, last)

    def night_files(self, name: str) -> dict[dt.date, list[tuple[str, int]]] | None:
        """Files of each night, with their rows: for readers of plain Parquet, without an engine.

        None where files alone do not tell the rows: in an object store, or where rows were deleted.
        """
        if self.path(name).startswith(STORE) or not self.exists(name):
            return None
        with readable_errors(f"table {name} in {self.root} can't be read"):
            delta = self._open(name)
            if delta.protocol().min_reader_version > 1:
                return None
            nights: dict[dt.date, list[tuple[str, int]]] = {}
            for file in files_of(delta, None, None).to_pylist():
                at = f"{self.path(name)}/{unquote(file['path'])}"
                nights.setdefault(file["partition.date"], []).append((at, file["num_records"] or 0))
            return nights

    def count(self, name: str, date: dt.date, first: dt.date | None = None) -> int:
        """Rows of one night, or of those from `first` on, from the statistics in the Delta log."""
        self.create(name)
        files = self.files(name, first or date, date)
        return pc.sum(files["num_records"]).as_py() or 0 if files.num_rows else 0


def files_of(delta: DeltaTable, first: dt.date | None, last: dt.date | None) -> pa.Table:
    """Files that a table's log names of the nights from `first` to `last`, a row each: path,
    size_bytes, num_records; none of a table without nights."""
    files = pa.table(delta.get_add_actions(flatten=True))
    if "partition.date" not in files.column_names or not files.num_rows:
        return files.slice(0, 0)
    for bound, holds in ((first, pc.greater_equal), (last, pc.less_equal)):
        if bound is not None:
            files = files.filter(holds(files["partition.date"], pa.scalar(bound)))
    return files


def _later(delta: DeltaTable) -> set[str]:
    """Columns that the table gained after it was made."""
    return {field.name for field in delta.schema().fields if _LATER in (field.metadata or {})}


def _held_constraints(delta: DeltaTable) -> set[str]:
    prefix = "delta.constraints."
    return {
        key.removeprefix(prefix) for key in delta.metadata().configuration if key.startswith(prefix)
    }


def _conformed(rows: pa.Table, table: Table, date: dt.date | None) -> pa.Table:
    """The declared columns; of one night, where a date is given, its rows alone."""
    if date is not None and "date" in rows.column_names:
        rows = rows.filter(pc.equal(rows["date"].cast(pa.date32()), pa.scalar(date)))
    columns = []
    for column in table.columns:
        kind = ARROW_TYPES[column.type]
        if column.name == "date" and date is not None:
            columns.append(pa.repeat(pa.scalar(date, pa.date32()), rows.num_rows))
        elif column.name not in rows.column_names:
            raise LakeError(
                f"table {table.name} wants a column that its job did not make: {column.name}"
            )
        else:
            columns.append(rows[column.name].cast(kind))
    return pa.Table.from_arrays(columns, schema=arrow_schema(table))


#: Statistics of each file's columns would fill the log, and Sail, told that a column's least and
#: greatest value are the same, puts it in the column's place: docs/stack.md has what comes of it.
_CONFIGURATION: dict[str, str | None] = {"delta.dataSkippingNumIndexedCols": "0"}
