"""What is in force: the mode, and each account's action after a night and after what people decided
since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.desk_tables import ENFORCE, ENFORCEMENT_MODE, OBSERVE
from jobs.platform.lake import Lake
from jobs.verdicts.standing import CLEARING, decisions_by, standing

#: The first reason of an action that people ordered; the night from which it counts follows.
SAID_BY_PERSON = "A person looked at the evidence and decided this, from the night of "
_ACTIONS = "enforcement_actions"


def mode_on(lake: Lake, date: dt.date) -> str:
    """Whether the night's actions are to be carried out."""
    if not lake.exists(ENFORCEMENT_MODE.name):
        return OBSERVE
    changes = lake.rows(ENFORCEMENT_MODE.name, None, date).sort_by("changed_at")
    return str(changes["mode"][-1].as_py()) if changes.num_rows else OBSERVE


def enforcing(lake: Lake) -> bool:
    """Whether actions are to be carried out now."""
    scored = lake.nights("account_scores")
    return bool(scored) and mode_on(lake, scored[-1] + dt.timedelta(days=1)) == ENFORCE


def actions_in_force(
    lake: Lake, date: dt.date | None = None, accounts: Collection[str] | None = None
) -> pa.Table:
    """What holds after a night, one row an account, in the columns of enforcement_actions.

    The account's latest action up to the night that has not expired; unless the night is named,
    decisions that people have made since the last one are applied at once: what they lifted is
    gone, what they ordered is in.

    Args:
        lake: where.
        date: the night; none: the last that was scored, and what was decided since.
        accounts: only these; all by default.
    """
    scored = lake.nights("account_scores")
    last = date or (scored[-1] if scored else None)
    if last is None:
        return lake.rows(_ACTIONS)
    latest = _latest_rows(lake, last, accounts)
    held = latest.filter(pc.greater_equal(latest["expires"], pa.scalar(last)))
    if date is not None:
        return held
    tomorrow = last + dt.timedelta(days=1)
    mode = mode_on(lake, tomorrow)
    held = _with(held, "mode", pa.array([mode] * held.num_rows, pa.string()))
    policy = lake.settings.enforcement_policy
    stands = standing(decisions_by(lake, tomorrow), tomorrow, policy)
    if accounts is not None:
        own = pc.is_in(stands["account_id"], value_set=pa.array(sorted(accounts), pa.string()))
        stands = stands.filter(own)
    stands = stands.filter(_after_its_row(lake, stands, latest, last))
    clears = pc.is_in(stands["verdict"], value_set=pa.array(CLEARING))
    stands = stands.filter(pc.or_(clears, pc.is_valid(stands["action"])))
    if not stands.num_rows:
        return held
    decided = pc.is_in(held["account_id"], value_set=stands["account_id"].combine_chunks())
    ordered = stands.filter(pc.is_valid(stands["action"]))
    at = pc.index_in(ordered["account_id"], value_set=held["account_id"].combine_chunks())
    nothing = pa.nulls(ordered.num_rows)
    columns = {
        "date": pa.array([last] * ordered.num_rows, pa.date32()),
        "account_id": ordered["account_id"],
        "action": ordered["action"],
        "campaign_id": pc.coalesce(held["campaign_id"].take(at), campaign_of(lake, ordered, last)),
        "reasons": _said_before(ordered["decided_on"], held["reasons"].take(at)),
        "evidence": ordered["evidence"],
        "expires": ordered["holds_until"],
        "policy_version": pa.array([policy.version] * ordered.num_rows, pa.string()),
        "mode": pa.array([mode] * ordered.num_rows, pa.string()),
        "decision_id": ordered["decision_id"],
    }
    made = pa.table({
        name: columns.get(name, nothing) for name in held.column_names
    }).cast(held.schema)  # fmt: skip
    return pa.concat_tables([held.filter(pc.invert(decided)), made]).sort_by("account_id")


def campaign_of(lake: Lake, stands: pa.Table, night: dt.date) -> pa.ChunkedArray:
    """The campaign of each account of `standing` on a night, or else the first that its decision
    names; null for none."""
    ids = stands["account_id"].combine_chunks()
    rows = lake.rows("campaign_members", night, night, ["account_id", "campaign_id"])
    at = pc.index_in(ids, value_set=rows["account_id"].combine_chunks())
    named = stands["campaigns"].to_pylist()
    first = pa.array([of[0] if of else None for of in named], pa.string())
    return pc.coalesce(rows["campaign_id"].take(at), first)


def _said_before(decided_on: pa.ChunkedArray, reasons: pa.ChunkedArray) -> pa.Array:
    """Lists of reasons, each with the sentence first that a person decided on that night."""
    said = pc.binary_join_element_wise(SAID_BY_PERSON, decided_on.cast(pa.string()), ".", "")
    given = reasons.combine_chunks()
    rows = np.asarray(pc.list_parent_indices(given))
    # Each sentence in the row's first place, the reasons after it: a stable order by row.
    of = np.concatenate([np.arange(len(given)), rows])
    order = np.argsort(of, kind="stable")
    words = pa.chunked_array([*said.chunks, given.flatten()], pa.string()).take(pa.array(order))
    starts = np.searchsorted(of[order], np.arange(len(given) + 1))
    return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), words.combine_chunks())


def latest_actions(
    lake: Lake, night: dt.date, accounts: Collection[str] | None = None
) -> pa.Table:  # fmt: skip
    """Each account's latest action up to a night that holds on it still, as the nights wrote it."""
    latest = _latest_rows(lake, night, accounts)
    return latest.filter(pc.greater_equal(latest["expires"], pa.scalar(night)))


def _latest_rows(
    lake: Lake, night: dt.date, accounts: Collection[str] | None
) -> pa.Table:  # fmt: skip
    """Each account's latest action up to a night, whether it holds or not, by account."""
    longest = max(rung.expires_days for rung in lake.settings.enforcement_policy.rungs)
    first = night - dt.timedelta(days=longest)
    only = None if accounts is None else {"account_id": accounts}
    rows = lake.rows(_ACTIONS, first, night, only=only)
    rows = rows.sort_by([("account_id", "ascending"), ("date", "descending")])
    return rows.take(_first_of_each(rows["account_id"]))


def _after_its_row(
    lake: Lake, stands: pa.Table, latest: pa.Table, last: dt.date
) -> pa.ChunkedArray:  # fmt: skip
    """Whether each decision counts from later on than the account's last row of actions, or than
    the last night decided where it has none: a night may stop between its scores and `decide`."""
    decided = [night for night in lake.nights("thresholds") if night <= last]
    otherwise = pa.scalar(decided[-1] if decided else dt.date.min, pa.date32())
    at = pc.index_in(stands["account_id"], value_set=latest["account_id"].combine_chunks())
    rows = pc.fill_null(latest["date"].take(at), otherwise)
    return pc.greater(stands["decided_on"], rows)


def _first_of_each(keys: pa.ChunkedArray) -> pa.Array:
    """(accounts,) positions of the first row of each key in a sorted column."""
    ids = keys.combine_chunks().dictionary_encode().indices
    _, first = np.unique(ids.to_numpy(zero_copy_only=False), return_index=True)
    return pa.array(np.sort(first))


def _with(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, values)
