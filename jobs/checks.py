"""May what landed, and what was scored, be built upon?

Reads the tables that the step validates (catalog.checks). Writes check_results, keeping the other
step's rows of the night, and the Data Docs in the lake's folder `_data_docs`.
A failed check that stops the line ends the night: nothing downstream is published.
Harm if late: nothing downstream runs; yesterday's actions stay in force until they expire.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from jobs.catalog.checks import CHECKED
from jobs.catalog.tables import CHECK_RESULTS
from jobs.platform import data_docs
from jobs.platform.errors import NightStopped
from jobs.platform.expectations import NightValidator, Outcome, rendered
from jobs.platform.lake import arrow_schema

if TYPE_CHECKING:
    from jobs.platform.lake import Lake


def run(lake: Lake, date: dt.date, step: str) -> None:
    """Validate the tables of one step.

    Raises:
        NightStopped: an expectation that stops the line failed; results and pages are written.
        LakeError: an expectation could not be computed, or a result not written.
    """
    with NightValidator(lake, date) as validator:
        validated = [validator.validate(name) for name in CHECKED[step]]
    outcomes = [outcome for table in validated for outcome in table.outcomes]
    earlier = lake.rows("check_results", date, date)
    lake.replace_night("check_results", date, merged(earlier, date, step, outcomes))
    data_docs.publish(
        lake, date, step, [(v.table.name, v.outcomes, rendered(v)) for v in validated]
    )
    if any(table.stops for table in validated):
        raise NightStopped(reason(date, step, outcomes))


def merged(earlier: pa.Table, date: dt.date, step: str, outcomes: Sequence[Outcome]) -> pa.Table:
    """The night's rows of check_results: those of other steps as they were, this step's anew."""
    kept = [row for row in earlier.to_pylist() if row["step"] != step]
    new = [
        {
            "date": date,
            "step": step,
            "table_name": outcome.table,
            "expectation": outcome.expectation,
            "severity": outcome.severity,
            "passed": outcome.passed,
            "rows": outcome.rows,
            "unexpected": outcome.unexpected,
            "example": outcome.example,
        }
        for outcome in outcomes
    ]
    ordered = sorted(kept + new, key=lambda row: [row[name] for name in CHECK_RESULTS.key])
    return pa.Table.from_pylist(ordered, schema=arrow_schema(CHECK_RESULTS))


def reason(date: dt.date, step: str, outcomes: Sequence[Outcome]) -> str:
    """Why the night ends, on one line: the first failure that stops it, and how many more."""
    failed = [o for o in outcomes if o.severity == "stop" and not o.passed]
    first, others = failed[0], len(failed) - 1
    if first.unexpected == 0:
        found = f"failed ({first.example})" if first.example else "failed"
    else:
        rows = f"{first.unexpected:,} of {first.rows:,} rows"
        counted = rows if first.counts == "rows" else f"{first.unexpected:,} {first.counts}"
        found = f"failed on {counted}"
        found += f", for example {first.example}" if first.example else ""
    more = f" (and {others} more failed)" if others else ""
    return (
        f"{step} {date.isoformat()}: {first.table}: {first.expectation} {found}{more}; "
        "nothing downstream was published"
    )


def check_landed(lake: Lake, date: dt.date) -> None:
    """The step of that name."""
    run(lake, date, "check_landed")


def check_scored(lake: Lake, date: dt.date) -> None:
    """The step of that name."""
    run(lake, date, "check_scored")
