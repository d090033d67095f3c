"""Training rows and held-out rows: forward in time, and no campaign on both sides.

Accounts of one operation resemble each other more than they resemble the next operation. A split
that lets a campaign sit on both sides measures memory; one that tests on older campaigns than it
trained on measures hindsight. So the newest campaigns are held out, and honest accounts that were
seen from then on. Where a lake has too little for that, the next best is done and said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from models.dataset import TrainingSet, lots
from models.definitions import DISTILLATION, HEADS
from models.labels import days

#: Campaigns and honest accounts forward in time.
FORWARD = "forward"
#: Campaigns apart, but too few nights or labels to put every held-out row after the others.
BY_CAMPAIGN = "by campaign"
#: One campaign at most: its accounts are divided. Says little about the next campaign.
BY_ACCOUNT = "by account"

#: Fewer honest rows than this share after the boundary judge nothing; more than this one would
#: starve the training of what honest use looks like.
LEAST_HONEST, MOST_HONEST = 0.1, 0.5


@dataclass(frozen=True)
class Split:
    """Which rows are for training and which are held out, (rows,) bool each, never both."""

    train: np.ndarray
    held_out: np.ndarray
    how: str
    #: Distillation and resale campaigns held out, by name.
    campaigns: tuple[str, ...]
    #: The first night of the held-out distillation campaigns' evidence; none without any.
    boundary: date | None
    notes: tuple[str, ...]


def split(dataset: TrainingSet, share: float) -> Split:
    """Hold out `share` of the campaigns, newest first, and of the honest accounts.

    Args:
        dataset: every row of a group goes to the same side, except in a split by account.
        share: in (0, 1).
    """
    rows = pd.DataFrame(
        {
            "group": dataset.column("group"),
            "campaign": dataset.column("campaign"),
            "label": dataset.column("label"),
            "account_id": dataset.column("account_id"),
            "known": _days(dataset, "known"),
            "day": _days(dataset, "date"),
            "honest": ~(dataset.is_labelled(HEADS[0]) | dataset.is_labelled(HEADS[1])),
        }
    )
    rows["lot"] = lots(rows["group"].to_numpy())
    held, in_time = np.zeros(len(rows), dtype=bool), True
    notes: list[str] = []
    how = FORWARD
    for label in HEADS:
        mine = (rows["label"] == label) & ~rows["honest"]
        groups = _groups(rows[mine])
        if len(groups) >= 2:
            newest, later = _newest(groups, share)
            held |= (mine & rows["group"].isin(newest)).to_numpy()
            in_time = in_time and (later or label != DISTILLATION)
        elif label == DISTILLATION:
            how = BY_ACCOUNT
            held |= mine.to_numpy() & (lots(rows["account_id"].to_numpy()) < share)
            notes.append("one distillation campaign at most: its accounts are divided by lot")
    # A group that holds more than one label stays whole.
    if how != BY_ACCOUNT:
        held = rows["group"].isin(rows["group"][held]).to_numpy()
    guilty = held & ~rows["honest"].to_numpy()
    # Resellers may be known for months; it is the distillation campaigns that must be new.
    new = guilty & (rows["label"] == DISTILLATION).to_numpy()
    # An account's last row is the night of its evidence; the rows before it are its youth.
    latest = rows["day"].groupby(rows["group"]).transform("max").to_numpy()
    evidence = rows["day"].groupby(rows["account_id"]).transform("max").to_numpy()
    start = int(evidence[new].min()) if new.any() else None
    honest, after = _honest(
        rows, latest, start if how == FORWARD and in_time else None, share, notes
    )
    guilty_groups = rows["group"][~rows["honest"]]
    held |= honest & ~rows["group"].isin(guilty_groups).to_numpy()
    if how == FORWARD and not (in_time and after):
        how = BY_CAMPAIGN
        notes.append(
            "too few nights between the campaigns' labels for a boundary in time: "
            "honest accounts are divided by lot"
        )
    campaigns = sorted(set(rows["group"][guilty & rows["campaign"].notna().to_numpy()]))
    boundary = None if start is None else date(1970, 1, 1) + timedelta(days=start)
    return Split(~held, held, how, tuple(campaigns), boundary, tuple(notes))


def _groups(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a group, oldest knowledge first; its name breaks ties by lot."""
    groups = rows.groupby("group").agg(
        known=("known", "min"), day=("day", "min"), lot=("lot", "first"),
        named=("campaign", lambda names: names.notna().any()),
    )  # fmt: skip
    return groups.sort_values(["known", "day", "lot"], kind="stable")


def _newest(groups: pd.DataFrame, share: float) -> tuple[list[str], bool]:
    """Names of the newest groups, and whether they are all later than the others.

    Accounts without a campaign are groups of their own; where there are campaigns as well, each
    kind gives its share, so that hundreds of lone accounts do not crowd out the campaigns.
    """
    chosen: list[str] = []
    for named in (True, False):
        kind = groups[groups["named"] == named]
        size = math.ceil(share * len(kind)) if len(kind) >= 2 else 0
        chosen += list(kind.index[len(kind) - size :])
    rest = groups[~groups.index.isin(chosen)]
    first = groups.loc[chosen, "known"].min()
    return chosen, bool(rest["known"].max() < first)


def _honest(
    rows: pd.DataFrame, latest: np.ndarray, start: int | None, share: float, notes: list[str]
) -> tuple[np.ndarray, bool]:
    """Held-out honest rows, and whether all are from `start` on (else a lot draws them)."""
    honest, lot = rows["honest"].to_numpy(), rows["lot"].to_numpy()
    later = honest & (latest >= start) if start is not None else np.zeros(len(rows), dtype=bool)
    part = later.sum() / max(honest.sum(), 1)
    if part < LEAST_HONEST:
        return honest & (lot < share), False
    if part > MOST_HONEST:
        notes.append("most honest accounts were seen from then on; a part of them is in training")
        return later & (lot < share / part), True
    return later, True


def _days(dataset: TrainingSet, name: str) -> np.ndarray:
    return np.array([days(day) for day in dataset.table[name].to_pylist()], dtype=np.int64)
