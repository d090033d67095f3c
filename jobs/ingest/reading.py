"""Landing files as records: Arrow batches of lines or of Parquet rows, each with its place.

One unit of work is a file, or some row groups of a Parquet file; an engine spreads units over its
workers and calls the readers below through `mapInArrow`. Whatever can't be read becomes a record
with a `problem`, so that nothing that landed is lost without a trace.
"""

from __future__ import annotations

import datetime as dt
import logging
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.catalog.landing import MAX_RECORD_BYTES, REQUIRED_SOURCES, Source
from jobs.platform.errors import LandingError
from jobs.platform.lake import ARROW_TYPES
from jobs.platform.storage import Entry, Place, said

#: Bytes of lines that make a batch. An engine compiles every regular expression of a step anew for
#: each batch (4 ms of CPU): a megabyte would spend as long on that as on its lines.
CHUNK_BYTES = 4 * 1024 * 1024
#: Rows of one unit of Parquet work, at least: enough to pay for its start.
UNIT_ROWS = 250_000
BATCH_ROWS = 8_192
#: Files whose front or footer is looked at in parallel.
LOOKS_AT_ONCE = 16
FORMATS = {".parquet": "parquet", ".jsonl": "jsonl", ".jsonl.gz": "jsonl.gz"}

logger = logging.getLogger(__name__)

LINE_SCHEMA = "file_no int, line long, problem string, value string"


@dataclass(frozen=True)
class LandingFile:
    """One file of one source and landing date. `shape` says how its records are read."""

    number: int
    path: str
    relative: str
    format: str
    bytes: int
    shape: str  # "lines", "typed", "untyped" or "unreadable"
    rows: int = 0  # of a Parquet file, by its footer
    row_groups: tuple[tuple[int, int, int], ...] = ()  # first row group, past the last, first row
    unknown: tuple[str, ...] = ()  # undeclared Parquet columns
    problem: str | None = None


def landing_files(root: Place, source: Source, date: dt.date) -> list[LandingFile]:
    """The source's files of one landing date, in order of their names.

    Raises:
        LandingError: no landing folder, or no folder of the day for a source that must be there.
    """
    try:
        found, ignored = _arrived(root, source, date)
    except OSError as error:
        raise LandingError(f"the landing folder {root} can't be read: {said(error)}") from error
    if ignored:
        logger.warning(
            "%s of %s: left alone %d things in its folder that are no %s files",
            source.name, date, ignored, ", ".join(FORMATS),
        )  # fmt: skip
    return found


def _arrived(root: Place, source: Source, date: dt.date) -> tuple[list[LandingFile], int]:
    """The files, and how many other things lie beside them."""
    if not root.is_folder():
        raise LandingError(f"no landing folder at {root}: check --landing or STILLWATCH_LANDING")
    folder = root / source.name / f"date={date.isoformat()}"
    if not folder.is_folder():
        if source.name in REQUIRED_SOURCES:
            raise LandingError(
                f"nothing landed: no folder {source.name}/date={date.isoformat()} in {root}; "
                "check the date, or run the night again when the gateway has delivered"
            )
        return [], 0
    ours: list[tuple[Entry, str]] = []
    ignored = 0
    for entry in folder.entries():
        # Writers leave hidden and underscored files beside their data (_SUCCESS, .crc).
        if entry.place.name.startswith((".", "_")):
            continue
        suffix = next((s for s in sorted(FORMATS, key=len, reverse=True)
                       if entry.place.name.endswith(s)), None)  # fmt: skip
        if suffix is None or not entry.is_file:
            ignored += 1
            continue
        ours.append((entry, FORMATS[suffix]))
    # A large day has tens of thousands of files, and a store answers each look after a while.
    with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
        found = list(pool.map(
            lambda n: _describe(n, *ours[n], root, source), range(len(ours))
        ))  # fmt: skip
    if not found and source.name in REQUIRED_SOURCES:
        raise LandingError(
            f"nothing landed: no {', '.join(FORMATS)} file in {folder}; run the night again when "
            "the gateway has delivered"
        )
    return found, ignored


