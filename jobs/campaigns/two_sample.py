"""Whether prompts come from one source: tests of two and more samples on hashed words.

A prompt is the set of buckets that its words fall into; all that is known of an account is how
many of its prompts have each. That is enough for the maximum mean discrepancy with the linear
kernel (Gretton et al., "A kernel two-sample test", 2012), which windows of queries are tested by
for model extraction too (Zhang et al., SEAT, 2021), and for the analysis of variance that asks the
same of many samples at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64] | NDArray[np.int32]

#: Share of an account's prompts from which on a bucket holds words of its template: what comes
#: with each prompt says nothing of what is asked.
_TEMPLATE = 0.9
#: Requests of a member, and such members, from which on they can be compared with each other.
ENOUGH_REQUESTS = 10
ENOUGH_MEMBERS = 4


def between(count: Floats, total: Floats, squared: Floats) -> float:
    """Share of the spread of a quantity over all requests that lies between members.

    The intraclass correlation of a one-way analysis of variance (Fisher 1925), of members with
    enough requests, from each member's number, sum and sum of squares, or of several quantities
    at once (members x quantities), whose variances add up. 0: each member's requests are a sample
    of the same work. NaN with too few members.
    """
    count, total, squared = (np.atleast_2d(array.T).T for array in (count, total, squared))
    told = count >= ENOUGH_REQUESTS
    n = np.where(told, count, 0.0)
    members = told.sum(axis=0)
    usable = members >= ENOUGH_MEMBERS
    if not usable.any():
        return float("nan")
    n, members = n[:, usable], members[usable]
    total, squared = (np.where(told, array, 0.0)[:, usable] for array in (total, squared))
    mean, everywhere = total / np.maximum(n, 1.0), total.sum(axis=0) / n.sum(axis=0)
    within = np.maximum(squared - total * mean, 0.0).sum(axis=0) / (n.sum(axis=0) - members)
    among = (n * (mean - everywhere) ** 2).sum(axis=0) / (members - 1)
    typical = (n.sum(axis=0) - (n**2).sum(axis=0) / n.sum(axis=0)) / (members - 1)
    apart = max(float(((among - within) / typical).sum()), 0.0)
    spread = apart + float(within.sum())
    return apart / spread if spread > 0 else float("nan")


def words_differ(words: Ints, prompts: Ints) -> float:
    """How much of the spread of words lies between members (`between`): near 0 where one list is
    shared out at random, more where each member has subjects of its own.

    Args:
        words: prompts with a word of each bucket, members x buckets.
        prompts: prompts of each member.
    """
    has = words.astype(np.float64)
    count = np.repeat(prompts.astype(np.float64)[:, None], words.shape[1], axis=1)
    count[has > _TEMPLATE * count] = 0.0
    return between(count, has, has)


def profile_of(words: Ints, prompts: Ints) -> Floats:
    """Share of prompts with a word of each bucket: the mean over accounts, each counted once, so
    that the largest customer is not the population; zeros where no account has enough."""
    told = prompts >= ENOUGH_REQUESTS
    if not told.any():
        return np.zeros(words.shape[1])
    shares: Floats = (words[told] / prompts[told, None]).mean(axis=0)
    return shares


def discrepancy(words: Ints, prompts: int, profile: Floats) -> float:
    """Squared maximum mean discrepancy of a sample of prompts from a population, over the
    population's own spread; around 0 for a sample of it, NaN where either is unknown.

    Args:
        words: prompts with a word of each bucket; unbiased, as a word is there or is not.
        prompts: how many prompts there are.
        profile: share of the population's prompts with a word of each bucket.
    """
    spread = float((profile * (1.0 - profile)).sum())
    if prompts < 2 or spread <= 0:
        return float("nan")
    has = words.astype(np.float64)
    own = (has * (has - 1.0)).sum() / (prompts * (prompts - 1.0))
    return float((own - 2.0 * (has / prompts) @ profile + profile @ profile) / spread)
