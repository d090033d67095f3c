"""The worlds of the lab: who lives in each, what is known there, which nights are judged.

Seeds are none of those that the prior learned from or was judged on (`jobs.prior`).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.simulator import ADVERSARIES, TACTICS, CampaignPlan, WorldSettings

START = dt.date(2026, 6, 1)

FORWARD = "forward in time"
BEFORE_LABELS = "before any label"
CAMPAIGN_OUT = "leave one campaign out"
TACTIC_OUT = "leave one tactic out"
OTHER_CUSTOMERS = "other customers"
WRONG_LABELS = "wrong and missing labels"
STRENGTH = "adversaries by strength"
PUBLIC_TEXT = "public text"


@dataclass(frozen=True)
class LabWorld:
    """A world and the protocol by which detection is judged on it.

    Attributes:
        name: as the command and the report call it.
        about: what it is for, in one sentence.
        protocol: which question it answers; worlds of one protocol stand together in the report.
        settings: what the simulator is told.
        judged_from: first judged night, in days since the start. Nights before it only ingest and
            roll up, so that windows are full when judging begins.
        labels: whether any label lands at all.
        ablate: whether the last night is run again without each family of evidence.
        strength: how hard the world's adversaries hide, 0 to 1; None where there are none.
        adversaries: their names and how many campaigns each has, in the settings' order.
    """

    name: str
    about: str
    protocol: str
    settings: WorldSettings
    judged_from: int = 7
    labels: bool = True
    ablate: bool = False
    strength: float | None = None
    adversaries: tuple[tuple[str, int], ...] = ()

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
    """Campaigns that nobody labels, of `accounts` seats each, beginning within six days.

    Delays can be told of campaigns that begin after the first judged night, and of no others.
    """
    return tuple(
        CampaignPlan(tactic, accounts, start_day + number % 6, labelled=False)
        for number, tactic in enumerate(tactics)
    )


def settings(seed: int, days: int, accounts: int, **changes: Any) -> WorldSettings:
    """A world of the lab's time, with what else is to be changed."""
    plain = WorldSettings(days=days, accounts=accounts, seed=seed, start=START)
    return dataclasses.replace(plain, **changes)


#: One seed, so that worlds that differ in one thing differ in that thing.
_VARIED = 3505
_LABELLED = ("hydra_proxies", "template_farm", "shared_payment", "censor_rewrite")


def _one_hidden(tactic: str) -> LabWorld:
    plans = tuple(
        CampaignPlan(name, 50, 2 * at - 6, labelled=name != tactic)
        for at, name in enumerate(_LABELLED)
    )
    return LabWorld(
        f"without-{tactic}",
        f"Four campaigns from early on, all labelled but {tactic}.",
        CAMPAIGN_OUT,
        settings(3606, 24, 2_500, campaigns=plans),
        judged_from=8,
    )


#: Strengths that each adversary is met at.
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
_ADVERSARY_ACCOUNTS = 40


def turning() -> list[str]:
    """Adversaries whose strength changes something, those of one tactic side by side."""
    names = [n for n, a in ADVERSARIES.items() if a.splits or a.habits(0.0) != a.habits(1.0)]
    return sorted(names, key=lambda name: (ADVERSARIES[name].tactic, name))


def strength_world(strength: float, half: str) -> LabWorld:
    """Every second adversary at one strength, each with as many accounts, and no label.

    Two worlds share the adversaries, so that those of one tactic meet less and distillers stay few.
    """
    names = turning()["ab".index(half) :: 2]
    plans = {
        name: ADVERSARIES[name].plans(strength, _ADVERSARY_ACCOUNTS, 4, labelled=False)
        for name in names
    }
    return LabWorld(
        f"strength-{strength:g}-{half}",
        f"{', '.join(names)} at strength {strength:g}.",
        STRENGTH,
        settings(
            3707 + "ab".index(half), 21, 2_500,
            campaigns=tuple(plan for of in plans.values() for plan in of),
        ),
        judged_from=18,
        labels=False,
        strength=strength,
        adversaries=tuple((name, len(of)) for name, of in plans.items()),
    )  # fmt: skip


