"""Rhythm, lengths and skew, as measured on real production traffic.

ServeGen: 162 clients of the service `m-large` over 14 days, in 10-minute windows; Alibaba,
github.com/alibaba/ServeGen, Apache-2.0. Azure: the conversation trace of 2023, 19,366 requests in
58 minutes; github.com/Azure/AzurePublicDataset, CC-BY-4.0. Only figures stand here, no records.
A test draws from these functions and compares with the traces.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Quantile levels of every table below.
LEVELS: Final = np.array([0.0, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 1.0])

# ServeGen m-large, one value a client: mean and standard deviation of log tokens a request.
INPUT_LOG_MEAN: Final = np.array([3.354, 4.341, 4.688, 5.762, 6.467, 6.961, 7.354, 7.537, 9.292])
INPUT_LOG_SPREAD: Final = np.array([0.014, 0.103, 0.145, 0.378, 0.723, 1.052, 1.356, 1.613, 2.505])
OUTPUT_LOG_MEAN: Final = np.array([0.001, 0.909, 1.677, 2.991, 3.881, 4.677, 5.518, 6.073, 7.36])
OUTPUT_LOG_SPREAD: Final = np.array([0.052, 0.228, 0.344, 0.611, 1.088, 1.539, 2.131, 2.303, 2.823])
# ServeGen m-large, per client: median coefficient of variation of the gaps between arrivals
# within its 10-minute windows, and the share of windows in which it sends anything.
ARRIVAL_CV: Final = np.array([0.242, 0.687, 0.867, 1.016, 1.452, 2.204, 5.624, 9.122, 15.614])
ACTIVE_SHARE: Final = np.array([0.0005, 0.001, 0.003, 0.009, 0.071, 0.58, 0.952, 1.0, 1.0])
# ServeGen m-large: requests a client and day are log-normal with this spread (log mean 9.47);
# the ten largest of 162 clients make 63% of all. Volume and active share correlate by 0.77.
VOLUME_LOG_SPREAD: Final = 2.15
TOP_TEN_SHARE: Final = 0.632
VOLUME_ACTIVE_CORRELATION: Final = 0.77
# ServeGen m-large: requests by hour of the day (as the trace counts it), mean 1.
HOURLY: Final = np.array(
    [0.994, 1.002, 0.986, 0.936, 0.908, 0.883, 0.854, 0.817, 0.788, 0.868, 1.046, 1.106,
     0.971, 0.981, 1.047, 1.047, 1.109, 1.078, 1.040, 1.143, 1.133, 1.074, 1.103, 1.086]
)  # fmt: skip
# ServeGen m-large: requests by day of a fortnight, mean 1; the spread of a service's days.
DAY_LOG_SPREAD: Final = 0.25
# Azure conversation trace: mean and spread of log tokens of one chat service, all users pooled.
CHAT_INPUT_LOG: Final = (6.633, 0.985)
CHAT_OUTPUT_LOG: Final = (5.019, 0.859)
# Azure: the pooled spread, split between users (the rest varies within one user's requests).
CHAT_BETWEEN_USERS: Final = 0.6

SECONDS_A_DAY: Final = 86_400.0
_RUN_SECONDS: Final = 1_800.0  # a back end's burst lasts about three windows


def from_quantiles(values: Floats, uniform: Floats) -> Floats:
    """Draw by inverting a measured quantile table."""
    return np.interp(uniform, LEVELS, values)


def production_lengths(
    rng: np.random.Generator, count: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Input log mean and spread, output log mean and spread, of production clients.

    The four are drawn apart: measured correlations between them are below 0.1.
    """
    tables = (INPUT_LOG_MEAN, INPUT_LOG_SPREAD, OUTPUT_LOG_MEAN, OUTPUT_LOG_SPREAD)
    means_in, spreads_in, means_out, spreads_out = (
        from_quantiles(table, rng.random(count)) for table in tables
    )
    return means_in, spreads_in, means_out, spreads_out


def chat_lengths(rng: np.random.Generator, count: int) -> tuple[Floats, Floats, Floats, Floats]:
    """As `production_lengths`, for people who chat: pooled, they follow the Azure trace."""
    between = CHAT_BETWEEN_USERS
    within = np.sqrt(1 - between**2)
    mean_in, spread_in = CHAT_INPUT_LOG
    mean_out, spread_out = CHAT_OUTPUT_LOG
    return (
        rng.normal(mean_in, spread_in * between, count),
        np.full(count, spread_in * within),
        rng.normal(mean_out, spread_out * between, count),
        np.full(count, spread_out * within),
    )


def production_volumes(rng: np.random.Generator, count: int, mean: float) -> tuple[Floats, Floats]:
    """Requests a day of production clients (log-normal, mean as given) and their active share.

    Volumes are the quantiles of the log-normal in random order, so that a small population has
    the measured skew too, instead of a chance draw of its tail.
    """
    levels = (np.arange(count) + rng.random(count)) / max(count, 1)
    # Beyond 0.997 a client would be larger than any of the 162 measured.
    normal = _normal_quantile(np.clip(levels, 0.003, 0.997))
    volumes = np.exp(VOLUME_LOG_SPREAD * normal)
    volumes *= mean / volumes.mean()
    rho = VOLUME_ACTIVE_CORRELATION
    score = rho * normal + np.sqrt(1 - rho**2) * rng.normal(size=count)
    active = from_quantiles(ACTIVE_SHARE, _normal_cdf(score))
    order = rng.permutation(count)
    return volumes[order], active[order]


def sessions_and_runs(active: Floats) -> tuple[Floats, Floats]:
    """Turn an active share into runs a day and seconds a run."""
    seconds = active * SECONDS_A_DAY
    runs = np.maximum(1.0, np.round(seconds / _RUN_SECONDS))
    return runs, np.maximum(seconds / runs, 60.0)


def time_of_day(rng: np.random.Generator, count: int) -> Floats:
    """Seconds since midnight UTC, with the measured hours of a service that never sleeps."""
    edges = np.concatenate([[0.0], np.cumsum(HOURLY / HOURLY.sum())])
    return np.interp(rng.random(count), edges, np.arange(25) * 3600.0)


def _normal_quantile(level: Floats) -> Floats:
    from scipy.special import ndtri  # imported late: `--help` should not pay for it

    return np.asarray(ndtri(level), np.float64)


def _normal_cdf(value: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr(value), np.float64)
