"""Which requests an action meets, by hand; without an engine."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from jobs.trials import effects
from jobs.trials.effects import World, requests_met


def day(number):
    return dt.date(2026, 5, number)


ACTIONS = pa.schema([
    ("date", pa.date32()), ("account_id", pa.string()), ("action", pa.string()),
    ("expires", pa.date32()), ("held_since", pa.date32()), ("held_until", pa.date32()),
])  # fmt: skip


def world(first, last, daily, lifted=()):
    sent = {"date": [day(d) for d, _, _ in daily], "account_id": [a for _, a, _ in daily],
            "requests": [n for _, _, n in daily]}  # fmt: skip
    empty = pa.table({"account_id": pa.array([], pa.string())})
    taken = {"date": [day(d) for d, _ in lifted], "account_id": [a for _, a in lifted]}
    return World(day(first), day(last), pa.table(sent), empty, empty,
                 pa.table(taken, pa.schema([("date", pa.date32()),
                                            ("account_id", pa.string())])))  # fmt: skip


def met(actions, daily, first=1, last=9, lifted=()):
    """{rung: requests} without zeros, and requests while held; actions as (day, account, action,
    expires, held until)."""
    rows = [
        {"date": day(d), "account_id": a, "action": rung, "expires": day(expires),
         "held_since": day(d) if held else None, "held_until": day(held) if held else None}
        for d, a, rung, expires, held in actions
    ]  # fmt: skip
    found, held = requests_met(pa.Table.from_pylist(rows, ACTIONS),
                               world(first, last, daily, lifted))  # fmt: skip
    return {rung: n for rung, n in found.items() if n}, held


EVERY_DAY = [(d, "a", 1) for d in range(1, 10)]


def test_an_action_meets_what_is_sent_from_the_day_after_up_to_its_last_day():
    assert met([(2, "a", "limit", 5, None)], EVERY_DAY) == ({"limit": 3}, 0)


def test_watch_meets_nothing_and_takes_a_harder_action_away():
    assert met([(2, "a", "limit", 8, None), (4, "a", "watch", 8, None)], EVERY_DAY) == (
        {"limit": 2}, 0)  # fmt: skip


def test_what_was_in_force_when_the_nights_begin_meets_their_requests():
    assert met([(2, "a", "suspend", 9, None)], EVERY_DAY, first=6) == ({"suspend": 4}, 0)


def test_other_accounts_are_not_met():
    assert met([(1, "a", "limit", 9, None)], [(3, "b", 7), (3, "a", 2)]) == ({"limit": 2}, 0)


def test_what_a_person_lifted_meets_nothing_from_that_day_on():
    assert met([(2, "a", "review", 9, None)], EVERY_DAY, lifted=[(5, "a"), (5, "stranger")]) == (
        {"review": 2}, 0)  # fmt: skip


def test_a_hold_costs_what_is_sent_from_the_day_after_it_began_up_to_its_end():
    rows = [(2, "a", "watch", 9, 4), (3, "a", "watch", 9, 4), (4, "a", "limit", 9, None)]
    assert met(rows, EVERY_DAY) == ({"limit": 5}, 2)


def test_the_desk_can_ask_for_what_holds_cost(bare_lake, fill):
    for d in (2, 3, 4):
        fill(bare_lake, "account_daily", day(d), [{"account_id": a, "requests": 10 * d}
                                                  for a in ("a", "b")])  # fmt: skip
    held = {"action": "watch", "proposed": "limit", "expires": day(9), "held_since": day(2),
            "held_until": day(4)}  # fmt: skip
    fill(bare_lake, "enforcement_actions", day(2), [
        held | {"account_id": "a"},
        {"account_id": "b", "action": "limit", "expires": day(9)},
    ])  # fmt: skip
    assert effects.held_exchanges(bare_lake, day(2), day(4)) == 30 + 40
    assert effects.held_exchanges(bare_lake, day(3), day(3)) == 30


@pytest.mark.parametrize("nothing", [[], [(2, "a", "watch", 9, None)]])
def test_no_actions_meet_no_requests(nothing):
    assert met(nothing, EVERY_DAY) == ({}, 0)
