"""From which score on may something be done, for a stated rate of false positives?

Without the truth: from one night's calibrated scores, and from what people called benign.

What is counted are units: a campaign is one, and so is each account outside any. A campaign is
right or wrong as a whole, so that its accounts are one decision and not hundreds (Benjamini and
Heller 2007, "False discovery rates for spatial signals", count clusters for the same reason).
Counted by account, an operation of 500 that scores 0.97 is 15 expected false positives, and among
5,000 honest accounts no rate under 3e-3 would allow to act on it; nor would any score that
calibration can honestly give. Counted by unit it is 0.03. An account of a campaign of n weighs 1/n.

Two estimates of the share of honest units that are met from a score on; the more cautious decides:

- **unlabelled**: the probabilities themselves. Each account is honest with probability 1 - p (an
  unlabelled example is a positive of weight p and a negative of weight 1 - p: Elkan and Noto 2008,
  "Learning classifiers from only positive and unlabeled data"), and the expected false ones of a
  list are the sum of 1 - p over it (Newton, Noueiry, Sarkar and Ahlquist 2004, "Detecting
  differential gene expression with a semiparametric hierarchical mixture method"). The rate is that
  sum over the same sum of all.
- **benign**: the units that people called benign and that are met all the same are false for
  certain: k of all honest units there are. Too many are they if the one-sided Clopper-Pearson
  lower bound (Clopper and Pearson 1934) of k in so many is over the rate. It is not k of those that
  people called benign: they look at who scores high, so that most of their labels may lie there
  while the rate is small. Who has few labels, or none, keeps the threshold; labels never lower one;
  and as a lower bound, one label that may be wrong seldom raises it.

What this assumes: that scores are calibrated by campaign (of campaigns that score 0.9, one in ten
is honest), that units are independent, and that campaigns are found whole: an honest group in ten
pieces counts ten times. Where it is wrong: a prior's probabilities are those of simulated worlds.
And if an honest group of 500 is met, 500 people are met and one unit is counted: the rate says how
often the policy errs, not how many it then hits. Without labels no method can tell a false group
from a true one; the cap on new suspensions and a person's look are there for that.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

FLOOR, UNLABELLED, BENIGN = "floor", "unlabelled", "benign"
#: What can have chosen a threshold.
CHOSEN_BY: tuple[str, ...] = (FLOOR, UNLABELLED, BENIGN)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Threshold:
    """A score from which on something may be done, and what is expected of it.

    Attributes:
        score: at or above it; infinite where no score is high enough.
        chosen_by: one of CHOSEN_BY.
        accounts: at or above the score.
        units: campaigns and accounts outside any, at or above it (in part, as shares).
        expected_false: of these units.
        rate: expected_false over all units that are expected to be honest.
        benign_above: units that people called benign, at or above it.
    """

    score: float
    chosen_by: str
    accounts: int
    units: float
    expected_false: float
    rate: float
    benign_above: int


@dataclass(frozen=True)
class FalsePositives:
    """False positives to be expected from each score on, highest first; equal scores are one.

    Attributes:
        scores: (levels,) distinct, falling.
        accounts: (levels,) how many accounts are at or above.
        units: (levels,) of how many units they are, an account of a campaign of n as 1/n.
        expected: (levels,) of those units, how many are expected to be honest.
        benign: (levels,) units with an account at or above that people called benign.
        honest: units that are expected to be honest, of all.
        benign_known: units with an account that people called benign.
    """

    scores: Floats
    accounts: Ints
    units: Floats
    expected: Floats
    benign: Ints
    honest: float
    benign_known: int

    def threshold(self, floor: float, rate: float, confidence: float) -> Threshold:
        """The lowest score from the floor on at which neither estimate is over the rate.

        Where the floor itself will do it is the threshold; else it is a score that some account
        has, and infinite if the highest will not do.

        Args:
            floor: 0 to 1.
            rate: of honest units, 0 to 1; 0 meets only accounts that score 1.
            confidence: of the lower bound, for example 0.95.
        """
        last = self._levels_from(floor)
        # Both rise with each level that is added, so the first levels are those that hold.
        by_scores = int(np.searchsorted(self.rates()[:last], rate, side="right"))
        allowed = self.benign_allowed(rate, confidence)
        by_labels = int(np.searchsorted(self.benign[:last], allowed, side="right"))
        levels = min(by_scores, by_labels)
        if levels == last:
            score, chosen_by = floor, FLOOR
        else:
            score = float(self.scores[levels - 1]) if levels else math.inf
            chosen_by = UNLABELLED if by_scores <= by_labels else BENIGN
        if not levels:
            return Threshold(score, chosen_by, 0, 0.0, 0.0, 0.0, 0)
        at = levels - 1
        return Threshold(
            score=score,
            chosen_by=chosen_by,
            accounts=int(self.accounts[at]),
            units=float(self.units[at]),
            expected_false=float(self.expected[at]),
            rate=float(self.rates()[at]),
            benign_above=int(self.benign[at]),
        )

    def rates(self) -> Floats:
        """(levels,) expected share of honest units at or above each score; 0 if none is honest."""
        return self.expected / self.honest if self.honest > 0 else np.zeros_like(self.expected)

    def benign_allowed(self, rate: float, confidence: float) -> int:
        """The most units called benign that may be met before they contradict the rate."""
        # More may be called benign than the scores leave room for: then they are all there are.
        trials = max(self.honest, float(self.benign_known))

        def lower_bound(met: int) -> float:
            return float(beta.ppf(1.0 - confidence, met, trials - met + 1.0))

        return bisect.bisect_right(range(1, self.benign_known + 1), rate, key=lower_bound)

    def _levels_from(self, score: float) -> int:
        """How many levels are at or above the score."""
        return int(np.searchsorted(-self.scores, -score, side="right"))


def false_positives(scores: Floats, units: Ints, benign: NDArray[np.bool_]) -> FalsePositives:
    """What to expect from each score on. The order of the accounts does not matter, to the bit.

    Args:
        scores: (accounts,) calibrated probabilities, 0 to 1.
        units: (accounts,) whole numbers from 0, the same for accounts of one campaign.
        benign: (accounts,) whether people called the account benign.

    Raises:
        ValueError: a score is no probability.
    """
    if not np.all((scores >= 0.0) & (scores <= 1.0)):
        raise ValueError("a score is not in 0 to 1: calibrated probabilities are needed")
    sizes = np.bincount(units, minlength=1)[units]
    # Floating-point sums depend on the order: highest score first, then the larger campaign.
    order = np.lexsort((-sizes, -scores))
    levels, first = np.unique(-scores[order], return_index=True)
    ends = np.append(first[1:], len(scores)) - 1 if len(scores) else first
    weights = 1.0 / sizes[order]
    expected = np.cumsum(weights * (1.0 - scores[order]))
    # The best score that a benign account of each unit has.
    by_unit = order[benign[order]]
    _, best = np.unique(units[by_unit], return_index=True)
    tops = np.sort(-scores[by_unit][best])
    return FalsePositives(
        scores=-levels,
        accounts=ends + 1,
        units=np.cumsum(weights)[ends],
        expected=expected[ends],
        benign=np.searchsorted(tops, levels, side="right").astype(np.int64),
        honest=float(expected[-1]) if len(expected) else 0.0,
        benign_known=len(tops),
    )
