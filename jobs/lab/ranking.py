"""How well scores rank and how honest they are as probabilities: arrays in, figures out.

Ties count against us throughout: accounts of one score are found together or not at all, and
among equals the honest ones are looked at first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def allowed_false_positives(honest: int, rate: float) -> int:
    """floor(rate x honest accounts): none where there are fewer than 1 / rate of them."""
    # 0.29 * 100 is a little less than 29 in binary.
    return int(np.floor(rate * honest + 1e-9))


def threshold(scores: Floats, guilty: Bools, rate: float) -> float:
    """The lowest distiller's score that no more honest accounts reach than the rate allows.

    An honest account over the allowance bars its score: distillers that tie with it stay below the
    threshold. Infinite where no distiller scores above it.
    """
    honest = np.sort(scores[~guilty])[::-1]
    allowed = allowed_false_positives(len(honest), rate)
    barred = honest[allowed] if allowed < len(honest) else -np.inf
    above = scores[guilty & (scores > barred)]
    return float(above.min()) if len(above) else float("inf")


def recall_at(scores: Floats, guilty: Bools, rate: float) -> float | None:
    """Share of distillers at or above the threshold of the rate; None where there are none."""
    if not guilty.any():
        return None
    return float((scores[guilty] >= threshold(scores, guilty, rate)).mean())


def pr_auc(scores: Floats, guilty: Bools) -> float | None:
    """Average precision at the prevalence given: sum of precision x gain in recall, score by score.

    The step-wise estimate of Davis and Goadrich 2006 (no interpolation); all of one score are one
    step. None where there are no distillers.
    """
    return float(average_precision_score(guilty, scores)) if guilty.any() else None


def precision_of_first(scores: Floats, guilty: Bools, first: int) -> float | None:
    """Share of distillers among the `first` highest scores; among equals the honest come first.

    None where fewer accounts than that were scored.
    """
    if len(scores) < first:
        return None
    order = np.lexsort((guilty, -scores))
    return float(guilty[order][:first].mean())


def brier(scores: Floats, guilty: Bools) -> float | None:
    """Mean squared distance of the score from what is true (Brier 1950); None without accounts."""
    return float(((scores - guilty) ** 2).mean()) if len(scores) else None


def wilson(hits: int, of: int) -> tuple[float, float] | None:
    """Interval of a share that holds it in 95 of 100 samples (Wilson 1927); None of nobody.

    Unlike the normal approximation it says something of 0 out of n: at most about 3.8 / n.
    """
    if of == 0:
        return None
    interval = binomtest(hits, of).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)
