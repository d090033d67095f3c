"""Rows of limits and budgets for accounts that are held, as known after a night.

The step `limits` calls it with what holds on its night and goes a step tighter or looser;
`jobs.limits.now` calls it with what people decided since and changes no step. So what a gateway
is given in the morning and what the next night begins with come from the same lines.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.enforcement import EnforcementPolicy
from jobs.catalog.limit_tables import (
    ALL,
    OWN_HISTORY,
    PLAN_HISTORY,
    REQUEST_LIMITS,
    TOKEN_LIMITS,
    USUAL,
)
from jobs.catalog.sketch import MARKERS
from jobs.catalog.types import Table
from jobs.limits import amounts, history
from jobs.platform.lake import arrow_schema
from jobs.verdicts import mode_on

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

#: The family of evidence that is about what prompts ask for.
_CONTENT = "content"
_BEFORE = ("step", "renewed_nights", "quiet_nights")
#: Columns of the night before that a limit keeps as long as it lives.
_KEPT = ("since", "history", *USUAL)
_BUDGET_KEPT = ("since", "usual_requests_a_day", "usual_tokens_a_day")


@dataclass(frozen=True)
class Left:
    """What a night left to go on from.

    Attributes:
        night: which one; None before the first.
        limits: an account a row, by id: its step, and what its limit keeps as long as it lives.
        budgets: the same of campaigns.
    """

    night: dt.date | None
    limits: pd.DataFrame
    budgets: pd.DataFrame


def worked_out_by(lake: Lake, date: dt.date) -> dt.date | None:
    """The last night up to a date whose limits were worked out, None for none.

    `plan_usage` tells a night on which nobody was limited, which has no row of `rate_limits`, from
    one that stopped before its limits.
    """
    done = {*lake.nights("rate_limits"), *lake.nights("plan_usage")}
    return max((night for night in done if night <= date), default=None)


def left_by(lake: Lake, night: dt.date | None) -> Left:
    limits = ["account_id", *_BEFORE, *_KEPT]
    budgets = ["campaign_id", *_BEFORE, *_BUDGET_KEPT]
    if night is None:
        return Left(None, pd.DataFrame(columns=limits).set_index("account_id"),
                    pd.DataFrame(columns=budgets).set_index("campaign_id"))  # fmt: skip
    rows = lake.rows("rate_limits", night, night, [*limits, "capability"])
    rows = rows.filter(pc.equal(rows["capability"], ALL)).drop(["capability"])
    shared = lake.rows("campaign_budgets", night, night, budgets)
    return Left(
        night,
        rows.to_pandas(date_as_object=True).set_index("account_id"),
        shared.to_pandas(date_as_object=True).set_index("campaign_id"),
    )


def held_frame(held: pa.Table) -> pd.DataFrame:
    """Actions as `worked_out` takes them, but for `renewed` and `begins`.

    Args:
        held: account_id, campaign_id, evidence, expires, decision_id and more.
    """
    about = _contains(held["evidence"], _CONTENT)
    kept = held.append_column("content", about).drop(["evidence"])
    return kept.sort_by("account_id").to_pandas(date_as_object=True)


def worked_out(
    lake: Lake,
    night: dt.date,
    counts: dt.date,
    held: pd.DataFrame,
    left: Left,
    plans: pd.DataFrame,
    policy: EnforcementPolicy,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `rate_limits` and of `campaign_budgets`.

    Args:
        night: the last night that is known: its accounts, scores, campaigns and days are read.
        counts: the night from which the limits count: `night`, or the one after it.
        held: accounts with a limiting action, in order of id: account_id, campaign_id, expires,
            decision_id, content (whether evidence is about what prompts ask for), renewed (whether
            the evidence was, null: it neither was nor had to be), begins (whether a limit may
            begin, for an account that had none).
        left: what the steps go on from.
        plans: rows of `plan_usage`.
        policy: what is in force.
    """
    accounts = _limited(lake, night, held, left, policy)
    accounts["mode"] = mode_on(lake, counts)
    usage = plans.set_index("plan")
    accounts = _with_history(lake, night, counts, accounts, usage, policy)
    promises = amounts.promised(accounts["plan"], accounts["verified"], policy.promises)
    own, floors = amounts.own_limits(accounts, promises, policy.limits)
    budgets = _budgets(lake, night, counts, accounts, left.budgets, floors, policy)
    rows = limits_of(accounts, promises, own, floors, budgets, policy)
    narrow = _about_capability(lake, night, accounts, rows, promises, usage, policy)
    both = pd.concat([rows, narrow]) if len(narrow) else rows
    return both.sort_values(["account_id", "capability"]), budgets


# Whom


