"""What gateways are given in the morning: limits of the night, and what people decided since."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from jobs.cli import cli
from jobs.explaining.explain import explain
from jobs.limits.now import LimitsNow, decided_since, in_force
from jobs.platform.lake import Lake
from jobs.verdicts import actions_in_force, record
from tests.limits.test_limits_step import (
    DAY,
    FIRST,
    acted,
    history,
    limits_on,
    people,
    traffic,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MORNING = FIRST + DAY
Fill = Callable[..., int]
HONEST = [f"honest_{n}" for n in range(5)]
GROUP = [f"member_{n}" for n in range(7)]
#: Of the night on which a row was written, not of what it says.
OF_THE_NIGHT = ("date", "quiet_nights")


@pytest.fixture(scope="module")
def filled(new_lake: Callable[[], Lake], fill: Fill) -> Path:
    """A night. Of a campaign's members four are limited and three watched, all with 60 requests a
    day for three days. `old`, with 40 a day of its own, is watched too. Who is honest sends 100."""
    lake = new_lake()
    honest = [traffic(name, 100, prompts_known=100, asks_rubric=20) for name in HONEST]
    lately = [traffic(name, 60, prompts_known=60, asks_rubric=54) for name in GROUP]
    history(lake, fill, 40, [*honest, traffic("old", 40)])
    history(lake, fill, 3, [*honest, traffic("old", 40), *lately])
    night(lake, fill, FIRST, [
        *(acted(name, campaign_id="c1") for name in GROUP[:4]),
        *(acted(name, action="watch", campaign_id="c1") for name in GROUP[4:]),
        acted("old", action="watch"),
    ])  # fmt: skip
    limits_on(lake, FIRST)
    return Path(lake.settings.lake)


@pytest.fixture
def worked(copy_of: Callable[[Path], Lake], filled: Path) -> Lake:
    """A copy of `filled`, of the test's own."""
    return copy_of(filled)


def night(lake: Lake, fill: Fill, date: dt.date, actions: Sequence[dict[str, Any]]) -> None:
    people(lake, fill, date, *GROUP, "old", *HONEST)
    fill(lake, "account_scores", date, [
        *({"account_id": name, "distillation_score": 0.95, "campaign_id": "c1",
           "evidence": ["content", "time"]} for name in GROUP),
        *({"account_id": name, "evidence": ["time"]} for name in ("old", *HONEST)),
    ])  # fmt: skip
    fill(lake, "campaigns", date, [{"campaign_id": "c1", "first_seen": FIRST}])
    fill(lake, "campaign_members", date, [
        {"campaign_id": "c1", "account_id": name, "joined": FIRST} for name in GROUP
    ])  # fmt: skip
    fill(lake, "enforcement_actions", date, actions)


def morning(lake: Lake, account: str | None = None) -> LimitsNow:
    """Without an engine, as the command and the desk are."""
    return in_force(Lake(lake.settings), account and [account])


def given(limits: LimitsNow) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["account_id"], row["capability"]): row for row in limits.accounts}


def said(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in OF_THE_NIGHT}


def limit(lake: Lake, subject: str, action: str = "limit", **asked: Any) -> dict[str, Any]:
    return record(lake, verdict="distillation", subject=subject, by="ana", reason="one list",
                  action=action, **asked)  # fmt: skip


def next_night(lake: Lake, fill: Fill, decisions: Sequence[dict[str, Any]]) -> None:
    """Everybody sends what they sent; what is held was decided by people, or holds from before."""
    rows = lake.rows("account_daily", FIRST, FIRST).to_pylist()
    fill(lake, "account_daily", MORNING, [row | {"date": MORNING} for row in rows])
    holds = actions_in_force(Lake(lake.settings)).to_pylist()
    scores = {row["account_id"]: row for row in lake.rows("account_scores", FIRST, FIRST)
              .to_pylist()}  # fmt: skip
    ids = {row["decision_id"] for row in decisions}
    night(lake, fill, MORNING, [
        acted(row["account_id"], action=row["action"], expires=row["expires"],
              decision_id=row["decision_id"], evidence=row["evidence"],
              campaign_id=scores[row["account_id"]]["campaign_id"])
        for row in holds if row["decision_id"] in ids
    ])  # fmt: skip


def test_a_morning_without_decisions_has_the_rows_of_the_night(worked: Lake) -> None:
    limits = morning(worked)
    assert limits.accounts == worked.rows("rate_limits").sort_by("account_id").to_pylist()
    assert (limits.ordered, limits.lifted, limits.suspended, limits.ended) == (0, 0, 0, 0)
    assert not decided_since(worked, FIRST)


