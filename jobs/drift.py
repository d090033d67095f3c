"""How far is the night from the nights before, in what the classifier reads and in what it says?

Part of the step `score`, whose tables it reads in this process: the features of the accounts that
were scored, a few columns, and their scores. Writes drift: a histogram of each, and its population
stability index against the histograms of the nights before, which is all that is read of them.
`check_scored` judges it; nothing else depends on it.
Harm if late: a model goes on scoring what it was not made for.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.drift import DRIFT, DRIFT_POLICY, MEASURED, SCORES, Grid
from jobs.catalog.policy import SCORING
from jobs.platform.lake import arrow_schema

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

#: Digits that are written down: an index is read to two.
_DIGITS = 4


def measure(lake: Lake, date: dt.date, model_version: str) -> None:
    """Write the night's rows of drift, from its features and scores."""
    features = [name for name in MEASURED if name not in SCORES]
    values = lake.rows("account_features", date, date, [SCORING.traffic, *features])
    values = values.filter(pc.greater(values[SCORING.traffic], 0))
    group = mean_group(values["campaign_accounts"])
    scores = lake.rows("account_scores", date, date, list(SCORES))
    before = lake.rows(
        "drift",
        date - dt.timedelta(days=DRIFT_POLICY.reference_days),
        date - dt.timedelta(days=1),
    ).to_pylist()
    rows = [
        row_of(date, name, (scores if name in SCORES else values)[name],
               group, model_version if name in SCORES else None, before)
        for name in sorted(MEASURED)
    ]  # fmt: skip
    lake.replace_night("drift", date, pa.Table.from_pylist(rows, schema=arrow_schema(DRIFT)))


def row_of(
    date: dt.date,
    name: str,
    values: pa.ChunkedArray,
    group: float,
    model_version: str | None,
    before: list[dict[str, Any]],
) -> dict[str, Any]:
    """One row of drift.

    Args:
        date: the night.
        name: of the feature or score.
        values: (accounts,) doubles.
        group: of `mean_group`.
        model_version: whose score it is, None for a feature.
        before: rows of drift of earlier nights; those of other names, bins or models, and of
            nights without accounts, are left out.
    """
    grid = MEASURED[name]
    counts = histogram(values, grid)
    bins = grid.name
    same = [
        earlier
        for earlier in before
        if (earlier["name"], earlier["bins"]) == (name, bins)
        and earlier["model_version"] == model_version
        and earlier["accounts"]
    ]
    accounts, nights = int(counts.sum()), len(same)
    effective = round(accounts / group, 1)
    row: dict[str, Any] = {
        "date": date, "name": name, "model_version": model_version, "bins": bins,
        "counts": counts.tolist(), "accounts": accounts, "effective_accounts": effective,
        "missing": _share(counts), "reference_nights": nights,
        "reference_missing": None, "psi": None, "psi_expected": None,
    }  # fmt: skip
    if accounts and nights:
        pooled = np.sum([earlier["counts"] for earlier in same], axis=0)
        reference = float(np.mean([earlier["effective_accounts"] for earlier in same]))
        row["reference_missing"] = _share(pooled)
        row["psi"] = round(stability_index(counts, pooled), _DIGITS)
        row["psi_expected"] = round(expected_index(counts, pooled, effective, reference), _DIGITS)
    return row


def histogram(values: pa.ChunkedArray, grid: Grid) -> np.ndarray:
    """(grid.size,) int64: how many values are in each bin.

    Null, NaN and infinite are missing, as the classifier reads them.
    """
    numbers = values.cast(pa.float64()).to_numpy()
    at = np.searchsorted(grid.edges, numbers, side="right") + 2
    at = np.where(numbers <= 0, 1, at)
    at = np.where(np.isfinite(numbers), at, 0)
    return np.bincount(at, minlength=grid.size)


def stability_index(counts: np.ndarray, reference: np.ndarray) -> float:
    """The population stability index of two histograms on the same bins, in nats.

    Sum over bins of (p - q) ln(p / q) (Siddiqi 2006; Jeffreys' divergence of 1946), shares under
    `DriftPolicy.least_share` counted as that. 0 for equal shares; never negative.
    """
    least = DRIFT_POLICY.least_share
    p = np.maximum(counts / counts.sum(), least)
    q = np.maximum(reference / reference.sum(), least)
    return float(np.sum((p - q) * np.log(p / q)))


def expected_index(
    counts: np.ndarray, reference: np.ndarray, effective: float, reference_effective: float
) -> float:
    """What the index of two samples of one population comes to on average: (bins - 1)(1/n + 1/m).

    To second order the index is the sum over bins of (p - q)^2 / q, which is (1/n + 1/m) times a
    chi-squared variable of bins - 1 degrees of freedom (Yurdakul 2018, "Statistical properties of
    population stability index"). Bins that hold `DriftPolicy.least_share` of either count.

    Args:
        counts, reference: histograms on the same bins.
        effective, reference_effective: n and m, accounts that are worth as independent ones. m is
            that of one night and not of all together: the same accounts come again each night.
    """
    least = DRIFT_POLICY.least_share
    shares = np.maximum(counts / counts.sum(), reference / reference.sum())
    bins = int(np.count_nonzero(shares >= least))
    return float((bins - 1) * (1.0 / effective + 1.0 / reference_effective))


def mean_group(sizes: pa.ChunkedArray) -> float:
    """Mean, over accounts, of how many accounts share one campaign's figures: 1 without campaigns.

    Members of a campaign go from bin to bin together. n accounts in such groups are worth
    n^2 over the sum of squared sizes of groups (Kish 1965, "Survey Sampling"), which is n over
    this mean.

    Args:
        sizes: (accounts,) doubles: accounts in the account's campaign, 0 or null for none.
    """
    numbers = np.nan_to_num(sizes.cast(pa.float64()).to_numpy(), nan=1.0)
    # A campaign may have more members than accounts are scored.
    return float(np.clip(numbers, 1.0, len(numbers)).mean()) if len(numbers) else 1.0


def _share(counts: np.ndarray) -> float | None:
    """Share of the accounts that have no value."""
    total = counts.sum()
    return round(float(counts[0] / total), _DIGITS) if total else None
