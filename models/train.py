"""Fit the two heads: XGBoost with monotone directions, on positive and unlabelled rows.

For each head:
1. **Out-of-fold margins**, folds by campaign: what the trees say of campaigns they never saw.
2. **Suspects**: unlabelled rows that score like known positives are neither benign nor known, and
   leave the fit (reliable negatives: Liu et al. 2002, "Partially supervised classification of text
   documents"). At most a small share, so that a weak model cannot throw the honest away.
3. **The fit**, on what is left.
4. **Calibration** on the margins of step 1, each row counting as the accounts it represents; once
   with all evidence, once without each family, and once without each two.

Every row is seen a second time with one family of evidence removed, the family taken by turns, so
that the trees learn where to send "unavailable": XGBoost otherwise sends it wherever was convenient
for values it did see, and a missing source would turn into alarms.

The same rows, policy and XGBoost version give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from models.calibration import AND, SLOPE_RANGE, Calibration, Sigmoid, fit_sigmoid
from models.classifier import (
    BATCH_ROWS,
    LARGEST,
    Classifier,
    FeatureSpec,
    Head,
    columns_of,
    judge_of,
    judged,
    margins,
)
from models.dataset import TrainingSet, lots
from models.definitions import BENIGN, DISTILLATION, HEADS, Boosting, FeatureLike, TrainingPolicy
from models.errors import ModelInputError

#: Fewer labelled accounts than this and a head answers with a constant.
LEAST_POSITIVES = 5
#: Shares of the negatives that lie below the scores at which somebody is acted on.
HIGH = (0.99, 0.995, 0.999)
LEAST_ABOVE = 5
#: The case in which no family of evidence is missing.
FULL = ""


@dataclass(frozen=True)
class _Rows:
    """One head's view of the training rows; arrays of shape (rows,), matrix (rows, features)."""

    matrix: np.ndarray
    positive: np.ndarray
    weight: np.ndarray
    represents: np.ndarray
    unlabelled: np.ndarray
    folds: np.ndarray


def fit(
    dataset: TrainingSet, features: Sequence[FeatureLike], policy: TrainingPolicy
) -> Classifier:
    """A classifier fitted and calibrated on all rows of `dataset`.

    Args:
        dataset: rows for training only; hold out before.
        features: the declarations of `dataset.features`, in the same order.
        policy: parameters.

    Raises:
        ModelInputError: no rows, or other features than the data set's.
    """
    specs = tuple(FeatureSpec.of(feature) for feature in features)
    if tuple(spec.name for spec in specs) != dataset.features:
        raise ModelInputError("the declared features are not those of the training set")
    if not len(dataset):
        raise ModelInputError("the training set is empty", "run nights with traffic first")
    matrix = _matrix(dataset)
    notes: list[str] = []
    heads = {}
    figures: dict[str, Any] = {}
    for name in HEADS:
        heads[name], figures[name] = _fit_head(name, dataset, matrix, specs, policy, notes)
    named = dataset.is_labelled(DISTILLATION) & pd.notna(dataset.column("campaign"))
    trained = {
        "night": dataset.night.isoformat(),
        "fingerprint": dataset.fingerprint(),
        "rows": len(dataset),
        "campaigns": sorted(set(dataset.column("group")[named])),
        "counts": dataset.counts,
        "heads": figures,
        "notes": notes,
    }
    return Classifier(specs, heads, trained)


def _matrix(dataset: TrainingSet) -> np.ndarray:
    # Column by column: all of them in 64 bits at once would be the most that training ever holds.
    out = np.empty((len(dataset), len(dataset.features)), dtype=np.float32)
    for at, name in enumerate(dataset.features):
        values = np.asarray(dataset.column(name), dtype=np.float64)
        out[:, at] = np.clip(values, -LARGEST, LARGEST)
    return out


