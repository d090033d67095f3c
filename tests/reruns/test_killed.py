"""`kill -9` at any moment, then again: the same tables as never killed."""

from __future__ import annotations

import datetime as dt
import random
import time
from pathlib import Path

from lake_compare import assert_same_tables
from landing_days import KEY_HEX
from small_world import FIRST, SECOND, World, outcomes
from step_processes import KILLED, Steps

from jobs.catalog.steps import STEP_NAMES, step

#: How often each step is killed at a random moment: those that write several tables more often.
TIMES = {"ingest": 3, "rollup": 2, "campaigns": 2}


def kill_at_random(world: World, lake: Path, date: dt.date, name: str, draw: random.Random) -> bool:
    """Start a step, kill it at a moment of its usual time; whether it was caught alive."""
    run = Steps(lake, world.landing, date, [name], KEY_HEX)
    assert run.event() is not None
    assert run.event() == ("begins", name)
    time.sleep(draw.uniform(0.05, 0.95) * world.seconds(date)[name])
    run.kill()
    return run.ended() == KILLED


def kill_after_each_write(world: World, lake: Path, date: dt.date, name: str) -> int:
    """Run a step until it ends, killed after its first table, its second, …; how often."""
    kills = 0
    while Steps(lake, world.landing, date, [name], KEY_HEX, dies_after=kills + 1).ended():
        kills += 1
    return kills


def test_each_step_killed_again_and_again(world, copy):
    """At random moments, and after each table it writes: between two of them a lake holds some of
    the one run and some of the other."""
    draw = random.Random(20260502)
    lake = copy("first night")
    caught, writes = 0, {}
    for name in STEP_NAMES:
        for _ in range(TIMES.get(name, 1)):
            caught += kill_at_random(world, lake, SECOND, name, draw)
        if len(step(name).writes) > 1:
            writes[name] = kill_after_each_write(world, lake, SECOND, name)
        else:
            assert Steps(lake, world.landing, SECOND, [name], KEY_HEX).ended() == 0
    assert caught >= 5, "the processes ended before they were killed"
    # `cases` draws no second reviews here, and no shadow is set.
    assert writes == {
        "ingest": 6, "rollup": 4, "campaigns": 4, "score": 2, "decide": 3, "limits": 3, "cases": 1,
        "shadow": 0,
    }  # fmt: skip
    assert_same_tables(world.lake("second night"), lake)
    assert all(ends[-1] == "done" for ends in outcomes(lake, SECOND).values())


def test_adopting_a_model_killed(world, copy):
    """The first night registers a model: killed half-way, there is one model all the same."""
    lake = copy("before training")
    kill_at_random(world, lake, FIRST, "train", random.Random(20260501))
    Steps(lake, world.landing, FIRST, ["train"], KEY_HEX, dies_after=1).ended()
    rest = STEP_NAMES[STEP_NAMES.index("train") :]
    assert Steps(lake, world.landing, FIRST, rest, KEY_HEX).ended() == 0
    assert_same_tables(world.lake("first night"), lake)
