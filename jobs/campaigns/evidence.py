"""What the accounts of a window share and did, as arrays: the engine queries of the step, but for
one of keys (`jobs.campaigns.corpora`).

The engine reduces the window's days to a row of sums for each account. Who carries which token is
counted here, from rows of numbers (`jobs.carriers`): tokens and accounts are 64-bit hashes (equal
on both engines), which keeps 100,000 accounts within a few hundred megabytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from jobs.carriers.counting import Numbering, entries_of, rows_of_accounts
from jobs.carriers.reading import Part, Rows, Window, window_of
from jobs.catalog.measures import INDICATORS, INDICATORS_BY_KIND, TEMPLATE, WORDS
from jobs.catalog.policy import CampaignPolicy
from jobs.catalog.sketch import MARKERS

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Measures whose sums say how much of a spread lies between accounts; not whole numbers.
LOGARITHMS: tuple[str, ...] = ("output_log", "output_log_squared")
KINDS: tuple[str, ...] = (
    *(i.kind for i in INDICATORS if i.kind not in ("model", "organization")),
    TEMPLATE,
)
#: Parts of the window that are counted at a time: memory is theirs.
_AT_ONCE = 2
#: Those that `account_tokens` has rows of.
_REQUESTED = tuple(
    kind for kind in KINDS if kind == TEMPLATE or INDICATORS_BY_KIND[kind].origin == "requests"
)
HOURS = tuple(f"hour_{hour:02d}" for hour in range(24))
#: Measures of `account_daily` whose sums describe a group.
SUMS: tuple[str, ...] = (
    "requests", "output_tokens", "errors", "with_tools", "tool_results", "turns_known",
    "later_turns", "in_conversation", "on_web", "batched", "prompts_known", "words_known",
    "streamed", "stream_known",
    *(f"asks_{marker.name}" for marker in MARKERS),
)  # fmt: skip
_ACCOUNT_COLUMNS = (
    "organization_id", "plan", "status", "verified_organization", "payment_type", "kyc_level",
    "created_at",
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """One window of one night. Accounts are indices into `accounts`, sorted by id."""

    date: dt.date
    accounts: list[str]
    #: The engine's hash of each account id: an order that no one can choose a place in.
    account_keys: Ints
    #: Sums over the window and, as `night_…`, of the night alone.
    sums: dict[str, Ints]
    #: Sums over the window of LOGARITHMS.
    logarithms: dict[str, Floats]
    #: Prompts of the window with a word of each bucket: accounts x WORDS.
    words: NDArray[np.int32]
    #: Columns of the night's snapshot, null where an account has no record.
    records: pa.Table
    #: Tokens that at least two accounts of the window carry; kind, hash, and accounts that do.
    token_kind: NDArray[np.int8]
    token_hash: Ints
    token_accounts: Ints
    #: Requests with the token: accounts x tokens (at least 1 where it is carried at all).
    carried: sparse.csr_matrix
    #: Different prompts of a template: the same shape, nothing for other kinds.
    prompts: sparse.csr_matrix
    #: Different tokens of each kind that an account carries, shared or not: accounts x kinds.
    variety: Ints
    #: Requests by hour of the window: accounts x (24 x days).
    hours: sparse.csr_matrix
    first_active: Ints = field(repr=False)
    last_active: Ints = field(repr=False)

    @property
    def days(self) -> int:
        return self.hours.shape[1] // 24

    @property
    def stopped(self) -> NDArray[np.bool_]:
        """Which accounts are suspended or closed by the night's snapshot."""
        status = pc.is_in(self.records["status"], pa.array(["suspended", "closed"]))
        stopped: NDArray[np.bool_] = status.to_numpy().astype(bool)
        return stopped


