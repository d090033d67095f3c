"""The ladder: who is acted on, how, on what evidence. Tables in, tables out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math

import pytest

from jobs import decide
from jobs.catalog.policy import POLICY, AllowListed

NIGHT = dt.date(2026, 5, 20)
TWO = ["infrastructure", "content"]

SCORES = """account_id string, distillation_score double, resale_score double,
    campaign_id string, reasons array<string>, evidence array<string>"""
CAMPAIGNS = "campaign_id string, kind string, score double"
ACCOUNTS = "account_id string, organization_id string, status string, verified_organization boolean"
LABELS = "account_id string, said string"
EARLIER = "account_id string, action string, expires date"


def account(name, score, *, resale=0.0, campaign=None, evidence=TWO):
    return (name, score, resale, campaign, [f"reason of {name}"], list(evidence))


@pytest.fixture
def actions(session):
    """Calls `decided` on literal rows and returns {account: action}."""

    def call(scores, *, campaigns=(), accounts=(), labels=(), earlier=(), policy=POLICY,
             in_force=()):  # fmt: skip
        frame = decide.decided(
            session.createDataFrame(scores, SCORES),
            session.createDataFrame(list(campaigns), CAMPAIGNS),
            session.createDataFrame(list(accounts), ACCOUNTS),
            session.createDataFrame(list(labels), LABELS),
            session.createDataFrame(list(earlier), EARLIER),
            NIGHT,
            policy,
            {rung.action: rung.floor for rung in policy.rungs} | dict(in_force),
        )
        return {row["account_id"]: row for row in frame.toArrow().to_pylist()}

    return call


def of(rows):
    return {name: row["action"] for name, row in rows.items()}


def test_each_rung_begins_at_its_score(actions):
    found = actions([
        account("a-below", 0.29),  # nothing is said of it
        account("b-watch", 0.30),
        account("c-limit", 0.60),
        account("d-challenge", 0.80),
        account("e-review", 0.90),
        account("f-sure", 0.99),  # sure, but no campaign is: a person looks first
    ])  # fmt: skip
    assert of(found) == {
        "b-watch": "watch", "c-limit": "limit", "d-challenge": "challenge",
        "e-review": "review", "f-sure": "review",
    }  # fmt: skip


def test_a_rung_begins_at_the_nights_threshold_and_not_at_its_floor(actions):
    scores = [account("a-low", 0.59), account("b-mid", 0.85), account("c-high", 0.95),
              account("d-resold", 0.10, resale=0.40),
              account("e-one-clue", 0.59, evidence=["content"])]  # fmt: skip
    found = actions(scores, in_force={"watch": 0.60, "limit": 0.90, "challenge": 0.90})
    assert of(found) == {"b-mid": "watch", "c-high": "review", "d-resold": "watch"}
    none = dict.fromkeys(("limit", "challenge", "review", "suspend"), math.inf)
    assert of(actions(scores, in_force=none)) == dict.fromkeys(
        ("a-low", "b-mid", "c-high", "d-resold", "e-one-clue"), "watch"
    )


def test_nothing_above_watch_on_one_family_of_evidence(actions):
    found = actions([
        account("one", 0.99, evidence=["content"]),
        account("none", 0.99, evidence=[]),
        account("two", 0.85),
    ])  # fmt: skip
    assert of(found) == {"one": "watch", "none": "watch", "two": "challenge"}


def test_what_people_confirmed_is_a_family_of_its_own(actions):
    found = actions(
        [account("confirmed", 0.85, evidence=["content"])],
        labels=[("confirmed", "distillation")],
    )
    assert found["confirmed"]["action"] == "challenge"
    assert found["confirmed"]["evidence"] == ["content", "label"]


def test_suspension_needs_a_sure_campaign_and_no_verified_organization(actions):
    found = actions(
        [
            account("sure", 0.98, campaign="c-sure"),
            account("verified", 0.98, campaign="c-sure"),
            account("unsure-group", 0.98, campaign="c-unsure"),
            account("other-kind", 0.98, campaign="c-unknown"),
        ],
        campaigns=[
            ("c-sure", "distillation", 0.95),
            ("c-unsure", "distillation", 0.89),
            ("c-unknown", "unknown", 0.95),
        ],
        accounts=[
            ("sure", None, "active", False),
            ("verified", None, "active", True),
            ("unsure-group", None, "active", None),
            ("other-kind", None, "active", False),
        ],
    )
    assert of(found) == {
        "sure": "suspend", "verified": "review", "unsure-group": "review", "other-kind": "review",
    }  # fmt: skip


def test_a_group_known_to_be_honest_and_an_allow_list_end_at_watch(actions):
    listed = (
        AllowListed("vetted", "research contract", "trust-and-safety", "2026-05-20"),
        AllowListed("org-vetted", "evaluation vendor", "trust-and-safety", "2026-12-31"),
        AllowListed("lapsed", "trial", "trust-and-safety", "2026-05-19"),  # ended yesterday
    )
    found = actions(
        [
            account("classroom", 0.95, campaign="c-class"),
            account("vetted", 0.95),
            account("of-vetted-org", 0.95),
            account("lapsed", 0.95),
        ],
        campaigns=[("c-class", "benign_group", 0.2)],
        accounts=[("of-vetted-org", "org-vetted", "active", None)],
        policy=dataclasses.replace(POLICY, allow_list=listed),
    )
    assert of(found) == {
        "classroom": "watch", "vetted": "watch", "of-vetted-org": "watch", "lapsed": "review",
    }  # fmt: skip


def test_resale_is_a_persons_look_and_no_more(actions):
    found = actions(
        [
            account("reseller", 0.40, resale=0.90, campaign="c-resale"),
            account("taken-for-more", 0.99, resale=0.50, campaign="c-resale"),
            account("hardly", 0.65, resale=0.50, campaign="c-resale"),
            account("alone", 0.10, resale=0.85),
            account("maybe", 0.10, resale=0.50),  # not sure enough to trouble a person
            account("honest", 0.10, resale=0.29),
            account("verified", 0.10, resale=0.95, campaign="c-resale"),
        ],
        campaigns=[("c-resale", "resale", 0.95)],
        accounts=[("verified", None, "active", True), ("reseller", None, "active", False)],
    )
    assert of(found) == {
        "reseller": "review", "taken-for-more": "review", "hardly": "watch", "alone": "review",
        "maybe": "watch", "verified": "watch",
    }  # fmt: skip


def test_people_who_looked_and_found_nothing_are_believed(actions):
    found = actions(
        [account("cleared", 0.99), account("closed", 0.99), account("gone", 0.99)],
        accounts=[("closed", None, "closed", None), ("gone", None, "suspended", None)],
        labels=[("cleared", "benign")],
    )
    assert found == {}


def test_new_suspensions_are_capped_and_the_rest_reviewed(actions):
    policy = dataclasses.replace(POLICY, new_suspensions_cap=2)
    found = actions(
        [account(name, score, campaign="c") for name, score in (
            ("a", 0.98), ("b", 0.99), ("c", 0.98), ("old", 0.975), ("expired", 0.97))],
        campaigns=[("c", "distillation", 0.95)],
        earlier=[
            ("old", "suspend", NIGHT),  # holds today: renewed, and not new
            ("expired", "suspend", NIGHT - dt.timedelta(days=1)),  # new again
        ],
        policy=policy,
    )  # fmt: skip
    # b is surest, then a before c by id; the expired one is over the cap.
    assert of(found) == {
        "b": "suspend", "a": "suspend", "c": "review", "old": "suspend", "expired": "review",
    }  # fmt: skip


def test_every_action_expires_and_names_its_policy(actions):
    found = actions([account("a", 0.35), account("b", 0.92)])
    assert found["a"]["expires"] == dt.date(2026, 5, 27)
    assert found["b"]["expires"] == dt.date(2026, 6, 3)
    assert {row["policy_version"] for row in found.values()} == {POLICY.version}
    assert found["b"]["reasons"] == ["reason of b"]


def test_the_last_label_known_by_the_night_counts(lake, fill):
    def label(account, label, day, source="analyst"):
        at = dt.datetime(2026, 5, day, tzinfo=dt.UTC)
        return {"account_id": account, "label": label, "labelled_at": at, "source": source}

    fill(lake, "labels", dt.date(2026, 5, 9), [
        label("a", "distillation", 1),
        label("a", "benign", 9, "appeal_upheld"),
        label("b", "benign", 1),
    ])  # fmt: skip
    fill(lake, "labels", NIGHT + dt.timedelta(days=1), [label("b", "distillation", 8)])  # too late
    rows = decide.latest_labels(lake, NIGHT).to_pylist()
    assert {row["account_id"]: row["said"] for row in rows} == {"a": "benign", "b": "benign"}
