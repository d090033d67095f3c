"""The step: actions and history in, limits and budgets out, night by night."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs import limits

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

FIRST = dt.date(2026, 5, 20)
DAY = dt.timedelta(days=1)
Fill = Callable[..., int]


def acted(account: str, **columns: Any) -> dict[str, Any]:
    return {
        "account_id": account, "action": "limit", "evidence": ["time", "identity"],
        "expires": FIRST + 7 * DAY, "mode": "observe", "campaign_id": None,
    } | columns  # fmt: skip


def traffic(account: str, requests: int, **columns: int) -> dict[str, Any]:
    """A day's rollup: half of the requests within one hour, 1,000 tokens each."""
    return {
        "account_id": account, "requests": requests, "hour_09": requests // 2,
        "output_tokens": 1_000 * requests,
    } | columns  # fmt: skip


def history(lake: Lake, fill: Fill, days: int, rows: Sequence[dict[str, Any]]) -> None:
    """The same rows on the `days` days up to the first night."""
    for back in range(days):
        fill(lake, "account_daily", FIRST - back * DAY, rows)


def people(lake: Lake, fill: Fill, night: dt.date, *accounts: str, **columns: Any) -> None:
    fill(lake, "accounts", night, [
        {"account_id": account, "plan": "credits", "status": "active"} | columns
        for account in accounts
    ])  # fmt: skip
    fill(lake, "account_scores", night, [
        {"account_id": account, "distillation_score": 0.95} for account in accounts
    ])  # fmt: skip


def limits_on(lake: Lake, night: dt.date) -> dict[tuple[str, str], dict[str, Any]]:
    limits.run(lake, night)
    rows = lake.rows("rate_limits", night, night).to_pylist()
    return {(row["account_id"], row["capability"]): row for row in rows}


@pytest.fixture(scope="module")
def begun(new_lake: Callable[[], Lake], fill: Fill) -> Path:
    """One account of an operation and one that sent 40 a day long before it was met; honest ones
    send 20 a day."""
    lake = new_lake()
    honest = [traffic(f"honest_{n}", 20) for n in range(5)]
    history(lake, fill, 40, [*honest, traffic("old", 40)])
    history(lake, fill, 3, [*honest, traffic("old", 40), traffic("bought", 26)])
    people(lake, fill, FIRST, "old", "bought", *(f"honest_{n}" for n in range(5)))
    fill(lake, "enforcement_actions", FIRST, [acted("old"), acted("bought")])
    return Path(lake.settings.lake)


@pytest.fixture
def met(copy_of: Callable[[Path], Lake], begun: Path) -> Lake:
    """A copy of `begun`, of the test's own."""
    return copy_of(begun)


def test_own_history_or_else_that_of_honest_accounts_of_the_plan(met: Lake) -> None:
    rows = limits_on(met, FIRST)
    old, bought = rows["old", "all"], rows["bought", "all"]
    assert (old["history"], old["requests_a_day"], old["requests_an_hour"]) == ("own", 60, 30)
    assert (bought["history"], bought["requests_a_day"]) == ("plan", 30)
    assert (old["tokens_a_day"], bought["tokens_a_day"]) == (60_000, 30_000)
    assert (old["since"], old["step"], old["mode"]) == (FIRST, 1, "observe")
    assert bought["reason"] == (
        "30 requests a day, step 1 of 4: a busy day of honest accounts that pay by credits had "
        "20.0."
    )
    assert set(rows) == {("old", "all"), ("bought", "all")}


def test_days_shortly_before_the_evidence_are_no_history(met: Lake, fill: Fill) -> None:
    # A campaign first seen 35 days ago: of 40 days none lies 7 days before that and is enough.
    fill(met, "campaigns", FIRST, [{"campaign_id": "c1", "first_seen": FIRST - 35 * DAY}])
    fill(met, "campaign_members", FIRST, [
        {"campaign_id": "c1", "account_id": "old", "joined": FIRST},
    ])  # fmt: skip
    row = limits_on(met, FIRST)["old", "all"]
    assert (row["history"], row["since"]) == ("plan", FIRST - 35 * DAY)


def test_tightens_while_renewed_and_relaxes_when_not_and_ends(met: Lake, fill: Fill) -> None:
    night, seen = FIRST, [limits_on(met, FIRST)["bought", "all"]["requests_a_day"]]
    for renewed in (True, True, False, False, False, False):
        night += DAY
        people(met, fill, night, "old", "bought")
        fill(met, "enforcement_actions", night,
             [acted("bought", expires=night + 9 * DAY)] if renewed else [])  # fmt: skip
        row = limits_on(met, night).get(("bought", "all"))
        seen.append(row["requests_a_day"] if row else None)
    # 1.5 busy days, then a half and a quarter of that down to the promise of 10; back after two.
    assert seen == [30, 15, 10, 10, 15, 15, 30]


