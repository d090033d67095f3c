"""Figures on held-out rows: how well a classifier ranks, how honest its probabilities are.

Every row counts as the accounts of the lake it represents, so that rates are those of the lake and
not of the sample. Unlabelled accounts count as benign: an operation that nobody has labelled yet
shows as false positives, so these figures are a floor.

Intervals are from the bootstrap over campaigns (Efron 1979, by cluster as in Field and Welsh 2007),
or over accounts where there are too few campaigns for that; the figures say which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from models.classifier import Classifier
from models.dataset import TrainingSet
from models.definitions import DISTILLATION, HEADS

FALSE_POSITIVE_RATES: tuple[float, ...] = (1e-2, 1e-3, 1e-4)
#: Fewer positive groups than this, and a bootstrap over groups knows too few outcomes.
LEAST_GROUPS = 5
#: Replicates computed at once; bounds memory at 25 x rows doubles.
CHUNK = 25
RELIABILITY_EDGES = (0.0, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 1.0)
SEED = 20_260_502


@dataclass(frozen=True)
class Judged:
    """Scores of one head on held-out rows, each array of shape (rows,)."""

    scores: np.ndarray
    positive: np.ndarray
    represents: np.ndarray

    def threshold(self, rate: float) -> float:
        """The lowest score at which at most `rate` of the negatives are at or above it."""
        order = np.argsort(-self.scores, kind="stable")
        ends = _tie_ends(self.scores[order])
        false = np.cumsum(np.where(self.positive, 0.0, self.represents)[order])[ends]
        total = false[-1] if len(false) else 0.0
        allowed = ends[false <= rate * total + 1e-9]
        return float(self.scores[order][allowed[-1]]) if len(allowed) else float("inf")

    @property
    def negatives(self) -> int:
        """Rows that are not positive."""
        return int((~self.positive).sum())


def judge(classifier: Classifier, dataset: TrainingSet, head: str = DISTILLATION) -> Judged:
    """Score held-out rows with one head."""
    scores = classifier.predict(dataset.table)[f"{head}_score"].to_numpy()
    return Judged(scores, dataset.is_labelled(head), _represents(dataset))


def evaluate(
    classifier: Classifier,
    held_out: TrainingSet,
    replicates: int,
    segments: Sequence[str] = (),
) -> dict[str, Any]:
    """All figures of a classifier on rows that it was not fitted on, as JSON values.

    Args:
        classifier: fitted and calibrated.
        held_out: rows of other campaigns and accounts than those of the fit.
        replicates: of the bootstrap; 0 for none.
        segments: columns of `held_out` to break results down by.

    Returns:
        `distillation` and `resale`: metrics with intervals (null where they cannot be known),
        `reliability` bins and the precision-recall `curve`; for distillation also `campaigns`,
        `segments` and `without_family`.
    """
    weights = bootstrap_weights(held_out, replicates)
    figures: dict[str, Any] = {
        "rows": len(held_out),
        "intervals_over": "campaigns" if _by_group(held_out) else "accounts",
    }
    for head in HEADS:
        judged = judge(classifier, held_out, head)
        figures[head] = {
            "metrics": metrics(judged, weights),
            "reliability": reliability(judged),
            "curve": precision_recall_curve(judged),
        }
    judged = judge(classifier, held_out)
    rate = resolvable_rate(judged, FALSE_POSITIVE_RATES)
    level = judged.threshold(rate)
    figures["gate_rate"] = rate
    figures["threshold"] = level if np.isfinite(level) else None
    figures["campaigns"] = campaign_recall(classifier, held_out, level)
    figures["segments"] = {
        name: _segment(held_out.column(name), judged, level) for name in segments
    }
    figures["without_family"] = _without_each_family(classifier, held_out, judged, rate)
    return figures


def metrics(judged: Judged, weights: np.ndarray) -> dict[str, Any]:
    """Metric -> {value, low, high}: the value on all rows, a 90% interval over the replicates.

    Args:
        judged: scores of one head.
        weights: (1 + replicates, rows); the first row is the rows as they are.
    """
    if not judged.positive.any() or judged.positive.all():
        return {name: _entry(None, None) for name in metric_names()}
    drawn = ranking(judged, weights)
    out = {}
    for name in metric_names():
        values = drawn[name]
        known = not name.startswith("recall_at") or judged.negatives * _rate_of(name) >= 1
        out[name] = _entry(float(values[0]), values[1:]) if known else _entry(None, None)
    return out


def metric_names() -> tuple[str, ...]:
    """In the order in which they are told."""
    recalls = tuple(f"recall_at_fpr_{rate:g}" for rate in FALSE_POSITIVE_RATES)
    return ("pr_auc", *recalls, "precision_at_100", "brier", "log_loss", "prevalence")


def ranking(judged: Judged, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Metric -> (replicates,) values, for weights of shape (replicates, rows)."""
    parts = [
        _ranking(judged, weights[start : start + CHUNK]) for start in range(0, len(weights), CHUNK)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _ranking(judged: Judged, weights: np.ndarray) -> dict[str, np.ndarray]:
    order = np.argsort(-judged.scores, kind="stable")
    scores, positive, weights = judged.scores[order], judged.positive[order], weights[:, order]
    ends = _tie_ends(scores)
    true = np.cumsum(weights * positive, axis=1)[:, ends]
    false = np.cumsum(weights * ~positive, axis=1)[:, ends]
    positives, negatives = true[:, -1:], false[:, -1:]
    found = true + false
    precision = np.divide(true, found, out=np.ones_like(true), where=found > 0)
    recall = np.divide(true, positives, out=np.zeros_like(true), where=positives > 0)
    out = {"pr_auc": (np.diff(recall, axis=1, prepend=0.0) * precision).sum(axis=1)}
    for rate in FALSE_POSITIVE_RATES:
        allowed = false <= rate * negatives + 1e-9
        out[f"recall_at_fpr_{rate:g}"] = np.where(allowed, recall, 0.0).max(axis=1)
    # The first hundred accounts of the lake, the row that straddles the hundredth in part.
    total = np.cumsum(weights, axis=1)
    taken = np.clip(100.0 - (total - weights), 0.0, weights)
    out["precision_at_100"] = (taken * positive).sum(axis=1) / np.maximum(taken.sum(axis=1), 1e-12)
    whole = weights.sum(axis=1)
    out["brier"] = (weights * (scores - positive) ** 2).sum(axis=1) / whole
    sure = np.clip(np.where(positive, scores, 1 - scores), 1e-12, 1.0)
    out["log_loss"] = -(weights * np.log(sure)).sum(axis=1) / whole
    out["prevalence"] = (weights * positive).sum(axis=1) / whole
    return out


def bootstrap_weights(dataset: TrainingSet, replicates: int) -> np.ndarray:
    """(1 + replicates, rows): `represents`, then times how often each row's unit was drawn.

    Units (campaigns or accounts) are drawn within positives and within negatives, so that every
    replicate has both.
    """
    unit = dataset.column("group") if _by_group(dataset) else dataset.column("account_id")
    guilty = dataset.is_labelled(DISTILLATION)
    rng = np.random.default_rng(SEED)
    times = np.ones((1 + replicates, len(dataset)))
    for part in (guilty, ~guilty):
        codes, names = pd.factorize(unit[part])
        if len(names):
            drawn = rng.multinomial(
                len(names), np.full(len(names), 1 / len(names)), size=replicates
            )
            times[1:, part] = drawn[:, codes]
    return times * _represents(dataset)


def resolvable_rate(judged: Judged, rates: Sequence[float]) -> float:
    """The strictest of the rates that the negatives can resolve; the loosest if none."""
    known = [rate for rate in rates if judged.negatives * rate >= 1]
    return min(known) if known else max(rates)


def campaign_recall(
    classifier: Classifier, dataset: TrainingSet, threshold: float
) -> dict[str, dict[str, float]]:
    """Distillation campaign -> accounts, and the share of them that scores at or above."""
    rows = dataset.take(dataset.is_labelled(DISTILLATION) & pd.notna(dataset.column("campaign")))
    judged = judge(classifier, rows)
    frame = pd.DataFrame(
        {
            "campaign": rows.column("campaign"),
            "account": rows.column("account_id"),
            "weight": judged.represents,
            "found": judged.represents * (judged.scores >= threshold),
        }
    )
    grouped = frame.groupby("campaign").agg(
        accounts=("account", "nunique"), weight=("weight", "sum"), found=("found", "sum")
    )
    return {
        str(name): {"accounts": int(row["accounts"]), "recall": float(row["found"] / row["weight"])}
        for name, row in grouped.iterrows()
    }


def reliability(judged: Judged) -> list[dict[str, float]]:
    """Bins of score: mean score, observed share of positives, accounts; empty bins left out."""
    places = np.digitize(judged.scores, RELIABILITY_EDGES[1:-1])
    out = []
    for at in range(len(RELIABILITY_EDGES) - 1):
        inside = places == at
        weight = float(judged.represents[inside].sum())
        if weight > 0:
            share = judged.represents[inside] / weight
            out.append(
                {
                    "score": float((share * judged.scores[inside]).sum()),
                    "observed": float((share * judged.positive[inside]).sum()),
                    "accounts": weight,
                }
            )
    return out


def precision_recall_curve(judged: Judged, points: int = 200) -> list[tuple[float, float]]:
    """(recall, precision) pairs from the highest score down, thinned to `points`."""
    if not judged.positive.any():
        return []
    order = np.argsort(-judged.scores, kind="stable")
    ends = _tie_ends(judged.scores[order])
    weight, positive = judged.represents[order], judged.positive[order]
    true = np.cumsum(weight * positive)[ends]
    recall, precision = true / true[-1], true / np.cumsum(weight)[ends]
    kept = np.unique(np.searchsorted(recall, np.linspace(0, 1, points)).clip(0, len(recall) - 1))
    return [(float(recall[i]), float(precision[i])) for i in kept]


def flat_metrics(figures: Mapping[str, Any]) -> dict[str, float]:
    """Metric names and numbers for a run's record; what is unknown is left out."""
    out = {}
    for head in HEADS:
        for name, entry in figures[head]["metrics"].items():
            out.update(
                {
                    f"{head}_{name}{end}": entry[key]
                    for key, end in (("value", ""), ("low", "_low"), ("high", "_high"))
                    if entry[key] is not None
                }
            )
    return out


def _segment(values: np.ndarray, judged: Judged, level: float) -> dict[str, dict[str, Any]]:
    """Segment -> accounts, false positive rate among benign, recall among positive accounts."""
    out: dict[str, dict[str, Any]] = {}
    names = np.array(["unknown" if pd.isna(value) else str(value) for value in values])
    above = judged.scores >= level
    for name in sorted(set(names)):
        mine = names == name
        honest, guilty = mine & ~judged.positive, mine & judged.positive
        out[name] = {
            "accounts": float(judged.represents[mine].sum()),
            "positives": float(judged.represents[guilty].sum()),
            "false_positive_rate": _share(judged.represents, honest, above),
            "recall": _share(judged.represents, guilty, above),
        }
    return out


def _share(weight: np.ndarray, among: np.ndarray, which: np.ndarray) -> float | None:
    total = float(weight[among].sum())
    return float(weight[among & which].sum()) / total if total > 0 else None


def _without_each_family(
    classifier: Classifier, held_out: TrainingSet, judged: Judged, rate: float
) -> dict[str, dict[str, float]]:
    """Family -> recall, and false positive rate at the usual threshold, when it is unavailable."""
    level = judged.threshold(rate)
    out = {}
    for family in sorted({feature.family for feature in classifier.features}):
        table = held_out.table
        for feature in classifier.features:
            if feature.family == family:
                nothing = pa.nulls(table.num_rows, pa.float64())
                table = table.set_column(
                    table.column_names.index(feature.name), feature.name, nothing
                )
        scores = classifier.predict(table)[f"{DISTILLATION}_score"].to_numpy()
        above = scores >= level
        out[family] = {
            "recall": _share(judged.represents, judged.positive, above) or 0.0,
            "false_positive_rate": _share(judged.represents, ~judged.positive, above) or 0.0,
        }
    return out


def _by_group(dataset: TrainingSet) -> bool:
    guilty = dataset.is_labelled(DISTILLATION)
    return len(set(dataset.column("group")[guilty])) >= LEAST_GROUPS


def _represents(dataset: TrainingSet) -> np.ndarray:
    return np.asarray(dataset.column("represents"), dtype=np.float64)


def _tie_ends(sorted_scores: np.ndarray) -> np.ndarray:
    """Positions after which the score changes: rows of equal score are found together or not."""
    if not len(sorted_scores):
        return np.zeros(0, dtype=np.int64)
    return np.append(np.flatnonzero(np.diff(sorted_scores)), len(sorted_scores) - 1)


def _entry(value: float | None, drawn: np.ndarray | None) -> dict[str, float | None]:
    if value is None or drawn is None or not len(drawn):
        return {"value": value, "low": None, "high": None}
    low, high = np.quantile(drawn, [0.05, 0.95])
    return {"value": value, "low": float(low), "high": float(high)}


def _rate_of(name: str) -> float:
    return float(name.rsplit("_", 1)[1])
