"""Simulated worlds: honest customers, look-alikes, campaigns, and their landing folder.

`simulate` writes a world of many days; `build_world` and `simulate_day` write one day at a time.
"""

from jobs.simulator.adversaries import ADVERSARIES, Adversary
from jobs.simulator.settings import (
    DEFAULT_TACTICS,
    FORMATS,
    HONEST_KINDS,
    TACTICS,
    CampaignPlan,
    DirtRates,
    Summary,
    WorldSettings,
)
from jobs.simulator.world import Tally, World, build_world, simulate, simulate_day

__all__ = [
    "ADVERSARIES",
    "DEFAULT_TACTICS",
    "FORMATS",
    "HONEST_KINDS",
    "TACTICS",
    "Adversary",
    "CampaignPlan",
    "DirtRates",
    "Summary",
    "Tally",
    "World",
    "WorldSettings",
    "build_world",
    "simulate",
    "simulate_day",
]
