"""How much a limited account may send, and what a campaign shares: figures in, figures out.

Everything is a column of a data frame, an account or a campaign a row; nothing is read or written.
A limit starts at `headroom` times a busy day of the honest history and gets a step of the policy
tighter or looser from night to night. Below it there is a floor: the plan's promise, and what the
account did before there was any evidence. A campaign's budget is a share of what it sent before,
and never less than its accounts' floors together, so that every account's share can keep its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from jobs.catalog.enforcement import VERIFIED
from jobs.catalog.limit_policy import GATEWAY, LimitPolicy, Promise
from jobs.catalog.limit_tables import OWN_HISTORY, REQUEST_LIMITS, TOKEN_LIMITS

_AMOUNTS = (*REQUEST_LIMITS, *TOKEN_LIMITS)
#: The plan of whom none is known: what it promises is the least.
UNKNOWN_PLAN = "free"


def stepped(
    before: pd.DataFrame, renewed: pd.Series, last_step: int, policy: LimitPolicy
) -> pd.DataFrame:
    """Steps after a night.

    Args:
        before: step, renewed_nights and quiet_nights of the night before; null for who is new.
        renewed: whether the night renewed the evidence; null: it neither did nor had to, as for
            what a person decided.
        last_step: the tightest.

    Returns:
        step (0: no limit any more), renewed_nights, quiet_nights; rows as given.
    """
    known = before[["step", "renewed_nights", "quiet_nights"]].astype("float64")
    new = known["step"].isna().to_numpy()
    # A policy that was changed since may have fewer.
    step = np.minimum(known["step"].fillna(1).to_numpy(np.int64), last_step)
    again = renewed.fillna(False).to_numpy(bool) & ~new
    quiet = ~renewed.fillna(True).to_numpy(bool) & ~new
    held = known["renewed_nights"].fillna(0).to_numpy(np.int64)
    paused = known["quiet_nights"].fillna(0).to_numpy(np.int64)
    renewals = np.where(again, held + 1, np.where(quiet, 0, held))
    pauses = np.where(quiet, paused + 1, np.where(again, 0, paused))
    tighter = again & (renewals >= policy.tighten_nights)
    looser = quiet & (pauses >= policy.relax_nights)
    return pd.DataFrame({
        "step": np.where(tighter, np.minimum(step + 1, last_step), step - looser),
        "renewed_nights": np.where(tighter, 0, renewals),
        "quiet_nights": np.where(looser, 0, pauses),
    }, index=before.index)  # fmt: skip


def promised(plans: pd.Series, verified: pd.Series, promises: Sequence[Promise]) -> pd.DataFrame:
    """What each account is promised, a column a limit, and `plan`: the one whose promise holds."""
    by_plan = pd.DataFrame([vars(promise) for promise in promises]).set_index("plan")
    plan = plans.where(plans.isin(by_plan.index), UNKNOWN_PLAN)
    own = by_plan.loc[plan, list(_AMOUNTS)].to_numpy(np.int64)
    checked = by_plan.loc[VERIFIED, list(_AMOUNTS)].to_numpy(np.int64)
    is_checked = verified.eq(True).to_numpy()
    amounts = np.where(is_checked[:, None], np.maximum(own, checked), own)
    better = is_checked & (own < checked).any(axis=1)
    found = pd.DataFrame(amounts, columns=list(_AMOUNTS), index=plans.index)
    return found.assign(plan=plan.mask(better, VERIFIED))


def own_limits(
    accounts: pd.DataFrame, promises: pd.DataFrame, policy: LimitPolicy
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Limits of each account by itself, and the floors that hold for it whatever its step.

    Args:
        accounts: step, history, usual_requests_a_day, usual_requests_an_hour, usual_tokens_a_day.
        promises: as `promised` gives them.

    Returns:
        Two frames of whole numbers with the columns requests_a_day, requests_an_hour and
        tokens_a_day: the limits, no lower than the floors; the floors, no lower than 1.
    """
    share = policy.headroom * np.array(policy.steps)[accounts["step"].to_numpy(np.int64) - 1]
    own = (accounts["history"] == OWN_HISTORY).to_numpy()
    limits, floors = {}, {}
    for name in ("requests_a_day", "requests_an_hour", "tokens_a_day"):
        usual = accounts[f"usual_{name}"].to_numpy(np.float64)
        kept = _up(np.where(own, policy.history_floor * usual, 0.0))
        promise = 0 if policy.below_promise else promises[name].to_numpy(np.int64)
        floors[name] = np.maximum(np.maximum(kept, promise), 1)
        limits[name] = np.maximum(_up(share * usual), floors[name])
    return pd.DataFrame(limits, index=accounts.index), pd.DataFrame(floors, index=accounts.index)


