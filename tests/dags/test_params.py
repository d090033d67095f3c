"""What a person may type into the form that starts a run."""

from __future__ import annotations

import pytest

GOOD_PLACES = (
    "/srv/stillwatch/lake",
    "/home/ana/Meine Daten/lake-2",
    "/srv/lake/",
    "/mnt/c/Users/ana@example.org/lake",
    "/data/v1..v2/lake",
    "s3://stillwatch-prod.eu/lake",
)
BAD_PLACES = (
    "lake",
    "./lake",
    "~/lake",
    "-rf",
    "--lake",
    "",
    "/srv/../etc",
    "/srv/lake/..",
    "/..",
    "/../etc",
    "file:///etc",
    "s3://bucket",
    "s3:///lake",
    "s3://key:secret@bucket/lake",
    "s3://bucket/../lake",
    "s3://bucket/$(touch x)",
    "s3a://bucket/lake",
    "gs://bucket/lake",
    "http://example.org/lake",
    "/srv/lake\n",
    "/srv/lake\n--date",
    "/srv/\u0000lake",
    "/srv/lake; rm -rf /",
    "/srv/$(touch x)",
    "/srv/`touch x`",
    "/srv/${HOME}",
    "/srv/lake|tee",
    "/srv/lake&",
    "/srv/'lake",
    '/srv/"lake',
    "/srv/{{ ds }}",
    "/srv/*",
    "/srv\\lake",
    "/" + "x" * 1024,
    ["/srv/lake"],
    7,
)
BAD_DATES = (
    "2026-5-3",
    "20260503",
    "2026-W18-7",
    "03.05.2026",
    "2026-02-30",
    "2026-05-03\n",
    "2026-05-03; ls",
    "2026-05-03T00:00",
    "２０２６-05-03",
    "yesterday",
    "",
    20260503,
)


@pytest.fixture(params=["stillwatch_night", "stillwatch_training", "stillwatch_upkeep"])
def params(request, dags):
    return dags[request.param].params


def accepted(params, name: str, value: object) -> bool:
    from airflow.sdk.exceptions import ParamValidationError

    try:
        params.get_param(name).resolve(value)
    except ParamValidationError:
        return False
    return True


def test_a_run_needs_none_of_them(params):
    params.validate()
    assert set(params.dump().values()) == {None}


def test_each_says_what_it_is_and_what_empty_means(params):
    for name, param in params.items():
        del param
        assert "Empty:" in params.get_param(name).description


def test_a_date_is_a_day_of_the_calendar(params):
    assert accepted(params, "date", "2026-05-03")
    assert accepted(params, "date", "2028-02-29")
    assert [value for value in BAD_DATES if accepted(params, "date", value)] == []


def test_a_lake_is_a_plain_place(params):
    assert [value for value in GOOD_PLACES if not accepted(params, "lake", value)] == []
    assert [value for value in BAD_PLACES if accepted(params, "lake", value)] == []


def test_a_landing_folder_is_a_plain_place(dags):
    params = dags["stillwatch_night"].params
    assert [value for value in GOOD_PLACES if not accepted(params, "landing", value)] == []
    assert [value for value in BAD_PLACES if accepted(params, "landing", value)] == []


def test_airflow_refuses_a_run_with_a_bad_value(stored):
    """Before anything is stored, let alone started."""
    from datetime import UTC, datetime

    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    with pytest.raises(ValueError, match="does not match"):
        stored("stillwatch_night").create_dagrun(
            run_id="manual__bad",
            run_after=datetime.now(UTC),
            conf={"lake": "/srv/$(touch x)"},
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.REST_API,
            state=DagRunState.QUEUED,
        )


class TestPlace:
    @pytest.fixture
    def place(self, dags):
        return dags["stillwatch_night"].user_defined_macros["place"]

    def test_the_parameter_comes_first(self, place, monkeypatch):
        monkeypatch.setenv("STILLWATCH_LAKE", "/srv/lake")
        assert place({"lake": "/other"}, "lake") == "/other"
        assert place({"lake": None}, "lake") == "/srv/lake"

    def test_a_lake_may_lie_in_an_object_store(self, place, monkeypatch):
        monkeypatch.setenv("STILLWATCH_LAKE", "s3://bucket/lake")
        assert place({"lake": None}, "lake") == "s3://bucket/lake"

    @pytest.mark.parametrize("value", [None, "", "build/lake", "gs://bucket/lake"])
    def test_nothing_usable_is_an_error_that_names_both_ways(self, place, monkeypatch, value):
        if value is not None:
            monkeypatch.setenv("STILLWATCH_LAKE", value)
        with pytest.raises(ValueError, match="the parameter 'lake', or set STILLWATCH_LAKE"):
            place({"lake": None}, "lake")
