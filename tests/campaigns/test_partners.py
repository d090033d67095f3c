"""How many partners an account proposes, and which: the nearest, and others by lot."""

from __future__ import annotations

import dataclasses
from itertools import combinations

import numpy as np
import pytest

from jobs.campaigns import pairs as of_pairs
from jobs.campaigns.evidence import Evidence
from jobs.campaigns.groups import find_groups
from jobs.campaigns.links import find_links, weights_of
from jobs.campaigns.lists import closed_circle, lists_of
from jobs.campaigns.pairs import propose, some_of_each, spread_keys
from jobs.catalog.policy import CAMPAIGN_POLICY, CampaignPolicy
from tests.campaigns.conftest import evidence_of, read, spread


def few(partners: int, nearest: int) -> CampaignPolicy:
    return dataclasses.replace(CAMPAIGN_POLICY, partners=partners, nearest=nearest)


def proposed(evidence: Evidence, policy: CampaignPolicy) -> set[tuple[str, str]]:
    weights, lists = weights_of(evidence, policy), lists_of(evidence, policy)
    closed = closed_circle(evidence, lists, policy)
    first, second = propose(
        evidence, weights.rarity, weights.busy, weights.use, lists.carried, closed, policy
    )
    return {
        (evidence.accounts[a], evidence.accounts[b]) for a, b in zip(first, second, strict=True)
    }


def everyone(accounts: int, nats: int = 100) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of so many accounts, for all of whom as much speaks."""
    first, second = np.array(list(combinations(range(accounts), 2)), np.int32).T
    return first, second, np.full(len(first), nats, np.int16)


def test_pairs_do_not_grow_with_what_a_group_shares() -> None:
    counts = {}
    for phrases in (2, 20, 80):
        rows = [f"a1..a80 | template | phrase{n}" for n in range(phrases)]
        evidence = evidence_of(read("\n".join(rows)), strangers=2_000)
        for partners in (10, 100):
            counts[phrases, partners] = len(proposed(evidence, few(partners, nearest=2)))
    assert counts[80, 100] > 5 * counts[2, 100]
    # Each of the 80 accounts has ten at most.
    assert counts[2, 10] < counts[80, 10] < min(80 * 10, 1.2 * counts[2, 10])


def test_who_has_few_partners_keeps_all_of_them() -> None:
    # One account meets a hundred, each of whom meets that one alone.
    first, second = np.zeros(100, np.int32), np.arange(1, 101, dtype=np.int32)
    near = np.zeros(100, np.int16)
    assert some_of_each(np.arange(101), first, second, near, few(partners=8, nearest=2)).all()


def test_true_partners_are_kept_among_many_by_chance() -> None:
    rows = [f"a1..a4 | {kind} | theirs" for kind in ("payment", "phone", "client")]
    # Each of them, and many others, came through exits that strangers use too.
    rows += [f"a1..a4 b1..b60 | address | exit{n}" for n in range(9)]
    evidence = evidence_of(read("\n".join(rows)), strangers=2_000)
    theirs = set(combinations(spread("a1..a4"), 2))
    met = proposed(evidence, few(partners=100, nearest=0))
    assert theirs < met and all(sum(a in pair for pair in met) > 15 for a in spread("a1..a4"))
    assert theirs <= proposed(evidence, few(partners=6, nearest=4))


@pytest.mark.parametrize("seed", range(4))
def test_the_partners_kept_are_those_that_one_by_one_would_be(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    all_first, all_second, _ = everyone(30)
    some = np.sort(rng.choice(len(all_first), 300, replace=False))
    first, second = all_first[some], all_second[some]
    near = rng.integers(0, 5, len(some)).astype(np.int16)
    keys = rng.integers(-(2**62), 2**62, 30)
    policy = few(partners=12, nearest=5)
    lots = spread_keys(keys[first] + keys[second]) & of_pairs._LOTS
    wanted = np.zeros(len(some), bool)
    for account in range(30):
        of = np.flatnonzero((first == account) | (second == account)).tolist()
        if len(of) <= policy.partners:
            wanted[of] = True
        wanted[sorted(of, key=lambda pair: (-near[pair], lots[pair]))[:5]] = True
        wanted[sorted(of, key=lambda pair: lots[pair])[:7]] = True
    assert 150 < wanted.sum() < 300
    monkeypatch.setattr(of_pairs, "_NEIGHBOURS", 40)  # some accounts after the others
    assert (some_of_each(keys, first, second, near, policy) == wanted).all()


def test_lots_favour_no_name() -> None:
    first, second, near = everyone(200)
    keys = np.random.default_rng(1).integers(-(2**62), 2**62, 200)
    kept = some_of_each(keys, first, second, near, few(partners=20, nearest=5))
    across = (first < 100) & (second >= 100)
    # Of 19,900 pairs 10,000 lead from the first hundred names to the others.
    assert kept[across].mean() == pytest.approx(kept.mean(), rel=0.1)
    low = np.bincount(np.r_[first[kept], second[kept]])[:100].mean()
    high = np.bincount(np.r_[first[kept], second[kept]])[100:].mean()
    assert low == pytest.approx(high, rel=0.1)


def test_an_operation_that_leaves_by_several_pools_of_exits_stays_one_group() -> None:
    """Within a pool accounts share most: of the nearest alone each pool would be a group."""
    names = spread("a1..a99 b1..b99 c1..c99")
    pools = [spread(f"{pool}1..{pool}99") for pool in "abc"]
    rng = np.random.default_rng(3)
    rows = [f"{' '.join(names)} | {kind} | theirs" for kind in ("client", "template")]
    for pool, members in zip("abc", pools, strict=True):
        for exit_ in range(20):
            there = sorted(rng.choice(members, 60, replace=False))
            rows.append(f"{' '.join(there)} | address | {pool}{exit_}")
    for item in range(60):
        asked = sorted(rng.choice(names, 90, replace=False))
        rows.append(f"{' '.join(asked)} | shingle | item{item}")
    evidence = evidence_of(read("\n".join(rows)), strangers=2_000)

    def sizes(nearest: int) -> list[int]:
        policy = few(partners=24, nearest=nearest)
        links = find_links(evidence, policy)
        return [len(group) for group in find_groups(evidence.account_keys, links, policy)]

    assert sizes(nearest=6) == [297]
    assert len(sizes(nearest=24)) > 3
