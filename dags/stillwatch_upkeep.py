"""
# Upkeep

Every noon: joins small files of the lake's tables, deletes nights that are older than the
catalogue keeps them, and removes the files that no version needs any more.

It has a schedule of its own, and does not wait for the night, because text must go after the
days that were promised, also in a week in which the nights fail.

**If it is late**, tables grow and reads slow down, which nobody notices in a day. What does not
wait is retention: `request_text` must not be older than the catalogue says. Mend it the same day.

## When it is red
The log's last line says why. Mostly the lake is not reachable, or a night is still at work: clear
the task when that is over. Running it twice does no harm.

## How to run it
*Trigger*, with `date` to have ages counted from that landing date and not from the last. There is
nothing to backfill: one run does what those before it did not.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from jobs.catalog.tables import TABLES
from stillwatch_dags import settings
from stillwatch_dags.landing_date import EVERY_NOON, LANDING_DATE
from stillwatch_dags.tables import assets
from stillwatch_dags.tasks import MACROS, lake_task

with DAG(
    dag_id="stillwatch_upkeep",
    description="Compaction, retention by the catalogue, and vacuum of the lake's tables.",
    doc_md=__doc__,
    schedule=EVERY_NOON,
    start_date=settings.START_DATE,
    # One run does the work of any that were missed.
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-engineering"},
    params={"date": settings.date_param(), "lake": settings.lake_param()},
    user_defined_macros=MACROS,
    tags={"stillwatch", "daily"},
) as upkeep:
    lake_task(
        task_id="upkeep",
        doc_md="Compact, apply retention, vacuum.",
        arguments=["upkeep", "--date", LANDING_DATE, "--lake", settings.LAKE],
        retries=2,
        execution_timeout=timedelta(hours=3),
        inlets=assets(TABLES),
    )
