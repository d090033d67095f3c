"""The small lab from its command to its page: the real steps on a world that takes a minute."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def _lab(out: Path) -> subprocess.CompletedProcess[str]:
    # A process of its own, as users have it: worlds run in further ones.
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", "lab", "--small", "--out", str(out)],
        capture_output=True, text=True, check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("STILLWATCH_")},
    )  # fmt: skip


@pytest.mark.timeout(600)
def test_the_small_lab_runs_reports_and_does_not_run_twice(tmp_path: Path) -> None:
    done = _lab(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "small: 2026-06-06 in" in done.stderr
    report = json.loads((tmp_path / "lab.json").read_text(encoding="utf-8"))
    assert report["command"] == "stillwatch lab --small"
    assert {"python", "stillwatch", "pysail", "xgboost-cpu"} <= set(report["versions"])
    (world,) = report["worlds"].values()
    assert world["settings"]["seed"] == 3909
    assert world["judged_nights"] == ["2026-06-04", "2026-06-05", "2026-06-06"]
    figures = world["figures"]
    # Two plain campaigns of thirty: whoever misses them has broken something.
    assert figures["recall"]["0.01"] > 0.9
    assert all(campaign["one_piece"] > 0.8 for campaign in figures["campaigns"].values())
    assert len(figures["nights"]) == 3
    _ablation_says_something(world["ablation"])
    _page_is_whole((tmp_path / "lab.html").read_text(encoding="utf-8"))
    (kept,) = (tmp_path / "worlds").iterdir()
    assert not (kept / "scratch").exists(), "landing and lake are deleted"

    before = (tmp_path / "lab.json").read_bytes()
    again = _lab(tmp_path)
    assert again.returncode == 0, again.stderr
    assert "kept from an earlier run" in again.stderr
    assert (tmp_path / "lab.json").read_bytes() == before


def _ablation_says_something(variants: list[dict[str, object]]) -> None:
    said = {(v["how"], v["family"]): v for v in variants}
    assert ("all", "") in said
    families = {"behaviour", "time", "content", "infrastructure", "identity", "campaign"}
    assert {f for how, f in said if how == "off"} == families
    assert {f for how, f in said if how == "alone"} == families
    whole, alone = said["all", ""], said["alone", "time"]
    assert alone["features"] < whole["features"]  # type: ignore[operator]
    assert alone["pr_auc"] < whole["pr_auc"]  # type: ignore[operator]


def _page_is_whole(page: str) -> None:
    assert page.startswith("<!doctype html>")
    assert page.count("<svg") == page.count("</svg>") >= 3
    for words in ("D00-hydra_proxies", "all evidence", "classroom", "Settings of small"):
        assert words in page
    fetched = re.findall(r"<(?:script|link|img|iframe)\b|url\(https?:", page)
    assert fetched == [], "the page stands alone"
