"""What the accounts of a window share and did, as arrays.

Who carries which token is counted from rows of numbers (`jobs.carriers`): tokens and accounts are
64-bit hashes (equal on both engines), which keeps 100,000 accounts within a few hundred megabytes.
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

from jobs.campaigns.daily import daily_of, nights_of
from jobs.carriers.counting import Numbering, entries_of, rows_of_accounts
from jobs.carriers.reading import Part, Rows, Window, window_of
from jobs.catalog.measures import INDICATORS, INDICATORS_BY_KIND, TEMPLATE
from jobs.catalog.policy import CampaignPolicy
from jobs.platform.hashing import hashes_of

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

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
    #: What they did: as in `Daily`.
    sums: dict[str, Ints]
    logarithms: dict[str, Floats]
    words: NDArray[np.int32]
    hours: sparse.csr_matrix
    first_active: Ints = field(repr=False)
    last_active: Ints = field(repr=False)
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
    daily = daily_of(nights_of(lake, date, policy.window_days))
    keys = hashes_of(daily.accounts)
    window = window_of(lake, date, policy.window_days)
    matrices = _matrices(_counted(window, _signed_up(lake, date), Numbering(keys)), len(keys))
    return Evidence(
        date=date,
        accounts=daily.accounts.to_pylist(),
        account_keys=keys,
        sums=daily.sums,
        logarithms=daily.logarithms,
        words=daily.words,
        records=_records(lake, date, daily.accounts),
        hours=daily.hours,
        first_active=daily.first_active,
        last_active=daily.last_active,
        **matrices,
    )


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


def _records(lake: Lake, date: dt.date, accounts: pa.Array) -> pa.Table:
    """The night's records of these accounts, in their order."""
    records = lake.rows("accounts", date, date, ["account_id", *_ACCOUNT_COLUMNS])
    known = records["account_id"].combine_chunks()
    place = pc.index_in(accounts, value_set=known)
    return records.select(_ACCOUNT_COLUMNS).take(place)


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
