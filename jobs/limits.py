"""How much may each limited account send from this night on, and each campaign as a whole?

Reads the actions in force after `decide`, the steps of the night before, and for who is new
account_daily: what it did before there was evidence, what honest accounts of its plan do, what its
campaign sent. Writes rate_limits and campaign_budgets. While nights renew the evidence limits
tighten by steps, otherwise they relax; what people cleared has no limit from the night on.
Harm if late: yesterday's limits hold; who was cleared since stays limited where only tables are
read (exports ask the decisions themselves).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from jobs import limit_amounts as amounts
from jobs import limit_history as history
from jobs.catalog.enforcement import EnforcementPolicy
from jobs.catalog.limit_tables import (
    ALL,
    CAMPAIGN_BUDGETS,
    OWN_HISTORY,
    PLAN_HISTORY,
    RATE_LIMITS,
    REQUEST_LIMITS,
    TOKEN_LIMITS,
)
from jobs.catalog.sketch import MARKERS
from jobs.catalog.types import Table
from jobs.platform.lake import arrow_schema
from jobs.verdicts import CLEARING, decisions_by, mode_on, standing

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

#: The family of evidence that is about what prompts ask for.
_CONTENT = "content"
_BEFORE = ("step", "renewed_nights", "quiet_nights")
#: Columns of the night before that a limit keeps as long as it lives.
_KEPT = ("since", "history", *history.USUAL)
_BUDGET_KEPT = ("since", "usual_requests_a_day", "usual_tokens_a_day")


def run(lake: Lake, date: dt.date) -> None:
    policy = lake.settings.enforcement_policy
    accounts = _limited(lake, date, policy)
    accounts = _with_history(lake, date, accounts, policy)
    promises = amounts.promised(accounts["plan"], accounts["verified"], policy.promises)
    own, floors = amounts.own_limits(accounts, promises, policy.limits)
    budgets = _budgets(lake, date, accounts, floors, policy)
    rows = limits_of(accounts, promises, own, floors, budgets, policy)
    narrow = _about_capability(lake, date, accounts, rows, promises, policy)
    both = pd.concat([rows, narrow]).sort_values(["account_id", "capability"])
    lake.replace_night("rate_limits", date, _arrow(both, RATE_LIMITS, date))
    lake.replace_night("campaign_budgets", date, _arrow(budgets, CAMPAIGN_BUDGETS, date))


# Whom


def held_on(lake: Lake, date: dt.date, policy: EnforcementPolicy) -> pa.Table:
    """Actions that hold after a night, an account a row: its latest that has not expired, unless
    people who counted by that night cleared it since.

    The night alone decides, so that it can be run again; what people decide later is seen by the
    next one, and by `jobs.verdicts.actions_in_force`.
    """
    longest = max(rung.expires_days for rung in policy.rungs)
    columns = ["date", "account_id", "action", "campaign_id", "evidence", "expires",
               "decision_id"]  # fmt: skip
    rows = lake.rows("enforcement_actions", date - dt.timedelta(days=longest), date, columns)
    held = rows.sort_by([("account_id", "ascending"), ("date", "descending")])
    ids = pc.dictionary_encode(held["account_id"].combine_chunks()).indices.to_numpy()
    held = held.take(pa.array(np.flatnonzero(np.diff(ids, prepend=-1))))
    held = held.filter(pc.greater_equal(held["expires"], pa.scalar(date)))
    stands = standing(decisions_by(lake, date), date, policy)
    cleared = stands.filter(pc.is_in(stands["verdict"], value_set=pa.array(CLEARING)))
    at = pc.index_in(held["account_id"], value_set=cleared["account_id"].combine_chunks())
    gone = pc.less(held["date"], cleared["decided_on"].combine_chunks().take(at.combine_chunks()))
    return held.filter(pc.invert(pc.fill_null(gone, False)))


def _limited(lake: Lake, date: dt.date, policy: EnforcementPolicy) -> pd.DataFrame:
    """Accounts to limit, in order of id, with what is known of each."""
    held = held_on(lake, date, policy)
    wanted = pc.is_in(held["action"], value_set=pa.array(policy.limits.actions))
    about = _contains(held["evidence"], _CONTENT)
    held = held.append_column("content", about).drop(["evidence"]).filter(wanted)
    accounts = held.to_pandas(date_as_object=True).set_index("account_id", drop=False)
    columns = ["account_id", "plan", "verified_organization", "status"]
    accounts = accounts.join(_indexed(lake, "accounts", date, columns))
    scores = _indexed(lake, "account_scores", date,
                      ["account_id", "distillation_score", "resale_score"])  # fmt: skip
    resells = (scores["resale_score"] > scores["distillation_score"]).rename("resells")
    accounts = accounts.join(resells)
    # A reseller breaks the terms, not the model: nothing is done by itself. Who is closed sends
    # nothing.
    by_policy = accounts["decision_id"].isna()
    spared = accounts["resells"].eq(True) & by_policy
    spared |= accounts["status"].isin(("suspended", "closed"))
    accounts = accounts[~spared].drop(columns=["resells", "status"])
    earlier = [night for night in lake.nights("rate_limits") if night < date]
    before = pd.DataFrame(columns=["account_id", *_BEFORE, *_KEPT]).set_index("account_id")
    if earlier:
        rows = lake.rows("rate_limits", earlier[-1], earlier[-1],
                         ["account_id", "capability", *_BEFORE, *_KEPT])  # fmt: skip
        rows = rows.filter(pc.equal(rows["capability"], ALL)).drop(["capability"])
        before = rows.to_pandas(date_as_object=True).set_index("account_id")
    accounts = accounts.join(before)
    renewed = accounts["date"].eq(date).astype("boolean")
    # What a person decided rests on their decision, not on the night's evidence.
    renewed = renewed.mask(accounts["decision_id"].notna())
    step = amounts.stepped(accounts, renewed, len(policy.limits.steps), policy.limits)
    accounts[list(_BEFORE)] = step
    # Relaxed to the end: an action that still holds does not begin a limit again by itself.
    over = accounts["since"].isna() & (accounts["date"] <= earlier[-1]) if earlier else False
    kept = accounts[(accounts["step"] > 0) & ~over].copy()
    kept["verified"] = kept["verified_organization"]
    # That of tonight: what an earlier night wrote may have been under another.
    kept["mode"] = mode_on(lake, date)
    kept[list(history.USUAL)] = kept[list(history.USUAL)].astype("float64")
    return kept.reset_index(drop=True)


def _contains(lists: pa.ChunkedArray, word: str) -> pa.Array:
    """Whether each list has the word."""
    whole = lists.combine_chunks()
    rows = pc.list_parent_indices(whole)
    found = rows.filter(pc.equal(pc.list_flatten(whole), word))
    return pc.is_in(pa.array(np.arange(len(whole)), rows.type), value_set=found)


def _indexed(lake: Lake, name: str, date: dt.date, columns: Sequence[str]) -> pd.DataFrame:
    rows = lake.rows(name, date, date, list(columns)).to_pandas(date_as_object=True)
    return rows.set_index("account_id")


# What is usual


def _with_history(
    lake: Lake, date: dt.date, accounts: pd.DataFrame, policy: EnforcementPolicy
) -> pd.DataFrame:
    """Fills in `since`, `history` and what is usual, for those that are new."""
    new = accounts["since"].isna()
    if not new.any():
        return accounts
    accounts = accounts.copy()
    accounts.loc[new, "since"] = _first_evidence(lake, date, accounts[new], policy)
    found = history.own(lake, date, accounts.loc[new, ["account_id", "since"]], policy.limits)
    found = found.set_index("account_id")
    plan = accounts["plan"].where(accounts["plan"].notna(), amounts.UNKNOWN_PLAN)
    plans = history.of_plans(lake, date, _suspects(lake, date, policy), policy.limits)
    plans = plans.set_index("plan")
    has_own = accounts["account_id"].isin(found.index)
    for name in history.USUAL:
        # Without a single honest account of the plan the promise is all that is known.
        usual = accounts["account_id"].map(found[name]).astype("float64")
        usual = usual.fillna(plan.map(plans[name]).astype("float64")).fillna(0.0)
        accounts[name] = accounts[name].where(~new, usual)
    kinds = pd.Series(np.where(has_own, OWN_HISTORY, PLAN_HISTORY), index=accounts.index)
    accounts["history"] = accounts["history"].where(~new, kinds)
    return accounts


def _first_evidence(
    lake: Lake, date: dt.date, accounts: pd.DataFrame, policy: EnforcementPolicy
) -> pd.Series:
    """The first day of evidence against each account: when it joined its campaign, when that was
    first seen, when anything was first done about it."""
    first = date - dt.timedelta(days=policy.limits.history_days)
    actions = lake.rows("enforcement_actions", first, date, ["date", "account_id"])
    members = lake.rows("campaign_members", date, date, ["account_id", "campaign_id", "joined"])
    seen = lake.rows("campaigns", date, date, ["campaign_id", "first_seen"])
    acted = actions.to_pandas(date_as_object=True).groupby("account_id")["date"].min()
    member = members.to_pandas(date_as_object=True).set_index("account_id")
    group = member["campaign_id"].map(seen.to_pandas(date_as_object=True)
                                      .set_index("campaign_id")["first_seen"])  # fmt: skip
    dates = pd.concat(
        [accounts["account_id"].map(of) for of in (acted, member["joined"], group)], axis=1
    ).apply(pd.to_datetime)  # fmt: skip
    return dates.min(axis=1).fillna(pd.Timestamp(date)).dt.date


def _suspects(lake: Lake, date: dt.date, policy: EnforcementPolicy) -> pa.Array:
    """Accounts on which any action holds: of honest ones at most a few are among them."""
    longest = max(rung.expires_days for rung in policy.rungs)
    rows = lake.rows("enforcement_actions", date - dt.timedelta(days=longest), date,
                     ["account_id", "expires"])  # fmt: skip
    return pc.unique(rows.filter(pc.greater_equal(rows["expires"], pa.scalar(date)))["account_id"])


# How much


def _budgets(
    lake: Lake, date: dt.date, accounts: pd.DataFrame, floors: pd.DataFrame,
    policy: EnforcementPolicy,
) -> pd.DataFrame:  # fmt: skip
    """Rows of `campaign_budgets`, in order of campaign."""
    limits = policy.limits
    sums = accounts[["campaign_id", "mode"]].assign(
        accounts=1,
        renewed=accounts["date"].eq(date) | accounts["decision_id"].notna(),
        **{name: floors[name] for name in ("requests_a_day", "tokens_a_day")},
    )
    found = sums.groupby("campaign_id").agg({
        "accounts": "sum", "renewed": "any", "requests_a_day": "sum", "tokens_a_day": "sum",
        "mode": "max",
    })  # fmt: skip
    found = found[found["accounts"] >= limits.budget_accounts]
    floor = found[["requests_a_day", "tokens_a_day"]].copy()
    found = found.drop(columns=list(floor.columns))
    earlier = [night for night in lake.nights("campaign_budgets") if night < date]
    before = pd.DataFrame(columns=["campaign_id", *_BEFORE, *_BUDGET_KEPT])
    if earlier:
        before = lake.rows("campaign_budgets", earlier[-1], earlier[-1],
                           list(before.columns)).to_pandas(date_as_object=True)  # fmt: skip
    found = found.join(before.set_index("campaign_id"))
    new = found["since"].isna()
    step = amounts.stepped(
        found, found["renewed"].astype("boolean"), len(limits.budget_steps), limits
    )
    found[list(_BEFORE)] = step
    # The accounts are limited still: their budget relaxes no further than its first step.
    found["step"] = found["step"].clip(lower=1)
    members = accounts.loc[accounts["campaign_id"].isin(found.index[new]),
                           ["account_id", "campaign_id"]]  # fmt: skip
    usual = history.of_campaigns(lake, date, members, limits).set_index("campaign_id")
    for name in usual.columns:
        fresh = pd.Series(found.index.map(usual[name]), index=found.index, dtype="float64")
        found[name] = found[name].astype("float64").where(~new, fresh.fillna(0.0))
    found["since"] = found["since"].where(~new, date)
    found[list(floor.columns)] = amounts.budgets(found, floor, limits)
    found["promised_requests_a_day"] = floor["requests_a_day"]
    found["counted_by"] = limits.budget_counted_by
    found["policy_version"] = policy.version
    return found.reset_index()


def limits_of(
    accounts: pd.DataFrame,
    promises: pd.DataFrame,
    own: pd.DataFrame,
    floors: pd.DataFrame,
    budgets: pd.DataFrame,
    policy: EnforcementPolicy,
) -> pd.DataFrame:
    """Rows of `rate_limits` on all that accounts send: the lower of what each may have by itself
    and its share of its campaign's budget.

    Args:
        accounts: the night's, with step, history and what is usual.
        promises, own, floors: as of `amounts`, a row an account.
        budgets: rows of `campaign_budgets`.
    """
    day = own[["requests_a_day", "tokens_a_day"]].copy()
    by_budget = pd.Series(False, index=accounts.index)
    shared = accounts["campaign_id"].isin(budgets["campaign_id"])
    if not amounts.counted_by_gateway(policy.limits) and shared.any():
        campaign = accounts.loc[shared, "campaign_id"]
        of = budgets.set_index("campaign_id")
        for name in day.columns:
            part = amounts.shares(
                campaign.map(of[name]), floors.loc[shared, name], own.loc[shared, name], campaign
            )
            lower = part < day.loc[shared, name]
            day.loc[shared, name] = day.loc[shared, name].where(~lower, part)
            by_budget.loc[shared] |= lower
    windows = amounts.by_window(day, own["requests_an_hour"], promises, policy.limits)
    kept = accounts[["account_id", "campaign_id", "expires", "mode", "decision_id", *_BEFORE,
                     *_KEPT]]  # fmt: skip
    rows = kept.join(windows).assign(
        capability=ALL, plan=promises["plan"], by_budget=by_budget, policy_version=policy.version
    )
    rows["reason"] = _reasons(rows, floors, budgets, len(policy.limits.steps))
    return rows


def _reasons(
    rows: pd.DataFrame, floors: pd.DataFrame, budgets: pd.DataFrame, steps: int
) -> pd.Series:  # fmt: skip
    """Why so much, in words."""
    own = rows["history"] == OWN_HISTORY
    at_floor = rows["requests_a_day"] <= floors["requests_a_day"]
    of = budgets.set_index("campaign_id")
    shared = rows["by_budget"]
    campaign = rows["campaign_id"].where(shared)
    whole = campaign.map(of["requests_a_day"]).astype("Int64").astype("string")
    many = campaign.map(of["accounts"]).astype("Int64").astype("string")
    usual = rows["usual_requests_a_day"].round(1).astype("string")
    plan = rows["plan"].astype("string")
    return amounts.words({
        "what": rows["requests_a_day"].astype("string") + " requests a day, step "
        + rows["step"].astype("string") + f" of {steps}: ",
        "own": ("a busy day of its own, before there was any evidence, had " + usual).where(own),
        "plan": ("a busy day of honest accounts that pay by " + plan + " had " + usual).where(~own),
        "end": pd.Series(".", index=rows.index),
        "budget": (" Its campaign's " + many + " limited accounts share " + whole
                   + " requests a day.").where(shared),
        "floor": pd.Series(" No limit is lower than its plan's promise and its own history.",
                           index=rows.index).where(at_floor),
    })  # fmt: skip


def _about_capability(
    lake: Lake, date: dt.date, accounts: pd.DataFrame, rows: pd.DataFrame,
    promises: pd.DataFrame, policy: EnforcementPolicy,
) -> pd.DataFrame:  # fmt: skip
    """Rows of `rate_limits` for accounts whose evidence is about one capability: what their
    prompts ask for more than anything else, and far more than honest accounts of their plan."""
    limits = policy.limits
    content = accounts[accounts["content"]]
    asked = history.asked_lately(lake, date, content["account_id"], limits)
    if asked.empty:
        return rows.iloc[:0]
    plans = history.of_plans(lake, date, _suspects(lake, date, policy), limits).set_index("plan")
    names = [marker.name for marker in MARKERS]
    columns = [f"asks_{name}" for name in names]
    share = asked.set_index("account_id").reindex(content["account_id"])[columns]
    share = share.to_numpy(np.float64)
    plan = content["plan"].where(content["plan"].notna(), amounts.UNKNOWN_PLAN)
    usual = plans.reindex(plan)[columns].to_numpy(np.float64)
    enough = (share >= limits.capability_share) & (share >= limits.capability_lift * usual)
    excess = np.where(enough, share - usual, -1.0)
    at = excess.argmax(axis=1)
    about = excess.max(axis=1) > 0
    chosen = content[about]
    usual_share = pd.Series(usual[np.arange(len(at)), at][about], index=chosen.index)
    narrow = rows.loc[chosen.index].copy()
    amount = (*REQUEST_LIMITS, *TOKEN_LIMITS)
    narrow[list(amount)] = amounts.narrowed(
        chosen, narrow[list(amount)], promises.loc[chosen.index], usual_share, limits
    )
    narrow["capability"] = np.array(names)[at[about]] if about.any() else []
    percent = (100 * pd.Series(share[np.arange(len(at)), at][about], index=chosen.index)).round()
    ordinary = (100 * usual_share).round()
    narrow["reason"] = amounts.words({
        "what": narrow["requests_a_day"].astype("string") + " requests a day that ask for "
        + narrow["capability"].astype("string") + ": ",
        "share": percent.astype("Int64").astype("string") + "% of its requests do, of honest "
        "accounts' that pay by " + plan[about].astype("string") + " "
        + ordinary.astype("Int64").astype("string") + "%.",
    })  # fmt: skip
    return narrow


def _arrow(rows: pd.DataFrame, table: Table, date: dt.date) -> pa.Table:
    schema = arrow_schema(table)
    named = rows.assign(date=date)
    return pa.table(
        [pa.array(named[field.name], field.type, from_pandas=True) for field in schema],
        schema=schema,
    )
