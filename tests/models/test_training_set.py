"""Which rows a training set has, how much each counts, and that it can be made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from worlds import NAMES, NIGHT, World, make_world

from models.dataset import TrainingSet, build_training_set, concatenate, plan_rows
from models.definitions import Sampling
from models.errors import ModelInputError

D = date(2026, 5, 20)


def seen(*rows: tuple[str, int] | tuple[str, int, str | None]) -> pa.Table:
    return pa.table(
        {
            "account_id": pa.array([row[0] for row in rows]),
            "date": pa.array([date(2026, 5, row[1]) for row in rows]),
            "campaign_id": pa.array(
                [row[2] if len(row) > 2 else None for row in rows], pa.string()
            ),
        }
    )


def said(*rows: tuple[str, str, int, str | None]) -> pa.Table:
    return pa.table(
        {
            "account_id": pa.array([row[0] for row in rows]),
            "label": pa.array([row[1] for row in rows]),
            "labelled_at": pa.array([datetime(2026, 5, row[2], 9, tzinfo=UTC) for row in rows]),
            "date": pa.array([date(2026, 5, min(row[2] + 1, 20)) for row in rows]),
            "campaign": pa.array([row[3] for row in rows], pa.string()),
        }
    )


def planned(labels: pa.Table, presence: pa.Table, **sampling: object) -> list[dict[str, object]]:
    chosen = replace(Sampling(), **sampling)  # type: ignore[arg-type]
    return plan_rows(labels, presence, D, chosen).rows.to_pylist()


def test_a_labelled_account_has_the_nights_of_its_evidence_and_none_after() -> None:
    rows = planned(
        said(("a", "distillation", 12, "x"), ("b", "benign", 3, None)),
        seen(
            ("a", 4),  # <- at least 7 nights before the evidence
            ("a", 5),
            ("a", 8),  # <- at least 3 nights before
            ("a", 11),  # <- the last night up to the label
            ("a", 13),  # after it
            ("b", 9),  # <- first seen after its label: the lake began later
            ("b", 10),
        ),
    )
    nights = [(row["account_id"], row["date"].day) for row in rows]  # type: ignore[attr-defined]
    assert nights == [("a", 4), ("a", 8), ("a", 11), ("b", 9)]
    # Three nights of one account stand for one account.
    assert sum(row["represents"] for row in rows if row["account_id"] == "a") == pytest.approx(1)  # type: ignore[misc]


def test_nothing_after_the_night_is_known() -> None:
    presence = seen(("a", 10), ("a", 25), ("u", 25))
    assert [row["date"] for row in planned(said(("a", "benign", 12, None)), presence)] == [
        date(2026, 5, 10)
    ]


def test_labels_without_features_are_counted() -> None:
    labels = said(("a", "distillation", 12, "x"), ("nobody", "distillation", 12, "x"))
    plan = plan_rows(labels, seen(("a", 10)), D, Sampling())
    assert plan.counts["labelled_accounts"] == 2
    assert plan.counts["labelled_without_features"] == 1


def test_accounts_that_a_campaign_ties_to_a_distiller_are_not_called_benign() -> None:
    rows = planned(
        said(("a", "distillation", 12, "x"), ("h", "benign", 12, None)),
        seen(
            ("a", 10, "c-1"),
            ("tied", 10, "c-1"),  # in the same detected campaign: neither, left out
            ("tied early", 9, "c-1"),  # was in it once
            ("h", 10, "c-2"),
            ("free", 10, "c-2"),  # in a campaign of benign accounts: an ordinary account
            ("alone", 10),
        ),
    )
    origins = {row["account_id"]: row["origin"] for row in rows}
    assert origins == {"a": "labels", "h": "labels", "free": "unlabelled", "alone": "unlabelled"}


def test_groups_follow_peoples_names_then_detected_campaigns_then_accounts() -> None:
    rows = planned(
        said(
            ("a", "distillation", 12, "operation"),
            ("b", "distillation", 12, None),  # same detected campaign: takes the name
            ("c", "distillation", 12, None),
            ("d", "distillation", 12, None),
        ),
        seen(("a", 10, "c-1"), ("b", 10, "c-1"), ("c", 10, "c-9"), ("d", 10)),
    )
    groups = {row["account_id"]: row["group"] for row in rows}
    assert groups == {"a": "operation", "b": "operation", "c": "c-9", "d": "account:d"}


def test_a_large_campaign_does_not_drown_a_small_one() -> None:
    labels = said(
        *[(f"big{i}", "distillation", 12, "big") for i in range(400)],
        *[(f"small{i}", "distillation", 12, "small") for i in range(4)],
        *[(f"lone{i}", "distillation", 12, None) for i in range(100)],
    )
    presence = seen(*[(str(account), 10) for account in labels["account_id"].to_pylist()])
    rows = planned(labels, presence)
    total = {
        name: sum(row["weight"] for row in rows if str(row["account_id"]).startswith(name))  # type: ignore[misc]
        for name in ("big", "small", "lone")
    }
    assert total["big"] == pytest.approx(20)  # the square root of 400
    assert total["small"] == pytest.approx(2)
    assert total["lone"] == pytest.approx(10)  # without a name they count as one campaign


def test_unlabelled_accounts_are_a_fixed_sample_that_stands_for_all(world: World) -> None:
    sampling = Sampling(unlabelled_accounts=300)
    plan = plan_rows(world.labels, world.presence, NIGHT, sampling)
    drawn = plan.rows.filter(pc.equal(plan.rows["origin"], "unlabelled"))
    assert 230 <= drawn.num_rows <= 370
    assert pc.sum(drawn["represents"]).as_py() == pytest.approx(plan.counts["unlabelled_accounts"])
    # Another account in the lake changes nobody else's lot.
    fewer = world.presence.filter(pc.not_equal(world.presence["account_id"], "h00777"))
    again = plan_rows(world.labels, fewer, NIGHT, sampling).rows
    both = set(drawn["account_id"].to_pylist()) ^ set(
        again.filter(pc.equal(again["origin"], "unlabelled"))["account_id"].to_pylist()
    )
    assert both <= {"h00777"} or len(both) <= 2


def test_unlabelled_accounts_come_from_the_nights_of_the_evidence(dataset: TrainingSet) -> None:
    nights = dataset.column("date")
    evidence = set(nights[~dataset.unlabelled])
    drawn = set(nights[dataset.unlabelled])
    assert drawn <= evidence | {np.datetime64(NIGHT)}
    assert len(drawn) >= 3


def test_the_same_knowledge_in_any_order_is_the_same_set(world: World) -> None:
    rng = np.random.default_rng(0)

    def shuffled(table: pa.Table) -> pa.Table:
        return table.take(pa.array(rng.permutation(table.num_rows)))

    def made(labels: pa.Table, features: pa.Table) -> TrainingSet:
        presence = features.select(["account_id", "date", "campaign_id"])
        plan = plan_rows(labels, presence, NIGHT, Sampling())
        return build_training_set(plan, features, NAMES, ("plan",))

    first = made(world.labels, world.features)
    second = made(shuffled(world.labels), shuffled(world.features))
    assert first.fingerprint() == second.fingerprint()
    assert first.table.equals(second.table)


@pytest.mark.parametrize("column", ["error_share", "weight", "label", "known", "plan"])
def test_any_other_value_is_another_fingerprint(dataset: TrainingSet, column: str) -> None:
    values = dataset.table[column].to_pylist()
    other: object = {float: 0.123, str: "other", date: date(2020, 1, 1)}[type(values[0])]
    at = dataset.table.column_names.index(column)
    changed = pa.array([other, *values[1:]], dataset.table[column].type)
    table = dataset.table.set_column(at, column, changed)
    assert replace(dataset, table=table).fingerprint() != dataset.fingerprint()


def test_missing_is_not_zero(dataset: TrainingSet) -> None:
    at = dataset.table.column_names.index("noise")

    def first_value(value: float | None) -> str:
        values = [value, *dataset.table["noise"].to_pylist()[1:]]
        changed = pa.array(values, pa.float64())
        return replace(dataset, table=dataset.table.set_column(at, "noise", changed)).fingerprint()

    assert first_value(None) != first_value(0.0)


def test_numbers_of_any_kind_become_doubles_and_infinities_are_unavailable() -> None:
    plan = plan_rows(said(("a", "benign", 12, None)), seen(("a", 10), ("b", 10)), D, Sampling())
    features = pa.table(
        {
            "account_id": ["b", "a"],
            "date": [date(2026, 5, 10)] * 2,
            "flag": [True, None],
            "count": [3, 4],
            "rate": [float("inf"), 0.5],
        }
    )
    made = build_training_set(plan, features, ("rate", "count", "flag"))
    assert made.table.select(["account_id", "rate", "count", "flag"]).to_pylist() == [
        {"account_id": "a", "rate": 0.5, "count": 4.0, "flag": None},
        {"account_id": "b", "rate": None, "count": 3.0, "flag": 1.0},
    ]


def test_a_missing_feature_and_a_repeated_account_are_errors(world: World) -> None:
    plan = plan_rows(world.labels, world.presence, NIGHT, Sampling())
    with pytest.raises(ModelInputError, match="lack altitude"):
        build_training_set(plan, world.features, (*NAMES, "altitude"))
    doubled = pa.concat_tables([world.features, world.features.slice(0, 5)])
    doubled = doubled.filter(pc.is_in(doubled["account_id"], plan.keys["account_id"]))
    with pytest.raises(ModelInputError, match="twice"):
        build_training_set(plan, pa.concat_tables([doubled, doubled]), NAMES)


def test_worlds_with_the_same_names_stay_apart(
    training_rows: Callable[[World], TrainingSet],
) -> None:
    one = training_rows(make_world(seed=1, honest=60, campaigns=(8,), resellers=0))
    two = training_rows(make_world(seed=2, honest=60, campaigns=(8,), resellers=0))
    both = concatenate({"w1": one, "w2": two})
    assert len(both) == len(one) + len(two)
    campaigns = set(both.column("campaign")[both.is_labelled("distillation")])
    assert campaigns == {"w1/operation 0", "w2/operation 0"}
    assert both.night == NIGHT and timedelta(0) == NIGHT - one.night
