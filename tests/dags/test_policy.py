"""What every DAG of the project has, and what the night has by the catalogue."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobs.catalog.steps import STEPS
from jobs.catalog.tables import TABLES

EVERY = ("stillwatch_night", "stillwatch_training", "stillwatch_upkeep")


@pytest.fixture
def night(dags):
    return dags["stillwatch_night"]


@pytest.mark.parametrize("dag_id", EVERY)
class TestEveryDag:
    def test_one_run_at_a_time(self, dags, dag_id):
        assert dags[dag_id].max_active_runs == 1

    def test_has_an_owner_that_owns_tables_too(self, dags, dag_id):
        owners = {task.owner for task in dags[dag_id].tasks}
        assert owners <= {table.owner for table in TABLES.values()}

    def test_can_be_found(self, dags, dag_id):
        assert "stillwatch" in dags[dag_id].tags
        assert dags[dag_id].description

    def test_page_says_what_an_operator_asks(self, dags, dag_id):
        page = " ".join(dags[dag_id].doc_md.split())
        for answer in ("# ", "If it is late", "red", "*Trigger*", "`date`", "backfill"):
            assert answer in page, f"the page of {dag_id} does not speak of {answer!r}"

    def test_tasks_retry_with_growing_pauses_and_end_in_time(self, dags, dag_id):
        for task in dags[dag_id].tasks:
            assert task.retries >= 1
            assert task.retry_exponential_backoff > 1
            assert timedelta(minutes=1) <= task.retry_delay <= task.max_retry_delay
            assert task.execution_timeout is not None

    def test_no_cron_string(self, dags, dag_id):
        """It would give runs without data intervals, and the date rule needs them."""
        assert type(dags[dag_id].timetable).__name__ in (
            "CronDataIntervalTimetable",
            "NullTimetable",
        )


def test_the_night_has_every_step_and_no_other(night):
    assert [task.task_id for task in night.topological_sort()] == [step.name for step in STEPS]


class TestExport:
    @pytest.fixture
    def task(self, parse):
        night = parse(STILLWATCH_EXPORT_TO="/srv/export")["stillwatch_night"]
        return night.get_task("export")

    def test_runs_when_the_night_is_done(self, task):
        assert task.upstream_task_ids == {STEPS[-1].name}
        assert task.downstream_task_ids == set()

    def test_has_what_every_task_has(self, task):
        TestEveryDag().test_tasks_retry_with_growing_pauses_and_end_in_time(
            {"night": task.dag}, "night"
        )
        assert task.depends_on_past and task.ignore_first_depends_on_past

    def test_a_folder_that_is_no_absolute_path_is_refused(self, monkeypatch, dags):
        import importlib

        import stillwatch_dags.settings

        monkeypatch.setenv("STILLWATCH_EXPORT_TO", "out")
        with pytest.raises(ValueError, match="'out': give an absolute path or s3://BUCKET/FOLDER"):
            importlib.reload(stillwatch_dags.settings)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
class TestEveryStep:
    def test_runs_after_what_the_catalogue_says(self, night, step):
        assert night.get_task(step.name).upstream_task_ids == set(step.after)

    def test_tells_airflow_what_it_reads_and_writes(self, night, step):
        task = night.get_task(step.name)
        assert [asset.name for asset in task.inlets] == [f"stillwatch.{n}" for n in step.reads]
        assert [asset.name for asset in task.outlets] == [f"stillwatch.{n}" for n in step.writes]

    def test_has_its_own_limits(self, night, step):
        task = night.get_task(step.name)
        assert task.execution_timeout == timedelta(minutes=step.timeout_minutes)
        assert task.retries == step.retries

    def test_starts_the_command_for_itself(self, night, step):
        assert night.get_task(step.name).arguments[:2] == ["run", step.name]

    def test_waits_for_the_night_before(self, night, step):
        task = night.get_task(step.name)
        assert task.depends_on_past
        # Or a step that a release adds would wait for ever.
        assert task.ignore_first_depends_on_past


def test_training_is_declared_like_the_nights_own(dags):
    (task,) = dags["stillwatch_training"].tasks
    assert [asset.name for asset in task.outlets] == ["stillwatch.model_decisions"]


def test_upkeep_does_not_wait_for_nights(dags):
    """Text goes after the promised days, also in a week in which nights fail."""
    (task,) = dags["stillwatch_upkeep"].tasks
    assert not task.depends_on_past
    assert {asset.name for asset in task.inlets} == {f"stillwatch.{name}" for name in TABLES}


def test_an_asset_says_whose_table_it_is(night):
    assets = {asset.uri: asset for asset in night.get_task("decide").outlets}
    table = TABLES["enforcement_actions"]
    asset = assets["stillwatch://lake/enforcement_actions"]
    assert asset.extra == {"owner": table.owner, "retention_days": table.retention_days}


class TestFirstNight:
    def test_without_one_only_the_last_night_is_made(self, parse):
        assert not parse()["stillwatch_night"].catchup

    def test_with_one_every_night_since_is_made(self, parse):
        night = parse(STILLWATCH_FIRST_NIGHT="2026-05-01")["stillwatch_night"]
        assert night.catchup
        assert night.start_date.isoformat() == "2026-05-01T00:00:00+00:00"
