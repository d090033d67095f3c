"""A night run again, late, out of order, or by two at once ends in the same tables."""

from __future__ import annotations

import shutil
import time

from deltalake import DeltaTable
from lake_compare import assert_same_tables
from landing_days import KEY_HEX
from small_world import FIRST, SECOND, outcomes
from step_processes import Steps

from jobs.catalog.steps import STEP_NAMES
from jobs.catalog.tables import TABLES

DATES = [FIRST.isoformat(), SECOND.isoformat()]


def versions(lake) -> dict[str, int]:
    return {name: DeltaTable(lake / name).version() for name in TABLES
            if DeltaTable.is_deltatable(str(lake / name))}  # fmt: skip


def test_twice_gives_the_same_rows(world, copy, night):
    lake = copy("second night")
    night(lake, SECOND)
    assert_same_tables(world.lake("second night"), lake)
    assert all(len(runs) == 2 for runs in outcomes(lake, SECOND).values())


def test_an_old_night_again_leaves_the_others_alone(world, copy, night):
    lake = copy("second night")
    night(lake, FIRST)
    assert_same_tables(world.lake("second night"), lake)


def test_a_night_whose_landing_changed_is_replaced_and_no_other(world, copy, session, tmp_path):
    """The gateway delivers the first day again, without one file: its rows go, others stay."""
    from small_world import run_night

    lake = copy("second night")
    landing = tmp_path / "landing"
    shutil.copytree(world.landing, landing)
    day = landing / "requests" / f"date={DATES[0]}"
    sorted(day.iterdir())[0].unlink()
    before = DeltaTable(lake / "requests").to_pyarrow_table(filters=[("date", "=", DATES[0])])
    run_night(session, lake, landing, FIRST, STEP_NAMES[: STEP_NAMES.index("features")])
    after = DeltaTable(lake / "requests").to_pyarrow_table(filters=[("date", "=", DATES[0])])
    assert 0 < after.num_rows < before.num_rows
    assert_same_tables(world.lake("second night"), lake, [DATES[1]])


def test_nights_out_of_order_end_in_the_same_tables(world, tmp_path, night):
    """The second night first; then, when the first has come, again."""
    lake = tmp_path / "lake"
    steps = STEP_NAMES[: STEP_NAMES.index("train")]
    night(lake, SECOND, steps)
    night(lake, FIRST, steps)
    night(lake, SECOND, steps)
    shutil.rmtree(lake / "check_results")
    expected = tmp_path / "expected"
    shutil.copytree(world.lake("second night"), expected)
    for name in ("check_results", "account_scores", "enforcement_actions", "model_decisions"):
        shutil.rmtree(expected / name)
    assert_same_tables(expected, lake)


def test_two_runs_at_once_wait_for_each_other(world, copy):
    lake = copy("first night")
    runs = [Steps(lake, world.landing, SECOND, STEP_NAMES, KEY_HEX) for _ in range(2)]
    assert [run.event()[0] for run in runs] == ["started", "started"]
    order: list[tuple[int, str]] = []
    open_runs = dict(enumerate(runs))
    while open_runs:
        for number, run in list(open_runs.items()):
            try:
                said = run.event(0.05)
            except TimeoutError:
                continue
            if said is None:
                del open_runs[number]
            else:
                assert said[0] == "begins", said
                order.append((number, said[1]))
    first = order[0][0]
    # All of the one, then all of the other.
    assert order == [(n, name) for n in (first, 1 - first) for name in STEP_NAMES]
    assert [run.ended() for run in runs] == [0, 0]
    assert_same_tables(world.lake("second night"), lake)
    assert outcomes(lake, SECOND) == {name: ["done", "done"] for name in STEP_NAMES}


def test_different_nights_at_once_lose_nothing(world, copy):
    lake = copy("first night")
    runs = [Steps(lake, world.landing, date, ["ingest", "rollup"], KEY_HEX)
            for date in (FIRST, SECOND, FIRST)]  # fmt: skip
    assert [run.ended() for run in runs] == [0, 0, 0]
    expected = {"requests", "accounts", "labels", "quarantine", "landing_files", "source_columns",
                "account_daily", "account_indicators", "account_templates"}  # fmt: skip
    for name in set(TABLES) - expected:
        shutil.rmtree(lake / name, ignore_errors=True)
    reference = lake.with_name("reference")
    shutil.copytree(world.lake("second night"), reference)
    for name in set(TABLES) - expected:
        shutil.rmtree(reference / name, ignore_errors=True)
    assert_same_tables(reference, lake)


def test_a_waiting_run_goes_on_when_the_other_is_killed(world, copy):
    lake = copy("first night")
    first = Steps(lake, world.landing, SECOND, ["ingest"], KEY_HEX)
    assert first.event() is not None
    assert first.event() == ("begins", "ingest")
    second = Steps(lake, world.landing, SECOND, ["ingest"], KEY_HEX)
    assert second.event() is not None
    time.sleep(0.2)
    first.kill()
    assert second.event() == ("begins", "ingest")
    assert second.ended() == 0
    assert_same_tables(world.lake("second night"), lake, [DATES[0]])


def test_the_same_rows_give_the_same_comparison(tmp_path, fill):
    """The comparison itself: what it must tell apart, and what it must not."""
    import pytest

    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings

    def lake(name: str, score: float, summary: str = "s", **night) -> object:
        made = Lake(Settings(lake=str(tmp_path / name)))
        fill(made, "campaigns", night.get("date", FIRST), [
            {"campaign_id": "c1", "accounts": 2, "score": score, "summary": summary,
             "reasons": ["a", "b"]}])  # fmt: skip
        return made.root

    one = lake("one", 0.1 + 0.2)
    assert_same_tables(one, lake("two", 0.3))
    for other in (lake("three", 0.3 + 1e-6), lake("four", 0.3, "t"),
                  lake("five", 0.3, date=SECOND), tmp_path / "none"):  # fmt: skip
        with pytest.raises(AssertionError, match="campaigns"):
            assert_same_tables(one, other)
    assert_same_tables(one, tmp_path / "none", [DATES[1]])
