"""What stands of people's decisions on a night, and now: labels, actions, evidence they saw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog import desk_tables as desk
from jobs.catalog.desk_tables import DECISIONS, ENFORCE, ENFORCEMENT_MODE, FINDINGS, OBSERVE
from jobs.catalog.enforcement import LADDER, EnforcementPolicy
from jobs.platform.lake import Lake, arrow_schema
from models.definitions import BENIGN
from models.labels import APPEAL

#: The first reason of an action that people ordered; the night from which it counts follows.
SAID_BY_PERSON = "A person looked at the evidence and decided this, from the night of "
#: How sure a label is that one person's decision makes, and one that two agreed on.
ONE_PERSON, TWO_PERSONS = 0.9, 1.0
#: Verdicts after which what people saw counts no more.
CLEARING = (BENIGN, desk.OVERTURNED, desk.VETTED)
#: Verdicts that say something of the accounts; the others are about another decision.
ABOUT_ACCOUNTS = (*FINDINGS, desk.VETTED, desk.OVERTURNED)
_LABEL_COLUMNS = ("account_id", "label", "labelled_at", "source", "campaign", "confidence", "date")


def standing(decisions: pa.Table, date: dt.date, policy: EnforcementPolicy) -> pa.Table:
    """The decision that stands for each account on a night.

    The latest of those about accounts that count by then, have not run out, and were approved by
    a second person where that is needed.

    Args:
        decisions: rows of the table.
        date: the night.
        policy: says for how long actions hold.

    Returns:
        account_id, verdict, decision_id, decided_on (date), at (timestamp), ordered (the rung, null
        for none), action (the same while it holds), holds_until (date, null without an action),
        covers_until (the night up to which nobody needs to look again), evidence, campaigns,
        confidence, reason; sorted by account.
    """
    columns = {
        "account_id": pa.string(), "verdict": pa.string(), "decision_id": pa.string(),
        "decided_on": pa.date32(), "at": pa.timestamp("us", "UTC"), "ordered": pa.string(),
        "action": pa.string(),
        "holds_until": pa.date32(), "covers_until": pa.date32(),
        "evidence": pa.list_(pa.string()), "campaigns": pa.list_(pa.string()),
        "confidence": pa.float64(), "reason": pa.string(),
    }  # fmt: skip
    rows = _counting(decisions, date)
    if rows:
        frame = pd.DataFrame([_stands(row, date, policy) for row in rows])
        frame = frame.explode("account_id").dropna(subset=["account_id"])
        frame = frame.sort_values(["account_id", "at", "decision_id"], kind="stable")
        frame = _beside_vettings(frame.reset_index(drop=True), date)
        listed = frame.to_dict("list")
    else:
        listed = {name: [] for name in columns}
    schema = pa.schema(list(columns.items()))
    return pa.table({name: pa.array(listed[name], kind) for name, kind in columns.items()}, schema)


def _beside_vettings(frame: pd.DataFrame, date: dt.date) -> pd.DataFrame:
    """The last row of each account, and what a vetting after it leaves of the one before it.

    A vetting lifts what was ordered before it, for good. What people cleared before it counts no
    more while it stands than before, and as little as before once it has ended.
    """
    vettings = frame["verdict"] == desk.VETTED
    found = frame[~vettings].drop_duplicates("account_id", keep="last").set_index("account_id")
    last = frame[vettings].drop_duplicates("account_id", keep="last").set_index("account_id")
    lifted = found.index[found.index.isin(last.index)]
    lifted = lifted[(last.loc[lifted, "at"] > found.loc[lifted, "at"]).to_numpy()]
    for name in ("ordered", "action", "holds_until"):
        found[name] = found[name].astype(object)
        found.loc[lifted, name] = None
    found.loc[lifted, "covers_until"] = found.loc[lifted, "decided_on"]
    in_time = np.array([pd.isna(until) or until >= date for until in last["expires"]], bool)
    latest = last.index.isin(lifted) | ~last.index.isin(found.index)
    stands = last[in_time & latest]
    cleared = found.index[found["verdict"].isin(CLEARING)].intersection(stands.index)
    evidence = {name: sorted({*stands.at[name, "evidence"], *found.at[name, "evidence"]})
                for name in cleared}  # fmt: skip
    stands = stands.assign(
        evidence=[evidence.get(name, row) for name, row in stands["evidence"].items()]
    )
    both = pd.concat([found[~found.index.isin(stands.index)], stands])
    return both.sort_index().reset_index()


def _counting(decisions: pa.Table, date: dt.date) -> list[dict[str, Any]]:
    """Decisions about accounts that count on the night, with `at` and `persons`."""
    rows = decisions.filter(pc.less_equal(decisions["date"], pa.scalar(date))).to_pylist()
    answers = {
        row["answers"]: row
        for row in sorted(rows, key=_moment)
        if row["verdict"] in (desk.APPROVED, desk.REJECTED)
    }
    clearing = [row for row in rows if row["verdict"] in CLEARING]
    counting = []
    for row in rows:
        answer = answers.get(row["decision_id"])
        approved = answer is not None and answer["verdict"] == desk.APPROVED
        if row["verdict"] not in ABOUT_ACCOUNTS or (row["needs_approval"] and not approved):
            continue
        at = max(row["decided_at"], answer["decided_at"]) if answer else row["decided_at"]
        first = max(row["date"], answer["date"]) if answer else row["date"]
        if answer is not None and approved:
            # Whom people cleared while it waited, they did not mean to.
            since = [other["accounts"] for other in clearing
                     if _moment(row) < _moment(other) <= _moment(answer)]  # fmt: skip
            freed = {account for of in since for account in of}
            row = row | {"accounts": [name for name in row["accounts"] if name not in freed]}
        counting.append(row | {"at": at, "date": first, "persons": 2 if approved else 1})
    return counting


def _moment(row: Mapping[str, Any]) -> tuple[dt.datetime, str]:
    return row["decided_at"], row["decision_id"]


def _stands(row: dict[str, Any], date: dt.date, policy: EnforcementPolicy) -> dict[str, Any]:
    def until(days: int) -> dt.date:
        return row["date"] + dt.timedelta(days=days - 1)

    holds = row["action"] and (row["expires"] or until(policy.rung(row["action"]).expires_days))
    acting = holds and holds >= date
    return {
        "account_id": row["accounts"],
        "verdict": row["verdict"],
        "decision_id": row["decision_id"],
        "decided_on": row["date"],
        "at": row["at"],
        "ordered": row["action"],
        "action": row["action"] if acting else None,
        "holds_until": holds if acting else None,
        "covers_until": holds or until(policy.cool_down.days),
        "evidence": row["evidence"],
        "campaigns": row["campaigns"],
        "expires": row["expires"],
        "confidence": TWO_PERSONS
        if row["persons"] == 2 or row["verdict"] == desk.OVERTURNED
        else ONE_PERSON,
        "reason": row["reason"],
    }


def labels_of(stands: pa.Table) -> pa.Table:
    """Labels that standing decisions make, in the columns of `labels`.

    Each is dated to the moment of the decision, or to the end of the night from which it counts
    where that is earlier, as when nights of the past are worked through.
    """
    found = stands.filter(pc.not_equal(stands["verdict"], desk.VETTED)).to_pylist()
    rows = []
    for row in found:
        label = BENIGN if row["verdict"] == desk.OVERTURNED else row["verdict"]
        end = dt.datetime.combine(row["decided_on"], dt.time(23, 59, 59), dt.UTC)
        source = "confirmed_ban" if row["ordered"] == LADDER[-1] else "analyst"
        rows.append({
            "account_id": row["account_id"],
            "label": label,
            "labelled_at": min(row["at"], end),
            "source": APPEAL if row["verdict"] == desk.OVERTURNED else source,
            "campaign": row["campaigns"][0] if row["campaigns"] and label != BENIGN else None,
            "confidence": row["confidence"],
            "date": row["decided_on"],
        })  # fmt: skip
    kinds = (pa.string(), pa.string(), pa.timestamp("us", "UTC"), pa.string(), pa.string(),
             pa.float64(), pa.date32())  # fmt: skip
    schema = pa.schema(list(zip(_LABEL_COLUMNS, kinds, strict=True)))
    return pa.Table.from_pylist(rows, schema=schema)


def labels_known(lake: Lake, date: dt.date) -> pa.Table:
    """Labels that landed by the night and those that people's decisions make, as
    `models.labels.resolve_labels` takes them."""
    made = labels_of(standing(decisions_by(lake, date), date, lake.settings.enforcement_policy))
    landed = lake.rows("labels", None, date, list(_LABEL_COLUMNS))
    return pa.concat_tables([landed.select(_LABEL_COLUMNS).cast(made.schema), made])


def decisions_by(lake: Lake, date: dt.date | None) -> pa.Table:
    """Rows of `decisions` that count on the night, all of them without one."""
    if not lake.exists(DECISIONS.name):
        return arrow_schema(DECISIONS).empty_table()
    return lake.rows(DECISIONS.name, None, date)


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


def actions_in_force(lake: Lake, date: dt.date | None = None) -> pa.Table:
    """What holds after a night, one row an account, in the columns of enforcement_actions.

    The account's latest action up to the night that has not expired; after the last night,
    decisions that people have made since are applied at once: what they lifted is gone, what they
    ordered is in.
    """
    scored = lake.nights("account_scores")
    policy = lake.settings.enforcement_policy
    last = date or (scored[-1] if scored else None)
    if last is None:
        return lake.rows("enforcement_actions")
    latest = _latest_rows(lake, last)
    held = latest.filter(pc.greater_equal(latest["expires"], pa.scalar(last)))
    if date is not None and scored and date < scored[-1]:
        return held
    tomorrow = last + dt.timedelta(days=1)
    mode = mode_on(lake, tomorrow)
    held = held.set_column(
        held.column_names.index("mode"), "mode", pa.array([mode] * held.num_rows, pa.string())
    )
    stands = standing(decisions_by(lake, tomorrow), tomorrow, policy)
    stands = stands.filter(_after_its_row(lake, stands, latest, last))
    if not stands.num_rows:
        return held
    changed = pc.or_(
        pc.is_in(stands["verdict"], value_set=pa.array(CLEARING)), pc.is_valid(stands["action"])
    )
    stands = stands.filter(changed)
    decided = pc.is_in(held["account_id"], value_set=stands["account_id"].combine_chunks())
    before = {row["account_id"]: row for row in held.filter(decided).to_pylist()}
    ordered = [
        {
            "date": last, "account_id": row["account_id"], "action": row["action"],
            "campaign_id": before.get(row["account_id"], {}).get("campaign_id"),
            "reasons": [f"{SAID_BY_PERSON}{row['decided_on']}.",
                        *before.get(row["account_id"], {}).get("reasons", [])],
            "evidence": row["evidence"], "expires": row["holds_until"],
            "policy_version": policy.version, "mode": mode, "proposed": None,
            "held_since": None, "held_until": None, "decision_id": row["decision_id"],
        }
        for row in stands.to_pylist() if row["action"]
    ]  # fmt: skip
    return pa.concat_tables([
        held.filter(pc.invert(decided)), pa.Table.from_pylist(ordered, schema=held.schema)
    ]).sort_by("account_id")  # fmt: skip


def latest_actions(lake: Lake, night: dt.date) -> pa.Table:
    """Each account's latest action up to a night that holds on it still, as the nights wrote it."""
    latest = _latest_rows(lake, night)
    return latest.filter(pc.greater_equal(latest["expires"], pa.scalar(night)))


def _latest_rows(lake: Lake, night: dt.date) -> pa.Table:
    """Each account's latest action up to a night, whether it holds or not, by account."""
    longest = max(rung.expires_days for rung in lake.settings.enforcement_policy.rungs)
    rows = lake.rows("enforcement_actions", night - dt.timedelta(days=longest), night)
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


def decisions_on(lake: Lake, subject: str) -> list[dict[str, Any]]:
    """Decisions on a campaign or an account, oldest first, also those that name it among others."""
    rows = decisions_by(lake, None).to_pylist()
    own = [row for row in rows if row["subject"] == subject or subject in row["accounts"]]
    return sorted(own, key=_moment)


def pending(lake: Lake) -> list[dict[str, Any]]:
    """Decisions that wait for a second person, oldest first."""
    rows = decisions_by(lake, None).to_pylist()
    answered = {row["answers"] for row in rows if row["verdict"] in (desk.APPROVED, desk.REJECTED)}
    waiting = [r for r in rows if r["needs_approval"] and r["decision_id"] not in answered]
    return sorted(waiting, key=_moment)
