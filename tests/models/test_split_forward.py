"""Held-out campaigns are newer, whole, and never among the rows of the fit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from worlds import NIGHT, World, make_world

from models.dataset import TrainingSet
from models.split import BY_ACCOUNT, BY_CAMPAIGN, FORWARD, split

Rows = Callable[[World], TrainingSet]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("campaigns", [(30, 20), (40, 9, 30), (12, 12, 12, 12, 12, 12)])
def test_no_campaign_and_no_account_is_on_both_sides(
    training_rows: Rows, seed: int, campaigns: tuple[int, ...]
) -> None:
    dataset = training_rows(make_world(seed=seed, honest=300, campaigns=campaigns, every=2))
    parts = split(dataset, 0.25)
    assert (parts.train ^ parts.held_out).all()
    for column in ("group", "account_id"):
        values = dataset.column(column)
        assert not set(values[parts.train]) & set(values[parts.held_out])
    for part in (parts.train, parts.held_out):
        assert dataset.take(part).is_labelled("distillation").any()
        assert dataset.take(part).unlabelled.any()


def test_held_out_is_later_in_everything(training_rows: Rows) -> None:
    dataset = training_rows(make_world(campaigns=(20,) * 5, every=2))
    parts = split(dataset, 0.25)
    assert parts.how == FORWARD
    assert parts.campaigns[:2] == ("operation 3", "operation 4")
    guilty = dataset.is_labelled("distillation")
    known = dataset.column("known")
    assert known[guilty & parts.train].max() < known[guilty & parts.held_out].min()
    honest = dataset.unlabelled & parts.held_out
    assert dataset.column("date")[honest].min() >= np.datetime64(parts.boundary)
    assert 0.08 < honest.sum() / dataset.unlabelled.sum() < 0.55


def test_with_enough_nights_every_honest_account_from_then_on_is_held_out(
    training_rows: Rows,
) -> None:
    dataset = training_rows(make_world(honest=600, campaigns=(10,) * 11, every=1))
    parts = split(dataset, 0.25)
    assert parts.how == FORWARD and not parts.notes
    later = dataset.column("date") >= np.datetime64(parts.boundary)
    assert (parts.held_out[dataset.unlabelled] == later[dataset.unlabelled]).all()


def test_a_campaign_with_two_labels_stays_whole(training_rows: Rows) -> None:
    world = make_world(honest=300, campaigns=(20, 20, 20), resellers=0)
    rows = world.labels.to_pylist()
    for row in rows[-8:]:
        row["label"] = "benign"  # people cleared a part of the newest campaign
    world.labels = world.labels.from_pylist(rows, world.labels.schema)
    dataset = training_rows(world)
    parts = split(dataset, 0.25)
    newest = dataset.column("group") == "operation 2"
    assert set(dataset.column("label")[newest]) == {"benign", "distillation"}
    assert parts.held_out[newest].all()


def test_one_night_of_labels_is_divided_by_campaign_and_said(training_rows: Rows) -> None:
    world = make_world(
        honest=300, campaigns=(20, 20, 20), first_night=NIGHT - timedelta(days=1), every=1
    )
    parts = split(training_rows(labelled_at_once(world)), 0.25)
    assert parts.how == BY_CAMPAIGN
    assert len([name for name in parts.campaigns if name.startswith("operation")]) == 1
    assert "by lot" in " ".join(parts.notes)


def test_one_campaign_is_divided_by_account_and_said(training_rows: Rows) -> None:
    dataset = training_rows(make_world(honest=300, campaigns=(60,)))
    parts = split(dataset, 0.25)
    assert parts.how == BY_ACCOUNT
    guilty = dataset.is_labelled("distillation")
    assert 0 < (guilty & parts.held_out).sum() < guilty.sum() / 2
    accounts = dataset.column("account_id")
    assert not set(accounts[parts.train]) & set(accounts[parts.held_out])


def test_lone_accounts_do_not_crowd_out_the_campaigns(training_rows: Rows) -> None:
    world = make_world(honest=300, campaigns=(20, 20, 20, 20), resellers=0)
    rows = world.labels.to_pylist()
    for row in rows:
        if row["campaign"] == "operation 3":
            row["campaign"] = None  # known, but to no campaign's name, and the newest of all
    world.labels = world.labels.from_pylist(rows, world.labels.schema)
    named = world.features.column_names.index("campaign_id")
    nobody = [None] * world.features.num_rows
    world.features = world.features.set_column(
        named, "campaign_id", [np.array(nobody, dtype=object)]
    ).cast(world.features.schema)
    parts = split(training_rows(world), 0.25)
    assert parts.campaigns == ("operation 2",)


def labelled_at_once(world: World) -> World:
    """The same labels, all landed on the last night."""
    rows = world.labels.to_pylist()
    for row in rows:
        row["date"] = NIGHT
    world.labels = world.labels.from_pylist(rows, world.labels.schema)
    return world
