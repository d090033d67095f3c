"""The worlds of the lab: who lives in each, what is known there, which nights are judged.

Seeds are none of those that the prior learned from or was judged on (`jobs.prior`).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass

from jobs.simulator import CampaignPlan, WorldSettings

START = dt.date(2026, 6, 1)
DAYS = 28
ACCOUNTS = 4_000


@dataclass(frozen=True)
class LabWorld:
    """A world and the protocol by which detection is judged on it.

    Attributes:
        name: as the command and the report call it.
        about: what it is for, in one sentence.
        settings: what the simulator is told.
        judged_from: first judged night, in days since the start. Nights before it only ingest and
            roll up, so that windows are full when judging begins.
        labels: whether any label lands at all.
    """

    name: str
    about: str
    settings: WorldSettings
    judged_from: int = 7
    labels: bool = True

    @property
    def nights(self) -> list[dt.date]:
        """All nights of the world, oldest first."""
        start = self.settings.start
        return [start + dt.timedelta(days=day) for day in range(self.settings.days)]

    @property
    def judged(self) -> list[dt.date]:
        """The nights that are scored and judged."""
        return self.nights[self.judged_from :]


def hidden(*tactics: str, accounts: int, start_day: int = 3) -> tuple[CampaignPlan, ...]:
    """Campaigns that nobody labels, of `accounts` seats each, one beginning after the other."""
    return tuple(
        CampaignPlan(tactic, accounts, start_day + 2 * number, labelled=False)
        for number, tactic in enumerate(tactics)
    )


def _settings(seed: int, **changes: object) -> WorldSettings:
    plain = WorldSettings(days=DAYS, accounts=ACCOUNTS, seed=seed, start=START)
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


WORLDS: dict[str, LabWorld] = {
    world.name: world
    for world in (
        LabWorld(
            "open",
            "Three labelled campaigns, then two that begin after the last label.",
            _settings(3101),
        ),
        LabWorld(
            "clothes",
            "Work hidden among ordinary customers' traffic and in agents; no campaign is labelled.",
            _settings(
                3202,
                campaigns=hidden("customer_clothes", "hydra_proxies", "agentic_tools", accounts=90),
            ),
        ),
        LabWorld(
            "unlabelled",
            "Before any label: nobody has looked at a single account yet.",
            _settings(
                3303,
                campaigns=hidden(
                    "template_farm", "synchronized_shards", "model_migration", accounts=90
                ),
            ),
            labels=False,
        ),
    )
}

#: Small enough for a test: what `--small` runs.
SMALL_WORLDS: dict[str, LabWorld] = {
    world.name: world
    for world in (
        LabWorld(
            "small",
            "A quick look at one labelled and one hidden campaign; too small to judge anything.",
            WorldSettings(
                days=8, accounts=600, seed=3404, start=START, last_label_day=4,
                campaigns=(
                    CampaignPlan("hydra_proxies", 30, 0, labelled=True),
                    CampaignPlan("template_farm", 30, 1, labelled=False),
                ),
            ),
            judged_from=4,
        ),
    )
}  # fmt: skip
