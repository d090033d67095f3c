"""Likeness in time, beyond what time zones and weekdays explain.

Synchrony as evidence: Cao et al. (SynchroTrap, 2014), here judged against pairs drawn by chance
from the same population.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.evidence import Evidence
from jobs.campaigns.pairs import in_parts, spread_keys

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Accounts and neighbours of the sample that says how alike two strangers' hours are.
_STRANGERS = 4_000
_STRANGER_STEPS = 8
#: Requests under which an account's hours say nothing.
_TIMED_REQUESTS = 20


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
    left = _residuals(evidence, strangers, profile)
    chance = np.concatenate(
        [(left * np.roll(left, step, axis=0)).sum(axis=1) for step in range(1, _STRANGER_STEPS + 1)]
    )
    chance.sort()
    needed, place = np.unique(np.r_[first[usable], second[usable]], return_inverse=True)
    left = _residuals(evidence, needed, profile)
    a, b = place[: len(usable)], place[len(usable) :]

    def compare(part: slice) -> None:
        alike = np.einsum("ij,ij->i", left[a[part]], left[b[part]], dtype=np.float64)
        as_alike = len(chance) - np.searchsorted(chance, alike, side="left")
        nats[usable[part]] = -np.log((as_alike + 1.0) / (len(chance) + 1.0))

    in_parts(compare, len(usable))
    return nats


def _residuals(evidence: Evidence, accounts: Ints, weekday_profile: Floats) -> NDArray[np.float32]:
    out = np.empty((len(accounts), evidence.hours.shape[1]), np.float32)

    def fill(part: slice) -> None:
        busy = evidence.hours[accounts[part]].toarray().reshape(-1, evidence.days, 24)
        own_hours = busy.sum(axis=1)
        expected = weekday_profile[None, :, None] * own_hours[:, None, :]
        # Square roots even out the noise of counts.
        left = (np.sqrt(busy) - np.sqrt(expected)).reshape(len(busy), -1)
        length = np.sqrt(np.einsum("ij,ij->i", left, left))
        out[part] = left / np.maximum(length, 1e-9)[:, None]

    in_parts(fill, len(accounts))
    return out