def test_explain_tells_what_gateways_are_given_now_and_of_a_named_night_what_they_were(
    worked: Lake,
) -> None:
    for name in ("old", *GROUP[4:]):
        limit(worked, name)
    record(worked, verdict="benign", subject="member_0", by="ana", reason="a school")
    bare = Lake(worked.settings)
    (row,) = explain(bare, "old").limits_now or ()
    assert row == given(morning(worked))["old", "all"]
    assert explain(bare, "member_0").limits_now == []
    (budget,) = explain(bare, "c1").limits_now or ()
    assert budget["accounts"] == 6 and morning(worked).campaigns == [budget]
    named = explain(bare, "member_0", FIRST)
    assert named.limits_now is None and {row["date"] for row in named.limits} == {FIRST}


def test_who_is_limited_in_the_morning_has_the_amounts_that_the_next_night_begins_with(
    worked: Lake, fill: Fill
) -> None:
    decisions = [limit(worked, "old"), limit(worked, "member_4"), limit(worked, "member_5")]
    assert decided_since(worked, FIRST)
    now = given(limits := morning(worked))
    assert (limits.ordered, limits.lifted, limits.suspended) == (3, 0, 0)
    old, member = now["old", "all"], now["member_4", "all"]
    assert (old["history"], old["requests_a_day"], old["step"]) == ("own", 60, 1)
    # Six accounts sent 360 a day: half of it, 30 each; by itself 1.5 times 100.
    assert (member["requests_a_day"], member["by_budget"], member["campaign_id"]) == (
        30, True, "c1",
    )  # fmt: skip
    assert now["member_4", "rubric"]["requests_a_day"] == 20
    # Those who were limited before share the budget too.
    assert (now["member_0", "all"]["requests_a_day"], now["member_0", "all"]["step"]) == (30, 1)
    next_night(worked, fill, decisions)
    later = limits_on(worked, MORNING)
    (budget,) = worked.rows("campaign_budgets", MORNING, MORNING).to_pylist()
    assert {key: said(row) for key, row in now.items()} == {
        key: said(row) for key, row in later.items()
    }
    assert [said(row) for row in limits.campaigns] == [said(budget)]
    assert budget["since"] == MORNING and budget["accounts"] == 6


def test_a_limit_ends_with_the_action_that_it_rests_on(worked: Lake) -> None:
    row = limit(worked, "member_0", expires=MORNING + 2 * DAY)
    assert given(morning(worked))["member_0", "all"]["expires"] == MORNING + 2 * DAY
    held = {one["account_id"]: one for one in actions_in_force(worked).to_pylist()}
    for (account, _), limited in given(morning(worked)).items():
        assert limited["expires"] == held[account]["expires"]
        assert limited["decision_id"] == held[account]["decision_id"]
    assert held["member_0"]["decision_id"] == row["decision_id"]


def test_a_limit_that_people_confirm_keeps_its_step(worked: Lake, fill: Fill) -> None:
    next_night(worked, fill, [])
    fill(worked, "enforcement_actions", MORNING, [acted(name, campaign_id="c1")
                                                  for name in GROUP[:4]])  # fmt: skip
    before = limits_on(worked, MORNING)["member_0", "all"]
    limit(worked, "member_0")
    now = given(morning(worked))["member_0", "all"]
    assert (now["step"], now["requests_a_day"]) == (2, before["requests_a_day"]) == (2, 75)


def test_who_is_suspended_is_told_from_who_is_cleared(worked: Lake, tmp_path: Any) -> None:
    record(worked, verdict="benign", subject="member_0", by="ana", reason="a class")
    limit(worked, "member_1", "suspend")
    limit(worked, "member_2", "watch")
    limit(worked, "old")
    limits = morning(worked)
    assert {account for account, _ in given(limits)} == {"member_3", "old"}
    assert (limits.ordered, limits.lifted, limits.suspended, limits.ended) == (1, 2, 1, 0)
    to = str(tmp_path / "limits.json")
    done = CliRunner().invoke(cli, ["gateway-limits", "--lake", worked.root, "--to", to,
                                    "--format", "json"])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert (
        "2 accounts and 0 campaigns after the night of 2026-05-20, 1 ordered since by people, "
        "2 lifted since by people, 1 suspended since" in done.output
    )


