"""What was found and who was wronged, from the truth and the tables that enforcement reads.

No Spark and no lake: tables in, figures out. Judged are the accounts with traffic in the judged
nights, by their score on the last night on which they were scored; one that was never scored
counts as 0. False positive rates are among honest customers: resellers are counted apart for
recall and thresholds, and as accounts that don't distil for everything else. docs/lab.md defines
every figure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from jobs.lab.ranking import brier, pr_auc, precision_of_first, recall_at, threshold, wilson
from models.evaluate import FALSE_POSITIVE_RATES, Judged, precision_recall_curve, reliability

#: The rate at which campaigns and tactics are compared.
JUDGED_RATE = 1e-3
#: From this share of its accounts on, a detected campaign is the true campaign's piece.
PIECE_PURITY = 0.5


@dataclass(frozen=True)
class WorldTables:
    """A world's truth beside what the judged nights wrote.

    Attributes:
        accounts: truth, an account a row: account_id, class, kind, campaign, tactic.
        operations: truth, an operation a row: campaign, class, tactic, labelled.
        exchanges: truth, an account and landing date a row: date, account_id, requests, and
            work_requests, those that serve the operation.
        segments: the account system's snapshots: account_id, plan, signup_country, date.
        scores: account_scores of the judged nights.
        actions: enforcement_actions of the judged nights.
        groups: campaigns of the judged nights.
        members: campaign_members of the judged nights.
    """

    accounts: pd.DataFrame
    operations: pd.DataFrame
    exchanges: pd.DataFrame
    segments: pd.DataFrame
    scores: pd.DataFrame
    actions: pd.DataFrame
    groups: pd.DataFrame
    members: pd.DataFrame

    @property
    def judged(self) -> list[dt.date]:
        """Nights that were scored, oldest first."""
        return sorted(self.scores["date"].unique())


def judge(tables: WorldTables) -> dict[str, Any]:
    """All figures of a world, as JSON values."""
    rows = last_scores(tables)
    figures = ranking_figures(rows)
    level = threshold(*_without_resellers(rows), JUDGED_RATE)
    honest = with_segments(rows[rows["class"] == "benign"], tables.segments)
    return figures | {
        "nights": nightly(tables),
        "campaigns": {
            str(op["campaign"]): campaign_figures(tables, op, rows, level)
            for op in tables.operations.to_dict("records")
            if op["class"] == "distillation"
        },
        "honest": {
            column: acted_on_by(honest, column, tables.actions)
            for column in ("kind", "country", "plan")
        },
        "honest_all": acted_on(set(honest["account_id"]), tables.actions),
        "resellers": reseller_figures(tables, rows, level),
    }


def last_scores(tables: WorldTables) -> pd.DataFrame:
    """A judged account a row: its truth, and its scores on the last night that scored it."""
    judged = tables.exchanges[tables.exchanges["date"].isin(tables.judged)]
    active = set(judged.loc[judged["requests"] > 0, "account_id"])
    known = tables.accounts[["account_id", "class", "kind", "campaign", "tactic"]]
    known = known[known["account_id"].isin(active)]
    latest = tables.scores.sort_values("date").drop_duplicates("account_id", keep="last")
    columns = ["account_id", "date", "distillation_score", "resale_score", "campaign_id"]
    rows = known.merge(latest[columns], on="account_id", how="left")
    scores = ["distillation_score", "resale_score"]
    rows[scores] = rows[scores].astype(float).fillna(0.0)
    rows["guilty"] = rows["class"] == "distillation"
    return rows.sort_values("account_id").reset_index(drop=True)


def ranking_figures(rows: pd.DataFrame) -> dict[str, Any]:
    """What ranking and calibration come to over accounts of (class, guilty, distillation_score)."""
    scores, guilty = _arrays(rows)
    apart = _without_resellers(rows)
    level = threshold(*apart, JUDGED_RATE)
    everyone = Judged(scores, guilty, np.ones(len(rows)))
    return {
        "accounts": len(rows),
        "guilty": int(guilty.sum()),
        "recall": {f"{rate:g}": recall_at(*apart, rate) for rate in FALSE_POSITIVE_RATES},
        "threshold": level if np.isfinite(level) else None,
        "pr_auc": pr_auc(scores, guilty),
        "precision_of_first": {
            str(first): precision_of_first(scores, guilty, first) for first in (100, 1000)
        },
        "brier": brier(scores, guilty),
        "reliability": reliability(everyone),
        "curve": precision_recall_curve(everyone),
    }


def nightly(tables: WorldTables) -> list[dict[str, Any]]:
    """For each judged night: the ranking of the accounts that this night scored."""
    known = tables.accounts[["account_id", "class"]]
    rows = tables.scores[["date", "account_id", "distillation_score"]].merge(known, on="account_id")
    out = []
    rows["guilty"] = rows["class"] == "distillation"
    for date, night in rows.groupby("date"):
        apart = _without_resellers(night)
        out.append({
            "date": str(date),
            "accounts": len(night),
            "guilty": int(night["guilty"].sum()),
            "recall": {f"{rate:g}": recall_at(*apart, rate) for rate in FALSE_POSITIVE_RATES},
            "pr_auc": pr_auc(*_arrays(night)),
        })  # fmt: skip
    return out


def first_actions(actions: pd.DataFrame) -> pd.Series:
    """account_id -> date of its first action above `watch`."""
    return actions[actions["action"] != "watch"].groupby("account_id")["date"].min()


def acted_on(accounts: set[str], actions: pd.DataFrame) -> dict[str, Any]:
    """Of these accounts: ever acted on above `watch`, ever suspended, with Wilson intervals."""
    mine = actions[actions["account_id"].isin(accounts)]
    hits = {
        "acted_on": mine.loc[mine["action"] != "watch", "account_id"].nunique(),
        "suspended": mine.loc[mine["action"] == "suspend", "account_id"].nunique(),
    }
    out: dict[str, Any] = {"accounts": len(accounts)}
    for name, count in hits.items():
        out[name] = int(count)
        out[f"{name}_share"] = count / len(accounts) if accounts else None
        out[f"{name}_interval"] = wilson(int(count), len(accounts))
    return out


def acted_on_by(rows: pd.DataFrame, column: str, actions: pd.DataFrame) -> dict[str, Any]:
    """The same for each value of a column; accounts without one are `unknown`."""
    groups = rows.groupby(rows[column].fillna("unknown").astype(str))["account_id"]
    return {str(value): acted_on(set(accounts), actions) for value, accounts in groups}


def with_segments(rows: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Adds plan and country, as the account system last said."""
    latest = segments.sort_values("date").drop_duplicates("account_id", keep="last")
    latest = latest.rename(columns={"signup_country": "country"})
    return rows.merge(latest[["account_id", "plan", "country"]], on="account_id", how="left")


