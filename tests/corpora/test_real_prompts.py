"""Public prompts, half of each set as the corpus and accounts drawn from the other half.

The figures are printed (`pytest -s tests/corpora/test_real_prompts.py`). Bounds stand well off what
was reached when they were written.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from jobs import corpora
from jobs.campaigns.corpora import Corpus, explained
from jobs.campaigns.two_sample import Crowd, reference_of
from jobs.catalog.sketch import WORD_BUCKETS
from jobs.ingest.sketching import with_sketch
from jobs.platform.keys import TokenKey

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = Path(os.environ.get("STILLWATCH_DATA") or ROOT.parent / "shared" / "data") / "prompts"
KINDS = {"gpteacher_toolformer": "teaching", "gpteacher_roleplay": "teaching",
         "sharegpt": "ordinary", "clinc150": "ordinary"}  # fmt: skip
TOOL_USE, ROLE_PLAY = "gpteacher_toolformer", "gpteacher_roleplay"
HARD = "arena_hard_v01"
KEY = TokenKey(bytes(range(32)))
GROUPS, PEOPLE = 20, 500
ENGLISH = (
    "please", "answer", "following", "question", "carefully", "because", "students", "need",
    "complete", "explanations", "therefore", "write", "thorough", "responses", "including",
    "relevant", "examples", "background", "assume", "expert", "reader", "provide", "only",
    "final", "consider", "every", "possible", "detail", "without", "skipping", "steps",
    "respond", "using", "plain", "language", "given", "task", "below", "produce", "highest",
    "quality", "output", "return", "result", "formatted", "clearly", "think", "about",
    "problem", "before", "starting", "finish", "with", "short", "summary",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    not PROMPTS.is_dir(),
    reason="no real data: there is none beside the project, and STILLWATCH_DATA names none",
)
Members = list[np.ndarray]


class Real:
    """Corpora of one half, and accounts that ask prompts of the other half."""

    def __init__(self, session: SparkSession, folder: Path) -> None:
        self.session, self.rng = session, np.random.default_rng(11)
        self.corpora: list[Corpus] = []
        self.held: dict[str, np.ndarray] = {}
        self.intent: np.ndarray
        for family in (*KINDS, HARD):
            with gzip.open(PROMPTS / f"{family}.jsonl.gz", "rt", encoding="utf-8") as lines:
                rows = [json.loads(line) for line in lines]
            # A conversation is one person's: all of it on one side.
            of = np.array([str(row.get("conversation") or number)
                           for number, row in enumerate(rows)])  # fmt: skip
            names = np.unique(of)
            known = np.isin(of, self.rng.permutation(names)[: len(names) // 2])
            if family in KINDS:
                path = folder / f"{family}.jsonl"
                path.write_text(
                    "".join(json.dumps(rows[at]) + "\n" for at in np.flatnonzero(known))
                )
                found = corpora.count(
                    session, "sail", corpora.described(path, "prompt"), "prompt", KEY
                )
                reference = reference_of(np.array(found.words), found.prompts)
                self.corpora.append(Corpus(family, KINDS[family], reference))
            held = [row for row, taken in zip(rows, known, strict=True) if not taken]
            self.held[family] = self.words([row["prompt"] for row in held])
            if family == "clinc150":
                self.intent = np.array([row["intent"] for row in held])
        # The words that a template of eight brings with it.
        self.templates = self.words(
            [" ".join(self.rng.choice(ENGLISH, 8, replace=False)) for _ in range(40)]
        )
        people = [self.person() for _ in range(PEOPLE)]
        self.crowd = [np.array([m.sum(axis=0) for m in people]), np.array([len(m) for m in people])]

    def words(self, texts: list[str]) -> np.ndarray:
        """Prompts x buckets: which words each prompt has, sketched as ingest does."""
        landed = self.session.createDataFrame(
            [(at, text, "") for at, text in enumerate(texts)],
            "at int, prompt_text string, response_text string",
        )
        found = with_sketch(landed, ["at"], KEY.sketch_seed).select("at", "prompt_words").toArrow()
        bits = found.sort_by("at")["prompt_words"].fill_null(0).to_numpy()
        return (bits[:, None] >> np.arange(WORD_BUCKETS)) & 1 == 1

    # Accounts

    def person(self) -> np.ndarray:
        """Of the crowd: people, support bots, people with hard questions."""
        kind = self.rng.random()
        return self.human() if kind < 0.6 else self.bot() if kind < 0.85 else self.expert()

    def human(self) -> np.ndarray:
        held = self.held["sharegpt"]
        start = int(self.rng.integers(len(held) - 60))
        return held[start : start + int(self.rng.integers(12, 50))]

    def bot(self, intents: np.ndarray | None = None) -> np.ndarray:
        chosen = self.intents() if intents is None else intents
        of = np.flatnonzero(np.isin(self.intent, chosen))
        return self.held["clinc150"][self.rng.choice(of, min(len(of), 80), replace=False)]

    def intents(self) -> np.ndarray:
        return self.rng.choice(np.unique(self.intent), 3, replace=False)

    def expert(self) -> np.ndarray:
        held = self.held[HARD]
        return held[self.rng.choice(len(held), int(self.rng.integers(12, 60)), replace=False)]

    def shards(self, family: str, members: int = 12) -> Members:
        held = self.held[family]
        return [held[self.rng.choice(len(held), 40, replace=False)] for _ in range(members)]

    # Templates around each prompt

    def bare(self, group: Members) -> Members:
        return group

    def shared(self, group: Members) -> Members:
        template = self.templates[self.rng.integers(len(self.templates))]
        return [member | template for member in group]

    def own(self, group: Members) -> Members:
        chosen = self.rng.permutation(self.templates)
        return [member | chosen[at] for at, member in enumerate(group)]

    def by_turns(self, group: Members) -> Members:
        """Five that each account takes turns with: what is left out can't be told."""
        chosen = self.rng.permutation(self.templates)[:5]
        return [member | chosen[self.rng.integers(5, size=len(member))] for member in group]

    def shares(
        self, of: Callable[[], Members], dressed: Callable[[Members], Members],
        without: str = "",
    ) -> np.ndarray:  # fmt: skip
        """Explained shares of GROUPS groups, each part of the crowd; NaN where unknown."""
        known = [corpus for corpus in self.corpora if corpus.name != without]
        found = []
        for _ in range(GROUPS):
            group = dressed(of())
            words = np.array([member.sum(axis=0) for member in group])
            prompts = np.array([len(member) for member in group])
            crowd = Crowd.of(np.vstack([self.crowd[0], words]), np.r_[self.crowd[1], prompts])
            found.append(explained(words, prompts, crowd, known)[0])
        return np.array(found)