def _limited(
    lake: Lake, night: dt.date, held: pd.DataFrame, left: Left, policy: EnforcementPolicy
) -> pd.DataFrame:
    """Accounts to limit, in order of id, with what is known of each and the step of each."""
    accounts = held.set_index("account_id", drop=False)
    ids = held["account_id"].tolist()
    columns = ["account_id", "plan", "verified_organization", "status"]
    accounts = accounts.join(_indexed(lake, "accounts", night, columns, ids))
    scores = _indexed(lake, "account_scores", night,
                      ["account_id", "distillation_score", "resale_score"], ids)  # fmt: skip
    resells = (scores["resale_score"] > scores["distillation_score"]).rename("resells")
    accounts = accounts.join(resells)
    # A reseller breaks the terms, not the model: nothing is done by itself. Who is closed sends
    # nothing.
    by_policy = accounts["decision_id"].isna()
    spared = accounts["resells"].eq(True) & by_policy
    spared |= accounts["status"].isin(("suspended", "closed"))
    accounts = accounts[~spared].drop(columns=["resells", "status"]).join(left.limits)
    # What a person decided rests on their decision, not on the night's evidence.
    renewed = accounts["renewed"].astype("boolean").mask(accounts["decision_id"].notna())
    accounts["renewed"] = renewed
    step = amounts.stepped(accounts, renewed, len(policy.limits.steps), policy.limits)
    accounts[list(_BEFORE)] = step
    # Relaxed to the end: an action that still holds does not begin a limit again by itself.
    over = accounts["since"].isna() & ~accounts["begins"].astype(bool)
    kept = accounts[(accounts["step"] > 0) & ~over].copy()
    kept["verified"] = kept["verified_organization"]
    kept[list(USUAL)] = kept[list(USUAL)].astype("float64")
    return kept.reset_index(drop=True)


def _contains(lists: pa.ChunkedArray, word: str) -> pa.Array:
    """Whether each list has the word."""
    whole = lists.combine_chunks()
    rows = pc.list_parent_indices(whole)
    found = rows.filter(pc.equal(pc.list_flatten(whole), word))
    return pc.is_in(pa.array(np.arange(len(whole)), rows.type), value_set=found)


def _indexed(
    lake: Lake, name: str, night: dt.date, columns: list[str], accounts: Collection[str]
) -> pd.DataFrame:
    rows = lake.rows(name, night, night, columns, only={"account_id": set(accounts)})
    return rows.to_pandas(date_as_object=True).set_index("account_id")


# What is usual


def _with_history(
    lake: Lake,
    night: dt.date,
    counts: dt.date,
    accounts: pd.DataFrame,
    plans: pd.DataFrame,
    policy: EnforcementPolicy,
) -> pd.DataFrame:
    """Fills in `since`, `history` and what is usual, for those that are new."""
    new = accounts["since"].isna()
    if not new.any():
        return accounts
    accounts = accounts.copy()
    accounts.loc[new, "since"] = _first_evidence(lake, night, counts, accounts[new], policy)
    found = history.own(lake, counts, accounts.loc[new, ["account_id", "since"]], policy.limits)
    found = found.set_index("account_id")
    plan = accounts["plan"].where(accounts["plan"].notna(), amounts.UNKNOWN_PLAN)
    has_own = accounts["account_id"].isin(found.index)
    for name in USUAL:
        # Without a single honest account of the plan the promise is all that is known.
        usual = accounts["account_id"].map(found[name]).astype("float64")
        usual = usual.fillna(plan.map(plans[name]).astype("float64")).fillna(0.0)
        accounts[name] = accounts[name].where(~new, usual)
    kinds = pd.Series(np.where(has_own, OWN_HISTORY, PLAN_HISTORY), index=accounts.index)
    accounts["history"] = accounts["history"].where(~new, kinds)
    return accounts


def _first_evidence(
    lake: Lake,
    night: dt.date,
    counts: dt.date,
    accounts: pd.DataFrame,
    policy: EnforcementPolicy,
) -> pd.Series:
    """The first day of evidence against each account: when it joined its campaign, when that was
    first seen, when anything was first done about it."""
    first = counts - dt.timedelta(days=policy.limits.history_days)
    only = {"account_id": set(accounts["account_id"])}
    actions = lake.rows("enforcement_actions", first, night, ["date", "account_id"], only=only)
    members = lake.rows("campaign_members", night, night,
                        ["account_id", "campaign_id", "joined"], only=only)  # fmt: skip
    seen = lake.rows("campaigns", night, night, ["campaign_id", "first_seen"])
    acted = actions.to_pandas(date_as_object=True).groupby("account_id")["date"].min()
    member = members.to_pandas(date_as_object=True).set_index("account_id")
    group = member["campaign_id"].map(seen.to_pandas(date_as_object=True)
                                      .set_index("campaign_id")["first_seen"])  # fmt: skip
    dates = pd.concat(
        [accounts["account_id"].map(of) for of in (acted, member["joined"], group)], axis=1
    ).apply(pd.to_datetime)  # fmt: skip
    return dates.min(axis=1).fillna(pd.Timestamp(counts)).dt.date


# How much


