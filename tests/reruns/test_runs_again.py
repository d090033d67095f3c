"""A night run again, late, out of order, or by two at once ends in the same tables."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from multiprocessing.connection import wait
from pathlib import Path

from deltalake import DeltaTable
from lake_compare import assert_same_tables
from landing_days import KEY_HEX
from small_world import FIRST, SECOND, outcomes, run_night
from step_processes import Steps

from jobs.catalog.steps import STEPS
from jobs.catalog.tables import TABLES

DATES = [FIRST.isoformat(), SECOND.isoformat()]


def versions(lake) -> dict[str, int]:
    return {name: DeltaTable(lake / name).version() for name in TABLES
            if DeltaTable.is_deltatable(str(lake / name))}  # fmt: skip


def test_twice_gives_the_same_rows(world, copy):
    lake = copy("second night")
    run_night(lake, world.landing, SECOND)
    assert_same_tables(world.lake("second night"), lake)
    assert all(len(runs) == 2 for runs in outcomes(lake, SECOND).values())


def test_an_old_night_again_leaves_the_others_alone(world, copy):
    lake = copy("second night")
    run_night(lake, world.landing, FIRST)
    assert_same_tables(world.lake("second night"), lake)


def test_a_night_whose_landing_changed_is_replaced_and_no_other(world, copy, tmp_path):
    """The gateway delivers the first day again, without one file: its rows go, others stay."""
    lake = copy("second night")
    landing = tmp_path / "landing"
    shutil.copytree(world.landing, landing)
    sorted((landing / "requests" / f"date={DATES[0]}").iterdir())[0].unlink()
    before = requests(lake, FIRST)
    run_night(lake, landing, FIRST, ["ingest", "rollup"])
    after = requests(lake, FIRST)
    assert set(after) < set(before)
    assert after
    assert_same_tables(world.lake("second night"), lake, [DATES[1]])


def test_nights_out_of_order_keep_each_record_once(world, tmp_path):
    """The second night first; then, when the first has come, both again."""
    lake = tmp_path / "lake"
    for date in (SECOND, FIRST, SECOND, FIRST):
        run_night(lake, world.landing, date, ["ingest"])
    found = requests(lake, FIRST) + requests(lake, SECOND)
    in_order = world.lake("second night")
    assert sorted(found) == sorted(requests(in_order, FIRST) + requests(in_order, SECOND))
    assert len(set(found)) == len(found)
    for name in ("accounts", "labels", "quarantine"):
        shutil.copytree(in_order / name, tmp_path / "ordered" / name)
        shutil.copytree(lake / name, tmp_path / "unordered" / name)
    assert_same_tables(tmp_path / "ordered", tmp_path / "unordered")


def requests(lake: Path, date: dt.date) -> list[str]:
    table = DeltaTable(lake / "requests").to_pyarrow_table(
        filters=[("date", "=", date)], columns=["request_id"]
    )
    ids: list[str] = table["request_id"].to_pylist()
    return ids


#: Steps that write rows of their own night beside those of others, into tables that all read.
EARLY = ("ingest", "rollup")


def early_tables(lake: Path, to: Path) -> Path:
    for name in (table for step in STEPS if step.name in EARLY for table in step.writes):
        if (lake / name).exists():
            shutil.copytree(lake / name, to / name)
    return to


def test_two_runs_at_once_wait_for_each_other(world, copy, tmp_path):
    lake = copy("first night")
    runs = [Steps(lake, world.landing, SECOND, EARLY, KEY_HEX) for _ in range(2)]
    assert [run.event() is not None for run in runs] == [True, True]
    order: list[tuple[int, str]] = []
    waiting = {run.events: number for number, run in enumerate(runs)}
    while waiting:
        for events in wait(list(waiting), timeout=120):
            number = waiting[events]
            said = runs[number].event()
            if said is None:
                del waiting[events]
            else:
                assert said[0] == "begins", said
                order.append((number, said[1]))
    first = order[0][0]
    # All of the one, then all of the other.
    assert order == [(number, name) for number in (first, 1 - first) for name in EARLY]
    assert [run.ended() for run in runs] == [0, 0]
    assert_same_tables(early_tables(world.lake("second night"), tmp_path / "alone"),
                       early_tables(lake, tmp_path / "together"))  # fmt: skip
    assert {name: ends for name, ends in outcomes(lake, SECOND).items() if name in EARLY} == {
        name: ["done", "done"] for name in EARLY
    }


def test_different_nights_at_once_lose_nothing(world, copy, tmp_path):
    lake = copy("first night")
    runs = [Steps(lake, world.landing, date, EARLY, KEY_HEX) for date in (FIRST, SECOND, FIRST)]
    assert [run.ended() for run in runs] == [0, 0, 0]
    assert_same_tables(early_tables(world.lake("second night"), tmp_path / "alone"),
                       early_tables(lake, tmp_path / "together"))  # fmt: skip


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
