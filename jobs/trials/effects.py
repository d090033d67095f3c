"""Whom did a policy's actions touch, which requests did they meet, and which did people overturn?

Pure functions over rows of `enforcement_actions`, or of anything shaped like it: a trial's replay
(jobs.trials.replay), a shadow's nights (jobs.trials.shadowed).
`world_of` alone reads the lake.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.enforcement import LADDER, VERIFIED
from jobs.verdicts import CLEARING, decisions_by, labels_known, standing
from models.definitions import BENIGN
from models.labels import resolve_labels

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

#: Of an account whose plan or country nobody gave.
UNKNOWN = "unknown"
#: Columns of actions that an outcome is made from.
ACTION_COLUMNS = ("date", "account_id", "action", "proposed", "campaign_id", "expires",
                  "policy_version", "held_since", "held_until")  # fmt: skip
_CUSTOMERS = pa.schema([
    ("account_id", pa.string()), ("organization_id", pa.string()), ("kind", pa.string()),
    ("country", pa.string()),
])  # fmt: skip
_FINDINGS = pa.schema([
    ("account_id", pa.string()), ("known", pa.date32()), ("wrong", pa.bool_()),
])  # fmt: skip
_LIFTED = pa.schema([("date", pa.date32()), ("account_id", pa.string())])
_DAILY = pa.schema([
    ("date", pa.date32()), ("account_id", pa.string()), ("requests", pa.int64()),
])  # fmt: skip


@dataclass(frozen=True)
class World:
    """What actions of the nights from `first` to `last` are held against.

    daily: date, account_id, requests. customers: account_id, organization_id, kind (the plan, or
    `verified`), country; an account a row. findings: account_id, known (first night on which the
    last word of people counts), wrong (whether it is that the account is honest). lifted: date,
    account_id: from that day on a person's decision has taken the account's action away.
    """

    first: dt.date
    last: dt.date
    daily: pa.Table
    customers: pa.Table
    findings: pa.Table
    lifted: pa.Table


@dataclass(frozen=True)
class Reach:
    """Accounts, and the customers that they belong to: organizations, or accounts without one."""

    accounts: int = 0
    organizations: int = 0


@dataclass(frozen=True)
class Outcome:
    """What the actions of some nights came to. Touched is who had an action above `watch`.

    versions: policies that decided, in the order of their names. by_action: each account under
    its hardest action. proposed: each under the hardest rung that it was proposed for and did not
    get, for want of a person's decision, over a cap or held back. by_kind, by_country: of those
    touched. exchanges: rung above `watch` ->
    requests sent while it was in force. held: requests sent while an action was held back.
    judged: touched accounts of which people said something later; overturned: of these, that they
    are honest. touched: account_id, action (the hardest), campaign_id (the last), since (date of
    the first action above watch); sorted by account.
    """

    versions: tuple[str, ...]
    reach: Reach
    by_action: dict[str, Reach]
    proposed: dict[str, Reach]
    by_kind: dict[str, Reach]
    by_country: dict[str, Reach]
    exchanges: dict[str, int]
    held: int
    judged: int
    overturned: int
    touched: pa.Table

    @property
    def exchanges_met(self) -> int:
        return sum(self.exchanges.values())


def outcome(actions: pa.Table, world: World) -> Outcome:
    """What the actions of the world's nights came to.

    Args:
        actions: ACTION_COLUMNS; rows of nights before the first may be among them: they say what
            was in force when it began.
        world: what they are held against.
    """
    window = _between(actions, world.first, world.last)
    acted = _hardest(window, "action")
    customers = _with_customers(acted, world)
    touched = _touched(window, acted)
    above = customers.filter(pc.not_equal(customers["action"], LADDER[0]))
    later = touched.join(world.findings, "account_id", join_type="inner")
    later = later.filter(pc.greater(later["known"], later["since"]))
    met, held = requests_met(actions, world)
    by_action = _reach_by(customers, "action")
    proposed = _reach_by(_with_customers(_hardest(window, "proposed"), world), "action")
    return Outcome(
        versions=tuple(sorted(set(window["policy_version"].unique().to_pylist()))),
        reach=_reach(above),
        by_action={rung: by_action.get(rung, Reach()) for rung in LADDER},
        proposed={rung: proposed.get(rung, Reach()) for rung in LADDER[1:]},
        by_kind=_reach_by(above, "kind"),
        by_country=_reach_by(above, "country"),
        exchanges=met,
        held=held,
        judged=later.num_rows,
        overturned=pc.sum(later["wrong"]).as_py() or 0,
        touched=touched,
    )


def requests_met(actions: pa.Table, world: World) -> tuple[dict[str, int], int]:
    """Requests sent while each rung above `watch` was in force, and while one was held back.

    A night's action holds from the day after on: what it is decided from has been sent by then.
    It holds up to and on `expires`, or until the night gives the account another one, or until
    a person takes it away.

    Args:
        actions: as `outcome` takes them.
        world: its nights, their requests, and what was lifted.

    Returns:
        (rung -> requests, requests). What a hold costs is what was sent from the day after
        `held_since` up to and on `held_until`: without the hold, the rung would have met it. It
        does not say that all of it would have been refused.
    """
    ids = accounts_of(actions)
    rung = np.zeros(len(ids), np.int8)
    expires = np.full(len(ids), np.datetime64("1970-01-01", "D"))
    held_until = expires.copy()
    met = np.zeros(len(LADDER), np.int64)
    held = 0
    acted, sent, lifted = (_by_day(of) for of in (actions, world.daily, world.lifted))
    days = sorted(day for day in {*acted, *sent, *lifted} if day <= world.last)
    for day in days:
        now = np.datetime64(day, "D")
        if day in lifted:
            cleared = _places(lifted[day], ids)
            cleared = cleared[cleared >= 0]
            expires[cleared] = held_until[cleared] = np.datetime64("1970-01-01", "D")
        if day in sent and day >= world.first:
            places = _places(sent[day], ids)
            known = places >= 0
            requests = sent[day]["requests"].to_numpy()[known]
            places = places[known]
            holds = expires[places] >= now
            met += np.bincount(rung[places][holds], weights=requests[holds],
                               minlength=len(LADDER)).astype(np.int64)  # fmt: skip
            held += int(requests[held_until[places] >= now].sum())
        if day in acted:
            rows = acted[day]
            places = _places(rows, ids)
            rung[places] = pc.index_in(rows["action"], value_set=pa.array(LADDER)).to_numpy()
            expires[places] = rows["expires"].to_numpy()
            held_until[places] = pc.fill_null(
                rows["held_until"], pa.scalar(dt.date(1970, 1, 1))
            ).to_numpy()
    return {name: int(met[at]) for at, name in enumerate(LADDER) if at}, held


def held_exchanges(lake: Lake, first: dt.date, last: dt.date) -> int:
    """Requests that the policy's hold and spread cost on the nights from `first` to `last`: what
    accounts sent while their action was held back."""
    actions = stored_actions(lake, "enforcement_actions", first, last)
    held = accounts_of(actions.filter(pc.is_valid(actions["held_until"])))
    actions = actions.filter(pc.is_in(actions["account_id"], value_set=held))
    return requests_met(actions, world_of(lake, first, last, held))[1]


def stored_actions(
    lake: Lake, table: str, first: dt.date, last: dt.date, columns: tuple[str, ...] = ACTION_COLUMNS
) -> pa.Table:
    """Actions of the nights from `first` to `last`, and of those before that may still hold."""
    policy = lake.settings.enforcement_policy
    longest = max(rung.expires_days for rung in policy.rungs)
    return lake.rows(table, first - dt.timedelta(days=longest), last, list(columns))


def world_of(lake: Lake, first: dt.date, last: dt.date, ids: pa.Array) -> World:
    """What is known of these accounts from `first` to `last`; what people found, up to today."""
    return World(
        first=first,
        last=last,
        daily=_daily(lake, first, last, ids),
        customers=_customers(lake, first, last, ids),
        findings=_findings(lake, ids),
        lifted=_lifted(lake, last),
    )


def compared_with(one: Outcome, other: Outcome) -> tuple[pa.Table, pa.Table]:
    """Accounts that only `one` touched, and those that only `other` did; rows of `touched`."""
    return (
        _not_in(one.touched, other.touched["account_id"]),
        _not_in(other.touched, one.touched["account_id"]),
    )


def as_json(of: Outcome) -> dict[str, Any]:
    """An outcome in plain values, without the accounts."""

    def reaches(counts: dict[str, Reach]) -> dict[str, dict[str, int]]:
        return {name: vars(reach) for name, reach in counts.items()}

    return {
        "policy_versions": list(of.versions),
        "touched": vars(of.reach),
        "by_action": reaches(of.by_action),
        "proposed": reaches(of.proposed),
        "by_kind": reaches(of.by_kind),
        "by_country": reaches(of.by_country),
        "exchanges_met": of.exchanges | {"all": of.exchanges_met},
        "exchanges_held": of.held,
        "judged_later": of.judged,
        "overturned_later": of.overturned,
    }


def accounts_of(*tables: pa.Table) -> pa.Array:
    """Each account of the tables once."""
    chunks = [chunk for table in tables for chunk in table["account_id"].chunks]
    return pa.chunked_array(chunks, pa.string()).unique()


def accounts_as_json(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows of `Outcome.touched` in plain values."""
    return [row | {"since": row["since"].isoformat()} for row in rows.to_pylist()]


