"""Which landing date a run processes, asked of runs that Airflow itself has made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def date_of(dags):
    """The rule that the DAGs' templates call."""
    return dags["stillwatch_night"].user_defined_macros["landing_date"]


def manual(run_after: str, logical_date: str | None = None) -> SimpleNamespace:
    """A manual run as Airflow stores it; the interval it makes up for one is left out."""
    return SimpleNamespace(
        run_type="manual",
        run_after=at(run_after),
        logical_date=logical_date and at(logical_date),
        data_interval_start=None,
    )


class TestScheduled:
    @pytest.fixture
    def make(self, stored):
        """`make(dag_id, last)`: the run that the scheduler stores after the one begun at `last`."""
        from airflow.timetables.base import DataInterval, TimeRestriction
        from airflow.utils.session import create_session
        from airflow.utils.state import DagRunState
        from airflow.utils.types import DagRunTriggeredByType, DagRunType
        from pendulum import instance

        def run(dag_id: str, last: datetime):
            dag = stored(dag_id)
            info = dag.timetable.next_dagrun_info(
                last_automated_data_interval=DataInterval(
                    instance(last - timedelta(days=1)), instance(last)
                ),
                restriction=TimeRestriction(None, None, catchup=True),
            )
            with create_session() as session:
                return dag.create_dagrun(
                    run_id=f"scheduled__{info.logical_date.isoformat()}",
                    logical_date=info.logical_date,
                    data_interval=info.data_interval,
                    run_after=info.run_after,
                    run_type=DagRunType.SCHEDULED,
                    triggered_by=DagRunTriggeredByType.TIMETABLE,
                    state=DagRunState.QUEUED,
                    session=session,
                )

        return run

    def test_a_night_starts_at_three_and_does_the_day_that_is_over(self, make, date_of):
        run = make("stillwatch_night", at("2026-05-03T03:00"))
        assert run.run_after == at("2026-05-04T03:00")
        assert date_of(run, {"date": None}) == "2026-05-03"

    def test_upkeep_at_noon_counts_from_the_night_before_it(self, make, date_of):
        run = make("stillwatch_upkeep", at("2026-05-03T12:00"))
        assert run.run_after == at("2026-05-04T12:00")
        assert date_of(run, {"date": None}) == "2026-05-03"

    def test_a_date_for_a_whole_series_is_refused(self, make, date_of):
        run = make("stillwatch_night", at("2026-06-03T03:00"))
        with pytest.raises(ValueError, match="every run of the series process the same night"):
            date_of(run, {"date": "2026-05-01"})


class TestBackfill:
    @pytest.fixture
    def backfill(self, stored):
        """`backfill(first, end)`: the runs of Airflow's own backfill, in its order."""
        from airflow.models.backfill import BackfillDagRun, ReprocessBehavior, _create_backfill
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        stored("stillwatch_night")

        def runs(first: str, end: str, **options):
            made = _create_backfill(
                dag_id="stillwatch_night",
                from_date=at(first),
                to_date=at(end),
                max_active_runs=10,
                dag_run_conf=None,
                triggering_user_name="test",
                **{"reverse": False, "reprocess_behavior": ReprocessBehavior.FAILED, **options},
            )
            with create_session() as session:
                session.get(type(made), made.id).completed_at = datetime.now(UTC)
                return list(
                    session.scalars(
                        select(DagRun)
                        .join(BackfillDagRun, BackfillDagRun.dag_run_id == DagRun.id)
                        .where(BackfillDagRun.backfill_id == made.id)
                        .order_by(BackfillDagRun.sort_ordinal)
                    )
                )

        return runs

    def test_does_the_nights_from_the_first_up_to_the_day_before_the_last(self, backfill, date_of):
        runs = backfill("2026-03-01", "2026-03-04")
        assert {run.run_type for run in runs} == {"backfill"}
        nights = [date_of(run, {"date": None}) for run in runs]
        assert nights == ["2026-03-01", "2026-03-02", "2026-03-03"]

    def test_a_night_waits_for_the_one_before(self, backfill, stored):
        """All may start at once, and of all only the first has a task to start."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session

        dag = stored("stillwatch_night")
        ready = []
        for made in backfill("2026-02-01", "2026-02-04"):
            with create_session() as session:
                run = session.get(DagRun, made.id)
                run.dag = dag
                decision = run.task_instance_scheduling_decisions(session=session)
                ready.append([task.task_id for task in decision.schedulable_tis])
        assert ready == [["ingest"], [], []]

    def test_can_not_run_backwards(self, backfill):
        """Names of campaigns follow from the night before."""
        from airflow.models.backfill import InvalidBackfillDirection

        with pytest.raises(InvalidBackfillDirection):
            backfill("2026-04-01", "2026-04-04", reverse=True)

    def test_leaves_out_a_day_that_is_not_over(self, backfill, date_of):
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        runs = backfill(f"{today - timedelta(days=3)}", f"{today + timedelta(days=1)}")
        nights = [date_of(run, {"date": None}) for run in runs]
        assert nights[0] == (today - timedelta(days=3)).date().isoformat()
        assert nights[-1] < today.date().isoformat()


class TestManual:
    @pytest.mark.parametrize(
        ("run_after", "logical_date", "night", "because"),
        [
            ("2026-05-04T03:00", None, "2026-05-03", "the night of 3 May was just due"),
            ("2026-05-04T23:59", None, "2026-05-03", "4 May is not over"),
            ("2026-05-04T02:59", None, "2026-05-02", "3 May may still be arriving"),
            ("2026-05-04T10:00", "2026-05-04T10:00", "2026-05-03", "the browser fills in now"),
            ("2026-05-04T10:00", "2026-05-04T00:00", "2026-05-03", "today is not over"),
            ("2026-11-22T10:00", "2026-05-03T00:00", "2026-05-03", "airflow dags test DAG DATE"),
            ("2026-11-22T10:00", "2026-05-03T22:30", "2026-05-03", "any hour of that day"),
            ("2026-05-04T10:00", "2027-01-01T00:00", "2026-05-03", "the future has not landed"),
        ],
    )
    def test_without_a_date(self, date_of, run_after, logical_date, night, because):
        assert date_of(manual(run_after, logical_date), {"date": None}) == night, because

    def test_with_a_date(self, date_of):
        assert date_of(manual("2026-11-22T10:00"), {"date": "2026-05-01"}) == "2026-05-01"

    def test_hours_of_another_zone_count_as_utc(self, date_of):
        run = manual("2026-11-22T10:00")
        run.logical_date = datetime.fromisoformat("2026-05-03T22:00:00-07:00")
        assert date_of(run, {}) == "2026-05-04"


class TestDagsTest:
    """`airflow dags test`, which is `DAG.test`: the arguments that reach the command."""

    @pytest.fixture
    def started(self, database, recorder, dags):
        def run(**options) -> list[str]:
            result = dags["stillwatch_training"].test(**options)
            assert result.state == "success"
            return recorder.arguments[-1]

        return run

    def test_a_date_is_the_night(self, started):
        arguments = started(logical_date=at("2026-05-03T00:00"))
        assert arguments == ["train", "--force", "--date", "2026-05-03", "--lake", "/srv/lake"]

    def test_no_date_is_the_last_night_that_was_due(self, started):
        due = (datetime.now(UTC) - timedelta(hours=3)).date() - timedelta(days=1)
        assert started()[3] == due.isoformat()

    def test_the_parameter_wins(self, started):
        arguments = started(logical_date=at("2026-05-05T00:00"), run_conf={"date": "2026-05-01"})
        assert arguments[3] == "2026-05-01"
