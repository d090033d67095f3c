"""The rate limit of an account, or the budget of a campaign, that is in force after a night."""

from __future__ import annotations

import datetime as dt
from typing import Any

from desk.reading.store import Part, Store
from jobs.catalog.limit_tables import ALL, REQUEST_LIMITS, TOKEN_LIMITS

_LIMIT = ("account_id", "capability", *REQUEST_LIMITS, *TOKEN_LIMITS, "reason", "step", "expires",
          "mode")  # fmt: skip
_BUDGET = ("campaign_id", "accounts", "requests_a_day", "tokens_a_day", "counted_by", "step",
           "since", "mode")  # fmt: skip


def limits(store: Store, night: dt.date, account: str) -> list[dict[str, Any]]:
    """A row for all that the account sends, then one a capability; none without a limit."""
    return store.rows(
        "select * from limits where account_id = $subject and expires >= $night "
        "order by capability <> $all, capability",
        {"limits": Part("rate_limits", _LIMIT, night, night)},
        {"subject": account, "night": night, "all": ALL},
    )


def budget(store: Store, night: dt.date, campaign: str) -> list[dict[str, Any]]:
    """The campaign's row of the night; none without a budget."""
    return store.rows(
        "select * from budgets where campaign_id = $subject",
        {"budgets": Part("campaign_budgets", _BUDGET, night, night)},
        {"subject": campaign},
    )