def _between(rows: pa.Table, first: dt.date, last: dt.date) -> pa.Table:
    return rows.filter(pc.and_(
        pc.greater_equal(rows["date"], pa.scalar(first)),
        pc.less_equal(rows["date"], pa.scalar(last)),
    ))  # fmt: skip


def _hardest(window: pa.Table, column: str) -> pa.Table:
    """account_id and the hardest rung that the column gave it, as `action`; none without one."""
    ranks = pc.index_in(window[column], value_set=pa.array(LADDER))
    rows = pa.table({"account_id": window["account_id"], "rank": ranks})
    of = rows.filter(pc.is_valid(rows["rank"])).group_by("account_id").aggregate([("rank", "max")])
    of = of.sort_by("account_id").combine_chunks()
    return pa.table({"account_id": of["account_id"],
                     "action": pa.array(LADDER).take(of["rank_max"])})  # fmt: skip


def _touched(window: pa.Table, acted: pa.Table) -> pa.Table:
    """account_id, action, campaign_id, since: who had an action above watch."""
    above = window.filter(pc.not_equal(window["action"], LADDER[0])).sort_by([
        ("account_id", "ascending"), ("date", "ascending"),
    ])  # fmt: skip
    # Ordered aggregates need one thread.
    found = above.group_by("account_id", use_threads=False).aggregate([
        ("campaign_id", "last"), ("date", "min"),
    ])  # fmt: skip
    found = found.rename_columns({"campaign_id_last": "campaign_id", "date_min": "since"})
    return found.join(acted, "account_id", join_type="inner").sort_by("account_id").select([
        "account_id", "action", "campaign_id", "since",
    ])  # fmt: skip


