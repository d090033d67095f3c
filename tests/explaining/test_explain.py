"""What is said of an account and of a campaign, and from which rows."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from jobs import verdicts
from jobs.explaining.explain import Source, UnknownSubjectError, explain
from jobs.explaining.terminal import print_explained
from jobs.plain_text import plain
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings

NIGHT = dt.date(2026, 5, 3)
Fill = Callable[..., int]
SHARED = "60% of its accounts, beyond what all accounts show, were first seen within the same " \
    "three days"  # fmt: skip


def a_night(lake: Lake, fill: Fill) -> None:
    """a1 and a2 in a campaign, linked and paying with one card; a3 on the card too; b1 alone."""
    fill(lake, "account_scores", NIGHT, [
        {"account_id": "a1", "distillation_score": 0.7, "campaign_id": "c-1",
         "reasons": [SHARED, "A sentence of nobody knows where"], "evidence": ["content", "time"]},
        {"account_id": "b1", "distillation_score": 0.1},
    ])  # fmt: skip
    fill(lake, "campaigns", NIGHT, [
        {"campaign_id": "c-1", "kind": "unknown", "accounts": 2, "score": 0.4,
         "reasons": [SHARED], "start_together": 0.6, "evidence": ["time"]},
    ])  # fmt: skip
    fill(lake, "campaign_members", NIGHT, [
        {"account_id": "a1", "campaign_id": "c-1"}, {"account_id": "a2", "campaign_id": "c-1"},
    ])  # fmt: skip
    fill(lake, "account_links", NIGHT, [
        {"account_a": "a1", "account_b": "a2", "weight": 12.0, "kinds": ["address", "payment"],
         "families": ["identity", "infrastructure"]},
    ])  # fmt: skip
    fill(lake, "accounts", NIGHT, [
        {"account_id": a, "payment_token": "0123456789abcdef", "status": "active"}
        for a in ("a1", "a2", "a3")
    ])  # fmt: skip
    fill(lake, "enforcement_actions", NIGHT, [
        {"account_id": "a1", "action": "limit", "campaign_id": "c-1", "expires": NIGHT,
         "evidence": ["content", "time"]},
    ])  # fmt: skip
    fill(lake, "thresholds", NIGHT, [{"action": "limit", "score": 0.65},
                                     {"action": "challenge", "score": None}])  # fmt: skip


@pytest.fixture(scope="module")
def night_written(tmp_path_factory: pytest.TempPathFactory, fill: Fill) -> Path:
    root = tmp_path_factory.mktemp("explained") / "lake"
    a_night(Lake(Settings(lake=str(root))), fill)
    return root


@pytest.fixture
def told_of(bare_lake: Lake, night_written: Path) -> Lake:
    """A lake of `a_night`, of the test's own."""
    shutil.copytree(night_written, bare_lake.settings.lake)
    return bare_lake


def test_a_reason_names_its_figure_and_rows(told_of: Lake) -> None:
    told = explain(told_of, "a1")
    assert told.reasons[0].figure == 0.6
    assert told.reasons[0].sources == [Source("campaigns", NIGHT, "c-1", "start_together")]
    assert told.reasons[1].sources == [Source("account_scores", NIGHT, "a1", "reasons")]


def test_a_rung_says_what_holds_and_what_it_lacks(told_of: Lake) -> None:
    rungs = {rung.action: rung for rung in explain(told_of, "a1").rungs}
    # The threshold of the night is higher than the policy's floor.
    assert rungs["limit"].there[0] == "score 0.700, needed 0.650"
    assert rungs["limit"].lacking == []
    assert rungs["limit"].in_force
    assert rungs["challenge"].lacking == ["score 0.700: no score is high enough on this night"]
    assert rungs["suspend"].by_person
    assert rungs["suspend"].lacking == [
        "score 0.700, needed 0.950", "campaign score 0.400, needed 0.900",
        "unknown, needed distillation",
    ]  # fmt: skip


def test_what_is_shared_is_masked(told_of: Lake) -> None:
    told = explain(told_of, "a1")
    assert [(link.other, link.weight) for link in told.links] == [("a2", 12.0)]
    (card,) = told.shared
    assert (card.kind, card.token, card.accounts, card.others) == (
        "payment", "012345…", 3, ["a2", "a3"],
    )  # fmt: skip
    (card,) = explain(told_of, "c-1").shared
    assert (card.inside, card.accounts, card.others) == (2, 3, ["a3"])


def test_an_earlier_night_does_not_know_what_was_decided_since(told_of: Lake) -> None:
    verdicts.record(told_of, verdict="benign", subject="a1", by="ana", reason="a class")
    assert [row["verdict"] for row in explain(told_of, "a1").decisions] == ["benign"]
    # A second reviewer looks so, and must not see the first verdict.
    assert explain(told_of, "a1", NIGHT).decisions == []


def test_what_was_decided_since_is_in_force_and_the_night_alone_does_not_know_it(
    told_of: Lake,
) -> None:
    verdicts.record(told_of, verdict="distillation", subject="c-1", by="ana", reason="one list",
                    action="challenge", accounts=["a2"])  # fmt: skip
    verdicts.record(told_of, verdict="overturned", subject="a1", by="ben", reason="a school")
    of_group = explain(told_of, "c-1")
    assert {m["account_id"]: m["in_force"] for m in of_group.members} == {
        "a1": None, "a2": "challenge",
    }  # fmt: skip
    assert of_group.in_force == [{"action": "challenge", "accounts": 1}]
    assert explain(told_of, "a1").in_force == []
    assert [row["action"] for row in explain(told_of, "a2").in_force] == ["challenge"]
    assert explain(told_of, "c-1", NIGHT).in_force == [{"action": "limit", "accounts": 1}]
    shown = StringIO()
    print_explained(Console(file=shown, width=140), of_group)
    assert "In force on its members" in shown.getvalue()


def test_an_unknown_subject_is_one_line(told_of: Lake) -> None:
    with pytest.raises(UnknownSubjectError) as caught:
        explain(told_of, "nobody\x1b[2J\n")
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_why_a_limited_account_that_is_suspended_has_no_limit(told_of: Lake, fill: Fill) -> None:
    fill(told_of, "accounts", NIGHT, [
        {"account_id": a, "status": status} for a, status in (("a1", "suspended"), ("a2", "active"))
    ])  # fmt: skip
    said = {}
    for account in ("a1", "a2"):
        shown = StringIO()
        print_explained(Console(file=shown, width=140), explain(told_of, account))
        said[account] = "No rate limit: the account is suspended" in shown.getvalue()
    assert said == {"a1": True, "a2": False}


def test_the_terminal_gets_no_control_characters_and_no_markup(told_of: Lake, fill: Fill) -> None:
    fill(told_of, "account_scores", NIGHT, [
        {"account_id": "a1", "reasons": ["\x1b[2J[bold]x[/bold] \u202eevil", "y" * 1_000_000]},
    ])  # fmt: skip
    out = StringIO()
    print_explained(Console(file=out, width=200), explain(told_of, "a1"))
    said = out.getvalue()
    assert "[bold]x[/bold] evil" in said
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said) < 20_000


def test_plain_text_is_one_short_line() -> None:
    assert plain("a\nb\u200b\x00 c") == "a b c"
    assert plain("x" * 600) == "x" * 499 + "…"
