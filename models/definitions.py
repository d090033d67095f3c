"""The model's name, owner, parameters and gates: every tuned number, each with its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Protocol

MODEL_NAME = "stillwatch-distillation"
OWNER = "machine-learning engineering, with trust and safety as the reader of its scores"

DISTILLATION = "distillation"
RESALE = "resale"
BENIGN = "benign"
#: In the order that a tie between labels is decided in: the customer gets the benefit of doubt.
LABELS: tuple[str, ...] = (BENIGN, RESALE, DISTILLATION)
#: The two things scored, each by a head of its own.
HEADS: tuple[str, ...] = (DISTILLATION, RESALE)

#: Where a training row's label comes from.
FROM_LABELS = "labels"
FROM_UNLABELLED = "unlabelled"
FROM_SIMULATION = "simulation"


class FeatureLike(Protocol):
    """What the models need to know of a feature; the catalogue's declarations have it."""

    @property
    def name(self) -> str:
        """Column of the feature table."""

    @property
    def about(self) -> str:
        """What it means, for the card."""

    @property
    def unit(self) -> str | None:
        """Its unit, for the card."""

    @property
    def family(self) -> str:
        """The family of evidence, which can be unavailable as a whole."""

    @property
    def monotone(self) -> int:
        """1: more of it never lowers the distillation score; -1: never raises it; 0: free."""

    @property
    def judges(self) -> str:
        """The head whose probability it is by a judgement of its own, or nothing."""


@dataclass(frozen=True)
class Sampling:
    """Which rows a training set has, and how much each counts."""

    #: The night of the evidence, and the account's state 3 and 7 nights before, so that the model
    #: also learns what a campaign looks like while it is young.
    evidence_nights_before: tuple[int, ...] = (0, 3, 7)
    #: Unlabelled accounts drawn at most. Their rows cost fitting time; past 20,000 the metrics
    #: down to a false positive rate of 1e-3 no longer move, and `represents` makes up for the rest.
    unlabelled_accounts: int = 20_000
    #: An unlabelled account is probably honest, a labelled benign one certainly looked guilty.
    unlabelled_weight: float = 0.3
    #: A campaign of n accounts counts as n**exponent accounts: 10,000 accounts as 100, 100 as 10.
    campaign_exponent: float = 0.5
    #: A label counts by its confidence, but never as nothing.
    least_confidence: float = 0.1


@dataclass(frozen=True)
class Boosting:
    """XGBoost's parameters. Chosen for few campaigns and many accounts of each."""

    rounds: int = 120
    #: Shallow: a deep tree spells out the last campaign's settings, and only those.
    max_depth: int = 4
    learning_rate: float = 0.1
    #: Weighted rows in a leaf; below this a leaf describes single accounts.
    min_child_weight: float = 2.0
    reg_lambda: float = 2.0
    #: Half of the features a tree, so that no single tell-tale carries the score alone.
    colsample_bytree: float = 0.5
    subsample: float = 0.8
    #: Bounds a leaf's step, which steadies logistic loss where one class is rare.
    max_delta_step: float = 2.0
    max_bin: int = 128
    seed: int = 20_260_501
    #: The rare class is weighted up by (negatives / positives)**power: 0.5 keeps the gradients of
    #: some twenty positives visible among thousands without letting each of them shout.
    balance_power: float = 0.5
    #: Each row is seen again with one family of evidence removed, at this weight, so that a source
    #: without the columns costs recall and not false alarms.
    masked_copy_weight: float = 0.5
    #: Parts for out-of-fold margins, by campaign.
    folds: int = 3
    #: Unlabelled rows that score above this quantile of the known positives' out-of-fold margins
    #: are neither benign nor known: they are left out, but never more than `suspect_share`.
    #: On planted worlds 0.35 kept the mean score within a tenth of the true share, whether all
    #: campaigns were labelled (0.15 threw honest look-alikes out) or half of them (0.5 kept too
    #: many of the hidden ones as benign).
    suspect_quantile: float = 0.35
    suspect_share: float = 0.05


@dataclass(frozen=True)
class Gates:
    """What a challenger must show before it serves."""

    #: Held out: a figure on fewer accounts than this is an anecdote.
    least_held_out_positives: int = 10
    #: PR-AUC gained over the champion: smaller gains are not worth a change of every score.
    least_gain: float = 0.005
    #: Share of the paired bootstrap in which the challenger is better.
    least_confidence: float = 0.9
    #: Below this PR-AUC no model should serve, whatever the champion is.
    least_pr_auc: float = 0.3
    #: Recall at the gate's false positive rate may fall by so much over all held-out campaigns…
    recall_tolerance: float = 0.02
    #: …and by so much in any one known campaign: a known operation must not become unknown.
    campaign_recall_tolerance: float = 0.1
    #: Brier score may rise by so much: thresholds of the policy are probabilities.
    brier_tolerance: float = 0.005
    #: The strictest of these that the held-out negatives can resolve is the gate's rate.
    false_positive_rates: tuple[float, ...] = (1e-4, 1e-3, 1e-2)
    bootstrap_replicates: int = 200


@dataclass(frozen=True)
class TrainingPolicy:
    """Everything that decides what a training run makes of a night's data."""

    sampling: Sampling = field(default_factory=Sampling)
    boosting: Boosting = field(default_factory=Boosting)
    gates: Gates = field(default_factory=Gates)
    #: Share of campaigns (and of honest accounts) held out for evaluation, newest first.
    held_out_share: float = 0.25
    #: Threads for fitting. The result is the same with any number; two threads on two cores that
    #: others use as well wait for each other, and took five times as long as one.
    threads: int = 1
    #: Simulated worlds hold more distillers than a real platform; the prior's probabilities are
    #: moved to this share of accounts (public reports: about one to three in a hundred).
    prior_prevalence: float = 0.02

    def parameters(self) -> dict[str, object]:
        """Flat names and values, for the run's record."""
        flat: dict[str, object] = {}
        for key, value in asdict(self).items():
            if isinstance(value, dict):
                flat.update({f"{key}.{inner}": item for inner, item in value.items()})
            else:
                flat[key] = value
        return flat
