"""Probabilities keep the ranking, are honest, and stay modest with few positives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calibration import SLOPE_RANGE, Calibration, Sigmoid, expit, fit_sigmoid


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    positives=st.integers(1, 40),
    negatives=st.integers(1, 400),
    shift=st.floats(-4, 8),
)
def test_a_higher_margin_is_never_a_lower_probability(
    seed: int, positives: int, negatives: int, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    margins = np.concatenate([rng.normal(shift, 1, positives), rng.normal(0, 1, negatives)])
    positive = np.arange(len(margins)) < positives
    sigmoid = fit_sigmoid(margins, positive, rng.uniform(0.5, 20, len(margins)))
    assert SLOPE_RANGE[0] <= sigmoid.slope <= SLOPE_RANGE[1]
    grid = sigmoid(np.linspace(-10, 10, 50))
    assert (np.diff(grid) > 0).all() and grid[0] >= 0 and grid[-1] <= 1


def test_probabilities_that_were_squeezed_are_put_right() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(-2, 2, 50_000)
    positive = rng.uniform(size=len(truth)) < expit(truth)
    sigmoid = fit_sigmoid(truth * 1.6 + 1.0, positive, np.ones(len(truth)))
    assert sigmoid.slope == pytest.approx(1 / 1.6, rel=0.05)
    assert sigmoid.intercept == pytest.approx(-1 / 1.6, abs=0.06)


def test_weights_are_accounts() -> None:
    """A sample of one in ten of the negatives, each standing for ten, is the whole."""
    rng = np.random.default_rng(2)
    truth = rng.normal(-3, 1.5, 200_000)
    positive = rng.uniform(size=len(truth)) < expit(truth)
    kept = positive | (rng.uniform(size=len(truth)) < 0.1)
    weights = np.where(positive, 1.0, 10.0)[kept]
    sigmoid = fit_sigmoid(truth[kept], positive[kept], weights)
    assert float(np.mean(sigmoid(truth))) == pytest.approx(positive.mean(), rel=0.03)


def test_few_positives_do_not_make_certainty() -> None:
    margins = np.concatenate([np.full(5, 6.0), np.full(1000, -6.0)])
    sigmoid = fit_sigmoid(margins, margins > 0, np.ones(len(margins)))
    assert sigmoid(np.array([6.0]))[0] < 0.97
    assert sigmoid(np.array([-6.0]))[0] < 0.01


def test_positives_that_rank_below_the_negatives_do_not_turn_the_ranking_round() -> None:
    margins = np.concatenate([np.full(20, -2.0), np.full(200, 2.0)])
    sigmoid = fit_sigmoid(margins, margins < 0, np.ones(len(margins)))
    assert sigmoid.slope > 0
    assert float(np.mean(sigmoid(margins))) == pytest.approx(20 / 220, abs=0.02)


def test_another_prevalence_moves_the_odds_by_its_ratio() -> None:
    there = Sigmoid(1.0, 0.0)
    here = there.at_prevalence(seen=0.1, wanted=0.01)
    odds = expit(np.array([1.0])) / (1 - expit(np.array([1.0])))
    moved = here(np.array([1.0])) / (1 - here(np.array([1.0])))
    assert (moved / odds)[0] == pytest.approx((0.01 / 0.99) / (0.1 / 0.9))


def test_the_line_of_what_is_missing_is_used_and_of_two_that_of_both() -> None:
    one, two, both = Sigmoid(1.0, -1.0), Sigmoid(1.0, -2.0), Sigmoid(1.0, -0.5)
    calibration = Calibration(Sigmoid(1.0, 0.0), {"a": one, "b": two, "a+b": both})
    absent = {"a": np.array([0, 1, 0, 1], dtype=bool), "b": np.array([0, 0, 1, 1], dtype=bool)}
    intercepts = calibration.lines(absent, np.zeros(4))[1]
    assert intercepts.tolist() == [0.0, -1.0, -2.0, -0.5]


def test_of_three_missing_the_two_that_say_least_count() -> None:
    lines = {"a": -9.0, "b": -9.0, "c": -9.0, "a+b": -1.0, "a+c": -3.0, "b+c": -2.0}
    calibration = Calibration(
        Sigmoid(1.0, 0.0), {case: Sigmoid(1.0, level) for case, level in lines.items()}
    )
    absent = {family: np.ones(1, dtype=bool) for family in "abc"}
    assert calibration.lines(absent, np.zeros(1))[1].tolist() == [-3.0]
    assert Calibration.from_json(calibration.to_json()) == calibration
