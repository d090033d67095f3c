"""Second reviews: drawn by the night, judged at the desk, and blind."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NIGHT
from tests.desk.conftest import Browser

BEFORE, NEXT = NIGHT - dt.timedelta(days=1), NIGHT + dt.timedelta(days=1)
#: All decided cases come back, and as many planted.
_SHARES = ("share = 0.1", "share = 1.0"), ("planted = 0.25", "planted = 0.5")


@pytest.fixture
def reviewed(worked: Any, fill: Any, tmp_path: Path) -> Any:
    """ana and ben decided on two accounts each on the evidence of the night before; of k0 to k7
    the answer is known since."""
    from jobs.catalog.enforcement import SHIPPED
    from jobs.platform.lake import Lake

    text = SHIPPED.read_text(encoding="utf-8")
    head, tail = text.split("[second_reviews]")
    for before, after in _SHARES:
        tail = tail.replace(before, after, 1)
    policy = tmp_path / "policy.toml"
    policy.write_text(f"{head}[second_reviews]{tail}", encoding="utf-8")
    lake = Lake(dataclasses.replace(worked.settings, policy=str(policy)))
    everyone = [f"d{n}" for n in range(4)] + [f"k{n}" for n in range(8)]
    for night in (BEFORE, NIGHT, NEXT):
        fill(lake, "account_scores", night, [
            {"account_id": a, "distillation_score": 0.9,
             "evidence": ["content", "label"] if a[0] == "d" else ["content"],
             "reasons": ["It sends one list"]}
            for a in everyone])  # fmt: skip
        fill(lake, "account_daily", night, [
            {"account_id": a, "requests": 26, "output_tokens": 900} for a in everyone])  # fmt: skip
        fill(lake, "accounts", night, [
            {"account_id": a, "plan": "free", "signup_country": "NO",
             "created_at": dt.datetime(2026, 3, 4, tzinfo=dt.UTC)} for a in everyone])  # fmt: skip
    fill(lake, "enforcement_actions", NIGHT, [])
    fill(lake, "labels", NIGHT, [
        {"account_id": f"k{n}", "label": "benign", "source": "appeal_upheld"} for n in range(8)
    ])  # fmt: skip
    # Known on the case's night, and told where it may be: of none whose answer is known, though.
    fill(lake, "labels", BEFORE, [
        {"account_id": f"d{n}", "label": "resale", "source": "confirmed_ban"} for n in range(4)
    ])  # fmt: skip
    fill(lake, "decisions", NIGHT, [
        {"decision_id": f"dec-{n}", "decided_by": "ana" if n % 2 else "ben", "subject": f"d{n}",
         "verdict": "resale", "subject_kind": "account", "accounts": [f"d{n}"], "night": BEFORE,
         "reason": "the first word on it", "action": "suspend"} for n in range(4)])  # fmt: skip
    return lake


@pytest.fixture
def browser(reviewed: Any, tmp_path: Path) -> Any:
    from desk.app import create_app
    from desk.settings import DeskSettings

    app = create_app(reviewed.settings, DeskSettings(tmp_path / "state"))

    def of(name: str, role: str = "decide") -> Browser:
        made = Browser(app)
        secret = app.state.sessions.start(name, role, "test")
        made.client.cookies.set("stillwatch-desk", secret)
        return made

    return of


def drawn(lake: Any) -> list[dict[str, Any]]:
    rows = lake.rows("blind_reviews").to_pylist() if lake.exists("blind_reviews") else []
    return sorted(rows, key=lambda row: row["review_id"])


def cases_of(browser: Any) -> list[str]:
    return re.findall(r'href="/reviews/(r-[0-9a-f]+)"', browser.get("/reviews").text)


def test_the_night_draws_and_a_night_run_again_draws_nothing_more(reviewed, fill) -> None:
    from jobs import cases

    cases.run(reviewed, NIGHT)
    first = drawn(reviewed)
    # Each of four decided cases with one whose answer is known.
    assert [row["subject"][0] for row in first].count("d") == 4 and len(first) == 8
    cases.run(reviewed, NIGHT)
    assert drawn(reviewed) == first
    # Somebody new decides, is given a case on the next night, and then the first runs again.
    fill(reviewed, "decisions", NEXT, [
        {"decision_id": "dec-9", "decided_by": "eve", "subject": "a9", "verdict": "benign",
         "subject_kind": "account", "accounts": ["a9"], "night": NIGHT}])  # fmt: skip
    fill(reviewed, "enforcement_actions", NEXT, [])
    cases.run(reviewed, NEXT)
    later = drawn(reviewed)
    assert len(later) > len(first)
    cases.run(reviewed, NIGHT)
    assert drawn(reviewed) == later


def test_a_night_whose_cases_a_later_one_gave_to_somebody_new_gives_them_once(
    reviewed, fill
) -> None:
    from jobs import cases

    # On the first night only ben had decided, so that nobody could judge again.
    fill(reviewed, "decisions", NIGHT, [
        {"decision_id": "dec-0", "decided_by": "ben", "subject": "d0", "verdict": "resale",
         "subject_kind": "account", "accounts": ["d0"], "night": BEFORE}])  # fmt: skip
    cases.run(reviewed, NIGHT)
    assert drawn(reviewed) == []
    fill(reviewed, "decisions", NEXT, [
        {"decision_id": "dec-1", "decided_by": "eve", "subject": "a9", "verdict": "benign",
         "subject_kind": "account", "accounts": ["a9"], "night": NIGHT}])  # fmt: skip
    fill(reviewed, "enforcement_actions", NEXT, [])
    cases.run(reviewed, NEXT)
    given = drawn(reviewed)
    assert "d0" in {row["subject"] for row in given if row["reviewer"] == "eve"}
    # Decided on since, as if on the first night: it draws for others what is not yet given.
    fill(reviewed, "decisions", NIGHT, [
        {"decision_id": f"dec-{n}", "decided_by": by, "subject": s, "verdict": "resale",
         "subject_kind": "account", "accounts": [s], "night": BEFORE}
        for n, by, s in ((0, "ben", "d0"), (5, "ana", "d1"))])  # fmt: skip
    cases.run(reviewed, NIGHT)
    assert [row["subject"] for row in drawn(reviewed)].count("d0") == 1


def test_a_case_shows_its_evidence_and_nothing_that_gives_it_away(reviewed, browser) -> None:
    from jobs import cases

    cases.run(reviewed, NIGHT)
    ana = browser("ana")
    names = cases_of(ana)
    rows = {row["review_id"]: row for row in drawn(reviewed)}
    assert {rows[name]["subject"][0] for name in names} == {"d", "k"}
    pages = {}
    for name in names:
        page = ana.get(f"/reviews/{name}")
        assert page.status_code == 200
        main = page.text[page.text.index("<main") :]
        main = re.sub(r'value="[0-9a-f]{64}"', "", main.replace(name, "NAME"))
        pages[rows[name]["subject"][0]] = main
        assert "It sends one list" in main and "26" in main
        for secret in (rows[name]["subject"], "first word", "dec-", "by ben", "said",
                       "appeal_upheld", "confirmed_ban", "suspend", "2026-"):  # fmt: skip
            assert secret not in main, secret
    # Word for word but for the form's token: nothing tells a planted case from a decided one.
    assert pages["d"] == pages["k"]
    listed = ana.get("/reviews").text
    main = listed[listed.index("<main") :]
    assert "2026-" not in main and not re.search(r"\b[dk]\d\b", main)


def test_an_answer_is_written_down_once_and_noted(reviewed, browser) -> None:
    from jobs import cases

    cases.run(reviewed, NIGHT)
    ana, ben = browser("ana"), browser("ben")
    name = cases_of(ana)[0]
    assert ben.get(f"/reviews/{name}").status_code == 404
    assert ben.send(f"/reviews/{name}", verdict="benign", reason="x").status_code == 404
    assert ana.send(f"/reviews/{name}", verdict="benign").status_code == 400
    assert ana.send(f"/reviews/{name}", verdict="vetted", reason="x").status_code == 400
    assert ana.send(f"/reviews/{name}", verdict="benign", reason="x", csrf="0" * 64
                    ).status_code == 403  # fmt: skip
    before = reviewed.rows("decisions").num_rows
    ana.get(f"/reviews/{name}")
    answer = ana.send(f"/reviews/{name}", verdict="benign", reason="a class")
    assert (answer.status_code, answer.headers["location"]) == (303, "/reviews")
    (row,) = [r for r in drawn(reviewed) if r["event"] == "answered"]
    assert (row["review_id"], row["verdict"], row["reason"]) == (name, "benign", "a class")
    assert reviewed.rows("decisions").num_rows == before
    assert name not in cases_of(ana)
    assert ana.get(f"/reviews/{name}").status_code == 404
    seen = ana.client.app.state.audit.entries(person="ana")
    shown = [e for e in seen if e["page"] == "review" and e["status"] == 200]
    assert shown[0]["did"]["shown"] == "blind" and shown[0]["did"]["subject"] == row["subject"]
    judged = next(e for e in seen if e["page"] == "answer-review" and e["status"] == 303)
    assert judged["did"]["verdict"] == "benign"


def test_a_form_sent_twice_at_once_is_one_answer(reviewed) -> None:
    from jobs import cases
    from jobs.platform.lake import Lake
    from jobs.reviews.reviewers import ReviewError, answer, drawn_for

    cases.run(reviewed, NIGHT)
    name = drawn_for(reviewed, "ana")[0]["review_id"]

    def once(verdict: str) -> bool:
        try:
            answer(Lake(reviewed.settings), name, "ana", verdict, "x")
        except ReviewError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(once, ["benign", "resale", "benign", "resale"]))
    assert taken.count(True) == 1
