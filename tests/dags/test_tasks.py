"""What a task starts, with which arguments, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from jobs.catalog.steps import STEPS, STOPPED_EXIT_CODE


@pytest.fixture
def operator(dags):
    """`operator(*arguments)`: a task of the night's own kind, outside any DAG."""
    kind = type(dags["stillwatch_night"].get_task("ingest"))

    def make(*arguments: str, **options):
        return kind(task_id="task", arguments=arguments, **options)

    return make


@pytest.fixture
def execute(dags):
    """Runs a task's own `execute`, with as much of a context as it looks at."""

    def run(task):
        from types import SimpleNamespace

        manual = SimpleNamespace(
            run_type="manual", run_after=None, logical_date=None, data_interval_start=None
        )
        task.execute(
            {"task": task, "dag_run": manual, "params": {"date": "2026-05-03"}, "outlet_events": {}}
        )

    return run


class TestNight:
    def test_starts_the_command_once_for_each_step_in_order(self, database, dags, recorder):
        conf = {"date": "2026-05-03", "lake": "/srv/Meine Daten/lake"}
        run = dags["stillwatch_night"].test(logical_date=None, run_conf=conf)
        assert run.state == "success"
        rest = ["--landing", "/srv/landing", "--lake", "/srv/Meine Daten/lake"]
        assert recorder.arguments == [
            ["run", step.name, "--date", "2026-05-03", *rest] for step in STEPS
        ]

    def test_exports_the_night_that_it_made_where_that_is_wanted(self, database, parse, recorder):
        night = parse(STILLWATCH_EXPORT_TO="/srv/export")["stillwatch_night"]
        assert night.test(logical_date=None, run_conf={"date": "2026-05-03"}).state == "success"
        assert [words[1] for words in recorder.arguments[:-1]] == [step.name for step in STEPS]
        assert recorder.arguments[-1] == [
            *("export", "--date", "2026-05-03", "--lake", "/srv/lake", "--to", "/srv/export"),
        ]

    def test_each_written_table_tells_which_night_it_was(self, database, dags, recorder):
        from airflow.models.asset import AssetEvent, AssetModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        run = dags["stillwatch_night"].test(logical_date=None, run_conf={"date": "2026-05-07"})
        with create_session() as session:
            events = session.execute(
                select(AssetModel.name, AssetEvent.extra)
                .join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
                .where(AssetEvent.source_run_id == run.run_id)
            )
            told = {event.name: event.extra for event in events}
        written = {f"stillwatch.{table}" for step in STEPS for table in step.writes}
        assert told == {name: {"date": "2026-05-07"} for name in written}

    def test_upkeep(self, database, dags, recorder):
        assert dags["stillwatch_upkeep"].test(run_conf={"date": "2026-05-03"}).state == "success"
        assert recorder.arguments == [["upkeep", "--date", "2026-05-03", "--lake", "/srv/lake"]]


