"""Margins to probabilities by Platt's sigmoid (Platt 1999, with Lin, Lin and Weng's Newton 2007).

Why not isotonic regression (Zadrozny and Elkan 2002): with two or three campaigns it has a handful
of steps, and every step is a tie that throws ranking away. A sigmoid with a positive slope is
strictly increasing, needs two numbers, and Platt's smoothed targets keep twenty positives from
claiming certainty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Margins are log-odds already: a slope outside this range comes from a separable sample.
SLOPE_RANGE = (0.2, 2.0)


@dataclass(frozen=True)
class Sigmoid:
    """p = 1 / (1 + exp(-(slope * margin + intercept))), slope > 0."""

    slope: float
    intercept: float

    def log_odds(self, margins: np.ndarray) -> np.ndarray:
        """Log-odds of the calibrated probability, for margins of shape (n,)."""
        return self.slope * np.asarray(margins, dtype=np.float64) + self.intercept

    def __call__(self, margins: np.ndarray) -> np.ndarray:
        """Probabilities in [0, 1], for margins of shape (n,)."""
        return expit(self.log_odds(margins))

    def at_prevalence(self, seen: float, wanted: float) -> Sigmoid:
        """The same evidence at another share of positives (Saerens et al. 2002, label shift)."""
        shift = _logit(wanted) - _logit(seen)
        return Sigmoid(self.slope, self.intercept + shift)


#: Between the names of families that are missing together.
AND = "+"


@dataclass(frozen=True)
class Calibration:
    """A sigmoid for rows with all their evidence, and one for each case in which some is missing.

    Trees send a missing value where some present ones go, so with a family gone everybody drifts
    towards the middle and the honest lose what spoke for them. The same threshold would then let
    through more of them; a line of its own for that case puts the probability right.

    `without` has a line for each family and for each two that are missing together ("a+b").
    """

    full: Sigmoid
    without: Mapping[str, Sigmoid]

    def lines(self, absent: Mapping[str, np.ndarray], margins: np.ndarray) -> np.ndarray:
        """(2, rows): slope and intercept for each row.

        Args:
            absent: family -> (rows,) bool, no evidence of it in that row.
            margins: (rows,). Where more than two families are absent, the line of two among them
                that gives the lowest probability counts: less evidence never makes an alarm.
        """
        slope = np.full(len(margins), self.full.slope)
        intercept = np.full(len(margins), self.full.intercept)
        lowest = np.full(len(margins), np.inf)
        missing = np.zeros(len(margins), dtype=np.int64)
        # Fewer families first: the line of two replaces those of one, whatever they say.
        for case in sorted(self.without, key=lambda name: (name.count(AND), name)):
            families = case.split(AND)
            gone = np.ones(len(margins), dtype=bool)
            for family in families:
                gone &= absent.get(family, np.zeros(len(margins), dtype=bool))
            if not gone.any():
                continue
            line = self.without[case]
            odds = line.log_odds(margins)
            chosen = gone & ((missing < len(families)) | (odds < lowest))
            slope[chosen], intercept[chosen] = line.slope, line.intercept
            lowest[chosen], missing[chosen] = odds[chosen], len(families)
        return np.stack([slope, intercept])

    def at_prevalence(self, seen: float, wanted: float) -> Calibration:
        """Every line at another share of positives."""
        without = {name: line.at_prevalence(seen, wanted) for name, line in self.without.items()}
        return Calibration(self.full.at_prevalence(seen, wanted), without)

    def to_json(self) -> dict[str, Any]:
        """Plain values, read back by `from_json`."""
        without = {name: vars(line) for name, line in sorted(self.without.items())}
        return {"full": vars(self.full), "without": without}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """What `to_json` wrote; KeyError and TypeError on anything else."""
        without = {name: Sigmoid(**line) for name, line in values["without"].items()}
        return cls(Sigmoid(**values["full"]), without)


def fit_sigmoid(
    margins: np.ndarray,
    positive: np.ndarray,
    weights: np.ndarray,
    steepest: float = SLOPE_RANGE[1],
) -> Sigmoid:
    """Fit on margins that the fitted model never saw in training.

    Args:
        margins: (n,) log-odds.
        positive: (n,) bool.
        weights: (n,) how many accounts of the population each row stands for.
        steepest: the slope at most.
    """
    margins = np.asarray(margins, dtype=np.float64)
    heavy = float(weights[positive].sum())
    light = float(weights[~positive].sum())
    # Platt's targets: the probabilities that a uniform prior on each class would give.
    targets = np.where(positive, (heavy + 1) / (heavy + 2), 1 / (light + 2))
    at = np.array([1.0, 0.0])
    design = np.stack([margins, np.ones_like(margins)])
    ridge = 1e-9 * max(float(weights.sum()), 1.0) * np.eye(2)
    loss = _loss(at, margins, targets, weights)
    for _ in range(100):
        p = expit(at @ design)
        gradient = design @ (weights * (p - targets))
        hessian = (design * (weights * p * (1 - p))) @ design.T + ridge
        step = np.linalg.solve(hessian, gradient)
        # Where the sigmoid is flat Newton jumps far out: halve until the loss falls.
        share = 1.0
        while share > 1e-10 and _loss(at - share * step, margins, targets, weights) > loss:
            share /= 2
        at = at - share * step
        fallen = loss - _loss(at, margins, targets, weights)
        loss -= fallen
        if fallen < 1e-12 * max(loss, 1.0):
            break
    slope, intercept = float(at[0]), float(at[1])
    if SLOPE_RANGE[0] <= slope <= steepest:
        return Sigmoid(slope, intercept)
    # Outside the range (the worst case is a falling curve, from positives that rank below the
    # negatives) only the level is learned, so that ranking is never turned round.
    slope = float(np.clip(slope, SLOPE_RANGE[0], steepest))
    return Sigmoid(slope, _level(slope * margins, targets, weights))


def _loss(at: np.ndarray, margins: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Cross-entropy of the targets, from log-odds so that certainty does not overflow."""
    odds = at[0] * margins + at[1]
    return float((weights * (np.logaddexp(0.0, odds) - targets * odds)).sum())


def _level(scaled: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """The intercept that makes the mean probability equal the mean target, by bisection."""
    wanted = float((weights * targets).sum())
    low, high = -60.0, 60.0
    for _ in range(80):
        middle = (low + high) / 2
        if float((weights * expit(scaled + middle)).sum()) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def expit(values: np.ndarray) -> np.ndarray:
    """The logistic function, without overflow."""
    values = np.clip(np.asarray(values, dtype=np.float64), -700.0, 700.0)
    return 1.0 / (1.0 + np.exp(-values))


def _logit(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return float(np.log(share / (1 - share)))
