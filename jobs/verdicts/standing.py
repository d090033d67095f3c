"""What stands of people's decisions on a night: labels, actions, evidence that they saw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs.catalog import desk_tables as desk
from jobs.catalog.desk_tables import DECISIONS, FINDINGS
from jobs.catalog.enforcement import LADDER, EnforcementPolicy
from jobs.platform.lake import Lake, arrow_schema
from models.definitions import BENIGN
from models.labels import APPEAL

#: How sure a label is that one person's decision makes, and one that two agreed on.
ONE_PERSON, TWO_PERSONS = 0.9, 1.0
#: Verdicts after which what people saw counts no more.
CLEARING = (BENIGN, desk.OVERTURNED, desk.VETTED)
#: Verdicts that say something of the accounts; the others are about another decision.
ABOUT_ACCOUNTS = (*FINDINGS, desk.VETTED, desk.OVERTURNED)
#: What a decision says of each of its accounts.
_MADE = pa.schema({
    "verdict": pa.string(), "decision_id": pa.string(), "decided_on": pa.date32(),
    "at": pa.timestamp("us", "UTC"), "ordered": pa.string(), "action": pa.string(),
    "holds_until": pa.date32(), "covers_until": pa.date32(), "evidence": pa.list_(pa.string()),
    "campaigns": pa.list_(pa.string()), "confidence": pa.float64(), "reason": pa.string(),
    "expires": pa.date32(),
})  # fmt: skip
#: Columns of `standing`.
_STANDING = ("account_id", *(name for name in _MADE.names if name != "expires"))
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
    rows = sorted(_counting(decisions, date), key=lambda row: (row["at"], row["decision_id"]))
    made = pa.Table.from_pylist([_stands(row, date, policy) for row in rows], schema=_MADE)
    accounts = pa.array([row["accounts"] for row in rows], pa.list_(pa.string()))
    # Which decision was the last to find something of each account, and which to vet it; -1: none.
    names = accounts.flatten().dictionary_encode()
    decision = np.asarray(pc.list_parent_indices(accounts))
    code = np.asarray(names.indices)
    vets = np.array([row["verdict"] == desk.VETTED for row in rows], bool)
    found, vetting = (np.full(len(names.dictionary), -1, np.int64) for _ in range(2))
    # Of a position that is given twice NumPy keeps the last value, and decisions are in order.
    for last, kind in ((found, ~vets), (vetting, vets)):
        last[code[kind[decision]]] = decision[kind[decision]]
    return _beside_vettings(names.dictionary, found, vetting, made, date)


def _beside_vettings(
    accounts: pa.Array,
    found: NDArray[np.int64],
    vetting: NDArray[np.int64],
    made: pa.Table,
    date: dt.date,
) -> pa.Table:
    """What stands for each account of its last finding and its last vetting.

    A vetting lifts what was ordered before it, for good. What people cleared before it counts no
    more while it stands than before, and as little as before once it has ended.

    Args:
        accounts: (accounts,) ids.
        found, vetting: (accounts,) rows of `made`, -1 for none.
        made: a row a decision, oldest first, in the columns of `_MADE`.
        date: the night.
    """
    at = np.asarray(made["at"].cast(pa.int64()))
    ended = pc.fill_null(pc.less(made["expires"], pa.scalar(date)), False).to_numpy()
    clears = pc.is_in(made["verdict"], value_set=pa.array(CLEARING)).to_numpy()
    lifted = (found >= 0) & (vetting >= 0)
    lifted[lifted] = at[vetting[lifted]] > at[found[lifted]]
    vetted = (vetting >= 0) & (lifted | (found < 0))
    vetted[vetted] = ~ended[vetting[vetted]]
    chosen = np.where(vetted, vetting, found)
    lifted &= ~vetted
    kept = np.flatnonzero(chosen >= 0)
    kept = kept[np.asarray(pc.sort_indices(accounts.take(pa.array(kept))))]
    rows = made.take(pa.array(chosen[kept]))
    gone = pa.array(lifted[kept])
    changed = {"account_id": accounts.take(pa.array(kept))}
    for name in ("ordered", "action", "holds_until"):
        changed[name] = pc.if_else(gone, pa.scalar(None, _MADE.field(name).type), rows[name])
    changed["covers_until"] = pc.if_else(gone, rows["decided_on"], rows["covers_until"])
    # Of accounts that were cleared before they were vetted, what people saw either time.
    both = vetted & (found >= 0)
    both[both] = clears[found[both]]
    pairs, pair = np.unique(
        np.stack([vetting[both], found[both]], axis=1), axis=0, return_inverse=True
    )
    evidence = made["evidence"].to_pylist()
    joined = pa.array([sorted({*evidence[v], *evidence[f]}) for v, f in pairs.tolist()],
                      pa.list_(pa.string()))  # fmt: skip
    of_account = chosen.copy()
    of_account[both] = len(evidence) + pair.reshape(-1)
    seen = pa.chunked_array([*made["evidence"].chunks, joined], pa.list_(pa.string()))
    changed["evidence"] = seen.take(pa.array(of_account[kept]))
    return pa.table({
        name: changed[name] if name in changed else rows[name] for name in _STANDING
    })  # fmt: skip


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


def decisions_on(lake: Lake, subject: str, members: Collection[str] = ()) -> list[dict[str, Any]]:
    """Decisions on a campaign or an account, oldest first, also those that name it among others,
    and of a campaign those that name any of its members."""
    rows = decisions_by(lake, None)
    accounts = rows["accounts"].combine_chunks()
    names = pa.array([subject, *members], pa.string())
    named = pc.list_parent_indices(accounts).filter(pc.is_in(accounts.flatten(), value_set=names))
    own = pc.fill_null(pc.equal(rows["subject"], subject), False).to_numpy().copy()
    own[np.asarray(named)] = True
    return sorted(rows.filter(pa.array(own)).to_pylist(), key=_moment)


def cleared_by(lake: Lake, accounts: Collection[str], date: dt.date) -> list[str]:
    """Those of the accounts that people cleared, by what stands on a night; sorted."""
    stands = standing(decisions_by(lake, date), date, lake.settings.enforcement_policy)
    cleared = stands.filter(pc.is_in(stands["verdict"], value_set=pa.array(CLEARING)))
    return sorted(set(cleared["account_id"].to_pylist()) & set(accounts))


def pending(lake: Lake) -> list[dict[str, Any]]:
    """Decisions that wait for a second person, oldest first."""
    rows = decisions_by(lake, None)
    words = pc.is_in(rows["verdict"], value_set=pa.array([desk.APPROVED, desk.REJECTED]))
    answered = rows.filter(words)["answers"].combine_chunks()
    waits = pc.and_(
        rows["needs_approval"], pc.invert(pc.is_in(rows["decision_id"], value_set=answered))
    )
    return sorted(rows.filter(waits).to_pylist(), key=_moment)
