"""How sure is it that each account distils or resells, and what says so?

Reads the night's account_features and campaigns, and the champion that `model_decisions` names
for the night. Writes account_scores for every account with traffic in the scored window, and
drift: how far features and scores are from the nights before (jobs.drift).
Harm if late: enforcement goes on with yesterday's actions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import drift
from jobs.catalog.features import FEATURES, FEATURES_BY_NAME
from jobs.catalog.policy import EVIDENCE_FAMILIES, SCORING, ScoringPolicy
from jobs.features import unavailable_columns
from jobs.sentences import sentence_of
from models.classifier import Classifier
from models.decisions import serving_model
from models.registry import ModelRegistry

if TYPE_CHECKING:
    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings

OUTPUT = (
    "account_id string, distillation_score double, resale_score double, campaign_id string, "
    "reasons array<string>, model_version string, evidence array<string>, "
    "unavailable array<string>"
)
#: Its features repeat what binds its campaign, which speaks for itself in families of its own.
_OF_CAMPAIGN = "campaign_"


def model_registry(settings: Settings) -> ModelRegistry:
    """The registry inside the lake, or the server or folder that a setting names."""
    return ModelRegistry(*settings.registry)


def run(lake: Lake, date: dt.date) -> None:
    decisions = lake.rows("model_decisions").to_pylist()
    version, classifier = serving_model(model_registry(lake.settings), decisions, date)
    lake.write_night("account_scores", date, scored_by(lake, date, version, classifier))
    drift.measure(lake, date, version)


def scored_by(lake: Lake, date: dt.date, version: str, classifier: Classifier) -> DataFrame:
    """Rows of `account_scores` as a model gives them, for each account with traffic."""
    lost = unavailable_columns(lake, date)
    campaigns = lake.night("campaigns", date).select(
        "campaign_id",
        F.col("kind").alias("group_kind"),
        F.col("score").alias("group_score"),
        F.col("evidence").alias("group_evidence"),
        F.col("reasons").alias("group_reasons"),
    )
    members = lake.night("campaign_members", date).select("account_id", "campaign_id")
    grouped = members.join(campaigns, "campaign_id", "inner")
    features = (
        lake.night("account_features", date)
        .where(F.col(SCORING.traffic) > 0)
        .drop("date", "plan", "country", "active")
        .join(grouped, "account_id", "left")
    )
    score = ScoreBatches(classifier, version, unavailable_evidence(lost), SCORING)
    return features.mapInArrow(score, OUTPUT)


def unavailable_evidence(lost: frozenset[str]) -> list[str]:
    """`family: no column, …` for each family that a column is missing to."""
    missing: dict[str, set[str]] = {}
    for feature in FEATURES:
        for column in lost.intersection(feature.needs):
            missing.setdefault(feature.family, set()).add(column)
    return [
        f"{family}: no {', '.join(sorted(missing[family]))}"
        for family in EVIDENCE_FAMILIES
        if family in missing
    ]


class ScoreBatches:
    """Arrow batches of features and campaigns to batches of `account_scores`."""

    def __init__(
        self, classifier: Classifier, version: str, unavailable: list[str], policy: ScoringPolicy
    ) -> None:
        self.classifier = classifier
        self.version = version
        self.unavailable = unavailable
        self.policy = policy

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield self.scored(pa.Table.from_batches([batch])).combine_chunks().to_batches()[0]

    def scored(self, rows: pa.Table) -> pa.Table:
        """One row of `account_scores` for each row of features."""
        scores = self.classifier.predict(rows)
        reasons, evidence = self._why(rows, scores)
        n = rows.num_rows
        return pa.table({
            "account_id": rows["account_id"],
            "distillation_score": scores["distillation_score"],
            "resale_score": scores["resale_score"],
            "campaign_id": rows["campaign_id"],
            "reasons": reasons,
            "model_version": pa.array([self.version] * n, pa.string()),
            "evidence": evidence,
            "unavailable": pa.array([self.unavailable] * n, pa.list_(pa.string())),
        })  # fmt: skip

    def _why(self, rows: pa.Table, scores: pa.Table) -> tuple[pa.Array, pa.Array]:
        """Reasons and families of evidence; none for accounts that nobody will ask about."""
        distillation = scores["distillation_score"].to_numpy()
        resale = scores["resale_score"].to_numpy()
        asked = np.flatnonzero(
            (distillation >= self.policy.explain_score) | (resale >= self.policy.explain_score)
        )
        n = rows.num_rows
        empty = pa.array([[]] * n, pa.list_(pa.string()))
        if not len(asked):
            return empty, empty
        chosen = rows.take(pa.array(asked))
        added = self._contributions(chosen, distillation[asked] >= resale[asked])
        sentences = self._sentences(chosen, added)
        families = self._families(chosen, added)
        place = np.full(n, -1)
        place[asked] = np.arange(len(asked))
        index = pa.array(place, mask=place < 0)
        return (
            pc.if_else(index.is_valid(), sentences.take(index), empty),
            pc.if_else(index.is_valid(), families.take(index), empty),
        )

    def _contributions(self, rows: pa.Table, distils: np.ndarray) -> np.ndarray:
        """(rows, features): what each adds to the log-odds of the higher of the two scores."""
        added = self.classifier.contributions(rows, "distillation")[:, :-1]
        if not distils.all():
            added[~distils] = self.classifier.contributions(rows, "resale")[~distils, :-1]
        return added

    def _sentences(self, rows: pa.Table, added: np.ndarray) -> pa.Array:
        """What binds the account's campaign, then its own strongest features as sentences."""
        says = np.array([
            bool(self._declared(name)) for name in self.classifier.feature_names
        ])  # fmt: skip
        weight = np.where(says, added, -np.inf)
        # The same figure over 7 and 28 days is one reason: the stronger window speaks.
        order = np.argsort(-weight, axis=1, kind="stable")
        chosen = self._first_of_each_stem(order)
        strong = np.take_along_axis(weight, np.maximum(chosen, 0), axis=1)
        chosen = np.where((chosen >= 0) & (strong >= self.policy.least_contribution), chosen, -1)
        texts: np.ndarray = np.full(chosen.shape, None, dtype=object)
        for at, name in enumerate(self.classifier.feature_names):
            where = chosen == at
            if where.any():
                said = sentence_of(self._declared(name), FEATURES_BY_NAME[name].unit, rows[name])
                row = np.nonzero(where)[0]
                texts[where] = said.take(pa.array(row)).to_numpy(zero_copy_only=False)
        own = pa.ListArray.from_arrays(
            pa.array(np.arange(0, texts.size + 1, texts.shape[1]), pa.int32()),
            pa.array(texts.ravel(), pa.string()),
        )
        group = pc.list_slice(
            pc.fill_null(rows["group_reasons"].combine_chunks(), []), 0,
            self.policy.campaign_reasons,
        )  # fmt: skip
        return _joined(group, own)

    def _declared(self, name: str) -> str:
        """The sentence of a feature; none for one that this release no longer declares."""
        feature = FEATURES_BY_NAME.get(name)
        return feature.reason if feature and not name.startswith(_OF_CAMPAIGN) else ""

    def _first_of_each_stem(self, order: np.ndarray) -> np.ndarray:
        """(rows, own_reasons): leading features of each row, one for each stem, -1 for none."""
        stems = [name.rpartition("_")[0] if name.endswith("d") and name[-2].isdigit() else name
                 for name in self.classifier.feature_names]  # fmt: skip
        numbers = {stem: number for number, stem in enumerate(dict.fromkeys(stems))}
        stem_of = np.array([numbers[stem] for stem in stems])
        wanted = self.policy.own_reasons
        chosen = np.full((len(order), wanted), -1)
        filled = np.zeros(len(order), int)
        # Few columns are looked at: with windows in pairs, twice as many features as reasons.
        for column in range(min(order.shape[1], 3 * wanted)):
            feature = order[:, column]
            taken = np.where(chosen >= 0, stem_of[np.maximum(chosen, 0)], -1)
            new = (filled < wanted) & ~(taken == stem_of[feature][:, None]).any(axis=1)
            chosen[np.flatnonzero(new), filled[new]] = feature[new]
            filled[new] += 1
        return chosen

    def _families(self, rows: pa.Table, added: np.ndarray) -> pa.Array:
        """Families whose features together speak for the score, and those of the campaign."""
        score = pc.fill_null(rows["group_score"], 0.0).to_numpy()
        kinds = rows["group_kind"].to_numpy(zero_copy_only=False)
        counts = (score >= self.policy.campaign_evidence_score) | (kinds == "resale")
        group = rows["group_evidence"].combine_chunks()
        out = []
        for family in EVIDENCE_FAMILIES:
            columns = [
                at for at, name in enumerate(self.classifier.feature_names)
                if not name.startswith(_OF_CAMPAIGN)
                and name in FEATURES_BY_NAME and FEATURES_BY_NAME[name].family == family
            ]  # fmt: skip
            own = np.clip(added[:, columns], 0, None).sum(axis=1) >= self.policy.family_contribution
            bound = _contains(group, family) & counts
            out.append(np.where(own | bound, np.array(family, object), None))  # type: ignore[call-overload]
        stacked: np.ndarray = np.stack(out, axis=1).astype(object)
        lists = pa.ListArray.from_arrays(
            pa.array(np.arange(0, stacked.size + 1, stacked.shape[1]), pa.int32()),
            pa.array(stacked.ravel(), pa.string()),
        )
        return _without_nulls(lists)


