"""Cases, decisions, approvals, appeals and the mode, as people work through them at the desk."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.desk.conftest import Browser, run_log

BENIGN = {"verdict": "benign", "reason": "a class of students"}


def decisions(lake: Any) -> list[dict[str, Any]]:
    rows = lake.rows("decisions").to_pylist()
    return sorted(rows, key=lambda row: row["decided_at"])


def seen_on(browser: Browser, page: str) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', browser.get(page).text)
    assert found
    return found[1]


def shown_cases(browser: Browser) -> list[str]:
    return re.findall(r'<th scope="row"><a class="id" href="([^"]*)"', browser.get("/queue").text)


def test_the_queue_is_ordered_by_what_is_at_stake(as_role: Callable[..., Browser]) -> None:
    browser = as_role("read")
    assert shown_cases(browser) == ["/campaign/c1", "/account/a9"]
    text = browser.get("/queue").text
    assert "<strong>2</strong> cases wait" in text and "640,026 exchanges" in text


@pytest.mark.parametrize("page", ["/", "/queue"])
def test_a_case_says_of_how_many_members_its_accounts_are(
    as_role: Callable[..., Browser], worked: Any, fill: Callable[..., int], night: Any, page: str
) -> None:
    fill(worked, "campaigns", night, [{"campaign_id": "c1", "accounts": 160}])
    text = " ".join(re.sub(r"<[^>]+>", " ", as_role("read").get(page).text).split())
    assert "640,000 3 of 160 members" in text and "26 1 0.90" in text


def test_a_case_is_claimed_by_one_and_released_by_them(as_role: Callable[..., Browser]) -> None:
    ana, bob = as_role("decide", "ana"), as_role("decide", "bob")
    assert ana.send("/queue/claim", subject="c1").status_code == 303
    refused = bob.send("/queue/claim", subject="c1")
    assert refused.status_code == 400 and "ana works on c1" in refused.text
    assert bob.send("/queue/release", subject="c1").status_code == 400
    assert "Release c1" in ana.get("/queue").text
    assert ana.send("/queue/release", subject="c1").status_code == 303
    assert bob.send("/queue/claim", subject="c1").status_code == 303


def test_a_second_look_is_asked_for_with_a_note(as_role: Callable[..., Browser]) -> None:
    ana = as_role("decide", "ana")
    ana.send("/queue/second-look", subject="c1", note="is it a <b>class</b>?")
    assert "is it a &lt;b&gt;class&lt;/b&gt;?" in as_role("decide", "bob").get("/queue").text


def words(page: str) -> str:
    """A page's text without its marks."""
    return re.sub(r"<[^>]+>", "", page)


def test_a_decision_on_an_operation_takes_its_case_off_the_queue(
    as_role: Callable[..., Browser], worked: Any
) -> None:
    ana = as_role("decide", "ana")
    answer = ana.send(
        "/decide", subject="c1", seen="", verdict="distillation", action="limit",
        reason="one list of prompts", expires="2026-06-03",
    )  # fmt: skip
    assert answer.status_code == 303
    (row,) = decisions(worked)
    assert (row["decided_by"], row["verdict"], row["action"], row["accounts"]) == (
        "ana", "distillation", "limit", ["a1", "a2", "a3"],
    )  # fmt: skip
    assert (row["expires"], row["date"]) == (dt.date(2026, 6, 3), dt.date(2026, 5, 4))
    assert "one list of prompts" in ana.get(answer.headers["location"]).text
    assert shown_cases(ana) == ["/account/a9"]
    # The first page says at once what holds since, and then what was lifted of it.
    assert (
        "in force at once (only observed, nothing is carried out): limit 3 accounts."
        in " ".join(words(ana.get("/").text).split())
    )
    ana.send("/decide", subject="a1", seen=row["decision_id"], verdict="benign", reason="a class")
    said = " ".join(words(ana.get("/").text).split())
    assert ": limit 2 accounts, lifted 1 account." in said


