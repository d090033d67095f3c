"""One night's training, from rows to a decision, and the decisions a person takes.

Nothing here writes to the lake: each function returns the row of `model_decisions` to append. The
order makes a killed run harmless: files, then the registry's version, then (by the caller) the
decision, then the aliases. A version without a decision never scores.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from models.card import Report, write_report
from models.classifier import Classifier, FeatureSpec
from models.dataset import TrainingSet, joined
from models.decisions import (
    ADOPT_PRIOR,
    KEEP,
    OF_TRAINING,
    PROMOTE,
    PROMOTE_BY_HAND,
    ROLLBACK,
    SKIP,
    Decision,
    champion_as_of,
    champion_before_training,
    decision_record,
    in_order,
    version_before,
    version_number,
)
from models.definitions import (
    DISTILLATION,
    FROM_LABELS,
    FROM_SIMULATION,
    FROM_UNLABELLED,
    FeatureLike,
    TrainingPolicy,
)
from models.evaluate import evaluate, flat_metrics
from models.prior import PRIOR_FOLDER, ensure_prior
from models.promotion import challenge
from models.registry import ModelRegistry, RegisteredModel, RunRecord
from models.split import Split, split
from models.train import fit


@dataclass(frozen=True)
class TrainingOutcome:
    """What a training came to. `decision` is to be appended unless `repeated`."""

    decision: dict[str, Any]
    #: The version that was tried; none if training was skipped.
    model: RegisteredModel | None
    #: Why nothing was trained; empty if something was.
    skipped: str
    #: The night was trained on the same rows before: `decision` is the row that is there.
    repeated: bool


def run_training(
    dataset: TrainingSet,
    features: Sequence[FeatureLike],
    *,
    registry: ModelRegistry,
    decisions: Sequence[Decision],
    inputs: Mapping[str, int],
    least_positives: int,
    least_campaigns: int,
    past: TrainingSet | None = None,
    policy: TrainingPolicy | None = None,
) -> TrainingOutcome:
    """Train, evaluate, register and challenge the champion of `dataset.night`.

    Args:
        dataset: from `build_training_set`; its night is the night of the training.
        features: declarations of `dataset.features`, in the same order.
        registry: where models are.
        decisions: every row of `model_decisions`.
        inputs: Delta table -> version that the data set was read from.
        least_positives: known distillers below which nothing is trained.
        least_campaigns: their campaigns (an account without one counts as its own).
        past: known distillers of campaigns too old to learn from, which must not become unknown.
        policy: every other number.

    Raises:
        ModelError: the registry cannot be read or written, or the rows do not fit the features.
    """
    policy = policy or TrainingPolicy()
    fingerprint = dataset.fingerprint()
    earlier = _decided(decisions, dataset.night, fingerprint)
    if earlier is not None:
        return _repeat(earlier, registry)
    champion_version = champion_before_training(decisions, dataset.night)
    too_few = _too_few(dataset, least_positives, least_campaigns)
    if too_few:
        record = decision_record(
            decisions, dataset.night, SKIP, champion=champion_version, fingerprint=fingerprint,
            reason=f"nothing trained: {too_few}", figures=dataset.counts,
        )  # fmt: skip
        return TrainingOutcome(record, None, too_few, repeated=False)
    parts = split(dataset, policy.held_out_share)
    held_out = dataset.take(parts.held_out)
    challenger = fit(dataset.take(parts.train), features, policy)
    # The fit knows its own rows; the record is about the night's.
    challenger.trained.update(origin=_origin(dataset), dataset=fingerprint)
    champion, unreadable = _champion(registry, champion_version, held_out)
    everything = dataset if past is None else joined(dataset, past)
    verdict = challenge(challenger, champion, held_out, everything, parts.how, policy.gates)
    figures = evaluate(challenger, held_out, policy.gates.bootstrap_replicates, dataset.segments)
    report = Report(
        dataset.night.isoformat(), challenger, figures, held_out, policy, parts, verdict
    )
    with tempfile.TemporaryDirectory() as scratch:
        write_report(report, Path(scratch))
        model = registry.register(
            challenger,
            key=_key(dataset, fingerprint, features, policy),
            origin=_origin(dataset),
            record=RunRecord(
                parameters={**policy.parameters(), **_about(dataset, parts)},
                metrics=flat_metrics(figures),
                inputs=inputs,
                report=Path(scratch),
            ),
        )
    champion_next = model.model_version if verdict.promote else champion_version
    record = decision_record(
        decisions,
        dataset.night,
        PROMOTE if verdict.promote else KEEP,
        champion=champion_next,
        challenger=model.model_version,
        fingerprint=fingerprint,
        run_id=model.run_id,
        reason=f"{unreadable}{verdict.reason}",
        figures=verdict.figures,
    )
    return TrainingOutcome(record, model, "", repeated=False)


def adopt_prior(
    registry: ModelRegistry,
    decisions: Sequence[Decision],
    night: date,
    folder: Path = PRIOR_FOLDER,
) -> dict[str, Any] | None:
    """The decision that the prior serves from `night` on; none if a model serves already."""
    if champion_as_of(decisions, night) is not None:
        return None
    prior = ensure_prior(registry, folder)
    return decision_record(
        decisions, night, ADOPT_PRIOR, champion=prior.model_version, run_id=prior.run_id,
        reason="no model of this lake's own yet: the prior, trained on simulated worlds, scores",
    )  # fmt: skip


def promote_by_hand(
    registry: ModelRegistry, decisions: Sequence[Decision], night: date, version: int, reason: str
) -> dict[str, Any]:
    """The decision that `version` serves from `night` on, because a person says so.

    Raises:
        ModelRegistryError: there is no such version, or it cannot be loaded.
    """
    model = registry.get(version)
    registry.load(version)
    return decision_record(
        decisions, night, PROMOTE_BY_HAND, champion=model.model_version,
        challenger=model.model_version, run_id=model.run_id, reason=reason,
        figures={"champion_before": champion_as_of(decisions, night)},
    )  # fmt: skip


def rollback(
    registry: ModelRegistry, decisions: Sequence[Decision], night: date, reason: str
) -> dict[str, Any]:
    """The decision that the model before the present champion serves from `night` on.

    Raises:
        ModelError: no other model served before, or it cannot be loaded.
    """
    back = version_before(decisions, night)
    registry.load(version_number(back))
    return decision_record(
        decisions, night, ROLLBACK, champion=back, reason=reason,
        figures={"champion_before": champion_as_of(decisions, night)},
    )  # fmt: skip


def _decided(decisions: Sequence[Decision], night: date, fingerprint: str) -> dict[str, Any] | None:
    for entry in reversed(in_order(decisions)):
        if (
            entry["date"] == night
            and entry["decision"] in OF_TRAINING
            and entry["fingerprint"] == fingerprint
        ):
            return dict(entry)
    return None


def _repeat(earlier: dict[str, Any], registry: ModelRegistry) -> TrainingOutcome:
    tried = earlier["challenger_version"]
    model = registry.get(version_number(str(tried))) if tried else None
    skipped = str(earlier["reason"]) if earlier["decision"] == SKIP else ""
    return TrainingOutcome(earlier, model, skipped, repeated=True)


def _too_few(dataset: TrainingSet, least_positives: int, least_campaigns: int) -> str:
    guilty = dataset.is_labelled(DISTILLATION)
    accounts = len(set(dataset.column("account_id")[guilty]))
    campaigns = len(set(dataset.column("group")[guilty]))
    if accounts < least_positives:
        return f"{accounts} known distillers, {least_positives} needed"
    if campaigns < least_campaigns:
        return f"{campaigns} known campaigns, {least_campaigns} needed"
    return ""


def _origin(dataset: TrainingSet) -> str:
    """Simulation if no label on real accounts is among the rows."""
    origins = set(dataset.column("origin")) - {FROM_UNLABELLED}
    return FROM_SIMULATION if origins == {FROM_SIMULATION} else FROM_LABELS


def _champion(
    registry: ModelRegistry, version: str | None, held_out: TrainingSet
) -> tuple[Classifier | None, str]:
    """The champion, or none with the reason if it cannot read today's features."""
    if version is None:
        return None, ""
    champion = registry.load(version_number(version))
    missing = set(champion.feature_names) - set(held_out.table.column_names)
    if not missing:
        return champion, ""
    named = ", ".join(sorted(missing)[:3])
    return None, f"the champion {version} cannot read today's features (lacks {named}); "


def _key(
    dataset: TrainingSet,
    fingerprint: str,
    features: Sequence[FeatureLike],
    policy: TrainingPolicy,
) -> str:
    """The same night, rows, declarations and policy are the same model."""
    what = [
        dataset.night.isoformat(),
        fingerprint,
        [vars(FeatureSpec.of(feature)) for feature in features],
        policy.parameters(),
    ]
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()


def _about(dataset: TrainingSet, parts: Split) -> dict[str, object]:
    return {
        "dataset.fingerprint": dataset.fingerprint(),
        "dataset.rows": len(dataset),
        "split.how": parts.how,
        "split.held_out_rows": int(np.count_nonzero(parts.held_out)),
        "split.held_out_campaigns": ", ".join(parts.campaigns),
        **{f"dataset.{name}": value for name, value in dataset.counts.items()},
    }
