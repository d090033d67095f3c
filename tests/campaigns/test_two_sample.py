"""Whether prompts come from one source: against plain references, prompt by prompt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.campaigns.two_sample import between, discrepancy, profile_of, words_differ

BUCKETS = 48


def components_of_variance(members: list[list[float]]) -> float:
    """Share between members, from all values one by one (one-way analysis of variance)."""
    values = [value for member in members for value in member]
    everywhere = sum(values) / len(values)
    means = [sum(member) / len(member) for member in members]
    among = sum(
        len(member) * (mean - everywhere) ** 2 for member, mean in zip(members, means, strict=True)
    ) / (len(members) - 1)
    within = sum(
        (value - mean) ** 2 for member, mean in zip(members, means, strict=True) for value in member
    ) / (len(values) - len(members))
    size = (len(values) - sum(len(m) ** 2 for m in members) / len(values)) / (len(members) - 1)
    variance = max((among - within) / size, 0.0)
    return variance / (variance + within)


@given(st.lists(st.tuples(st.integers(10, 30), st.floats(0.0, 8.0)), min_size=4, max_size=9),
       st.integers(0, 2**31))  # fmt: skip
def test_spread_between_members_is_that_of_an_analysis_of_variance(
    shapes: list[tuple[int, float]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    members = [rng.normal(mean, 1.0, count).tolist() for count, mean in shapes]
    count, total, squared = (
        np.array([f(member) for member in members], float)
        for f in (len, sum, lambda member: sum(value**2 for value in member))
    )
    assert between(count, total, squared) == pytest.approx(
        components_of_variance(members), abs=1e-9
    )


def test_members_with_few_requests_do_not_say_how_answers_differ() -> None:
    count = np.array([100.0, 100.0, 100.0, 9.0])
    assert np.isnan(between(count, count * 5.0, count * 30.0))
    even = np.full(4, 100.0)
    assert between(even, even * 5.0, even * 30.0) == 0.0  # each has the same mean


def asked(rng: np.random.Generator, shares: np.ndarray, prompts: int) -> np.ndarray:
    """Prompts x buckets: which words each prompt has."""
    return rng.random((prompts, len(shares))) < shares


def naive_discrepancy(sample: np.ndarray, profile: np.ndarray) -> float:
    """The unbiased estimate from all couples of different prompts (Gretton et al. 2012, eq. 3),
    with a population of which the mean is known."""
    x = sample.astype(float)
    couples = [x[i] @ x[j] for i in range(len(x)) for j in range(len(x)) if i != j]
    to_all = [row @ profile for row in x]
    return float(np.mean(couples) - 2 * np.mean(to_all) + profile @ profile) / float(
        sum(p * (1 - p) for p in profile)
    )


@settings(max_examples=30)
@given(st.integers(2, 25), st.integers(0, 2**31))
def test_the_discrepancy_is_that_of_all_couples_of_prompts(prompts: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    profile = rng.uniform(0.05, 0.95, BUCKETS)
    sample = asked(rng, rng.uniform(0, 1, BUCKETS), prompts)
    found = discrepancy(sample.sum(axis=0), prompts, profile)
    assert found == pytest.approx(naive_discrepancy(sample, profile), abs=1e-9)


def test_a_sample_of_the_population_is_near_it_and_other_subjects_are_not() -> None:
    rng = np.random.default_rng(5)
    everyone = rng.uniform(0.05, 0.4, BUCKETS)
    others = rng.permutation(everyone)
    near = [discrepancy(asked(rng, everyone, 400).sum(axis=0), 400, everyone) for _ in range(200)]
    far = discrepancy(asked(rng, others, 400).sum(axis=0), 400, everyone)
    assert abs(np.mean(near)) < 3 * np.std(near) / np.sqrt(len(near))  # unbiased
    assert far > 20 * max(near)
    assert np.isnan(discrepancy(np.zeros(BUCKETS, np.int64), 1, everyone))
    assert np.isnan(discrepancy(np.ones(BUCKETS, np.int64), 9, np.zeros(BUCKETS)))


def test_shards_of_one_list_do_not_differ_and_customers_do() -> None:
    rng = np.random.default_rng(6)
    prompts = rng.integers(30, 300, 20)
    topic = rng.uniform(0.02, 0.4, BUCKETS)
    shards = np.array([asked(rng, topic, n).sum(axis=0) for n in prompts])
    # The same list under a template of each account's own: its words come with every prompt.
    templates = rng.random((20, BUCKETS)) < 0.25
    dressed = np.where(templates, prompts[:, None], shards)
    customers = np.array([asked(rng, rng.permutation(topic), n).sum(axis=0) for n in prompts])
    assert words_differ(shards, prompts) < 0.005
    assert words_differ(dressed, prompts) < 0.005
    assert words_differ(customers, prompts) > 0.05


def test_a_quantity_adds_up_with_the_others() -> None:
    rng = np.random.default_rng(7)
    count = np.repeat(rng.integers(10, 40, 6).astype(float)[:, None], 2, axis=1)
    total = count * np.column_stack([rng.uniform(0, 1, 6), np.full(6, 0.5)])
    # One that differs and one that does not lie between the two by themselves.
    both = between(count, total, total)
    first, second = (between(count[:, i], total[:, i], total[:, i]) for i in (0, 1))
    assert second == 0.0 < both < first


def test_the_largest_customer_is_not_the_population() -> None:
    words = np.array([[90_000, 0], [0, 100], [0, 100], [5, 0]])
    prompts = np.array([100_000, 100, 100, 5])
    assert profile_of(words, prompts) == pytest.approx([0.3, 2 / 3])  # the last has too few
    assert profile_of(words[3:], prompts[3:]).tolist() == [0.0, 0.0]
