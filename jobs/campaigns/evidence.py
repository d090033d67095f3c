"""What the accounts of a window share and did, as arrays: the engine queries of the step, but for
one of keys (`jobs.campaigns.corpora`).

The engine reduces the window to rows that are linear in accounts: a row for each token that an
account shares with another, a row of sums for each account. Tokens and accounts travel as 64-bit
hashes (equal on both engines), which keeps 100,000 accounts within a few hundred megabytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from jobs.catalog.measures import INDICATORS, INDICATORS_BY_KIND, WORDS, still_remembered
from jobs.catalog.policy import CampaignPolicy
from jobs.catalog.sketch import MARKERS
from jobs.platform.parts import Parts
from jobs.platform.sizing import GROUPED_ROWS, parts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.platform.lake import Lake

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Measures whose sums say how much of a spread lies between accounts; not whole numbers.
LOGARITHMS: tuple[str, ...] = ("output_log", "output_log_squared")
#: Prompt templates have a rollup of their own.
TEMPLATE = "template"
KINDS: tuple[str, ...] = (
    *(i.kind for i in INDICATORS if i.kind not in ("model", "organization")),
    TEMPLATE,
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
    hourly = _hourly(lake, first, date)
    sums = _sums(lake, first, date)

    order = pc.sort_indices(sums["account_id"])
    sums = sums.take(order)
    accounts = sums["account_id"].to_pylist()
    keys = sums["key"].to_numpy().astype(np.int64)
    hours, first_active, last_active = _hour_matrix(hourly, keys, first, policy.window_days)
    rows = sum(
        lake.count(name, date, first) for name in ("account_indicators", "account_templates")
    )
    number = parts(rows, GROUPED_ROWS, lake.settings.engine)
    with Parts(lake, "campaigns") as staged:
        carried = staged.split("carried", _carried(lake, first, date), "token", number)
        matrices = _matrices(((_shared(part), _alone(part)) for part in carried), keys)
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


def _hourly(lake: Lake, first: dt.date, date: dt.date) -> pa.Table:
    from pyspark.sql import functions as F

    return (
        lake.read("account_daily", first, date)
        .select(
            F.xxhash64("account_id").alias("key"),
            F.datediff("date", F.lit(first)).alias("day"),
            *(F.col(hour).cast("int").alias(hour) for hour in HOURS),
        )
        .toArrow()
    )


def _carried(lake: Lake, first: dt.date, date: dt.date) -> DataFrame:
    """Rows of (kind, token, account, requests, prompts) from all three places tokens stand in."""
    from pyspark.sql import functions as F

    def code(kind: str) -> int:
        return KINDS.index(kind)

    requested = [k for k in KINDS if k != TEMPLATE and INDICATORS_BY_KIND[k].origin == "requests"]
    kind_code = F.lit(None).cast("int")
    for kind in requested:
        kind_code = F.when(F.col("kind") == kind, F.lit(code(kind))).otherwise(kind_code)
    indicators = (
        lake.read("account_indicators", first, date)
        .where(F.col("kind").isin(requested))
        .where(still_remembered(date))
        .select(
            kind_code.alias("kind"),
            F.xxhash64("token").alias("token"),
            F.xxhash64("account_id").alias("key"),
            "requests",
            F.lit(0).cast("long").alias("prompts"),
        )
    )
    templates = lake.read("account_templates", first, date).select(
        F.lit(code(TEMPLATE)).alias("kind"),
        F.xxhash64("template_key").alias("token"),
        F.xxhash64("account_id").alias("key"),
        "requests",
        "prompts",
    )
    declared = [i for i in INDICATORS if i.origin == "accounts" and i.kind in KINDS]
    snapshot = lake.night("accounts", date)
    tokens = [
        F.struct(F.lit(code(i.kind)).alias("kind"), F.expr(i.sql).cast("string").alias("token"))
        for i in declared
    ]
    key = F.xxhash64("account_id").alias("key")
    signed_up = (
        snapshot.select(key, F.explode(F.array(*tokens)).alias("t"))
        .where(F.col("t.token").isNotNull())
        .select(
            F.col("t.kind").alias("kind"),
            F.xxhash64(F.col("t.token")).alias("token"),
            "key",
            F.lit(1).cast("long").alias("requests"),
            F.lit(0).cast("long").alias("prompts"),
        )
    )
    return indicators.unionByName(templates).unionByName(signed_up)


def _shared(carried: DataFrame) -> pa.Table:
    """Rows of the tokens that two accounts or more carry."""
    from pyspark.sql import functions as F

    shared = (
        carried.groupBy("kind", "token")
        .agg(F.min("key").alias("lowest"), F.max("key").alias("highest"))
        .where(F.col("lowest") != F.col("highest"))
        .select("kind", "token")
    )
    # A semi join first: most tokens are one account's own, and need no counting.
    return (
        carried.join(shared, ["kind", "token"], "left_semi")
        .groupBy("kind", "token", "key")
        .agg(F.sum("requests").alias("requests"), F.sum("prompts").alias("prompts"))
        .toArrow()
    )


def _alone(carried: DataFrame) -> pa.Table:
    """How many tokens of each kind an account has to itself: without them, sharing one of very
    many would look rarer than it is."""
    from pyspark.sql import functions as F

    return (
        carried.groupBy("kind", "token")
        .agg(F.min("key").alias("key"), F.max("key").alias("highest"))
        .where(F.col("key") == F.col("highest"))
        .groupBy("kind", "key")
        .agg(F.count(F.lit(1)).alias("tokens"))
        .toArrow()
    )


def _records(lake: Lake, date: dt.date, accounts: pa.ChunkedArray) -> pa.Table:
    """The night's records of these accounts, in their order."""
    records = lake.rows("accounts", date, date, ["account_id", *_ACCOUNT_COLUMNS])
    known = records["account_id"].combine_chunks()
    place = pc.index_in(accounts.cast(pa.string()), value_set=known)
    return records.select(_ACCOUNT_COLUMNS).take(place)


