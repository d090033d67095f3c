"""What a shadow policy or model would have done, beside what was done.

Apart from the step that writes the shadow's nights (jobs.shadow), so that pages and commands can
compare without an engine.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.shadow_tables import SHADOW_ACTIONS, SHADOW_NIGHTS
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

if TYPE_CHECKING:
    from jobs.platform.lake import Lake


@dataclass(frozen=True)
class Comparison:
    """What a shadow would have done beside what was done, on the nights that have both.

    nights: those that have a shadow. faults: those on which it could not be made, with the reason.
    models: models of the shadow's own, oldest first; none where it decided on the scores in force.
    shadow, done: what came of the actions. only_shadow, only_done: accounts that one touched and
    the other did not, as rows of `Outcome.touched`.
    """

    nights: tuple[dt.date, ...]
    faults: dict[dt.date, str]
    models: tuple[str, ...]
    shadow: Outcome
    done: Outcome
    only_shadow: pa.Table
    only_done: pa.Table


def shadow_nights(lake: Lake, first: dt.date, last: dt.date) -> list[dict[str, Any]]:
    """Rows of shadow_nights, oldest first; none on a lake where no shadow was ever set."""
    if not lake.exists(SHADOW_NIGHTS.name):
        return []
    rows: list[dict[str, Any]] = (
        lake.rows(SHADOW_NIGHTS.name, first, last).sort_by("date").to_pylist()
    )
    return rows


def compared(lake: Lake, first: dt.date, last: dt.date) -> Comparison:
    """Compare shadow_actions with enforcement_actions over the nights from `first` to `last`.

    Needs no engine and writes nothing. Actions of nights without a shadow count on neither side,
    also not for requests: else what was done would have those that it had met before the shadow
    began. Those of earlier nights with a shadow that still held when the first began do.

    Raises:
        LakeError: no night of these has a shadow.
    """
    rows = shadow_nights(lake, first, last)
    nights = [row["date"] for row in rows if row["fault"] is None]
    if not nights:
        said = f" ({rows[-1]['fault']})" if rows else ""
        raise LakeError(
            f"no night from {first} to {last} has a shadow on {lake.root}{said}: set "
            "STILLWATCH_SHADOW_POLICY or STILLWATCH_SHADOW_MODEL before the night runs"
        )
    begin, end = nights[0], nights[-1]
    shadow = stored_actions(lake, SHADOW_ACTIONS.name, begin, end)
    done = stored_actions(lake, "enforcement_actions", begin, end)
    shadowed = lake.rows(SHADOW_NIGHTS.name, None, end)
    shadowed = shadowed.filter(pc.is_null(shadowed["fault"]))["date"]
    done = done.filter(pc.is_in(done["date"], value_set=shadowed.combine_chunks()))
    world = world_of(lake, begin, end, accounts_of(shadow, done))
    one, other = outcome(shadow, world), outcome(done, world)
    return Comparison(
        tuple(nights),
        {row["date"]: row["fault"] for row in rows if row["fault"] is not None},
        tuple(dict.fromkeys(row["model_version"] for row in rows if row["model_version"])),
        one,
        other,
        *compared_with(one, other),
    )


def comparison_as_json(of: Comparison) -> dict[str, Any]:
    """A comparison in plain values."""
    return {
        "from": of.nights[0].isoformat(),
        "to": of.nights[-1].isoformat(),
        "nights": len(of.nights),
        "faults": {night.isoformat(): fault for night, fault in of.faults.items()},
        "models": list(of.models),
        "shadow": as_json(of.shadow),
        "done": as_json(of.done),
        "only_shadow": accounts_as_json(of.only_shadow),
        "only_done": accounts_as_json(of.only_done),
    }
