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
def run_nights(session, tmp_path, monkeypatch):
    """`run_nights(days)`: the lake after every step, or some, of both nights."""

    def run(days: LandingDays, *names: str) -> Lake:
        monkeypatch.setenv("STILLWATCH_TOKEN_KEY", KEY_HEX)
        lake = Lake(Settings(lake=str(tmp_path / "lake"), landing=str(days.root)), session)
        for night in NIGHTS:
            run_steps(lake, night, [s for s in STEPS if not names or s.name in names], nothing)
        return lake

    return run


def nothing(*_: object) -> None:
    """No progress is shown."""


def alike(days: LandingDays, accounts: int, form: str) -> LandingDays:
    for night in NIGHTS:
        days.quiet(night)
        days.put(f"accounts/a.{form}", [account(n) for n in range(accounts)], night)
        for number in range(accounts):
            same = {"account_id": f"a{number}", "timestamp": at(night)}
            sent = [request(f"{night}-{number}-{each}", **same) for each in range(5)]
            days.put(f"requests/{number}.{form}", sent, night)
    return days


@pytest.mark.parametrize("accounts", [1, 2])
def test_accounts_that_are_alike_in_all_they_do(run_nights, session, tmp_path, accounts):
    lake = run_nights(alike(LandingDays(tmp_path / "landing"), accounts, "parquet"))
    for night in NIGHTS:
        scores = lake.rows("account_scores", night, night).to_pylist()
        assert {row["account_id"] for row in scores} == {f"a{n}" for n in range(accounts)}
        daily = lake.rows("account_daily", night, night, ["requests"])["requests"].to_pylist()
        assert daily == [5] * accounts
    if accounts > 1:
        return
    # Lines make the same tables; what comes after ingest reads nothing else.
    lines = alike(LandingDays(tmp_path / "lines"), accounts, "jsonl")
    other = Lake(Settings(lake=str(tmp_path / "other"), landing=str(lines.root)), session)
    for night in NIGHTS:
        run_steps(other, night, [step for step in STEPS if step.name == "ingest"], nothing)
    for name in ("requests", "accounts"):
        landed, by_lines = (sorted(map(repr, of.rows(name).to_pylist())) for of in (lake, other))
        assert by_lines == landed and len(landed) == (10 if name == "requests" else 2)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_one_request_again_and_again_is_a_night_and_then_none(run_nights, tmp_path, form):
    days = LandingDays(tmp_path / "landing")
    for night in NIGHTS:
        days.quiet(night).put(f"accounts/a.{form}", [account(1)] * 4, night)
        days.put(f"requests/x.{form}", [request(1, timestamp=at(NIGHTS[0]))] * 4, night)
    # Only what has landed can differ by the form.
    steps = () if form == "parquet" else ("ingest", "check_landed")
    with pytest.raises(NightStopped, match=f"{NIGHTS[1]}: requests: at least 1 row"):
        run_nights(days, *steps)
    lake = Lake(Settings(lake=str(tmp_path / "lake")))
    assert lake.count("requests", NIGHTS[0]) == 1
    assert steps or lake.count("account_scores", NIGHTS[0]) == 1
    landed = {row["date"]: row for row in lake.rows("landing_files").to_pylist()
              if row["file"].endswith(f"x.{form}")}  # fmt: skip
    assert [landed[night]["duplicates"] for night in NIGHTS] == [3, 4]
