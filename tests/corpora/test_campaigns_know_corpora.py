"""The step `campaigns` with corpora in the lake: as of the night, of one key, said in words."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jobs.campaigns import run
from jobs.campaigns.corpora import known_corpora
from jobs.catalog.measures import WORDS
from jobs.catalog.policy import CAMPAIGN_POLICY
from jobs.platform.lake import Lake
from tests.campaigns.test_step import FIRST, night

Fill = Callable[..., int]
PROMPTS = 40
KEY = "key_id_0"  # what `fill` gives the first account


def row(name: str, shares: np.ndarray, kind: str = "teaching", key: str = KEY) -> dict[str, Any]:
    words = (shares * 1_000).astype(int).tolist()
    return {"name": name, "kind": kind, "prompts": 1_000, "words": words, "key_id": key}


def subjects(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 0.6, len(WORDS))


def asks(lake: Lake, fill: Fill, date: dt.date) -> None:
    """A night on which accounts a1 to a8 ask of one subject, and each other of its own."""
    night(lake, fill, date)
    for table, changed in (("account_daily", _asked), ("accounts", _of_one_key)):
        rows = lake.rows(table, date, date).to_pylist()
        fill(lake, table, date, [of | changed(at, of) for at, of in enumerate(rows)])


def _asked(at: int, of: dict[str, Any]) -> dict[str, Any]:
    rng = np.random.default_rng([at, 7])
    topic = subjects(1) if of["account_id"].startswith("a") else rng.uniform(0.1, 0.6, len(WORDS))
    return {"prompts_known": PROMPTS, "words_known": PROMPTS} | {
        name: int(n) for name, n in zip(WORDS, rng.binomial(PROMPTS, topic), strict=True)
    }


def _of_one_key(at: int, of: dict[str, Any]) -> dict[str, Any]:
    return {"key_id": KEY}


def operation(lake: Lake, date: dt.date) -> dict[str, Any]:
    (found,) = (
        c for c in lake.rows("campaigns", date, date).to_pylist()
        if c["accounts"] == 8 and c["own_template_requests"]
    )  # fmt: skip
    return dict(found)


def test_a_group_that_asks_a_teaching_corpus_is_said_to_and_scores_more(
    lake: Lake, fill: Fill
) -> None:
    asks(lake, fill, FIRST)
    run(lake, FIRST)
    before = operation(lake, FIRST)
    assert before["teaching_corpus"] is None
    fill(lake, "corpora", FIRST, [row("lessons", subjects(1)), row("others", subjects(2))])
    run(lake, FIRST)
    after = operation(lake, FIRST)
    assert after["teaching_corpus"] > 0.9
    assert after["score"] > before["score"]
    (said,) = (reason for reason in after["reasons"] if "corpus" in reason)
    assert said == (
        f"its prompts are distributed as those of the corpus lessons, which explains "
        f"{after['teaching_corpus']:.0%} of what sets them apart from other prompts"
    )


def test_a_group_with_other_subjects_is_scored_as_before(lake: Lake, fill: Fill) -> None:
    asks(lake, fill, FIRST)
    run(lake, FIRST)
    before = operation(lake, FIRST)
    fill(
        lake, "corpora", FIRST, [row("others", subjects(2)), row("asked", subjects(3), "ordinary")]
    )
    run(lake, FIRST)
    after = operation(lake, FIRST)
    assert after["teaching_corpus"] < 0.5
    assert {**after, "teaching_corpus": None} == before


def test_a_lake_without_corpora_is_scored_as_without_the_term(
    lake: Lake, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks(lake, fill, FIRST)
    run(lake, FIRST)
    with_term = lake.rows("campaigns", FIRST, FIRST).to_pylist()
    terms = tuple(term for term in CAMPAIGN_POLICY.terms if term.figure != "teaching_corpus")
    assert len(terms) == len(CAMPAIGN_POLICY.terms) - 1
    monkeypatch.setattr(
        "jobs.catalog.policy.CAMPAIGN_POLICY", replace(CAMPAIGN_POLICY, terms=terms)
    )
    run(lake, FIRST)
    assert lake.rows("campaigns", FIRST, FIRST).to_pylist() == with_term


def known(lake: Lake, date: dt.date) -> list[tuple[str, str, float]]:
    return [
        (corpus.name, corpus.kind, round(float(corpus.reference.share[0]), 3))
        for corpus in known_corpora(lake, date, CAMPAIGN_POLICY.window_days)
    ]


def test_corpora_are_those_that_had_been_added_by_the_night(lake: Lake, fill: Fill) -> None:
    third = FIRST + dt.timedelta(days=2)
    fill(lake, "accounts", FIRST, [{"account_id": "a", "key_id": KEY}])
    flat = np.ones(len(WORDS))
    fill(lake, "corpora", FIRST, [row("b", flat * 0.2), row("a", flat * 0.1, "ordinary")])
    fill(lake, "corpora", third, [row("b", flat * 0.5)])
    assert known(lake, FIRST - dt.timedelta(days=1)) == []
    assert known(lake, FIRST) == [("a", "ordinary", 0.1), ("b", "teaching", 0.2)]
    assert known(lake, third) == [("a", "ordinary", 0.1), ("b", "teaching", 0.5)]


def test_a_corpus_of_another_key_is_left_out_and_said_so(
    lake: Lake, fill: Fill, caplog: pytest.LogCaptureFixture
) -> None:
    rotated = FIRST + dt.timedelta(days=1)
    flat = np.ones(len(WORDS))
    fill(lake, "accounts", FIRST, [{"account_id": "a", "key_id": "old"}])
    fill(lake, "accounts", rotated, [{"account_id": "a", "key_id": "new"}])
    fill(lake, "corpora", FIRST, [row("was", flat * 0.2, key="old")])
    assert known(lake, FIRST) == [("was", "teaching", 0.2)]
    fill(lake, "corpora", rotated, [row("is", flat * 0.3, key="new")])
    with caplog.at_level(logging.WARNING):
        assert known(lake, rotated) == []  # the window has prompts of both keys
    assert [name for name in ("is", "was") if f"corpus {name} is left out" in caplog.text] == [
        "is", "was"
    ]  # fmt: skip
    after = rotated + dt.timedelta(days=CAMPAIGN_POLICY.window_days - 1)
    assert known(lake, after) == [("is", "teaching", 0.3)]


def test_a_corpus_of_another_number_of_buckets_is_left_out(lake: Lake, fill: Fill) -> None:
    fill(lake, "accounts", FIRST, [{"account_id": "a", "key_id": KEY}])
    short = row("short", np.ones(len(WORDS))) | {"words": [1, 2, 3]}
    fill(lake, "corpora", FIRST, [short])
    assert known(lake, FIRST) == []
