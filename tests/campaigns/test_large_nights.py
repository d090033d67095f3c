"""What is done in blocks, or for all at once, on large nights gives what is done one by one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import sparse

from jobs.campaigns import links as of_links
from jobs.campaigns import pairs as of_pairs
from jobs.campaigns.evidence import Evidence
from jobs.campaigns.links import FIRM, LISTED, Couples, find_links
from jobs.campaigns.lists import common_list, list_in_common, lists_of
from jobs.catalog.policy import CAMPAIGN_POLICY
from tests.campaigns.conftest import evidence_of, read


def crowd(seed: int) -> Evidence:
    """Twenty accounts with one card and client, twenty off one list of work, and chance."""
    rng = np.random.default_rng(seed)
    rows = ["a1..a20 | payment | card", "a1..a20 | client | build", "a1..a9 | template | shard"]
    rows += [f"a21..a40 | template | piece{n}" for n in range(12)]
    rows += [f"a{n} | template | a{n}-{own}" for n in range(21, 41) for own in range(468)]
    rows += [
        f"a{n} | shingle | phrase{p}"
        for n in range(1, 41)
        for p in rng.choice(60, rng.integers(1, 30), replace=False)
    ]
    return evidence_of(read("\n".join(rows)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("partners", [CAMPAIGN_POLICY.partners, 12])
def test_links_found_in_blocks_are_the_same(
    partners: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = crowd(seed)
    policy = dataclasses.replace(CAMPAIGN_POLICY, partners=partners, nearest=4)
    whole = find_links(evidence, policy)
    monkeypatch.setattr(of_links, "_BLOCK", 7)
    monkeypatch.setattr(of_pairs, "_CHUNK", 3)
    monkeypatch.setattr(of_pairs, "_ON_RINGS", 11)
    monkeypatch.setattr(of_pairs, "_NEIGHBOURS", 50)
    cut = find_links(evidence, policy)
    assert set(whole.level) == {FIRM, LISTED} and len(whole.first) > 50  # of several blocks
    for name in ("first", "second", "weight", "axes", "kinds", "level"):
        assert (getattr(whole, name) == getattr(cut, name)).all(), name


@pytest.mark.parametrize("seed", range(3))
def test_a_list_is_as_common_to_many_at_once_as_pair_by_pair(seed: int) -> None:
    evidence = crowd(seed)
    lists = lists_of(evidence, CAMPAIGN_POLICY)
    everyone, sample = np.arange(len(evidence.accounts)), np.array([0, 3, 7, 11, 30])
    at_once = list_in_common(lists, lists.carried.tocsc(), sample, CAMPAIGN_POLICY)(everyone)
    one = np.repeat(everyone, len(sample))
    other = np.tile(sample, len(everyone))
    nats, _ = common_list(lists, one, other, CAMPAIGN_POLICY)
    assert (nats > 0).any()
    assert at_once == pytest.approx(nats.reshape(at_once.shape))


def test_couples_are_counted_once_and_remembered() -> None:
    rng = np.random.default_rng(2)
    use, listed = (
        sparse.csr_matrix((rng.random((50, 12)) < 0.3).astype(kind)) for kind in (float, np.int8)
    )
    couples = Couples(use, listed)
    held = (use.toarray() > 0) | (listed.toarray() > 0)
    for _ in range(3):  # some of them known from the round before
        one, two = rng.integers(0, 12, (2, 40))
        expected = [int((held[:, a] & held[:, b]).sum()) for a, b in zip(one, two, strict=True)]
        assert couples.carry_both(one, two).tolist() == expected
