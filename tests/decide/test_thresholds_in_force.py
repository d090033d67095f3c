"""The night's thresholds: what is written of them, and that actions begin there."""

from __future__ import annotations

import datetime as dt

import pytest

from jobs import decide, thresholds
from jobs.catalog.enforcement import LADDER, POLICY
from jobs.catalog.enforcement_tables import THRESHOLDS
from models.thresholds import CHOSEN_BY

NIGHT = dt.date(2026, 5, 20)
QUIET = [{"account_id": f"q{n}", "distillation_score": 0.0} for n in range(1_000)]
TWO = ["infrastructure", "content"]


def strangers(count, score, first=0):
    return [
        {"account_id": f"s{first + n}", "distillation_score": score, "evidence": TWO}
        for n in range(count)
    ]


def operation(count, score, name="c-one"):
    return [row | {"account_id": f"{name}-{row['account_id']}", "campaign_id": name}
            for row in strangers(count, score)]  # fmt: skip


def benign(*accounts):
    at = dt.datetime(2026, 5, 9, tzinfo=dt.UTC)
    return [{"account_id": account, "label": "benign", "labelled_at": at, "source": "analyst"}
            for account in accounts]  # fmt: skip


@pytest.fixture
def decided(lake, fill):
    """Runs the step on one night's scores and labels: rows of thresholds, and of actions."""

    def call(scores, labels=()):
        fill(lake, "account_scores", NIGHT, scores)
        fill(lake, "labels", NIGHT, list(labels))
        decide.run(lake, NIGHT)
        rows = lake.rows("thresholds", NIGHT, NIGHT).to_pylist()
        actions = lake.rows("enforcement_actions", NIGHT, NIGHT).to_pylist()
        return (
            {row["action"]: row for row in rows},
            {row["account_id"]: row["action"] for row in actions},
        )

    return call


def test_an_operation_is_acted_on_from_the_floors_and_strangers_from_where_it_is_safe(decided):
    # 1,000 honest units: 2 may be limited. 20 strangers at 0.65 are 7, 4 at 0.85 are 0.6.
    rows, actions = decided(
        [*QUIET, *operation(100, 0.95), *strangers(4, 0.85), *strangers(20, 0.65, first=10)]
    )
    assert {action: row["score"] for action, row in rows.items()} == {
        "watch": 0.3, "limit": 0.85, "challenge": 0.8, "review": 0.9, "suspend": 0.95,
    }  # fmt: skip
    assert {action: row["chosen_by"] for action, row in rows.items() if action != "limit"} == {
        action: "floor" for action in LADDER if action != "limit"
    }
    limit = rows["limit"]
    assert limit["chosen_by"] == "unlabelled"
    assert (limit["accounts"], limit["units"]) == (104, pytest.approx(5.0))
    assert limit["expected_false"] == pytest.approx(0.05 + 4 * 0.15)
    assert limit["honest"] == pytest.approx(1_000 + 0.05 + 0.6 + 7)
    assert limit["estimated_rate"] == pytest.approx(limit["expected_false"] / limit["honest"])
    assert limit["policy_version"] == POLICY.version
    assert {actions[f"c-one-s{n}"] for n in range(100)} == {"review"}
    assert {actions[f"s{n}"] for n in range(4)} == {"challenge"}
    assert {actions[f"s{n}"] for n in range(10, 30)} == {"watch"}  # limit in the policy's floor


def test_what_people_called_benign_raises_thresholds(decided, lake):
    # Four of 1,000, all called benign: too many for 1 in 1,000, not for 2.
    wronged = [f"s{n}" for n in range(4)]
    rows, actions = decided(
        [*QUIET, *operation(50, 0.96), *strangers(6, 0.92)],
        [*benign(*wronged, "q1"), *benign("gone")],  # one of them no longer sends anything
    )
    assert {action: (row["score"], row["chosen_by"]) for action, row in rows.items()} == {
        "watch": (0.3, "floor"), "limit": (0.6, "floor"), "challenge": (0.96, "benign"),
        "review": (0.96, "benign"), "suspend": (0.95, "floor"),
    }  # fmt: skip
    assert {row["benign_known"] for row in rows.values()} == {5}
    assert (rows["limit"]["benign_above"], rows["review"]["benign_above"]) == (4, 0)
    assert actions["c-one-s0"] == "review"
    assert (actions["s4"], actions["s5"]) == ("limit", "limit")  # as like as the four
    assert thresholds.raised(lake, NIGHT) == [
        f"threshold of 2026-05-20: {action} from 0.960 on and not from {floor}, by what people "
        "called benign: there over 0.001 of honest units would be met"
        for action, floor in (("challenge", "0.8"), ("review", "0.9"))
    ]


def test_where_no_score_is_high_enough_the_action_is_not_taken(decided, lake):
    # Of 20 honest units one at 0.95 is 0.05: 2.5 in 1,000.
    rows, actions = decided([*QUIET[:20], *strangers(1, 0.95)])
    assert {action: (row["score"], row["accounts"]) for action, row in rows.items()} == {
        "watch": (0.3, 1), "limit": (None, 0), "challenge": (None, 0), "review": (None, 0),
        "suspend": (None, 0),
    }  # fmt: skip
    assert actions == {"s0": "watch"}
    assert thresholds.raised(lake, NIGHT)[0].startswith(
        "threshold of 2026-05-20: limit at no score and not from 0.6, by the night's scores: "
    )


def test_a_night_without_scores_or_labels_has_the_floors(decided, lake):
    rows, actions = decided([])
    assert {action: (row["score"], row["accounts"]) for action, row in rows.items()} == {
        rung.action: (rung.floor, 0) for rung in POLICY.rungs
    }
    assert actions == {}
    assert thresholds.raised(lake, NIGHT) == []
    assert thresholds.raised(lake, NIGHT + dt.timedelta(days=1)) == []  # never ran


def test_floors_rise_up_the_ladder_and_rates_do_not():
    floors = [rung.floor for rung in POLICY.rungs]
    rates = [rung.false_positive_rate for rung in POLICY.rungs]
    assert floors == sorted(floors)
    assert rates == sorted(rates, reverse=True)
    assert min(rates) > 0


def test_the_table_takes_what_the_estimates_can_say():
    assert THRESHOLDS.column("chosen_by").values == CHOSEN_BY