@pytest.mark.parametrize(
    "fields",
    [{"account": ["a1", "a2"]}, {"accounts": "a1\r\n a2,"}, {"accounts": "a2", "account": "a1"}],
)
def test_a_decision_on_some_members_is_on_those_alone(
    as_role: Callable[..., Browser], worked: Any, fields: dict[str, Any]
) -> None:
    answer = as_role("decide").send(
        "/decide", subject="c1", seen="", which="some", **fields, **BENIGN
    )
    assert answer.status_code == 303
    assert decisions(worked)[0]["accounts"] == ["a1", "a2"]


def test_ticked_members_count_only_when_some_are_chosen(
    as_role: Callable[..., Browser], worked: Any
) -> None:
    as_role("decide").send("/decide", subject="c1", seen="", which="all", account="a1", **BENIGN)
    assert decisions(worked)[0]["accounts"] == ["a1", "a2", "a3"]


def test_a_vetting_covers_what_is_ticked_until_its_day(
    as_role: Callable[..., Browser], worked: Any
) -> None:
    browser = as_role("decide")
    vetted = {"subject": "a9", "seen": "", "verdict": "vetted", "reason": "an evaluation vendor"}
    assert browser.send("/decide", **vetted).status_code == 400
    browser.send("/decide", **vetted, expires="2026-12-31", evidence=["content"])
    (row,) = decisions(worked)
    assert (row["evidence"], row["expires"]) == (["content"], dt.date(2026, 12, 31))


def test_of_two_people_at_once_one_wins_and_the_other_is_told(
    as_role: Callable[..., Browser], worked: Any
) -> None:
    ana, bob = as_role("decide", "ana"), as_role("decide", "bob")
    first, second = seen_on(ana, "/campaign/c1"), seen_on(bob, "/campaign/c1")
    assert ana.send("/decide", subject="c1", seen=first, **BENIGN).status_code == 303
    told = bob.send("/decide", subject="c1", seen=second, verdict="resale", reason="sold on")
    assert told.status_code == 409
    for words in ("Somebody was faster", "<bdi>ana</bdi>", "benign", "a class of students",
                  'href="/campaign/c1"'):  # fmt: skip
        assert words in told.text
    assert [row["decided_by"] for row in decisions(worked)] == ["ana"]
    again = seen_on(bob, "/campaign/c1")
    resale = {"subject": "c1", "seen": again, "verdict": "resale", "reason": "sold on"}
    # Whom ana cleared is not among "all": bob has to say that they are meant.
    refused = bob.send("/decide", **resale)
    assert refused.status_code == 400 and "people cleared all 3 members" in refused.text
    assert "also those that people cleared" in bob.get("/campaign/c1").text
    assert bob.send("/decide", **resale, which="everybody").status_code == 303
    assert decisions(worked)[-1]["accounts"] == ["a1", "a2", "a3"]


def test_a_suspension_that_needs_two_is_approved_by_another(
    as_role: Callable[..., Browser], worked: Any, fill: Callable[..., int], night: Any
) -> None:
    fill(worked, "accounts", night, [{"account_id": "a9", "verified_organization": True}])
    ana, lead = as_role("approve", "ana"), as_role("approve", "lea")
    answer = ana.send("/decide", subject="a9", seen="", verdict="distillation", action="suspend",
                      reason="it sends a list")  # fmt: skip
    assert "waits for a second person" in ana.get(answer.headers["location"]).text
    (first,) = decisions(worked)
    assert first["needs_approval"]
    own = {"answers": first["decision_id"], "verdict": "approved", "reason": "I agree"}
    assert 'value="approved"' not in ana.get("/approvals").text
    refused = ana.send("/approvals", **own)
    assert refused.status_code == 400 and "another person" in refused.text
    assert as_role("decide", "dan").send("/approvals", **own).status_code == 403
    assert 'value="approved"' in lead.get("/approvals").text
    assert lead.send("/approvals", **own).status_code == 303
    assert "No decision waits" in lead.get("/approvals").text
    assert lead.send("/approvals", **own).status_code == 409
    assert [row["verdict"] for row in decisions(worked)] == ["distillation", "approved"]