def _fit_head(
    name: str,
    dataset: TrainingSet,
    matrix: np.ndarray,
    specs: tuple[FeatureSpec, ...],
    policy: TrainingPolicy,
    notes: list[str],
) -> tuple[Head, dict[str, Any]]:
    positive = dataset.is_labelled(name)
    accounts = len(set(dataset.column("account_id")[positive]))
    represents = np.asarray(dataset.column("represents"), dtype=np.float64)
    prevalence = float(represents[positive].sum() / represents.sum())
    figures: dict[str, Any] = {"positive_accounts": accounts, "prevalence": prevalence}
    if accounts < LEAST_POSITIVES or positive.all():
        notes.append(f"{name}: {accounts} labelled accounts, so a constant score")
        # Laplace's rule on accounts: no evidence is not evidence of none.
        constant = (represents[positive].sum() + 1.0) / (represents.sum() + 2.0)
        return Head(None, None, float(constant)), figures
    rows = _Rows(
        matrix=matrix,
        positive=positive,
        weight=np.asarray(dataset.column("weight"), dtype=np.float64),
        represents=represents,
        unlabelled=dataset.unlabelled,
        folds=_folds(dataset, positive, policy.boosting.folds, name, notes),
    )
    unseen = _out_of_fold(rows, specs, name, policy)
    suspects = suspect_rows(unseen[FULL], rows.positive, rows.unlabelled, policy.boosting)
    kept = ~suspects
    booster = _boost(rows, kept, specs, name, policy)
    # A judgement is a probability already: campaigns that are easier than the next one must not
    # sharpen it.
    steepest = SLOPE_RANGE[1] if judge_of(name, specs) is None else 1.0
    lines = {
        case: fit_sigmoid(found[kept], positive[kept], represents[kept], steepest)
        for case, found in unseen.items()
    }
    # Resellers share machines with distillers; without the content only the honest set the limit.
    honest = kept & (dataset.column("label") == BENIGN)
    usual = lines[FULL].log_odds(unseen[FULL][honest])
    without = {
        case: no_more_alarms(line, unseen[case][honest], usual)
        for case, line in lines.items()
        if case != FULL
    }
    calibration = Calibration(lines[FULL], without)
    figures["suspects_left_out"] = int(suspects.sum())
    return Head(bytes(booster.save_raw("json")), calibration), figures


def no_more_alarms(line: Sigmoid, margins: np.ndarray, usual: np.ndarray) -> Sigmoid:
    """The line, lowered until no more honest accounts score high than with all evidence.

    A probability can be right and still let more of the honest pass a threshold, when there is
    less to tell them by. Missing evidence may cost recall; it must not cost customers.

    Args:
        line: calibrated without some family of evidence.
        margins: (honest,) of the trees, without that family.
        usual: (honest,) log-odds of the same rows with all evidence.
    """
    odds = line.log_odds(margins)
    # A quantile with fewer accounts above it is an anecdote, and would cost recall for nothing.
    known = [q for q in HIGH if len(odds) * (1 - q) >= LEAST_ABOVE]
    higher = max((float(np.quantile(odds, q) - np.quantile(usual, q)) for q in known), default=0.0)
    return Sigmoid(line.slope, line.intercept - max(higher, 0.0))


def suspect_rows(
    unseen: np.ndarray, positive: np.ndarray, unlabelled: np.ndarray, boosting: Boosting
) -> np.ndarray:
    """(rows,) bool: unlabelled rows whose out-of-fold margin looks like a known positive's."""
    threshold = np.quantile(unseen[positive], boosting.suspect_quantile)
    scores = unseen[unlabelled]
    most = int(boosting.suspect_share * len(scores))
    if most == 0:
        return np.zeros(len(unseen), dtype=bool)
    # The threshold rises until it leaves no more than the allowed share.
    threshold = max(threshold, np.partition(scores, len(scores) - most)[len(scores) - most])
    above = unlabelled & (unseen >= threshold)
    # A tie at the threshold that would exceed the share tells nothing apart: keep those.
    return above if above.sum() <= most else unlabelled & (unseen > threshold)


def _folds(
    dataset: TrainingSet, positive: np.ndarray, folds: int, name: str, notes: list[str]
) -> np.ndarray:
    """(rows,) fold numbers: a group is never in two, and positives are spread over all."""
    groups = pd.Series(dataset.column("group"))
    out = np.floor(lots(groups.to_numpy()) * folds).astype(np.int64)
    sizes = groups[positive].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    if len(sizes) < 2:
        notes.append(f"{name}: one campaign, so its accounts are divided to calibrate on")
        accounts = lots(dataset.column("account_id")[positive])
        out[positive] = np.floor(accounts * folds).astype(np.int64)
        return out
    loads = np.zeros(folds)
    for group, size in sizes.items():
        lightest = int(np.argmin(loads))
        loads[lightest] += size
        out[(groups == group).to_numpy()] = lightest
    return out


def _out_of_fold(
    rows: _Rows, specs: tuple[FeatureSpec, ...], name: str, policy: TrainingPolicy
) -> dict[str, np.ndarray]:
    """FULL, or what is taken away -> (rows,) margins by trees that never saw the row."""
    cases = {FULL: np.zeros(0, dtype=np.int64)} | missing_cases(specs)
    unseen = {case: np.zeros(len(rows.matrix)) for case in cases}
    for fold in np.unique(rows.folds):
        out = rows.folds == fold
        if not (rows.positive & ~out).any() or (rows.positive | out).all():
            # Nothing to learn a class from without this fold: its rows are judged as average.
            continue
        booster = _boost(rows, ~out, specs, name, policy)
        for case, columns in cases.items():
            left = rows.matrix[out]
            left[:, columns] = np.nan
            unseen[case][out] = margins(booster, left, policy.threads, judge_of(name, specs))
    return unseen


