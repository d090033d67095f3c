"""Members of a campaign as they stand now, and what an action on all of them would mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from desk.reading.campaign import MEMBERS, Campaign, members_on
from desk.reading.store import Part, Store
from jobs import verdicts
from jobs.catalog.enforcement import LADDER
from jobs.platform.lake import Lake

MEMBERS_A_PAGE = 50
SORTS = {
    "requests": "requests desc, account_id", "score": "score desc nulls last, account_id",
    "joined": "joined desc, account_id", "strength": "strength desc, account_id",
    "account": "account_id", "action": "rung desc, requests desc, account_id",
    "plan": "plan nulls last, requests desc, account_id",
}  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What an action on all members would touch and save on a night like the last."""

    action: str
    accounts: int
    requests: int
    output_tokens: int
    organizations: int
    verified: int
    low_scores: int
    #: Sent nothing in the nights that are scored, as who is suspended.
    unscored: int
    plans: dict[str, int]


@dataclass(frozen=True)
class Member:
    account_id: str
    joined: dt.date
    strength: float
    score: float | None
    requests: int
    output_tokens: int
    plan: str | None
    country: str | None
    verified: bool
    status: str | None
    action: str | None
    rung: int


_STANDING = """
with mine as materialized (
    select account_id, joined, strength from members where campaign_id = $subject
), standing as (
    select account_id, joined, strength, distillation_score as score,
        coalesce(requests, 0) as requests, coalesce(output_tokens, 0) as output_tokens, plan,
        signup_country as country, coalesce(verified_organization, false) as verified, status,
        organization_id, action, coalesce(list_position($ladder, action), 0) as rung
    from mine left join scores using (account_id) left join daily using (account_id)
        left join accounts using (account_id) left join in_force using (account_id)
)
"""


def member_ids(store: Store, of: Campaign) -> list[str]:
    """Its members' account ids, sorted."""
    found = store.rows(MEMBERS, {"members": members_on(of.date)}, {"subject": of.campaign_id})
    return sorted(row["account_id"] for row in found)


def in_force(lake: Lake, accounts: Collection[str]) -> pa.Table:
    """(account_id, action) of the accounts on whom an action holds: after the last night, and after
    what people decided since."""
    return verdicts.actions_in_force(lake, accounts=accounts).select(["account_id", "action"])


def _standing(
    of: Campaign, holding: pa.Table
) -> tuple[dict[str, Part | pa.Table], dict[str, Any]]:  # fmt: skip
    night = of.date
    parts = {
        "members": Part("campaign_members", ("campaign_id", "account_id", "joined", "strength"),
                        night, night),
        "scores": Part("account_scores", ("account_id", "distillation_score"), night, night),
        "daily": Part("account_daily", ("account_id", "requests", "output_tokens"), night, night),
        "accounts": Part("accounts", ("account_id", "organization_id", "plan", "signup_country",
                                      "verified_organization", "status"), night, night),
        "in_force": holding,
    }  # fmt: skip
    return parts, {"subject": of.campaign_id, "ladder": list(LADDER)}


def members(
    store: Store, of: Campaign, holding: pa.Table, sort: str, page: int
) -> tuple[Member, ...]:
    """A page of members, from 0; `holding` as `in_force` gives it, `sort` one of SORTS."""
    parts, values = _standing(of, holding)
    rows = store.rows(
        _STANDING + "select * exclude (organization_id) from standing "
        f"order by {SORTS[sort]} limit $most offset $start",
        parts, {**values, "most": MEMBERS_A_PAGE, "start": page * MEMBERS_A_PAGE},
    )  # fmt: skip
    return tuple(Member(**row) for row in rows)


def costs(store: Store, of: Campaign, holding: pa.Table, watch_from: float) -> tuple[Cost, ...]:
    """For each rung what it would mean for members who are not under it, or a harder one, yet.

    `holding` is as `in_force` gives it; `watch_from` is the score below which nobody is even
    watched.
    """
    parts, values = _standing(of, holding)
    rows = store.rows(
        _STANDING + """
        select $ladder[wanted] as action, coalesce(plan, 'unknown') as plan,
            count(*) as accounts, sum(requests)::bigint as requests,
            sum(output_tokens)::bigint as output_tokens,
            list(distinct organization_id) filter (organization_id is not null) as organizations,
            count(*) filter (verified) as verified,
            count(*) filter (score < $watch_from) as low_scores,
            count(*) filter (score is null) as unscored
        from standing, (select unnest(range(1, 6)) as wanted) where rung < wanted
        group by wanted, plan order by wanted, plan""",
        parts, {**values, "watch_from": watch_from},
    )  # fmt: skip
    found = []
    for action in LADDER:
        of_action = [row for row in rows if row["action"] == action]
        sums = {
            name: sum(row[name] for row in of_action)
            for name in (
                "accounts",
                "requests",
                "output_tokens",
                "verified",
                "low_scores",
                "unscored",
            )
        }
        customers = {o for row in of_action for o in row["organizations"] or ()}
        plans = {row["plan"]: row["accounts"] for row in of_action}
        found.append(Cost(action, organizations=len(customers), plans=plans, **sums))
    return tuple(found)
