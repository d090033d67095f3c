"""What pages say in words: families of evidence, and groups that a campaign stands beside."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, get_args

import pytest

from jobs.catalog.policy import EVIDENCE_FAMILIES, FAMILIES_ABOUT
from jobs.catalog.types import Family
from tests.conftest import NIGHT
from tests.desk.conftest import Browser


def said(browser: Browser, page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", browser.get(page).text).split())


def test_families_of_evidence_have_one_name_and_one_order(
    as_role: Callable[..., Browser], worked: Any, fill: Callable[..., int]
) -> None:
    assert get_args(Family) == EVIDENCE_FAMILIES
    group = {"campaign_id": "c1", "accounts": 3, "evidence": ["content", "infrastructure"]}
    fill(worked, "campaigns", NIGHT, [group])
    fill(worked, "account_scores", NIGHT, [
        {"account_id": "a9", "distillation_score": 0.9, "model_version": "m/1",
         "evidence": ["content", "infrastructure"], "reasons": ["it sends a list"]}])  # fmt: skip
    ana = as_role("decide", "ana")
    for page in ("/queue", "/campaign/c1", "/account/a9"):
        assert "infrastructure, content" in said(ana, page), page
        assert "content, infrastructure" not in said(ana, page), page
    made = ana.send("/decide", subject="a9", seen="", verdict="benign", reason="a class")
    told = said(ana, made.headers["location"])
    assert "Families of evidence infrastructure, content, of the night of 2026-05-03" in told
    assert f"label : {FAMILIES_ABOUT['label']}" in said(ana, "/account/a9")


@pytest.mark.parametrize(
    ("sizes", "nearest"),
    [((53, 79, 80, 158), True), ((53, 80, 90, 100, 158, 320), False)],
)
def test_groups_of_another_size_are_said_to_be_the_nearest(
    as_role: Callable[..., Browser], worked: Any, fill: Callable[..., int],
    sizes: tuple[int, ...], nearest: bool,
) -> None:  # fmt: skip
    fill(worked, "campaigns", NIGHT, [
        {"campaign_id": "c1", "accounts": 160, "kind": "distillation", "score": 0.9},
        *({"campaign_id": f"g{n}", "accounts": n, "kind": "unknown", "score": 0.01,
           "resale_score": 0.01} for n in sizes)])  # fmt: skip
    text = said(as_role("read"), "/campaign/c1")
    why = "the nearest in size, since fewer than five have half to twice the 160 members"
    if nearest:
        assert f"of 53 to 158 accounts on the same night: {why}" in text
    else:
        assert "of 80 to 320 accounts on the same night" in text and "nearest" not in text
