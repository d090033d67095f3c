"""Arrow columns as text of JSON and CSV, and as text that people can look at without harm.

Ids, reasons and templates come from attackers. Whole columns at a time: no loop over rows.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.plain_text import CUT, UNSEEN

_UNSEEN_CLASS = "[" + "".join(rf"\p{{{category}}}" for category in UNSEEN) + "]"
#: What spreadsheets take for the beginning of a formula, also full-width and small forms, which
#: some of them turn into the plain ones (OWASP, "CSV Injection").
FORMULA = "=+-@＝＋－＠﹦﹢﹣﹫−"
#: What they skip before it.
_SKIPPED = r"[\s\"\p{Z}]*"
_FORMULA_CLASS = "[" + re.escape(FORMULA) + "]"
#: Where a cell begins for a spreadsheet whose separator is the semicolon.
_CELLS_AFTER = f"[;,]{_SKIPPED}"


def plain_texts(texts: pa.Array, most: int) -> pa.Array:
    """`jobs.plain_text.plain` for a column."""
    spaced = pc.replace_substring_regex(pc.utf8_slice_codeunits(texts, 0, 4 * most), r"\s+", " ")
    kept = pc.replace_substring_regex(spaced, _UNSEEN_CLASS, "")
    cut = pc.binary_join_element_wise(pc.utf8_slice_codeunits(kept, 0, most - 1), CUT, "")
    return pc.if_else(pc.greater(pc.utf8_length(kept), most), cut, kept)


# JSON


def json_texts(column: pa.Array) -> pa.Array:
    """Each value as JSON text on one line; null as `null`.

    Unseen characters are written as `\\uXXXX`, which says the same: neither a reader that splits at
    every line end of Unicode nor a terminal meets them.
    """
    kind = column.type
    if pa.types.is_list(kind):
        return _filled(_listed(column), "null")
    if pa.types.is_string(kind):
        text = _wrapped('"', pc.replace_substring(_escaped(column), '"', '\\"'), '"')
    elif pa.types.is_date(kind):
        text = _wrapped('"', column.cast(pa.string()), '"')
    elif pa.types.is_timestamp(kind):
        text = _wrapped('"', pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ"), '"')
    elif pa.types.is_floating(kind):
        text = pc.if_else(
            pc.is_finite(column), column.cast(pa.string()), pa.scalar(None, pa.string())
        )
    else:
        text = column.cast(pa.string())
    return _filled(text, "null")


def json_objects(fields: Sequence[tuple[str, pa.Array | str]]) -> pa.Array:
    """One JSON object a row, of names and JSON texts: columns, or one text for all rows."""
    parts: list[pa.Array | str] = []
    for at, (name, text) in enumerate(fields):
        parts.append(f'{"," if at else "{"}"{name}":')
        parts.append(text)
    return joined([*parts, "}"])


def joined(parts: Sequence[pa.Array | str]) -> pa.Array:
    """Texts of a row one after the other; none of them null."""
    return pc.binary_join_element_wise(*parts, "")


def text_bytes(lines: pa.Array) -> memoryview:
    """All texts of a column one after the other, as bytes, without copying them."""
    offsets = memoryview(lines.buffers()[1]).cast("i")
    data = lines.buffers()[2]
    first, end = offsets[lines.offset], offsets[lines.offset + len(lines)]
    return memoryview(data)[first:end] if data is not None else memoryview(b"")


def _listed(column: pa.Array) -> pa.Array:
    values = json_texts(column.flatten())
    # `flatten` leaves out what null rows span, so offsets are counted anew.
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    offsets = pa.concat_arrays(
        [pa.array([0], pa.int64()), pc.cumulative_sum(lengths.cast(pa.int64()))]
    )
    lists = pa.ListArray.from_arrays(offsets.cast(pa.int32()), values)
    text = _wrapped("[", pc.binary_join(lists, ","), "]")
    return pc.if_else(pc.is_valid(column), text, pa.scalar(None, pa.string()))


def _wrapped(before: str, texts: pa.Array, after: str) -> pa.Array:
    return pc.binary_join_element_wise(before, texts, after, "")


def _filled(texts: pa.Array, instead: str) -> pa.Array:
    return pc.fill_null(texts, instead)


def _escaped(texts: pa.Array) -> pa.Array:
    """Backslashes doubled, unseen characters as `\\uXXXX` (two of them beyond U+FFFF)."""
    texts = pc.replace_substring(texts, "\\", "\\\\")

    def rewritten(found: pa.Array) -> pa.Array:
        present = set(str(text_bytes(found), "utf-8"))
        for character in sorted(present & _unseen()):
            found = pc.replace_substring(found, character, _code(character))
        return found

    return _where(texts, _UNSEEN_CLASS, rewritten)


def _where(texts: pa.Array, pattern: str, rewritten: Any) -> pa.Array:
    """Rewrite the texts that the pattern is found in; they are few."""
    found = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
    if not pc.any(found).as_py():
        return texts
    return pc.replace_with_mask(texts, found, rewritten(texts.filter(found)))


def _code(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


@cache
def _unseen() -> frozenset[str]:
    every = map(chr, range(sys.maxunicode + 1))
    return frozenset(c for c in every if unicodedata.category(c) in UNSEEN)


# CSV


def csv_lines(batch: pa.RecordBatch) -> pa.Array:
    """Records of RFC 4180, each ended by CR LF. Null is an empty cell, an empty text `""`."""
    parts: list[pa.Array | str] = []
    for at, column in enumerate(batch.columns):
        parts += ([","] if at else []) + [_filled(_cells(column), "")]
    return joined([*parts, "\r\n"])


def csv_head(names: Sequence[str]) -> bytes:
    return (",".join(names) + "\r\n").encode()


def _cells(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_list(kind):
        text = _separated(json_texts(column)) if pa.types.is_string(kind.value_type) else (
            json_texts(column))  # fmt: skip
        text = pc.if_else(pc.is_valid(column), text, pa.scalar(None, pa.string()))
    elif pa.types.is_string(kind):
        text = _separated(_escaped(column))
        begins = f"^{_SKIPPED}[{re.escape(FORMULA)}']"
        text = _where(text, begins, lambda found: _wrapped("'", found, ""))
    else:
        numeric = pa.types.is_floating(kind) or pa.types.is_integer(kind)
        text = column.cast(pa.string())
        return text if numeric else _wrapped('"', text, '"')
    return _wrapped('"', pc.replace_substring(text, '"', '""'), '"')


def _separated(texts: pa.Array) -> pa.Array:
    """Formula characters after a comma or semicolon as `\\uXXXX`: a spreadsheet that takes the
    other separator sees a cell begin there."""

    def rewritten(found: pa.Array) -> pa.Array:
        for character in FORMULA:
            found = pc.replace_substring_regex(
                found, f"({_CELLS_AFTER}){re.escape(character)}", f"\\1\\{_code(character)}"
            )
        return found

    return _where(texts, _CELLS_AFTER + _FORMULA_CLASS, rewritten)


def csv_value(cell: str) -> str:
    """The text behind a cell of a text column: the rule of docs/enforcement.md, backwards."""
    bare = cell.removeprefix("'")
    units = re.sub(r"\\(\\|u[0-9a-f]{4})", _unit, bare)
    return units.encode("utf-16", "surrogatepass").decode("utf-16")


def _unit(found: re.Match[str]) -> str:
    said = found.group(1)
    return "\\" if said == "\\" else chr(int(said[1:], 16))


# Batches


def batches(
    table: pa.Table, rows: int = 20_000, most_bytes: int = 32 << 20
) -> Iterator[pa.RecordBatch]:
    """The table a piece at a time: some rows, fewer where they are large."""
    at = 0
    while at < table.num_rows:
        taken = min(rows, table.num_rows - at)
        while taken > 1 and table.slice(at, taken).nbytes > most_bytes:
            taken //= 2
        yield from table.slice(at, taken).combine_chunks().to_batches()
        at += taken
