"""How far a group is from a corpus and from the crowd: against plain references, by couples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.campaigns.corpora import Corpus, explained
from jobs.campaigns.two_sample import Crowd, Reference, distance, reference_of, without_templates

BUCKETS = 48


def asked(rng: np.random.Generator, shares: np.ndarray, prompts: int) -> np.ndarray:
    """Prompts x buckets: which words each prompt has."""
    return rng.random((prompts, len(shares))) < shares


def counts(members: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Members' prompts as the rollups have them."""
    return np.array([m.sum(axis=0) for m in members]), np.array([len(m) for m in members])


def naive_distance(x: np.ndarray, y: np.ndarray) -> float:
    """From all couples of different prompts on each side (Gretton et al. 2012, eq. 3)."""

    def inside(z: np.ndarray) -> float:
        return float(np.mean([z[i] @ z[j] for i in range(len(z)) for j in range(len(z)) if i != j]))

    x, y = x.astype(float), y.astype(float)
    return inside(x) + inside(y) - 2 * float(np.mean([a @ b for a in x for b in y]))


@settings(max_examples=30)
@given(st.integers(2, 20), st.integers(2, 20), st.integers(0, 2**31))
def test_the_distance_is_that_of_all_couples_of_prompts(m: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = asked(rng, rng.uniform(0, 1, BUCKETS), m)
    y = asked(rng, rng.uniform(0, 1, BUCKETS), n)
    found = distance(
        x.sum(axis=0).astype(float), np.full(BUCKETS, float(m)), reference_of(y.sum(axis=0), n)
    )
    assert found == pytest.approx(naive_distance(x, y), abs=1e-9)


def test_samples_of_one_source_are_as_often_below_zero_as_above() -> None:
    """Without bias on both sides: a small corpus is no farther away than a large one."""
    rng = np.random.default_rng(1)
    topic = rng.uniform(0.05, 0.5, BUCKETS)

    def apart(prompts: int) -> float:
        x, y = asked(rng, topic, 60), asked(rng, topic, prompts)
        return distance(
            x.sum(axis=0).astype(float),
            np.full(BUCKETS, 60.0),
            reference_of(y.sum(axis=0), prompts),
        )

    for prompts in (20, 2_000):
        found = [apart(prompts) for _ in range(400)]
        assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


@settings(max_examples=20)
@given(st.lists(st.integers(5, 30), min_size=4, max_size=12), st.integers(0, 2**31))
def test_the_crowd_is_that_of_all_couples_of_accounts(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    members = [asked(rng, rng.uniform(0, 1, BUCKETS), n) for n in (*sizes, 10, 11)]
    words, prompts = counts(members)
    shares = [m.mean(axis=0) for m in members if len(m) >= 10]
    couples = [a * b for i, a in enumerate(shares) for j, b in enumerate(shares) if i != j]
    found = Crowd.of(words, prompts).reference()
    assert found.share == pytest.approx(np.mean(shares, axis=0), abs=1e-9)
    assert found.squared == pytest.approx(np.mean(couples, axis=0), abs=1e-9)


def test_a_crowd_without_a_group_is_the_crowd_of_the_others() -> None:
    rng = np.random.default_rng(2)
    members = [asked(rng, rng.uniform(0, 1, BUCKETS), n) for n in (12, 30, 5, 40, 18, 9)]
    words, prompts = counts(members)
    others = Crowd.of(words, prompts).without(Crowd.of(words[:3], prompts[:3]))
    alone = Crowd.of(words[3:], prompts[3:])
    assert others.accounts == alone.accounts == 2
    assert others.total == pytest.approx(alone.total)
    assert others.product == pytest.approx(alone.product)


def test_words_of_a_template_are_left_out_where_they_are_and_nowhere_else() -> None:
    prompts = np.array([100, 50])
    words = np.array([[91, 90, 0], [20, 46, 10]])
    has, count = without_templates(words, prompts)
    assert has.tolist() == [20, 90, 10]  # 91 of 100, and 46 of 50, come with the template
    assert count.tolist() == [50, 100, 150]


class World:
    """Accounts with subjects of their own, two corpora of others, and groups of all of them."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.everyday = rng.uniform(0.1, 0.4, BUCKETS)
        self.lesson, self.chat = (rng.uniform(0.1, 0.6, BUCKETS) for _ in range(2))
        self.people = [self.person() for _ in range(300)]
        self.corpora = [
            self.corpus("lesson", "teaching", self.lesson),
            self.corpus("chat", "ordinary", self.chat),
        ]  # fmt: skip

    def person(self) -> np.ndarray:
        own = np.clip(self.everyday + self.rng.normal(0, 0.1, BUCKETS), 0.01, 0.85)
        return asked(self.rng, own, int(self.rng.integers(10, 80)))

    def corpus(self, name: str, kind: str, topic: np.ndarray) -> Corpus:
        return Corpus(name, kind, reference_of(asked(self.rng, topic, 3000).sum(axis=0), 3000))

    def shards(self, topic: np.ndarray, members: int = 8) -> list[np.ndarray]:
        return [asked(self.rng, topic, int(self.rng.integers(15, 60))) for _ in range(members)]

    def explained(
        self, group: list[np.ndarray], corpora: list[Corpus] | None = None
    ) -> tuple[float, str]:
        words, prompts = counts([*self.people, *group])
        size = len(group)
        return explained(
            words[-size:], prompts[-size:], Crowd.of(words, prompts),
            self.corpora if corpora is None else corpora,
        )  # fmt: skip


def test_shards_of_a_teaching_corpus_are_explained_by_it_and_other_subjects_are_not() -> None:
    world = World(3)
    share, name = world.explained(world.shards(world.lesson))
    assert share > 0.95 and name == "lesson"
    unknown = [
        world.explained(world.shards(world.rng.uniform(0.1, 0.6, BUCKETS))) for _ in range(5)
    ]
    assert max(share for share, _ in unknown) < 0.4
    assert world.explained(world.shards(world.chat))[0] < 0.05  # what people ask, whoever asks it


def test_the_nearest_of_several_is_named() -> None:
    world = World(4)
    other = world.rng.uniform(0.1, 0.6, BUCKETS)
    corpora = [*world.corpora, world.corpus("a-second", "teaching", other)]
    assert world.explained(world.shards(other), corpora)[1] == "a-second"
    assert world.explained(world.shards(world.lesson), corpora)[1] == "lesson"


def test_a_template_around_each_prompt_changes_little() -> None:
    world = World(5)
    shards = world.shards(world.lesson)
    templates = world.rng.random((len(shards), BUCKETS)) < 0.17
    own = [shard | template for shard, template in zip(shards, templates, strict=True)]
    assert world.explained(own)[0] > 0.9
    assert world.explained([shard | templates[0] for shard in shards])[0] > 0.9
    dressed = [person | templates[0] for person in world.people[:8]]
    assert not world.explained(dressed)[0] > 0.2


def test_customers_drawn_at_random_have_nothing_to_explain() -> None:
    """Each has subjects of its own: pooled they are no sample of all prompts, and no group."""
    world = World(6)
    groups = [[world.person() for _ in range(6)] for _ in range(100)]
    unknown = [np.isnan(world.explained(group)[0]) for group in groups]
    assert np.mean(unknown) > 0.9
    # Not because nobody is far enough: those who share a subject are.
    assert not np.isnan(world.explained(world.shards(world.lesson, 6))[0])


def test_a_group_that_is_most_of_all_accounts_is_compared_with_the_others() -> None:
    world = World(10)
    near = 0.7 * world.lesson + 0.3 * world.everyday
    few, many = (world.explained(world.shards(near, members))[0] for members in (8, 600))
    assert few == pytest.approx(many, abs=0.06)
    assert 0.5 < many < 0.95


def test_one_large_member_counts_as_little_more_than_one_account() -> None:
    world = World(7)
    words, prompts = counts(world.people)
    crowd, everything = Crowd.of(words, prompts), np.ones(BUCKETS, bool)
    even = crowd.by_chance(np.array([50, 50, 50, 50]), everything)
    assert crowd.by_chance(np.array([5_000, 50, 50, 50]), everything) > 3.5 * even
    assert crowd.by_chance(np.array([100] * 8), everything) == pytest.approx(even / 2)


@pytest.mark.parametrize("kept", [(), ("ordinary",)])
def test_without_a_teaching_corpus_nothing_is_known(kept: tuple[str, ...]) -> None:
    world = World(8)
    corpora = [corpus for corpus in world.corpora if corpus.kind in kept]
    share, name = world.explained(world.shards(world.lesson), corpora)
    assert np.isnan(share) and name == ""


def test_a_group_without_prompts_is_unknown() -> None:
    world = World(9)
    assert np.isnan(world.explained([np.zeros((0, BUCKETS), bool)] * 4)[0])
    alone = explained(
        np.full((4, BUCKETS), 20), np.full(4, 40),
        Crowd.of(np.full((4, BUCKETS), 20), np.full(4, 40)), world.corpora,
    )  # fmt: skip
    assert np.isnan(alone[0])  # there is nobody else
    assert isinstance(world.corpora[0].reference, Reference)
