"""Looks up an account, a campaign or a token, exactly or by how its id begins."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from desk.reading.campaign import CARRIED, PAST_NIGHTS, carried_parts
from desk.reading.store import Part, Store

#: Letters without which a beginning would be half the lake, hits of a kind on a page.
SHORTEST, A_PAGE = 3, 50


@dataclass(frozen=True)
class CampaignHit:
    campaign_id: str
    kind: str
    accounts: int
    score: float
    date: dt.date


@dataclass(frozen=True)
class AccountHit:
    account_id: str
    plan: str | None
    status: str | None
    country: str | None
    campaign_id: str | None
    score: float | None


@dataclass(frozen=True)
class TokenHit:
    kind: str
    token: str
    accounts: int


@dataclass(frozen=True)
class Found:
    """A page of what was found; `more` says whether another follows."""

    campaigns: tuple[CampaignHit, ...]
    accounts: tuple[AccountHit, ...]
    tokens: tuple[TokenHit, ...]
    carriers: tuple[AccountHit, ...]
    first: dt.date
    more: bool


_WHO = """
select account_id, plan, status, signup_country as country, campaign_id,
    distillation_score as score
from {who} left join accounts using (account_id) left join scores using (account_id)
order by account_id"""


def search(store: Store, night: dt.date, asked: str, page: int) -> Found:
    """What begins with, or is, the text; `asked` has SHORTEST letters or more."""
    values = {"q": asked, "most": A_PAGE + 1, "start": page * A_PAGE}
    customers = {
        "accounts": Part("accounts", ("account_id", "plan", "status", "signup_country"), night,
                         night),
        "scores": Part("account_scores", ("account_id", "campaign_id", "distillation_score"),
                       night, night),
    }  # fmt: skip
    campaigns = store.rows(
        "select campaign_id, arg_max(kind, date) as kind, arg_max(accounts, date) as accounts, "
        "arg_max(score, date) as score, max(date) as date from campaigns "
        "where starts_with(campaign_id, $q) group by 1 order by 1 limit $most offset $start",
        {"campaigns": Part("campaigns", ("campaign_id", "kind", "accounts", "score", "date"),
                           night - dt.timedelta(days=PAST_NIGHTS), night)},
        values,
    )  # fmt: skip
    accounts = store.rows(
        "with hit as materialized (select account_id from accounts where "
        "starts_with(account_id, $q) union select account_id from scores where "
        "starts_with(account_id, $q) order by 1 limit $most offset $start) "
        + _WHO.format(who="hit"),
        customers, values,
    )  # fmt: skip
    parts, first = carried_parts(store, night)
    parts["people"] = parts.pop("accounts")
    held = CARRIED.replace("from accounts", "from people")
    tokens = store.rows(
        f"select kind, token, count(distinct account_id) as accounts from ({held}) "
        "where starts_with(token, $q) group by 1, 2 order by accounts desc, kind, token "
        "limit $most offset $start",
        parts, values,
    )  # fmt: skip
    carriers = []
    if any(row["token"] == asked for row in tokens):
        carriers = store.rows(
            f"with hit as materialized (select distinct account_id from ({held}) "
            "where token = $q order by 1 limit $most offset $start) " + _WHO.format(who="hit"),
            {**parts, **customers}, values,
        )  # fmt: skip
    more = max(map(len, (campaigns, accounts, tokens, carriers))) > A_PAGE
    return Found(
        tuple(CampaignHit(**row) for row in campaigns[:A_PAGE]),
        tuple(AccountHit(**row) for row in accounts[:A_PAGE]),
        tuple(TokenHit(**row) for row in tokens[:A_PAGE]),
        tuple(AccountHit(**row) for row in carriers[:A_PAGE]),
        first, more,
    )  # fmt: skip
