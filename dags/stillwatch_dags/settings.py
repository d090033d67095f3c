"""What a deployment sets in the environment, and what a run's parameters may override.

Everything here is the same at every parse of a DAG file as long as the environment is: a
difference would make a new version of the DAG.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import Param

#: `sail`: tasks run the command. `spark`: tasks are submitted to Spark.
ENGINE = os.environ.get("STILLWATCH_ENGINE") or "sail"
if ENGINE not in ("sail", "spark"):
    raise ValueError(f"STILLWATCH_ENGINE is {ENGINE!r}; there are sail and spark")

_FIRST_NIGHT = os.environ.get("STILLWATCH_FIRST_NIGHT")
#: With a first night set, the schedule makes every night from it on, also those that passed
#: while the scheduler was down: windows have no gaps. Without one, it makes the last night only,
#: so that a fresh installation does not begin with a year of empty folders.
CATCHUP = bool(_FIRST_NIGHT)
START_DATE = datetime.fromisoformat(_FIRST_NIGHT or "2026-01-01").replace(tzinfo=UTC)

#: Where the night's actions and campaigns are exported to when it is done; none by default.
EXPORT_TO = os.environ.get("STILLWATCH_EXPORT_TO") or None
if EXPORT_TO and not EXPORT_TO.startswith(("/", "s3://")):
    raise ValueError(
        f"STILLWATCH_EXPORT_TO is {EXPORT_TO!r}: give an absolute path or s3://BUCKET/FOLDER"
    )

_INFRA = Path(__file__).resolve().parents[2] / "infra" / "spark"
#: The file that spark-submit runs, as the driver sees it, and the properties to run it with.
SPARK_APPLICATION = os.environ.get("STILLWATCH_SPARK_APPLICATION") or str(_INFRA / "submit.py")
SPARK_PROPERTIES = os.environ.get("STILLWATCH_SPARK_PROPERTIES") or str(
    _INFRA / "spark-defaults.conf"
)

# An absolute path, or a folder of a bucket, without a step up, a quote, or anything else that a
# shell or a template would take for more than a name. Written for Python's and for the browser's
# regular expressions; the end is spelled out since `$` alone lets a newline pass.
PLACE = (
    r"^(?!.*/\.\.(?:/|$))"
    r"(?:s3://[a-z0-9][a-z0-9.-]+)?/[^\u0000-\u001f\u007f'\"`$\\;|&<>*?!{}\[\]()]*$(?!\n)"
)
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)"

#: For operators' arguments; DAGs offer `place` as a macro.
LANDING = "{{ place(params, 'landing') }}"
LAKE = "{{ place(params, 'lake') }}"


def date_param() -> Param:
    return Param(
        None,
        type=["null", "string"],
        format="date",
        pattern=DATE,
        title="Landing date",
        description="UTC date of the landing folder, YYYY-MM-DD. Empty: the last full day.",
    )


def place_param(name: str, about: str) -> Param:
    return Param(
        None,
        type=["null", "string"],
        pattern=PLACE,
        maxLength=1024,
        title=name.capitalize(),
        description=f"{about} Empty: STILLWATCH_{name.upper()} of the worker.",
    )


def landing_param() -> Param:
    return place_param(
        "landing", "Folder in which the gateway's files arrive, as the worker sees it."
    )


def lake_param() -> Param:
    return place_param("lake", "Folder of the Delta tables.")


def place(params: Mapping[str, Any], name: str) -> str:
    """The folder to use: the run's parameter, or else the worker's environment.

    Looked up when the task runs, so that the task's page shows the very folder that was used.
    """
    asked = params.get(name)
    if asked:
        return str(asked)
    variable = f"STILLWATCH_{name.upper()}"
    default = os.environ.get(variable, "")
    if not default.startswith(("/", "s3://")):
        raise ValueError(
            f"no {name} to work on: give the run the parameter {name!r}, or set {variable} to an"
            f" absolute path or s3://BUCKET/FOLDER where the worker runs (it is {default!r})"
        )
    return default
