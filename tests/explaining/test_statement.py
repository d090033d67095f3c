"""The statement of reasons says what was found and gives nothing of others or of detectors away."""

from __future__ import annotations

import datetime as dt
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.catalog.dsa import faults_of
from jobs.explaining.appeals import FOUND, PURPOSE, appeal_of
from jobs.platform.errors import StillwatchError
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings

NIGHT = dt.date(2026, 5, 3)
NEXT = dt.date(2026, 5, 4)
Fill = Callable[..., int]
ActedOn = Callable[..., None]


def action_of(lake: Lake, fill: Fill, **row: object) -> None:
    """The account limited on two nights, or what `row` says instead."""
    for night in (NIGHT, NEXT):
        fill(lake, "enforcement_actions", night, [
            {"account_id": "acct_own", "action": "limit", "campaign_id": "c-secret1",
             "evidence": ["content", "identity"], "expires": night + dt.timedelta(days=7),
             "reasons": ["40 of 40 accounts share 2 cards"], "mode": "enforce"} | row,
        ])  # fmt: skip


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory, fill: Fill) -> Path:
    """An account of a campaign of forty, limited on two nights, with five requests on each."""
    root = tmp_path_factory.mktemp("limited") / "lake"
    lake = Lake(Settings(lake=str(root)))
    for night in (NIGHT, NEXT):
        fill(lake, "account_scores", night, [
            {"account_id": "acct_own", "distillation_score": 0.8123, "campaign_id": "c-secret1"},
        ])  # fmt: skip
        fill(lake, "campaigns", night, [
            {"campaign_id": "c-secret1", "kind": "distillation", "accounts": 40, "score": 0.9371},
        ])  # fmt: skip
        fill(lake, "account_daily", night, [{"account_id": "acct_own", "requests": 5}])
        fill(lake, "requests", night, [
            {"request_id": f"req_{night.day}_{n}", "account_id": "acct_own"} for n in range(5)
        ])  # fmt: skip
        fill(lake, "accounts", night, [{"account_id": "acct_own", "plan": "enterprise"}])
    action_of(lake, fill)
    return root


@pytest.fixture
def acted_on(bare_lake: Lake, limited: Path, fill: Fill) -> ActedOn:
    """`acted_on(action="suspend")`: the test's lake is a copy of `limited` with that action."""

    def copy(**row: object) -> None:
        shutil.copytree(limited, bare_lake.settings.lake)
        if row:
            action_of(bare_lake, fill, **row)

    return copy


def test_it_says_what_when_on_which_requests_and_until_when(
    bare_lake: Lake, acted_on: ActedOn
) -> None:
    acted_on()
    made = appeal_of(bare_lake, "acct_own").statement
    assert made.found[:2] == [
        FOUND["identity"].format(others="many other accounts"),
        FOUND["content"].format(others="many other accounts"),
    ]
    assert (made.requests, made.days, made.first, made.last) == (10, 2, NIGHT, NEXT)
    assert [r.request_id for r in made.named] == ["req_3_2", "req_4_2"]
    # Limited since the first of the two nights: from the day after it on.
    assert (made.applied, made.until) == (NEXT, dt.date(2026, 5, 11))
    assert "req_3_2" in made.text
    assert "no person took part" in made.text


def test_a_persons_decision_is_told_as_one(bare_lake: Lake, acted_on: ActedOn) -> None:
    acted_on(action="suspend", decision_id="d-1")
    made = appeal_of(bare_lake, "acct_own")
    assert made.restriction is not None
    assert made.restriction["automated_decision"] == "AUTOMATED_DECISION_PARTIALLY"
    assert made.restriction["decision_account"] == "DECISION_ACCOUNT_SUSPENDED"
    assert made.restriction["end_date_account_restriction"] == "2026-05-11"
    assert "A person took the decision" in made.statement.text


@pytest.mark.parametrize("action", ["limit", "challenge", "suspend"])
def test_the_database_takes_the_fields(bare_lake: Lake, acted_on: ActedOn, action: str) -> None:
    acted_on(action=action)
    fields = appeal_of(bare_lake, "acct_own").restriction
    assert fields is not None
    assert faults_of(fields) == []
    # Personal data must not be sent: no account's and no request's id.
    assert "acct_own" not in str(fields)
    assert "req_" not in str(fields)


def test_the_check_of_fields_finds_what_the_database_refuses() -> None:
    record = {"decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT", "content_type": "TEXT",
              "category": "ABUSE", "content_date": "2026-5-3", "puid": "a b",
              "score": 1}  # fmt: skip
    assert faults_of(record) == [
        "score: no such field", "application_date: missing", "decision_facts: missing",
        "source_type: missing", "automated_detection: missing", "automated_decision: missing",
        "one restriction at least has to be named", "incompatible_content_ground: missing",
        "incompatible_content_explanation: missing", "content_type: not a list",
        "category: 'ABUSE' is not allowed", "content_date: no date",
        "puid: letters, digits, - and _ only",
    ]  # fmt: skip


