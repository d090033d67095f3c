"""Nights on which whole columns hold one value, or nothing: engines take shortcuts there.

Sail puts a constant in place of a column whose file is said to hold one value; the first customer
of a new installation, a test account and a replayed file make such files.
"""

from __future__ import annotations

import datetime as dt

import pytest

from jobs.catalog.steps import STEPS
from jobs.night import run_steps
from jobs.platform.errors import NightStopped
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from tests.landing_days import KEY_HEX, LandingDays, account, request

NIGHTS = [dt.date(2026, 5, 3), dt.date(2026, 5, 4)]


def at(night: dt.date) -> str:
    return f"{night}T10:20:30.123456Z"


@pytest.fixture
def run_night(session, tmp_path, monkeypatch):
    def run(days: LandingDays) -> Lake:
        monkeypatch.setenv("STILLWATCH_TOKEN_KEY", KEY_HEX)
        lake = Lake(Settings(lake=str(tmp_path / "lake"), landing=str(days.root)), session)
        for night in NIGHTS:
            run_steps(lake, night, STEPS, lambda *_: None)
        return lake

    return run


@pytest.mark.parametrize(("accounts", "form"), [(1, "jsonl"), (1, "parquet"), (2, "parquet")])
def test_accounts_that_are_alike_in_all_they_do(run_night, tmp_path, accounts, form):
    days = LandingDays(tmp_path / "landing")
    for night in NIGHTS:
        days.quiet(night)
        days.put(f"accounts/a.{form}", [account(n) for n in range(accounts)], night)
        for number in range(accounts):
            same = {"account_id": f"a{number}", "timestamp": at(night)}
            sent = [request(f"{night}-{number}-{each}", **same) for each in range(5)]
            days.put(f"requests/{number}.{form}", sent, night)
    lake = run_night(days)
    for night in NIGHTS:
        scores = lake.rows("account_scores", night, night).to_pylist()
        assert {row["account_id"] for row in scores} == {f"a{n}" for n in range(accounts)}
        daily = lake.rows("account_daily", night, night, ["requests"])["requests"].to_pylist()
        assert daily == [5] * accounts


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_one_request_again_and_again_is_a_night_and_then_none(run_night, tmp_path, form):
    days = LandingDays(tmp_path / "landing")
    for night in NIGHTS:
        days.quiet(night).put(f"accounts/a.{form}", [account(1)] * 4, night)
        days.put(f"requests/x.{form}", [request(1, timestamp=at(NIGHTS[0]))] * 4, night)
    with pytest.raises(NightStopped, match=f"{NIGHTS[1]}: requests: at least 1 row"):
        run_night(days)
    lake = Lake(Settings(lake=str(tmp_path / "lake")))
    assert lake.count("requests", NIGHTS[0]) == 1
    assert lake.count("account_scores", NIGHTS[0]) == 1
    landed = {row["date"]: row for row in lake.rows("landing_files").to_pylist()
              if row["file"].endswith(f"x.{form}")}  # fmt: skip
    assert [landed[night]["duplicates"] for night in NIGHTS] == [3, 4]