def _describe(number: int, entry: Entry, kind: str, root: Place, source: Source) -> LandingFile:
    place, size = entry.place, entry.bytes
    relative = place.address.removeprefix(f"{root.address.rstrip('/')}/")

    def unreadable(problem: str) -> LandingFile:
        return LandingFile(
            number, place.address, relative, kind, size, "unreadable", problem=problem
        )

    if kind != "parquet":
        try:
            place.open().close()
        except OSError as error:
            return unreadable(f"can't be opened ({said(error)})")
        return LandingFile(number, place.address, relative, kind, size, "lines")
    try:
        with _parquet(place.address) as file:
            schema = file.schema_arrow
            counts = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    except (pa.ArrowException, OSError) as error:
        words = "truncated or damaged" if size else "empty"
        return unreadable(f"not readable as Parquet ({type(error).__name__}): {words}")
    names = schema.names
    if len(set(names)) < len(names):
        return unreadable("not readable as Parquet: two columns have the same name")
    declared = {column.name: column for column in source.columns}
    fits = all(_fits(f.type, declared[f.name].type) for f in schema if f.name in declared)
    return LandingFile(
        number, place.address, relative, kind, size, "typed" if fits else "untyped",
        rows=sum(counts), row_groups=tuple(_units(counts)),
        unknown=tuple(name for name in names if name not in declared),
    )  # fmt: skip


def _parquet(path: str) -> pq.ParquetFile:
    place = Place(path)
    # Columns that lie side by side in a store are fetched together.
    return pq.ParquetFile(place.open_anywhere(), pre_buffer=place.in_store)


def _units(counts: list[int]) -> Iterator[tuple[int, int, int]]:
    first, rows, before = 0, 0, 0
    for group, count in enumerate(counts):
        rows += count
        if rows >= UNIT_ROWS or group == len(counts) - 1:
            yield first, group + 1, before
            first, before, rows = group + 1, before + rows, 0


def _fits(found: pa.DataType, declared: str) -> bool:
    """Whether a Parquet column holds the declared type, in whatever width or unit."""
    if pa.types.is_null(found):
        return True
    if pa.types.is_dictionary(found):
        found = found.value_type
    match declared:
        case "string":
            return pa.types.is_string(found) or pa.types.is_large_string(found)
        case "long":
            return pa.types.is_integer(found) and found != pa.uint64()
        case "double":
            # A narrow one, widened, is not the number that its writer meant: 0.7 → 0.69999999.
            return pa.types.is_float64(found) or pa.types.is_integer(found)
        case "boolean":
            return pa.types.is_boolean(found)
        case _:
            return pa.types.is_timestamp(found)


# Lines


