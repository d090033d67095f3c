"""What a night writes about itself, and what it refuses to start on."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from jobs import night as nights
from jobs.catalog.steps import step
from jobs.platform.errors import LakeError

NIGHT = dt.date(2026, 5, 3)


def never(*_):
    pass


def test_a_step_is_logged_with_its_rows_and_versions(lake, fill):
    fill(lake, "requests", NIGHT, [
        {"request_id": "r1", "account_id": "a1", "status_code": 200, "request_model": "m"},
        {"request_id": "r2", "account_id": "a1", "status_code": 500, "request_model": "m"},
    ])  # fmt: skip
    told = []
    nights.run_steps(lake, NIGHT, [step("rollup")], lambda *said: told.append(said))
    (row,) = lake.rows("run_log").to_pylist()
    assert (row["date"], row["step"], row["outcome"], row["engine"]) == (
        NIGHT, "rollup", "done", "sail")  # fmt: skip
    assert json.loads(row["rows_written"])["account_daily"] == 1
    assert json.loads(row["versions_read"]) == {"requests": lake.version("requests")}
    assert json.loads(row["versions_written"])["account_daily"] == lake.version("account_daily")
    assert row["seconds"] > 0 and row["message"] is None
    assert [(date, name) for date, name, *_ in told] == [(NIGHT, "rollup")]


def test_a_failing_step_is_logged_with_its_line_and_ends_the_night(lake, monkeypatch):
    def broken(*_):
        raise LakeError("no space left")

    monkeypatch.setattr("jobs.rollup.run", broken)
    monkeypatch.setattr(nights, "require_inputs", never)
    with pytest.raises(LakeError, match="no space left"):
        nights.run_steps(lake, NIGHT, [step("rollup"), step("campaigns")], never)
    (row,) = lake.rows("run_log").to_pylist()
    assert (row["step"], row["outcome"], row["message"]) == ("rollup", "failed", "no space left")


@pytest.mark.parametrize(
    ("name", "first"),
    [("rollup", "ingest"), ("train", "features"), ("score", "features"), ("decide", "score")],
)
def test_a_step_whose_input_was_never_made_says_what_to_run(lake, name, first):
    with pytest.raises(LakeError, match=f"run `stillwatch run {first} --date 2026-05-03` first"):
        nights.run_steps(lake, NIGHT, [step(name)], never)
