"""What the accounts of a window did, night by night: sums over its nights, and the hours of each.

Read here, where the rows of `account_daily` lie: the engine adds them up in no time, and carries
the sums over for ten times as long.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from jobs.catalog.measures import WORDS
from jobs.catalog.sketch import MARKERS

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

HOURS = tuple(f"hour_{hour:02d}" for hour in range(24))
#: Measures of `account_daily` whose sums describe a group.
SUMS: tuple[str, ...] = (
    "requests", "output_tokens", "errors", "with_tools", "tool_results", "turns_known",
    "later_turns", "in_conversation", "on_web", "batched", "prompts_known", "words_known",
    "streamed", "stream_known",
    *(f"asks_{marker.name}" for marker in MARKERS),
)  # fmt: skip
#: Measures whose sums say how much of a spread lies between accounts; not whole numbers.
LOGARITHMS: tuple[str, ...] = ("output_log", "output_log_squared")
#: Measures that are kept of the last night alone, too.
_NIGHTLY = ("requests", "output_tokens")
_MEASURES = (*SUMS, *LOGARITHMS, *WORDS)


class Daily(NamedTuple):
    """The accounts with a row in the window, in order of their ids, and what they did."""

    accounts: pa.Array
    #: Sums of SUMS over the window and, as `night_…`, what the last night had.
    sums: dict[str, Ints]
    #: Sums of LOGARITHMS over the window.
    logarithms: dict[str, Floats]
    #: Prompts of the window with a word of each bucket: accounts x WORDS.
    words: NDArray[np.int32]
    #: Requests by hour of the window: accounts x (24 x nights).
    hours: sparse.csr_matrix
    #: Each account's first and last active night, from 0.
    first_active: Ints
    last_active: Ints


def nights_of(lake: Lake, date: dt.date, days: int) -> Iterator[pa.Table]:
    """What `daily_of` needs of the nights that end on `date`, oldest first."""
    for age in reversed(range(days)):
        night = date - dt.timedelta(days=age)
        yield lake.rows("account_daily", night, night, ["account_id", *HOURS, *_MEASURES])


def daily_of(nights: Iterable[pa.Table]) -> Daily:
    """Add up nights, each with a row for every account that was active, oldest first."""
    known = pa.array([], pa.string())
    whole: dict[str, NDArray[np.generic]] = {
        name: np.zeros(0, np.float64 if name in LOGARITHMS else np.int64) for name in _MEASURES
    }
    lately = dict.fromkeys(_NIGHTLY, np.zeros(0, np.int64))
    active, parts = [], []
    for day, rows in enumerate(nights):
        ids = rows["account_id"].combine_chunks().cast(pa.string())
        fresh = ids.filter(pc.invert(pc.is_in(ids, value_set=known)))
        known = pa.concat_arrays([known, fresh])
        account = pc.index_in(ids, value_set=known).to_numpy()
        active.append(account)
        for name, sums in whole.items():
            whole[name] = np.concatenate([sums, np.zeros(len(fresh), sums.dtype)])
            # Nights of before a measure was counted have none.
            whole[name][account] += pc.fill_null(rows[name], 0).to_numpy()
        for name in _NIGHTLY:
            lately[name] = np.zeros(len(known), np.int64)
            lately[name][account] = rows[name].to_numpy()
        for hour, name in enumerate(HOURS):
            requests = rows[name].to_numpy()
            busy = np.flatnonzero(requests)
            at = np.full(len(busy), day * 24 + hour, np.int32)
            parts.append((account[busy], at, requests[busy].astype(np.float64)))
    order = pc.sort_indices(known).to_numpy()
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    row, column, value = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    hours = sparse.csr_matrix((value, (rank[row], column)), shape=(len(order), len(active) * 24))
    hours.sort_indices()
    first_active = np.full(len(order), len(active), np.int64)
    last_active = np.full(len(order), -1, np.int64)
    for day, account in enumerate(active):
        last_active[rank[account]] = day
        first_active[rank[account]] = np.minimum(first_active[rank[account]], day)
    return Daily(
        known.take(pa.array(order)),
        {name: whole[name][order] for name in SUMS}
        | {f"night_{name}": lately[name][order] for name in _NIGHTLY},
        {name: np.round(whole[name][order], 6) for name in LOGARITHMS},
        np.column_stack([whole[name][order].astype(np.int32) for name in WORDS]),
        hours,
        first_active,
        last_active,
    )