def campaign_figures(
    tables: WorldTables, operation: Mapping[Any, Any], rows: pd.DataFrame, level: float
) -> dict[str, Any]:
    """Figures of one campaign: its accounts' recall, how whole it was found, and how soon."""
    mine = rows[rows["campaign"] == operation["campaign"]]
    # Those that were banned before the judged nights still stand in detected campaigns.
    ever = members_of(tables.accounts, operation["campaign"])
    pieces = nightly_pieces(tables.scores, tables.members, ever)
    last = pieces[-1] if pieces else None
    return {
        "tactic": str(operation["tactic"]),
        "labelled": bool(operation["labelled"]),
        "accounts": len(mine),
        "recall": float((mine["distillation_score"] >= level).mean()) if len(mine) else None,
        "one_piece": last["share"] if last else None,
        "purity": last["purity"] if last else None,
        "names": len({p["name"] for p in pieces if p["purity"] >= PIECE_PURITY}),
        "acted_on": acted_on(set(mine["account_id"]), tables.actions)["acted_on"],
        **delay(tables, ever),
    }


def members_of(accounts: pd.DataFrame, campaign: str) -> set[str]:
    """All accounts that an operation ever had."""
    return set(accounts.loc[accounts["campaign"] == campaign, "account_id"])


def nightly_pieces(
    scores: pd.DataFrame, members: pd.DataFrame, accounts: set[str]
) -> list[dict[str, Any]]:
    """For each night that scored some of the accounts, the detected campaign with most of those.

    `share` is its share of the accounts scored that night, `purity` the accounts' share of it. Of
    campaigns with as many, the one whose name sorts first; of none, shares of zero.
    """
    scored = scores.loc[scores["account_id"].isin(accounts), ["date", "account_id"]]
    mine = members["account_id"].isin(accounts)
    sizes = members.assign(mine=mine).groupby(["date", "campaign_id"])["mine"].agg(["sum", "size"])
    held = scored.merge(members, on=["date", "account_id"])
    held = held.groupby(["date", "campaign_id"]).size().rename("held").reset_index()
    best = held.sort_values(["date", "held", "campaign_id"], ascending=[True, False, True])
    best = best.drop_duplicates("date").set_index("date")
    pieces: list[dict[str, Any]] = []
    for date, count in scored.groupby("date").size().items():
        piece: dict[str, Any] = {"date": date, "share": 0.0, "purity": 0.0, "name": None}
        if date in best.index:
            name, of = best.at[date, "campaign_id"], best.at[date, "held"]
            theirs, size = sizes.loc[(date, name)]
            piece |= {"share": float(of / count), "purity": float(theirs / size), "name": name}
        pieces.append(piece)
    return pieces