def _joined(left: pa.Array, right: pa.Array) -> pa.Array:
    """Row by row, the lists of `left` followed by those of `right` without its nulls."""
    right = _without_nulls(right)
    n = len(left)
    parents = pa.concat_arrays([
        pc.list_parent_indices(left), pc.list_parent_indices(right),
    ]).to_numpy()  # fmt: skip
    values = pa.concat_arrays([pc.list_flatten(left), pc.list_flatten(right)])
    order = np.argsort(parents, kind="stable")
    offsets = np.concatenate(([0], np.cumsum(np.bincount(parents, minlength=n))))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values.take(pa.array(order)))


def _without_nulls(lists: pa.Array) -> pa.Array:
    parents = pc.list_parent_indices(lists).to_numpy()
    values = pc.list_flatten(lists)
    keep = values.is_valid().to_numpy(zero_copy_only=False)
    offsets = np.concatenate(([0], np.cumsum(np.bincount(parents[keep], minlength=len(lists)))))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values.filter(pa.array(keep)))


def _contains(lists: pa.Array, wanted: str) -> np.ndarray:
    """(rows,) bool: whether each list holds the text."""
    parents = pc.list_parent_indices(lists).to_numpy()
    hit = pc.equal(pc.list_flatten(lists), wanted).to_numpy(zero_copy_only=False)
    found = np.zeros(len(lists), bool)
    found[parents[hit.astype(bool)]] = True
    return found
