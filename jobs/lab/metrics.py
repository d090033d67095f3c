"""What was found and who was wronged, from the truth and the tables that enforcement reads.

No Spark and no lake: tables in, figures out. An account is judged by its score on the last night
on which it was scored. Ties count against us: accounts of one score are found together or not at
all, and a threshold that lets one honest account too many through is no threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FALSE_POSITIVE_RATES = (1e-2, 1e-3, 1e-4)
#: The rate at which campaigns and tactics are compared.
JUDGED_RATE = 1e-3
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class WorldTables:
    """A world's truth beside what the judged nights wrote.

    Attributes:
        accounts: truth, an account a row: account_id, class, kind, campaign, tactic.
        operations: truth, an operation a row: campaign, class, tactic, first_day, labelled.
        exchanges: truth, an account and landing date a row: date, account_id, requests,
            work_requests (those of the operation's work), campaign.
        segments: the account system's snapshots: account_id, plan, signup_country, date.
        scores, actions, groups, members: account_scores, enforcement_actions, campaigns and
            campaign_members of the judged nights.
    """

    accounts: pd.DataFrame
    operations: pd.DataFrame
    exchanges: pd.DataFrame
    segments: pd.DataFrame
    scores: pd.DataFrame
    actions: pd.DataFrame
    groups: pd.DataFrame
    members: pd.DataFrame


def threshold(scores: Floats, guilty: Bools, rate: float) -> float:
    """The lowest score that at most floor(rate x honest accounts) honest accounts reach.

    With fewer than 1 / rate honest accounts none may: the threshold then lies above the highest
    honest score. An honest account that ties with distillers keeps them all below the threshold.
    Infinite where no distiller is above it.
    """
    honest = np.sort(scores[~guilty])[::-1]
    allowed = int(np.floor(rate * len(honest) + 1e-9))
    # The first honest account that must stay out; whoever ties with it stays out as well.
    barred = honest[allowed] if allowed < len(honest) else -np.inf
    above = scores[scores > barred]
    return float(above.min()) if len(above) else float("inf")


def recall_at(scores: Floats, guilty: Bools, rate: float) -> float | None:
    """Share of distillers at or above the threshold of the rate; None where there are none."""
    if not guilty.any():
        return None
    return float((scores[guilty] >= threshold(scores, guilty, rate)).mean())


def last_scores(tables: WorldTables) -> pd.DataFrame:
    """An account a row: its truth and its scores on the last night on which it was scored."""
    latest = tables.scores.sort_values("date").drop_duplicates("account_id", keep="last")
    known = tables.accounts[["account_id", "class", "kind", "campaign", "tactic"]]
    rows = latest.merge(known, on="account_id", how="inner")
    rows["guilty"] = rows["class"] == "distillation"
    return rows.sort_values("account_id").reset_index(drop=True)


def judge(tables: WorldTables) -> dict[str, Any]:
    """All figures of a world, as JSON values."""
    rows = last_scores(tables)
    scores, guilty = rows["distillation_score"].to_numpy(), rows["guilty"].to_numpy()
    level = threshold(scores, guilty, JUDGED_RATE)
    acted = first_actions(tables.actions)
    return {
        "accounts": len(rows),
        "guilty": int(guilty.sum()),
        "recall": {f"{rate:g}": recall_at(scores, guilty, rate) for rate in FALSE_POSITIVE_RATES},
        "threshold": level if np.isfinite(level) else None,
        "campaigns": {
            str(op["campaign"]): campaign_figures(tables, op, rows, level, acted)
            for op in tables.operations.to_dict("records")
            if op["class"] == "distillation"
        },
        "honest_kinds": {
            str(kind): acted_on(group["account_id"], tables.actions)
            for kind, group in rows[rows["class"] == "benign"].groupby("kind")
        },
    }


def first_actions(actions: pd.DataFrame) -> pd.Series:
    """account_id -> date of its first action above `watch`."""
    return actions[actions["action"] != "watch"].groupby("account_id")["date"].min()


def acted_on(accounts: pd.Series, actions: pd.DataFrame) -> dict[str, int]:
    """How many of these accounts were ever acted on above `watch`, and ever suspended."""
    mine = actions[actions["account_id"].isin(set(accounts))]
    return {
        "accounts": len(accounts),
        "acted_on": int(mine.loc[mine["action"] != "watch", "account_id"].nunique()),
        "suspended": int(mine.loc[mine["action"] == "suspend", "account_id"].nunique()),
    }


def campaign_figures(
    tables: WorldTables,
    operation: Mapping[Any, Any],
    rows: pd.DataFrame,
    level: float,
    acted: pd.Series,
) -> dict[str, Any]:
    """Figures of one campaign: its accounts' recall, how whole it was found, and how soon."""
    mine = rows[rows["campaign"] == operation["campaign"]]
    pieces = nightly_pieces(tables, operation["campaign"])
    last = pieces[-1] if pieces else None
    return {
        "tactic": str(operation["tactic"]),
        "labelled": bool(operation["labelled"]),
        "accounts": len(mine),
        "recall": float((mine["distillation_score"] >= level).mean()) if len(mine) else None,
        "acted_on": int(mine["account_id"].isin(acted.index).sum()),
        "one_piece": last["share"] if last else None,
        "purity": last["purity"] if last else None,
        "names": len({p["name"] for p in pieces if p["name"] and p["purity"] >= 0.5}),
    }


def nightly_pieces(tables: WorldTables, campaign: str) -> list[dict[str, Any]]:
    """For each night on which members were scored, the detected campaign that holds most of them.

    `share` is of the members scored that night; `purity` is the members' share of the piece's
    own accounts. Of pieces that hold as many, the one whose name sorts first.
    """
    mine = set(tables.accounts.loc[tables.accounts["campaign"] == campaign, "account_id"])
    scored = tables.scores[tables.scores["account_id"].isin(mine)].groupby("date").size()
    found = tables.members.assign(mine=tables.members["account_id"].isin(mine))
    sizes = found.groupby(["date", "campaign_id"])["mine"].agg(["sum", "size"]).reset_index()
    present = tables.scores[["date", "account_id"]].merge(
        found[found["mine"]], on=["date", "account_id"]
    )
    held = present.groupby(["date", "campaign_id"]).size().rename("held").reset_index()
    sizes = held.merge(sizes, on=["date", "campaign_id"])
    best = sizes.sort_values(["date", "held", "campaign_id"], ascending=[True, False, True])
    best = best.drop_duplicates("date").set_index("date")
    pieces = []
    for date, members in scored.sort_index().items():
        if date in best.index:
            row = best.loc[date]
            share, purity = float(row["held"] / members), float(row["sum"] / row["size"])
            pieces.append(
                {"date": date, "share": share, "purity": purity, "name": str(row["campaign_id"])}
            )
        else:
            pieces.append({"date": date, "share": 0.0, "purity": 0.0, "name": None})
    return pieces
