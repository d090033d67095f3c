"""Whether prompts come from one source: tests of two and more samples on hashed words.

A prompt is the set of buckets that its words fall into; all that is known of an account is how
many of its prompts have each. That is enough for the maximum mean discrepancy with the linear
kernel (Gretton et al., "A kernel two-sample test", 2012), which windows of queries are tested by
for model extraction too (Zhang et al., SEAT, 2021), and for the analysis of variance that asks the
same of many samples at once.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    has, count = _own_words(words, prompts)
    return between(count, has, has)


def profile_of(words: Ints, prompts: Ints) -> Floats:
    """Share of prompts with a word of each bucket: the mean over accounts, each counted once, so
    that the largest customer is not the population; zeros where no account has enough."""
    shares = _shares(words, prompts)
    if not len(shares):
        return np.zeros(words.shape[1])
    profile: Floats = shares.mean(axis=0)
    return profile


def _shares(words: Ints, prompts: Ints) -> Floats:
    """Share of the prompts of each account with enough of them that have a word of each bucket."""
    told = prompts >= ENOUGH_REQUESTS
    shares: Floats = words[told] / prompts[told, None].astype(np.float64)
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
    count = np.full(len(words), float(prompts))
    return distance(words.astype(np.float64), count, Reference(profile, profile**2)) / spread


@dataclass(frozen=True)
class Reference:
    """What a sample of prompts is compared with, bucket by bucket: the share of its prompts that
    have a word of it, and an estimate without bias of that share's square."""

    share: Floats
    squared: Floats


def reference_of(words: Ints, prompts: int) -> Reference:
    """Of a sample of at least two prompts, as `distance` needs it.

    The square of a sample's share is too large by its variance; couples of different prompts,
    of which h (h - 1) have the word, give it without (Gretton et al. 2012, eq. 3).
    """
    has = words.astype(np.float64)
    return Reference(has / prompts, _squared(has, np.full(len(has), float(prompts))))


def _squared(has: Floats, count: Floats) -> Floats:
    """The square of a share, without bias: of couples of different prompts, those that both have
    the word."""
    return has * (has - 1.0) / (count * (count - 1.0))


def without_templates(words: Ints, prompts: Ints) -> tuple[Floats, Floats]:
    """Prompts with a word of each bucket, and prompts, summed over the members in whose prompts
    the bucket is not their template's.

    Args:
        words: members x buckets.
        prompts: prompts of each member.
    """
    has, count = _own_words(words, prompts)
    return has.sum(axis=0), count.sum(axis=0)


def _own_words(words: Ints, prompts: Ints) -> tuple[Floats, Floats]:
    """Both by member and bucket, with zeros where the bucket holds words of the template."""
    has = words.astype(np.float64)
    count = np.repeat(prompts.astype(np.float64)[:, None], words.shape[1], axis=1)
    masked = has > _TEMPLATE * count
    has[masked] = count[masked] = 0.0
    return has, count


def distance(has: Floats, count: Floats, reference: Reference) -> float:
    """Squared maximum mean discrepancy of two samples of prompts, without bias on either side:
    around 0, and below as often as above, for samples of the same prompts.

    Args:
        has: prompts of the sample with a word of each bucket.
        count: prompts of the sample that say something of the bucket; at least two, or it is to
            be left out of all three arguments.
        reference: of the other sample.
    """
    return float(
        (_squared(has, count) - 2.0 * (has / count) * reference.share + reference.squared).sum()
    )


@dataclass(frozen=True)
class Crowd:
    """The accounts with enough prompts, each counted once: sums over them of the share of their
    prompts with a word of each bucket, and of the products of two buckets' shares."""

    accounts: int
    total: Floats
    product: Floats

    @staticmethod
    def of(words: Ints, prompts: Ints) -> Crowd:
        """From prompts with a word of each bucket (accounts x buckets), and prompts of each."""
        shares = _shares(words, prompts)
        return Crowd(len(shares), shares.sum(axis=0), shares.T @ shares)

    def without(self, some: Crowd) -> Crowd:
        """The others: a group that is compared with a crowd of which it is part pulls it near."""
        return Crowd(
            self.accounts - some.accounts, self.total - some.total, self.product - some.product
        )

    def reference(self) -> Reference:
        """Without bias too: of couples of different accounts. Of at least two accounts."""
        n = self.accounts
        return Reference(
            self.total / n, (self.total**2 - np.diagonal(self.product)) / (n * (n - 1.0))
        )

    def by_chance(self, prompts: Ints, counted: NDArray[np.bool_]) -> float:
        """How far from the crowd as many accounts of it, with as many prompts each, would be
        found drawn at random: the mean and twice the standard deviation of the squared distance.

        Accounts have subjects of their own, so that a group's prompts are no sample of all: with
        C the covariance of accounts' shares, the mean of accounts weighed by w is off by a vector
        of covariance sum(w^2) C, the square of whose length has the mean sum(w^2) tr C and the
        variance 2 sum(w^2)^2 tr C^2 (a normal vector's quadratic form).

        Args:
            prompts: prompts of each member.
            counted: the buckets that the distance is made of.
        """
        n = self.accounts
        mean = self.total / n
        spread = (self.product - n * np.outer(mean, mean))[np.ix_(counted, counted)] / (n - 1.0)
        weight = float((prompts.astype(np.float64) ** 2).sum() / float(prompts.sum()) ** 2)
        return weight * float(np.trace(spread) + 2.0 * np.sqrt(2.0 * (spread**2).sum()))
