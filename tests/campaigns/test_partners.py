"""How many partners an account proposes, and which: the nearest, and others by lot."""

from __future__ import annotations

import dataclasses
from itertools import combinations

import numpy as np
import pytest

from jobs.campaigns import pairs as of_pairs
from jobs.campaigns.evidence import Evidence
from jobs.campaigns.groups import find_groups
from jobs.campaigns.pairs import meetings, propose, spread_keys
from jobs.campaigns.traces import traces_of
from jobs.catalog.policy import CAMPAIGN_POLICY, CampaignPolicy
from tests.campaigns.conftest import evidence_of, links_of, read, spread


def few(partners: int, nearest: int) -> CampaignPolicy:
    return dataclasses.replace(CAMPAIGN_POLICY, partners=partners, nearest=nearest)


def met_by(evidence: Evidence, policy: CampaignPolicy) -> set[tuple[int, int]]:
    """Pairs that are proposed, the lower account first."""
    traces = traces_of(evidence, policy)
    pairs = propose(evidence, traces, policy)
    owner = np.repeat(np.arange(len(evidence.accounts)), np.diff(pairs.starts))
    size = np.diff(traces.starts)
    # Who carries more has the other as its partner.
    assert (size[owner] >= size[pairs.partner]).all()
    ends = zip(owner.tolist(), pairs.partner.tolist(), strict=True)
    found = [(min(a, b), max(a, b)) for a, b in ends]
    assert len(set(found)) == len(found)
    return set(found)


def proposed(evidence: Evidence, policy: CampaignPolicy) -> set[tuple[str, str]]:
    return {(evidence.accounts[a], evidence.accounts[b]) for a, b in met_by(evidence, policy)}


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
    rows = [f"a1 b{n} | phone | number{n}" for n in range(1, 100)]
    evidence = evidence_of(read("\n".join(rows)))
    assert len(proposed(evidence, few(partners=8, nearest=2))) == 99


def test_true_partners_are_kept_among_many_by_chance() -> None:
    rows = [f"a1..a4 | {kind} | theirs" for kind in ("payment", "phone", "client")]
    # Each of them, and many others, came through exits that strangers use too.
    rows += [f"a1..a4 b1..b60 | address | exit{n}" for n in range(9)]
    evidence = evidence_of(read("\n".join(rows)), strangers=2_000)
    theirs = set(combinations(spread("a1..a4"), 2))
    met = proposed(evidence, few(partners=100, nearest=0))
    assert theirs < met and all(sum(a in pair for pair in met) > 15 for a in spread("a1..a4"))
    assert theirs <= proposed(evidence, few(partners=6, nearest=4))


def crowd(accounts: int, seed: int) -> Evidence:
    """Accounts that meet by chance on rare phrases and exits."""
    rng = np.random.default_rng(seed)
    names = spread(f"a1..a{accounts}")
    rows = [
        f"{' '.join(rng.choice(names, rng.integers(2, 9), replace=False))} | {kind} | token{n}"
        for kind in ("address", "shingle", "template")
        for n in range(2 * accounts)
    ]
    return evidence_of(read("\n".join(rows)), strangers=600)


@pytest.mark.parametrize("seed", range(4))
def test_the_partners_kept_are_those_that_one_by_one_would_be(seed: int) -> None:
    evidence = crowd(60, seed)
    traces, keys = traces_of(evidence, CAMPAIGN_POLICY), evidence.account_keys
    near, lots = {}, {}  # of all who meet, in steps of a nat what speaks for them
    for some in meetings(evidence, traces, CAMPAIGN_POLICY)[0]:
        owner = some.low + np.repeat(np.arange(len(some.partners)), some.partners)
        for a, b, steps in zip(owner.tolist(), some.partner.tolist(), some.near, strict=True):
            pair = min(a, b), max(a, b)
            near[pair] = int(steps)
            lots[pair] = int(spread_keys(keys[[a]] + keys[[b]])[0]) & of_pairs._LOTS
    policy = few(partners=12, nearest=5)
    wanted = set()
    for account in range(len(keys)):
        of = [pair for pair in near if account in pair]
        if len(of) <= policy.partners:
            wanted.update(of)
        wanted.update(sorted(of, key=lambda pair: (-near[pair], lots[pair]))[:5])
        wanted.update(sorted(of, key=lots.__getitem__)[:7])
    assert 60 * 4 < len(wanted) < 0.5 * len(near)
    assert met_by(evidence, policy) == wanted


def test_lots_favour_no_name() -> None:
    evidence = crowd(99, seed=1)
    names = [at for at, name in enumerate(evidence.accounts) if name.startswith("a")]
    kept = met_by(evidence, few(partners=8, nearest=2))
    partners = np.bincount(np.array(list(kept)).ravel(), minlength=len(evidence.accounts))
    low, high = partners[names[:49]].mean(), partners[names[49:]].mean()
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
        links = links_of(evidence, policy)
        return [len(group) for group in find_groups(evidence.account_keys, links, policy)]

    assert sizes(nearest=6) == [297]
    assert len(sizes(nearest=24)) > 3