def _position(keys: Ints, wanted: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Index of each wanted hash in `keys`, and whether it is there."""
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys[order], wanted), max(len(keys) - 1, 0))
    if not len(keys):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    index = order[at]
    return index, keys[index] == wanted


def _hour_matrix(
    hourly: pa.Table, keys: Ints, first: dt.date, days: int
) -> tuple[sparse.csr_matrix, Ints, Ints]:
    account, known = _position(keys, hourly["key"].to_numpy().astype(np.int64))
    assert known.all(), "an account of account_daily is missing from its own sums"
    day = hourly["day"].to_numpy().astype(np.int64)
    parts = []
    for hour, name in enumerate(HOURS):
        requests = hourly[name].to_numpy()
        busy = np.flatnonzero(requests)
        parts.append((account[busy], day[busy] * 24 + hour, requests[busy].astype(np.float64)))
    row, column, value = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    matrix = sparse.csr_matrix((value, (row, column)), shape=(len(keys), days * 24))
    matrix.sort_indices()
    first_active = np.full(len(keys), days, np.int64)
    last_active = np.full(len(keys), -1, np.int64)
    np.minimum.at(first_active, account, day)
    np.maximum.at(last_active, account, day)
    return matrix, first_active, last_active


@dataclass(frozen=True)
class _Carried:
    """Tokens that several accounts carry, and who carries them: four bytes a number, as there may
    be a hundred million entries."""

    kind: Ints
    hash: Ints
    accounts: Ints
    #: Of each entry: its token (a place in the three above), account, requests and prompts.
    token: NDArray[np.int32]
    account: NDArray[np.int32]
    requests: NDArray[np.int32]
    prompts: NDArray[np.int32]


def _matrices(tables: Iterable[tuple[pa.Table, pa.Table]], keys: Ints) -> dict[str, Any]:
    """Incidence matrices in an order that does not depend on the engine's, from tables of shared
    tokens and of how many an account has to itself; a token is in one pair of tables only."""
    variety = np.zeros((len(keys), len(KINDS)), np.int64)
    found = []
    for shared, alone in tables:
        owner, there = _position(keys, alone["key"].to_numpy().astype(np.int64))
        kind = alone["kind"].to_numpy().astype(np.int64)
        np.add.at(variety, (owner[there], kind[there]), alone["tokens"].to_numpy()[there])
        found.append(_carried_by(shared, keys, variety))
    kind, token, carriers = (
        np.concatenate([getattr(part, name) for part in found])
        for name in ("kind", "hash", "accounts")
    )
    order = np.lexsort((token, kind))
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    before = np.cumsum([0, *(len(part.kind) for part in found)])
    column = np.concatenate(
        [place[start + part.token] for start, part in zip(before, found, strict=False)]
    )
    account, requests, prompts = (
        np.concatenate([getattr(part, name) for part in found])
        for name in ("account", "requests", "prompts")
    )
    del found
    written = prompts > 0
    carried, asked = (
        sparse.csr_matrix((values, (rows, columns)), shape=(len(keys), len(order)))
        for values, rows, columns in (
            (np.maximum(requests, 1), account, column),
            (prompts[written], account[written], column[written]),
        )
    )
    carried.sort_indices()
    asked.sort_indices()
    return {
        "token_kind": kind[order].astype(np.int8),
        "token_hash": token[order],
        "token_accounts": carriers[order],
        "carried": carried,
        "prompts": asked,
        "variety": variety,
    }


def _carried_by(shared: pa.Table, keys: Ints, variety: Ints) -> _Carried:
    """What accounts of the window carry of these tokens; adds to their variety."""
    account, known = _position(keys, shared["key"].to_numpy().astype(np.int64))
    account = account[known]
    kind = shared["kind"].to_numpy().astype(np.int64)[known]
    token = shared["token"].to_numpy().astype(np.int64)[known]
    np.add.at(variety, (account, kind), 1)
    order = np.lexsort((token, kind))
    kind, token = kind[order], token[order]
    starts = np.flatnonzero(
        np.r_[True, (kind[1:] != kind[:-1]) | (token[1:] != token[:-1])][: len(kind)]
    )
    carriers = np.diff(np.r_[starts, len(kind)])
    # Accounts that are not of the window (no traffic) no longer count as carriers.
    several = carriers > 1
    keep = np.repeat(several, carriers)
    return _Carried(
        kind[starts][several],
        token[starts][several],
        carriers[several],
        np.repeat(np.cumsum(several) - 1, carriers)[keep].astype(np.int32),
        account[order][keep].astype(np.int32),
        *(
            shared[name].to_numpy()[known][order][keep].astype(np.int32)
            for name in ("requests", "prompts")
        ),
    )
