"""The shadow beside what was done, and limits where they are shown: rows by hand."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from tests.conftest import NIGHT
from tests.desk.test_reading_pages import text

BEFORE, LATER = NIGHT - dt.timedelta(days=1), NIGHT + dt.timedelta(days=7)


@pytest.fixture
def shadowed(worked: Any, fill: Any) -> Any:
    """Two nights. Done: a1 to a3 under review, on the second a9 too. The shadow limits a1 and a2,
    a9 it suspends, a3 it only watches. The night before both has a fault, and no shadow."""

    def action(account: str, what: str, **more: Any) -> dict[str, Any]:
        return {"account_id": account, "action": what, "expires": LATER, "policy_version": "p",
                "campaign_id": None if account == "a9" else "c1", **more}  # fmt: skip

    group = ["a1", "a2", "a3"]
    for night in (BEFORE, NIGHT):
        fill(worked, "enforcement_actions", night, [
            *(action(a, "review", proposed="suspend") for a in group),
            *([action("a9", "review")] if night == NIGHT else []),
        ])  # fmt: skip
        fill(worked, "shadow_actions", night, [
            action("a1", "limit", policy_version="p2"), action("a2", "limit", policy_version="p2"),
            action("a3", "watch", policy_version="p2"),
            *([action("a9", "suspend", policy_version="p2")] if night == NIGHT else []),
        ])  # fmt: skip
        fill(worked, "shadow_nights", night, [{"policy_version": "p2", "model_version": "m/2"}])
        fill(worked, "shadow_scores", night, [
            {"account_id": a, "model_version": "m/2", "distillation_score": 0.7} for a in group
        ])  # fmt: skip
        fill(worked, "account_daily", night, [
            {"account_id": a, "requests": 10} for a in (*group, "a9")])  # fmt: skip
    fill(worked, "accounts", NIGHT, [
        {"account_id": a, "plan": "free", "signup_country": "NO", "organization_id": "o1"}
        for a in group] + [{"account_id": "a9", "plan": "enterprise", "signup_country": "SE"}],
    )  # fmt: skip
    fill(worked, "shadow_nights", BEFORE - dt.timedelta(days=1), [
        {"fault": "STILLWATCH_SHADOW_POLICY: <b>no</b> such file"}])  # fmt: skip
    return worked


def figures(page: str) -> dict[str, tuple[int, int]]:
    found = re.findall(
        r'<tr><th scope="row">([^<]+)</th><td class="right(?: strong)?">([\d,]+)</td>'
        r'<td class="right(?: strong)?">([\d,]+)</td></tr>', page)  # fmt: skip
    return {name: (int(a.replace(",", "")), int(b.replace(",", ""))) for name, a, b in found}


def test_figures_are_those_of_the_comparison(shadowed, as_role) -> None:
    from jobs.trials.shadowed import compared

    page = as_role("read").get("/compare")
    assert page.status_code == 200
    of, by_hand = compared(shadowed, BEFORE, NIGHT), figures(page.text)
    assert by_hand["Accounts touched"] == (4, 3)
    assert by_hand["Customers touched"] == (2, 2)
    assert by_hand["Accounts whose hardest action was limit"] == (0, 2)
    assert by_hand["Accounts whose hardest action was review"] == (4, 0)
    assert by_hand["Accounts whose hardest action was suspend"] == (0, 1)
    assert by_hand["Accounts proposed to be suspended"] == (3, 0)
    # What was done on the first night meets ten requests an account of the second.
    met = (of.done.exchanges_met, of.shadow.exchanges_met)
    assert by_hand["Requests that an action met"] == met == (30, 20)
    said = text(page)
    assert "policy p2 , model m/2" in said and "2 nights have a shadow" in said
    assert "3 accounts have scores of both models; they are 0.200 apart" in said
    assert "free 3 1 2 1" in said and "SE 1 1 1 1" in said


def test_where_they_differ_is_told_by_campaign(shadowed, as_role) -> None:
    page = as_role("read").get("/compare").text
    part = page[page.index("Groups that the two treat") :]
    rows = [" ".join(re.sub(r"<[^>]+>", " ", r).split())
            for r in re.findall(r"<tr><th scope=\"row\">.*?</tr>", part)][:3]  # fmt: skip
    assert rows == ["c1 review limit 2 a1", "c1 review nothing above watch 1 a3",
                    "none review suspend 1 a9"]  # fmt: skip


def test_a_night_without_its_shadow_says_why(shadowed, as_role, fill) -> None:
    page = as_role("read").get("/compare")
    assert "could not be made on 1 of the nights" in text(page)
    assert "&lt;b&gt;no&lt;/b&gt; such file" in page.text
    # No night but the one with a fault.
    for table in ("shadow_nights", "shadow_actions"):
        for night in (BEFORE, NIGHT):
            fill(shadowed, table, night, [])
    page = as_role("read").get("/compare")
    assert page.status_code == 200
    assert "such file" in page.text and "No night of these has a shadow" in text(page)


def test_a_shadow_that_acts_on_nobody_is_compared(shadowed, as_role, fill) -> None:
    for table in ("shadow_actions", "enforcement_actions"):
        for night in (BEFORE, NIGHT):
            fill(shadowed, table, night, [])
    page = as_role("read").get("/compare")
    assert page.status_code == 200 and "They would do the same" in text(page)


def test_limits_show_where_there_are_some(worked, as_role, fill) -> None:
    browser = as_role("read")
    assert "Rate limit of" not in browser.get("/account/a1").text
    assert "Budget in force" not in browser.get("/campaign/c1").text
    row = {"account_id": "a1", "expires": LATER, "mode": "observe", "requests_a_day": 1234,
           "reason": "half of <b>its own</b> busy day"}  # fmt: skip
    fill(worked, "rate_limits", NIGHT, [
        {**row, "capability": "all"}, {**row, "capability": "reasoning", "requests_a_day": 56},
        {**row, "account_id": "a2", "capability": "all", "expires": BEFORE}])  # fmt: skip
    fill(worked, "campaign_budgets", NIGHT, [
        {"campaign_id": "c1", "accounts": 3, "requests_a_day": 7890, "mode": "enforce"},
    ])  # fmt: skip
    page = browser.get("/account/a1")
    said = text(page)
    assert said.index("all 1 1 1,234") < said.index("reasoning 1 1 56")
    assert "1,234" in said and "only observed" in said and "&lt;b&gt;its own" in page.text
    assert "Rate limit of" not in browser.get("/account/a2").text
    assert "7,890" in text(browser.get("/campaign/c1"))


def test_a_limit_that_people_ended_is_said_to_be_over(worked, as_role, fill) -> None:
    from jobs import verdicts

    fill(worked, "rate_limits", NIGHT, [
        {"account_id": "a9", "expires": LATER, "capability": "all"}])  # fmt: skip
    browser = as_role("read")
    assert "ends the limit" not in browser.get("/account/a9").text
    verdicts.record(worked, verdict="benign", subject="a9", by="ana", reason="a class")
    assert "ends the limit" in browser.get("/account/a9").text


def test_a_limit_that_people_ordered_since_the_night_is_shown_at_once(
    worked, as_role, fill
) -> None:
    from jobs import verdicts

    fill(worked, "accounts", NIGHT, [{"account_id": "a9", "plan": "pay_as_you_go"}])
    fill(worked, "plan_usage", NIGHT, [
        {"plan": "pay_as_you_go", "accounts": 5, "usual_requests_a_day": 822.0}])  # fmt: skip
    fill(worked, "rate_limits", NIGHT, [])
    browser = as_role("read")
    assert "Rate limit of" not in browser.get("/account/a9").text
    verdicts.record(worked, verdict="distillation", subject="a9", action="limit", by="ana",
                    reason="one list")  # fmt: skip
    said = text(browser.get("/account/a9"))
    # 1.5 times what honest accounts of its plan send on a busy day.
    assert "since people decided" in said and "1,233" in said and "ends the limit" not in said
    verdicts.record(worked, verdict="benign", subject="a9", by="ben", reason="a class")
    assert "Rate limit of" not in browser.get("/account/a9").text
