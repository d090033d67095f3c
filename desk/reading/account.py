"""One account on a night: who it is, its past beside its plan's, what it shares, and with whom."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from desk.reading.campaign import RECENT_NIGHTS, RECENT_ROWS
from desk.reading.morning import HELD_NIGHTS
from desk.reading.store import Part, Store
from jobs.catalog.measures import INDICATORS
from jobs.catalog.tables import TABLES

#: Nights of its past that are shown, and accounts of its plan that a night is compared with: at
#: 4,000 a quartile is off by less than one percentile.
PAST_NIGHTS, SAMPLE = 28, 4_000
#: Tokens of one kind that are shown: the rarest; runs of actions.
MOST_OF_KIND, MOST_ACTIONS = 4, 60
#: Tables whose rows of an account may be looked at: none that keeps text.
ROW_TABLES = (
    "account_scores", "account_daily", "account_templates", "account_indicators", "accounts",
    "account_features", "account_links", "campaign_members", "enforcement_actions", "labels",
)  # fmt: skip
ROWS_A_PAGE = 50
_TOKEN_COLUMNS = {i.kind: i.sql for i in INDICATORS
                  if i.origin == "accounts" and i.sql.endswith("_token")}  # fmt: skip


@dataclass(frozen=True)
class Account:
    """Its record and its score on the night; None where it has no row in the table."""

    account_id: str
    plan: str | None
    status: str | None
    country: str | None
    created_at: dt.datetime | None
    organization_id: str | None
    verified: bool
    kyc_level: int | None
    payment_type: str | None
    score: float | None
    resale_score: float | None
    campaign_id: str | None
    campaign_kind: str | None
    campaign_score: float | None
    reasons: list[str]
    evidence: list[str]
    unavailable: list[str]
    model_version: str | None


@dataclass(frozen=True)
class Night:
    """Quartiles are of accounts of its plan with traffic on the night: lower, median, upper."""

    date: dt.date
    requests: int | None
    output_tokens: int | None
    score: float | None
    plan_requests: tuple[float, ...]
    plan_output: tuple[float, ...]
    plan_score: tuple[float, ...]


@dataclass(frozen=True)
class Carried:
    kind: str
    token: str
    requests: int | None
    accounts: int


@dataclass(frozen=True)
class Action:
    """A run of nights on which the account had the same action."""

    first: dt.date
    last: dt.date
    action: str
    proposed: str | None
    expires: dt.date
    policy_version: str
    mode: str | None
    reasons: list[str]


def account(store: Store, night: dt.date, subject: str) -> Account | None:
    """None: neither a record up to the night nor a score on it."""
    record = store.rows(
        "select plan, status, signup_country as country, created_at, organization_id, "
        "coalesce(verified_organization, false) as verified, kyc_level, payment_type "
        "from accounts where account_id = $subject order by date desc limit 1",
        {"accounts": Part("accounts", ("account_id", "date", "plan", "status", "signup_country",
                                       "created_at", "organization_id", "verified_organization",
                                       "kyc_level", "payment_type"), night, night)},
        {"subject": subject},
    )  # fmt: skip
    score = store.rows(
        "select distillation_score as score, resale_score, campaign_id, reasons, evidence, "
        "unavailable, model_version, g.kind as campaign_kind, g.score as campaign_score "
        "from scores left join groups g using (campaign_id) where account_id = $subject",
        {"scores": Part("account_scores", ("account_id", "distillation_score", "resale_score",
                                           "campaign_id", "reasons", "evidence", "unavailable",
                                           "model_version"), night, night),
         "groups": Part("campaigns", ("campaign_id", "kind", "score"), night, night)},
        {"subject": subject},
    )  # fmt: skip
    if not record and not score:
        return None
    nobody: dict[str, Any] = dict.fromkeys(Account.__dataclass_fields__)
    nobody |= {"account_id": subject, "verified": False}
    nobody |= (record or [{}])[0] | (score or [{}])[0]
    lists = {name: nobody[name] or [] for name in ("reasons", "evidence", "unavailable")}
    return Account(**nobody | lists)


def past(store: Store, night: dt.date, of: Account) -> tuple[Night, ...]:
    """Its nights, oldest first, each beside accounts of its plan."""
    first = night - dt.timedelta(days=PAST_NIGHTS - 1)
    own = store.rows(
        """
        select coalesce(d.date, s.date) as date, d.requests, d.output_tokens,
            s.distillation_score as score
        from (select * from daily where account_id = $subject) d
            full join (select * from scores where account_id = $subject) s on d.date = s.date""",
        {"daily": Part("account_daily", ("account_id", "date", "requests", "output_tokens"),
                       first, night),
         "scores": Part("account_scores", ("account_id", "date", "distillation_score"), first,
                        night)},
        {"subject": of.account_id},
    )  # fmt: skip
    by_date = {row["date"]: row for row in own}
    plan = {
        row["date"]: row
        for row in store.remember(
            ("plan", of.plan, night), ("account_daily", "account_scores", "accounts"),
            lambda: _plan(store, first, night, of.plan),
        )
    }  # fmt: skip
    nothing = {"requests": None, "output_tokens": None, "score": None}
    days = [first + dt.timedelta(days=at) for at in range(PAST_NIGHTS)]
    return tuple(
        Night(
            **nothing | {"date": day} | by_date.get(day, {}),
            plan_requests=tuple(plan.get(day, {}).get("requests") or ()),
            plan_output=tuple(plan.get(day, {}).get("output") or ()),
            plan_score=tuple(plan.get(day, {}).get("score") or ()),
        )
        for day in days
        if day in by_date or day in plan
    )


def _plan(store: Store, first: dt.date, night: dt.date, plan: str | None) -> list[dict[str, Any]]:
    """Quartiles of each night over a sample of accounts of the plan, chosen by their ids."""
    return store.rows(
        """
        with sample as materialized (
            select account_id from accounts where plan is not distinct from $plan
            order by hash(account_id) limit $sample
        ), requests as (
            select date, quantile_cont(requests, [0.25, 0.5, 0.75]) as requests,
                quantile_cont(output_tokens, [0.25, 0.5, 0.75]) as output
            from daily semi join sample using (account_id) group by date
        ), scores as (
            select date, quantile_cont(distillation_score, [0.25, 0.5, 0.75]) as score
            from scored semi join sample using (account_id) group by date
        )
        select * from requests full join scores using (date)""",
        {"accounts": Part("accounts", ("account_id", "plan"), night, night),
         "daily": Part("account_daily", ("account_id", "date", "requests", "output_tokens"),
                       first, night),
         "scored": Part("account_scores", ("account_id", "date", "distillation_score"), first,
                        night)},
        {"plan": plan, "sample": SAMPLE},
    )  # fmt: skip


def carried(store: Store, night: dt.date, subject: str) -> tuple[tuple[Carried, ...], dt.date]:
    """Tokens that it has in common with other accounts, the rarest first, and the first night
    that was looked at."""
    first = store.recent("account_indicators", night, RECENT_NIGHTS, RECENT_ROWS)
    rows = store.rows(
        """
        with mine as materialized (
            select kind, token, sum(requests)::bigint as requests from indicators
            where account_id = $subject and kind not in ('model', 'shingle') group by 1, 2
        )
        select kind, token, any_value(mine.requests) as requests,
            count(distinct account_id) as accounts
        from again join mine using (kind, token) group by 1, 2 having accounts > 1
        qualify row_number() over (partition by kind order by accounts, token) <= $of_kind
        order by accounts, kind, token""",
        {"indicators": Part("account_indicators", ("account_id", "kind", "token", "requests"),
                            first, night),
         "again": Part("account_indicators", ("account_id", "kind", "token"), first, night)},
        {"subject": subject, "of_kind": MOST_OF_KIND},
    )  # fmt: skip
    columns = tuple(_TOKEN_COLUMNS.values())
    counts = " union all ".join(
        f"select '{kind}' as kind, any_value(m.{c}) as token, null::bigint as requests, "
        f"count(*) as accounts from accounts a, mine m where a.{c} = m.{c}"
        for kind, c in _TOKEN_COLUMNS.items()
    )
    rows += store.rows(
        f"with mine as materialized (select * from accounts where account_id = $subject) "
        f"select * from ({counts}) where accounts > 1 order by accounts, kind",
        {"accounts": Part("accounts", ("account_id", *columns), night, night)},
        {"subject": subject},
    )
    found = sorted((Carried(**row) for row in rows), key=lambda c: (c.accounts, c.kind, c.token))
    return tuple(found), first


def actions(store: Store, night: dt.date, subject: str) -> tuple[Action, ...]:
    """What was done about it, latest first; equal nights together."""
    rows = store.rows(
        """
        with own as (
            select *, date - (row_number() over (
                partition by action, proposed, policy_version, mode order by date))::int as run
            from actions where account_id = $subject
        )
        select min(date) as first, max(date) as last, action, proposed,
            max(expires) as expires, policy_version, mode, arg_max(reasons, date) as reasons
        from own group by action, proposed, policy_version, mode, run
        order by last desc limit $most""",
        {"actions": Part("enforcement_actions", ("account_id", "date", "action", "proposed",
                                                 "expires", "policy_version", "mode", "reasons"),
                         night - dt.timedelta(days=HELD_NIGHTS), night)},
        {"subject": subject, "most": MOST_ACTIONS},
    )  # fmt: skip
    return tuple(Action(**row) for row in rows)


def rows_of(
    store: Store, table: str, date: dt.date, subject: str, page: int
) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and a page of the account's rows of a night in one of ROW_TABLES."""
    columns = TABLES[table].column_names
    who = "account_a = $subject or account_b = $subject" if table == "account_links" else (
        "account_id = $subject")  # fmt: skip
    order = ", ".join(f'"{name}"' for name in TABLES[table].key)
    rows = store.rows(
        f"select * from rows_there where {who} order by {order} limit $most offset $start",
        {"rows_there": Part(table, tuple(columns), date, date)},
        {"subject": subject, "most": ROWS_A_PAGE + 1, "start": page * ROWS_A_PAGE},
    )
    return list(columns), rows


def thresholds(store: Store, night: dt.date) -> dict[str, float | None]:
    """Score from which on each action was possible; None: no score is high enough."""
    rows = store.rows(
        "select action, score from thresholds",
        {"thresholds": Part("thresholds", ("action", "score"), night, night)},
    )
    return {row["action"]: row["score"] for row in rows}
