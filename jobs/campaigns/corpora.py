"""Whether a group asks what a known training set asks: its prompts against corpora and the crowd.

The corpora are those that `stillwatch corpus add` put into the lake: published sets that models
are taught with, and what people ordinarily ask, as counts of prompts with a word of each bucket.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.two_sample import (
    ENOUGH_REQUESTS,
    Crowd,
    Reference,
    distance,
    reference_of,
    without_templates,
)
from jobs.catalog.sketch import WORD_BUCKETS

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

logger = logging.getLogger(__name__)

Ints = NDArray[np.int64] | NDArray[np.int32]


@dataclass(frozen=True)
class Corpus:
    """A corpus that the night's prompts can be compared with."""

    name: str
    kind: str
    reference: Reference


def known_corpora(lake: Lake, date: dt.date, window_days: int) -> list[Corpus]:
    """The corpora of the lake as of the night, each as it was last added, in order of name.

    Left out, with a warning, where the window's prompts were not all sketched with the corpus's
    key: under another key the same word falls into another bucket.
    """
    latest = last_added(lake, date)
    if not latest:
        return []
    keys = _keys_of(lake, date - dt.timedelta(days=window_days - 1), date)
    known = []
    for name, row in latest.items():
        if keys - {row["key_id"]} or len(row["words"]) != WORD_BUCKETS:
            logger.warning(
                "corpus %s is left out on %s: it was sketched in another way than prompts of the "
                "window; after a rotation of the key add it again, it counts %d nights later",
                name, date, window_days,
            )  # fmt: skip
            continue
        words = np.array(row["words"], np.int64)
        known.append(Corpus(name, row["kind"], reference_of(words, row["prompts"])))
    return known


def last_added(lake: Lake, date: dt.date | None = None) -> dict[str, dict[str, Any]]:
    """Rows of `corpora` by name, in order: each corpus as it was last added, until the date."""
    rows = lake.rows("corpora", None, date).sort_by("date").to_pylist()
    return dict(sorted({row["name"]: row for row in rows}.items()))


def _keys_of(lake: Lake, first: dt.date, date: dt.date) -> set[str]:
    """The keys that the window's nights were ingested with."""
    found = lake.read("accounts", first, date).select("key_id").distinct().toArrow()
    return set(found["key_id"].to_pylist())


def explained(
    words: Ints, prompts: Ints, crowd: Crowd, corpora: Sequence[Corpus]
) -> tuple[float, str]:
    """Share of a group's distance from all other accounts that the nearest teaching corpus
    explains, and that corpus's name: 1 - d(teaching) / min(d(accounts), d(nearest ordinary)),
    between 0 and 1, d being the squared maximum mean discrepancy.

    NaN without a teaching corpus, and where the group is no farther from the others than as many
    accounts drawn from them would be (`Crowd.by_chance`): there is nothing to explain.

    Words of a member's template come with each of its prompts and would be most of any distance;
    buckets that over 90 % of its prompts have are left out, on both sides. Templates that a member
    takes turns with hide below that: they are as far from every corpus as from the accounts, and
    move the share towards the middle, whatever it was.

    Args:
        words: prompts of the window with a word of each bucket, members x buckets.
        prompts: prompts of each member.
        crowd: all accounts, the group's too.
    """
    others = crowd.without(Crowd.of(words, prompts))
    teaching = [corpus for corpus in corpora if corpus.kind == "teaching"]
    has, count = without_templates(words, prompts)
    counted = count >= ENOUGH_REQUESTS
    if not teaching or others.accounts < 2 or not counted.any():
        return float("nan"), ""

    def apart(reference: Reference) -> float:
        of = Reference(reference.share[counted], reference.squared[counted])
        return distance(has[counted], count[counted], of)

    away = apart(others.reference())
    if away <= others.by_chance(prompts, counted):
        return float("nan"), ""
    ordinary = min([away, *(apart(c.reference) for c in corpora if c.kind == "ordinary")])
    near, name = min((apart(corpus.reference), corpus.name) for corpus in teaching)
    if ordinary <= 0.0:
        return 0.0, name  # a sample of what people ask
    return min(max(1.0 - near / ordinary, 0.0), 1.0), name