def gather(lake: Lake, date: dt.date, policy: CampaignPolicy) -> Evidence:
    """Read the window that ends on `date`."""
    first = date - dt.timedelta(days=policy.window_days - 1)
    sums = _sums(lake, first, date)

    order = pc.sort_indices(sums["account_id"])
    sums = sums.take(order)
    accounts = sums["account_id"].to_pylist()
    keys = sums["key"].to_numpy().astype(np.int64)
    hours, first_active, last_active = _hour_matrix(
        _hourly(lake, date, policy.window_days), sums["account_id"]
    )
    window = window_of(lake, date, policy.window_days)
    matrices = _matrices(_counted(window, _signed_up(lake, date), Numbering(keys)), len(keys))
    return Evidence(
        date=date,
        accounts=accounts,
        account_keys=keys,
        sums={
            name: sums[name].to_numpy().astype(np.int64)
            for name in sums.column_names
            if name not in ("account_id", "key", *LOGARITHMS, *WORDS)
        },
        # Engines add in different orders: the last digits are not the same.
        logarithms={name: np.round(sums[name].to_numpy(), 6) for name in LOGARITHMS},
        words=np.column_stack([sums[name].to_numpy().astype(np.int32) for name in WORDS]),
        records=_records(lake, date, sums["account_id"]),
        hours=hours,
        first_active=first_active,
        last_active=last_active,
        **matrices,
    )


def _sums(lake: Lake, first: dt.date, date: dt.date) -> pa.Table:
    """One row of sums for each account with traffic in the window."""
    from pyspark.sql import functions as F

    night = F.col("date") == F.lit(date)
    return (
        lake.read("account_daily", first, date)
        .groupBy("account_id")
        .agg(
            # Nights of before a measure was counted have none.
            *(
                F.coalesce(F.sum(name), F.lit(0)).alias(name)
                for name in (*SUMS, *LOGARITHMS, *WORDS)
            ),
            *(
                F.sum(F.when(night, F.col(name)).otherwise(F.lit(0))).alias(f"night_{name}")
                for name in ("requests", "output_tokens")
            ),
        )
        .select("*", F.xxhash64("account_id").alias("key"))
        .toArrow()
    )


def _hourly(lake: Lake, date: dt.date, days: int) -> Iterator[pa.Table]:
    """Accounts and HOURS of each night, oldest first: read here, as the engine would carry each
    row over for more than reading it costs."""
    for age in reversed(range(days)):
        night = date - dt.timedelta(days=age)
        yield lake.rows("account_daily", night, night, ["account_id", *HOURS])


def _signed_up(lake: Lake, date: dt.date) -> dict[str, Rows]:
    """What accounts' own records say that they may share, one row of each kind an account."""
    from pyspark.sql import functions as F

    kinds = {i.kind: F.expr(i.sql).cast("string") for i in INDICATORS
             if i.origin == "accounts" and i.kind in KINDS}  # fmt: skip
    held = (
        lake.night("accounts", date)
        .select(
            F.xxhash64("account_id").alias("account"),
            # The hash of nothing would be a token, too.
            *(F.when(token.isNotNull(), F.xxhash64(token)).alias(kind)
              for kind, token in kinds.items()),
        )
        .toArrow()
    )  # fmt: skip
    found = {}
    for kind in kinds:
        there = held.select(["account", kind]).drop_null()
        ones = np.ones(there.num_rows, np.int64)
        # Copies: of Arrow's own memory, which is read-only, loops would be compiled once more.
        token, account = (np.array(there[name]) for name in (kind, "account"))
        found[kind] = Rows(token, account, ones, np.zeros_like(ones), ones.astype(np.bool_))
    return found


def _records(lake: Lake, date: dt.date, accounts: pa.ChunkedArray) -> pa.Table:
    """The night's records of these accounts, in their order."""
    records = lake.rows("accounts", date, date, ["account_id", *_ACCOUNT_COLUMNS])
    known = records["account_id"].combine_chunks()
    place = pc.index_in(accounts.cast(pa.string()), value_set=known)
    return records.select(_ACCOUNT_COLUMNS).take(place)


def _hour_matrix(
    nights: Iterable[pa.Table], accounts: pa.ChunkedArray
) -> tuple[sparse.csr_matrix, Ints, Ints]:
    """Requests by hour of the window, accounts x (24 x nights), and each account's first and last
    active night, from the `account_id` and HOURS of each night, oldest first."""
    order = accounts.combine_chunks()
    active, parts = [], []
    for day, hourly in enumerate(nights):
        place = pc.index_in(hourly["account_id"].combine_chunks(), value_set=order)
        assert not place.null_count, "an account of account_daily is missing from its own sums"
        account = place.to_numpy()
        active.append(account)
        for hour, name in enumerate(HOURS):
            requests = hourly[name].to_numpy()
            busy = np.flatnonzero(requests)
            at = np.full(len(busy), day * 24 + hour, np.int32)
            parts.append((account[busy], at, requests[busy].astype(np.float64)))
    row, column, value = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    matrix = sparse.csr_matrix((value, (row, column)), shape=(len(order), len(active) * 24))
    matrix.sort_indices()
    first_active = np.full(len(order), len(active), np.int64)
    last_active = np.full(len(order), -1, np.int64)
    for day, account in enumerate(active):
        last_active[account] = day
        first_active[account] = np.minimum(first_active[account], day)
    return matrix, first_active, last_active