@pytest.mark.parametrize("action", ["watch", "review"])
def test_what_restricts_nothing_has_no_row_in_the_database(
    bare_lake: Lake, acted_on: ActedOn, action: str
) -> None:
    acted_on(action=action)
    made = appeal_of(bare_lake, "acct_own", NEXT)
    assert made.restriction is None
    assert f"`{action}` restricts nothing: no statement is due." in made.cautions


def test_a_night_that_only_observed_is_not_to_be_sent(bare_lake: Lake, acted_on: ActedOn) -> None:
    acted_on(mode="observe")
    assert appeal_of(bare_lake, "acct_own").cautions[0].startswith("The night only observed")


def test_without_an_action_there_is_nothing_to_state(bare_lake: Lake, acted_on: ActedOn) -> None:
    acted_on(action="watch")
    with pytest.raises(StillwatchError, match="no action above watch"):
        appeal_of(bare_lake, "acct_own")


@pytest.mark.parametrize("seed", range(12))
def test_nothing_of_others_or_of_detectors_is_given_away(
    bare_lake: Lake, fill: Fill, seed: int
) -> None:
    """Whatever the rows: ids of others, tokens, scores and thresholds stand in every text column
    of the account's own rows, also in the ids of its requests."""
    chance = random.Random(seed)
    others = [f"acct_{chance.getrandbits(64):016x}" for _ in range(40)]
    campaign = f"c-{chance.getrandbits(48):012x}"
    tokens = [f"{chance.getrandbits(128):032x}" for _ in range(6)]
    score, threshold = chance.uniform(0.31, 0.99), chance.uniform(0.31, 0.99)
    numbers = [f"{value:.{n}f}" for value in (score, threshold) for n in (2, 3, 4)]
    secret = [*others, campaign, *tokens, *numbers]
    hostile = [*secret, "<script>alert(1)</script>", "\u202egnp.exe", "=cmd|' /C calc'!A0"]

    def text() -> str:
        return " ".join(chance.sample(hostile, 5))

    family = chance.sample(sorted(FOUND), chance.randint(0, 7))
    fill(bare_lake, "account_scores", NIGHT, [
        {"account_id": "acct_own", "distillation_score": score, "campaign_id": campaign,
         "resale_score": chance.random(), "reasons": [text()], "evidence": [text()]},
    ])  # fmt: skip
    fill(bare_lake, "campaigns", NIGHT, [
        {"campaign_id": campaign, "kind": chance.choice(["distillation", "resale", "unknown"]),
         "accounts": chance.randint(2, 3000), "summary": text(), "reasons": [text()]},
    ])  # fmt: skip
    fill(bare_lake, "campaign_members", NIGHT, [
        {"account_id": account, "campaign_id": campaign} for account in [*others, "acct_own"]
    ])  # fmt: skip
    fill(bare_lake, "thresholds", NIGHT, [{"action": "limit", "score": threshold}])
    fill(bare_lake, "enforcement_actions", NIGHT, [
        {"account_id": "acct_own", "action": chance.choice(["limit", "suspend"]),
         "campaign_id": campaign, "reasons": [text()], "evidence": [*family, text()],
         "expires": NEXT, "policy_version": text(), "mode": "enforce"},
    ])  # fmt: skip
    fill(bare_lake, "account_daily", NIGHT, [{"account_id": "acct_own", "requests": 7}])
    fill(bare_lake, "account_indicators", NIGHT, [
        {"account_id": account, "kind": "address", "token": token}
        for account in ("acct_own", others[0]) for token in tokens
    ])  # fmt: skip
    fill(bare_lake, "accounts", NIGHT, [
        {"account_id": account, "signup_country": "FR", "email_domain": text()}
        for account in ("acct_own", *others)
    ])  # fmt: skip
    ids = [*secret, *(f"req-{part}-x" for part in secret), text(), "req_fine_1"]
    fill(bare_lake, "requests", NIGHT, [
        {"request_id": name, "account_id": "acct_own"} for name in chance.sample(ids, len(ids))
    ])  # fmt: skip
    made = appeal_of(bare_lake, "acct_own")
    for said in (made.statement.text, str(made.restriction)):
        assert [one for one in secret if one in said] == []
        assert not re.search(r"[<\u202e]|=cmd|\d\.\d", said)
    assert len(made.statement.named) <= 1
    assert made.restriction is not None
    assert faults_of(made.restriction) == []


