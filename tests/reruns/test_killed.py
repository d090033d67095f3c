"""`kill -9` at any moment, then again: the same tables as never killed."""

from __future__ import annotations

import random
import time
from pathlib import Path

from lake_compare import assert_same_tables
from landing_days import KEY_HEX
from small_world import FIRST, SECOND, outcomes
from step_processes import KILLED, Steps

from jobs.catalog.steps import STEP_NAMES

#: Each step is killed this often at a random moment; more by hand when something is suspected.
TIMES = 1


def killed_at_random(world, lake: Path, date, name: str, seconds: float, draw) -> bool:
    """Start a step, kill it at a moment of its usual time; whether it was caught alive."""
    run = Steps(lake, world.landing, date, [name], KEY_HEX)
    assert run.event() is not None
    assert run.event() == ("begins", name)
    time.sleep(draw.uniform(0.05, 0.95) * seconds)
    run.kill()
    return run.ended() == KILLED


def test_each_step_killed_at_random_moments(world, copy):
    """One process after the other: a step killed, and run again with the steps after it."""
    draw = random.Random(20260502)
    lake = copy("first night")
    usual = world.seconds(SECOND)
    caught = 0
    for name in STEP_NAMES:
        for _ in range(TIMES):
            caught += killed_at_random(world, lake, SECOND, name, usual[name], draw)
        again = Steps(lake, world.landing, SECOND, [name], KEY_HEX)
        assert again.ended() == 0
    assert caught >= TIMES * len(STEP_NAMES) // 2
    assert_same_tables(world.lake("second night"), lake)


def test_each_step_killed_after_each_table_it_writes(world, copy):
    """Between two tables of a step a lake holds some new and some old: it must not stay so."""
    lake = copy("first night")
    writes = {}
    for name in STEP_NAMES:
        count = 0
        while True:
            run = Steps(lake, world.landing, SECOND, [name], KEY_HEX, dies_after=count + 1)
            if run.ended() != KILLED:
                break
            count += 1
        writes[name] = count
    assert writes["ingest"] == 6
    assert writes["rollup"] == 3
    assert writes["campaigns"] == 3
    assert all(writes[name] for name in STEP_NAMES if name != "train"), writes
    assert_same_tables(world.lake("second night"), lake)
    assert all(ends[-1] == "done" for ends in outcomes(lake, SECOND).values())


def test_adopting_and_training_killed(world, copy):
    """The first night registers a model: killed half-way, there is one model all the same."""
    draw = random.Random(20260501)
    lake = copy("before training")
    seconds = world.seconds(FIRST)["train"]
    killed_at_random(world, lake, FIRST, "train", seconds, draw)
    dying = Steps(lake, world.landing, FIRST, ["train"], KEY_HEX, dies_after=1)
    assert dying.ended() in (0, KILLED)
    rest = Steps(lake, world.landing, FIRST, STEP_NAMES[STEP_NAMES.index("train"):], KEY_HEX)
    assert rest.ended() == 0
    assert_same_tables(world.lake("first night"), lake)
