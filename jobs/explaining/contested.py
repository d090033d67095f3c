"""Which actions an account can contest: those that nights wrote down, and those that people ordered
in between, also where they lifted them again before the next night."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs import verdicts
from jobs.catalog.desk_tables import APPROVED
from jobs.explaining.explain import policy_of, scored_night

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

Row = dict[str, Any]


def actions_on(lake: Lake, account: str) -> tuple[list[Row], Row | None]:
    """The account's actions and what holds of them now.

    Returns:
        rows in the columns of enforcement_actions, oldest first, on one date in the order in which
        they held; `decided_on` is the night from which a person's order counts, where no night
        wrote it down. Then the row in force, None for none.
    """
    night = scored_night(lake, None)
    rows = lake.rows("enforcement_actions", None, night, only={"account_id": [account]}).to_pylist()
    holds = verdicts.actions_in_force(lake, accounts=[account]).to_pylist()
    written = {row["decision_id"] for row in rows}
    ordered = [row for row in _ordered(lake, account) if row["decision_id"] not in written]
    return sorted([*rows, *ordered], key=lambda row: row["date"]), holds[0] if holds else None


def _ordered(lake: Lake, account: str) -> list[Row]:
    """What people's decisions ordered for the account, each as it stood at its own moment: what
    overturned or replaced it since is left out."""
    own = verdicts.decisions_on(lake, account)
    if not any(row["action"] for row in own):
        return []
    every = verdicts.decisions_by(lake, None)
    names = pa.array([row["decision_id"] for row in own], pa.string())
    approves = pc.and_(pc.equal(every["verdict"], APPROVED),
                       pc.is_in(every["answers"], value_set=names))  # fmt: skip
    answers: list[Row] = every.filter(approves).to_pylist()
    approvals = {row["answers"]: row for row in answers}
    known = {row["decision_id"]: row for row in [*own, *approvals.values()]}
    scored = set(lake.nights("account_scores"))
    made = []
    words = [(approvals.get(row["decision_id"], row), row) for row in own]
    for said, row in sorted(words, key=lambda pair: _moment(pair[0])):
        first = max(row["date"], said["date"])
        # It holds from the morning after this night on.
        night = first - dt.timedelta(days=1)
        if row["action"] is None or night not in scored:
            continue
        by_then = [one for one in known.values() if _moment(one) <= _moment(said)]
        stood = verdicts.standing(pa.Table.from_pylist(by_then, schema=every.schema), first,
                                  policy_of(lake, night)[0])  # fmt: skip
        this = pc.and_(pc.equal(stood["account_id"], account),
                       pc.equal(stood["decision_id"], row["decision_id"]))  # fmt: skip
        stood = stood.filter(pc.and_(this, pc.is_valid(stood["action"])))
        if stood.num_rows:
            made.append(_as_action(lake, stood, night, row["policy_version"]))
    return made


def _as_action(lake: Lake, stood: pa.Table, night: dt.date, policy_version: str) -> Row:
    """One row of `verdicts.standing` in the columns of enforcement_actions that are told of."""
    (row,) = stood.to_pylist()
    account = row["account_id"]
    held = verdicts.actions_in_force(lake, night, [account])["campaign_id"].to_pylist()
    (campaign,) = verdicts.campaign_of(lake, stood, night).to_pylist()
    return {
        "date": night,
        "account_id": account,
        "action": row["action"],
        "campaign_id": held[0] if held and held[0] else campaign,
        "evidence": row["evidence"] or [],
        "expires": row["holds_until"],
        "policy_version": policy_version,
        "mode": verdicts.mode_on(lake, row["decided_on"]),
        "decision_id": row["decision_id"],
        "decided_on": row["decided_on"],
    }


def _moment(row: Row) -> tuple[dt.datetime, str]:
    return row["decided_at"], row["decision_id"]
