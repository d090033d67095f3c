"""From which score on was each action possible on this night, and how many are wrong there?

Part of the step `decide`, which acts from these scores on. Reads two columns of the night's
account_scores in this process, and what people called benign; writes thresholds. The method, what
it assumes and when it is wrong: models.thresholds.
Harm if late: none by itself, nothing is decided without it.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.enforcement import EnforcementPolicy
from jobs.catalog.enforcement_tables import THRESHOLDS
from jobs.platform.lake import arrow_schema
from models.thresholds import FLOOR, FalsePositives, Threshold, false_positives

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

#: Columns of scores that thresholds are found from.
SCORED = ["account_id", "distillation_score", "campaign_id"]
#: What raised a threshold, in the words of `raised`.
_RAISED_BY = {"unlabelled": "the night's scores", "benign": "what people called benign"}


def settle(
    lake: Lake, date: dt.date, benign: pa.ChunkedArray, policy: EnforcementPolicy
) -> Mapping[str, float]:
    """Write the night's rows of thresholds; returns the score for each action.

    Args:
        benign: ids of the accounts that people called benign by the night.
    """
    expected = expected_of(lake.rows("account_scores", date, date, SCORED), benign)
    found = found_by(expected, policy)
    lake.replace_night("thresholds", date, rows_of(date, found, expected, policy))
    return {action: threshold.score for action, threshold in found.items()}


def found_by(expected: FalsePositives, policy: EnforcementPolicy) -> dict[str, Threshold]:
    """The threshold of each action of a policy."""
    return {
        rung.action: expected.threshold(
            rung.floor, rung.false_positive_rate, policy.label_confidence
        )
        for rung in policy.rungs
    }


def expected_of(scores: pa.Table, benign: pa.ChunkedArray) -> FalsePositives:
    """False positives to be expected from each distillation score on.

    Args:
        scores: an account a row: account_id, distillation_score, campaign_id (null outside any).
        benign: account ids.
    """
    campaigns = pc.dictionary_encode(scores["campaign_id"].combine_chunks())
    unit = pc.fill_null(campaigns.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    # Who is in no campaign is a unit of one.
    alone = len(campaigns.dictionary) + np.arange(len(unit))
    called = pc.is_in(scores["account_id"], value_set=benign.combine_chunks())
    return false_positives(
        scores["distillation_score"].to_numpy(),
        np.where(unit < 0, alone, unit),
        called.to_numpy().astype(bool),
    )


def rows_of(
    date: dt.date,
    found: Mapping[str, Threshold],
    expected: FalsePositives,
    policy: EnforcementPolicy,
) -> pa.Table:
    """A row of thresholds for each rung."""
    rows = []
    for rung in policy.rungs:
        threshold = found[rung.action]
        rows.append({
            "date": date,
            "action": rung.action,
            "floor": rung.floor,
            "false_positive_rate": rung.false_positive_rate,
            "score": threshold.score if math.isfinite(threshold.score) else None,
            "chosen_by": threshold.chosen_by,
            "estimated_rate": threshold.rate,
            "accounts": threshold.accounts,
            "units": threshold.units,
            "expected_false": threshold.expected_false,
            "honest": expected.honest,
            "benign_known": expected.benign_known,
            "benign_above": threshold.benign_above,
            "policy_version": policy.version,
        })  # fmt: skip
    return pa.Table.from_pylist(rows, schema=arrow_schema(THRESHOLDS))


def raised(lake: Lake, date: dt.date) -> list[str]:
    """A line for each action of the night that was possible from a higher score than its floor."""
    if date not in lake.nights("thresholds"):
        return []
    rows = lake.rows("thresholds", date, date).to_pylist()
    rows = sorted(rows, key=lambda row: row["floor"])
    return [
        f"threshold of {date}: {row['action']} "
        + ("at no score" if row["score"] is None else f"from {row['score']:.3f} on")
        + f" and not from {row['floor']:g}, by {_RAISED_BY[row['chosen_by']]}: there over "
        f"{row['false_positive_rate']:g} of honest units would be met"
        for row in rows
        if row["chosen_by"] != FLOOR
    ]
