"""A small world with every kind and every tactic, dirtier than the default one."""

from __future__ import annotations

import pytest
from landing_reader import Simulated

from jobs.simulator import TACTICS, DirtRates, WorldSettings, simulate

SETTINGS = WorldSettings(
    days=7,
    accounts=700,
    seed=11,
    tactics=TACTICS,
    distillation_share=0.15,
    dirt_rates=DirtRates(
        malformed=0.004,
        wrong_type=0.004,
        missing_required=0.004,
        out_of_range=0.003,
        unknown_column=0.01,
        duplicate_within_day=0.006,
        duplicate_across_days=(0.005, 0.003),
        late=(0.01, 0.006, 0.004),
    ),
)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """The small world, simulated once for all tests here."""
    folder = tmp_path_factory.mktemp("simulated")
    landing, truth = folder / "landing", folder / "truth"
    summary = simulate(landing, truth, SETTINGS)
    return Simulated(landing, truth, SETTINGS, summary)
