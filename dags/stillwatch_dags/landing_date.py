"""Which landing date a run processes: decided here and nowhere else.

| the run | the landing date |
| --- | --- |
| scheduled, or made by a backfill | the date on which its data interval starts |
| manual, with the parameter `date` | that date |
| manual, for a logical date in the past (also `airflow dags test DAG DATE`) | that date |
| any other | the last date whose night the schedule has made |

The rule looks only at what Airflow stores about the run, never at the clock: a run that is
cleared a month later processes the same date again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

from airflow.sdk import CronDataIntervalTimetable

#: How long after midnight a day's landing folder is taken to be complete: uploads that were
#: begun before midnight have ended, and clocks that differ by minutes do no harm.
SETTLED_AFTER = timedelta(hours=3)

#: The run of the landing date D: interval from D 03:00 to D+1 03:00, started at its end.
#: Not a cron string, which would give a trigger timetable, without intervals.
EVERY_NIGHT = CronDataIntervalTimetable("0 3 * * *", timezone="UTC")

#: The night of D is hours old; the next begins fifteen hours later.
EVERY_NOON = CronDataIntervalTimetable("0 12 * * *", timezone="UTC")

#: The runs that a schedule makes, each for the interval it stands for.
IN_A_SERIES = ("scheduled", "backfill")

#: For operators' arguments; DAGs offer `landing_date` as a macro.
LANDING_DATE = "{{ landing_date(dag_run, params) }}"


class Run(Protocol):
    """What the rule needs to know about a run."""

    run_type: Any
    run_after: datetime
    logical_date: datetime | None
    data_interval_start: datetime | None


def landing_date(run: Run, params: Mapping[str, Any]) -> str:
    """The landing date that `run` processes, as YYYY-MM-DD."""
    asked = params.get("date")
    if run.run_type in IN_A_SERIES:
        if asked:
            raise ValueError(
                f"date={asked} would make every run of the series process the same night:"
                " leave it out, each run has a date of its own"
            )
        if run.data_interval_start is None:
            raise ValueError("a run of a series without a data interval has no date")
        return _utc_date(run.data_interval_start).isoformat()
    if asked:
        return date.fromisoformat(asked).isoformat()
    last_made = _utc_date(run.run_after - SETTLED_AFTER) - timedelta(days=1)
    if run.logical_date is None:
        return last_made.isoformat()
    # The form in the browser fills in the present moment as the logical date: a day that is
    # not over yet.
    return min(_utc_date(run.logical_date), last_made).isoformat()


def _utc_date(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
