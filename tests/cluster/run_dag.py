"""Runs some steps of the night's DAG in this process, without a scheduler:
`python run_dag.py DATE STEP...`. Airflow reads its settings from the environment."""

from __future__ import annotations

import os
import re
import sys

if __name__ == "__main__":
    date, *steps = sys.argv[1:]
    folder = os.environ["AIRFLOW__CORE__DAGS_FOLDER"]
    sys.path.insert(0, folder)
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    bag = DagBag(folder)
    assert bag.import_errors == {}, bag.import_errors
    others = f"(?!({'|'.join(map(re.escape, steps))})$).*"
    run = bag.dags["stillwatch_night"].test(run_conf={"date": date}, mark_success_pattern=others)
    sys.exit(0 if run.state == "success" else f"the run ended {run.state}")
