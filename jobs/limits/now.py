"""Which limits hold now: those of the last night, and at once what people decided since.

Who was cleared or suspended since has no limit; who was limited since has one, worked out as the
night would have, from the history that the night knew; budgets are shared among those who are left.
Nothing else changes: no step, and no row of an account or campaign that nobody decided on.
Needs no engine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.enforcement import LADDER
from jobs.catalog.limit_tables import ALL, CAMPAIGN_BUDGETS, RATE_LIMITS
from jobs.limits import assembly
from jobs.platform.errors import LakeError
from jobs.verdicts import actions_in_force, decisions_by, enforcing, mode_on

if TYPE_CHECKING:
    from jobs.platform.lake import Lake


@dataclass(frozen=True)
class LimitsNow:
    """What is in force for the gateway.

    Attributes:
        night: the last one with limits.
        enforce: whether gateways are to refuse anything.
        accounts: rows of rate_limits, in order of account and capability.
        campaigns: rows of campaign_budgets with an account left, in order of campaign.
        ordered: accounts that had no limit after the night and have one now.
        lifted: accounts that had one and have none, by what people decided.
        suspended: accounts that had one and are suspended instead.
        ended: accounts that had one and whose action ended since, as when a night stopped before
            its limits.
    """

    night: str
    enforce: bool
    accounts: list[dict[str, Any]]
    campaigns: list[dict[str, Any]]
    ordered: int = 0
    lifted: int = 0
    suspended: int = 0
    ended: int = 0


def in_force(lake: Lake, accounts: Collection[str] | None = None) -> LimitsNow:
    """Limits after the last night and what people decided since.

    Args:
        accounts: only these, and the budgets that they share: what the rest is given is not worked
            out, and counts are of these alone.

    Raises:
        LakeError: no night has worked out limits yet.
    """
    scored = lake.nights("account_scores")
    # A night without a limited account leaves no rows, and that is what it says.
    if not scored or not lake.exists("rate_limits"):
        raise LakeError(f"no night has worked out limits in {lake.root}: run one first")
    # One that stopped before its limits must not leave everybody without.
    last = assembly.worked_out_by(lake, scored[-1]) or scored[-1]
    counts = scored[-1] + dt.timedelta(days=1)
    policy = lake.settings.enforcement_policy
    actions = actions_in_force(lake)
    rows = lake.rows("rate_limits", last, last).to_pandas(date_as_object=True)
    before = rows[rows["capability"] == ALL].set_index("account_id")
    held = _held(lake, last, actions, before)
    since = decisions_by(lake, counts)
    since = since.filter(pc.greater(since["date"], pa.scalar(last)))
    touched = set(pc.list_flatten(since["accounts"]).to_pylist())
    held["begins"] = held["decision_id"].isin(_ids(since))
    held.loc[held["begins"], "campaign_id"] = held["campaign_now"]
    again = _decided_on(held, before, touched)
    if accounts is not None:
        held, before, again = _beside(accounts, held, before, again)
    kept = rows[rows["account_id"].isin(held.loc[~again, "account_id"])].copy()
    budgets = lake.rows("campaign_budgets", last, last).to_pandas(date_as_object=True)
    budgets = budgets[budgets["campaign_id"].isin(kept["campaign_id"])]
    if again.any():
        left = assembly.left_by(lake, last)
        plans = lake.rows("plan_usage", last, last).to_pandas()
        # Nothing was renewed and nothing was quiet since: no step changes.
        asked = held[again].assign(renewed=pd.NA)
        made, shared = assembly.worked_out(lake, last, counts, asked, left, plans, policy)
        kept = _joined(kept, made, RATE_LIMITS.column_names, last)
        budgets = budgets[~budgets["campaign_id"].isin(asked["campaign_id"])]
        budgets = _joined(budgets, shared, CAMPAIGN_BUDGETS.column_names, last)
    now = held.set_index("account_id")
    for name in ("expires", "decision_id"):
        kept[name] = kept["account_id"].map(now[name]).astype(object)
    kept["mode"] = mode_on(lake, counts)
    limited = kept.loc[kept["capability"] == ALL, ["account_id", "campaign_id"]]
    budgets["accounts"] = budgets["campaign_id"].map(limited["campaign_id"].value_counts())
    if accounts is not None:
        kept = kept[kept["account_id"].isin(accounts)]
        limited = limited[limited["account_id"].isin(accounts)]
        before = before[before.index.isin(accounts)]
    gone = before.index[~before.index.isin(limited["account_id"])]
    suspended = actions.filter(pc.equal(actions["action"], LADDER[-1]))["account_id"].to_pylist()
    is_suspended = gone.isin(suspended)
    lifted = gone.isin(touched) & ~is_suspended
    kept = kept.sort_values(["account_id", "capability"])
    return LimitsNow(
        night=last.isoformat(),
        enforce=enforcing(lake),
        accounts=assembly.as_rows(kept, RATE_LIMITS, last).to_pylist(),
        campaigns=assembly.as_rows(
            budgets.sort_values("campaign_id"), CAMPAIGN_BUDGETS, last
        ).to_pylist(),
        ordered=int((~limited["account_id"].isin(before.index)).sum()),
        lifted=int(lifted.sum()),
        suspended=int(is_suspended.sum()),
        ended=int((~is_suspended & ~lifted).sum()),
    )


def decided_since(lake: Lake, night: dt.date) -> bool:
    """Whether people decided anything that counts after a night."""
    counts = decisions_by(lake, None)["date"]
    return bool(pc.any(pc.greater(counts, pa.scalar(night))).as_py())


def _held(
    lake: Lake, last: dt.date, actions: pa.Table, before: pd.DataFrame
) -> pd.DataFrame:  # fmt: skip
    """Limiting actions in force: `campaign_id` as the night's limits have it, and `campaign_now`,
    that of its scores, which the next night will go by."""
    limiting = lake.settings.enforcement_policy.limits.actions
    wanted = pc.is_in(actions["action"], value_set=pa.array(limiting))
    held = assembly.held_frame(actions.filter(wanted))
    only = {"account_id": set(held.loc[held["decision_id"].notna(), "account_id"])}
    found = lake.rows("account_scores", last, last, ["account_id", "campaign_id"], only=only)
    scores = found.to_pandas().set_index("account_id")
    scored = held["account_id"].isin(scores.index)
    held["campaign_now"] = held["campaign_id"].where(
        ~scored, held["account_id"].map(scores["campaign_id"])
    )
    limited = held["account_id"].isin(before.index)
    held["campaign_id"] = held["campaign_id"].where(
        ~limited, held["account_id"].map(before["campaign_id"])
    )
    return held


def _ids(since: pa.Table) -> set[str]:
    """Decisions that count since, and those that were approved since."""
    return {*since["decision_id"].to_pylist(), *since["answers"].to_pylist()} - {None}


def _decided_on(held: pd.DataFrame, before: pd.DataFrame, touched: set[str]) -> pd.Series:
    """Which accounts are to be worked out again: those that people decided on since, and all that
    share a campaign's budget with one of them, now or after the night."""
    changed = held["account_id"].isin(touched)
    groups = {
        *before.loc[before.index.isin(touched), "campaign_id"].dropna(),
        *held.loc[changed, "campaign_id"].dropna(),
    }
    return changed | held["campaign_id"].isin(groups)


def _beside(
    accounts: Collection[str], held: pd.DataFrame, before: pd.DataFrame, again: pd.Series
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """The accounts and those that share a campaign with one of them."""
    own = held.loc[held["account_id"].isin(accounts), "campaign_id"].dropna()
    near = held["account_id"].isin(accounts) | held["campaign_id"].isin(own)
    return (
        held[near],
        before[before.index.isin({*accounts, *held.loc[near, "account_id"]})],
        again[near],
    )


def _joined(
    one: pd.DataFrame, other: pd.DataFrame, columns: tuple[str, ...], date: dt.date
) -> pd.DataFrame:
    """Rows of both. An empty frame has no types that would go with the other's."""
    frames = [frame.assign(date=date)[list(columns)].astype(object)
              for frame in (one, other) if len(frame)]  # fmt: skip
    return pd.concat(frames, ignore_index=True) if frames else one
