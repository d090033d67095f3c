"""The rate limit of an account, or the budget of a campaign, that is in force after a night."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from desk.reading.store import Part, Store
from jobs.catalog.limit_tables import ALL, REQUEST_LIMITS, TOKEN_LIMITS
from jobs.limits.now import decided_since, in_force
from jobs.platform.lake import Lake

_LIMIT = ("account_id", "capability", *REQUEST_LIMITS, *TOKEN_LIMITS, "reason", "step", "expires",
          "mode")  # fmt: skip
_BUDGET = ("campaign_id", "accounts", "requests_a_day", "tokens_a_day", "counted_by", "step",
           "since", "mode")  # fmt: skip
#: What `jobs.limits.now` reads that can change after a night.
_READ_NOW = ("decisions", "enforcement_mode", "enforcement_actions", "account_scores",
             "rate_limits", "campaign_budgets", "plan_usage")  # fmt: skip


@dataclass(frozen=True)
class Given:
    """What an account is limited to.

    Attributes:
        rows: a row for all that it sends, then one a capability; none without a limit.
        lifted: whether what people decided since the night ended the limit.
        changed: whether `rows` are not the night's, but what people's decisions made of them.
    """

    rows: list[dict[str, Any]]
    lifted: bool = False
    changed: bool = False


def given(store: Store, lake: Lake, night: dt.date, account: str) -> Given:
    """What gateways are given for the account now, on the last night; on an earlier one, what they
    were given after it."""
    rows = limits(store, night, account)
    if not lake.exists("rate_limits") or not decided_since(lake, night):
        return Given(rows)
    now = store.remember(("limits now", account), _READ_NOW, lambda: in_force(lake, [account]))
    if not now.accounts:
        return Given(rows, lifted=bool(rows))
    if night != store.nights("account_scores")[-1]:
        return Given(rows)
    made = [{name: row[name] for name in _LIMIT} for row in now.accounts]
    made.sort(key=lambda row: (row["capability"] != ALL, row["capability"]))
    return Given(made, changed=made != rows)


def limits(store: Store, night: dt.date, account: str) -> list[dict[str, Any]]:
    """A row for all that the account sends, then one a capability; none without a limit."""
    return store.rows(
        "select * from limits where account_id = $subject and expires >= $night "
        "order by capability <> $all, capability",
        {"limits": Part("rate_limits", _LIMIT, night, night)},
        {"subject": account, "night": night, "all": ALL},
    )


def budget(
    store: Store, lake: Lake, night: dt.date, campaign: str, members: Collection[str]
) -> list[dict[str, Any]]:
    """The budget that the campaign's limited accounts share now, on the last night; on an earlier
    one, that of the night. None without a budget."""
    if (
        lake.exists("rate_limits")
        and night == store.nights("account_scores")[-1]
        and decided_since(lake, night)
    ):
        now = store.remember(
            ("budgets now", campaign), _READ_NOW, lambda: in_force(lake, members).campaigns
        )
        rows = [row for row in now if row["campaign_id"] == campaign]
        return [{name: row[name] for name in _BUDGET} for row in rows]
    return store.rows(
        "select * from budgets where campaign_id = $subject",
        {"budgets": Part("campaign_budgets", _BUDGET, night, night)},
        {"subject": campaign},
    )