def public_text_world(corpora: Mapping[str, Sequence[str]]) -> LabWorld:
    """Honest customers and campaigns whose prompts are public text that no simulator wrote.

    Args:
        corpora: as `jobs.lab.corpora.read` gives them.
    """
    families = [name.partition(":")[2] for name in corpora if name.startswith("distillation:")]
    plans = tuple(
        CampaignPlan(tactic, 60, 3 + at, labelled=False, corpus=family)
        for at, family in enumerate(families)
        for tactic in ("hydra_proxies", "synchronized_shards")
    )
    return LabWorld(
        "public-text",
        "Prompts of real people, of a support bot's users and of real training sets.",
        PUBLIC_TEXT,
        settings(3808, 21, 2_500, campaigns=plans, text_corpora=corpora),
        judged_from=14,
        labels=False,
        ablate=True,
    )


def _varied(name: str, about: str, protocol: str, **changes: Any) -> LabWorld:
    return LabWorld(
        name, about, protocol, settings(_VARIED, 24, 2_500, **changes), judged_from=8
    )  # fmt: skip


_DECLARED: tuple[LabWorld, ...] = (
    LabWorld(
        "open",
        "Three labelled campaigns, then two that begin after the last label.",
        FORWARD,
        settings(3101, 28, 4_000),
        ablate=True,
    ),
    LabWorld(
        "clothes",
        "Work hidden among ordinary customers' traffic and in agents; no campaign is labelled.",
        FORWARD,
        settings(
            3202, 28, 4_000,
            campaigns=hidden(
                "customer_clothes", "hydra_proxies", "agentic_tools", accounts=90, start_day=10
            ),
        ),
        ablate=True,
    ),
    LabWorld(
        "unlabelled",
        "Nobody has looked at a single account yet: no label at all.",
        BEFORE_LABELS,
        settings(
            3303, 28, 4_000,
            campaigns=hidden(
                "template_farm", "synchronized_shards", "model_migration", accounts=90,
                start_day=10,
            ),
        ),
        labels=False,
    ),
    LabWorld(
        "tactics",
        "A campaign of every tactic and no label; scored by priors that never saw one of them.",
        TACTIC_OUT,
        settings(3404, 21, 4_000, campaigns=hidden(*TACTICS, accounts=50)),
        judged_from=18,
        labels=False,
    ),
    *(_one_hidden(tactic) for tactic in _LABELLED),
    _varied("right-labels", "What the next worlds are compared with.", WRONG_LABELS),
    _varied("wrong-labels-5", "The same, one label in 20 is wrong.", WRONG_LABELS,
            label_noise=0.05),
    _varied("wrong-labels-10", "The same, one label in 10 is wrong.", WRONG_LABELS,
            label_noise=0.10),
    _varied("few-labels", "The same, three in ten of the banned accounts are labelled.",
            WRONG_LABELS, label_share=0.3),
    _varied("no-amateurs", "Without hobbyists, classrooms and developers: whoever is left looks "
            "busier than those the prior knows.", OTHER_CUSTOMERS,
            honest_kinds=("production", "evaluation_vendor", "batch_enterprise", "agent_harness",
                          "declared_router", "red_team", "support_bot", "early_adopter")),
    _varied("look-alikes", "Four times as many agents behind one harness, batch jobs, evaluations "
            "and support bots, a third of the hobbyists.", OTHER_CUSTOMERS,
            honest_weights={"agent_harness": 4.0, "batch_enterprise": 4.0, "support_bot": 4.0,
                            "evaluation_vendor": 4.0, "hobbyist": 0.33}),
    _varied("other-words", "Long prompts in two languages, phrased with little freedom.",
            OTHER_CUSTOMERS, languages=("zh", "es"), prompt_chars=700.0, paraphrase=0.4),
    *(strength_world(strength, half) for strength in STRENGTHS for half in "ab"),
)  # fmt: skip

WORLDS: dict[str, LabWorld] = {world.name: world for world in _DECLARED}

#: Small enough for a test: what `--small` runs.
SMALL_WORLDS: dict[str, LabWorld] = {
    "small": LabWorld(
        "small",
        "One labelled and one hidden campaign, for a quick look; too small to judge anything.",
        FORWARD,
        settings(
            3909, 6, 400, last_label_day=2,
            campaigns=(
                CampaignPlan("hydra_proxies", 30, 0, labelled=True),
                CampaignPlan("template_farm", 30, 1, labelled=False),
            ),
        ),
        judged_from=3,
        ablate=True,
    ),
}  # fmt: skip
