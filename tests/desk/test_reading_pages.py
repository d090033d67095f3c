"""What the reading pages show of few rows that a reader can check by hand."""

from __future__ import annotations

import datetime as dt
import re
import time
from typing import Any

import pytest

from jobs import verdicts
from tests.conftest import NIGHT
from tests.desk.conftest import run_log

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '=HYPERLINK("http://x")',
    "a\u202egnp.exe\u0000\x1b[31m",
    "{{ 7 * 7 }} {% raw %}",
    "$\\frac{1}{2}$",
)
BEFORE = NIGHT - dt.timedelta(days=1)


def text(page: Any) -> str:
    """The page's words, without markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


def campaign(name: str, **more: Any) -> dict[str, Any]:
    return {"campaign_id": name, "accounts": 3, "score": 0.01, "kind": "unknown", **more}


def test_the_first_page_says_what_changed(worked, as_role, fill) -> None:
    fill(worked, "account_scores", BEFORE, [{"account_id": "a1"}])
    fill(worked, "campaigns", BEFORE, [campaign("c1", accounts=2), campaign("c7", accounts=40)])
    fill(worked, "campaigns", NIGHT, [campaign("c1", accounts=30, score=0.93),
                                      campaign("c7", accounts=41), campaign("c2")])  # fmt: skip
    fill(worked, "campaign_events", NIGHT, [
        {"campaign_id": "c2", "event": "founded", "accounts": 3},
        {"campaign_id": "c8", "event": "merged", "other_campaign_id": "c1", "accounts": 5},
    ])  # fmt: skip
    said = text(as_role("read").get("/"))
    assert "1 new" in said and "1 merged" in said
    # One account more of 40 is no growth.
    assert "1 grown" in said and "c7" not in said
    assert "merged into c1" in said


def test_the_first_page_counts_actions_by_rung(worked, as_role, fill) -> None:
    def row(account: str, action: str, last: dt.date) -> dict[str, Any]:
        return {"account_id": account, "action": action, "expires": last}

    fill(worked, "account_scores", BEFORE, [{"account_id": "a1"}])
    later = NIGHT + dt.timedelta(days=5)
    fill(worked, "enforcement_actions", BEFORE, [
        row("a1", "limit", later), row("a2", "limit", BEFORE), row("a3", "limit", later),
        row("a4", "limit", later),
    ])  # fmt: skip
    fill(worked, "enforcement_actions", NIGHT, [row("a1", "review", later),
                                                row("a9", "watch", later)])  # fmt: skip
    fill(worked, "decisions", NIGHT, [{"verdict": "benign", "accounts": ["a3"]}])
    page = as_role("read").get("/").text
    of = dict(re.findall(r'<span class="pill (\w+)">\w+</span></th>(.*?)</tr>', page))
    counts = {name: [int(n) for n in re.findall(r">(\d+)<", row)] for name, row in of.items()}
    # In force, before, taken, moved, expired, lifted: a4 stays, a1 moves, a2 ends, a3 is lifted.
    assert counts["limit"] == [1, 4, 0, 1, 1, 1]
    assert counts["review"] == [1, 0, 1, 0, 0, 0]
    assert counts["watch"] == [1, 0, 1, 0, 0, 0]


def test_cases_stand_by_what_is_at_stake(as_role) -> None:
    said = text(as_role("read").get("/"))
    assert said.index("c1") < said.index("a9")
    assert "640,000" in said and "2 cases wait" in said


def test_a_failed_night_leaves_the_night_before(worked, as_role, fill) -> None:
    failed = NIGHT + dt.timedelta(days=1)
    fill(worked, "account_scores", failed, [{"account_id": "of-the-failed-night"}])
    fill(worked, "campaigns", failed, [campaign("c-of-the-failed-night")])
    fill(worked, "run_log", failed, run_log(failed, failed="check_scored"))
    browser = as_role("read")
    page = browser.get("/")
    assert page.status_code == 200
    assert 'class="bad"' in page.text and "failed" in page.text
    assert f"Night of {NIGHT}" in text(page) and "c-of-the-failed-night" not in page.text
    assert browser.get("/campaign/c1").status_code == 200
    assert browser.get("/campaign/c-of-the-failed-night").status_code == 404


@pytest.mark.parametrize("path", ["/", "/search?q=abc", "/compare", "/campaign/c1", "/account/a1"])
def test_an_empty_lake_is_no_error(path: str, bare_lake, tmp_path) -> None:
    from desk.app import create_app
    from desk.settings import DeskSettings
    from tests.desk.conftest import Browser

    app = create_app(bare_lake.settings, DeskSettings(tmp_path / "state"))
    browser = Browser(app)
    browser.client.cookies.set("stillwatch-desk", app.state.sessions.start("r", "read", "test"))
    page = browser.get(path)
    assert page.status_code == (200 if path == "/" else 404)
    assert "No night has been scored yet" in page.text


@pytest.mark.parametrize("path", [
    "/campaign/none", "/account/none", "/chart/campaign/past.svg/none",
    "/chart/campaign/other.svg/c1", "/chart/account/past.svg/none", "/rows/accounts/2026-05-03/no",
    "/rows/run_log/2026-05-03/a1", "/rows/request_text/2026-05-03/a1", "/rows/accounts/today/a1",
    "/campaign/" + "x" * 4000, "/account/%00", "/account/%ff%fe", "/campaign/..%2f..%2fetc",
])  # fmt: skip
def test_what_is_not_there_is_not_found(path: str, as_role) -> None:
    assert as_role("read").get(path).status_code == 404


@pytest.mark.parametrize("asked", [*HOSTILE, "' or 1=1 --", "%", "ab", "", "x" * 5000, "\ud800"])
def test_search_takes_anything(asked: str, as_role) -> None:
    page = as_role("read").get("/search", params={"q": asked.encode("utf-8", "surrogatepass")})
    assert page.status_code == 200
    assert "<script>alert" not in page.text and "onerror=alert(1)>" not in page.text
    assert "\u202e" not in page.text and "49 " not in text(page)
    assert "a1" not in text(page)


def test_search_finds_by_beginning_and_by_token(worked, as_role, fill) -> None:
    fill(worked, "accounts", NIGHT, [
        {"account_id": "acct_one"}, {"account_id": "acct_two"},
        {"account_id": "other", "payment_token": "f00dfeed99"},
    ])  # fmt: skip
    fill(worked, "account_indicators", NIGHT, [
        {"account_id": "acct_one", "kind": "address", "token": "beef0123456789", "requests": 1},
        {"account_id": "a9", "kind": "address", "token": "beef0123456789", "requests": 1},
    ])  # fmt: skip
    browser = as_role("read")
    assert "acct_one" in browser.get("/search?q=acct_").text
    assert "acct_two" in browser.get("/search?q=acct_").text
    token = browser.get("/search?q=beef0123456789")
    assert "acct_one" in text(token) and "a9" in text(token) and "acct_two" not in text(token)
    # Masked where people read it.
    assert "beef01…" in text(browser.get("/search?q=beef"))
    assert "beef0123456789" not in text(browser.get("/search?q=beef"))
    assert "other" in text(browser.get("/search?q=f00dfeed99"))


def test_hostile_words_are_words(worked, as_role, fill) -> None:
    """Ids, reasons, templates and tokens full of what means something elsewhere."""
    from urllib.parse import quote

    long = "z" * 1_000_000
    for name in HOSTILE:
        fill(
            worked, "campaigns", NIGHT, [campaign(name, summary=name + long, reasons=[name, long])]
        )
        fill(worked, "accounts", NIGHT, [{"account_id": a} for a in (name, "b1", "b2")])
        fill(worked, "campaign_members", NIGHT, [
            {"campaign_id": name, "account_id": a} for a in (name, "b1", "b2")])  # fmt: skip
        fill(worked, "account_scores", NIGHT, [
            {"account_id": name, "campaign_id": name, "reasons": [name, long]}])  # fmt: skip
        fill(worked, "account_indicators", NIGHT, [
            {"account_id": a, "kind": "settings", "token": name, "requests": 1}
            for a in (name, "b1", "b2")])  # fmt: skip
        fill(worked, "account_templates", NIGHT, [
            {"account_id": a, "template_key": name, "requests": 1, "prompts": 1}
            for a in (name, "b1", "b2")])  # fmt: skip
        browser = as_role("decide")
        whole = quote(name, safe="")
        for path in ("/campaign/", "/account/", f"/rows/account_templates/{NIGHT}/",
                     "/chart/campaign/binding.svg/", "/chart/account/past.svg/"):  # fmt: skip
            page = browser.get(path + whole)
            assert page.status_code == 200, (path, name)
            assert "<script>alert" not in page.text and "<img src=x" not in page.text
            # A form's hidden fields carry ids as they are; nobody reads them there.
            read = page.text if ".svg" in path else text(page)
            assert "\u202e" not in read and "\x1b" not in read
            assert len(page.content) < 400_000, path


def test_an_operation_of_3_000_makes_a_page_that_can_be_read(worked, as_role, fill) -> None:
    members = [f"m{n:04d}" for n in range(3000)]
    fill(worked, "campaigns", NIGHT, [campaign("big", accounts=3000, score=0.99)])
    fill(worked, "campaign_members", NIGHT, [
        {"campaign_id": "big", "account_id": m} for m in members])  # fmt: skip
    fill(worked, "account_daily", NIGHT, [
        {"account_id": m, "requests": 26, "hour_03": 26} for m in members])  # fmt: skip
    fill(worked, "account_indicators", NIGHT, [
        {"account_id": m, "kind": "address", "token": f"tok{at % 40}", "requests": 1}
        for at, m in enumerate(members)])  # fmt: skip
    browser = as_role("decide")
    start = time.monotonic()
    page = browser.get("/campaign/big")
    assert page.status_code == 200 and time.monotonic() - start < 20
    assert len(page.content) < 400_000
    assert "Page 1 of 60" in text(page)
    assert "m2999" in browser.get("/campaign/big?sort=account&page=60").text
    assert "m2999" in browser.get("/campaign/big?sort=account&page=99999999").text
    assert browser.get("/campaign/big?sort=x;drop").status_code == 200
    for name in ("past", "asked", "binding", "hours"):
        picture = browser.get(f"/chart/campaign/{name}.svg/big")
        assert picture.headers["content-type"].startswith("image/svg+xml")
        assert len(picture.content) < 1_000_000
        assert b"<script" not in picture.content


def costs(browser: Any) -> dict[str, list[int]]:
    """Figures of the cost table of c1, by action."""
    page = browser.get("/campaign/c1").text
    cost = page[page.index('id="cost"') : page.index('id="members"')]
    rows = dict(re.findall(r'<span class="pill (\w+)">\w+</span></th>(.*?)</tr>', cost, re.DOTALL))
    return {name: [int(n) for n in re.findall(r'right[^>]*">(\d+)<', row)]
            for name, row in rows.items()}  # fmt: skip


def test_cost_counts_who_is_not_acted_on_yet(worked, as_role, fill) -> None:
    fill(worked, "accounts", NIGHT, [
        {"account_id": "a1", "plan": "free", "verified_organization": False},
        {"account_id": "a2", "plan": "enterprise", "verified_organization": True,
         "organization_id": "o1"},
        {"account_id": "a3", "plan": "free"},
    ])  # fmt: skip
    fill(worked, "account_daily", NIGHT, [
        {"account_id": a, "requests": n}
        for a, n in (("a1", 5), ("a2", 7), ("a3", 11))])  # fmt: skip
    fill(worked, "enforcement_actions", NIGHT, [
        {"account_id": "a1", "action": "limit", "expires": NIGHT + dt.timedelta(days=3)},
        {"account_id": "a3", "action": "suspend", "expires": NIGHT - dt.timedelta(days=1)},
    ])  # fmt: skip
    figures = costs(as_role("read"))
    # Accounts, requests, tokens, organizations, verified, low scores: a1 is limited already, what
    # a3 was under has expired.
    assert figures["limit"][:5] == [2, 18, 0, 1, 1]
    assert figures["suspend"][:5] == [3, 23, 0, 1, 1]


def test_what_was_decided_since_the_night_is_on_the_pages_at_once(worked, as_role, fill) -> None:
    fill(worked, "account_scores", NIGHT, [
        {"account_id": a, "campaign_id": "c1", "distillation_score": 0.9} for a in ("a1", "a2")
    ])  # fmt: skip
    browser = as_role("read")
    assert costs(browser)["suspend"][0] == 3 and costs(browser)["review"][0] == 0
    verdicts.record(worked, verdict="distillation", subject="c1", by="ana", reason="one list",
                    action="suspend", accounts=["a1"])  # fmt: skip
    verdicts.record(worked, verdict="overturned", subject="a2", by="ana", reason="a school")
    found = costs(browser)
    # Of a1, a2 and a3 the first is suspended now, the second under nothing, the third to review.
    assert (found["review"][0], found["suspend"][0]) == (1, 2)
    # Accounts, requests, tokens, organizations, verified, low scores, without a score: a3.
    assert found["suspend"][5:7] == [0, 1]
    page = browser.get("/campaign/c1?sort=account").text
    members = re.findall(r'href="/account/(a\d)".*?</tr>', page[page.index('id="members"') :])
    rows = page[page.index('id="members"') :].split("</tr>")[1:4]
    assert members[:3] == ["a1", "a2", "a3"]
    assert ["pill suspend" in rows[0], "pill" in rows[1], "pill review" in rows[2]] == [
        True, False, True,
    ]  # fmt: skip
    facts = {name: text(browser.get(f"/account/{name}")) for name in ("a1", "a2", "a3")}
    assert "In force suspend to" in facts["a1"] and "by a person's decision" in facts["a1"]
    assert "In force nothing: people ended what the nights did" in facts["a2"]
    assert "In force review to" in facts["a3"] and "by policy" in facts["a3"]


def test_rows_behind_a_reason_are_the_accounts_own(worked, as_role, fill) -> None:
    fill(worked, "account_templates", NIGHT, [
        {"account_id": "a1", "template_key": "0123456789abcdef", "requests": 4, "prompts": 1},
        {"account_id": "a2", "template_key": "ffff456789abcdef", "requests": 9, "prompts": 1},
    ])  # fmt: skip
    page = as_role("read").get(f"/rows/account_templates/{NIGHT}/a1")
    assert "012345…" in text(page)
    assert "0123456789abcdef" not in page.text and "ffff45" not in text(page)


def test_what_if_follows_the_form(as_role) -> None:
    browser = as_role("read")
    page = text(browser.get("/account/a1?if=1&score=0.61&family=time&family=content"))
    assert "Then: limit" in page
    page = text(browser.get("/account/a1?if=1&score=0.61&family=time"))
    assert "Then: watch" in page
    assert browser.get("/account/a1?if=1&score=nan&family=<b>&kind=x").status_code == 200


def test_no_shadow_is_said(as_role) -> None:
    assert "Nothing runs in shadow" in as_role("read").get("/compare").text


def test_a_page_made_once_is_made_again_only_when_the_lake_changes(worked, as_role, fill) -> None:
    browser = as_role("read")
    assert "/campaign/c5" not in browser.get("/").text
    fill(worked, "campaign_events", NIGHT, [
        {"campaign_id": "c5", "event": "gone", "accounts": 4}])  # fmt: skip
    assert "/campaign/c5" in browser.get("/").text
