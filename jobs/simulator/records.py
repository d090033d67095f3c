"""Writing records: Arrow columns to Parquet, JSON lines and gzipped JSON lines.

Lines are put together column by column in Arrow, never row by row in Python; the strings that
could need escaping (prompts) arrive escaped. The same columns give the same bytes: no clock, no
file name and no host goes into a file.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Columns = dict[str, pa.Array]
TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
_GZIP_LEVEL: Final = 1  # as gateways do: quick rather than small
# Columns whose values repeat little: a dictionary would only cost time.
_PLAIN: Final = ("request_id", "timestamp", "conversation_id", "prompt_text", "response_text")


def iso_times(array: pa.Array) -> pa.Array:
    """Write UTC timestamps as ISO 8601 with microseconds and Z."""
    text = pc.strftime(array, format="%Y-%m-%dT%H:%M:%S")
    # strftime of microseconds brings the fraction along: 2026-05-01T00:00:00.000000
    return pc.binary_join_element_wise(text, "Z", "")


def json_lines(columns: Columns) -> pa.Array:
    """Write one JSON object a row, each with its newline; a null value leaves its key out."""
    pieces: list[pa.Array | str] = []
    held = "{"  # literal text waiting for the next column
    comma = ""
    for name, array in columns.items():
        quote = ""
        if pa.types.is_timestamp(array.type):
            array, quote = iso_times(array), '"'
        elif pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            quote = '"'
        else:
            array = pc.cast(array, pa.string())
        opening = f'{comma}"{name}":{quote}'
        if array.null_count == 0:
            pieces += [held + opening, array]
            held = quote
        else:
            if comma == "":
                raise ValueError("the first column of a record must not be null")
            pieces += [held, pc.binary_join_element_wise(opening, array, quote, "")]
            held = ""
        comma = ","
    pieces.append(held + "}\n")
    return pc.binary_join_element_wise(*pieces, "", null_handling="replace", null_replacement="")


def line_bytes(lines: pa.Array) -> memoryview:
    """The bytes of an array of strings, one after another, without copying."""
    offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset :]
    first, last = int(offsets[0]), int(offsets[len(lines)])
    return memoryview(lines.buffers()[2] or b"")[first:last]


def write_lines(
    path: Path, lines: pa.Array, strays: Sequence[tuple[int, bytes]], zipped: bool
) -> int:
    """Write lines, with stray ones put in before given positions; returns the file's bytes."""
    parts: list[bytes | memoryview] = []
    at = 0
    for position, stray in sorted(strays, key=lambda s: s[0]):
        if position > at:
            parts.append(line_bytes(lines.slice(at, position - at)))
            at = position
        parts.append(stray)
    if at < len(lines):
        parts.append(line_bytes(lines.slice(at)))
    if zipped:
        # A gzip header of zlib's own has no time and no name in it.
        packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)
        packed: list[bytes | memoryview] = [packer.compress(part) for part in parts]
        parts = [*packed, packer.flush()]
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
    return path.stat().st_size


def write_parquet(path: Path, table: pa.Table) -> int:
    """Write a Parquet file and return its bytes."""
    plain = [name for name in table.column_names if name not in _PLAIN]
    pq.write_table(
        table, path, compression="zstd", compression_level=1, use_dictionary=plain,
        write_statistics=plain, store_schema=False, row_group_size=1 << 17,
    )  # fmt: skip
    return path.stat().st_size
