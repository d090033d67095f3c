"""Stored nights under another policy: whom it touches, what it meets, what is overturned."""

from __future__ import annotations

import datetime as dt

import pytest
from small_operation import CAPPED, NIGHTS, STRICTER, changed

from jobs.catalog.enforcement import POLICY
from jobs.catalog.tables import TABLES
from jobs.platform.errors import LakeError
from jobs.trials import replay
from jobs.trials.effects import Reach
from jobs.trials.report import print_trial

FIRST, LAST = NIGHTS[0], NIGHTS[-1]


def names(rows):
    return rows["account_id"].to_pylist()


def test_the_policy_in_force_tried_on_itself_shows_no_difference_and_is_what_was_done(world):
    trial = replay.tried(world, POLICY, FIRST, LAST)
    assert trial.nights == tuple(NIGHTS)
    file, in_force, stored = map(vars, (trial.file, trial.in_force, trial.stored))
    assert file == in_force == stored
    assert names(trial.file.touched) == ["c1", "c2", "l1", "l2", "r1", "r2"]
    assert names(trial.only_file) == names(trial.only_in_force) == []


def test_a_stricter_policy_touches_fewer_and_says_whom_it_leaves(world):
    trial = replay.tried(world, STRICTER, FIRST, LAST)
    assert names(trial.only_file) == []
    assert trial.only_in_force.to_pylist() == [
        {"account_id": "l1", "action": "limit", "campaign_id": "one", "since": FIRST},
        {"account_id": "l2", "action": "limit", "campaign_id": "one", "since": FIRST},
    ]
    assert trial.file.reach == Reach(accounts=4, organizations=2)
    assert trial.in_force.reach == Reach(accounts=6, organizations=4)
    assert trial.file.by_action["watch"] == Reach(2, 2)
    assert trial.file.by_kind == {"credits": Reach(4, 2)}
    assert trial.in_force.by_kind == {"credits": Reach(5, 3), "verified": Reach(1, 1)}
    assert trial.in_force.by_country == {
        "DE": Reach(2, 1), "US": Reach(2, 1), "FR": Reach(1, 1), "IN": Reach(1, 1),
    }  # fmt: skip
    # Ten requests of each on the two nights after the first.
    assert trial.in_force.exchanges == {"limit": 40, "challenge": 40, "review": 40, "suspend": 0}
    assert trial.file.exchanges == {"limit": 0, "challenge": 40, "review": 40, "suspend": 0}


def test_caps_count_the_new_actions_of_the_replays_own_nights(world):
    trial = replay.tried(world, CAPPED, FIRST, LAST)
    # Two new ones a night, the surest first; stored actions, which all had, count for nothing.
    assert {row["account_id"]: row["since"] for row in trial.file.touched.to_pylist()} == {
        "r1": NIGHTS[0], "r2": NIGHTS[0], "c1": NIGHTS[1], "c2": NIGHTS[1],
        "l1": NIGHTS[2], "l2": NIGHTS[2],
    }  # fmt: skip
    assert trial.file.proposed["limit"] == Reach(2, 2)


def test_a_trial_begins_with_what_was_stored_before_its_first_night(world):
    trial = replay.tried(world, CAPPED, NIGHTS[1], LAST)
    # On the night before, all had their actions: none is new.
    assert {row["since"] for row in trial.file.touched.to_pylist()} == {NIGHTS[1]}
    assert trial.file.exchanges == trial.stored.exchanges


def test_what_a_hold_costs_is_what_is_sent_until_it_ends(world):
    held = changed(("hold_nights = 0", "hold_nights = 1"))
    trial = replay.tried(world, held, FIRST, LAST)
    # Limits and challenges wait a night: of four accounts the ten requests of the second night.
    assert (trial.file.held, trial.in_force.held) == (40, 0)
    assert trial.file.exchanges == {"limit": 20, "challenge": 20, "review": 40, "suspend": 0}


def test_actions_that_people_overturned_later_count_under_the_policy_that_takes_them(world, fill):
    at = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    fill(world, "labels", at.date(), [
        {"account_id": "l1", "label": "benign", "source": "appeal_upheld", "labelled_at": at},
        {"account_id": "r1", "label": "distillation", "source": "analyst", "labelled_at": at},
    ])  # fmt: skip
    trial = replay.tried(world, STRICTER, FIRST, LAST)
    assert (trial.in_force.judged, trial.in_force.overturned) == (2, 1)
    assert (trial.file.judged, trial.file.overturned) == (1, 0)


def test_what_people_said_before_an_action_did_not_overturn_it(world, fill):
    at = dt.datetime(2026, 5, 10, tzinfo=dt.UTC)
    fill(world, "labels", at.date(), [
        {"account_id": "l1", "label": "benign", "source": "analyst", "labelled_at": at},
    ])  # fmt: skip
    trial = replay.tried(world, POLICY, FIRST, LAST)
    assert "l1" not in names(trial.in_force.touched)
    # It was stored before the label landed, which is dated before it.
    assert "l1" in names(trial.stored.touched)
    assert trial.stored.overturned == 0


def test_a_trial_writes_nothing(world):
    replay.tried(world, STRICTER, FIRST, LAST)  # tables that no night needed are made
    before = {name: world.version(name) for name in TABLES}
    replay.tried(world, STRICTER, FIRST, LAST)
    assert {name: world.version(name) for name in TABLES} == before


def test_nights_that_were_not_scored_are_refused_in_one_line(world):
    with pytest.raises(LakeError, match="no night from 2027-01-01 to 2027-01-02 was scored"):
        replay.tried(world, POLICY, dt.date(2027, 1, 1), dt.date(2027, 1, 2))


def test_the_terminal_shows_both_and_names_whom_only_one_touches(world, capsys):
    print_trial(replay.tried(world, STRICTER, FIRST, LAST), "stricter[red].toml")
    said = " ".join(capsys.readouterr().out.split())
    assert f"stricter[red].toml is {STRICTER.version}" in said
    assert "4 (2) -2 │ 6 (4) │ 6 (4)" in said
    assert "Only the policy in force touches 2 accounts: l1 (limit from 2026-05-20), l2" in said
