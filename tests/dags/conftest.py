"""Airflow for the tests of DAGs: a home and a database of its own, made before the first import.

- `database`: the migrated database, for tests that make or run DAG runs in this process.
- `dags`: the project's DAGs as Airflow parses them.
- `recorder`: an executable to put in the place of the command where a test is about what a task
  starts, not about what the command does. It writes down the arguments that reach it.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"

# Airflow reads its settings when it is imported, which is when a test module is.
_HOME = tempfile.mkdtemp(prefix="stillwatch-airflow-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ |= {
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
}
# As Airflow does with a DAG folder.
sys.path.insert(0, str(DAGS))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Airflow's own, whenever it reads .airflowignore.
    quiet = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(quiet)
            # A task's own timeout takes the signal that the other method waits for.
            item.add_marker(pytest.mark.timeout(1200, method="thread"))


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """A task that ran in this process leaves its handler behind."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def database() -> None:
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def stored(database: None, parse: Callable[..., dict[str, DAG]]) -> Callable[[str], Any]:
    """`stored(dag_id)` is the DAG as the scheduler has it, after the DAG processor stored it."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session

    parse()
    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    for bundle in manager.get_all_dag_bundles():
        bundle.initialize()
        bag = BundleDagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
        sync_bag_to_db(bag, bundle.name, bundle.version)

    def latest(dag_id: str) -> Any:
        with create_session() as session:
            found = session.scalar(SerializedDagModel.latest_item_select_object(dag_id))
            return found.dag

    return latest


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, DAG]]]:
    """`parse(STILLWATCH_ENGINE="spark")` reads the DAG folder with those settings."""
    from airflow.dag_processing.dagbag import DagBag

    def forget() -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "stillwatch_dags"]:
            del sys.modules[name]

    def read(**settings: str) -> dict[str, DAG]:
        forget()
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        bag = DagBag(str(DAGS))
        assert bag.import_errors == {}
        return dict(bag.dags)

    yield read
    forget()


@pytest.fixture
def dags(parse: Callable[..., dict[str, DAG]]) -> dict[str, DAG]:
    return parse()


class Recorder:
    """What was started: one list of arguments for each time."""

    def __init__(self, folder: Path) -> None:
        self._calls = folder / "calls"
        self._calls.touch()
        self.executable = folder / "stillwatch"
        self.executable.write_text(
            f"#!{sys.executable}\n"
            "import json, os, sys\n"
            f"with open({str(self._calls)!r}, 'a') as calls:\n"
            "    print(json.dumps([sys.argv[1:], dict(os.environ)]), file=calls)\n"
        )
        self.executable.chmod(0o755)

    @property
    def arguments(self) -> list[list[str]]:
        return [call[0] for call in self._read()]

    @property
    def environments(self) -> list[dict[str, str]]:
        return [call[1] for call in self._read()]

    def _read(self) -> list[list]:
        return [json.loads(line) for line in self._calls.read_text().splitlines()]


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder(tmp_path)
    monkeypatch.setenv("STILLWATCH_COMMAND", str(made.executable))
    monkeypatch.setenv("STILLWATCH_LAKE", "/srv/lake")
    monkeypatch.setenv("STILLWATCH_LANDING", "/srv/landing")
    return made