def test_who_was_suspended_long_ago_is_told_what_it_was_suspended_for(
    bare_lake: Lake, fill: Fill, acted_on: ActedOn
) -> None:
    acted_on(action="suspend", decision_id="d-1", expires=dt.date(2026, 7, 1))
    fill(bare_lake, "decisions", NIGHT, [
        {"decision_id": "d-1", "verdict": "resale", "subject": "acct_own", "action": "suspend",
         "subject_kind": "account", "accounts": ["acct_own"], "night": NIGHT,
         "needs_approval": False}
    ])  # fmt: skip
    # It sends nothing since: the row is renewed by the decision alone, night after night.
    for back in range(5, 40):
        fill(bare_lake, "enforcement_actions", NIGHT + dt.timedelta(days=back - 3), [
            {"account_id": "acct_own", "action": "suspend", "campaign_id": None,
             "evidence": ["content", "identity"], "expires": dt.date(2026, 7, 1),
             "mode": "enforce", "decision_id": "d-1"}
        ])  # fmt: skip
    last = NIGHT + dt.timedelta(days=36)
    fill(bare_lake, "account_scores", last, [{"account_id": "acct_other"}])
    made = appeal_of(bare_lake, "acct_own").statement
    assert made.found[-1] == PURPOSE["resale"]
    assert (made.requests, made.first, made.last) == (5, NIGHT, NIGHT)
    assert [r.request_id for r in made.named] == ["req_3_2"]


def morning(name: str, hour: int, verdict: str, **row: object) -> dict[str, object]:
    """A decision of the morning after the last night, on acct_own."""
    return {
        "decision_id": name, "verdict": verdict, "subject": "acct_own", "subject_kind": "account",
        "accounts": ["acct_own"], "night": NEXT, "needs_approval": False,
        "evidence": ["content", "time"], "decided_at": dt.datetime(2026, 5, 5, hour, tzinfo=dt.UTC),
    } | row  # fmt: skip


FIFTH = dt.date(2026, 5, 5)
OVERTURNED_IN_THE_MORNING = [
    morning("d-1", 8, "distillation", action="suspend"), morning("d-2", 9, "appealed"),
    morning("d-3", 10, "overturned", answers="d-2"),
]  # fmt: skip


@pytest.mark.parametrize("date", [None, NEXT, FIFTH])
def test_what_was_overturned_stays_the_subject(
    bare_lake: Lake, fill: Fill, acted_on: ActedOn, date: dt.date | None
) -> None:
    acted_on(action="challenge")
    fill(bare_lake, "decisions", FIFTH, OVERTURNED_IN_THE_MORNING)
    made = appeal_of(bare_lake, "acct_own", date)
    assert (made.statement.action, made.statement.applied) == ("suspend", FIFTH)
    assert "A person took the decision" in made.statement.text
    assert FOUND["time"].format(others="many other accounts") in made.statement.found
    assert any(said.startswith("It holds no more") for said in made.cautions)
    # What the night before did by itself can be asked for.
    assert appeal_of(bare_lake, "acct_own", NIGHT).statement.action == "challenge"


def test_it_stays_so_after_a_night_that_never_wrote_it_down(
    bare_lake: Lake, fill: Fill, acted_on: ActedOn
) -> None:
    acted_on(action="challenge")
    fill(bare_lake, "decisions", FIFTH, OVERTURNED_IN_THE_MORNING)
    fill(bare_lake, "account_scores", FIFTH, [{"account_id": "acct_own"}])
    made = appeal_of(bare_lake, "acct_own")
    assert (made.statement.action, made.statement.by_person) == ("suspend", True)


def test_a_second_finding_of_the_morning_is_the_subject(
    bare_lake: Lake, fill: Fill, acted_on: ActedOn
) -> None:
    acted_on(action="challenge")
    fill(bare_lake, "decisions", FIFTH, [
        *OVERTURNED_IN_THE_MORNING, morning("d-4", 11, "resale", action="limit"),
    ])  # fmt: skip
    made = appeal_of(bare_lake, "acct_own")
    assert (made.statement.action, made.statement.found[-1]) == ("limit", PURPOSE["resale"])
    assert not any(said.startswith("It holds no more") for said in made.cautions)


@pytest.mark.parametrize("verdict", [None, "rejected", "approved"])
def test_what_waits_for_a_second_person_was_no_action(
    bare_lake: Lake, fill: Fill, acted_on: ActedOn, verdict: str | None
) -> None:
    acted_on(action="challenge")
    rows = [morning("d-1", 8, "distillation", action="suspend", needs_approval=True)]
    if verdict:
        rows.append(morning("d-2", 9, verdict, answers="d-1"))
    fill(bare_lake, "decisions", FIFTH, rows)
    took = "suspend" if verdict == "approved" else "challenge"
    assert appeal_of(bare_lake, "acct_own").statement.action == took