def test_what_waits_for_approval_is_said_on_the_first_page_and_in_the_menu(
    as_role: Callable[..., Browser], worked: Any, fill: Callable[..., int], night: Any
) -> None:
    def said(browser: Browser, page: str = "/") -> str:
        return " ".join(words(browser.get(page).text).split())

    fill(worked, "accounts", night, [
        {"account_id": a, "verified_organization": True} for a in ("a1", "a9")])  # fmt: skip
    ana, lea, dan = as_role("approve", "ana"), as_role("approve", "lea"), as_role("decide", "dan")
    assert "for approval" not in said(ana) and "Approvals Appeals" in said(ana)
    ask = {"seen": "", "verdict": "distillation", "action": "suspend", "reason": "it sends a list"}
    ana.send("/decide", subject="a9", **ask)
    assert "1 decision waits for approval, and nothing follows until then. You may answer none: "\
        "nobody answers their own." in said(ana)  # fmt: skip
    dan.send("/decide", subject="a1", **ask)
    assert "2 decisions wait for approval" in said(dan)
    assert "You may answer none: that needs the role approve." in said(dan)
    assert "You may answer 1." in said(ana) and "You may answer 2." in said(lea)
    assert 'href="/approvals"' in lea.get("/").text
    assert "Approvals 2 waiting Appeals" in said(lea, "/queue")
    # What came of it stands beside the decision, for it and for those that still wait.
    assert "waits for a second person" in said(lea, "/account/a9")
    first, second = decisions(worked)
    lea.send("/approvals", answers=first["decision_id"], verdict="approved", reason="I agree")
    lea.send("/approvals", answers=second["decision_id"], verdict="rejected", reason="too much")
    assert "suspend" in said(lea, "/account/a9") and "approved by lea" in said(lea, "/account/a9")
    assert "waits for a second person" not in said(lea, "/account/a9")
    assert "rejected by lea" in said(lea, "/account/a1")
    assert "for approval" not in said(lea) and "Approvals Appeals" in said(lea)


def test_an_appeal_is_written_down_and_overturned(
    as_role: Callable[..., Browser], worked: Any
) -> None:
    ana = as_role("decide", "ana")
    ana.send("/appeal", subject="a9", verdict="appealed", seen="", reason="we are a school")
    assert "we are a school" in ana.get("/appeals").text
    page = ana.get("/account/a9").text
    assert "we are a school" in page and 'value="overturned"' in page
    (first,) = decisions(worked)
    answer = ana.send("/appeal", subject="a9", verdict="overturned", reason="they are",
                      answers=first["decision_id"], seen=first["decision_id"])  # fmt: skip
    assert answer.status_code == 303
    assert "No appeal waits" in ana.get("/appeals").text
    last = decisions(worked)[-1]
    assert (last["verdict"], last["answers"]) == ("overturned", first["decision_id"])


def test_who_decided_gets_no_form_to_answer_the_appeal_against_it(
    as_role: Callable[..., Browser], worked: Any
) -> None:
    ana, ben = as_role("decide", "ana"), as_role("decide", "ben")
    ana.send("/decide", subject="a9", verdict="distillation", action="limit", seen="",
             reason="a list")  # fmt: skip
    (made,) = decisions(worked)
    ben.send("/appeal", subject="a9", verdict="appealed", seen=made["decision_id"], reason="no")
    assert "another person has to answer it" in ana.get("/account/a9").text
    assert 'value="overturned"' in ben.get("/account/a9").text
    appeal = decisions(worked)[-1]["decision_id"]
    refused = ana.send("/appeal", subject="a9", verdict="upheld", reason="it is",
                       answers=appeal, seen=appeal)  # fmt: skip
    assert refused.status_code == 400 and "another person" in words(refused.text)
    assert len(decisions(worked)) == 2


