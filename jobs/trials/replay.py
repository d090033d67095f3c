"""What would another policy have done on nights of the past?

`tried` replays stored nights: their scores, campaigns and accounts, the labels and decisions that
each night knew, and the actions of the replay's own nights before, for what has not expired, caps
and holds. Each night is decided by the functions of the step `decide`. Nothing of the lake is
written.

The policy in force is replayed in the same way, and a file is compared with that replay: what is
stored may have been decided by other versions of policy and code. What is stored stands beside it,
so that a reader sees how far the replay is from what was done.

What a replay can't know: how customers would have answered to other actions. Their requests,
campaigns, scores, labels and decisions stay as they were.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs import decide, thresholds
from jobs.catalog.enforcement import EnforcementPolicy
from jobs.platform.errors import LakeError
from jobs.trials.effects import (
    Outcome,
    accounts_as_json,
    accounts_of,
    as_json,
    compared_with,
    outcome,
    stored_actions,
    world_of,
)
from models.definitions import BENIGN

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

#: What a replay keeps of an action, and what an engine is told of it.
_REPLAYED = pa.schema([
    ("date", pa.date32()), ("account_id", pa.string()), ("action", pa.string()),
    ("proposed", pa.string()), ("campaign_id", pa.string()), ("policy_version", pa.string()),
    ("expires", pa.date32()), ("held_since", pa.date32()), ("held_until", pa.date32()),
])  # fmt: skip
_ON_ENGINE = ", ".join(f"{f.name} {'date' if f.type == pa.date32() else 'string'}"
                       for f in _REPLAYED)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """A policy's replay beside that of the policy in force, and beside what was done.

    nights: those that were replayed. file, in_force: the two replays. stored: the actions that
    the lake has of the same nights. only_file, only_in_force: accounts that one replay touched
    and the other did not, as rows of `Outcome.touched`.
    """

    nights: tuple[dt.date, ...]
    file: Outcome
    in_force: Outcome
    stored: Outcome
    only_file: pa.Table
    only_in_force: pa.Table


def tried(
    lake: Lake,
    policy: EnforcementPolicy,
    first: dt.date,
    last: dt.date,
    progress: Callable[[dt.date], None] = lambda _: None,
) -> Trial:
    """The outcome of a policy on the scored nights from `first` to `last`.

    Both replays begin with the actions that were stored before `first`: as if the file had been
    put in force that night.

    Raises:
        LakeError: none of these nights was scored.
    """
    nights = [night for night in lake.nights("account_scores") if first <= night <= last]
    if not nights:
        raise LakeError(
            f"no night from {first} to {last} was scored on {lake.root}: `stillwatch status` "
            "shows which were"
        )
    in_force = lake.settings.enforcement_policy
    of_file, of_in_force = replayed(lake, nights, (policy, in_force), progress)
    stored = stored_actions(lake, "enforcement_actions", nights[0], nights[-1])
    world = world_of(lake, nights[0], nights[-1], accounts_of(of_file, of_in_force, stored))
    file, against, done = (outcome(actions, world) for actions in (of_file, of_in_force, stored))
    return Trial(tuple(nights), file, against, done, *compared_with(file, against))


def replayed(
    lake: Lake,
    nights: Sequence[dt.date],
    policies: Sequence[EnforcementPolicy],
    progress: Callable[[dt.date], None] = lambda _: None,
) -> list[pa.Table]:
    """What each policy decides on the nights, in their order; columns of enforcement_actions.

    Each comes after the stored actions of the nights before the first, which it began with.
    """
    # A harder policy's actions may hold for longer: both begin with the same.
    begin = min(decide.oldest(nights[0], policy) for policy in policies)
    before = lake.rows("enforcement_actions", begin, nights[0] - dt.timedelta(days=1),
                       _REPLAYED.names).cast(_REPLAYED)  # fmt: skip
    histories = [before for _ in policies]
    for date in nights:
        said = decide.latest_labels(lake, date)
        benign = said.filter(pc.equal(said["said"], BENIGN))["account_id"]
        scores = lake.rows("account_scores", date, date, thresholds.SCORED)
        expected = thresholds.expected_of(scores, benign)
        for at, policy in enumerate(policies):
            found = thresholds.found_by(expected, policy)
            oldest = pa.scalar(decide.oldest(date, policy))
            earlier = histories[at].filter(pc.greater_equal(histories[at]["date"], oldest))
            actions = decide.decided_by(
                lake,
                date,
                policy,
                lake.night("account_scores", date),
                lake.session.createDataFrame(earlier, _ON_ENGINE),
                said,
                {action: threshold.score for action, threshold in found.items()},
            )
            histories[at] = pa.concat_tables([histories[at], _of_night(actions, date)])
        progress(date)
    return histories


def _of_night(actions: pa.Table, date: dt.date) -> pa.Table:
    dated = actions.append_column("date", pa.repeat(pa.scalar(date), actions.num_rows))
    return dated.select(_REPLAYED.names).cast(_REPLAYED)


def trial_as_json(trial: Trial) -> dict[str, Any]:
    """A trial in plain values; accounts by name, as many as there are."""
    return {
        "from": trial.nights[0].isoformat(),
        "to": trial.nights[-1].isoformat(),
        "nights": len(trial.nights),
        "file": as_json(trial.file),
        "in_force": as_json(trial.in_force),
        "stored": as_json(trial.stored),
        "only_file": accounts_as_json(trial.only_file),
        "only_in_force": accounts_as_json(trial.only_in_force),
    }
