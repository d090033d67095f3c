"""
# Training, now

Trains a challenger whether the policy says that training is due or not, registers it, and makes
it the champion if it is better on campaigns that it has not seen. It has no schedule: the night
trains by itself when training is due. Trigger it after labels were corrected, a feature was
added, or a campaign turned up that the champion scores low.

**If it is late or fails**, nothing stops: the champion goes on scoring.

## How to run it
*Trigger*. `date` is the night whose tables it learns from, and the last night that was due if
empty. That night must have been run up to `features`.

## When it is red
The log's last line says why: mostly too few labelled campaigns, or a registry that is not
reachable. Clear the task when that is mended. A challenger that lost is not a failure: the run is
green, and `model_decisions` has the figures. To take back a champion that should not have won:
`stillwatch rollback`.

## Many dates
There is nothing to backfill: a training replaces nothing. For a model as of an old night, trigger
with that `date`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from jobs.catalog.steps import step
from stillwatch_dags import settings
from stillwatch_dags.landing_date import LANDING_DATE
from stillwatch_dags.tables import assets
from stillwatch_dags.tasks import MACROS, engine_task

nightly = step("train")

with DAG(
    dag_id="stillwatch_training",
    description="A challenger now, whether training is due or not.",
    doc_md=__doc__,
    schedule=None,
    start_date=settings.START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "machine-learning"},
    params={"date": settings.date_param(), "lake": settings.lake_param()},
    user_defined_macros=MACROS,
    tags={"stillwatch", "on-demand"},
) as training:
    engine_task(
        task_id="train",
        doc_md=nightly.about,
        arguments=["train", "--force", "--date", LANDING_DATE, "--lake", settings.LAKE],
        # Hours of work that fail for lack of labels fail again.
        retries=1,
        execution_timeout=timedelta(minutes=nightly.timeout_minutes),
        inlets=assets(nightly.reads),
        outlets=assets(nightly.writes),
    )
