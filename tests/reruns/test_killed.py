"""`kill -9` at any moment, then again: the same tables as never killed."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Sequence
from pathlib import Path

from lake_compare import assert_same_tables
from landing_days import KEY_HEX
from small_world import FIRST, SECOND, World, outcomes
from step_processes import KILLED, Steps

from jobs.catalog.steps import STEP_NAMES

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


def begun_until_killed(
    world: World, lake: Path, names: Sequence[str], dies_after: int
) -> tuple[list[str], bool]:
    """Run steps in one process; those that it began, and whether it died after that many writes."""
    run = Steps(lake, world.landing, SECOND, names, KEY_HEX, dies_after=dies_after)
    begun = []
    while (said := run.event()) is not None:
        assert said[0] != "failed", said[1]
        if said[0] == "begins":
            begun.append(said[1])
    return begun, run.ended() == KILLED


def test_each_step_killed_again_and_again(world, copy):
    """At random moments, and after each table it writes: between two of them a lake holds some of
    the one run and some of the other.

    A process that gets to the end of a step begins the next, and dies after that one's first table.
    """
    draw = random.Random(20260502)
    lake = copy("first night")
    caught, writes = 0, dict.fromkeys(STEP_NAMES, 0)
    reached, killed = STEP_NAMES[0], True
    for _ in range(TIMES[reached]):
        caught += kill_at_random(world, lake, SECOND, reached, draw)
    while killed:
        left = STEP_NAMES[STEP_NAMES.index(reached) :]
        begun, killed = begun_until_killed(world, lake, left, dies_after=writes[reached] + 1)
        for name in begun[1:]:
            for _ in range(TIMES.get(name, 1)):
                caught += kill_at_random(world, lake, SECOND, name, draw)
        reached = begun[-1]
        writes[reached] += killed
    assert caught >= 5, "the processes ended before they were killed"
    # `cases` draws no second reviews here, no training is due, and no shadow is set.
    assert writes == {
        "ingest": 6, "check_landed": 1, "rollup": 4, "campaigns": 4, "features": 1, "train": 0,
        "score": 2, "check_scored": 1, "decide": 3, "limits": 3, "cases": 1, "shadow": 0,
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
