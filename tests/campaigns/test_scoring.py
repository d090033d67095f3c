"""What a group is taken to be: terms, labels and the two explanations that compete."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jobs.campaigns.facts import Group
from jobs.campaigns.scoring import judge
from jobs.campaigns.words import summary_of
from jobs.catalog.figures import FIGURES
from jobs.catalog.policy import CAMPAIGN_POLICY

NOTHING = {"distillation": 0.0, "benign": 0.0, "resale": 0.0}


def group(accounts: int = 40, **figures: float) -> Group:
    """A group of which nothing is known but its size and these figures."""
    unknown = dict.fromkeys((figure.name for figure in FIGURES), math.nan)
    known = {"accounts": float(accounts), "organization": 0.0, "vetted": 0.0, **figures}
    return Group(np.arange(accounts), unknown | known, {})


def score(found: Group, **labels: float) -> tuple[str, float]:
    kind, distils, _, _ = judge(found, NOTHING | labels, CAMPAIGN_POLICY)
    return kind, distils


OPERATION = {"unevenness": 0.2, "active_days": 0.97, "start_together": 0.7, "words_differ": 0.0}
CLASSROOM = {"unevenness": 0.5, "active_days": 0.3, "open_place": 1.0, "words_differ": 0.0}
RELAY = {
    "hidden_place": 1.0, "roster": 1.0, "payment_own": 1.0, "instruments": 1.0, "untraceable": 0.6,
    "conversation": 0.4, "active_days": 0.99, "answers_differ": 0.0, "words_differ": 0.01,
    "unevenness": 0.6, "own_template_requests": 0.01, "shingle_disjoint": 0.85,
}  # fmt: skip


def test_an_operation_a_classroom_and_a_relay() -> None:
    assert score(group(**OPERATION))[0] == "distillation"
    assert score(group(**OPERATION))[1] > 0.95
    assert score(group(**CLASSROOM))[1] < 0.01
    kind, distils = score(group(**RELAY))
    assert kind == "resale"
    assert distils < 0.1  # what resale explains is no sign of distillation


def test_accounts_with_subjects_of_their_own_are_no_operation() -> None:
    assert score(group(**OPERATION | {"words_differ": 0.1}))[1] < score(group(**OPERATION))[1] - 0.1


@pytest.mark.parametrize(("benign", "kind"), [(1.0, "distillation"), (30.0, "benign_group")])
def test_one_customer_who_was_looked_at_does_not_vouch_for_forty(benign: float, kind: str) -> None:
    found, distils = score(group(**OPERATION), benign=benign)
    assert found == kind
    if kind == "distillation":
        assert distils > 0.9
    # The same label weighs more among few.
    few = score(group(5, **OPERATION), benign=1.0)[1] - score(group(5, **OPERATION))[1]
    many = score(group(400, **OPERATION), benign=1.0)[1] - score(group(400, **OPERATION))[1]
    assert few < many <= 0


def test_labels_of_a_quarter_of_its_accounts_settle_what_a_group_is() -> None:
    doubtful = {"unevenness": 0.5, "active_days": 0.8, "answers_differ": 0.2}
    before = score(group(**doubtful))[1]
    assert score(group(**doubtful), distillation=10.0)[1] > max(before, 0.95)
    assert score(group(**doubtful), benign=10.0) == ("benign_group", pytest.approx(0.0, abs=0.1))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("distillation", "taken for distillation (distillation score 0.20)."),
        ("resale", "taken for resale (resale score 0.97)."),
        ("unknown", "of unknown purpose (distillation score 0.20)."),
    ],
)
def test_a_summary_names_the_score_that_speaks_for_the_kind(kind: str, said: str) -> None:
    sentence = summary_of({"accounts": 40.0}, kind, 0.2, 0.97, ["content"], 1_200)
    assert (
        sentence
        == f"40 accounts bound by content evidence sent 1,200 requests on the night; {said}"
    )
