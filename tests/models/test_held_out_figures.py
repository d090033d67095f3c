"""Figures checked by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss

from models.classifier import Classifier
from models.dataset import TrainingSet
from models.definitions import TrainingPolicy
from models.evaluate import (
    Judged,
    bootstrap_weights,
    evaluate,
    flat_metrics,
    judge,
    metrics,
    ranking,
    reliability,
    resolvable_rate,
)
from models.split import split


def drawn(seed: int, rows: int = 600) -> Judged:
    rng = np.random.default_rng(seed)
    positive = rng.uniform(size=rows) < 0.1
    # Rounded, so that there are ties across the classes.
    scores = np.round(np.clip(rng.normal(0.3 + 0.3 * positive, 0.2), 0.001, 0.999), 2)
    return Judged(np.clip(scores, 0.001, 0.999), positive, rng.integers(1, 9, rows).astype(float))


@pytest.mark.parametrize("seed", range(4))
def test_metrics_agree_with_scikit_learn(seed: int) -> None:
    judged = drawn(seed)
    ours = {name: values[0] for name, values in ranking(judged, judged.represents[None]).items()}
    with_weights = {"sample_weight": judged.represents}
    assert ours["pr_auc"] == pytest.approx(
        average_precision_score(judged.positive, judged.scores, **with_weights)
    )
    assert ours["brier"] == pytest.approx(
        brier_score_loss(judged.positive, judged.scores, **with_weights)
    )
    assert ours["log_loss"] == pytest.approx(
        log_loss(judged.positive, judged.scores, **with_weights)
    )


def test_a_row_that_stands_for_n_accounts_is_n_rows() -> None:
    judged = drawn(9, rows=80)
    times = judged.represents.astype(int)
    spelled = Judged(
        np.repeat(judged.scores, times), np.repeat(judged.positive, times), np.ones(times.sum())
    )
    one = ranking(judged, judged.represents[None])
    other = ranking(spelled, spelled.represents[None])
    for name in one:
        assert one[name][0] == pytest.approx(other[name][0]), name


def test_recall_by_hand() -> None:
    """200 negatives, so a rate of 0.01 lets two of them in; the tie at 0.9 stands or falls whole.

    score  1.0  0.95  0.9              0.5  0.4    0.3  0.1
           +    -     + + - (one tie)  +    - - -  +    195 negatives
    """
    scores = np.array([1.0, 0.95, 0.9, 0.9, 0.9, 0.5, 0.4, 0.4, 0.4, 0.3, *[0.1] * 195])
    positive = np.array([1, 0, 1, 1, 0, 1, 0, 0, 0, 1, *[0] * 195], dtype=bool)
    judged = Judged(scores, positive, np.ones(len(scores)))
    values = ranking(judged, judged.represents[None])
    assert values["recall_at_fpr_0.01"][0] == pytest.approx(0.8)  # two negatives from 0.5 up
    assert values["recall_at_fpr_0.001"][0] == pytest.approx(0.2)  # none may be above
    assert judged.threshold(0.01) == 0.5
    assert judged.threshold(0.005) == 0.95  # one may
    assert judged.threshold(0.0) == 1.0
    # Ten rows from 0.3 up, then 90 of those at 0.1 make up the first hundred.
    assert values["precision_at_100"][0] == pytest.approx(0.05)


def test_what_too_few_negatives_cannot_tell_is_unknown() -> None:
    judged = drawn(1)
    found = metrics(judged, judged.represents[None])
    assert found["recall_at_fpr_0.01"]["value"] is not None
    assert found["recall_at_fpr_0.0001"]["value"] is None
    assert resolvable_rate(judged, (1e-4, 1e-3, 1e-2)) == 1e-2
    alone = Judged(np.ones(3), np.ones(3, dtype=bool), np.ones(3))
    assert all(entry["value"] is None for entry in metrics(alone, np.ones((1, 3))).values())


def test_bootstrap_draws_whole_units_and_keeps_both_classes(dataset: TrainingSet) -> None:
    weights = bootstrap_weights(dataset, 30)
    represents = dataset.column("represents")
    assert (weights[0] == represents).all()
    guilty = dataset.is_labelled("distillation")
    accounts = dataset.column("account_id")
    times = weights / represents
    for account in list(dict.fromkeys(accounts[guilty]))[:5]:
        # Four campaigns are too few to draw from: accounts are, each with all its nights.
        assert (np.ptp(times[:, accounts == account], axis=1) < 1e-9).all()
    units = len(set(accounts[guilty]))
    first = np.array([int(np.flatnonzero(accounts == a)[0]) for a in sorted(set(accounts[guilty]))])
    assert (np.round(times[1:, first].sum(axis=1)) == units).all()
    assert times[1:, guilty].std() > 0.5


def test_intervals_hold_the_value(dataset: TrainingSet, classifier: Classifier) -> None:
    found = metrics(judge(classifier, dataset), bootstrap_weights(dataset, 60))
    entry = found["pr_auc"]
    assert entry["low"] <= entry["value"] <= entry["high"]
    assert entry["low"] < entry["high"]


def test_reliability_of_honest_probabilities_is_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=40_000)
    judged = Judged(scores, rng.uniform(size=len(scores)) < scores, np.ones(len(scores)))
    bins = reliability(judged)
    assert len(bins) == 10
    assert sum(entry["accounts"] for entry in bins) == len(scores)
    for entry in bins:
        assert entry["observed"] == pytest.approx(entry["score"], abs=0.04)


@pytest.fixture(scope="module")
def held_out(dataset: TrainingSet) -> TrainingSet:
    return dataset.take(split(dataset, 0.25).held_out)


def test_campaigns_segments_and_missing_families_are_told(
    classifier: Classifier, held_out: TrainingSet, policy: TrainingPolicy
) -> None:
    figures = evaluate(classifier, held_out, policy.gates.bootstrap_replicates, ("plan",))
    assert set(figures["campaigns"]) == {"operation 3"}
    assert figures["campaigns"]["operation 3"]["accounts"] == 25
    plans = figures["segments"]["plan"]
    assert set(plans) == {"free", "pay_as_you_go", "enterprise"}
    total = sum(entry["accounts"] for entry in plans.values())
    assert total == pytest.approx(pc.sum(held_out.table["represents"]).as_py())
    assert set(figures["without_family"]) == {f.family for f in classifier.features}
    flat = flat_metrics(figures)
    assert flat["distillation_pr_auc_low"] <= flat["distillation_pr_auc"]
    assert not any(value is None for value in flat.values())


def test_a_head_without_positives_has_no_figures(
    classifier: Classifier, held_out: TrainingSet
) -> None:
    honest = held_out.take(~held_out.is_labelled("distillation"))
    figures = evaluate(classifier, honest, 5)
    assert figures["distillation"]["metrics"]["pr_auc"]["value"] is None
    assert figures["distillation"]["curve"] == []
    assert figures["campaigns"] == {}