class _Carried(NamedTuple):
    """Tokens of one kind that several accounts carry, ascending, and who carries them: four bytes
    a number, as there may be a hundred million entries."""

    kind: int
    hash: Ints
    accounts: Ints
    #: Of each entry: its token (a place in the two above), account, requests and prompts.
    token: NDArray[np.int32]
    account: NDArray[np.int32]
    requests: NDArray[np.int32]
    prompts: NDArray[np.int32]


def _counted(
    window: Window, signed_up: dict[str, Rows], numbering: Numbering
) -> Iterator[tuple[_Carried, Ints]]:
    """What `_carried_by` finds of each kind, parts of a kind in the order of their tokens."""

    def count(part: Part) -> list[tuple[_Carried, Ints]]:
        return [
            _carried_by(kind, rows, part.bits, numbering)
            for kind, rows in window.read(part).items()
        ]

    parts = [part for kinds in window.together(_REQUESTED) for part in window.parts(kinds)]
    # What is compiled, and what reads, let go of the interpreter.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for counted in pool.map(count, parts):
            yield from counted
    for kind, rows in signed_up.items():
        yield _carried_by(kind, rows, 0, numbering)


def _matrices(counted: Iterable[tuple[_Carried, Ints]], accounts: int) -> dict[str, Any]:
    """Incidence matrices in an order that does not depend on that of rows: tokens by kind and
    hash."""
    variety = np.zeros((accounts, len(KINDS)), np.int64)
    found = []
    for carried, own in counted:
        variety[:, carried.kind] += own
        found.append(carried)
    # Stable: parts of a kind come in the order of their tokens.
    found.sort(key=lambda carried: carried.kind)
    before = np.cumsum([0, *(len(carried.hash) for carried in found)])
    column = np.concatenate(
        [carried.token + np.int32(start) for carried, start in zip(found, before, strict=False)]
    )
    account, requests, prompts = (
        np.concatenate([getattr(carried, name) for carried in found])
        for name in ("account", "requests", "prompts")
    )
    token_kind = np.repeat([c.kind for c in found], np.diff(before)).astype(np.int8)
    token_hash = np.concatenate([carried.hash for carried in found])
    token_accounts = np.concatenate([carried.accounts for carried in found])
    del found
    shape = (accounts, len(token_kind))
    start, column, requests, prompts = rows_of_accounts(account, column, requests, prompts, *shape)
    del account
    written = prompts > 0
    start_of_written = np.concatenate([[0], np.cumsum(written)])[start].astype(np.int32)
    return {
        "token_kind": token_kind,
        "token_hash": token_hash,
        "token_accounts": token_accounts,
        "carried": sparse.csr_matrix((requests, column, start), shape),
        "prompts": sparse.csr_matrix((prompts[written], column[written], start_of_written), shape),
        "variety": variety,
    }


def _carried_by(
    kind: str, rows: Rows, part_bits: int, numbering: Numbering
) -> tuple[_Carried, Ints]:
    """Who of the window's accounts carries these tokens, and how many tokens each does."""
    entries = entries_of(*rows, part_bits)
    account = numbering.find(entries.account)
    # Accounts that are not of the window (no traffic) do not count as carriers.
    known = np.flatnonzero(account >= 0)
    account, token = account[known], entries.token[known]
    accounts = np.bincount(token, minlength=len(entries.tokens))
    several = np.flatnonzero(accounts > 1)
    several = several[np.argsort(entries.tokens[several])]
    place = np.zeros(len(accounts), np.int32)
    place[several] = np.arange(len(several))
    kept = accounts[token] > 1
    requests, prompts = (entries.sums[known, column][kept].astype(np.int32) for column in (1, 3))
    carried = _Carried(
        KINDS.index(kind), entries.tokens[several], accounts[several], place[token[kept]],
        account[kept], requests, prompts,
    )  # fmt: skip
    return carried, np.bincount(account, minlength=len(numbering.accounts))