def test_the_same_night_twice_gives_the_same_rows(met: Lake, fill: Fill) -> None:
    limits_on(met, FIRST)
    people(met, fill, FIRST + DAY, "old", "bought")
    fill(met, "enforcement_actions", FIRST + DAY, [acted("bought")])
    once = limits_on(met, FIRST + DAY)
    again = limits_on(met, FIRST + DAY)
    assert once == again and once["bought", "all"]["step"] == 2
    assert limits_on(met, FIRST)["bought", "all"]["step"] == 1


def test_watched_resold_and_closed_accounts_have_no_limit(met: Lake, fill: Fill) -> None:
    people(met, fill, FIRST, "bought", status="suspended")
    assert limits_on(met, FIRST).get(("bought", "all")) is None
    people(met, fill, FIRST, "old", "bought")
    fill(met, "account_scores", FIRST, [
        {"account_id": "old", "distillation_score": 0.3, "resale_score": 0.9},
        {"account_id": "bought", "distillation_score": 0.9},
    ])  # fmt: skip
    fill(met, "enforcement_actions", FIRST, [
        acted("old", action="review"), acted("bought", action="watch"),
    ])  # fmt: skip
    assert limits_on(met, FIRST) == {}
    # A person decided to limit the reseller.
    fill(met, "enforcement_actions", FIRST, [acted("old", decision_id="d-1")])
    assert limits_on(met, FIRST)["old", "all"]["decision_id"] == "d-1"


def test_what_people_cleared_has_no_limit_from_that_night_on(met: Lake, fill: Fill) -> None:
    assert ("old", "all") in limits_on(met, FIRST)
    people(met, fill, FIRST + DAY, "old", "bought")
    decision = {
        "decision_id": "d-1", "verdict": "overturned", "subject_kind": "account",
        "subject": "old", "accounts": ["old"], "night": FIRST, "needs_approval": False,
    }  # fmt: skip
    fill(met, "decisions", FIRST + DAY, [decision])
    assert set(limits_on(met, FIRST + DAY)) == {("bought", "all")}
    # The night before, run again, does not know of it.
    assert ("old", "all") in limits_on(met, FIRST)


def test_a_campaign_shares_one_budget_that_new_accounts_do_not_raise(
    lake: Lake, fill: Fill
) -> None:
    members = [f"member_{n}" for n in range(6)]
    history(lake, fill, 7, [traffic(f"honest_{n}", 100) for n in range(5)])
    history(lake, fill, 7, [*(traffic(f"honest_{n}", 100) for n in range(5)),
                            *(traffic(m, 60) for m in members)])  # fmt: skip
    people(lake, fill, FIRST, *members, *(f"honest_{n}" for n in range(5)))
    fill(lake, "enforcement_actions", FIRST, [acted(m, campaign_id="c1") for m in members])
    rows = limits_on(lake, FIRST)
    (budget,) = lake.rows("campaign_budgets", FIRST, FIRST).to_pylist()
    # 6 accounts sent 360 a day: half of that, 30 each; by themselves 1.5 times 100.
    assert (budget["accounts"], budget["requests_a_day"], budget["step"]) == (6, 180, 1)
    assert {rows[m, "all"]["requests_a_day"] for m in members} == {30}
    assert sum(rows[m, "all"]["requests_a_day"] for m in members) <= 180
    assert (
        "Its campaign's 6 limited accounts share 180 requests a day."
        in (rows["member_0", "all"]["reason"])
    )
    more = [*members, "member_6", "member_7"]
    people(lake, fill, FIRST + DAY, *more)
    fill(lake, "enforcement_actions", FIRST + DAY, [acted(m, campaign_id="c1") for m in more])
    rows = limits_on(lake, FIRST + DAY)
    (budget,) = lake.rows("campaign_budgets", FIRST + DAY, FIRST + DAY).to_pylist()
    # A quarter of 360, 90 for eight; but their plan promises each 10.
    assert (budget["accounts"], budget["requests_a_day"], budget["step"]) == (8, 90, 2)
    assert min(rows[m, "all"]["requests_a_day"] for m in more) >= 10


def test_evidence_about_a_capability_limits_that_one_further(lake: Lake, fill: Fill) -> None:
    honest = [traffic(f"honest_{n}", 100, prompts_known=100, asks_rubric=20) for n in range(5)]
    narrow = traffic("narrow", 100, prompts_known=100, asks_rubric=90, asks_code=10)
    history(lake, fill, 7, [*honest, narrow])
    people(lake, fill, FIRST, "narrow", *(f"honest_{n}" for n in range(5)))
    fill(lake, "enforcement_actions", FIRST, [acted("narrow")])
    assert set(limits_on(lake, FIRST)) == {("narrow", "all")}
    fill(lake, "enforcement_actions", FIRST, [acted("narrow", evidence=["content", "time"])])
    rows = limits_on(lake, FIRST)
    assert set(rows) == {("narrow", "all"), ("narrow", "rubric")}
    assert rows["narrow", "all"]["requests_a_day"] == 150
    assert rows["narrow", "rubric"]["requests_a_day"] == 20
    assert rows["narrow", "rubric"]["reason"] == (
        "20 requests a day that ask for rubric: 90% of its requests do, of honest accounts' that "
        "pay by credits 20%."
    )


