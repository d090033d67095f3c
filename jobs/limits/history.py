"""What is usual: for an account before there was evidence against it, for honest accounts of its
plan, for a campaign before its budget.

Part of the step `limits` and of what holds since (`jobs.limits.now`). A night gathers days of
account_daily on its engine; in the morning the few accounts that people decided on are read
without one. Either way the same lines below make figures of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from jobs.catalog.limit_policy import LimitPolicy
from jobs.catalog.limit_tables import USUAL
from jobs.catalog.sketch import MARKERS
from jobs.catalog.tables import ACCOUNT_DAILY
from jobs.platform.lake import arrow_schema

if TYPE_CHECKING:
    from pyspark.sql import Column

    from jobs.platform.lake import Lake

ASKED = tuple(f"asks_{marker.name}" for marker in MARKERS)
_HOURS = tuple(f"hour_{hour:02d}" for hour in range(24))
_TOKENS = ("input_tokens", "output_tokens")


def own(lake: Lake, date: dt.date, accounts: pd.DataFrame, policy: LimitPolicy) -> pd.DataFrame:
    """A busy day of each account's own, from the days that lie well before the evidence.

    Args:
        date: the night for which limits are worked out.
        accounts: account_id, since (the first evidence).

    Returns:
        account_id and USUAL, of those accounts that have enough such days.
    """
    if accounts.empty:
        return pd.DataFrame(columns=["account_id", *USUAL])
    guard = dt.timedelta(days=policy.guard_days)
    until = pd.to_datetime(accounts.set_index("account_id")["since"]) - guard
    first = date - dt.timedelta(days=policy.history_days - 1)
    # An account's days end before its own first evidence; no day of any is later than this.
    last = until.max().date() - dt.timedelta(days=1)
    days = _days_of(lake, first, last, accounts["account_id"], (*_HOURS, *_TOKENS))
    days = days[pd.to_datetime(days["date"]) < days["account_id"].map(until)]
    busy = pd.DataFrame({
        "account_id": days["account_id"],
        USUAL[0]: days["requests"],
        USUAL[1]: days[list(_HOURS)].max(axis=1),
        USUAL[2]: days[list(_TOKENS)].sum(axis=1),
    })  # fmt: skip
    by = busy.groupby("account_id", sort=True)
    found = by[list(USUAL)].quantile(policy.quantile)[by.size() >= policy.least_days]
    return found.astype("float64").reset_index()


def of_plans(
    lake: Lake, date: dt.date, suspects: pa.Array, policy: LimitPolicy
) -> pd.DataFrame:  # fmt: skip
    """A busy day of honest accounts of each plan, and the share of their requests that asks for
    each capability. Needs an engine: these are the days of everybody.

    Args:
        suspects: ids of accounts that are left out.

    Returns:
        plan, accounts, USUAL, asks_<marker> (null where no prompt is known); in order of plan.
    """
    from pyspark.sql import functions as F

    plans = lake.night("accounts", date).select("account_id", "plan")
    left_out = lake.session.createDataFrame(pa.table({"account_id": suspects}), "account_id string")
    first = date - dt.timedelta(days=policy.plan_days - 1)
    days = lake.read("account_daily", first, date).join(left_out, "account_id", "left_anti")
    amounts = ("requests", f"greatest({', '.join(_HOURS)})", " + ".join(_TOKENS))
    busy: list[Column] = [
        F.percentile(F.expr(amount), F.lit(policy.quantile)).alias(name)
        for name, amount in zip(USUAL, amounts, strict=True)
    ]
    known = F.sum("prompts_known")
    asked = [F.when(known > 0, F.sum(name) / known).alias(name) for name in ASKED]
    found: pd.DataFrame = (
        days.join(plans, "account_id")
        .where(F.col("plan").isNotNull())
        .groupBy("plan")
        .agg(F.count_distinct("account_id").alias("accounts"), *busy, *asked)
        .toArrow()
        .to_pandas()
    )
    # Engines give groups in any order.
    return found.sort_values("plan").reset_index(drop=True)


def asked_lately(
    lake: Lake, date: dt.date, accounts: pd.Series, policy: LimitPolicy
) -> pd.DataFrame:  # fmt: skip
    """account_id and asks_<marker>: the share of its last days' requests that asks for each
    capability, null where no prompt is known."""
    first = date - dt.timedelta(days=policy.plan_days - 1)
    days = _days_of(lake, first, date, accounts, ("prompts_known", *ASKED))
    sums = days.groupby("account_id", sort=True)[["prompts_known", *ASKED]].sum()
    known = sums["prompts_known"].where(sums["prompts_known"] > 0).astype("float64")
    return sums[list(ASKED)].astype("float64").div(known, axis=0).reset_index()


def of_campaigns(
    lake: Lake, date: dt.date, members: pd.DataFrame, policy: LimitPolicy
) -> pd.DataFrame:  # fmt: skip
    """campaign_id, usual_requests_a_day and usual_tokens_a_day: what the accounts of each sent
    together on a day on which any of them sent something.

    Args:
        members: account_id, campaign_id.
    """
    first = date - dt.timedelta(days=policy.budget_days - 1)
    days = _days_of(lake, first, date, members["account_id"], _TOKENS)
    days = days.assign(
        campaign_id=days["account_id"].map(members.set_index("account_id")["campaign_id"]),
        tokens=days[list(_TOKENS)].sum(axis=1),
    )
    together = days.groupby(["campaign_id", "date"])[["requests", "tokens"]].sum()
    found = together.groupby(level="campaign_id").mean().astype("float64")
    names = {"requests": "usual_requests_a_day", "tokens": "usual_tokens_a_day"}
    return found.rename(columns=names).reset_index()


def _days_of(
    lake: Lake, first: dt.date, last: dt.date, accounts: pd.Series, columns: Sequence[str]
) -> pd.DataFrame:
    """account_id, date, requests and `columns` of account_daily, of these accounts, in order."""
    named = ["account_id", "date", "requests", *columns]
    if accounts.empty or last < first:
        return arrow_schema(ACCOUNT_DAILY).empty_table().select(named).to_pandas()
    ids = pa.array(accounts, pa.string())
    if lake.has_engine:
        asked = lake.session.createDataFrame(
            pa.table({"account_id": ids}), "account_id string"
        ).distinct()
        rows = lake.read("account_daily", first, last).join(asked, "account_id", "left_semi")
        found = rows.select(*named).toArrow()
    else:
        only = {"account_id": set(ids.to_pylist())}
        found = lake.rows("account_daily", first, last, named, only=only)
    return found.sort_by([("account_id", "ascending"), ("date", "ascending")]).to_pandas()
