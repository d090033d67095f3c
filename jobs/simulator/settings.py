"""What a simulated world can be told to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

HONEST_KINDS: Final = (
    "hobbyist", "developer", "production", "evaluation_vendor", "batch_enterprise",
    "agent_harness", "declared_router", "classroom", "red_team", "support_bot", "early_adopter",
)  # fmt: skip
TACTICS: Final = (
    "hydra_proxies", "synchronized_shards", "shared_payment", "template_farm", "censor_rewrite",
    "agentic_tools", "model_migration", "customer_clothes",
)  # fmt: skip
# Three that start early and are labelled, two that begin after the last label.
DEFAULT_TACTICS: Final = (
    "hydra_proxies", "template_farm", "shared_payment", "synchronized_shards", "agentic_tools",
)  # fmt: skip
FORMATS: Final = ("parquet", "jsonl", "jsonl.gz")


@dataclass(frozen=True)
class DirtRates:
    """Share of records each kind of dirt adds or touches; 0.001 is one in a thousand.

    Malformed, wrong-typed, out-of-range and incomplete records are extra ones, corrupted copies
    under ids of their own, so nothing true is lost. Late and repeated records are true ones.
    """

    malformed: float = 0.0004  # JSON gateways only: a Parquet file has no broken lines
    wrong_type: float = 0.0004
    missing_required: float = 0.0004
    out_of_range: float = 0.0002
    unknown_column: float = 0.002  # JSON gateways; the record is good otherwise
    duplicate_within_day: float = 0.001
    duplicate_across_days: tuple[float, ...] = (0.0004, 0.0002)  # again 1, 2 days later
    late: tuple[float, ...] = (0.003, 0.001, 0.0005)  # 1, 2, 3 days late

    @classmethod
    def none(cls) -> DirtRates:
        """A world without any dirt."""
        return cls(0, 0, 0, 0, 0, 0, (), ())


@dataclass(frozen=True)
class CampaignPlan:
    """One distillation campaign of a world: a tactic, its size, its days, its changes.

    `changes` replaces fields of the tactic (see `tactics.Tactic`), so a strength can be turned
    up without a tactic of its own: `{"cover_share": 0.9, "jitter_s": 7200}`.
    """

    tactic: str
    accounts: int
    start_day: int  # days since the world's start; negative means it ran before
    labelled: bool
    end_day: int | None = None
    changes: dict[str, object] = field(default_factory=dict)
    corpus: str | None = None  # its list in `WorldSettings.text_corpora`; None: the tactic's name


@dataclass(frozen=True)
class WorldSettings:
    """A world: its size, its seed, who lives in it, what its records look like."""

    days: int = 30
    accounts: int = 6000  # at the start and by sign-up; replacements of banned ones come on top
    seed: int = 7
    start: date = date(2026, 5, 1)
    requests_per_day: int | None = None  # mean of all accounts; None: the natural rate
    distillation_share: float = 0.07  # of accounts, over all campaigns
    tactics: tuple[str, ...] = DEFAULT_TACTICS
    campaigns: tuple[CampaignPlan, ...] | None = None  # instead of `tactics`, exactly these
    reseller: bool = True
    honest_kinds: tuple[str, ...] = HONEST_KINDS
    # Multiplies the share of honest kinds, and of "reseller"; 0 leaves a kind out.
    honest_weights: Mapping[str, float] | None = None
    popular_tools: int | None = None  # agent harnesses that developers use; None: one
    launch_day: int | None = None  # of the new model; None: after four fifths of the days
    label_noise: float = 0.0  # share of labels that are wrong
    label_share: float | None = None  # of a labelled campaign's banned accounts; None: all
    last_label_day: int | None = None  # None: after three fifths of the days
    capabilities: tuple[str, ...] | None = None  # prompt families; None: all
    languages: tuple[str, ...] = ("en", "de", "es", "fr", "zh")
    # Prompts taken from lists, word for word, instead of the grammar: "honest", "support_bot",
    # "distillation:<name>", the name being a plan's `corpus`. Who has no list keeps the grammar.
    text_corpora: Mapping[str, Sequence[str]] | None = None
    paraphrase: float = 1.0  # scales how freely accounts vary their phrasing, 0 to 1
    prompt_chars: float = 340.0  # mean; 340 to 400 in public human prompts, 600 in benchmarks
    text: bool = True
    responses: float = 0.03  # share of the first-party gateway's records with response text
    dirt: bool = True
    dirt_rates: DirtRates = field(default_factory=DirtRates)
    formats: tuple[str, ...] = FORMATS
    workers: int = 2  # threads that write files; the bytes do not depend on it

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated, in one clear line."""
        if self.days < 1 or self.accounts < 20:
            raise ValueError("a world needs at least 1 day and 20 accounts")
        plans = [plan.tactic for plan in self.campaigns or ()]
        for given, known, what in (
            ([*self.tactics, *plans], TACTICS, "tactic"),
            (self.honest_kinds, HONEST_KINDS, "honest kind"),
            (self.formats, FORMATS, "format"),
            (self.honest_weights or (), (*HONEST_KINDS, "reseller"), "honest kind"),
        ):
            unknown = sorted(set(given) - set(known))
            if unknown:
                raise ValueError(f"unknown {what} {unknown[0]!r}: choose of {', '.join(known)}")
        if not self.honest_kinds or not self.formats:
            raise ValueError("a world needs an honest kind and a format at least")
        if not 0 <= self.distillation_share <= 0.5:
            raise ValueError("distillation_share must lie between 0 and 0.5")
        if any(weight < 0 for weight in (self.honest_weights or {}).values()):
            raise ValueError("honest_weights must not be negative")
        if not any(self.honest_weight(kind) for kind in self.honest_kinds):
            raise ValueError("honest_weights leave no honest kind")
        if self.popular_tools is not None and self.popular_tools < 1:
            raise ValueError("popular_tools must be 1 at least")
        if not 0 <= (1.0 if self.label_share is None else self.label_share) <= 1:
            raise ValueError("label_share must lie between 0 and 1")
        for name, texts in (self.text_corpora or {}).items():
            if name not in ("honest", "support_bot") and not name.startswith("distillation:"):
                raise ValueError(f"unknown corpus {name!r}: choose of honest, support_bot, "
                                 "distillation:<name>")  # fmt: skip
            if isinstance(texts, str) or not texts:
                raise ValueError(f"corpus {name!r} must be a list of prompts, and not empty")

    def honest_weight(self, kind: str) -> float:
        """By how much the share of an honest kind, or of the reseller, is multiplied."""
        return 1.0 if self.honest_weights is None else self.honest_weights.get(kind, 1.0)

    @property
    def launch(self) -> int:
        """Day on which the new model is launched, counted from the world's start."""
        return round(0.8 * self.days) if self.launch_day is None else self.launch_day

    @property
    def label_horizon(self) -> int:
        """Last day on which labels arrive."""
        return int(0.6 * self.days) if self.last_label_day is None else self.last_label_day

    @property
    def rates(self) -> DirtRates:
        """Dirt rates in force."""
        return self.dirt_rates if self.dirt else DirtRates.none()


@dataclass
class Summary:
    """What a simulation wrote."""

    requests: int = 0  # distinct, well-formed
    accounts: int = 0
    files: int = 0
    bytes: int = 0
    landed: dict[str, int] = field(default_factory=dict)  # records by source, dirt included
    campaigns: int = 0
