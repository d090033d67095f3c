"""Quiet worlds with one adversary in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jobs.simulator import ADVERSARIES, World, WorldSettings, build_world
from jobs.simulator.day import Requests, draw

ACCOUNTS = 60
QUIET = WorldSettings(days=10, accounts=500, tactics=(), reseller=False, text=False)


def world_of(
    name: str, strength: float, *, start_day: int = 0, labelled: bool = False, **settings: object
) -> World:
    """A quiet world with one adversary in it."""
    plans = ADVERSARIES[name].plans(strength, ACCOUNTS, start_day, labelled)
    return build_world(replace(QUIET, campaigns=tuple(plans), **settings))  # type: ignore[arg-type]


def members(world: World) -> np.ndarray:
    """Accounts of distillation."""
    return np.flatnonzero(world.accounts["class_"] == "distillation")


def work_of(world: World, day: int = 5) -> Requests:
    """A day's work requests."""
    rows = draw(world, day, 0, 1.0)
    return rows.take(np.flatnonzero(world.workloads["work"][rows.workload]))