def _with_customers(acted: pa.Table, world: World) -> pa.Table:
    """Accounts with `customer`, kind and country."""
    rows = acted.join(world.customers, "account_id", join_type="left outer")
    return pa.table({
        "action": rows["action"],
        "account_id": rows["account_id"],
        "customer": pc.coalesce(rows["organization_id"], rows["account_id"]),
        "kind": pc.fill_null(rows["kind"], UNKNOWN),
        "country": pc.fill_null(rows["country"], UNKNOWN),
    })  # fmt: skip


def _reach(rows: pa.Table) -> Reach:
    return Reach(rows.num_rows, pc.count_distinct(rows["customer"]).as_py())


def _reach_by(rows: pa.Table, key: str) -> dict[str, Reach]:
    """Reach of each value, most accounts first."""
    counts = rows.group_by(key).aggregate([("account_id", "count"), ("customer", "count_distinct")])
    counts = counts.sort_by([("account_id_count", "descending"), (key, "ascending")])
    return {
        row[key]: Reach(row["account_id_count"], row["customer_count_distinct"])
        for row in counts.to_pylist()
    }


def _not_in(rows: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    return rows.filter(pc.invert(pc.is_in(rows["account_id"], value_set=ids.combine_chunks())))


def _places(rows: pa.Table, ids: pa.Array) -> np.ndarray:
    """(rows,) where each account stands among the ids, -1 for those that don't."""
    found = pc.index_in(rows["account_id"], value_set=ids)
    return pc.fill_null(found, -1).to_numpy()


def _by_day(rows: pa.Table) -> dict[dt.date, pa.Table]:
    return {
        day: rows.filter(pc.equal(rows["date"], pa.scalar(day)))
        for day in rows["date"].unique().to_pylist()
    }


def _daily(lake: Lake, first: dt.date, last: dt.date, ids: pa.Array) -> pa.Table:
    pieces = []
    for night in lake.nights("account_daily"):
        if first <= night <= last:
            rows = lake.rows("account_daily", night, night, ["date", "account_id", "requests"])
            pieces.append(rows.filter(pc.is_in(rows["account_id"], value_set=ids)).cast(_DAILY))
    return pa.concat_tables([_DAILY.empty_table(), *pieces])


def _customers(lake: Lake, first: dt.date, last: dt.date, ids: pa.Array) -> pa.Table:
    """Each account as the last of the nights knew it that knew it."""
    columns = ["account_id", "organization_id", "plan", "verified_organization", "signup_country"]
    missing, pieces = ids, []
    for night in reversed([n for n in lake.nights("accounts") if first <= n <= last]):
        if not len(missing):
            break
        rows = lake.rows("accounts", night, night, columns)
        rows = rows.filter(pc.is_in(rows["account_id"], value_set=missing))
        verified = pc.fill_null(rows["verified_organization"], False)
        pieces.append(pa.table({
            "account_id": rows["account_id"],
            "organization_id": rows["organization_id"],
            "kind": pc.if_else(verified, VERIFIED, rows["plan"]),
            "country": rows["signup_country"],
        }).cast(_CUSTOMERS))  # fmt: skip
        known = pc.is_in(missing, value_set=rows["account_id"].combine_chunks())
        missing = missing.filter(pc.invert(known))
    return pa.concat_tables([_CUSTOMERS.empty_table(), *pieces])


def _findings(lake: Lake, ids: pa.Array) -> pa.Table:
    """People's last word on each account, as the classifier learns it (models.labels)."""
    said = resolve_labels(labels_known(lake, dt.date.max), dt.date.max)
    found = pa.table({
        "account_id": pa.array(said["account_id"], pa.string()),
        "known": pa.array(said["known_on"].to_numpy(np.int32), pa.int32()).cast(pa.date32()),
        "wrong": pa.array((said["label"] == BENIGN).to_numpy(bool)),
    }).cast(_FINDINGS)  # fmt: skip
    return found.filter(pc.is_in(found["account_id"], value_set=ids))


def _lifted(lake: Lake, last: dt.date) -> pa.Table:
    """Accounts whose action a person's decision took away, with the day from which on."""
    decisions = decisions_by(lake, last)
    pieces = []
    for night in sorted(set(decisions["date"].to_pylist())):
        stands = standing(decisions, night, lake.settings.enforcement_policy)
        clears = pc.and_(
            pc.equal(stands["decided_on"], pa.scalar(night)),
            pc.is_in(stands["verdict"], value_set=pa.array(CLEARING)),
        )
        stands = stands.filter(clears)
        pieces.append(pa.table([stands["decided_on"], stands["account_id"]], schema=_LIFTED))
    return pa.concat_tables([_LIFTED.empty_table(), *pieces])
