"""How a task does its work: it starts the project's command, or submits it to Spark.

Either way the arguments travel as a list, from the template to the new process. No shell reads
them, so nothing that someone types into a run's parameters can become a command.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from jobs.catalog.steps import STOPPED_EXIT_CODE
from stillwatch_dags import settings
from stillwatch_dags.landing_date import landing_date

#: Macros that the arguments use.
MACROS = {"landing_date": landing_date, "place": settings.place}

#: Three attempts within an hour: long enough for a full disk or an unreachable store to be
#: noticed by its own alarm, short enough for the morning's readers.
RETRYING: dict[str, Any] = {
    "retry_delay": timedelta(minutes=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
}


class CommandOperator(BaseOperator):
    """Runs `stillwatch ARGUMENTS` and fails with the command's own last line."""

    template_fields: Sequence[str] = ("arguments",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"arguments": "json"}
    ui_color = "#e8f0ea"

    def __init__(self, *, arguments: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.arguments = list(arguments)
        self._process = SubprocessHook()

    def execute(self, context: Context) -> None:
        result = self._process.run_command(
            [command(), *self.arguments], env=environment(os.environ)
        )
        if result.exit_code != 0:
            said = result.output or "without a word"
            # A check that stopped the night would stop it again.
            failure = (
                AirflowFailException if result.exit_code == STOPPED_EXIT_CODE else AirflowException
            )
            raise failure(
                f"stillwatch {shlex.join(self.arguments)} exited {result.exit_code}: {said}"
            )
        name_the_night(context)

    def on_kill(self) -> None:
        # It may have ended by itself in the meantime.
        with contextlib.suppress(ProcessLookupError):
            self._process.send_sigterm()


class SubmitOperator(SparkSubmitOperator):
    """Submits `stillwatch ARGUMENTS` to the Spark that the connection `spark_default` names."""

    ui_color = "#f6e7d8"

    def __init__(self, *, task_id: str, arguments: Sequence[str], **kwargs: Any) -> None:
        super().__init__(
            task_id=task_id,
            application=settings.SPARK_APPLICATION,
            application_args=list(arguments),
            properties_file=settings.SPARK_PROPERTIES,
            name=f"stillwatch-{task_id}",
            **kwargs,
        )

    def execute(self, context: Context) -> None:
        super().execute(context)
        name_the_night(context)


def engine_task(*, arguments: Sequence[str], **kwargs: Any) -> BaseOperator:
    """A task that needs the engine: run here on Sail, submitted on Spark."""
    operator = SubmitOperator if settings.ENGINE == "spark" else CommandOperator
    return operator(arguments=arguments, **RETRYING, **kwargs)


def lake_task(*, arguments: Sequence[str], **kwargs: Any) -> BaseOperator:
    """A task that works on the tables' files without an engine."""
    return CommandOperator(arguments=arguments, **RETRYING, **kwargs)


def command() -> str:
    """The command's file: as set, or beside the Python that runs this, or else on the path."""
    chosen = os.environ.get("STILLWATCH_COMMAND")
    beside = Path(sys.executable).with_name("stillwatch")
    found = chosen or (str(beside) if beside.exists() else shutil.which("stillwatch"))
    if not found:
        raise AirflowException(
            "there is no command stillwatch on this worker: install the project's group `jobs`,"
            " or set STILLWATCH_COMMAND to where it is"
        )
    return found


def environment(worker: Any) -> dict[str, str]:
    """The worker's environment without Airflow's own settings: its secrets are no job's."""
    kept = {name: value for name, value in worker.items() if not name.startswith("AIRFLOW__")}
    # So that a line is in the task's log when it is written, not when the step is over.
    return {**kept, "PYTHONUNBUFFERED": "1"}


def name_the_night(context: Context) -> None:
    """Say in each written table's event which date was written, for DAGs that wait for it."""
    night = landing_date(context["dag_run"], context["params"])
    for outlet in context["task"].outlets:
        context["outlet_events"][outlet].extra = {"date": night}