def test_the_mode_is_changed_with_a_reason_and_shown_on_every_page(
    as_role: Callable[..., Browser], worked: Any
) -> None:
    admin = as_role("administer", "root")
    assert "<strong>Observe:</strong>" in admin.get("/queue").text
    assert admin.send("/mode", mode="enforce", reason="").status_code == 400
    assert admin.send("/mode", mode="wild", reason="why not").status_code == 400
    assert admin.send("/mode", mode="enforce", reason="we are ready").status_code == 303
    assert "<strong>Enforce:</strong>" in as_role("read").get("/queue").text
    assert "we are ready" in admin.get("/mode").text


def test_the_mode_says_what_follows_at_once_and_a_limit_goes_by_it(
    as_role: Callable[..., Browser], worked: Any, fill: Callable[..., int], night: dt.date
) -> None:
    held = {"account_id": "a1", "expires": night + dt.timedelta(days=3)}
    fill(worked, "rate_limits", night, [held | {"capability": "all", "mode": "observe"}])
    fill(worked, "enforcement_actions", night, [held | {"action": "limit"}])
    admin = as_role("administer", "root")
    assert "only observed, nothing is refused" in admin.get("/account/a1").text
    admin.send("/mode", mode="enforce", reason="we are ready")
    text = admin.get("/mode").text
    assert "from now on" not in text and "Files that are out stay as they are" in text
    assert "Rows of earlier nights keep theirs" in text
    # The night wrote observe beside it; what holds now is said.
    assert "only observed, nothing is refused" not in admin.get("/account/a1").text


def test_a_night_that_failed_is_said_in_red_and_the_desk_stays_readable(
    as_role: Callable[..., Browser], worked: Any, fill: Callable[..., int], night: dt.date
) -> None:
    browser = as_role("read")
    assert "Night of 2026-05-03: every step done." in browser.get("/queue").text
    next_night = night + dt.timedelta(days=1)
    fill(worked, "run_log", next_night, run_log(next_night, failed="check_landed"))
    page = browser.get("/queue")
    assert page.status_code == 200
    assert (
        '<p class="bad"><strong>The night of 2026-05-04 failed</strong> in check_landed'
        in page.text
    )
    assert "a check &lt;b&gt;stopped&lt;/b&gt; it" in page.text
    assert "What is shown is of the night of 2026-05-03." in page.text
    assert shown_cases(browser) == ["/campaign/c1", "/account/a9"]
    fill(worked, "run_log", next_night, run_log(next_night)[:3])
    assert "The night of 2026-05-04 is not finished." in browser.get("/queue").text


def test_a_night_that_stopped_before_its_cases_is_no_empty_queue(
    as_role: Callable[..., Browser], worked: Any, fill: Callable[..., int], night: dt.date
) -> None:
    later = night + dt.timedelta(days=1)
    fill(worked, "run_log", later, run_log(later, failed="check_scored"))
    fill(worked, "account_scores", later, [{"account_id": "a1", "model_version": "m/1"}])
    text = as_role("read").get("/queue").text
    assert "failed</strong> in check_scored" in text
    assert "Nothing waits for a decision." not in text


def test_a_night_run_again_is_judged_by_its_last_run(
    as_role: Callable[..., Browser], worked: Any, fill: Callable[..., int], night: dt.date
) -> None:
    later = [r | {"started_at": r["started_at"] + dt.timedelta(hours=5), "run_id": "again"}
             for r in run_log(night)]  # fmt: skip
    fill(worked, "run_log", night, run_log(night, failed="decide") + later)
    assert "every step done" in as_role("read").get("/queue").text


def test_a_decision_on_a_night_that_is_not_the_last_any_more_is_refused(
    as_role: Callable[..., Browser], worked: Any
) -> None:
    ana = as_role("decide", "ana")
    assert 'name="night" value="2026-05-03"' in ana.get("/campaign/c1").text
    answer = ana.send("/decide", subject="c1", seen="", night="2026-05-02", **BENIGN)
    assert answer.status_code == 400 and "since you looked" in answer.text
    assert decisions(worked) == []
    assert ana.send("/decide", subject="c1", seen="", night="2026-05-03", **BENIGN).is_redirect
