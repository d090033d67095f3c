"""How right actions were as people judged them, how long that took, and what was overturned.

A unit is a campaign, or an account outside any: accounts of one campaign are decided together, and
counted one by one they would make an interval narrow that rests on one judgement.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from jobs.catalog.desk_tables import APPEALED, CAMPAIGN_SUBJECT, FINDINGS, OVERTURNED, UPHELD
from jobs.catalog.enforcement import LADDER
from jobs.explaining.explain import scored_night
from jobs.reviews.intervals import Share, share_of

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

GUILTY = ("distillation", "resale")
#: What people call the part of a table that is in no campaign, or of no known country.
NO_CAMPAIGN, NO_COUNTRY = "no campaign", "unknown"


@dataclass(frozen=True)
class Precision:
    """Units with an action of which people judged the accounts, and those found guilty: by
    majority of a unit's judged accounts. `by` is what the name divides by."""

    by: str
    name: str
    right: Share
    accounts: int
    accounts_right: int


@dataclass(frozen=True)
class Delay:
    """Nights from the first on which a unit sent a request to the first on which the decision
    counts; quartiles null without any."""

    kind: str
    units: int
    quarter: float | None
    median: float | None
    three_quarters: float | None


@dataclass(frozen=True)
class Overturned:
    """What was overturned: of the findings on accounts that were contested and answered, and of
    the accounts that people ever found guilty."""

    by: str
    name: str
    of_appeals: Share
    of_found: Share
    waiting: int


@dataclass(frozen=True)
class Outcomes:
    first: dt.date
    last: dt.date
    decisions: int
    precision: list[Precision]
    delays: list[Delay]
    overturned: list[Overturned]


def outcomes(lake: Lake, first: dt.date | None = None, last: dt.date | None = None) -> Outcomes:
    """What came of the decisions that count from `first` on, as known by `last`."""
    last = last or scored_night(lake, None) + dt.timedelta(days=1)
    every = lake.rows("decisions", None, last).to_pandas()
    first = first or (every["date"].min() if len(every) else last)
    found = findings_of(every, first)
    if len(found):
        ids = set(found["account_id"])
        actions = lake.rows("enforcement_actions", None, last,
                            ["date", "account_id", "action", "expires", "campaign_id"],
                            only={"account_id": ids}).to_pandas()  # fmt: skip
        people = lake.rows("accounts", None, last, ["date", "account_id", "signup_country"],
                           only={"account_id": ids}).to_pandas()  # fmt: skip
        daily = lake.rows("account_daily", None, last, ["date", "account_id"],
                          only={"account_id": ids}).to_pandas()  # fmt: skip
        groups = lake.rows("campaigns", None, last, ["date", "campaign_id", "kind"]).to_pandas()
        members = lake.rows("campaign_members", None, last, ["date", "account_id", "campaign_id"],
                            only={"account_id": ids}).to_pandas()  # fmt: skip
        found = _placed(found, people, groups, members)
    else:
        actions = daily = pd.DataFrame()
    judged = found[found["last"]].reset_index(drop=True)
    return Outcomes(
        first, last, int((every["date"] >= first).sum()) if len(every) else 0,
        precision_of(judged, actions), delays_of(judged, daily), overturned_of(found),
    )  # fmt: skip


def findings_of(decisions: pd.DataFrame, first: dt.date) -> pd.DataFrame:
    """One row for each finding of people on an account, with what came of it until the next one.

    Args:
        decisions: rows of `decisions`, any order.
        first: decisions that count earlier are left out, unless a later one answers them.

    Returns:
        account_id, unit (the campaign decided on, or the account), night, decided (the finding's
        date), said (its verdict), word (benign once overturned), appealed, answered, overturned,
        waiting (an appeal without an answer, and no finding since), action (the rung that the
        finding took), last (whether it is the last word on the account), subject_kind, campaigns
        (those that the decision names); by account, oldest first.
    """
    columns = ["account_id", "unit", "night", "decided", "said", "action", "word", "appealed",
               "answered", "overturned", "waiting", "last", "subject_kind",
               "campaigns"]  # fmt: skip
    if not len(decisions):
        return pd.DataFrame(columns=columns).astype({"last": bool})
    rejected = set(decisions.loc[decisions["verdict"] == "rejected", "answers"].dropna())
    approvals = decisions[decisions["verdict"] == "approved"].dropna(subset=["answers"])
    approved = dict(zip(approvals["answers"], approvals["date"], strict=True))
    counts = ~decisions["decision_id"].isin(rejected) & (
        ~decisions["needs_approval"].astype(bool) | decisions["decision_id"].isin(set(approved))
    )
    # What two decided counts from the second one's word on.
    named = zip(decisions["decision_id"], decisions["date"], strict=True)
    from_then = [max(date, approved.get(name, date)) for name, date in named]
    each = (
        decisions.assign(date=from_then)[counts]
        .explode("accounts")
        .rename(columns={"accounts": "account_id"})
    )
    each = each[each["account_id"].notna()].sort_values(["decided_at", "decision_id"])
    findings = each[each["verdict"].isin(FINDINGS) & (each["date"] >= first)]
    found = findings.rename(columns={"date": "decided", "verdict": "said", "subject": "unit"})
    found = found[["account_id", "unit", "night", "decided", "said", "action", "decided_at",
                   "subject_kind", "campaigns"]]  # fmt: skip
    found = found.assign(finding=range(len(found)))
    # What people said after a finding is about that one until there is another.
    said = pd.merge_asof(each[["account_id", "verdict", "decided_at"]],
                         found[["account_id", "decided_at", "finding"]],
                         on="decided_at", by="account_id")  # fmt: skip

    def later(verdict: str) -> pd.Series:
        rows = said[said["verdict"] == verdict].groupby("finding")["decided_at"].max()
        return found["finding"].map(rows)

    contested, lifted, kept = later(APPEALED), later(OVERTURNED), later(UPHELD)
    found["last"] = ~found.duplicated("account_id", keep="last")
    found["appealed"] = contested.notna()
    found["overturned"] = lifted.notna() & ~(kept > lifted)
    found["answered"] = found["overturned"] | kept.notna()
    answered_last = lifted.where(~(kept > lifted) & lifted.notna(), kept)
    found["waiting"] = found["last"] & contested.notna() & ~(answered_last >= contested)
    found["word"] = found["said"].where(~found["overturned"], "benign")
    return found.sort_values(["account_id", "finding"])[columns].reset_index(drop=True)


