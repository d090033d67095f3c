"""A table as a file, in each of the forms that other systems read; a batch at a time.

The same rows give the same bytes: rows come sorted, nothing is stamped with a time or a random
name.
"""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.catalog.types import Table
from jobs.outputs.text import (
    batches,
    csv_head,
    csv_lines,
    joined,
    json_objects,
    json_texts,
    text_bytes,
)
from jobs.platform.lake import arrow_schema, delta_schema
from jobs.platform.storage import Place

#: Rows of a row group: a reader takes one at a time.
_ROW_GROUP = 100_000


@dataclass(frozen=True)
class Written:
    """A file of an export: its path within the export's folder, and what is in it."""

    path: str
    table: str
    format: str
    rows: int
    bytes: int
    sha256: str


class Sink(io.RawIOBase):
    """A file that is being written, with what a manifest says of it."""

    def __init__(self, file: io.IOBase) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self._file.write(view)
        self._hash.update(view)
        self.size += view.nbytes
        return view.nbytes

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


@contextmanager
def sink(place: Place) -> Iterator[Sink]:
    with place.create() as file:
        yield Sink(file)  # type: ignore[arg-type]


def write_parquet(folder: Place, name: str, table: Table, rows: pa.Table) -> list[Written]:
    """Values unchanged; each column's meaning and unit in its field's metadata."""
    path = f"{name}.parquet"
    with sink(folder / path) as file:
        _parquet(file, table, rows)
    return [Written(path, name, "parquet", rows.num_rows, file.size, file.sha256)]


def _parquet(file: Sink, table: Table, rows: pa.Table) -> None:
    schema = pa.schema(
        field.with_metadata(
            {"about": column.about, **({"unit": column.unit} if column.unit else {})}
        )
        for field, column in zip(arrow_schema(table), table.columns, strict=True)
    )
    with pq.ParquetWriter(file, schema, compression="zstd", version="2.6") as writer:
        for at in range(0, max(rows.num_rows, 1), _ROW_GROUP):
            writer.write_table(rows.slice(at, _ROW_GROUP).cast(schema))


def write_csv(folder: Place, name: str, table: Table, rows: pa.Table) -> list[Written]:
    """RFC 4180, UTF-8, a head line; arrays as JSON text; no cell that a spreadsheet would run."""
    return _lines(folder, name, "csv", rows, csv_head(rows.column_names), csv_lines)


def write_jsonl(folder: Place, name: str, table: Table, rows: pa.Table) -> list[Written]:
    """One JSON object a line, values unchanged."""
    return _lines(folder, name, "jsonl", rows, b"", json_lines)


def json_lines(batch: pa.RecordBatch) -> pa.Array:
    texts = [(n, json_texts(c)) for n, c in zip(batch.schema.names, batch.columns, strict=True)]
    return joined([json_objects(texts), "\n"])


def _lines(
    folder: Place,
    name: str,
    form: str,
    rows: pa.Table,
    head: bytes,
    lines: Callable[[pa.RecordBatch], pa.Array],
) -> list[Written]:
    path = f"{name}.{form}"
    with sink(folder / path) as file:
        file.write(head)
        for batch in batches(rows):
            file.write(text_bytes(lines(batch)))
    return [Written(path, name, form, rows.num_rows, file.size, file.sha256)]


def write_delta(folder: Place, name: str, table: Table, rows: pa.Table) -> list[Written]:
    """A Delta table of one version and one file (Delta protocol, reader 1, writer 2).

    Its log is written here: delta-rs would put in the moment and random names.
    """
    root, part, log = f"{name}.delta", "part-00000.parquet", f"{0:020d}.json"
    (folder / root / "_delta_log").make()
    with sink(folder / root / part) as file:
        _parquet(file, table, rows)
    data = Written(f"{root}/{part}", name, "delta", rows.num_rows, file.size, file.sha256)
    actions = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {data.sha256}")),
            "name": name, "description": table.about,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": delta_schema(table).to_json(),
            "partitionColumns": [], "configuration": {}, "createdTime": 0,
        }},
        {"add": {
            "path": part, "partitionValues": {}, "size": data.bytes, "modificationTime": 0,
            "dataChange": True, "stats": json.dumps({"numRecords": rows.num_rows}),
        }},
    ]  # fmt: skip
    with sink(folder / root / "_delta_log" / log) as file:
        file.write(
            "".join(json.dumps(action, sort_keys=True) + "\n" for action in actions).encode()
        )
    path = f"{root}/_delta_log/{log}"
    return [data, Written(path, name, "delta", 0, file.size, file.sha256)]


#: Name on the command line: what writes it.
TABLE_FORMATS: dict[str, Callable[[Place, str, Table, pa.Table], list[Written]]] = {
    "parquet": write_parquet,
    "csv": write_csv,
    "jsonl": write_jsonl,
    "delta": write_delta,
}
