"""Reasons as sentences with figures, and families of evidence, from contributions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from jobs import score
from jobs.catalog.features import FEATURES_BY_NAME
from jobs.catalog.policy import ScoringPolicy
from jobs.sentences import sentence_of

FEATURES = ("template_fan_7d", "template_fan_28d", "error_share_7d", "campaign_score",
            "night_share_7d")  # fmt: skip


class Told:
    """A classifier that says what the test tells it: tested is what score makes of that."""

    feature_names = FEATURES

    def __init__(self, distillation, contributions, resale=None):
        self.scores = pa.table({
            "distillation_score": pa.array(distillation, pa.float64()),
            "resale_score": pa.array(resale or [0.0] * len(distillation), pa.float64()),
        })  # fmt: skip
        self.added = contributions

    def predict(self, table):
        return self.scores

    def contributions(self, table, head):
        rows = [int(name.removeprefix("a")) for name in table["account_id"].to_pylist()]
        return np.array([[*self.added[row], 0.0] for row in rows])


def rows(n, **columns):
    group = {"campaign_id": None, "group_kind": None, "group_score": None,
             "group_evidence": None, "group_reasons": None}  # fmt: skip
    group.update(columns)
    types = {"group_score": pa.float64(), "group_evidence": pa.list_(pa.string()),
             "group_reasons": pa.list_(pa.string())}  # fmt: skip
    return pa.table({
        "account_id": [f"a{i}" for i in range(n)],
        "template_fan_7d": [312.0] * n, "template_fan_28d": [400.0] * n,
        "error_share_7d": [0.034] * n, "campaign_score": [0.9] * n, "night_share_7d": [0.5] * n,
        **{name: pa.array([value] * n, types.get(name, pa.string()))
           for name, value in group.items()},
    })  # fmt: skip


def scored(classifier, table, **policy):
    batches = score.ScoreBatches(classifier, "m/1", [], ScoringPolicy(**policy))
    return batches.scored(table).to_pylist()


def test_strongest_first_one_window_of_each_and_figures_in_words():
    told = Told([0.9], [[0.4, 1.2, 0.3, 2.0, -0.5]])
    (row,) = scored(told, rows(1))
    # The 28-day fan is stronger than the 7-day one; the campaign speaks for itself; what lowers
    # the score is no reason.
    assert row["reasons"] == [
        "400 accounts sent the same prompt template in the last 28 days",
        "3% of requests failed in the last 7 days",
    ]


def test_nobody_is_told_why_of_a_score_that_nobody_asks_about():
    told = Told([0.05, 0.5], [[1.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0]])
    low, high = scored(told, rows(2))
    assert low["reasons"] == [] and low["evidence"] == []
    assert high["reasons"] == ["312 accounts sent the same prompt template in the last 7 days"]


def test_the_campaigns_reasons_come_first_and_are_cut():
    told = Told([0.9], [[1.0, 0, 0, 0, 0]])
    table = rows(1, campaign_id="c-1", group_kind="distillation", group_score=0.9,
                 group_evidence=["identity", "time"],
                 group_reasons=["first", "second", "third", "fourth"])  # fmt: skip
    (row,) = scored(told, table)
    assert row["reasons"][:3] == ["first", "second", "third"]
    assert row["reasons"][3].startswith("312 accounts")
    assert row["evidence"] == ["identity", "time", "content"]


@pytest.mark.parametrize(
    ("kind", "group_score", "families"),
    [
        ("distillation", 0.5, ["identity"]),
        ("distillation", 0.49, []),  # an unsure group is no evidence
        ("resale", 0.0, ["identity"]),  # a reseller's group is evidence of resale
    ],
)
def test_families_of_a_campaign_count_when_it_is_sure(kind, group_score, families):
    told = Told([0.9], [[0.0, 0, 0, 0, 0]])
    table = rows(1, group_kind=kind, group_score=group_score, group_evidence=["identity"],
                 group_reasons=[])  # fmt: skip
    assert scored(told, table)[0]["evidence"] == families


def test_a_family_needs_weight_and_the_campaign_score_is_none():
    told = Told([0.9], [[0.3, 0.29, 0.7, 5.0, 0.6]])
    # content 0.59 is under 0.60; behaviour 0.7; campaign_score is not infrastructure; time 0.6.
    assert scored(told, rows(1))[0]["evidence"] == ["time", "behaviour"]


def test_resale_is_explained_by_its_own_head():
    class TwoHeads(Told):
        def contributions(self, table, head):
            strong = 0 if head == "distillation" else 2
            added = np.zeros((table.num_rows, len(FEATURES) + 1))
            added[:, strong] = 1.0
            return added

    told = TwoHeads([0.2], [], resale=[0.9])
    assert scored(told, rows(1))[0]["reasons"] == ["3% of requests failed in the last 7 days"]


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("share", 0.256, "26%"),
        ("accounts", 1234567.0, "1234567 accounts"),
        ("ratio", -0.046, "-0.05"),
        ("ratio", 12.3, "12.30"),
        ("bits", 4.5849, "4.58 bits"),
        ("days", 0.4, "0 days"),
        ("days", 1.0, "1 day"),
        ("requests a day", 1.2, "1 request a day"),
        ("requests a day", 24.0, "24 requests a day"),
    ],
)
def test_figures_in_their_unit(unit, value, text):
    said = sentence_of("it is {value} now", unit, pa.chunked_array([[value]]))
    assert said.to_pylist() == [f"It is {text} now"]


def test_every_declared_reason_has_one_place_for_its_figure():
    wrong = [
        name for name, feature in FEATURES_BY_NAME.items()
        if feature.reason and feature.reason.count("{value}") != 1
    ]  # fmt: skip
    assert wrong == []


def test_missing_columns_name_the_families_that_lose_evidence():
    lost = score.unavailable_evidence(frozenset({"client_address", "prompt_text"}))
    said = dict(line.split(": ") for line in lost)
    assert said["infrastructure"] == "no client_address"
    assert said["content"] == "no prompt_text"
    assert "behaviour" not in said
