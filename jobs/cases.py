"""What waits for a person's decision this morning?

Reads the night's enforcement_actions, campaigns, account_scores, account_daily, people's decisions,
and cases of the night before. Writes cases: an operation is one, however many accounts it has; so
is an account that is in no campaign. Draws the night's second reviews as well, from decisions,
labels and scores, and adds them to blind_reviews. At the desk people claim a case and decide on
it; both are rows of their own, so that a night can be run again.
Harm if late: people look at yesterday's cases, and what is new waits a day.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from jobs import verdicts
from jobs.catalog.desk_tables import (
    ACCOUNT_SUBJECT,
    CAMPAIGN_SUBJECT,
    CASE_EVENTS,
    CASES,
    REJECTED,
)
from jobs.catalog.enforcement import LADDER
from jobs.plain_text import plain
from jobs.platform.errors import StillwatchError
from jobs.platform.lake import arrow_schema
from jobs.platform.lock import sole_decider
from jobs.reviews import reviewers

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

REVIEW = "review"
CLAIMED, RELEASED, SECOND_LOOK = "claimed", "released", "second_look"


class CaseError(StillwatchError):
    """Somebody else has the case, or there is none."""


def run(lake: Lake, date: dt.date) -> None:
    columns = ["account_id", "action", "proposed", "campaign_id", "reasons", "evidence"]
    actions = lake.rows("enforcement_actions", date, date, columns)
    # Who is to be looked at; everybody else is acted on, or watched, without a person.
    actions = actions.filter(pc.equal(actions["action"], REVIEW))
    policy = lake.settings.enforcement_policy
    stands = verdicts.standing(verdicts.decisions_by(lake, date), date, policy)
    ids = actions["account_id"].combine_chunks()
    lake.replace_night("cases", date, cases_of(
        actions,
        stands,
        lake.rows("campaigns", date, date,
                  ["campaign_id", "kind", "score", "resale_score", "summary"]),
        _of(lake, "account_scores", date, ids,
            ["account_id", "distillation_score", "resale_score"]),
        _of(lake, "account_daily", date, ids, ["account_id", "requests"]),
        _night_before(lake, date),
        date,
    ))  # fmt: skip
    reviewers.draw(lake, date)


def _of(lake: Lake, table: str, date: dt.date, ids: pa.Array, columns: list[str]) -> pa.Table:
    rows = lake.rows(table, date, date, columns)
    return rows.filter(pc.is_in(rows["account_id"], value_set=ids))


def _night_before(lake: Lake, date: dt.date) -> pa.Table:
    earlier = [night for night in lake.nights("cases") if night < date]
    columns = ["subject", "accounts", "opened"]
    if not earlier:
        return arrow_schema(CASES).empty_table().select(columns)
    return lake.rows("cases", earlier[-1], earlier[-1], columns)


def cases_of(
    actions: pa.Table,
    stands: pa.Table,
    campaigns: pa.Table,
    scores: pa.Table,
    daily: pa.Table,
    before: pa.Table,
    date: dt.date,
) -> pa.Table:
    """Rows of `cases`: a row for each campaign, or account outside any, with accounts to look at.

    Args:
        actions: the night's actions that a person has to look at: account_id, proposed,
            campaign_id, reasons, evidence.
        stands: as `verdicts.standing` gives it: whoever was decided on not long ago is left out,
            unless people cleared them: then what is here is new.
        campaigns: campaign_id, kind, score, resale_score, summary of the night.
        scores: account_id, distillation_score, resale_score of the night.
        daily: account_id, requests of the night.
        before: subject, accounts, opened of the cases of the last night that had any.
        date: the night.
    """
    waiting = _undecided(actions, stands, date).to_pandas()
    if waiting.empty:
        return arrow_schema(CASES).empty_table()
    waiting = waiting.merge(scores.to_pandas(), "left", "account_id")
    waiting = waiting.merge(daily.to_pandas(), "left", "account_id")
    waiting["own_score"] = waiting[["distillation_score", "resale_score"]].max(axis=1)
    waiting["rank"] = waiting["proposed"].fillna(REVIEW).map(LADDER.index)
    waiting["subject"] = waiting["campaign_id"].fillna(waiting["account_id"])
    waiting["first"] = waiting["reasons"].map(lambda of: of[0] if len(of) else "no reason given")
    waiting = waiting.sort_values(["subject", "own_score", "account_id"],
                                  ascending=[True, False, True])  # fmt: skip
    cases = waiting.groupby("subject").agg(
        campaign_id=("campaign_id", "first"), accounts=("account_id", "size"),
        requests_at_stake=("requests", "sum"), rank=("rank", "max"), own_score=("own_score", "max"),
        evidence=("evidence", lambda of: sorted({family for row in of for family in row})),
        first=("first", "first"),
    ).reset_index()  # fmt: skip
    groups = campaigns.to_pandas()
    groups["group_score"] = groups[["score", "resale_score"]].max(axis=1)
    cases = cases.merge(groups.drop(columns=["score", "resale_score"]), "left", "campaign_id")
    known = before.to_pandas().rename(columns={"accounts": "accounts_before"})
    cases = cases.merge(known, "left", "subject")
    fresh = cases["opened"].isna()
    grown = cases["accounts"] > cases["accounts_before"]
    rows = pd.DataFrame({
        "date": date,
        "subject_kind": cases["campaign_id"].notna().map(
            {True: CAMPAIGN_SUBJECT, False: ACCOUNT_SUBJECT}),
        "subject": cases["subject"],
        "kind": cases["kind"].where(cases["kind"].notna(), None),
        "score": cases["group_score"].fillna(cases["own_score"]),
        "opened": cases["opened"].where(~fresh, date),
        "state": fresh.map({True: "new", False: "open"}).where(~grown, "grown"),
        "accounts": cases["accounts"],
        "requests_at_stake": cases["requests_at_stake"].fillna(0).astype("int64"),
        "proposed": cases["rank"].map(LADDER.__getitem__),
        "evidence": cases["evidence"],
        "summary": cases["summary"].fillna(cases["first"]),
    })  # fmt: skip
    rows = rows.sort_values(["requests_at_stake", "subject"], ascending=[False, True])
    return pa.Table.from_pandas(rows, schema=arrow_schema(CASES), preserve_index=False)


def _undecided(actions: pa.Table, stands: pa.Table, date: dt.date) -> pa.Table:
    """Actions on accounts that people did not decide on, or only cleared: then they are about
    something new."""
    decided = stands.filter(
        pc.and_(
            pc.greater_equal(stands["covers_until"], pa.scalar(date)),
            pc.invert(pc.is_in(stands["verdict"], value_set=pa.array(verdicts.CLEARING))),
        )
    )
    known = decided["account_id"].combine_chunks()
    return actions.filter(pc.invert(pc.is_in(actions["account_id"], value_set=known)))


# At the desk


def waiting(lake: Lake) -> list[dict[str, Any]]:
    """Cases of the last night that nobody has decided on since, most at stake first; each with
    `claimed_by` and `claimed_at`, null for nobody, `second_look`, who asked for one and why, and
    `members`, the accounts of the whole campaign, null for an account outside any."""
    nights = lake.nights("cases")
    if not nights:
        return []
    # Every night that came to deciding has its policy, also one with nothing to look at; a night
    # that failed before that leaves the cases of the night before.
    decided = lake.nights("policies")
    if decided and decided[-1] > nights[-1]:
        return []
    left = _left(lake, nights[-1])
    held = _claims(lake)
    groups = lake.rows("campaigns", nights[-1], nights[-1], ["campaign_id", "accounts"])
    members = dict(zip(*(groups[name].to_pylist() for name in groups.column_names), strict=True))
    cases = [
        case | {"members": members.get(case["subject"])} | held.get(case["subject"], _NOBODY)
        for case in lake.rows("cases", nights[-1], nights[-1]).to_pylist()
        if case["subject"] in left
    ]
    return sorted(cases, key=lambda case: (-case["requests_at_stake"], case["subject"]))


def _left(lake: Lake, night: dt.date) -> set[str]:
    """Cases of a night with an account that nobody has decided on since: a decision on a part of an
    operation is not on all of it. One that waits for a second person counts, a rejected one does
    not."""
    columns = ["account_id", "action", "campaign_id"]
    actions = lake.rows("enforcement_actions", night, night, columns)
    actions = actions.filter(pc.equal(actions["action"], REVIEW))
    decisions = verdicts.decisions_by(lake, None)
    stands = verdicts.standing(decisions, night, lake.settings.enforcement_policy)
    since = decisions.filter(pc.greater(decisions["date"], pa.scalar(night))).to_pylist()
    rejected = {row["answers"] for row in since if row["verdict"] == REJECTED}
    decided = {
        account
        for row in since
        if row["verdict"] in verdicts.ABOUT_ACCOUNTS and row["decision_id"] not in rejected
        for account in row["accounts"]
    }
    waiting = _undecided(actions, stands, night)
    known = pa.array(sorted(decided), pa.string())
    waiting = waiting.filter(pc.invert(pc.is_in(waiting["account_id"], value_set=known)))
    return set(pc.coalesce(waiting["campaign_id"], waiting["account_id"]).to_pylist())


_NOBODY: dict[str, Any] = {"claimed_by": None, "claimed_at": None, "second_look": None}


def _claims(lake: Lake) -> dict[str, dict[str, Any]]:
    if not lake.exists(CASE_EVENTS.name):
        return {}
    held: dict[str, dict[str, Any]] = {}
    events = lake.rows(CASE_EVENTS.name).sort_by([("at", "ascending"), ("event_id", "ascending")])
    for row in events.to_pylist():
        of = held.setdefault(row["subject"], dict(_NOBODY))
        if row["event"] == CLAIMED:
            of |= {"claimed_by": row["by"], "claimed_at": row["at"]}
        elif row["event"] == RELEASED:
            of |= {"claimed_by": None, "claimed_at": None}
        else:
            of |= {"second_look": f"{row['by']}: {row['note'] or 'no note'}",
                   "claimed_by": None, "claimed_at": None}  # fmt: skip
    return held


def claim(lake: Lake, subject: str, by: str) -> None:
    """Say that they work on a case.

    Raises:
        CaseError: no such case waits, or somebody else has it.
    """
    _add(lake, subject, by, CLAIMED, None)


def release(lake: Lake, subject: str, by: str) -> None:
    """Say that they no longer work on a case that they had claimed.

    Raises:
        CaseError: no such case waits, or they don't have it.
    """
    _add(lake, subject, by, RELEASED, None)


def second_look(lake: Lake, subject: str, by: str, note: str) -> None:
    """Give a case to another pair of eyes, with a note.

    Raises:
        CaseError: no such case waits, or somebody else has it.
    """
    _add(lake, subject, by, SECOND_LOOK, plain(note, 500) or None)


def _add(lake: Lake, subject: str, by: str, event: str, note: str | None) -> None:
    with sole_decider(lake.settings.lake_root):
        case = next((case for case in waiting(lake) if case["subject"] == subject), None)
        shown = plain(subject, 80)
        if case is None:
            raise CaseError(f"no case {shown!r} waits: it was decided on, or never was one")
        if event == RELEASED and case["claimed_by"] != by:
            raise CaseError(f"{shown} is not yours to give back: {case['claimed_by'] or 'nobody'} "
                            "has it")  # fmt: skip
        if case["claimed_by"] not in (None, by):
            raise CaseError(f"{case['claimed_by']} works on {shown} since "
                            f"{case['claimed_at']:%Y-%m-%d %H:%M} UTC")  # fmt: skip
        now = dt.datetime.now(dt.UTC)
        row = {"date": now.date(), "event_id": f"e-{uuid.uuid4().hex[:12]}", "at": now, "by": by,
               "subject": subject, "event": event, "note": note}  # fmt: skip
        schema = arrow_schema(CASE_EVENTS)
        lake.append(CASE_EVENTS.name, pa.Table.from_pylist([row], schema=schema))
