"""Whole nights on a small simulated world: what each step declares, and nights out of order."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from pathlib import Path

import pytest

from jobs import ingest
from jobs.catalog.steps import STEPS
from jobs.night import run_steps
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from jobs.simulator import CampaignPlan, WorldSettings, simulate
from tests.landing_days import KEY_HEX

START = dt.date(2026, 5, 1)
NIGHTS = [START + dt.timedelta(days=n) for n in range(3)]


@pytest.fixture(scope="module")
def landing(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    # One operation from before the first night on: three nights show no other.
    farm = CampaignPlan("template_farm", accounts=30, start_day=-1, labelled=False)
    world = WorldSettings(days=3, accounts=300, seed=11, start=START, workers=1, campaigns=(farm,))
    simulate(folder / "landing", folder / "truth", world, None)
    return folder / "landing"


@pytest.fixture(scope="module")
def in_order(session, landing, tmp_path_factory) -> Lake:
    """The lake after whole nights, one after the other. Read only."""
    folder = tmp_path_factory.mktemp("in-order")
    lake = Lake(Settings(lake=str(folder / "lake"), landing=str(landing)), session)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("STILLWATCH_TOKEN_KEY", KEY_HEX)
        for date in NIGHTS:
            run_steps(lake, date, STEPS, lambda *_: None)
    return lake


def test_nights_score_and_decide_and_read_and_write_what_they_declare(in_order):
    lake = in_order
    assert lake.nights("account_scores") == NIGHTS
    declared = {step.name: step for step in STEPS}
    log = lake.rows("run_log").to_pylist()
    assert Counter(row["step"] for row in log) == dict.fromkeys(declared, 3)
    for row in log:
        step = declared[row["step"]]
        # What a step reads of the tables that it writes is in their declaration twice.
        assert set(json.loads(row["versions_read"])) <= set(step.reads), row["step"]
        assert set(json.loads(row["rows_written"])) <= set(step.writes), row["step"]
    scores = lake.rows("account_scores", NIGHTS[-1], NIGHTS[-1]).to_pylist()
    # No label has trained a model in three nights: the prior scores and says so.
    assert {row["model_version"] for row in scores} == {"stillwatch-distillation/prior-1"}
    assert all(0 <= row["distillation_score"] <= 1 for row in scores)
    assert any(row["distillation_score"] > 0.5 and row["reasons"] for row in scores)
    recent = lake.rows("account_daily")
    assert {row["account_id"] for row in scores} == set(recent["account_id"].to_pylist())


def test_a_night_run_after_a_later_one_keeps_every_record_once(
    in_order, session, landing, tmp_path, monkeypatch
):
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY", KEY_HEX)
    mixed = Lake(Settings(lake=str(tmp_path / "lake"), landing=str(landing)), session)
    for date in (NIGHTS[0], NIGHTS[2], NIGHTS[1], NIGHTS[2], NIGHTS[0]):
        ingest.run(mixed, date)
    kept = in_order.rows("requests", columns=["request_id"])["request_id"].to_pylist()
    again = mixed.rows("requests", columns=["request_id"])["request_id"].to_pylist()
    assert len(again) == len(set(again))
    assert sorted(again) == sorted(kept)
    assert len({*in_order.rows("landing_files")["duplicates"].to_pylist()} - {0}) > 0
