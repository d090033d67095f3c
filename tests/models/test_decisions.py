"""Who serves a night follows from the decisions up to it, whatever came later."""

from __future__ import annotations

import random
from datetime import date

import pytest

from models.decisions import (
    challenger_as_of,
    champion_as_of,
    champion_before_training,
    decision_record,
    version_before,
    version_number,
)
from models.errors import ModelError


def day(number: int) -> date:
    return date(2026, 5, number)


def history(*entries: tuple[int, str, str]) -> list[dict[str, object]]:
    """(day, decision, champion from then on), in the order in which they were taken."""
    taken: list[dict[str, object]] = []
    for number, decision, champion in entries:
        taken.append(decision_record(taken, day(number), decision, champion=champion, reason="-"))
    return taken


HISTORY = history(
    (1, "adopt_prior", "m/prior-1"),
    (8, "keep", "m/prior-1"),
    (15, "promote", "m/3"),
    (15, "rollback", "m/prior-1"),  # the same night, later
    (22, "promote", "m/4"),
)
SERVES = {1: "m/prior-1", 8: "m/prior-1", 14: "m/prior-1", 15: "m/prior-1", 21: "m/prior-1",
          22: "m/4", 30: "m/4"}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_a_night_is_served_by_the_last_decision_up_to_it(seed: int) -> None:
    shuffled = random.Random(seed).sample(HISTORY, len(HISTORY))
    assert {number: champion_as_of(shuffled, day(number)) for number in SERVES} == SERVES
    assert champion_as_of(shuffled, date(2026, 4, 30)) is None


def test_an_old_night_trained_again_does_not_touch_the_nights_after_it() -> None:
    again = [*HISTORY, decision_record(HISTORY, day(8), "promote", champion="m/9", reason="-")]
    assert again[-1]["sequence"] == 6
    assert champion_as_of(again, day(8)) == "m/9"
    assert champion_as_of(again, day(7)) == "m/prior-1"
    assert champion_as_of(again, day(22)) == "m/4"


def test_a_training_challenges_who_served_before_it() -> None:
    assert champion_before_training(HISTORY, day(22)) == "m/prior-1"  # not its own m/4
    assert champion_before_training(HISTORY, day(15)) == "m/prior-1"
    assert champion_before_training(HISTORY, day(23)) == "m/4"


def test_rollback_goes_to_the_model_before_and_then_further_back() -> None:
    taken = history((1, "adopt_prior", "m/prior-1"), (8, "promote", "m/2"), (15, "promote", "m/3"),
                    (16, "keep", "m/3"))  # fmt: skip
    assert version_before(taken, day(10)) == "m/prior-1"
    assert version_before(taken, day(20)) == "m/2"
    taken.append(decision_record(taken, day(20), "rollback", champion="m/2", reason="-"))
    assert version_before(taken, day(21)) == "m/prior-1"


def test_the_first_model_has_nothing_to_go_back_to() -> None:
    with pytest.raises(ModelError, match="no model served before m/prior-1"):
        version_before(HISTORY[:2], day(9))


def test_version_numbers_are_read_from_model_versions() -> None:
    assert version_number("stillwatch-distillation/prior-1") == 1
    assert version_number("stillwatch-distillation/12") == 12
    with pytest.raises(ModelError, match="not a model version"):
        version_number("latest")


def test_a_challenger_is_the_last_that_was_tried_unless_it_serves() -> None:
    taken: list[dict[str, object]] = []
    for number, decision, champion, tried in (
        (1, "adopt_prior", "m/prior-1", None),
        (8, "keep", "m/prior-1", "m/2"),
        (15, "promote", "m/3", "m/3"),
        (22, "rollback", "m/prior-1", None),
    ):
        taken.append(decision_record(taken, day(number), decision, champion=champion,
                                     challenger=tried, reason="-"))  # fmt: skip
    challengers = {number: challenger_as_of(taken, day(number)) for number in (7, 8, 14, 15, 22)}
    assert challengers == {7: None, 8: "m/2", 14: "m/2", 15: None, 22: "m/3"}
