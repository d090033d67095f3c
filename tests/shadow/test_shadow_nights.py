"""A second policy or model beside the one in force: rows of its own, and nothing else changes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging

import pytest
from small_operation import CAPPED, NIGHTS, STRICTER

from jobs import decide, score, shadow
from jobs.catalog.enforcement import POLICY
from jobs.catalog.features import FEATURE_NAMES
from jobs.catalog.policy import SCORING
from jobs.platform.errors import LakeError
from jobs.platform.lake import Lake
from jobs.score import model_registry
from jobs.train import record
from jobs.trials.effects import Reach
from jobs.trials.report import print_comparison
from jobs.trials.shadowed import compared
from models.training import adopt_prior

FIRST, LAST = NIGHTS[0], NIGHTS[-1]
TABLES = ("shadow_nights", "shadow_scores", "shadow_actions")


@pytest.fixture
def beside(world, tmp_path):
    """The same lake with a shadow in its settings."""

    def call(policy=None, model=None):
        file = tmp_path / "shadow.toml"
        if policy is not None:
            file.write_text(policy.text if hasattr(policy, "text") else policy, encoding="utf-8")
        settings = dataclasses.replace(
            world.settings, shadow_policy=str(file) if policy is not None else None,
            shadow_model=model,
        )  # fmt: skip
        return Lake(settings, world.session)

    return call


def rows(lake, table, first=FIRST, last=LAST):
    found = lake.rows(table, first, last)
    return found.sort_by([(name, "ascending") for name in ("date", "account_id")
                          if name in found.column_names]).to_pylist()  # fmt: skip


def acted(lake, date):
    return {row["account_id"]: row["action"] for row in rows(lake, "shadow_actions", date, date)}


def test_where_none_is_set_nothing_is_written_and_no_model_is_read(beside):
    lake = beside()
    shadow.run(lake, FIRST)
    assert [rows(lake, table) for table in TABLES] == [[], [], []]
    assert [lake.nights(table) for table in TABLES] == [[], [], []]


def test_a_second_policy_decides_beside_the_one_in_force_and_changes_none_of_its_rows(beside):
    lake = beside(STRICTER)
    tables = ("enforcement_actions", "thresholds", "policies", "account_scores")
    before = {table: lake.version(table) for table in tables}
    shadow.run(lake, FIRST)
    assert acted(lake, FIRST) == {
        "r1": "review", "r2": "review", "c1": "challenge", "c2": "challenge",
        "l1": "watch", "l2": "watch",
    }  # fmt: skip
    (one,) = [row for row in rows(lake, "shadow_actions") if row["account_id"] == "c1"]
    assert one == {
        "date": FIRST, "account_id": "c1", "action": "challenge", "proposed": None,
        "campaign_id": "one", "policy_version": STRICTER.version, "model_version": "m/1",
        "expires": FIRST + dt.timedelta(days=14), "held_since": None, "held_until": None,
    }  # fmt: skip
    assert rows(lake, "shadow_nights") == [
        {"date": FIRST, "policy_version": STRICTER.version, "policy_text": STRICTER.text,
         "model_version": None, "fault": None},
    ]  # fmt: skip
    assert rows(lake, "shadow_scores") == []
    assert {table: lake.version(table) for table in tables} == before


def test_a_night_run_again_gives_the_same_rows(beside):
    lake = beside(CAPPED)
    for date in NIGHTS:
        shadow.run(lake, date)
    before = {table: rows(lake, table) for table in TABLES}
    assert len(before["shadow_actions"]) == 18
    shadow.run(lake, NIGHTS[1])
    assert {table: rows(lake, table) for table in TABLES} == before


def test_caps_count_the_shadows_own_nights_and_not_what_was_done(beside):
    lake = beside(CAPPED)
    hard = []
    for date in NIGHTS:
        shadow.run(lake, date)
        hard.append(sorted(a for a, action in acted(lake, date).items() if action != "watch"))
    # All six had their actions in force on the first night; the shadow takes up two a night.
    assert hard == [["r1", "r2"], ["c1", "c2", "r1", "r2"], ["c1", "c2", "l1", "l2", "r1", "r2"]]


@pytest.mark.parametrize(
    ("policy", "model", "why"),
    [
        ("version = 3", None, "STILLWATCH_SHADOW_POLICY: policy"),
        (None, "nine", "STILLWATCH_SHADOW_MODEL is 'nine'; it takes challenger, or a version"),
        (None, "9", "has no version 9"),
    ],
)
def test_a_shadow_that_cant_be_made_is_a_warning_and_the_night_goes_on(
    beside, caplog, policy, model, why
):
    shadow.run(beside(STRICTER), FIRST)
    lake = beside(policy, model)
    with caplog.at_level(logging.WARNING, logger="jobs.shadow"):
        shadow.run(lake, FIRST)
    (said,) = caplog.messages
    assert said.startswith(f"no shadow on {FIRST}, the night goes on without it: ")
    assert why in said
    assert rows(lake, "shadow_actions") == []  # also those of the run before
    (night,) = rows(lake, "shadow_nights")
    assert why in night["fault"]
    assert night["policy_version"] is None


def test_where_no_model_challenges_there_is_no_shadow_and_nothing_to_warn_of(beside, caplog):
    lake = beside(model="challenger")
    shadow.run(lake, FIRST)
    assert caplog.messages == []
    assert rows(lake, "shadow_actions") == []
    assert [row["fault"] for row in rows(lake, "shadow_nights")] == [shadow.NO_CHALLENGER]


def test_a_file_that_is_gone_is_a_warning_too(beside, tmp_path, caplog):
    lake = beside(STRICTER)
    (tmp_path / "shadow.toml").unlink()
    shadow.run(lake, FIRST)
    assert "can't be read: No such file" in caplog.text
    assert rows(lake, "shadow_actions") == []


def test_a_shadow_model_scores_as_the_step_does_and_its_scores_are_decided_on(beside, fill):
    lake = beside(model="1")
    record(lake, adopt_prior(model_registry(lake.settings), [], FIRST))
    fill(lake, "account_features", FIRST, [
        {"account_id": name, SCORING.traffic: 5.0} | dict.fromkeys(FEATURE_NAMES[:3], 1.0)
        for name in ("r1", "c1")
    ])  # fmt: skip
    fill(lake, "campaign_members", FIRST, [{"account_id": "c1", "campaign_id": "one"}])
    shadow.run(lake, FIRST)
    score.run(lake, FIRST)
    names = ("account_id", "model_version", "distillation_score", "resale_score", "campaign_id",
             "evidence")  # fmt: skip

    def scores(table):
        return [{name: row[name] for name in names} for row in rows(lake, table, FIRST, FIRST)]

    shadowed, scored = scores("shadow_scores"), scores("account_scores")
    assert shadowed == scored
    assert [row["account_id"] for row in shadowed] == ["c1", "r1"]
    (night,) = rows(lake, "shadow_nights")
    assert night["model_version"] == "stillwatch-distillation/prior-1"
    assert night["policy_version"] == lake.settings.enforcement_policy.version
    # The stored scores of six accounts are not what it decided on.
    assert set(acted(lake, FIRST)) <= {"c1", "r1"}


def test_the_comparison_counts_the_nights_that_have_a_shadow(beside, fill):
    lake = beside(STRICTER)
    for date in NIGHTS[1:]:
        shadow.run(lake, date)
    at = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    fill(lake, "labels", at.date(), [{"account_id": "l1", "label": "benign",
                                      "source": "appeal_upheld", "labelled_at": at}])  # fmt: skip
    found = compared(lake, FIRST, LAST)
    assert found.nights == tuple(NIGHTS[1:])
    assert (found.shadow.versions, found.models) == ((STRICTER.version,), ())
    assert found.shadow.by_action["limit"] == Reach()
    assert found.done.by_action["limit"] == Reach(2, 2)
    assert found.only_done["account_id"].to_pylist() == ["l1", "l2"]
    assert found.only_shadow.num_rows == 0
    assert (found.shadow.overturned, found.done.overturned) == (0, 1)
    # What was done on the first night, without a shadow, meets nothing here.
    assert found.done.exchanges == {"limit": 20, "challenge": 20, "review": 20, "suspend": 0}
    assert found.shadow.exchanges == {"limit": 0, "challenge": 20, "review": 20, "suspend": 0}


def test_the_comparison_says_on_which_nights_the_shadow_failed(beside, capsys):
    shadow.run(beside(STRICTER), NIGHTS[0])
    lake = beside("version = 3")
    shadow.run(lake, NIGHTS[1])
    found = compared(lake, FIRST, LAST)
    assert found.nights == (NIGHTS[0],)
    assert list(found.faults) == [NIGHTS[1]]
    print_comparison(found)
    assert "no shadow on 2026-05-21: STILLWATCH_SHADOW_POLICY" in capsys.readouterr().out


def test_nights_without_a_shadow_are_refused_in_one_line(beside):
    with pytest.raises(LakeError, match=r"no night from .* has a shadow"):
        compared(beside(), FIRST, LAST)


def test_the_shadow_of_the_policy_in_force_is_what_was_done(beside):
    lake = beside(POLICY)
    for date in NIGHTS:
        shadow.run(lake, date)
        decide.run(lake, date)
    found = compared(lake, FIRST, LAST)
    assert vars(found.shadow) == vars(found.done)
