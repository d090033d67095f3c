"""Thresholds at a rate of false positives: against a naive reference, by hand, and on draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from models.thresholds import BENIGN, FLOOR, UNLABELLED, FalsePositives, false_positives

SURE = 0.95
Accounts = Sequence[tuple[float, int, bool]]


def expected(accounts: Accounts) -> FalsePositives:
    """Of accounts (score, unit, called benign)."""
    scores, units, benign = zip(*accounts, strict=True) if accounts else ((), (), ())
    return false_positives(
        np.array(scores, np.float64), np.array(units, np.int64), np.array(benign, bool)
    )


def lone(scores: Sequence[float], benign: int = 0, first: int = 0) -> Accounts:
    """Accounts outside any campaign, the first `benign` of them called so."""
    return [(score, first + n, n < benign) for n, score in enumerate(scores)]


def operation(score: float, accounts: int, unit: int = 1_000_000) -> Accounts:
    return [(score, unit, False)] * accounts


# Against a naive reference


def naive(accounts: Accounts, floor: float, rate: Fraction) -> tuple[float, list[Fraction]]:
    """The threshold in fractions, score by score, and every rate that was compared.

    The lower bound is held against the binomial distribution itself: so many or more of the honest
    units, each called benign above the score with probability `rate`, are less likely than 5 %.
    """
    sizes = {unit: sum(u == unit for _, u, _ in accounts) for _, unit, _ in accounts}
    share = {n: Fraction(1, sizes[unit]) for n, (_, unit, _) in enumerate(accounts)}
    wrong = {n: share[n] * (1 - Fraction(s)) for n, (s, _, _) in enumerate(accounts)}
    known = len({unit for _, unit, benign in accounts if benign})
    trials = max(sum(wrong.values(), Fraction(0)), Fraction(known))
    best, seen = math.inf, []
    for level in sorted({s for s, _, _ in accounts if s >= floor}, reverse=True):
        above = [n for n, (s, _, _) in enumerate(accounts) if s >= level]
        honest = sum(wrong.values(), Fraction(0))
        met = sum((wrong[n] for n in above), Fraction(0)) / honest if honest else Fraction(0)
        called = len({accounts[n][1] for n in above if accounts[n][2]})
        seen.append(met)
        # Trials are a whole number only here: the reference is for worlds in which they are.
        contradicted = called > 0 and binom.sf(called - 1, int(trials), float(rate)) < 1 - SURE
        if met > rate or contradicted:
            return best, seen
        best = level
    return floor, seen


@settings(max_examples=200)
@given(
    accounts=st.lists(
        st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.875, 1.0]), st.integers(0, 8),
                  st.booleans()),
        max_size=24,
    ),
    quiet=st.integers(0, 30),
    floor=st.sampled_from([0.0, 0.3, 0.75]),
    rate=st.sampled_from([Fraction(0), Fraction(1, 50), Fraction(1, 10), Fraction(1, 3)]),
)  # fmt: skip
def test_thresholds_are_those_of_a_naive_reference(
    accounts: list[tuple[float, int, bool]], quiet: int, floor: float, rate: Fraction
) -> None:
    everyone = [*accounts, *lone([0.0] * quiet, first=100)]
    sums = expected(everyone)
    trials = max(sums.honest, sums.benign_known)
    labelled = any(benign for _, _, benign in everyone)
    assume(not labelled or abs(trials - round(trials)) < 1e-9)
    score, seen = naive(everyone, floor, rate)
    assume(all(abs(met - rate) > 1e-9 or met == rate == 0 for met in seen))  # no knife's edge
    assert sums.threshold(floor, float(rate), SURE).score == score


@settings(max_examples=50)
@given(st.randoms(use_true_random=False), st.integers(0, 60))
def test_the_order_of_accounts_changes_nothing_to_the_last_bit(random, count: int) -> None:
    scores = [random.choice([0.1, 0.3, 0.7, random.random()]) for _ in range(count)]
    rows = [(score, random.randrange(9), random.random() < 0.2) for score in scores]
    shuffled = random.sample(rows, count)
    for floor, rate in ((0.0, 0.2), (0.3, 0.05), (0.6, 0.01)):
        assert expected(rows).threshold(floor, rate, SURE) == expected(shuffled).threshold(
            floor, rate, SURE
        )


# By hand


def test_a_campaign_is_one_unit_however_many_accounts_it_has() -> None:
    honest = lone([0.01] * 4_500)
    whole = expected([*honest, *operation(0.97, 500)]).threshold(0.9, 1e-4, SURE)
    assert (whole.score, whole.chosen_by, whole.accounts) == (0.9, FLOOR, 500)
    assert (whole.units, whole.expected_false) == (pytest.approx(1.0), pytest.approx(0.03))
    assert whole.rate == pytest.approx(0.03 / (0.99 * 4_500 + 0.03))
    # Five hundred strangers who score the same are five hundred decisions.
    strangers = expected([*honest, *lone([0.97] * 500, first=10_000)]).threshold(0.9, 1e-3, SURE)
    assert (strangers.score, strangers.chosen_by) == (math.inf, UNLABELLED)


def test_an_account_counts_for_its_share_of_its_campaign() -> None:
    # Half of the campaign is below the floor: half a unit is met.
    half = [*operation(0.8, 5), *operation(0.2, 5)]
    found = expected([*half, *lone([0.0] * 100)]).threshold(0.5, 1e-2, SURE)
    assert found.units == pytest.approx(0.5)
    assert found.expected_false == pytest.approx(0.5 * 0.2)


def test_the_threshold_rises_to_the_first_score_within_the_rate() -> None:
    # 100.8 honest units; 0.1 of them from 0.9 on, 0.3 from 0.8 on, 0.8 from 0.5 on.
    rows = [*lone([0.0] * 100), *lone([0.9, 0.8, 0.5], first=200)]
    at = {rate: expected(rows).threshold(0.4, rate, SURE) for rate in (0.01, 0.005, 0.002, 5e-4)}
    assert {rate: found.score for rate, found in at.items()} == {
        0.01: 0.4, 0.005: 0.8, 0.002: 0.9, 5e-4: math.inf}  # fmt: skip
    assert [found.accounts for found in at.values()] == [3, 2, 1, 0]
    assert at[0.005].expected_false == pytest.approx(0.3)
    assert at[0.005].rate == pytest.approx(0.3 / 100.8)


def test_equal_scores_stand_or_fall_together() -> None:
    # One of the two at 0.9 would be within the rate, both are not.
    rows = [*lone([0.0] * 100), *lone([0.9, 0.9, 0.95], first=200)]
    assert expected(rows).threshold(0.5, 0.0016, SURE).score == 0.95
    assert expected(rows).threshold(0.5, 0.0026, SURE).score == 0.5


def test_nothing_to_go_by() -> None:
    nobody = expected([])
    assert nobody.threshold(0.6, 1e-3, SURE).score == 0.6
    assert nobody.threshold(0.6, 1e-3, SURE).rate == 0.0
    alike = expected(lone([0.7] * 50))
    assert alike.threshold(0.6, 1e-2, SURE).score == math.inf
    assert alike.threshold(0.8, 1e-2, SURE).score == 0.8  # nobody is there
    assert alike.threshold(0.6, 1.0, SURE).score == 0.6
    assert expected(lone([1.0] * 50)).threshold(0.6, 1e-3, SURE).score == 0.6  # none is honest


def test_a_rate_of_zero_meets_the_certain_only() -> None:
    rows = [*lone([0.0] * 10), *lone([1.0, 0.999], first=20)]
    found = expected(rows).threshold(0.5, 0.0, SURE)
    assert (found.score, found.accounts) == (1.0, 1)
    called = [*rows, (1.0, 30, True)]  # not even the certain, if one of them is called benign
    assert expected(called).threshold(0.5, 0.0, SURE).score == math.inf


def test_a_score_that_is_no_probability_is_refused() -> None:
    for score in (math.nan, 1.5, -0.1):
        with pytest.raises(ValueError, match="not in 0 to 1"):
            expected(lone([score]))


# Labels


def test_benign_labels_catch_scores_that_are_too_sure() -> None:
    """80 honest accounts at 0.99: the scores say that fewer than one of them is."""
    quiet, wronged = lone([0.001] * 5_000), [0.99] * 80

    def found(labelled: int) -> tuple[float, str]:
        accounts = [*quiet, *lone(wronged, labelled, first=10_000), *operation(0.995, 300)]
        threshold = expected(accounts).threshold(0.9, 1e-3, SURE)
        return threshold.score, threshold.chosen_by

    assert found(labelled=0) == (0.9, FLOOR)  # nobody could know
    assert found(labelled=9) == (0.9, FLOOR)
    assert found(labelled=10) == (0.995, BENIGN)  # the bound of 10 of 4,996 is 1.09e-3


def test_one_label_does_not_shut_a_rung_nor_do_labels_that_only_the_wronged_get() -> None:
    rows = [*lone([0.001] * 5_000), *operation(0.98, 300)]
    wronged = lone([0.98] * 4, benign=4, first=10_000)  # 4 in 5,000, and each appealed
    found = expected([*rows, *wronged]).threshold(0.9, 1e-3, SURE)
    assert (found.score, found.benign_above) == (0.9, 4)
    one = expected([*rows, (0.98, 1_000_000, True)]).threshold(0.9, 1e-4, SURE)
    assert (one.score, one.benign_above) == (0.9, 1)


def test_benign_accounts_of_one_campaign_are_one_label() -> None:
    rows = lone([0.0] * 1_000)
    # A class of fifty, forty of them cleared, met by two scores.
    classroom = [(0.9 if n < 25 else 0.8, 5_000, n < 40) for n in range(50)]
    sums = expected([*rows, *classroom])
    assert sums.benign_known == 1
    assert sums.benign.tolist() == [1, 1, 1]
    # The one that is above counts, not the one of the campaign that scores highest.
    below = expected([*rows, (0.9, 5_000, False), (0.8, 5_000, True)])
    assert below.benign.tolist() == [0, 1, 1]


def test_labels_never_lower_a_threshold() -> None:
    rows = [*lone([0.0] * 100), *lone([0.8] * 3, first=200)]
    assert expected(rows).threshold(0.5, 1e-3, SURE).score == math.inf
    cleared = [(score, unit, score == 0.0) for score, unit, _ in rows]
    assert expected(cleared).threshold(0.5, 1e-3, SURE).score == math.inf


# On draws


@pytest.mark.parametrize("rate", [1e-2, 1e-3])
def test_the_true_rate_of_calibrated_scores_is_the_stated_one(rate: float) -> None:
    """Units whose truth is drawn by their score; the threshold sees scores only."""
    rng = np.random.default_rng(20_260_501)
    shares = []
    for _ in range(300):
        lone_scores, group_scores = rng.beta(0.05, 2.0, 3_000), rng.beta(0.5, 0.5, 40)
        scores = np.concatenate([lone_scores, group_scores])
        guilty = rng.uniform(size=len(scores)) < scores
        sizes = np.concatenate([np.ones(3_000, int), rng.integers(4, 200, 40)])
        units = np.repeat(np.arange(len(scores)), sizes)
        found = false_positives(scores[units], units, np.zeros(len(units), bool)).threshold(
            0.0, rate, SURE
        )
        honest = ~guilty
        shares.append(float((honest & (scores >= found.score)).sum() / honest.sum()))
    error = float(np.std(shares)) / math.sqrt(len(shares))
    assert np.mean(shares) <= rate + 2 * error
    assert np.mean(shares) >= 0.75 * rate  # and no more cautious than it was asked to be
