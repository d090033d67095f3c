"""Gates refuse and accept challengers, each for its own reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.classifier import Classifier
from models.dataset import TrainingSet
from models.definitions import TrainingPolicy
from models.promotion import Verdict, challenge
from models.split import BY_ACCOUNT, FORWARD, split


@pytest.fixture(scope="module")
def held_out(dataset: TrainingSet) -> TrainingSet:
    return dataset.take(split(dataset, 0.25).held_out)


@pytest.fixture
def duel(dataset: TrainingSet, held_out: TrainingSet, policy: TrainingPolicy):
    def fight(
        challenger: Classifier, champion: Classifier | None, how: str = FORWARD, **gates: float
    ) -> Verdict:
        limits = replace(policy.gates, **gates)
        return challenge(challenger, champion, held_out, dataset, how, limits)

    return fight


def failed(verdict: Verdict) -> set[str]:
    return {gate.name for gate in verdict.gates if not gate.passed}


def test_a_better_model_is_promoted_with_its_figures(
    duel, classifier: Classifier, weak_classifier: Classifier
) -> None:
    verdict = duel(classifier, weak_classifier)
    assert verdict.promote and not failed(verdict)
    figures = verdict.figures
    assert figures["challenger"]["pr_auc"] > figures["champion"]["pr_auc"]
    gained = figures["challenger"]["pr_auc"] - figures["champion"]["pr_auc"]
    assert figures["gain"]["pr_auc"] == pytest.approx(gained)
    assert figures["gain"]["low"] <= gained <= figures["gain"]["high"]
    assert verdict.reason.startswith("promoted")


def test_a_worse_model_is_refused_and_the_reason_has_the_figure(
    duel, classifier: Classifier, weak_classifier: Classifier
) -> None:
    verdict = duel(weak_classifier, classifier)
    assert not verdict.promote
    assert {"gain", "confidence", "recall", "known_campaigns"} <= failed(verdict)
    assert "PR-AUC gained over the champion -0." in verdict.reason


def test_the_same_model_again_is_not_better(duel, classifier: Classifier) -> None:
    assert failed(duel(classifier, classifier)) == {"gain", "confidence"}


def test_a_gain_within_the_margin_is_not_enough(
    duel, classifier: Classifier, weak_classifier: Classifier
) -> None:
    assert failed(duel(classifier, weak_classifier, least_gain=0.99)) == {"gain"}


def test_a_known_campaign_that_would_be_lost_stops_a_better_model(
    duel, classifier: Classifier, weak_classifier: Classifier
) -> None:
    # A tolerance below zero asks every known campaign to gain by that much.
    verdict = duel(classifier, weak_classifier, campaign_recall_tolerance=-1.5)
    assert failed(verdict) == {"known_campaigns"}
    known = verdict.figures["known_campaigns"]
    assert set(known) == {f"operation {k}" for k in range(4)}  # also those it was trained on


def test_without_a_champion_a_challenger_still_has_to_be_good(
    duel, classifier: Classifier, weak_classifier: Classifier
) -> None:
    assert duel(classifier, None).promote
    assert failed(duel(weak_classifier, None, least_pr_auc=0.95)) == {"pr_auc"}


def test_no_whole_campaign_held_out_is_no_proof(
    duel, classifier: Classifier, weak_classifier: Classifier
) -> None:
    assert failed(duel(classifier, weak_classifier, how=BY_ACCOUNT)) == {"split"}


def test_too_few_held_out_distillers_are_an_anecdote(
    duel, classifier: Classifier, weak_classifier: Classifier
) -> None:
    verdict = duel(classifier, weak_classifier, least_held_out_positives=26)
    assert failed(verdict) == {"held_out_positives"}
    assert "known distillers held out 25 (needs 26)" in verdict.reason


def test_campaigns_that_the_champion_has_seen_are_named(duel, classifier: Classifier) -> None:
    assert duel(classifier, classifier).figures["champion_saw"] == ["operation 3"]
