"""What a night says to other systems: its actions in force, its campaigns, and in which mode."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from jobs import verdicts
from jobs.catalog.desk_tables import ENFORCE
from jobs.catalog.tables import TABLES
from jobs.platform.errors import LakeError
from jobs.platform.lake import Lake, arrow_schema

ACTIONS, CAMPAIGNS = "enforcement_actions", "campaigns"


@dataclass(frozen=True)
class Night:
    """One night, in tables that are sorted, so that what is made of them is the same each time."""

    date: dt.date
    #: observe or enforce: what the next night goes by.
    mode: str
    policy_versions: tuple[str, ...]
    model_versions: tuple[str, ...]
    #: Columns of enforcement_actions, by account.
    actions: pa.Table
    #: Columns of campaigns, by campaign.
    campaigns: pa.Table

    @property
    def enforcing(self) -> bool:
        return self.mode == ENFORCE

    @property
    def ended(self) -> dt.datetime:
        """The end of its day, UTC: the time of what it tells."""
        return dt.datetime.combine(self.date + dt.timedelta(days=1), dt.time(), dt.UTC)


def load_night(lake: Lake, date: dt.date | None = None) -> Night:
    """The night, the last one that was decided by default.

    Of the last one, what people have decided since counts already.

    Raises:
        LakeError: the night was not decided: it did not run, or a check stopped it.
    """
    # `decide` writes thresholds on every night, also on one without an action.
    decided = lake.nights("thresholds")
    if not decided:
        raise LakeError(f"no night has been decided on {lake.root}: run one first")
    night = date or decided[-1]
    if night not in decided:
        raise LakeError(
            f"the night of {night} was not decided on {lake.root}; the last one was {decided[-1]}"
        )
    actions = verdicts.actions_in_force(lake, None if night == decided[-1] else night)
    mode = verdicts.mode_on(lake, night + dt.timedelta(days=1))
    said = pa.array([mode] * actions.num_rows, pa.string())
    actions = actions.set_column(actions.column_names.index("mode"), "mode", said)
    return Night(
        date=night,
        mode=mode,
        policy_versions=_distinct(lake, "thresholds", "policy_version", night),
        model_versions=_distinct(lake, "account_scores", "model_version", night),
        actions=_sorted(actions, ACTIONS, "account_id"),
        campaigns=_sorted(lake.rows(CAMPAIGNS, night, night), CAMPAIGNS, "campaign_id"),
    )


def _sorted(rows: pa.Table, name: str, key: str) -> pa.Table:
    schema = arrow_schema(TABLES[name])
    return rows.select(schema.names).cast(schema).sort_by(key)


def _distinct(lake: Lake, name: str, column: str, night: dt.date) -> tuple[str, ...]:
    values = pc.unique(lake.rows(name, night, night, [column])[column])
    return tuple(sorted(str(value) for value in values.to_pylist() if value is not None))


def acted_on_before(lake: Lake, night: dt.date) -> pa.Table:
    """(account_id, campaign_id) of the actions that the night before wrote."""
    before = night - dt.timedelta(days=1)
    return lake.rows(ACTIONS, before, before, ["account_id", "campaign_id"])
