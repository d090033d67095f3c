"""The prior: a model of simulated worlds, committed with the code, that scores before any label.

It is made by a command from simulated nights, judged on other worlds, and kept in `models/prior`
as text. A lake without a model registers it first; from then on the registry is the only source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.card import Report, write_report
from models.classifier import MANIFEST, Classifier, Head
from models.dataset import TrainingSet
from models.definitions import FROM_SIMULATION, FeatureLike, TrainingPolicy
from models.errors import ModelError, PriorError
from models.evaluate import evaluate, flat_metrics
from models.registry import ModelRegistry, RegisteredModel, RunRecord
from models.train import fit

PRIOR_FOLDER = Path(__file__).parent / "prior"
METRICS = "metrics.json"
REBUILD = "build the prior again from simulated nights"


def build_prior(
    training_set: TrainingSet,
    holdout: TrainingSet,
    features: Sequence[FeatureLike],
    made: Mapping[str, Any],
    policy: TrainingPolicy,
    folder: Path = PRIOR_FOLDER,
) -> dict[str, Any]:
    """Fit on simulated worlds, judge on other worlds, write the folder; returns the figures.

    Args:
        training_set: rows of all training worlds (`dataset.concatenate`).
        holdout: rows of worlds with other seeds and tactics.
        features: declarations of the features, in the training set's order.
        made: how: command, seeds, worlds; JSON values, no clock.
        policy: parameters; `prior_prevalence` is what probabilities are moved to.
        folder: where manifest.json, trees, metrics.json and card.md go.
    """
    fitted = fit(training_set, features, policy)
    # Judged as fitted: the holdout has the worlds' prevalence, not the one that is assumed.
    figures = evaluate(fitted, holdout, policy.gates.bootstrap_replicates, holdout.segments)
    classifier = at_prevalence(fitted, policy.prior_prevalence)
    classifier.trained.update(
        {"origin": FROM_SIMULATION, "made": dict(made), "prevalence": policy.prior_prevalence}
    )
    classifier.save(folder)
    text = json.dumps(flat_metrics(figures), indent=1, sort_keys=True) + "\n"
    (folder / METRICS).write_text(text, encoding="utf-8")
    report = Report("prior", classifier, figures, holdout, policy, None, None)
    write_report(report, folder, plots=False)
    return figures


def at_prevalence(classifier: Classifier, share: float) -> Classifier:
    """The same trees, with probabilities for a platform where `share` of accounts are guilty."""
    heads = {}
    for name, head in classifier.heads.items():
        if head.calibration is None:
            heads[name] = head
            continue
        seen = float(classifier.trained["heads"][name]["prevalence"])
        heads[name] = Head(head.trees, head.calibration.at_prevalence(seen, share))
    return Classifier(classifier.features, heads, dict(classifier.trained))


def load_prior(folder: Path = PRIOR_FOLDER) -> Classifier:
    """The committed prior.

    Raises:
        PriorError: it was never built, or its files are damaged.
    """
    if not (folder / MANIFEST).exists():
        raise PriorError(f"there is no prior model in {folder}", REBUILD)
    try:
        return Classifier.load(folder)
    except ModelError as error:
        raise PriorError(f"the prior model cannot be used: {error}", REBUILD) from None


def ensure_prior(registry: ModelRegistry, folder: Path = PRIOR_FOLDER) -> RegisteredModel:
    """The registry's prior; registers the committed one if the registry has none.

    A newer prior that comes with an upgrade does not replace the one that a lake began with:
    nights that it scored would change. `register_prior` adds it, and a promotion puts it to work.
    """
    return registry.prior() or register_prior(registry, folder)


def register_prior(registry: ModelRegistry, folder: Path = PRIOR_FOLDER) -> RegisteredModel:
    """Register the committed prior as a version of its own, once."""
    prior = load_prior(folder)
    metrics = folder / METRICS
    record = RunRecord(
        parameters={"origin": FROM_SIMULATION},
        metrics=json.loads(metrics.read_text(encoding="utf-8")) if metrics.exists() else {},
        inputs={},
    )
    key = f"prior:{prior.trained['fingerprint']}:{prior.digest()}"
    return registry.register(prior, key=key, origin=FROM_SIMULATION, record=record)