class TestCommand:
    @pytest.mark.parametrize(
        "hostile",
        [
            "$(touch pwned)",
            "`touch pwned`",
            "; touch pwned #",
            "a\ntouch pwned\n",
            "' || touch pwned || '",
            '" && touch pwned && "',
            "{{ 7 * 7 }}",
            "../../etc",
            "",
        ],
    )
    def test_an_argument_arrives_as_it_is(self, operator, execute, recorder, hostile, tmp_path):
        """Even one that the parameters' patterns would refuse: no shell ever reads it."""
        execute(operator("run", "ingest", "--lake", hostile))
        assert recorder.arguments == [["run", "ingest", "--lake", hostile]]
        assert not list(tmp_path.rglob("pwned"))

    def test_airflows_own_settings_stay_with_airflow(
        self, operator, execute, recorder, monkeypatch
    ):
        monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "secret")
        execute(operator("run", "ingest"))
        (environment,) = recorder.environments
        assert [name for name in environment if name.startswith("AIRFLOW__")] == []
        assert environment["STILLWATCH_LAKE"] == "/srv/lake"

    def test_fails_with_the_commands_own_last_line(self, operator, execute, monkeypatch, tmp_path):
        program = tmp_path / "program"
        program.write_text("#!/bin/sh\necho working\necho 'no landing folder /x' >&2\nexit 1\n")
        program.chmod(0o755)
        monkeypatch.setenv("STILLWATCH_COMMAND", str(program))
        with pytest.raises(Exception, match="run ingest exited 1: no landing folder /x"):
            execute(operator("run", "ingest"))

    @pytest.mark.parametrize(("code", "tried_again"), [(1, True), (STOPPED_EXIT_CODE, False)])
    def test_only_what_may_pass_is_tried_again(
        self, operator, execute, monkeypatch, tmp_path, code, tried_again
    ):
        from airflow.sdk.exceptions import AirflowException, AirflowFailException

        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\necho 'a line' >&2\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("STILLWATCH_COMMAND", str(program))
        with pytest.raises(AirflowException, match="a line") as failed:
            execute(operator("run", "check_landed"))
        assert isinstance(failed.value, AirflowFailException) is not tried_again

    def test_is_found_beside_the_python_that_runs_airflow(self, dags):
        from stillwatch_dags.tasks import command

        assert command() == str(Path(sys.executable).with_name("stillwatch"))
        assert subprocess.run([command(), "--help"], capture_output=True).returncode == 0

    def test_a_task_that_is_killed_leaves_nothing_behind(
        self, database, dags, monkeypatch, tmp_path
    ):
        """At its timeout, as when someone marks it as failed."""
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {tmp_path}/child\nwait\n")
        program.chmod(0o755)
        monkeypatch.setenv("STILLWATCH_COMMAND", str(program))
        monkeypatch.setenv("STILLWATCH_LAKE", "/srv/lake")
        upkeep = dags["stillwatch_upkeep"]
        (task,) = upkeep.tasks
        task.execution_timeout, task.retries = timedelta(seconds=1), 0
        assert upkeep.test().state == "failed"
        child = int((tmp_path / "child").read_text())
        end = time.monotonic() + 5
        while psutil.pid_exists(child) and time.monotonic() < end:
            time.sleep(0.1)
        assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"


class TestSpark:
    @pytest.fixture
    def spark(self, parse, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", '{"conn_type":"spark","host":"local[2]"}')
        monkeypatch.setenv("STILLWATCH_LAKE", "/mnt/lake")
        return parse(STILLWATCH_ENGINE="spark")

    def test_steps_and_training_are_submitted_and_upkeep_is_not(self, spark):
        from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

        def submitted(dag_id: str) -> set[bool]:
            return {isinstance(task, SparkSubmitOperator) for task in spark[dag_id].tasks}

        assert submitted("stillwatch_night") == {True}
        assert submitted("stillwatch_training") == {True}
        assert submitted("stillwatch_upkeep") == {False}

    def test_what_is_submitted(self, spark, database, monkeypatch, tmp_path):
        """The whole way through Airflow, to the process that it starts as spark-submit."""
        program = tmp_path / "spark-submit"
        program.write_text('#!/bin/sh\nfor word; do echo "$word"; done > "$0.words"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        training = spark["stillwatch_training"]
        assert training.test(run_conf={"date": "2026-05-03"}).state == "success"
        words = (tmp_path / "spark-submit.words").read_text().splitlines()
        infra = Path(__file__).resolve().parents[2] / "infra" / "spark"
        assert words[words.index("--master") + 1] == "local[2]"
        assert words[words.index("--properties-file") + 1] == str(infra / "spark-defaults.conf")
        assert words[words.index(str(infra / "submit.py")) + 1 :] == [
            *("train", "--force", "--date", "2026-05-03", "--lake", "/mnt/lake"),
        ]

    def test_order_limits_and_tables_are_the_same(self, spark, parse):
        def shape(dag) -> list[tuple]:
            return [
                (
                    task.task_id,
                    task.upstream_task_ids,
                    task.execution_timeout,
                    task.retries,
                    [asset.name for asset in task.outlets],
                )
                for task in dag.topological_sort()
            ]

        on_spark = shape(spark["stillwatch_night"])
        assert on_spark == shape(parse(STILLWATCH_ENGINE="sail")["stillwatch_night"])

    def test_arguments_are_the_same(self, spark, parse):
        on_spark = [task.application_args for task in spark["stillwatch_night"].tasks]
        on_sail = parse(STILLWATCH_ENGINE="sail")["stillwatch_night"].tasks
        assert on_spark == [task.arguments for task in on_sail]