def missing_cases(specs: tuple[FeatureSpec, ...]) -> dict[str, np.ndarray]:
    """Each family, and each two together ("a+b") -> positions of their features.

    A source without addresses and clients may well hold no text either; three are rare, and judged
    by the two of them that say least.
    """
    columns = {family: columns_of(family, specs) for family in sorted({s.family for s in specs})}
    two = {
        AND.join(pair): np.concatenate([columns[family] for family in pair])
        for pair in combinations(columns, 2)
    }
    return columns | two


def _boost(
    rows: _Rows,
    used: np.ndarray,
    specs: tuple[FeatureSpec, ...],
    name: str,
    policy: TrainingPolicy,
) -> Any:
    """Trees on the used rows and their masked copies."""
    import xgboost

    boosting = policy.boosting
    positive, weight = rows.positive[used], rows.weight[used]
    heavy, light = weight[positive].sum(), weight[~positive].sum()
    balanced = weight * np.where(positive, (light / heavy) ** boosting.balance_power, 1.0)
    # min_child_weight and reg_lambda are in units of rows, so the weights are as well.
    balanced *= len(balanced) / balanced.sum()
    batches = seen_twice(
        rows.matrix, used, positive, balanced, specs, judge_of(name, specs),
        boosting.masked_copy_weight,
    )  # fmt: skip

    class Batches(xgboost.DataIter):
        """The batches for XGBoost, which goes through them more than once."""

        def reset(self) -> None:
            self.left = batches()

        def next(self, input_data: Callable[..., Any]) -> bool:
            batch = next(self.left, None)
            if batch is not None:
                input_data(**batch)
            return batch is not None

    # Bins of a byte or two a value: all that is held of the rows and of their copies.
    data = xgboost.QuantileDMatrix(
        Batches(), max_bin=boosting.max_bin, missing=np.nan, nthread=policy.threads
    )
    # A monotone direction is about distillation; resale has none declared.
    directions = tuple(spec.monotone if name == DISTILLATION else 0 for spec in specs)
    parameters = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": boosting.max_depth,
        "learning_rate": boosting.learning_rate,
        "min_child_weight": boosting.min_child_weight,
        "reg_lambda": boosting.reg_lambda,
        "colsample_bytree": boosting.colsample_bytree,
        "subsample": boosting.subsample,
        "max_delta_step": boosting.max_delta_step,
        "max_bin": boosting.max_bin,
        "monotone_constraints": directions,
        "seed": boosting.seed,
        "nthread": policy.threads,
    }
    return xgboost.train(parameters, data, num_boost_round=boosting.rounds)


def seen_twice(
    matrix: np.ndarray,
    used: np.ndarray,
    positive: np.ndarray,
    weight: np.ndarray,
    specs: tuple[FeatureSpec, ...],
    judge: int | None,
    copy_weight: float,
) -> Callable[[], Iterator[dict[str, np.ndarray | None]]]:
    """The used rows in batches, then their masked copies: what each batch tells XGBoost.

    Args:
        matrix: (rows, features); `used`: (rows,) bool.
        positive: (used,) bool; `weight`: (used,) of the rows themselves, times `copy_weight` of
            their copies.
        judge: column that the margin starts from.
    """
    at = np.flatnonzero(used)

    def batches() -> Iterator[dict[str, np.ndarray | None]]:
        for masked in (False, True):
            for first in range(0, len(at), BATCH_ROWS):
                part = slice(first, first + BATCH_ROWS)
                seen = matrix[at[part]]
                if masked:
                    seen = without_one_family(seen, specs, first)
                yield {
                    "data": seen,
                    "base_margin": judged(seen, judge),
                    "label": positive[part].astype(np.float32),
                    "weight": weight[part] * (copy_weight if masked else 1.0),
                }

    return batches


def without_one_family(
    matrix: np.ndarray, specs: tuple[FeatureSpec, ...], first: int = 0
) -> np.ndarray:
    """A copy in which row i lacks the evidence of family number i modulo the number of families;
    the matrix begins with row `first`."""
    families = sorted({spec.family for spec in specs})
    out = matrix.copy()
    for at, family in enumerate(families):
        turn = np.arange((at - first) % len(families), len(matrix), len(families))
        out[np.ix_(turn, columns_of(family, specs))] = np.nan
    return out
