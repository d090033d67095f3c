"""The truth of a world, written apart from its landing: no job may read it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.simulator.population import DAY
from jobs.simulator.world import Tally, World

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _days(world: World, second: NDArray[np.int64]) -> pa.Array:
    """Dates of moments, within the world's days; null where beyond them."""
    day = second // DAY
    start = np.datetime64(world.settings.start, "D")
    beyond = day >= world.settings.days
    return pa.array(start + np.clip(day, -36_500, 36_500).astype("timedelta64[D]"), pa.date32(),
                    mask=beyond)  # fmt: skip


def truth_accounts(world: World) -> pa.Table:
    """One row an account: what it is, whose it is, how long it lived, whom it replaced."""
    a = world.accounts
    names = pa.array([o.name for o in world.operations] or [""], pa.string())
    tactics = pa.array([o.tactic for o in world.operations] or [""], pa.string())
    number = pa.array(a["campaign"], mask=a["campaign"] < 0)
    replaced = pa.array(a["replaces"], mask=a["replaces"] < 0)
    mixed = np.zeros(len(a["key"]), bool)
    # An account mixes where it has work and, at the same time, something that hides it.
    w = world.workloads
    works, covers = np.zeros_like(mixed), np.zeros_like(mixed)
    works[w["account"][w["work"]]] = True
    covers[w["account"][~w["work"]]] = True
    mixed = works & covers
    return pa.table(
        {
            "account_id": world.names["account"],
            "class": pa.array(a["class_"].tolist(), pa.string()),
            "kind": pa.array(a["kind"].tolist(), pa.string()),
            "campaign": names.take(number),
            "tactic": tactics.take(number),
            "role": pa.array(a["role"].tolist(), pa.string()),
            "mixed": pa.array(mixed),
            "first_day": _days(world, np.maximum(a["begin_s"], 0)),
            "last_day": _days(world, a["end_s"]),
            "replaced_account_id": world.names["account"].take(replaced),
        }
    )


def truth_campaigns(world: World) -> pa.Table:
    """One row an operation, resale included."""
    start = world.settings.start
    rows = []
    for number, o in enumerate(world.operations):
        members = world.accounts["campaign"] == number
        rows.append(
            {
                "campaign": o.name,
                "class": o.class_,
                "tactic": o.tactic,
                "first_day": start + timedelta(days=o.start_day),
                "last_day": None if o.end_day is None else start + timedelta(days=o.end_day),
                "labelled": o.labelled,
                "known_as": o.known_as if o.labelled else None,
                "accounts": int(members.sum()),
                "seats": int((members & (world.accounts["replaces"] < 0)).sum()),
            }
        )
    schema = pa.schema(
        [("campaign", pa.string()), ("class", pa.string()), ("tactic", pa.string()),
         ("first_day", pa.date32()), ("last_day", pa.date32()), ("labelled", pa.bool_()),
         ("known_as", pa.string()), ("accounts", pa.int64()), ("seats", pa.int64())]
    )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=schema)


def write_truth(world: World, tallies: list[Tally], truth: Path) -> None:
    """Write accounts, campaigns, exchanges by landing day, and the dirt that was put in."""
    truth.mkdir(parents=True, exist_ok=True)
    tables = {
        "accounts": truth_accounts(world),
        "campaigns": truth_campaigns(world),
        "exchanges": pa.concat_tables([tally.exchanges for tally in tallies]),
        "dirt": pa.Table.from_pylist([row for tally in tallies for row in tally.dirt]),
    }
    for name, table in tables.items():
        pq.write_table(table, truth / f"{name}.parquet", store_schema=False)