def test_a_night_without_actions_has_no_limits(lake: Lake, fill: Fill) -> None:
    fill(lake, "account_scores", FIRST, [{"account_id": "a"}])
    assert limits_on(lake, FIRST) == {}
    assert lake.rows("campaign_budgets", FIRST, FIRST).num_rows == 0


def test_limits_go_by_the_mode_of_their_night_and_not_of_the_actions(met: Lake, fill: Fill) -> None:
    fill(met, "enforcement_actions", FIRST, [acted("old", mode="enforce")])
    fill(met, "enforcement_mode", FIRST, [{"mode": "enforce"}])
    assert limits_on(met, FIRST)["old", "all"]["mode"] == "enforce"
    fill(met, "enforcement_mode", FIRST + DAY, [{"mode": "observe"}])
    people(met, fill, FIRST + DAY, "old")
    assert limits_on(met, FIRST + DAY)["old", "all"]["mode"] == "observe"


def test_a_limit_that_ended_begins_anew_also_when_nobody_was_limited_in_between(
    met: Lake, fill: Fill
) -> None:
    fill(met, "enforcement_actions", FIRST, [acted("bought")])
    limits_on(met, FIRST)
    night = FIRST + DAY
    people(met, fill, night, "bought")
    fill(met, "enforcement_actions", night, [acted("bought")])
    assert limits_on(met, night)["bought", "all"]["step"] == 2
    # The only limited account is let go: no row of a night says so.
    fill(met, "enforcement_actions", night + DAY, [acted("bought", action="watch")])
    people(met, fill, night + DAY, "bought", "honest_0")
    fill(met, "account_daily", night + DAY, [traffic("honest_0", 20)])
    assert limits_on(met, night + DAY) == {}
    people(met, fill, night + 2 * DAY, "bought")
    fill(met, "enforcement_actions", night + 2 * DAY, [acted("bought")])
    assert limits_on(met, night + 2 * DAY)["bought", "all"]["step"] == 1


def test_what_people_decided_keeps_the_step_of_a_budget(lake: Lake, fill: Fill) -> None:
    members = [f"member_{n}" for n in range(5)]
    history(lake, fill, 7, [traffic(member, 60) for member in members])
    steps = []
    for night, decided in ((FIRST, 0), (FIRST + DAY, 5), (FIRST + 2 * DAY, 4)):
        people(lake, fill, night, *members)
        fill(lake, "enforcement_actions", night, [
            acted(member, campaign_id="c1", decision_id="d-1" if n < decided else None)
            for n, member in enumerate(members)
        ])  # fmt: skip
        limits_on(lake, night)
        steps += lake.rows("campaign_budgets", night, night)["step"].to_pylist()
    # A decision renews no evidence; what the night found against one of them does.
    assert steps == [1, 1, 2]


def test_a_reason_names_the_plan_whose_history_it_is(lake: Lake, fill: Fill) -> None:
    history(lake, fill, 7, [traffic(f"honest_{n}", 20) for n in range(5)])
    people(lake, fill, FIRST, *(f"honest_{n}" for n in range(5)))
    rows = [{"account_id": "checked", "plan": "credits", "verified_organization": True},
            {"account_id": "alone", "plan": "enterprise"}, {"account_id": "unknown"}]  # fmt: skip
    plans = [{"account_id": f"honest_{n}", "plan": "credits"} for n in range(5)]
    fill(lake, "accounts", FIRST, [*plans, *rows])
    fill(lake, "enforcement_actions", FIRST, [acted(row["account_id"]) for row in rows])
    said = {name: row["reason"] for (name, _), row in limits_on(lake, FIRST).items()}
    assert "honest accounts that pay by credits had 20.0" in said["checked"]
    assert "nothing is known of honest accounts that pay by enterprise" in said["alone"]
    assert "nothing is known of honest accounts that pay by free" in said["unknown"]


def test_an_account_that_moves_to_another_campaign_shares_that_budget_alone(
    lake: Lake, fill: Fill
) -> None:
    members = [f"member_{n}" for n in range(11)]
    history(lake, fill, 7, [traffic(member, 60) for member in members])
    for night, first_of_c2 in ((FIRST, 6), (FIRST + DAY, 5)):
        people(lake, fill, night, *members)
        fill(lake, "enforcement_actions", night, [
            acted(member, campaign_id="c1" if n < first_of_c2 else "c2")
            for n, member in enumerate(members)
        ])  # fmt: skip
        limits_on(lake, night)
        rows = lake.rows("campaign_budgets", night, night).to_pylist()
        counted = {row["campaign_id"]: (row["accounts"], row["usual_requests_a_day"])
                   for row in rows}  # fmt: skip
        # What a campaign sent before its budget began stays as it was.
        assert counted == {"c1": (first_of_c2, 360.0), "c2": (11 - first_of_c2, 300.0)}