@pytest.fixture(scope="module")
def real(session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Real:
    return Real(session, tmp_path_factory.mktemp("real"))


def show(what: str, dressed: str, shares: np.ndarray) -> None:
    told = shares[~np.isnan(shares)]
    said = f"{np.median(told):.2f} ({told.min():.2f} to {told.max():.2f})" if len(told) else "-"
    print(f"{what}, {dressed}: {said}, unknown {np.isnan(shares).sum()} of {GROUPS}")  # noqa: T201


@pytest.mark.parametrize("family", [TOOL_USE, ROLE_PLAY])
@pytest.mark.parametrize("dressed", ["bare", "shared", "own"])
def test_a_list_of_a_teaching_corpus_is_explained_by_it(
    real: Real, family: str, dressed: str
) -> None:
    for members in (12, 5):
        shares = real.shares(lambda n=members: real.shards(family, n), getattr(real, dressed))
        show(f"{members} accounts of {family}", dressed, shares)
        assert not np.isnan(shares).any()
        assert np.median(shares) > 0.9 and shares.min() > 0.7


@pytest.mark.parametrize("family", [TOOL_USE, ROLE_PLAY])
def test_templates_by_turns_hide_part_of_it(real: Real, family: str) -> None:
    shares = real.shares(lambda: real.shards(family), real.by_turns)
    show(f"12 accounts of {family}", "by_turns", shares)
    assert np.median(shares) > 0.3


@pytest.mark.parametrize("dressed", ["bare", "shared", "own", "by_turns"])
def test_honest_groups_are_not_taken_for_a_teaching_corpus(real: Real, dressed: str) -> None:
    def of_one_subject() -> Members:
        intents = real.intents()
        return [real.bot(intents) for _ in range(12)]

    for what, of in (
        ("12 people", lambda: [real.human() for _ in range(12)]),
        ("5 people", lambda: [real.human() for _ in range(5)]),
        ("12 support bots of one firm", of_one_subject),
        ("8 people with hard questions", lambda: [real.expert() for _ in range(8)]),
        ("6 of the crowd", lambda: [real.person() for _ in range(6)]),
    ):
        shares = real.shares(of, getattr(real, dressed))
        show(what, dressed, shares)
        # Templates by turns bring whatever it is nearer to any corpus of long prompts.
        assert np.nanmax(shares, initial=0.0) < (0.6 if dressed == "by_turns" else 0.5), what


@pytest.mark.parametrize(("family", "other"), [(TOOL_USE, ROLE_PLAY), (ROLE_PLAY, TOOL_USE)])
def test_a_list_that_is_not_known_is_not_explained_by_another(
    real: Real, family: str, other: str
) -> None:
    shares = real.shares(lambda: real.shards(family), real.bare, without=family)
    show(f"12 accounts of {family}", f"{other} known only", shares)
    assert np.nanmax(shares, initial=0.0) < 0.5


def test_half_of_a_group_is_half_explained(real: Real) -> None:
    def of() -> Members:
        return [*real.shards(ROLE_PLAY, 6), *(real.human() for _ in range(6))]

    shares = real.shares(of, real.bare)
    show(f"6 accounts of {ROLE_PLAY} and 6 people", "bare", shares)
    assert np.nanmedian(shares) < 0.9
