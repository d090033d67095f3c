"""Figures of a group: what tells an operation from a firm, a class or a tool's users."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs.campaigns.facts import describe, population_of
from jobs.catalog.policy import CAMPAIGN_POLICY
from tests.campaigns.conftest import evidence_of, links_between, read, spread

AXES = [axis.name for axis in CAMPAIGN_POLICY.axes]


def figures(text: str, group: str, bound_by: str = "work", **changed: Any) -> dict[str, float]:
    """The figures of one group whose linked pairs all hold on the axes named."""
    evidence = replace(evidence_of(read(text)), **changed)
    members = np.array([evidence.accounts.index(name) for name in spread(group)])
    axes = sum(1 << AXES.index(name) for name in bound_by.split())
    links = links_between(members[:-1], members[1:], axes=axes)
    group_of = np.full(len(evidence.accounts), -1)
    group_of[members] = 0
    (found,) = describe(
        evidence, population_of(evidence), links, group_of, [members], CAMPAIGN_POLICY
    )
    return found.figures


@pytest.mark.parametrize(
    ("bound_by", "strangers"),
    [("work", 1.0), ("work time", 1.0), ("work tool", 0.0), ("work place", 0.0),
     ("work money", 0.0), ("place tool", 0.0)],
)  # fmt: skip
def test_work_without_a_cause_in_the_open_is_strangers(bound_by: str, strangers: float) -> None:
    assert figures("a1..a6 | template | shard", "a1..a6", bound_by)["strangers"] == strangers


def test_machines_behind_homes_are_a_roster_and_a_campus_is_none() -> None:
    homes = "\n".join(
        f"{name} | address | home-{name}-{n}" for name in spread("a1..a6") for n in range(9)
    )
    machine = "a1..a6 | address | machine"
    assert figures(f"{homes}\n{machine}", "a1..a6")["roster"] == pytest.approx(0.0)  # a visit each
    evidence = evidence_of(read(f"{homes}\n{machine}"))
    requests = {**evidence.sums, "requests": evidence.sums["requests"] * 10}
    assert figures(f"{homes}\n{machine}", "a1..a6", sums=requests)["roster"] == 1.0
    assert figures("a1..a6 | address | campus", "a1..a6")["roster"] == 0.0


def test_a_roster_is_no_place_that_explains_anything() -> None:
    text = "a1..a6 | address | machine"
    evidence = evidence_of(read(text))
    requests = {**evidence.sums, "requests": evidence.sums["requests"] * 10}
    assert figures(text, "a1..a6", "work place", sums=requests)["strangers"] == 1.0


def test_purses_that_several_share_are_instruments_and_one_purse_is_a_customer() -> None:
    several = "a1..a3 | payment | one\na4..a6 | payment | two"
    one = "a1..a6 | payment | one\na1..a6 | email_domain | firm"
    assert figures(several, "a1..a6")["instruments"] == 1.0
    assert figures(several, "a1..a6")["one_customer"] <= 0.5
    assert figures(one, "a1..a6")["instruments"] == 0.0
    assert figures(one, "a1..a6")["one_customer"] == 1.0


def test_mail_domains_that_several_share_are_instruments_and_a_firms_is_none() -> None:
    throw_away = "a1..a3 | email_domain | one\na4..a6 | email_domain | two"
    assert figures(throw_away, "a1..a6")["instruments"] == 1.0
    assert figures("a1..a6 | email_domain | firm", "a1..a6")["instruments"] == 0.0


HOMES = "\n".join(f"{name} | signup_network | home-{name}" for name in spread("a1..a6"))


@pytest.mark.parametrize(("text", "open_", "hidden"), [
    # One set of machines, signed up from homes all over.
    (f"a1..a6 | address | machine\na1..a6 | network | rack\n{HOMES}", 0.0, 1.0),
    # A campus: they signed up where they work.
    ("a1..a6 | address | gate\na1..a6 | network | campus\na1..a6 | signup_network | campus",
     1.0, 0.0),
    # Half of a firm signed up at home.
    ("a1..a6 | address | gate\na1..a6 | network | office\na1..a3 | signup_network | office",
     0.5, 0.5),
    # Each at home: nobody else signed up in that network.
    ("\n".join(f"{name} | network | home-{name}\n{name} | signup_network | home-{name}"
               for name in spread("a1..a6")), 0.0, 0.0),
    # An address that strangers have too is nobody's own.
    ("a1..a6 b1..b6 | address | carrier\na1..a6 b1..b6 | network | carrier", 0.0, 0.0),
])  # fmt: skip
def test_places_of_work_and_of_sign_up(text: str, open_: float, hidden: float) -> None:
    found = figures(text, "a1..a6")
    assert (found["open_place"], found["hidden_place"]) == (open_, hidden)


def test_of_a_handful_of_accounts_some_are_even_by_chance() -> None:
    def unevenness(count: int) -> float:
        text = f"a1..a{count} | template | shard"
        evidence = evidence_of(read(text))
        hours = evidence.hours.tolil()
        hours[:, ::24] = 1.0  # every account on every day
        sums = {**evidence.sums, "requests": evidence.sums["requests"].copy()}
        members = [evidence.accounts.index(name) for name in spread(f"a1..a{count}")]
        # Quartiles a fifth of the median apart, however many they are.
        sums["requests"][members] = np.quantile(
            [90_000, 100_000, 110_000], np.linspace(0, 1, count)
        )
        return figures(text, f"a1..a{count}", hours=hours.tocsr(), sums=sums)["unevenness"]

    five, twenty, eighty = (unevenness(count) for count in (5, 20, 80))
    assert five > 1.5 * eighty
    assert five > twenty > eighty
    # Nine groups in ten of normal values spread less than their bound says.
    assert eighty == pytest.approx(0.1 / 1.349 * np.sqrt(79 / 63.38), rel=0.02)


def test_products_of_their_own_have_prompts_that_nobody_shares() -> None:
    assert figures("a1..a6 | template | shard", "a1..a6")["own_products"] == 1.0
    assert figures("a1..a6 | system_prompt | tool", "a1..a6")["own_products"] == 0.0


def test_accounts_that_begin_together_do_so_beyond_everybody() -> None:
    text = "a1..a9 | template | shard"
    evidence = evidence_of(read(text))
    first = np.zeros(len(evidence.accounts), np.int64)
    members = [evidence.accounts.index(name) for name in spread("a1..a9")]
    assert figures(text, "a1..a9", first_active=first)["start_together"] == 0.0  # from the start on
    first[members] = [12, 12, 13, 13, 13, 13, 14, 14, 14]
    beyond = figures(text, "a1..a9", first_active=first)["start_together"]
    assert beyond == pytest.approx(1 - 9 / len(first))


def test_every_term_of_the_policy_has_its_sentence() -> None:
    from jobs.campaigns.words import _NAMED, _SENTENCES, _SHARES

    silent = {"accounts", "client_own", "untraceable", "payment_own", "tool_results"}
    assert {term.figure for term in CAMPAIGN_POLICY.terms} - silent <= {
        *_SHARES,
        *_SENTENCES,
        *_NAMED,
    }


def test_a_few_loud_members_hide_no_schedule() -> None:
    text = "a1..a10 | template | shard"
    evidence = evidence_of(read(text))
    loud = [evidence.accounts.index(name) for name in ("a01", "a02")]
    hours = evidence.hours.tolil()
    hours[:, ::24] = 1.0  # every account on every day
    sums = {**evidence.sums, "requests": evidence.sums["requests"].copy()}
    sums["requests"][loud] *= 40
    assert figures(text, "a1..a10", hours=hours.tocsr(), sums=sums)["unevenness"] == 0.0
    sums["requests"][: len(evidence.accounts) // 2] *= np.arange(len(evidence.accounts) // 2) + 1
    assert figures(text, "a1..a10", hours=hours.tocsr(), sums=sums)["unevenness"] > 0.3


@pytest.mark.parametrize(("stops", "starts", "taken"), [
    ([], [0, 1, 2], 0),
    ([4, 4], [0, 5, 5], 2),
    ([4, 4], [0, 5], 1),  # one cannot take over twice
    ([4], [4], 0),  # nobody takes over who was there before the stop was seen
    ([4], [7], 1),
    ([4], [8], 0),  # too late to be its replacement
    ([4, 6], [7, 8], 2),
    ([27], [27], 0),
])  # fmt: skip
def test_accounts_that_take_over(stops: list[int], starts: list[int], taken: int) -> None:
    from jobs.campaigns.facts import _taken_over

    assert _taken_over(np.array(stops, int), np.array(starts, int), 28) == taken


def test_an_operation_that_replaces_its_banned_accounts_is_taken_over() -> None:
    text = "a1..a9 | template | shard"
    evidence = evidence_of(read(text))
    members = np.array([evidence.accounts.index(name) for name in spread("a1..a9")])
    first, last = evidence.first_active.copy(), evidence.last_active.copy()
    first[members], last[members] = [0] * 6 + [11, 12, 20], [10] * 3 + [27] * 6
    status = np.array([None] * len(first), object)
    status[members[:3]] = "suspended"
    place = evidence.records.column_names.index("status")
    records = evidence.records.set_column(place, "status", pa.array(status, pa.string()))
    found = figures(text, "a1..a9", first_active=first, last_active=last, records=records)
    assert found["taken_over"] == pytest.approx(2 / 9)
