"""Second reviews are drawn the same again, tell nothing, decide nothing, and are counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.catalog.enforcement import SHIPPED
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from jobs.reviews.intervals import share_of
from jobs.reviews.reviewers import ReviewError, answer, draw, drawn_for, reviewers_report

BEFORE = dt.date(2026, 5, 9)
NIGHT = dt.date(2026, 5, 10)
Fill = Callable[..., int]


@pytest.fixture
def reviewed(tmp_path: Path, fill: Fill) -> Lake:
    """Every case comes back, and as many planted. ana and ben decided ten accounts each, all for
    distillation; of ten others the answer is known since a night after they were scored."""
    text = SHIPPED.read_text(encoding="utf-8")
    before, after = text.split("[second_reviews]")
    after = after.replace("share = 0.1", "share = 1.0", 1).replace("0.25", "0.5", 1)
    policy = tmp_path / "policy.toml"
    policy.write_text(f"{before}[second_reviews]{after}", encoding="utf-8")
    lake = Lake(Settings(lake=str(tmp_path / "lake"), policy=str(policy)))
    decided, known = [f"acct_d{n}" for n in range(20)], [f"acct_k{n}" for n in range(10)]
    for night in (BEFORE, NIGHT):
        fill(lake, "account_scores", night, [
            {"account_id": a, "evidence": ["content"]} for a in [*decided, *known]
        ])  # fmt: skip
    fill(lake, "labels", NIGHT, [
        {"account_id": a, "label": "benign", "source": "appeal_upheld"} for a in known
    ])  # fmt: skip
    fill(lake, "decisions", NIGHT, [
        {"decision_id": f"d-{a}", "decided_by": "ana" if n % 2 else "ben", "subject": a,
         "verdict": "distillation", "subject_kind": "account", "accounts": [a], "night": BEFORE}
        for n, a in enumerate(decided)
    ])  # fmt: skip
    return lake


def test_a_draw_is_the_same_again(reviewed: Lake) -> None:
    # Each of ten cases brings one planted; the known ten are given to each reviewer once.
    assert draw(reviewed, NIGHT) == 40
    first = drawn_for(reviewed, "ana")
    assert draw(reviewed, NIGHT) == 0
    assert drawn_for(reviewed, "ana") == first
    assert len(first) == 20


def test_nobody_reviews_their_own_case(reviewed: Lake) -> None:
    draw(reviewed, NIGHT)
    own = {f"acct_d{n}" for n in range(1, 20, 2)}
    assert {row["subject"] for row in drawn_for(reviewed, "ana")} & own == set()


def test_a_case_does_not_say_what_it_is(reviewed: Lake) -> None:
    draw(reviewed, NIGHT)
    rows = drawn_for(reviewed, "ana")
    # Looked at as of a night that knew neither the verdict nor the label.
    assert {tuple(row) for row in rows} == {
        ("review_id", "date", "subject_kind", "subject", "night")
    }
    assert {row["night"] for row in rows} == {BEFORE}
    planted = ["k" in row["subject"] for row in rows]
    # Neither all first nor by turns: the order tells nothing.
    assert len({tuple(planted[at : at + 2]) for at in range(19)}) == 4
    stored = reviewed.rows("blind_reviews", columns=["at", "verdict", "reason"]).to_pylist()
    assert {tuple(row.values()) for row in stored} == {(None, None, None)}


def test_a_share_of_cases_comes_back(reviewed: Lake) -> None:
    text = Path(str(reviewed.settings.policy)).read_text(encoding="utf-8")
    Path(str(reviewed.settings.policy)).write_text(
        text.replace("share = 1.0", "share = 0.0"), encoding="utf-8"
    )
    assert draw(reviewed, NIGHT) == 0


def test_an_answer_is_given_once_by_whose_it_is(reviewed: Lake) -> None:
    draw(reviewed, NIGHT)
    name = drawn_for(reviewed, "ana")[0]["review_id"]
    with pytest.raises(ReviewError, match="has no review"):
        answer(reviewed, name, "ben", "benign", "a class")
    with pytest.raises(ReviewError, match="no verdict"):
        answer(reviewed, name, "ana", "guilty", "a class")
    with pytest.raises(ReviewError, match="needs a reason"):
        answer(reviewed, name, "ana", "benign", " \u200b")
    answer(reviewed, name, "ana", "benign", "a class")
    with pytest.raises(ReviewError, match="answered already"):
        answer(reviewed, name, "ana", "resale", "no class")
    assert name not in {row["review_id"] for row in drawn_for(reviewed, "ana")}
    # It decides nothing.
    assert reviewed.rows("decisions").num_rows == 20


def test_agreement_and_accuracy_are_counted_apart(reviewed: Lake) -> None:
    draw(reviewed, NIGHT)
    for row in drawn_for(reviewed, "ana"):
        # Of decided cases, two otherwise than ben; of known ones, one wrong.
        wrong = row["subject"] in ("acct_d0", "acct_d2", "acct_k3")
        said = {"d": "distillation", "k": "benign"}[row["subject"][5]]
        answer(reviewed, row["review_id"], "ana", "resale" if wrong else said, "as I see it")
    report = reviewers_report(reviewed, None, None)
    assert (report.drawn, report.answered) == (40, 20)
    assert report.agreed == share_of(8, 10)
    assert report.right == share_of(9, 10)
    assert [(a.reviewer, a.kind, a.right) for a in report.accuracy] == [
        ("ana", "account", share_of(9, 10))
    ]
    (pair,) = report.pairs
    assert pair.reviewers == ("ana", "ben")
    # ben said one thing of all: what chance alone would give is what they reached.
    assert pair.kappa == pytest.approx(0.0)


def test_what_is_kept_of_a_reason_is_fit_to_be_read(reviewed: Lake) -> None:
    draw(reviewed, NIGHT)
    name = drawn_for(reviewed, "ana")[0]["review_id"]
    kept = answer(reviewed, name, "ana", "benign", "a\x1b[2J class\u202e " + "x" * 9_000)["reason"]
    assert kept.startswith("a[2J class x") and len(kept) == 2_000
    stored = reviewed.rows("blind_reviews", columns=["reason"])["reason"].drop_null().to_pylist()
    assert stored == [kept]


def test_who_only_wrote_down_an_appeal_is_no_reviewer(reviewed: Lake, fill: Fill) -> None:
    rows = reviewed.rows("decisions").to_pylist()
    own = [row for row in rows if row["decided_by"] == "ana"]
    desk = {"decision_id": "d-x", "decided_by": "support", "verdict": "appealed",
            "subject": "acct_d1", "subject_kind": "account", "accounts": ["acct_d1"],
            "night": BEFORE}  # fmt: skip
    fill(reviewed, "decisions", NIGHT, [*own, desk])
    assert draw(reviewed, NIGHT) == 0
    fill(reviewed, "decisions", NIGHT, [*rows, desk])
    assert draw(reviewed, NIGHT) > 0
    assert drawn_for(reviewed, "support") == []