def test_a_budget_is_shared_among_those_who_are_left(worked: Lake, fill: Fill) -> None:
    fill(worked, "enforcement_actions", FIRST, [
        *(acted(name, campaign_id="c1") for name in GROUP[:6]), acted("old"),
    ])  # fmt: skip
    before = limits_on(worked, FIRST)
    record(worked, verdict="overturned", subject="member_0", by="ana", reason="a class")
    limits = morning(worked)
    (budget,) = limits.campaigns
    # 180 for five instead of six; what nobody decided on is the row of the night.
    assert (budget["accounts"], budget["requests_a_day"]) == (5, 180)
    assert given(limits)["member_1", "all"]["requests_a_day"] == 36
    assert given(limits)["old", "all"] == before["old", "all"]
    record(worked, verdict="overturned", subject="member_1", by="ana", reason="a class")
    limits = morning(worked)
    # Four have no budget: each has its own limit.
    assert limits.campaigns == []
    assert given(limits)["member_2", "all"]["requests_a_day"] == 150


def test_a_decision_that_waits_for_a_second_person_changes_no_limit(worked: Lake) -> None:
    first = limit(worked, "c1", "suspend", accounts=GROUP[:4])
    waits = {**first, "needs_approval": True}
    worked.replace_night("decisions", MORNING, _decision(waits))
    assert {name for name, _ in given(morning(worked))} == set(GROUP[:4])
    record(worked, verdict="approved", subject="c1", by="ben", reason="yes",
           answers=first["decision_id"])  # fmt: skip
    limits = morning(worked)
    assert (limits.accounts, limits.suspended) == ([], 4)


def _decision(row: dict[str, Any]) -> Any:
    import pyarrow as pa

    from jobs.catalog.desk_tables import DECISIONS
    from jobs.platform.lake import arrow_schema

    return pa.Table.from_pylist([row], schema=arrow_schema(DECISIONS))


def test_a_limit_that_relaxed_to_the_end_does_not_come_back_without_a_decision(
    worked: Lake, fill: Fill
) -> None:
    # Held, and without a row of the night: as one who resells, or whose limit relaxed away.
    fill(worked, "enforcement_actions", FIRST, [
        *(acted(name, campaign_id="c1") for name in GROUP[:4]),
        acted("member_6", campaign_id="c1"),
    ])  # fmt: skip
    limit(worked, "member_4")
    assert {name for name, _ in given(morning(worked))} == {*GROUP[:4], "member_4"}


def test_who_had_no_action_shares_the_campaign_that_it_was_found_in(
    worked: Lake, fill: Fill
) -> None:
    fill(worked, "enforcement_actions", FIRST, [
        acted(name, campaign_id="c1") for name in GROUP[:4]
    ])  # fmt: skip
    limit(worked, "member_6")
    limits = morning(worked)
    assert given(limits)["member_6", "all"]["campaign_id"] == "c1"
    assert [budget["accounts"] for budget in limits.campaigns] == [5]


def test_limits_of_the_night_before_one_that_stopped_end_with_their_actions(
    worked: Lake, fill: Fill
) -> None:
    later = FIRST + 9 * DAY
    night(worked, fill, MORNING, [
        acted("member_0", campaign_id="c1", expires=later),
        acted("member_1", campaign_id="c1", action="watch", expires=later),
        acted("old", expires=later),
    ])  # fmt: skip
    limits = morning(worked)
    expires = {name: row["expires"] for (name, _), row in given(limits).items()}
    ends = FIRST + 7 * DAY
    assert expires == {"member_0": later, "member_2": ends, "member_3": ends}
    assert (limits.night, limits.ordered) == (FIRST.isoformat(), 0)
    assert (limits.lifted, limits.suspended, limits.ended) == (0, 0, 1)
    record(worked, verdict="benign", subject="member_2", by="ana", reason="a class")
    limits = morning(worked)
    assert (len(limits.accounts), limits.lifted, limits.ended) == (2, 1, 1)


def test_one_account_alone_is_given_what_all_are_given(worked: Lake) -> None:
    limit(worked, "member_4")
    record(worked, verdict="benign", subject="member_0", by="ana", reason="a class")
    limit(worked, "member_5")
    limit(worked, "old")
    whole = given(morning(worked))
    for account in ("member_0", "member_1", "member_4", "old", "honest_0"):
        alone = morning(worked, account)
        assert given(alone) == {key: row for key, row in whole.items() if key[0] == account}
        assert alone.lifted == (account == "member_0")
        assert alone.ordered == (account in ("member_4", "old"))


def test_who_is_closed_is_given_no_limit(worked: Lake, fill: Fill) -> None:
    fill(worked, "accounts", FIRST, [{"account_id": "old", "plan": "free", "status": "closed"}])
    limit(worked, "old")
    assert "old" not in {name for name, _ in given(morning(worked))}


def test_the_morning_loads_no_engine() -> None:
    asked = "import sys, jobs.limits.now; print(sorted({'pyspark', 'pysail'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