def delay(tables: WorldTables, accounts: set[str]) -> dict[str, Any]:
    """How soon an operation was acted on, and what it had got by then.

    An action holds from the day after its night. Only exchanges of judged nights count: before
    them nobody could act. `leaked_share` is the share of the operation's exchanges up to and on
    the night of each account's own first action above `watch`; `leaked_before_first_share` up to
    and on the night of the first such action on any of its accounts. `nights_to_action` runs from
    its first request, or from the first judged night where that is later, to that action.
    """
    traffic = tables.exchanges[tables.exchanges["account_id"].isin(accounts)]
    work = traffic[traffic["date"].isin(tables.judged)]
    acted = first_actions(tables.actions[tables.actions["account_id"].isin(accounts)])
    total = int(work["work_requests"].sum())
    own = work["account_id"].map(acted)
    leaked = work.loc[own.isna() | (work["date"] <= own), "work_requests"].sum()
    first = acted.min() if len(acted) else None
    before = work if first is None else work[work["date"] <= first]
    begun = traffic.loc[traffic["requests"] > 0, "date"]
    nights = None
    if first is not None and len(begun):
        nights = (first - max(begun.min(), tables.judged[0])).days
    return {
        "exchanges": total,
        "leaked_share": float(leaked / total) if total else None,
        "leaked_before_first_share": (
            float(before["work_requests"].sum() / total) if total else None
        ),
        "nights_to_action": nights,
    }


def reseller_figures(tables: WorldTables, rows: pd.DataFrame, level: float) -> dict[str, Any]:
    """Resellers, and how many of them were taken for distillers.

    That is: an action above `watch` on a night on which their campaign was of kind distillation
    (without a campaign: their distillation score was the higher one), or a distillation score at
    or above the threshold at JUDGED_RATE.
    """
    mine = rows[rows["class"] == "resale"]
    accounts = set(mine["account_id"])
    actions = tables.actions[tables.actions["action"] != "watch"]
    actions = actions.loc[actions["account_id"].isin(accounts), ["date", "account_id"]]
    nights = tables.scores.merge(actions, on=["date", "account_id"]).merge(
        tables.groups[["date", "campaign_id", "kind"]], on=["date", "campaign_id"], how="left"
    )
    alone = nights["kind"].isna() & (nights["distillation_score"] >= nights["resale_score"])
    as_distillers = set(nights.loc[alone | (nights["kind"] == "distillation"), "account_id"])
    above = set(mine.loc[mine["distillation_score"] >= level, "account_id"])
    wrong = as_distillers | above
    return acted_on(accounts, tables.actions) | {
        "taken_for_distillers": len(wrong),
        "taken_share": len(wrong) / len(accounts) if accounts else None,
        "taken_interval": wilson(len(wrong), len(accounts)),
    }


def _arrays(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return rows["distillation_score"].to_numpy(float), rows["guilty"].to_numpy(bool)


def _without_resellers(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Scores and guilt of distillers and honest customers."""
    return _arrays(rows[rows["class"] != "resale"])
