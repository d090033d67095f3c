"""What is usual: for an account before there was evidence against it, for honest accounts of its
plan, for a campaign before its budget. Part of the step `limits`; account_daily is read on the
engine, and what comes back has a row an account that is limited, a plan or a campaign."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.catalog.limit_policy import LimitPolicy
from jobs.catalog.sketch import MARKERS

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

USUAL = ("usual_requests_a_day", "usual_requests_an_hour", "usual_tokens_a_day")
_ASKED = tuple(f"asks_{marker.name}" for marker in MARKERS)
_BUSIEST_HOUR = f"greatest({', '.join(f'hour_{hour:02d}' for hour in range(24))})"
_TOKENS = "input_tokens + output_tokens"


def own(lake: Lake, date: dt.date, accounts: pd.DataFrame, policy: LimitPolicy) -> pd.DataFrame:
    """A busy day of each account's own, from the days that lie well before the evidence.

    Args:
        accounts: account_id, since (the first evidence).

    Returns:
        account_id and USUAL, of those accounts that have enough such days.
    """
    if accounts.empty:
        return pd.DataFrame(columns=["account_id", *USUAL])
    table = pa.table({
        "account_id": pa.array(accounts["account_id"], pa.string()),
        "until": pa.array(accounts["since"], pa.date32()),
    })  # fmt: skip
    asked = lake.session.createDataFrame(table, "account_id string, until date")
    first = date - dt.timedelta(days=policy.history_days - 1)
    before = (
        lake.read("account_daily", first, date)
        .join(asked, "account_id")
        .where(F.col("date") < F.date_sub("until", policy.guard_days))
    )
    found = before.groupBy("account_id").agg(F.count(F.lit(1)).alias("days"), *_busy(policy))
    return _frame(found.where(F.col("days") >= policy.least_days).drop("days"))


def of_plans(
    lake: Lake, date: dt.date, suspects: pa.Array, policy: LimitPolicy
) -> pd.DataFrame:  # fmt: skip
    """A busy day of honest accounts of each plan, and the share of their requests that asks for
    each capability.

    Args:
        suspects: ids of accounts that are left out.

    Returns:
        plan, USUAL, asks_<marker> (null where no prompt is known).
    """
    plans = lake.night("accounts", date).select("account_id", "plan")
    left_out = lake.session.createDataFrame(pa.table({"account_id": suspects}), "account_id string")
    days = _days(lake, date, policy.plan_days).join(left_out, "account_id", "left_anti")
    return _frame(
        days.join(plans, "account_id").where(F.col("plan").isNotNull()).groupBy("plan").agg(
            *_busy(policy), *_asked()
        )
    )  # fmt: skip


def asked_lately(
    lake: Lake, date: dt.date, accounts: pd.Series, policy: LimitPolicy
) -> pd.DataFrame:  # fmt: skip
    """account_id and asks_<marker>: the share of its last days' requests that asks for each
    capability, null where no prompt is known."""
    if accounts.empty:
        return pd.DataFrame(columns=["account_id", *_ASKED])
    asked = lake.session.createDataFrame(
        pa.table({"account_id": pa.array(accounts, pa.string())}), "account_id string"
    )
    days = _days(lake, date, policy.plan_days).join(asked, "account_id")
    return _frame(days.groupBy("account_id").agg(*_asked()))


def of_campaigns(
    lake: Lake, date: dt.date, members: pd.DataFrame, policy: LimitPolicy
) -> pd.DataFrame:  # fmt: skip
    """campaign_id, usual_requests_a_day and usual_tokens_a_day: what the accounts of each sent
    together on a day on which any of them sent something.

    Args:
        members: account_id, campaign_id.
    """
    if members.empty:
        return pd.DataFrame(columns=["campaign_id", "usual_requests_a_day", "usual_tokens_a_day"])
    table = pa.table({
        name: pa.array(members[name], pa.string()) for name in ("account_id", "campaign_id")
    })  # fmt: skip
    asked = lake.session.createDataFrame(table, "account_id string, campaign_id string")
    days = (
        _days(lake, date, policy.budget_days).join(asked, "account_id")
        .groupBy("campaign_id", "date")
        .agg(F.sum("requests").alias("requests"), F.sum(F.expr(_TOKENS)).alias("tokens"))
    )  # fmt: skip
    return _frame(
        days.groupBy("campaign_id").agg(
            F.avg("requests").alias("usual_requests_a_day"),
            F.avg("tokens").alias("usual_tokens_a_day"),
        )
    )


def _days(lake: Lake, date: dt.date, days: int) -> DataFrame:
    return lake.read("account_daily", date - dt.timedelta(days=days - 1), date)


def _busy(policy: LimitPolicy) -> list[Column]:
    amounts = ("requests", _BUSIEST_HOUR, _TOKENS)
    return [
        F.percentile(F.expr(amount), F.lit(policy.quantile)).alias(name)
        for name, amount in zip(USUAL, amounts, strict=True)
    ]


def _asked() -> list[Column]:
    known = F.sum("prompts_known")
    return [F.when(known > 0, F.sum(name) / known).alias(name) for name in _ASKED]


def _frame(frame: DataFrame) -> pd.DataFrame:
    """In an order of its own: engines give groups in any."""
    found: pd.DataFrame = frame.toArrow().to_pandas()
    return found.sort_values(found.columns[0]).reset_index(drop=True)
