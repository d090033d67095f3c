"""
# The night

Turns a day's landing folder into scored accounts, campaigns and enforcement actions: one task a
step, in the order of `jobs/catalog/steps.py`. It starts at 03:00 UTC and works on the day that
ended three hours before.

**If it is late**, enforcement goes on applying the last night's actions, and trust-and-safety read
yesterday's campaigns. Campaigns that are under way keep what they draw in the meantime. Nothing
is lost: the landing folders wait.

## When a task is red
Its log ends with one line that says what is wrong and what to do. Two retries, after 5 and 10
minutes, have failed already (a check that stops the night is not tried again), so it needs a
person.

* **`ingest`**: mostly the landing folder is missing or can't be read. Ask the gateway's owners,
  then clear the task.
* **`check_landed`, `check_scored`**: the data is not what the catalogue promises. The line names
  the expectation, how many rows, and an example; Data Docs have the rest. Nothing was published
  downstream. Have the source mended, or change the check in the catalogue, then clear the task.
* **`train`**: mostly too little to learn from, or the registry can't be reached. The champion goes
  on scoring: mark the task as success to let the night end, and tell the model's owners.
* **`export`** (there if `STILLWATCH_EXPORT_TO` is set): mostly its folder can't be written. The
  night itself is whole; those who read the export see the one before.
* **Others**: no disk space, no memory, the lake can't be reached. Mend that, then clear the task.

To **clear** is to run again: select the task, *Clear*, *Downstream*. Every step replaces its own
night and nothing else, so running it twice is the same as once.

## When a task waits
Nights are done in order, since a campaign takes its name from the night before and a window needs
every day in it. So each task waits for the same task of the night before, in `airflow dags test`
too. When the night before has failed, mend it and clear it: this one then goes on by itself. Only
if that night is to stay empty, mark its failed tasks as success.

## One night again, or many
* **One night that Airflow knows:** find its run, clear it.
* **One night by its date:** *Trigger*, and set `date`. Without `date` a manual run does the last
  night that was due.
* **Many:** a backfill, which takes a first date and the day **after** the last:

  ```
  airflow backfill create --dag-id stillwatch_night --from-date 2026-05-01 --to-date 2026-05-04 \\
      --max-active-runs 1 --reprocess-behavior completed
  ```

  does the nights of 1, 2 and 3 May, in order. `--reprocess-behavior failed` leaves those alone
  that succeeded. Changing an old night leaves the nights after it as they were; to have them take
  up the change, backfill up to now.

To have the schedule make up for nights that passed while the scheduler was down, set
`STILLWATCH_FIRST_NIGHT` (see `infra/airflow/airflow.env`). Nights before that one do not wait for
each other: for them `--max-active-runs 1` alone keeps the order.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, BaseOperator

from jobs.catalog.steps import STEPS
from stillwatch_dags import settings
from stillwatch_dags.landing_date import EVERY_NIGHT, LANDING_DATE
from stillwatch_dags.tables import assets
from stillwatch_dags.tasks import MACROS, engine_task, lake_task

with DAG(
    dag_id="stillwatch_night",
    description="A day's requests into scored accounts, campaigns and enforcement actions.",
    doc_md=__doc__,
    schedule=EVERY_NIGHT,
    start_date=settings.START_DATE,
    catchup=settings.CATCHUP,
    max_active_runs=1,
    default_args={
        "owner": "data-engineering",
        # A backfill starts up to ten runs at once, whatever `max_active_runs` says here: this
        # is what keeps its nights in order, from the first night on.
        "depends_on_past": True,
        # A step that a new release adds has no past to wait for.
        "ignore_first_depends_on_past": True,
    },
    params={
        "date": settings.date_param(),
        "landing": settings.landing_param(),
        "lake": settings.lake_param(),
    },
    user_defined_macros=MACROS,
    tags={"stillwatch", "nightly"},
) as night:
    tasks: dict[str, BaseOperator] = {}
    for step in STEPS:
        tasks[step.name] = engine_task(
            task_id=step.name,
            doc_md=step.about,
            arguments=[
                *("run", step.name, "--date", LANDING_DATE),
                *("--landing", settings.LANDING, "--lake", settings.LAKE),
            ],
            retries=step.retries,
            execution_timeout=timedelta(minutes=step.timeout_minutes),
            inlets=assets(step.reads),
            outlets=assets(step.writes),
        )
        for earlier in step.after:
            tasks[earlier].set_downstream(tasks[step.name])
    if settings.EXPORT_TO:
        export = lake_task(
            task_id="export",
            doc_md="Write the night's actions in force and its campaigns for other systems.",
            arguments=[
                *("export", "--date", LANDING_DATE, "--lake", settings.LAKE),
                *("--to", settings.EXPORT_TO),
            ],
            retries=2,
            execution_timeout=timedelta(minutes=60),
            inlets=assets(("enforcement_actions", "campaigns")),
        )
        tasks[STEPS[-1].name].set_downstream(export)