def budgets(
    campaigns: pd.DataFrame, floors: pd.DataFrame, policy: LimitPolicy
) -> pd.DataFrame:  # fmt: skip
    """Requests and tokens a day for each campaign.

    Args:
        campaigns: step, usual_requests_a_day, usual_tokens_a_day.
        floors: requests_a_day and tokens_a_day, the sums of the floors of its limited accounts.
    """
    share = np.array(policy.budget_steps)[campaigns["step"].to_numpy(np.int64) - 1]
    return pd.DataFrame({
        name: np.maximum(
            _down(share * campaigns[f"usual_{name}"].to_numpy(np.float64)),
            floors[name].to_numpy(np.int64),
        )
        for name in ("requests_a_day", "tokens_a_day")
    }, index=campaigns.index)  # fmt: skip


def shares(budget: pd.Series, floor: pd.Series, own: pd.Series, campaign: pd.Series) -> pd.Series:
    """Each account's share of its campaign's budget: its floor, and of what floors leave over a
    part in proportion to what it could have by itself. Shares never add up to more than the budget.

    Args:
        budget: of the account's campaign; no less than the sum of its accounts' floors.
        floor, own: of the account; whole numbers, 1 or more.
        campaign: which one.
    """
    left = (budget - floor.groupby(campaign).transform("sum")).clip(lower=0)
    # Whole numbers of any size: doubles would round some sum over what is left.
    part = left.astype(object) * own.astype(object) // own.groupby(campaign).transform("sum")
    return floor + part.astype("int64")


def by_window(day: pd.DataFrame, hour: pd.Series, promises: pd.DataFrame, policy: LimitPolicy
              ) -> pd.DataFrame:  # fmt: skip
    """All six limits from those of a day and the requests of an hour; shorter windows never have
    more than longer ones.

    Args:
        day: requests_a_day, tokens_a_day.
        hour: requests an hour by themselves.
        promises: as `promised` gives them.
    """
    requests_day, tokens_day = (day[name].to_numpy(np.int64) for name in day.columns)
    least = {name: 0 if policy.below_promise else promises[name].to_numpy(np.int64)
             for name in _AMOUNTS}  # fmt: skip
    requests_hour = np.minimum(hour.to_numpy(np.int64), requests_day)
    requests_minute = np.minimum(
        np.maximum(_up(requests_hour / policy.busiest_minutes), least["requests_a_minute"]),
        requests_hour,
    )
    # A request has as many tokens in a short window as in a long one.
    tokens_hour = np.minimum(
        np.maximum(_up(tokens_day * (requests_hour / requests_day)), least["tokens_an_hour"]),
        tokens_day,
    )
    tokens_minute = np.minimum(
        np.maximum(_up(tokens_hour * (requests_minute / requests_hour)), least["tokens_a_minute"]),
        tokens_hour,
    )
    columns = (requests_minute, requests_hour, requests_day, tokens_minute, tokens_hour, tokens_day)
    return pd.DataFrame(dict(zip(_AMOUNTS, columns, strict=True)), index=day.index)


def narrowed(
    accounts: pd.DataFrame,
    limits: pd.DataFrame,
    promises: pd.DataFrame,
    usual_share: pd.Series,
    policy: LimitPolicy,
) -> pd.DataFrame:
    """Limits on one capability: what the account asked of it before the evidence, or what honest
    accounts of its plan ask; no lower than the promise and no higher than its other limits.

    Args:
        accounts: as of `own_limits`.
        limits: all six, on everything that the account sends.
        usual_share: share of honest requests that ask for the capability.
    """
    found = {}
    for name, usual in zip(_AMOUNTS, ["requests_an_hour"] * 2 + ["requests_a_day"] + [
        "tokens_a_day"] * 3, strict=True):  # fmt: skip
        part = _up(accounts[f"usual_{usual}"].to_numpy(np.float64) * usual_share.to_numpy())
        least = 1 if policy.below_promise else promises[name].to_numpy(np.int64)
        found[name] = np.minimum(
            np.maximum(np.maximum(part, least), 1), limits[name].to_numpy(np.int64)
        )
    frame = pd.DataFrame(found, index=accounts.index)
    for shorter, longer in ((0, 1), (1, 2), (3, 4), (4, 5)):
        frame[_AMOUNTS[shorter]] = frame[[_AMOUNTS[shorter], _AMOUNTS[longer]]].min(axis=1)
    return frame


def counted_by_gateway(policy: LimitPolicy) -> bool:
    return policy.budget_counted_by == GATEWAY


def _up(amounts: np.ndarray) -> np.ndarray:
    """Whole numbers, rounded up; what a sum of doubles adds to a whole one is no reason to."""
    return np.ceil(np.round(amounts, 6)).astype(np.int64)


def _down(amounts: np.ndarray) -> np.ndarray:
    """Whole numbers, rounded down, but for what a product of doubles lacks of a whole one."""
    return np.floor(np.round(amounts, 6)).astype(np.int64)


def words(parts: Mapping[str, pd.Series]) -> pd.Series:
    """Texts put together row by row, those that are missing left out."""
    said = pd.Series("", index=next(iter(parts.values())).index)
    for text in parts.values():
        said = said + text.fillna("")
    return said
