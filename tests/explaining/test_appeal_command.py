"""The verbs, as a person calls them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

from click.testing import CliRunner, Result

from jobs.cli import cli
from jobs.platform.errors import StillwatchError
from jobs.platform.lake import Lake

NIGHT = dt.date(2026, 5, 3)
Fill = Callable[..., int]


def called(lake: Lake, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--lake", lake.root])


def limited(lake: Lake, fill: Fill) -> None:
    fill(lake, "accounts", NIGHT, [{"account_id": "acct_own", "status": "active"}])
    fill(lake, "account_scores", NIGHT, [{"account_id": "acct_own", "distillation_score": 0.7}])
    fill(lake, "enforcement_actions", NIGHT, [
        {"account_id": "acct_own", "action": "limit", "expires": NIGHT, "evidence": ["time"]},
    ])  # fmt: skip


def test_an_appeal_is_recorded_and_shown_to_the_next_reviewer(bare_lake: Lake, fill: Fill) -> None:
    limited(bare_lake, fill)
    said = called(bare_lake, "appeal", "acct_own", "--record", "--by", "ana", "--reason", "a class")
    assert "appealed, from the night of 2026-05-04 on" in said.output
    shown = json.loads(called(bare_lake, "appeal", "acct_own", "--json").output)
    (earlier,) = shown["reviewer"]["earlier_appeals"]
    assert (earlier["verdict"], earlier["reason"]) == ("appealed", "a class")
    assert shown["transparency_database"]["decision_provision"] == (
        "DECISION_PROVISION_PARTIAL_SUSPENSION"
    )


def test_a_record_needs_who_and_why(bare_lake: Lake, fill: Fill) -> None:
    limited(bare_lake, fill)
    assert isinstance(called(bare_lake, "appeal", "acct_own", "--record").exception,
                      StillwatchError)  # fmt: skip


def test_every_verb_answers(bare_lake: Lake, fill: Fill) -> None:
    limited(bare_lake, fill)
    assert "score 0.700, needed 0.600" in called(bare_lake, "explain", "acct_own").output
    assert json.loads(called(bare_lake, "explain", "acct_own", "--json").output)["subject"] == (
        "acct_own"
    )
    assert called(bare_lake, "reviews", "draw").output == "0 cases drawn\n"
    assert called(bare_lake, "reviews", "list", "--by", "ben").output == ""
    assert "answered 0" in called(bare_lake, "reviews", "report").output
    assert called(bare_lake, "outcomes").exit_code == 0
