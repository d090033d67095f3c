"""What each family of evidence is worth: the last night scored without it, and with it alone.

Features that a family declares are made null, which the classifier reads as "can't be had" and
has seen in training, so no model is trained anew. Features of the account's campaign are a family
of their own here: they sum up what all families said of a group.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from jobs.catalog import policy
from jobs.catalog.features import FEATURES
from jobs.lab.metrics import WorldTables, members_of, nightly_pieces, ranking_figures
from jobs.lab.nights import WHOLE, axis_families, model_of, read_last_night
from models.classifier import Classifier

CAMPAIGN = "campaign"
Rows = tuple[pa.Table, pa.Table]


def families() -> dict[str, tuple[str, ...]]:
    """Family -> its features; those of the account's campaign under `campaign`."""
    out: dict[str, tuple[str, ...]] = {}
    for feature in FEATURES:
        of_campaign = feature.name.startswith(f"{CAMPAIGN}_")
        family = CAMPAIGN if of_campaign else feature.family
        out[family] = (*out.get(family, ()), feature.name)
    return out


def ablated(folder: Path, tables: WorldTables) -> list[dict[str, Any]]:
    """Figures of the last night: as it was, without each family, with each family alone.

    `off` nulls a family's features; for families that also bind campaigns the night's campaigns
    were found again without their axes, and `one_piece` says what became of each true campaign.
    `alone` nulls all others; no campaign can be found then, as a link needs two axes.
    """
    classifier = Classifier.load(model_of(folder))
    whole = read_last_night(folder)
    of = families()
    axes = axis_families(policy.CAMPAIGN_POLICY)
    out = [_variant("all", "", classifier, tables, whole, ())]
    for family, names in of.items():
        again = family in axes and (folder / f"without-{family}").exists()
        rows = read_last_night(folder, f"without-{family}" if again else WHOLE)
        out.append(_variant("off", family, classifier, tables, rows, names))
    for family, names in of.items():
        others = [name for other in of.values() for name in other if name not in names]
        out.append(_variant("alone", family, classifier, tables, whole, others))
    return out


def _variant(
    how: str,
    family: str,
    classifier: Classifier,
    tables: WorldTables,
    rows: Rows,
    nulled: Collection[str],
) -> dict[str, Any]:
    features, members = rows
    found = members.to_pandas()
    judged = rescored(classifier, without(features, nulled), tables.accounts)
    figures = ranking_figures(judged)
    pieces = {}
    for campaign, mine in judged[judged["guilty"]].groupby("campaign"):
        night = mine.assign(date=tables.judged[-1])
        (piece,) = nightly_pieces(night, found, members_of(tables.accounts, str(campaign)))
        pieces[str(campaign)] = piece["share"]
    return {
        "how": how,
        "family": family,
        "features": len(set(classifier.feature_names) - set(nulled)),
        "recall": figures["recall"],
        "pr_auc": figures["pr_auc"],
        "one_piece": None if how == "alone" else pieces,
    }


def rescored(classifier: Classifier, features: pa.Table, truth: pd.DataFrame) -> pd.DataFrame:
    """Truth and score of each account of a night's features, scored by this classifier."""
    scores = classifier.predict(features)
    rows = pd.DataFrame({
        "account_id": features["account_id"].to_pandas(),
        "distillation_score": scores["distillation_score"].to_numpy(),
    }).merge(truth[["account_id", "class", "campaign", "tactic"]], on="account_id")  # fmt: skip
    rows["guilty"] = rows["class"] == "distillation"
    return rows


def without(features: pa.Table, nulled: Collection[str]) -> pa.Table:
    """The same rows with these features unavailable."""
    for name in nulled:
        at = features.column_names.index(name)
        features = features.set_column(at, name, pa.nulls(features.num_rows, pa.float64()))
    return features
