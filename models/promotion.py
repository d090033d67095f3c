"""Whether a challenger may serve: gates on the same held-out rows for both, with every figure.

The comparison is paired: each bootstrap draw weighs the rows of both models alike, so that what
they share (hard accounts, lucky campaigns) cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.classifier import Classifier
from models.dataset import TrainingSet
from models.definitions import DISTILLATION, Gates
from models.evaluate import (
    bootstrap_weights,
    campaign_recall,
    judge,
    ranking,
    resolvable_rate,
)
from models.split import BY_ACCOUNT


@dataclass(frozen=True)
class Gate:
    """One requirement: the figure that was found, the limit, and whether it was met."""

    name: str
    passed: bool
    figure: float | None
    limit: float | None
    says: str


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger serves, and every gate's figures."""

    promote: bool
    reason: str
    gates: tuple[Gate, ...]
    figures: dict[str, Any]


def challenge(
    challenger: Classifier,
    champion: Classifier | None,
    held_out: TrainingSet,
    everything: TrainingSet,
    how: str,
    gates: Gates,
) -> Verdict:
    """Compare both on the same held-out rows.

    Args:
        challenger: fitted without the held-out rows.
        champion: what serves now; none, or one that cannot read today's features, leaves only the
            gates that the challenger meets alone.
        held_out: rows neither should have seen; campaigns that the champion has seen are named in
            the figures.
        everything: all labelled rows, for what must not become unknown.
        how: the split's.
        gates: limits.
    """
    mine = judge(challenger, held_out)
    checks = _alone(held_out, how, gates)
    figures: dict[str, Any] = {"split": how}
    if not checks[0].passed:
        return _verdict(checks, figures)
    weights = bootstrap_weights(held_out, gates.bootstrap_replicates)
    rate = resolvable_rate(mine, gates.false_positive_rates)
    recall = f"recall_at_fpr_{rate:g}"
    ours = ranking(mine, weights)
    checks.append(
        _at_least("pr_auc", float(ours["pr_auc"][0]), gates.least_pr_auc,
                  "PR-AUC on held-out campaigns")
    )  # fmt: skip
    figures["gate_rate"] = rate
    figures["challenger"] = {name: float(values[0]) for name, values in ours.items()}
    if champion is None:
        return _verdict(checks, figures)
    other = judge(champion, held_out)
    theirs = ranking(other, weights)
    figures["champion"] = {name: float(values[0]) for name, values in theirs.items()}
    figures["champion_saw"] = sorted(
        set(champion.trained.get("campaigns", ())) & set(held_out.column("group"))
    )
    gain = ours["pr_auc"] - theirs["pr_auc"]
    better = float((gain[1:] > 0).mean())
    known = _lost(
        campaign_recall(challenger, everything, mine.threshold(rate)),
        campaign_recall(champion, everything, other.threshold(rate)),
    )
    figures["gain"] = {"pr_auc": float(gain[0]), "confidence": better,
                       "low": float(np.quantile(gain[1:], 0.05)),
                       "high": float(np.quantile(gain[1:], 0.95))}  # fmt: skip
    figures["known_campaigns"] = known
    worst = min((entry["change"] for entry in known.values()), default=0.0)
    checks += [
        _at_least("gain", float(gain[0]), gates.least_gain, "PR-AUC gained over the champion"),
        _at_least("confidence", better, gates.least_confidence,
                  "share of bootstrap draws in which it is better"),
        _at_least("recall", float(ours[recall][0] - theirs[recall][0]), -gates.recall_tolerance,
                  f"change of recall at a false positive rate of {rate:g}"),
        _at_least("known_campaigns", worst, -gates.campaign_recall_tolerance,
                  "change of recall in the known campaign that loses most"),
        _at_least("brier", float(theirs["brier"][0] - ours["brier"][0]), -gates.brier_tolerance,
                  "improvement of the Brier score"),
    ]  # fmt: skip
    return _verdict(checks, figures)


def _alone(held_out: TrainingSet, how: str, gates: Gates) -> list[Gate]:
    guilty = held_out.is_labelled(DISTILLATION)
    accounts = len(set(held_out.column("account_id")[guilty]))
    return [
        _at_least("held_out_positives", float(accounts), float(gates.least_held_out_positives),
                  "known distillers held out"),
        Gate("split", how != BY_ACCOUNT, None, None, "a whole campaign is held out"),
    ]  # fmt: skip


def _at_least(name: str, figure: float, limit: float, says: str) -> Gate:
    return Gate(name, figure >= limit - 1e-12, figure, limit, says)


def _lost(
    ours: Mapping[str, Mapping[str, float]], theirs: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    return {
        name: {
            "challenger": ours[name]["recall"],
            "champion": entry["recall"],
            "change": ours[name]["recall"] - entry["recall"],
        }
        for name, entry in theirs.items()
    }


def _verdict(checks: list[Gate], figures: dict[str, Any]) -> Verdict:
    figures["gates"] = [vars(gate) for gate in checks]
    failed = [gate for gate in checks if not gate.passed]
    told = failed or checks
    reason = "; ".join(
        gate.says
        if gate.figure is None
        else f"{gate.says} {gate.figure:.4g} (needs {gate.limit:.4g})"
        for gate in told
    )
    lead = "kept the champion, not met: " if failed else "promoted, all gates met: "
    return Verdict(not failed, lead + reason, tuple(checks), figures)
