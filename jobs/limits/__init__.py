"""How much may each limited account send from this night on, and each campaign as a whole?

Reads the actions in force after `decide`, the steps of the night before, and for who is new
account_daily: what it did before there was evidence, what honest accounts of its plan do, what its
campaign sent. Writes campaign_budgets, rate_limits, and plan_usage, which stands in for the history
of those whom people limit before the next night. While nights renew the evidence limits tighten by
steps, otherwise they relax; what people cleared has no limit from the night on.
Harm if late: yesterday's limits hold; who was cleared since stays limited, and who was limited
since is not, where only tables are read (`jobs.limits.now` asks the decisions themselves).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.enforcement import EnforcementPolicy
from jobs.catalog.limit_tables import CAMPAIGN_BUDGETS, PLAN_USAGE, RATE_LIMITS
from jobs.limits import assembly, history
from jobs.verdicts import CLEARING, decisions_by, standing

if TYPE_CHECKING:
    from jobs.platform.lake import Lake


def run(lake: Lake, date: dt.date) -> None:
    policy = lake.settings.enforcement_policy
    left = assembly.left_by(lake, assembly.worked_out_by(lake, date - dt.timedelta(days=1)))
    plans = history.of_plans(lake, date, _suspects(lake, date, policy), policy.limits)
    actions = held_on(lake, date, policy)
    limiting = pc.is_in(actions["action"], value_set=pa.array(policy.limits.actions))
    held = assembly.held_frame(actions.filter(limiting))
    held["renewed"] = held["date"].eq(date)
    held["begins"] = True if left.night is None else held["date"] > left.night
    rows, budgets = assembly.worked_out(lake, date, date, held, left, plans, policy)
    for table, frame in ((CAMPAIGN_BUDGETS, budgets), (RATE_LIMITS, rows), (PLAN_USAGE, plans)):
        # plan_usage last: it tells that the night was worked out.
        lake.replace_night(table.name, date, assembly.as_rows(frame, table, date))


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


def _suspects(lake: Lake, date: dt.date, policy: EnforcementPolicy) -> pa.Array:
    """Accounts on which any action holds: of honest ones at most a few are among them."""
    longest = max(rung.expires_days for rung in policy.rungs)
    rows = lake.rows("enforcement_actions", date - dt.timedelta(days=longest), date,
                     ["account_id", "expires"])  # fmt: skip
    return pc.unique(rows.filter(pc.greater_equal(rows["expires"], pa.scalar(date)))["account_id"])
