"""The scheduler parses DAG files every half minute: it must be quick, quiet and always the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DAGS = Path(__file__).resolve().parents[2] / "dags"
FILES = sorted(DAGS.glob("*.py"))

READ_EACH = """
import json, sys, time, warnings
import airflow.sdk, airflow.providers.standard.hooks.subprocess
import airflow.providers.apache.spark.operators.spark_submit
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
warnings.simplefilter("error")
seconds = {}
for file in sys.argv[2:]:
    began = time.process_time()
    exec(compile(open(file).read(), file, "exec"), {"__name__": file, "__file__": file})
    seconds[file] = time.process_time() - began
print(json.dumps({"seconds": seconds, "modules": sorted(set(sys.modules) - before)}))
"""

SERIALIZE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
bag = DagBag(sys.argv[1])
all_ = {i: DagSerialization.to_dict(d) for i, d in bag.dags.items()}
print(json.dumps(all_, sort_keys=True))
"""


def python(program: str, *arguments: object, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def reading() -> dict:
    """Each DAG file read in a fresh process in which every warning is an error."""
    return json.loads(python(READ_EACH, DAGS, *FILES))


def test_a_file_takes_no_time_beyond_airflows_own_import(reading):
    assert all(seconds < 0.5 for seconds in reading["seconds"].values()), reading["seconds"]


def test_reading_a_file_imports_the_catalogue_and_nothing_heavy(reading):
    ours = {name for name in reading["modules"] if name.split(".")[0] in ("jobs", "models")}
    assert {name for name in ours if not name.startswith("jobs.catalog")} == {"jobs"}
    heavy = {"pyspark", "mlflow", "great_expectations", "pandas", "numpy", "pyarrow", "deltalake"}
    assert {name.split(".")[0] for name in reading["modules"]} & heavy == set()


def test_every_file_holds_one_dag_of_its_own_name(dags):
    assert sorted(dags) == [file.stem for file in FILES]


def test_airflow_reads_the_folder_without_a_warning():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS))
    assert bag.import_errors == {}
    assert bag.captured_warnings == {}


def test_shared_modules_are_not_taken_for_dag_files():
    from airflow.utils.file import list_py_file_paths

    assert sorted(map(Path, list_py_file_paths(str(DAGS)))) == FILES


def test_nothing_changes_from_parse_to_parse(dags):
    """A difference would be a new version of the DAG every half minute."""
    from airflow.serialization.serialized_objects import DagSerialization

    here = {dag_id: DagSerialization.to_dict(dag) for dag_id, dag in dags.items()}
    assert len(here) == len(FILES)
    assert json.dumps(here, sort_keys=True) == python(SERIALIZE, DAGS, PYTHONHASHSEED="7")


def test_an_unknown_engine_is_refused_by_name(monkeypatch, dags):
    import importlib

    import stillwatch_dags.settings

    monkeypatch.setenv("STILLWATCH_ENGINE", "flink")
    with pytest.raises(ValueError, match="'flink'; there are sail and spark"):
        importlib.reload(stillwatch_dags.settings)