def _budgets(
    lake: Lake,
    night: dt.date,
    counts: dt.date,
    accounts: pd.DataFrame,
    before: pd.DataFrame,
    floors: pd.DataFrame,
    policy: EnforcementPolicy,
) -> pd.DataFrame:
    """Rows of `campaign_budgets`, in order of campaign."""
    limits = policy.limits
    sums = accounts[["campaign_id", "mode"]].assign(
        accounts=1,
        renewed=accounts["renewed"].fillna(False).astype(bool),
        decided=accounts["renewed"].isna(),
        **{name: floors[name] for name in ("requests_a_day", "tokens_a_day")},
    )
    found = sums.groupby("campaign_id").agg({
        "accounts": "sum", "renewed": "any", "decided": "any", "requests_a_day": "sum",
        "tokens_a_day": "sum", "mode": "max",
    })  # fmt: skip
    found = found[found["accounts"] >= limits.budget_accounts]
    floor = found[["requests_a_day", "tokens_a_day"]].copy()
    found = found.drop(columns=list(floor.columns)).join(before)
    new = found["since"].isna()
    # Evidence that the night renewed makes it tighter. Where there was none, what people decided
    # keeps it as it is, as it keeps their limits.
    renewed = found["renewed"].astype("boolean").mask(~found["renewed"] & found["decided"])
    found[list(_BEFORE)] = amounts.stepped(found, renewed, len(limits.budget_steps), limits)
    # The accounts are limited still: their budget relaxes no further than its first step.
    found["step"] = found["step"].clip(lower=1)
    members = accounts.loc[accounts["campaign_id"].isin(found.index[new]),
                           ["account_id", "campaign_id"]]  # fmt: skip
    usual = history.of_campaigns(lake, night, members, limits).set_index("campaign_id")
    for name in usual.columns:
        fresh = pd.Series(found.index.map(usual[name]), index=found.index, dtype="float64")
        found[name] = found[name].astype("float64").where(~new, fresh.fillna(0.0))
    found["since"] = found["since"].where(~new, counts)
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
    rows["reason"] = _reasons(rows, accounts["plan"], floors, budgets, policy)
    return rows


def _reasons(
    rows: pd.DataFrame,
    plans: pd.Series,
    floors: pd.DataFrame,
    budgets: pd.DataFrame,
    policy: EnforcementPolicy,
) -> pd.Series:
    """Why so much, in words.

    Args:
        plans: what the accounts pay by, which is not always the plan whose promise holds.
    """
    steps, below = len(policy.limits.steps), policy.limits.below_promise
    own = rows["history"] == OWN_HISTORY
    at_floor = rows["requests_a_day"] <= floors["requests_a_day"]
    floor = "its own history" if below else "its plan's promise and its own history"
    of = budgets.set_index("campaign_id")
    shared = rows["by_budget"]
    campaign = rows["campaign_id"].where(shared)
    whole = campaign.map(of["requests_a_day"]).astype("Int64").astype("string")
    many = campaign.map(of["accounts"]).astype("Int64").astype("string")
    usual = rows["usual_requests_a_day"].round(1).astype("string")
    plan = plans.where(plans.notna(), amounts.UNKNOWN_PLAN).astype("string")
    known = rows["usual_requests_a_day"] > 0
    return amounts.words({
        "what": rows["requests_a_day"].astype("string") + " requests a day, step "
        + rows["step"].astype("string") + f" of {steps}: ",
        "own": ("a busy day of its own, before there was any evidence, had " + usual).where(own),
        "plan": ("a busy day of honest accounts that pay by " + plan + " had " + usual).where(
            ~own & known),
        "nothing": ("nothing is known of honest accounts that pay by " + plan).where(~own & ~known),
        "end": pd.Series(".", index=rows.index),
        "budget": (" Its campaign's " + many + " limited accounts share " + whole
                   + " requests a day.").where(shared),
        "floor": pd.Series(f" No limit is lower than {floor}.", index=rows.index).where(
            at_floor & (own | (not below))),
    })  # fmt: skip


def _about_capability(
    lake: Lake,
    night: dt.date,
    accounts: pd.DataFrame,
    rows: pd.DataFrame,
    promises: pd.DataFrame,
    plans: pd.DataFrame,
    policy: EnforcementPolicy,
) -> pd.DataFrame:
    """Rows of `rate_limits` for accounts whose evidence is about one capability: what their
    prompts ask for more than anything else, and far more than honest accounts of their plan."""
    limits = policy.limits
    content = accounts[accounts["content"]]
    asked = history.asked_lately(lake, night, content["account_id"], limits)
    if asked.empty:
        return rows.iloc[:0]
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


def as_rows(frame: pd.DataFrame, table: Table, date: dt.date) -> pa.Table:
    """A data frame in the columns of its table."""
    schema = arrow_schema(table)
    named = frame.assign(date=date)
    return pa.table(
        [pa.array(named[field.name], field.type, from_pandas=True) for field in schema],
        schema=schema,
    )
