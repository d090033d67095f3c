"""What is done in blocks, or for all at once, on large nights gives what is done one by one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.campaigns import links as of_links
from jobs.campaigns import pairs as of_pairs
from jobs.campaigns import synchrony as of_hours
from jobs.campaigns import traces as of_traces
from jobs.campaigns.comparing import count_both
from jobs.campaigns.evidence import Evidence
from jobs.campaigns.links import FIRM, LISTED
from jobs.campaigns.lists import list_in_common, lists_of, sample_of
from jobs.campaigns.traces import LISTED_CODES, ON_LIST, ByToken, Traces, seek, traces_of
from jobs.catalog.policy import CAMPAIGN_POLICY
from tests.campaigns.conftest import evidence_of, links_of, read


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
    whole = links_of(evidence, policy)
    monkeypatch.setattr(of_links, "_WEIGHED", 7)
    monkeypatch.setattr(of_pairs, "ENTRIES", 11)
    monkeypatch.setattr(of_traces, "ENTRIES", 11)
    monkeypatch.setattr(of_hours, "_COMPARED", 5)
    monkeypatch.setattr(of_hours, "_DAYS", 3)
    cut = links_of(evidence, policy)
    assert set(whole.level) == {FIRM, LISTED} and len(whole.first) > 50  # of several blocks
    for name in ("first", "second", "weight", "axes", "kinds", "level"):
        assert (getattr(whole, name) == getattr(cut, name)).all(), name


def pieces_of(traces: Traces, account: int, code: int) -> set[int]:
    entries = range(traces.starts[account], traces.starts[account + 1])
    tokens = {int(traces.token[at]) for at in entries if traces.flags[at] & ON_LIST}
    return {token for token in tokens if traces.kind[token] == code}


@pytest.mark.parametrize("seed", range(3))
def test_a_list_is_as_common_to_many_at_once_as_pair_by_pair(seed: int) -> None:
    evidence = crowd(seed)
    traces = traces_of(evidence, CAMPAIGN_POLICY)
    lists = lists_of(traces, CAMPAIGN_POLICY)
    everyone, sample = np.arange(60), np.array([0, 3, 7, 11, 30])
    at_once = list_in_common(traces, lists, everyone, sample_of(traces, sample))
    assert (at_once > 0).any()
    listed = {code: set() for code in LISTED_CODES}
    for code, of in listed.items():
        of.update(*(pieces_of(traces, account, code) for account in everyone))
    for account in everyone:
        for place, other in enumerate(sample):
            nats = 0.0
            for code, of in listed.items():
                one, two = pieces_of(traces, account, code), pieces_of(traces, other, code)
                carriers = {token: int(evidence.token_accounts[token]) for token in of}
                met = sum(n * (n - 1) for token, n in carriers.items() if token not in one & two)
                by_chance = len(one) * len(two) * met / max(sum(carriers.values()), 1) ** 2
                k, chance = len(one & two), max(by_chance, 0.05)
                if k >= CAMPAIGN_POLICY.list_tokens and k > chance:
                    nats = max(nats, k * np.log(k / chance) - k + chance)
            assert at_once[account, place] == pytest.approx(nats)


def test_couples_of_tokens_are_counted_as_one_by_one() -> None:
    held = np.random.default_rng(2).random((50, 12)) < 0.3
    account = np.nonzero(held.T)[1].astype(np.int32)
    carriers = ByToken(np.r_[0, np.cumsum(held.sum(axis=0))], account)
    couples = np.array([upper << 32 | lower for upper in range(12) for lower in range(12)])
    expected = [int((held[:, c >> 32] & held[:, c & 0xFFFFFFFF]).sum()) for c in couples]
    assert count_both(carriers, 50, couples).tolist() == expected


@settings(max_examples=200)
@given(st.sets(st.integers(0, 60), max_size=30).map(sorted), st.integers(-1, 61))
def test_seeking_finds_what_a_search_from_the_start_does(row: list[int], wanted: int) -> None:
    tokens = np.array(row, np.int32)
    expected = int(np.searchsorted(tokens, wanted))
    for start in range(expected + 1):
        assert seek(tokens, start, len(row), wanted) == expected
