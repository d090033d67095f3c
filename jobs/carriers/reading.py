"""Rows of `account_tokens` of a window, some kinds or one part of a kind's tokens at a time.

Each night's rows lie in order of kind and token (`jobs.rollup`), so that what is wanted is a few
row groups of each file, told by their statistics. It is read right where it is wanted, in a task
of the engine or in this process: what the engine would carry there costs more than reading it.
Rows that lie in another order are found all the same, only more slowly.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.catalog.measures import FEATURE_WINDOWS, INDICATORS_BY_KIND, TEMPLATE
from jobs.platform.sizing import COUNTED_ROWS, fitting
from jobs.platform.storage import Place

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

_NUMBERS = ("token", "account", "requests", "prompts")
#: Footers that are read at a time, and those that are remembered: files never change.
_FOOTERS_AT_ONCE, _FOOTERS = 16, 4_096


class Rows(NamedTuple):
    """Rows of one kind, as arrays of one length."""

    token: NDArray[np.int64]
    account: NDArray[np.int64]
    requests: NDArray[np.int64]
    prompts: NDArray[np.int64]
    #: Whether the row is of the shorter of FEATURE_WINDOWS.
    recent: NDArray[np.bool_]


_NO_NUMBERS = np.empty(0, np.int64)
_NOTHING = Rows(_NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS, np.empty(0, np.bool_))


class Part(NamedTuple):
    """What is read at a time: all tokens of some kinds (`bits` is 0), or of one kind those whose
    highest `bits` bits, the sign turned, are `number`."""

    kinds: tuple[str, ...]
    bits: int
    number: int

    @property
    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest token of the part."""
        width = 1 << (64 - self.bits)
        lowest = self.number * width - (1 << 63)
        return lowest, lowest + width - 1


@dataclass(frozen=True)
class _RowGroup:
    """Rows that lie together; bounds are None where the file does not tell them."""

    address: str
    place: int
    #: Days from the night to the window's last.
    age: int
    rows: int
    kinds: tuple[str, str] | None
    tokens: tuple[int, int] | None


@dataclass(frozen=True)
class Window:
    """Where the rows of some nights lie. Small, so that it can be sent to an engine's tasks."""

    row_groups: tuple[_RowGroup, ...]

    def together(self, kinds: Iterable[str]) -> list[tuple[str, ...]]:
        """The kinds in groups, each of which is read at once or is one kind alone.

        Small kinds lie in the same row groups: these are read once for all of them.
        """
        groups: list[tuple[str, ...]] = []
        for kind in sorted(kinds):
            if groups and self._rows((*groups[-1], kind)) <= fitting(COUNTED_ROWS):
                groups[-1] = (*groups[-1], kind)
            else:
                groups.append((kind,))
        return groups

    def parts(self, kinds: tuple[str, ...]) -> list[Part]:
        """One group of `together` in parts of some COUNTED_ROWS, tokens ascending."""
        bits = max(0, (self._rows(kinds) - 1) // fitting(COUNTED_ROWS)).bit_length()
        return [Part(kinds, bits, number) for number in range(1 << bits)]

    def read(self, part: Part) -> dict[str, Rows]:
        """The rows of one part, of each of its kinds, in the order of files."""
        found: dict[str, list[Rows]] = {kind: [] for kind in part.kinds}
        for group in self._of(part.kinds):
            if _overlap(group.tokens, part.bounds):
                for kind, rows in _rows_of(group, part):
                    found[kind].append(rows)
        return {
            kind: Rows(*map(np.concatenate, zip(*some, strict=True))) if some else _NOTHING
            for kind, some in found.items()
        }

    def _rows(self, kinds: tuple[str, ...]) -> int:
        return sum(group.rows for group in self._of(kinds))

    def _of(self, kinds: tuple[str, ...]) -> Iterator[_RowGroup]:
        for group in self.row_groups:
            if any(_may_hold(group, kind) for kind in kinds):
                yield group


def _may_hold(group: _RowGroup, kind: str) -> bool:
    return group.age < memory_days(kind) and _overlap(group.kinds, (kind, kind))


def memory_days(kind: str) -> int:
    """Nights that a kind is read back."""
    return max(FEATURE_WINDOWS) if kind == TEMPLATE else INDICATORS_BY_KIND[kind].memory_days


def window_of(lake: Lake, date: dt.date, days: int) -> Window:
    """The nights that end on `date`, as they are now."""
    name = "account_tokens"
    lake.create(name)
    lake.tables_read.add(name)
    files = lake.files(name, date - dt.timedelta(days=days - 1), date).to_pylist()
    places = [f"{lake.path(name)}/{unquote(file['path'])}" for file in files]
    ages = [(date - file["partition.date"]).days for file in files]
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        found = list(pool.map(_row_groups, places, ages))
    return Window(tuple(group for groups in found for group in groups))


@lru_cache(_FOOTERS)
def _footer(address: str) -> pq.FileMetaData:
    return pq.read_metadata(Place(address).open_anywhere())


def _row_groups(address: str, age: int) -> list[_RowGroup]:
    footer = _footer(address)
    places = {footer.schema.column(at).name: at for at in range(footer.num_columns)}

    def bounds(group: pq.RowGroupMetaData, name: str) -> tuple[Any, Any] | None:
        statistics = group.column(places[name]).statistics
        return (statistics.min, statistics.max) if statistics and statistics.has_min_max else None

    groups = (footer.row_group(at) for at in range(footer.num_row_groups))
    return [
        _RowGroup(address, at, age, g.num_rows, bounds(g, "kind"), bounds(g, "token"))
        for at, g in enumerate(groups)
    ]


def _overlap(one: tuple[Any, Any] | None, other: tuple[Any, Any]) -> bool:
    return one is None or (one[0] <= other[1] and other[0] <= one[1])


def _rows_of(group: _RowGroup, part: Part) -> Iterator[tuple[str, Rows]]:
    """The part's rows in a row group, kind by kind."""
    kinds = [kind for kind in part.kinds if _may_hold(group, kind)]
    # One kind alone need not be looked for row by row.
    pure = group.kinds is not None and group.kinds == (kinds[0], kinds[0])
    place = Place(group.address)
    with pq.ParquetFile(
        place.open_anywhere(), metadata=_footer(group.address), read_dictionary=["kind"],
        pre_buffer=place.in_store,
    ) as file:  # fmt: skip
        table: pa.Table = file.read_row_group(
            group.place, [*_NUMBERS, *(() if pure else ("kind",))], use_threads=False
        )
    token, account, requests, prompts = (table[name].to_numpy() for name in _NUMBERS)
    lowest, highest = part.bounds
    within = (token >= lowest) & (token <= highest)
    for kind in kinds:
        kept = within if pure else within & _is(table["kind"], kind)
        recent = np.full(np.count_nonzero(kept), group.age < min(FEATURE_WINDOWS))
        yield kind, Rows(token[kept], account[kept], requests[kept], prompts[kept], recent)


def _is(column: pa.ChunkedArray, kind: str) -> NDArray[np.bool_]:
    """Which values of a dictionary's column are the kind."""
    codes = column.unify_dictionaries().combine_chunks()
    is_kind = pc.equal(codes.dictionary, kind).to_numpy(zero_copy_only=False)
    found: NDArray[np.bool_] = is_kind[codes.indices.to_numpy()]
    return found
