"""The ladder for one account, as `jobs.decide` has it for all."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.catalog.enforcement import POLICY
from jobs.explaining.ladder import Standing, what_if

TWO = frozenset({"content", "time"})


def standing(**more: Any) -> Standing:
    given = {"score": 0.99, "resale_score": 0.0, "families": TWO, "campaign_score": 0.95,
             "kind": "distillation", "verified": False}  # fmt: skip
    return Standing(**given | more)


@pytest.mark.parametrize(
    ("more", "action", "proposed"),
    [
        ({}, "review", "suspend"),
        ({"campaign_score": 0.5}, "review", None),
        ({"verified": True}, "review", None),
        ({"families": frozenset({"time"})}, "watch", None),
        ({"score": 0.65}, "limit", None),
        ({"score": 0.85}, "challenge", None),
        ({"score": 0.1}, None, None),
        ({"kind": "benign_group"}, "watch", None),
        ({"kind": "resale", "score": 0.1, "resale_score": 0.9}, "review", None),
        ({"kind": "resale", "score": 0.1, "resale_score": 0.9, "verified": True}, "watch", None),
        ({"kind": None, "campaign_score": None}, "review", None),
    ],
)
def test_the_hardest_rung_whose_needs_hold(more: dict[str, Any], action, proposed) -> None:
    answer = what_if(POLICY, {}, standing(**more))
    assert (answer.action, answer.proposed) == (action, proposed)


def test_a_raised_threshold_counts_and_none_is_out_of_reach() -> None:
    assert what_if(POLICY, {"limit": 0.7}, standing(score=0.65)).action == "watch"
    reached = what_if(POLICY, {"suspend": None, "review": None}, standing())
    assert (reached.action, reached.proposed) == ("challenge", None)
