"""Figures of a group: what tells an operation from a firm, a class or a tool's users."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jobs.campaigns.facts import describe, population_of
from jobs.campaigns.links import Links
from jobs.catalog.policy import CAMPAIGN_POLICY
from tests.campaigns.conftest import evidence_of, read, spread

AXES = [axis.name for axis in CAMPAIGN_POLICY.axes]


def figures(text: str, group: str, bound_by: str = "work", **changed: Any) -> dict[str, float]:
    """The figures of one group whose linked pairs all hold on the axes named."""
    evidence = replace(evidence_of(read(text)), **changed)
    members = np.array([evidence.accounts.index(name) for name in spread(group)])
    axes = np.zeros((len(members) - 1, len(AXES)))
    axes[:, [AXES.index(name) for name in bound_by.split()]] = CAMPAIGN_POLICY.axis_nats
    links = Links(members[:-1], members[1:], axes.sum(axis=1), axes, np.zeros((len(axes), 1), bool))
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
    from jobs.campaigns.words import _SENTENCES, _SHARES

    silent = {"client_own", "untraceable", "payment_own", "tool_results"}
    assert {term.figure for term in CAMPAIGN_POLICY.terms} - silent <= {*_SHARES, *_SENTENCES}
