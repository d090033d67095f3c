"""Drift by hand: features and scores of a few accounts on a few nights, and what is said of them.

Chance and groups are tested against draws, the index against a loop over bins.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import drift
from jobs.catalog.drift import AMOUNTS, DRIFT_POLICY, MEASURED, SHARES, Grid
from jobs.catalog.features import LEARNED
from jobs.platform.lake import Lake

NIGHT = dt.date(2026, 5, 20)
PRIOR, NEXT = "stillwatch-distillation/prior-1", "stillwatch-distillation/1"
Values = Sequence[float | None]
Nights = Callable[..., dict[str, dict[str, Any]]]


def nights_before(n: int) -> dt.date:
    return NIGHT - dt.timedelta(days=n)


@pytest.fixture
def measured(bare_lake: Lake, fill: Callable[..., int]) -> Nights:
    """`measured(date, strangers, scores)` writes a night and measures it: its rows by name."""

    def run(
        date: dt.date, strangers: Values = (), scores: Values = (), model: str = PRIOR
    ) -> dict[str, dict[str, Any]]:
        fill(bare_lake, "account_features", date, [
            {"account_id": f"a{n}", "requests_7d": 1.0, "campaign_strangers": value}
            for n, value in enumerate(strangers)
        ])  # fmt: skip
        fill(bare_lake, "account_scores", date, [
            {"account_id": f"a{n}", "distillation_score": value} for n, value in enumerate(scores)
        ])  # fmt: skip
        drift.measure(bare_lake, date, model)
        rows = bare_lake.rows("drift", date, date).to_pylist()
        return {row["name"]: row for row in rows}

    return run


def occupied(row: dict[str, Any]) -> dict[int, int]:
    return {at: n for at, n in enumerate(row["counts"]) if n}


def test_every_feature_that_the_classifier_reads_and_both_scores_are_measured(measured) -> None:
    rows = measured(NIGHT, [0.5], [0.1])
    assert set(rows) == {f.name for f in LEARNED} | {"distillation_score", "resale_score"}
    assert {name for name, row in rows.items() if row["model_version"] == PRIOR} == {
        "distillation_score", "resale_score"}  # fmt: skip
    assert all(row["accounts"] == sum(row["counts"]) == 1 for row in rows.values())


@pytest.mark.parametrize(
    ("grid", "values", "bins"),
    [
        (SHARES, [None, math.nan, math.inf, -1.0, 0.0], {0: 3, 1: 2}),
        # Edges at log-odds of -0.5 and 0.5, where shares are 0.38 and 0.62.
        (SHARES, [0.0001, 0.37, 0.5, 0.62, 0.63, 1.0], {2: 1, 8: 1, 9: 2, 10: 1, 16: 1}),
        (AMOUNTS, [0.001, 1.0, 2.0, 5.0, 6.0, 1e9], {2: 1, 5: 1, 6: 2, 7: 1, 14: 1}),
    ],
)
def test_values_fall_into_bins(grid: Grid, values: Values, bins: dict[int, int]) -> None:
    counts = drift.histogram(pa.chunked_array([pa.array(values, pa.float64())]), grid)
    assert len(counts) == grid.size
    assert {at: n for at, n in enumerate(counts.tolist()) if n} == bins


def test_a_first_night_has_nothing_to_be_compared_with(measured: Nights) -> None:
    row = measured(NIGHT, [0.5, None])["campaign_strangers"]
    assert (row["missing"], row["reference_nights"], row["reference_missing"]) == (0.5, 0, None)
    assert (row["psi"], row["psi_expected"]) == (None, None)


def test_the_same_values_again_are_no_drift(measured: Nights) -> None:
    for n in (2, 1):
        measured(nights_before(n), [0.1, 0.5, 0.5, None], [0.2, 0.9])
    row = measured(NIGHT, [0.5, 0.1, None, 0.5], [0.9, 0.2])["campaign_strangers"]
    assert (row["psi"], row["reference_nights"], row["reference_missing"]) == (0.0, 2, 0.25)
    # Three bins, four accounts a night: (3 - 1) (1/4 + 1/4).
    assert row["psi_expected"] == 1.0


def test_a_column_that_is_lost_shows_by_its_name_alone(measured: Nights) -> None:
    measured(nights_before(1), [0.5] * 4, [0.2])
    rows = measured(NIGHT, [None] * 4, [0.2])
    assert {name for name, row in rows.items() if row["psi"]} == {"campaign_strangers"}
    row = rows["campaign_strangers"]
    assert (row["missing"], row["reference_missing"]) == (1.0, 0.0)
    # Twice 0.999 ln(1 / 0.001): an empty bin is taken to hold a thousandth.
    assert row["psi"] == pytest.approx(2 * 0.999 * math.log(1000), abs=1e-4)


def test_scores_that_move_to_another_bin_show(measured: Nights) -> None:
    measured(nights_before(1), [], [0.2, 0.2, 0.2, 0.9])
    rows = measured(NIGHT, [], [0.2, 0.9, 0.9, 0.9])
    # 1/4 and 3/4 against 3/4 and 1/4: twice 0.5 ln 3.
    assert rows["distillation_score"]["psi"] == pytest.approx(math.log(3), abs=1e-4)
    assert rows["resale_score"]["psi"] == 0.0


def test_scores_are_compared_with_those_of_the_same_model_only(measured: Nights) -> None:
    measured(nights_before(3), [0.5], [0.2], PRIOR)
    measured(nights_before(2), [0.5], [0.2], PRIOR)
    first = measured(nights_before(1), [0.5], [0.9], NEXT)
    second = measured(NIGHT, [0.5], [0.9], NEXT)
    score, feature = "distillation_score", "campaign_strangers"
    assert (first[score]["reference_nights"], first[score]["psi"]) == (0, None)
    assert (second[score]["reference_nights"], second[score]["psi"]) == (1, 0.0)
    assert (first[feature]["reference_nights"], first[feature]["psi"]) == (2, 0.0)


def test_accounts_without_traffic_in_the_window_are_not_counted(measured, bare_lake, fill) -> None:
    fill(bare_lake, "account_features", NIGHT, [
        {"account_id": "a1", "requests_7d": 3.0, "campaign_strangers": 0.5},
        {"account_id": "a2", "requests_7d": 0.0, "campaign_strangers": 0.5},
        {"account_id": "a3", "campaign_strangers": 0.5},
    ])  # fmt: skip
    drift.measure(bare_lake, NIGHT, PRIOR)
    (row,) = (r for r in bare_lake.rows("drift").to_pylist() if r["name"] == "campaign_strangers")
    assert (row["accounts"], occupied(row)) == (1, {9: 1})


def test_a_night_again_has_the_same_rows_whatever_came_later(measured: Nights) -> None:
    measured(nights_before(1), [0.5, 0.1], [0.2, 0.3])
    first = measured(NIGHT, [0.5, 0.5], [0.2, 0.9])
    measured(NIGHT + dt.timedelta(days=1), [None, None], [0.9, 0.9])
    assert measured(NIGHT, [0.5, 0.5], [0.2, 0.9]) == first


def test_nights_further_back_and_nights_without_accounts_are_left_out(measured: Nights) -> None:
    measured(nights_before(DRIFT_POLICY.reference_days + 1), [0.1], [0.2])
    measured(nights_before(DRIFT_POLICY.reference_days), [0.5], [0.2])
    measured(nights_before(1), [], [])
    row = measured(NIGHT, [0.5], [0.2])["campaign_strangers"]
    assert (row["reference_nights"], row["psi"]) == (1, 0.0)
    assert measured(NIGHT, [], [])["campaign_strangers"]["psi"] is None


def test_histograms_on_other_bins_are_left_out(measured, bare_lake, fill) -> None:
    fill(bare_lake, "drift", nights_before(1), [
        {"name": "campaign_strangers", "bins": "shares-00000000", "counts": [0, 9], "accounts": 9},
    ])  # fmt: skip
    assert measured(NIGHT, [0.5])["campaign_strangers"]["reference_nights"] == 0


@pytest.mark.parametrize(
    ("sizes", "mean"),
    [
        # Three on their own and a group of three: (1 + 1 + 1 + 9) / 6, so that they count as 3.
        ([0.0, None, 1.0, 3.0, 3.0, 3.0], 2.0),
        ([0.0] * 5, 1.0),
        # Two of a campaign of 400 are scored.
        ([400.0, 400.0], 2.0),
        ([], 1.0),
    ],
)
def test_members_of_one_campaign_count_as_one(sizes: Values, mean: float) -> None:
    assert drift.mean_group(pa.chunked_array([pa.array(sizes, pa.float64())])) == mean


def test_a_campaign_makes_a_larger_index_be_expected(bare_lake, fill) -> None:
    for date in (nights_before(1), NIGHT):
        fill(bare_lake, "account_features", date, [
            {"account_id": f"a{n}", "requests_7d": 1.0, "campaign_accounts": 4.0 if n < 4 else 0.0}
            for n in range(8)
        ])  # fmt: skip
        drift.measure(bare_lake, date, PRIOR)
    row = next(r for r in bare_lake.rows("drift", NIGHT, NIGHT).to_pylist()
               if r["name"] == "campaign_accounts")  # fmt: skip
    # 64 over 16 + 4 times 1 is 3.2; two bins: (2 - 1) (1/3.2 + 1/3.2).
    assert (row["effective_accounts"], row["psi_expected"]) == (3.2, 0.625)


def naive_index(counts: Sequence[int], reference: Sequence[int]) -> float:
    """The definition, a bin at a time."""
    index = 0.0
    for n, m in zip(counts, reference, strict=True):
        p = max(n / sum(counts), DRIFT_POLICY.least_share)
        q = max(m / sum(reference), DRIFT_POLICY.least_share)
        index += (p - q) * (math.log(p) - math.log(q))
    return index


HISTOGRAM = st.lists(st.integers(0, 10**6), min_size=6, max_size=6).filter(any)


@given(HISTOGRAM, HISTOGRAM, st.integers(2, 50))
def test_the_index_is_the_naive_one(a: list[int], b: list[int], times: int) -> None:
    index = drift.stability_index(np.array(a), np.array(b))
    assert index == pytest.approx(naive_index(a, b), rel=1e-9, abs=1e-12)
    assert index >= 0.0
    assert index == pytest.approx(drift.stability_index(np.array(b), np.array(a)))
    # Of shares, not of counts.
    assert index == pytest.approx(drift.stability_index(np.array(a) * times, np.array(b)))
    assert drift.stability_index(np.array(a), np.array(a) * times) == pytest.approx(0.0, abs=1e-12)


def test_the_expected_index_is_the_mean_of_draws_from_one_population() -> None:
    draw = np.random.default_rng(20260520)
    shares = [0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05]
    night, before = (draw.multinomial(n, shares, 4_000) for n in (2_000, 3_000))
    found = np.mean([drift.stability_index(a, b) for a, b in zip(night, before, strict=True)])
    assert drift.expected_index(night[0], before[0], 2_000, 3_000) == pytest.approx(found, rel=0.03)


def test_the_expected_index_holds_for_accounts_in_groups() -> None:
    """Groups of 20 that go from bin to bin together: as many groups as accounts would be."""
    draw = np.random.default_rng(20260521)
    shares = [0.4, 0.3, 0.2, 0.1]
    night, before = (20 * draw.multinomial(200, shares, 4_000) for _ in range(2))
    found = np.mean([drift.stability_index(a, b) for a, b in zip(night, before, strict=True)])
    effective = 4_000 / drift.mean_group(pa.chunked_array([pa.array([20.0] * 4_000)]))
    expected = drift.expected_index(night[0], before[0], effective, effective)
    assert expected == pytest.approx(found, rel=0.05)


def test_edges_rise_and_no_whole_number_or_simple_share_is_one() -> None:
    simple = {a / b for b in range(1, 200) for a in range(b + 1)} | set(map(float, range(10**5)))
    for grid in set(MEASURED.values()):
        assert list(grid.edges) == sorted(set(grid.edges))
        assert simple & set(grid.edges) == set()