def read_lines(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Units (path, file_no, format) to lines; blank lines are no records."""
    for batch in batches:
        for unit in batch.to_pylist():
            yield from _lines_of(unit["path"], unit["file_no"], unit["format"] == "jsonl.gz")


def _lines_of(path: str, file_no: int, gzipped: bool) -> Iterator[pa.RecordBatch]:
    line = 1
    carry = b""
    skipped = 0  # bytes of a line over the limit that have been thrown away
    fault = None
    for chunk in _chunks(path, gzipped):
        if isinstance(chunk, str):
            fault = chunk
            break
        if skipped:
            end = chunk.find(b"\n")
            if end < 0:
                skipped += len(chunk)
                continue
            yield _problem_line(file_no, line, _over_limit())
            line, skipped, chunk = line + 1, 0, chunk[end + 1 :]
        data = carry + chunk
        cut = data.rfind(b"\n") + 1
        if cut:
            count, out = _split(data[:cut], file_no, line)
            line += count
            yield out
        carry = data[cut:]
        if len(carry) > MAX_RECORD_BYTES:
            skipped, carry = len(carry), b""
    if fault is not None:
        # What stands before the fault without a line's end is part of the damage.
        yield _problem_line(file_no, line, fault)
    elif skipped:
        yield _problem_line(file_no, line, _over_limit())
    elif carry:
        yield _split(carry + b"\n", file_no, line)[1]


def _chunks(path: str, gzipped: bool) -> Iterator[bytes | str]:
    """The file's bytes, without a byte order mark; a string in their place is a fault that ends
    the file."""
    first = True
    for chunk in _inflated(path) if gzipped else _raw(path):
        if first and isinstance(chunk, bytes):
            chunk = chunk.removeprefix(b"\xef\xbb\xbf")
        first = False
        yield chunk


def _raw(path: str) -> Iterator[bytes | str]:
    with Place(path).open() as file:
        while raw := file.read(CHUNK_BYTES):
            yield raw


def _inflated(path: str) -> Iterator[bytes | str]:
    inflate = zlib.decompressobj(wbits=31)
    begun = False  # a member whose end is not in sight
    for raw in _raw(path):
        assert isinstance(raw, bytes)
        while raw:
            # A gzip file may be several members, one after the other (RFC 1952, 2.2).
            if inflate.eof:
                inflate = zlib.decompressobj(wbits=31)
            try:
                out = inflate.decompress(raw, CHUNK_BYTES)
            except zlib.error:
                yield "damaged gzip: the rest of the file can't be read"
                return
            begun = not inflate.eof
            if out:
                yield out
            raw = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if begun:
        yield "truncated gzip: the rest of the file is missing"


def _split(data: bytes, file_no: int, line: int) -> tuple[int, pa.RecordBatch]:
    """Lines of `data`, which ends in a line feed; also how many there are, blank ones too."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    starts = np.concatenate(([0], ends[:-1] + 1))
    # One buffer for all lines: each value keeps its line feed, which JSON reads as white space.
    offsets = np.concatenate((starts, [len(data)])).astype(np.int32)
    values = pa.BinaryArray.from_buffers(
        pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    numbers = pa.array(np.arange(line, line + len(ends), dtype=np.int64))
    lengths = ends - starts
    carriage_return = np.frombuffer(data, np.uint8)[starts] == 13
    keep = pa.array((lengths > 1) | ((lengths == 1) & ~carriage_return))
    too_long = lengths > MAX_RECORD_BYTES
    text, broken = _as_text(values)
    problem = np.full(len(ends), None, dtype=object)
    problem[broken] = "not UTF-8"
    if too_long.any():
        problem[too_long] = _over_limit()
        text = pc.if_else(pa.array(too_long), None, text)
    batch = pa.record_batch(
        [
            pa.array(np.full(len(ends), file_no, np.int32)),
            numbers,
            pa.array(problem, pa.string()),
            text,
        ],
        names=["file_no", "line", "problem", "value"],
    )
    return len(ends), batch.filter(keep)


def _as_text(values: pa.Array) -> tuple[pa.Array, list[int]]:
    """Binary values as text, null where they are not UTF-8, and which those are."""
    broken: list[int] = []
    while True:
        try:
            return values.cast(pa.string()), broken
        except pa.ArrowInvalid:
            # Rare: find the first bad value by bisection, null it, and try the whole again.
            low, high = 0, len(values)
            while high - low > 1:
                middle = (low + high) // 2
                try:
                    values.slice(low, middle - low).cast(pa.string())
                    low = middle
                except pa.ArrowInvalid:
                    high = middle
            broken.append(low)
            mask = np.zeros(len(values), bool)
            mask[low] = True
            values = pc.if_else(pa.array(mask), pa.scalar(None, values.type), values)


def _over_limit() -> str:
    return f"line of over {MAX_RECORD_BYTES:,} bytes"


def _problem_line(file_no: int, line: int, problem: str) -> pa.RecordBatch:
    return pa.record_batch(
        [pa.array([file_no], pa.int32()), pa.array([line], pa.int64()),
         pa.array([problem], pa.string()), pa.array([None], pa.string())],
        names=["file_no", "line", "problem", "value"],
    )  # fmt: skip


# Parquet rows


def row_schema(source: Source, typed: bool) -> str:
    """DDL of what `read_rows` yields: the source's columns, as declared or all as text."""
    columns = ", ".join(f"`{c.name}` {c.type if typed else 'string'}" for c in source.columns)
    return f"file_no int, line long, problem string, {columns}"


class ReadRows:
    """Units (path, file_no, first and last row group) to rows with the source's columns."""

    def __init__(self, source: Source, typed: bool) -> None:
        self._schema = pa.schema(
            [("file_no", pa.int32()), ("line", pa.int64()), ("problem", pa.string())]
            + [(c.name, ARROW_TYPES[c.type] if typed else pa.string()) for c in source.columns]
        )

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for unit in batch.to_pylist():
                yield from self._rows_of(unit)

    def _rows_of(self, unit: dict[str, object]) -> Iterator[pa.RecordBatch]:
        file_no, row = int(str(unit["file_no"])), int(str(unit["first_row"]))
        groups = range(int(str(unit["first_group"])), int(str(unit["past_group"])))
        with _parquet(str(unit["path"])) as file:
            try:
                for batch in self._batches(file, list(groups)):
                    yield self._conformed(batch, file_no, row)
                    row += batch.num_rows
                return
            except (pa.ArrowException, OSError):
                pass
            # Somewhere after `row` the file is damaged: each row group for itself from here on.
            end = int(str(unit["first_row"]))
            for group in groups:
                start, end = end, end + file.metadata.row_group(group).num_rows
                done = max(row, start)
                try:
                    for batch in self._batches(file, [group]) if done < end else ():
                        fresh = batch.slice(max(0, done - start))
                        start += batch.num_rows
                        if fresh.num_rows:
                            yield self._conformed(fresh, file_no, done)
                            done += fresh.num_rows
                except (pa.ArrowException, OSError):
                    yield self._damaged(file_no, done, end)

    def _batches(self, file: pq.ParquetFile, groups: list[int]) -> Iterator[pa.RecordBatch]:
        wanted = [n for n in self._schema.names if n in set(file.schema_arrow.names)]
        return file.iter_batches(BATCH_ROWS, row_groups=groups, columns=wanted)

    def _conformed(self, batch: pa.RecordBatch, file_no: int, row: int) -> pa.RecordBatch:
        n = batch.num_rows
        problem = np.full(n, None, dtype=object)
        columns: list[pa.Array] = []
        for field in self._schema:
            if field.name == "file_no":
                columns.append(pa.array(np.full(n, file_no, np.int32)))
            elif field.name == "line":
                columns.append(pa.array(np.arange(row + 1, row + n + 1, dtype=np.int64)))
            elif field.name == "problem":
                columns.append(pa.nulls(n, pa.string()))
            elif field.name not in batch.schema.names:
                columns.append(pa.nulls(n, field.type))
            else:
                column, broken = _cast(batch.column(field.name), field.type)
                problem[broken] = f"{field.name}: not UTF-8"
                columns.append(column)
        columns[2] = pa.array(problem, pa.string())
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _damaged(self, file_no: int, row: int, end: int) -> pa.RecordBatch:
        n = end - row
        columns = [
            pa.array(np.full(n, file_no, np.int32)),
            pa.array(np.arange(row + 1, end + 1, dtype=np.int64)),
            pa.array(["damaged Parquet: the row can't be read"] * n, pa.string()),
        ]
        columns += [pa.nulls(n, field.type) for field in list(self._schema)[3:]]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


def _cast(column: pa.Array, kind: pa.DataType) -> tuple[pa.Array, list[int]]:
    """A Parquet column in the wanted type; also which values are not UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(kind):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            try:
                column.validate(full=True)
                return column.cast(kind), []
            except pa.ArrowInvalid:
                binary = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
                return _as_text(column.cast(binary).cast(pa.binary()))
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            return _as_text(column.cast(pa.binary()))
        if pa.types.is_timestamp(column.type):
            # An instant, whatever zone its writer would show it in; without one it is UTC.
            return _in_utc(column).cast(kind), []
        if pa.types.is_nested(column.type):
            # No declared column is nested: words that no check takes for a value.
            words = pa.array([f"<{column.type}>"] * len(column), pa.string())
            return pc.if_else(column.is_valid(), words, None), []
        return column.cast(kind), []
    if pa.types.is_timestamp(kind) and not pa.types.is_null(column.type):
        return _in_utc(column), []
    return column.cast(kind), []


def _in_utc(column: pa.Array) -> pa.Array:
    """Finer units are cut to microseconds; a time without a zone is UTC by contract."""
    utc = pa.timestamp("us", tz="UTC")
    if column.type.tz is None:
        return column.cast(pa.timestamp("us"), safe=False).cast(utc)
    return column.cast(utc, safe=False)