def _placed(
    found: pd.DataFrame, people: pd.DataFrame, groups: pd.DataFrame, members: pd.DataFrame
) -> pd.DataFrame:
    """With the country of sign-up, and what the campaign was taken to be on the night decided on:
    the one decided on, or the first that the decision names, or the account's own."""
    last = people.sort_values("date").groupby("account_id")["signup_country"].last()
    country = found["account_id"].map(last).fillna(NO_COUNTRY)
    own = members.rename(columns={"date": "night"}).drop_duplicates(["night", "account_id"])
    placed = found.assign(country=country).merge(own, on=["night", "account_id"], how="left")
    first = placed["campaigns"].map(lambda of: of[0] if of is not None and len(of) else None)
    on_campaign = placed["subject_kind"] == CAMPAIGN_SUBJECT
    named = placed["unit"].where(on_campaign, first.astype("string")).astype("string")
    placed["campaign_id"] = named.fillna(placed["campaign_id"].astype("string")).astype(object)
    kinds = groups.rename(columns={"date": "night"})
    placed = placed.merge(kinds, on=["night", "campaign_id"], how="left")
    return placed.assign(kind=placed["kind"].fillna(NO_CAMPAIGN)).drop(columns="campaign_id")


def precision_of(judged: pd.DataFrame, actions: pd.DataFrame) -> list[Precision]:
    """By rung: that in force on the night decided on, and that which the decision took. By kind
    and country: of all units with an action above `watch`."""
    if not len(judged) or not len(actions):
        return []
    held = judged.merge(actions, on="account_id", suffixes=("", "_row"))
    held = held[(held["date"] <= held["night"]) & (held["expires"] >= held["night"])]
    held = held.sort_values("date").drop_duplicates("account_id", keep="last")
    held = held.assign(rung=held["action_row"])
    taken = judged[judged["action"].notna()].assign(rung=lambda rows: rows["action"])
    both = pd.concat([held, taken])[["account_id", "unit", "kind", "country", "word", "rung"]]
    both = both.drop_duplicates(["account_id", "rung"])
    made = [_precision("rung", rung, both[both["rung"] == rung]) for rung in LADDER]
    above = both[both["rung"] != "watch"].drop_duplicates("account_id")
    for by in ("kind", "country"):
        made += [_precision(by, str(name), rows) for name, rows in above.groupby(by)]
    return [one for one in made if one.accounts]


def _precision(by: str, name: str, rows: pd.DataFrame) -> Precision:
    guilty = rows["word"].isin(GUILTY)
    units = guilty.groupby(rows["unit"]).mean()
    right = share_of(int((units > 0.5).sum()), len(units))
    return Precision(by, name, right, len(rows), int(guilty.sum()))


def delays_of(judged: pd.DataFrame, daily: pd.DataFrame) -> list[Delay]:
    """Of units that were found guilty, over all of them and by finding."""
    guilty = judged[judged["said"].isin(GUILTY)] if len(judged) else judged
    if not len(guilty) or not len(daily):
        return [_delay("all", pd.Series(dtype=float))]
    began = daily.groupby("account_id")["date"].min()
    each = guilty.assign(began=guilty["account_id"].map(began)).dropna(subset=["began"])
    units = each.groupby("unit").agg(began=("began", "min"), decided=("decided", "min"),
                                     said=("said", "first"))  # fmt: skip
    nights = (pd.to_datetime(units["decided"]) - pd.to_datetime(units["began"])).dt.days
    return [
        _delay("all", nights),
        *(_delay(str(kind), nights[units["said"] == kind]) for kind in GUILTY
          if (units["said"] == kind).any()),
    ]  # fmt: skip


def _delay(kind: str, nights: pd.Series) -> Delay:
    if not len(nights):
        return Delay(kind, 0, None, None, None)
    quarter, median, three = (float(nights.quantile(at)) for at in (0.25, 0.5, 0.75))
    return Delay(kind, len(nights), quarter, median, three)


def overturned_of(found: pd.DataFrame) -> list[Overturned]:
    """Of all findings: one that was overturned stays so, whatever was found afterwards."""
    if not len(found):
        return []
    found = found[found["said"].isin(GUILTY)]
    made = [_overturned("all", "all", found)]
    for by in ("kind", "country"):
        made += [_overturned(by, str(name), rows) for name, rows in found.groupby(by)]
    return made


def _overturned(by: str, name: str, rows: pd.DataFrame) -> Overturned:
    lifted, answered = rows["overturned"], rows["answered"]
    return Overturned(
        by, name,
        share_of(int(lifted.sum()), int(answered.sum())),
        share_of(rows["account_id"][lifted].nunique(), rows["account_id"].nunique()),
        int(rows["waiting"].sum()),
    )  # fmt: skip
