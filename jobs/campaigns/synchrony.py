"""Likeness in time, beyond what time zones and weekdays explain.

Synchrony as evidence: Cao et al. (SynchroTrap, 2014), here judged against pairs drawn by chance
from the same population.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.evidence import Evidence
from jobs.campaigns.pairs import spread_keys
from jobs.campaigns.threads import even_parts, in_threads
from jobs.platform.compiling import compiled

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Accounts and neighbours of the sample that says how alike two strangers' hours are.
_STRANGERS = 4_000
_STRANGER_STEPS = 8
#: Requests under which an account's hours say nothing.
_TIMED_REQUESTS = 20
#: Days compared at a time: bounds memory to 700 bytes an account.
_DAYS = 7
#: Accounts or pairs worked on at a time by one thread.
_COMPARED = 20_000


def synchrony(evidence: Evidence, first: NDArray[np.int32], second: NDArray[np.int32]) -> Floats:
    """Nats of likeness in time beyond what hour of the day and weekday explain.

    Each account's requests by day and hour are compared with what its own hours of the day (its
    time zone) and the population's weekdays would make of them; the likeness of two accounts is
    the cosine of what is left, and its surprise -ln(share of chance pairs that are as alike).
    """
    weekdays = np.arange(evidence.days) % 7
    daily = np.asarray(evidence.hours.sum(axis=0)).reshape(evidence.days, 24).sum(axis=1)
    by_weekday = np.array([daily[weekdays == d].sum() for d in range(7)])
    count = np.bincount(weekdays, minlength=7)
    profile = (by_weekday / np.maximum(count, 1))[weekdays]
    profile = profile / max(profile.sum(), 1e-12)

    timed = evidence.sums["requests"] >= _TIMED_REQUESTS
    nats = np.zeros(len(first))
    usable = np.flatnonzero(timed[first] & timed[second])
    strangers = np.flatnonzero(timed)
    strangers = strangers[np.argsort(spread_keys(evidence.account_keys[strangers]), kind="stable")]
    strangers = strangers[:_STRANGERS]
    if not len(usable) or len(strangers) < 50:
        return nats
    left = _residuals(evidence, strangers, profile, np.arange(evidence.days))
    chance = np.concatenate(
        [(left * np.roll(left, step, axis=0)).sum(axis=1) for step in range(1, _STRANGER_STEPS + 1)]
    ).astype(np.float64)
    chance.sort()
    first, second = first[usable], second[usable]
    needed = np.zeros(len(timed), bool)
    needed[first] = needed[second] = True
    row = np.cumsum(needed, dtype=np.int32) - 1
    accounts, days = np.flatnonzero(needed), np.flatnonzero(profile)
    alike = np.zeros(len(usable))
    for at in range(0, len(days), _DAYS):
        left = _residuals(evidence, accounts, profile, days[at : at + _DAYS])
        _add_products_of_all(left, row[first], row[second], alike)
    as_alike = len(chance) - np.searchsorted(chance, alike, side="left")
    nats[usable] = -np.log((as_alike + 1.0) / (len(chance) + 1.0))
    return nats


def _add_products_of_all(
    left: NDArray[np.float32], one: NDArray[np.int32], two: NDArray[np.int32], alike: Floats
) -> None:
    in_threads(
        lambda part: _add_products(left, one, two, alike, *part),
        even_parts(np.arange(len(alike) + 1), _COMPARED),
    )


def _residuals(
    evidence: Evidence, accounts: Ints, weekday_profile: Floats, days: Ints
) -> NDArray[np.float32]:
    """What each account's hours of these days are beyond what is expected of it, as part of a row
    of all days of length 1: accounts x (24 x days)."""
    hours = evidence.hours
    left = np.empty((len(accounts), 24 * len(days)), np.float32)
    in_threads(
        lambda part: _write_residuals(
            hours.indptr, hours.indices, hours.data, accounts, weekday_profile, days, *part, left
        ),
        even_parts(np.arange(len(accounts) + 1), _COMPARED),
    )
    return left


@compiled
def _write_residuals(
    starts: NDArray[np.int32], column: NDArray[np.int32], requests: Floats, accounts: Ints,
    weekday_profile: Floats, days: Ints, low: int, high: int, left: NDArray[np.float32],
) -> None:  # fmt: skip
    busy = np.zeros(24 * len(weekday_profile))
    for row in range(low, high):
        entries = range(starts[accounts[row]], starts[accounts[row] + 1])
        own_hours = np.zeros(24)
        for entry in entries:
            busy[column[entry]] = requests[entry]
            own_hours[column[entry] % 24] += requests[entry]
        length = 0.0
        for at in range(len(busy)):
            # Square roots even out the noise of counts.
            busy[at] = np.sqrt(busy[at]) - np.sqrt(weekday_profile[at // 24] * own_hours[at % 24])
            length += busy[at] ** 2
        length = max(np.sqrt(length), 1e-9)
        for place in range(len(days)):
            for hour in range(24):
                left[row, 24 * place + hour] = busy[24 * days[place] + hour] / length
        busy[:] = 0.0


@compiled
def _add_products(
    left: NDArray[np.float32], one: NDArray[np.int32], two: NDArray[np.int32], alike: Floats,
    low: int, high: int,
) -> None:  # fmt: skip
    """Add to each pair's likeness the product of both accounts' rows."""
    for pair in range(low, high):
        x, y = left[one[pair]], left[two[pair]]
        # Four sums that do not wait for each other.
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for at in range(0, len(x), 4):
            a += np.float64(x[at]) * y[at]
            b += np.float64(x[at + 1]) * y[at + 1]
            c += np.float64(x[at + 2]) * y[at + 2]
            d += np.float64(x[at + 3]) * y[at + 3]
        alike[pair] += (a + b) + (c + d)
