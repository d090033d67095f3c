"""Ranking and calibration: by hand, and against references that are slow and plain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.lab.ranking import (
    allowed_false_positives,
    brier,
    pr_auc,
    precision_of_first,
    recall_at,
    threshold,
    wilson,
)
from models.evaluate import Judged, reliability

# Few distinct scores, so that most examples have ties.
SCORED = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0]), st.booleans()),
    min_size=1, max_size=60,
)  # fmt: skip
RATES = st.sampled_from([1e-3, 0.02, 0.1, 0.5, 1.0])


def arrays(rows: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    scores, guilty = zip(*rows, strict=True)
    return np.array(scores, float), np.array(guilty, bool)


def test_no_honest_account_may_be_met_where_there_are_fewer_than_one_in_the_rate() -> None:
    assert [allowed_false_positives(n, 1e-4) for n in (5_000, 9_999, 10_000, 29_999)] == [
        0, 0, 1, 2,
    ]  # fmt: skip
    assert allowed_false_positives(3_000, 1e-3) == 3
    assert allowed_false_positives(100, 0.29) == 29, "also where the product is a little less"


def test_recall_by_hand() -> None:
    scores, guilty = arrays(
        [(0.9, True), (0.8, False), (0.7, True), (0.6, True), (0.5, False), (0.4, True)]
        + [(0.1, False)] * 8
    )
    # Ten honest accounts: at 0.1 one may be met, the one at 0.8; the next bars 0.5 and below.
    assert threshold(scores, guilty, 0.1) == 0.6
    assert recall_at(scores, guilty, 0.1) == 0.75
    assert recall_at(scores, guilty, 0.01) == 0.25  # none may be met


def test_the_threshold_is_a_distillers_score_and_no_lower() -> None:
    scores, guilty = arrays([(0.9, True), (0.8, False), (0.3, False)] + [(0.1, False)] * 8)
    assert threshold(scores, guilty, 0.1) == 0.9  # not 0.8, although one may be met


def test_an_honest_account_that_ties_keeps_distillers_out() -> None:
    scores, guilty = arrays([(0.9, True), (0.9, False), (0.9, True), (0.2, True), (0.1, False)])
    assert recall_at(scores, guilty, 0.01) == 0.0
    assert threshold(scores, guilty, 0.01) == float("inf")
    assert recall_at(scores, guilty, 0.5) == 1.0


def test_without_distillers_recall_is_unknown_and_without_honest_ones_whole() -> None:
    assert recall_at(np.array([0.5]), np.array([False]), 0.1) is None
    assert recall_at(np.array([0.5, 0.1]), np.array([True, True]), 0.1) == 1.0


@settings(max_examples=300)
@given(SCORED, RATES)
def test_recall_is_that_of_the_best_level_that_spares_enough_honest_accounts(
    rows: list[tuple[float, bool]], rate: float
) -> None:
    honest = [score for score, guilty in rows if not guilty]
    theirs = [score for score, guilty in rows if guilty]
    best = 0.0
    for level in [score for score, _ in rows]:
        met = sum(score >= level for score in honest)
        if theirs and met <= rate * len(honest) + 1e-9:
            best = max(best, sum(score >= level for score in theirs) / len(theirs))
    assert recall_at(*arrays(rows), rate) == (best if theirs else None)


def test_average_precision_by_hand() -> None:
    scores, guilty = arrays([(0.9, True), (0.8, False), (0.7, True), (0.6, False)])
    assert pr_auc(scores, guilty) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    # All tie: flagging everybody, at the prevalence.
    assert pr_auc(np.full(4, 0.3), guilty) == 0.5


@given(SCORED)
def test_average_precision_is_the_area_under_its_steps(rows: list[tuple[float, bool]]) -> None:
    theirs = sum(guilty for _, guilty in rows)
    area, before = 0.0, 0.0
    for level in sorted({score for score, _ in rows}, reverse=True):
        found = [guilty for score, guilty in rows if score >= level]
        recall = sum(found) / theirs if theirs else 0.0
        area += (recall - before) * sum(found) / len(found)
        before = recall
    assert pr_auc(*arrays(rows)) == (pytest.approx(area) if theirs else None)


def test_among_equals_the_honest_come_first() -> None:
    scores, guilty = arrays([(0.9, True), (0.5, True), (0.5, False), (0.5, True), (0.1, False)])
    assert precision_of_first(scores, guilty, 2) == 0.5
    assert precision_of_first(scores, guilty, 4) == 0.75
    assert precision_of_first(scores, guilty, 6) is None


def test_brier_score_and_bins_by_hand() -> None:
    scores, guilty = arrays([(0.9, True), (0.5, False), (0.45, True), (0.0, False)])
    assert brier(scores, guilty) == pytest.approx((0.01 + 0.25 + 0.3025 + 0) / 4)
    assert reliability(Judged(scores, guilty, np.ones(4))) == [
        {"score": 0.0, "observed": 0.0, "accounts": 1},
        {"score": pytest.approx(0.475), "observed": 0.5, "accounts": 2},
        {"score": 0.9, "observed": 1.0, "accounts": 1},
    ]


def test_wilson_intervals_of_the_literature() -> None:
    assert wilson(0, 10) == (0.0, pytest.approx(0.2775, abs=1e-4))
    assert wilson(5, 10) == (pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))
    assert wilson(10, 10) == (pytest.approx(0.7225, abs=1e-4), pytest.approx(1.0))
    assert wilson(0, 0) is None
