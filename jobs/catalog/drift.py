"""What of a night is compared with the nights before it, in which bins, and the table of it.

The method is the population stability index (PSI; Siddiqi 2006, "Credit Risk Scorecards"):
the sum over bins of (p - q) ln(p / q) for the shares p of the night and q of the nights before.
Usual reading: under 0.1 nothing has changed, to 0.25 a little, over 0.25 so much that the model
should be looked at.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

from jobs.catalog import checks
from jobs.catalog.columns import DATE_COLUMN, MACHINE_LEARNING
from jobs.catalog.features import LEARNED
from jobs.catalog.types import DOUBLE, LONG, LONGS, STRING, Column, Table


@dataclass(frozen=True)
class Grid:
    """Bins of a histogram: missing, zero or less, up to each edge, over the last.

    Bins are the same on every night: quantiles of one night would make another night's bins, and
    features are heaped (an account outside any campaign has the same value as all others there).
    An edge is a number that no ratio of counts is, so that a value's last digit never moves it to
    another bin.
    """

    kind: str
    edges: tuple[float, ...]

    @property
    def name(self) -> str:
        """Kind and a hash of the edges: histograms are compared under one name only."""
        return f"{self.kind}-{zlib.crc32(repr(self.edges).encode()):08x}"

    @property
    def size(self) -> int:
        """Bins altogether."""
        return len(self.edges) + 3


#: For probabilities and shares: steps of the log-odds by 1, from 0.15 % to 99.85 %. Finer bins
#: show nothing but groups of accounts that go from one to the next.
SHARES = Grid("shares", tuple(1.0 / (1.0 + math.exp(0.5 - k)) for k in range(-6, 8)))
#: For all else: factors of 4 from 0.02 to 92,682, one bin for 1, one for 2 to 5, one for 6 to 22.
AMOUNTS = Grid("amounts", tuple(2.0 ** (2 * k + 0.5) for k in range(-3, 9)))

#: The features that the classifier reads, and its scores, each with its bins.
SCORES: tuple[str, ...] = ("distillation_score", "resale_score")
MEASURED: dict[str, Grid] = {
    **{f.name: SHARES if f.unit in ("share", "score") else AMOUNTS for f in LEARNED},
    **dict.fromkeys(SCORES, SHARES),
}


@dataclass(frozen=True)
class DriftPolicy:
    """How a night is compared; what is worth a warning is in `CheckPolicy`."""

    #: Days back from which nights are compared with: two weeks of weekdays and weekends.
    reference_days: int = 14
    #: The least share that a bin is taken to hold, for the logarithm of an empty one is infinite.
    #: Nearer to zero the logarithm decides and not the accounts: at 1 in 100,000, 3 % of them in a
    #: bin that was empty come to 0.25; at 1 in 1,000 it takes 6 %.
    least_share: float = 0.001


DRIFT_POLICY = DriftPolicy()

DRIFT = Table(
    name="drift",
    about="How each feature that the classifier reads, and each score, is distributed over the "
    "accounts scored on one night, and how far that is from the nights before.",
    owner=MACHINE_LEARNING,
    key=("date", "name"),
    retention_days=400,
    columns=(
        DATE_COLUMN,
        Column("name", STRING, "Column of account_features or account_scores.", nullable=False),
        Column("model_version", STRING, "Of a score the model that gave it: only its own nights "
               "are compared. Null for a feature."),
        Column("bins", STRING, "The bins, see catalog.drift; a hash of their edges tells a "
               "change.", nullable=False),
        Column("counts", LONGS, "Accounts in each bin: missing, zero or less, then by size.",
               unit="accounts", nullable=False),
        Column("accounts", LONG, "Accounts scored.", unit="accounts", nullable=False, minimum=0),
        Column("effective_accounts", DOUBLE, "Accounts that tell something of their own: members "
               "of one campaign have its figures in common.", unit="accounts", nullable=False,
               minimum=0.0),
        Column("missing", DOUBLE, "Share of them without a value.", unit="share", minimum=0.0,
               maximum=1.0),
        Column("reference_nights", LONG, "Nights compared with, of the "
               f"{DRIFT_POLICY.reference_days} days before.", unit="nights", nullable=False,
               minimum=0),
        Column("reference_missing", DOUBLE, "Share without a value on those, null without any.",
               unit="share", minimum=0.0, maximum=1.0),
        Column("psi", DOUBLE, "Population stability index against those, null without any.",
               unit="nats", minimum=0.0),
        Column("psi_expected", DOUBLE, "What it would be by chance, if nothing had changed.",
               unit="nats", minimum=0.0),
    ),
    checks=checks.DRIFT_CHECKS,
)  # fmt: skip
