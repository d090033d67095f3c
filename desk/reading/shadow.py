"""What a shadow policy or model would have done, beside what was done."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from desk.reading.store import Part, Store
from jobs.catalog.enforcement import LADDER

NONE = "none"
STEPS = (NONE, *LADDER)
NIGHTS, MOST = 14, 50
READ = ("shadow_actions", "enforcement_actions", "account_daily", "accounts", "shadow_scores")


@dataclass(frozen=True)
class NightOfBoth:
    """Accounts with an action above `watch`, and their requests of the night."""

    date: dt.date
    done: int
    shadow: int
    done_requests: int
    shadow_requests: int


@dataclass(frozen=True)
class Differing:
    """Accounts of a campaign, or outside any, that the two treat differently in one way."""

    campaign_id: str | None
    done: str
    shadow: str
    accounts: int
    requests: int
    verified: int
    example: str


@dataclass(frozen=True)
class Comparison:
    """`night` is the last with a shadow, None without any; `moved` counts its accounts by what was
    done and what the shadow would have done."""

    night: dt.date | None
    policies: tuple[str, ...]
    models: tuple[str, ...]
    nights: tuple[NightOfBoth, ...]
    moved: dict[tuple[str, str], int]
    differing: tuple[Differing, ...]
    scored: int
    scores_apart: float | None


def comparison(store: Store, night: dt.date) -> Comparison:
    """The nights up to this one that have rows of both."""
    shadowed = [n for n in store.nights("shadow_actions") if n <= night][-NIGHTS:]
    if store.version("shadow_actions") is None or not shadowed:
        return Comparison(None, (), (), (), {}, (), 0, None)
    first, last = shadowed[0], shadowed[-1]
    parts = {
        "shadows": Part("shadow_actions", ("date", "account_id", "action", "campaign_id"), first,
                        last),
        "actions": Part("enforcement_actions", ("date", "account_id", "action", "campaign_id"),
                        first, last),
        "daily": Part("account_daily", ("date", "account_id", "requests"), first, last),
        "accounts": Part("accounts", ("account_id", "verified_organization"), last, last),
    }  # fmt: skip
    by_night = store.rows(
        _BOTH + """
        select date, count(*) filter (done_step > 2) as done,
            count(*) filter (shadow_step > 2) as shadow,
            coalesce(sum(requests) filter (done_step > 2), 0)::bigint as done_requests,
            coalesce(sum(requests) filter (shadow_step > 2), 0)::bigint as shadow_requests
        from both_sides where date in (select unnest($nights)) group by date order by date""",
        parts, {"steps": list(STEPS), "nights": shadowed},
    )  # fmt: skip
    changes = store.rows(
        _BOTH + """
        select campaign_id, done, shadow, count(*) as accounts,
            coalesce(sum(requests), 0)::bigint as requests,
            count(*) filter (verified_organization) as verified, min(account_id) as example
        from both_sides left join accounts using (account_id) where date = $night
        group by 1, 2, 3 order by done = shadow, requests desc, accounts desc, campaign_id""",
        parts, {"steps": list(STEPS), "night": last},
    )  # fmt: skip
    moved: dict[tuple[str, str], int] = {}
    for row in changes:
        pair = (row["done"], row["shadow"])
        moved[pair] = moved.get(pair, 0) + row["accounts"]
    names = store.rows(
        "select list(distinct policy_version) as policies, "
        "list(distinct model_version) filter (model_version is not null) as models from shadows",
        {"shadows": Part("shadow_actions", ("policy_version", "model_version"), last, last)},
    )[0]  # fmt: skip
    (scores,) = store.rows(
        "select count(*) as scored, avg(abs(s.distillation_score - d.distillation_score)) as apart "
        "from shadow_scored s join scored d using (account_id)",
        {"shadow_scored": Part("shadow_scores", ("account_id", "distillation_score"), last, last),
         "scored": Part("account_scores", ("account_id", "distillation_score"), last, last)},
    )  # fmt: skip
    return Comparison(
        last, tuple(sorted(names["policies"] or ())), tuple(sorted(names["models"] or ())),
        tuple(NightOfBoth(**row) for row in by_night), moved,
        tuple(Differing(**row) for row in changes if row["done"] != row["shadow"])[:MOST],
        scores["scored"], scores["apart"],
    )  # fmt: skip


_BOTH = """
with both_sides as (
    select coalesce(s.date, a.date) as date, coalesce(s.account_id, a.account_id) as account_id,
        coalesce(a.campaign_id, s.campaign_id) as campaign_id,
        coalesce(a.action, 'none') as done, coalesce(s.action, 'none') as shadow,
        list_position($steps, coalesce(a.action, 'none')) as done_step,
        list_position($steps, coalesce(s.action, 'none')) as shadow_step, d.requests
    from shadows s full join actions a on s.date = a.date and s.account_id = a.account_id
        left join daily d on d.date = coalesce(s.date, a.date)
            and d.account_id = coalesce(s.account_id, a.account_id)
)
"""
