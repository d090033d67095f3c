"""Simulated rhythm, lengths and skew agree with real traces, within stated bounds.

The traces are public (ServeGen, Apache-2.0; Azure, CC-BY-4.0) and not part of this project: they
are looked for in `STILLWATCH_DATA`, or in `shared/data` beside the repository.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from jobs.simulator import World, WorldSettings, build_world
from jobs.simulator.day import Requests, draw
from jobs.simulator.traffic import TOP_TEN_SHARE

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "data"
DATA = Path(os.environ.get("STILLWATCH_DATA", _BESIDE)) / "traffic"
real = pytest.mark.skipif(
    not DATA.is_dir(), reason="real traces are missing: set STILLWATCH_DATA to their folder"
)
BACK_ENDS = WorldSettings(
    days=3,
    accounts=330,
    honest_kinds=("production",),
    tactics=(),
    reseller=False,
    requests_per_day=130_000,
    text=False,
)


@pytest.fixture(scope="module")
def served() -> tuple[World, Requests]:
    """A day of production clients only."""
    world = build_world(BACK_ENDS)
    return world, draw(world, 0, 0, 1.0)


def log_moments(field: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each real client: mean and spread of log tokens; and all values with weights."""
    table = pd.read_parquet(DATA / "servegen_m-large_tokens.parquet")
    means, spreads, values, weights = [], [], [], []
    for _, client in table[table.field == field].groupby("client_id"):
        tokens = np.concatenate(client.tokens.to_list()).astype(float)
        share = np.concatenate([p / np.sum(p) for p in client.probability]) / len(client)
        logs = np.log(np.maximum(tokens, 1))
        mean = (logs * share).sum()
        means.append(mean)
        spreads.append(np.sqrt(((logs - mean) ** 2 * share).sum()))
        values.append(logs)
        weights.append(share)
    return np.array(means), np.array(spreads), np.concatenate(values), np.concatenate(weights)


@real
@pytest.mark.parametrize(
    ("field", "of_means", "of_spreads", "pooled", "greatest"),
    [("input_tokens", 0.2, 0.15, 0.25, 0.12), ("output_tokens", 0.35, 0.25, 0.45, 0.17)],
)
def test_token_lengths_of_clients(
    served: tuple[World, Requests],
    field: str,
    of_means: float,
    of_spreads: float,
    pooled: float,
    greatest: float,
) -> None:
    """Wasserstein distances in log tokens (0.1 is about 10%), and Kolmogorov–Smirnov of means."""
    world, rows = served
    good = (rows.status == 200) & (world.workloads["operation"][rows.workload] != 3)
    owner, logs = rows.workload[good], np.log(np.maximum(getattr(rows, field)[good], 1))
    count = np.bincount(owner)
    total, squares = np.bincount(owner, logs), np.bincount(owner, logs**2)
    big = count >= 20
    mean = total[big] / count[big]
    spread = np.sqrt(np.maximum(squares[big] / count[big] - mean**2, 0))
    means, spreads, values, weights = log_moments(field)
    each = (big / np.maximum(count, 1))[owner] + 1e-12
    assert wasserstein_distance(mean, means) < of_means
    assert wasserstein_distance(spread, spreads) < of_spreads
    assert wasserstein_distance(logs, values, each, weights + 1e-15) < pooled
    assert ks_2samp(mean, means).statistic < greatest


@real
def test_rhythm_of_clients(served: tuple[World, Requests]) -> None:
    """Variation of gaps within 10-minute windows, and the share of windows with traffic."""
    _, rows = served
    seconds = rows.time_us / 1e6
    order = np.lexsort((seconds, rows.workload))
    frame = pd.DataFrame({"client": rows.workload[order], "at": seconds[order]})
    frame["window"] = frame["at"] // 600
    frame["gap"] = frame.groupby(["client", "window"])["at"].diff()
    gaps = frame.groupby(["client", "window"])["gap"].agg(["mean", "std", "count"])
    busy = gaps[gaps["count"] >= 14]
    ours = (busy["std"] / busy["mean"]).groupby("client").median()
    windows = pd.read_parquet(DATA / "servegen_m-large_windows.parquet")
    theirs = windows.groupby("client_id").arrival_cv.median().dropna()
    assert len(ours) > 100
    assert wasserstein_distance(np.log(ours), np.log(theirs)) < 0.3
    active = frame.groupby("client")["window"].nunique() / 144
    real_active = windows.groupby("client_id").size() / windows.window_start_s.nunique()
    assert wasserstein_distance(active, real_active) < 0.13


@real
def test_skew_between_clients(served: tuple[World, Requests]) -> None:
    """The ten largest of 162 clients make as much of the traffic as in the trace."""
    _, rows = served
    windows = pd.read_parquet(DATA / "servegen_m-large_windows.parquet")
    volume = windows.groupby("client_id").rate_rps.sum().sort_values()
    measured = volume.iloc[-10:].sum() / volume.sum()
    assert measured == pytest.approx(TOP_TEN_SHARE, abs=0.01)
    count = np.bincount(rows.workload)
    shares = []
    for seed in range(40):
        chosen = np.sort(np.random.default_rng(seed).choice(count, 162, replace=False))
        shares.append(chosen[-10:].sum() / chosen.sum())
    assert np.mean(shares) == pytest.approx(measured, abs=0.12)


@real
def test_chat_lengths() -> None:
    """First turns of people, pooled, against the Azure conversation trace."""
    people = replace(BACK_ENDS, accounts=3_000, honest_kinds=("hobbyist", "developer"))
    world = build_world(replace(people, requests_per_day=8_000))
    rows = draw(world, 0, 0, 1.0)
    first = (rows.status == 200) & (rows.turn == 0)
    trace = pd.read_parquet(DATA / "azure_conv_requests.parquet")
    for field in ("input_tokens", "output_tokens"):
        ours = np.log(np.maximum(getattr(rows, field)[first], 1))
        assert wasserstein_distance(ours, np.log(trace[field].clip(lower=1))) < 0.3


def test_constant_lengths_are_common_among_honest_back_ends(
    served: tuple[World, Requests],
) -> None:
    """A third of real clients send prompts of near-constant length: so do a third of ours."""
    _, rows = served
    frame = pd.DataFrame({"client": rows.workload, "tokens": rows.input_tokens})
    by_client = frame.groupby("client")["tokens"].agg(["mean", "std", "count"])
    by_client = by_client[by_client["count"] >= 30]
    steady = (by_client["std"] / by_client["mean"] < 0.5).mean()
    assert 0.25 < steady < 0.5
