"""The desk on a lake in an object store: the same pages as on a copy of it on disk."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path
from typing import Any

from local_cluster import BUCKET

from desk.app import create_app
from desk.settings import DeskSettings
from jobs import verdicts
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from tests.conftest import NIGHT
from tests.desk.conftest import Browser, fill_lake

PAGES = ("/", "/queue", "/campaign/c1", "/account/a1", "/search?q=a")
PICTURE = "/chart/campaign/binding.svg/c1"


def browser_on(root: str, state: Path) -> Browser:
    app = create_app(Settings(lake=root), DeskSettings(state))
    browser = Browser(app)
    secret = app.state.sessions.start("ana", "decide", "test")
    browser.client.cookies.set("stillwatch-desk", secret)
    return browser


def text(page: Any) -> str:
    """What a person reads: without what is of the session, the lake's place or the moment."""
    words = re.sub(r'value="[0-9a-zA-Z_-]{20,}"', "", page.text)
    return re.sub(r"\d\d:\d\d(:\d\d)?|d-[0-9a-f]{12}", "", words)


def test_pages_are_those_of_a_lake_on_disk(store: Any, tmp_path: Path) -> None:
    disk = tmp_path / "lake"
    fill_lake(Lake(Settings(lake=str(disk))))
    store.put(disk, "desk-lake")
    shutil.rmtree(disk / "_locks", ignore_errors=True)
    there = f"s3://{BUCKET}/desk-lake"
    at = {
        root: browser_on(root, tmp_path / f"state-{n}") for n, root in enumerate((str(disk), there))
    }
    for when in ("as the night left it", "after a decision"):
        for page in PAGES:
            here, away = (browser.get(page) for browser in at.values())
            assert (here.status_code, away.status_code) == (200, 200), (when, page)
            assert text(here) == text(away), (when, page)
        for browser in at.values():
            answer = browser.send("/decide", subject="c1", seen="", verdict="distillation",
                                  action="limit", reason="one list")  # fmt: skip
            assert answer.status_code == (303 if when == "as the night left it" else 409)
    assert at[there].get(PICTURE).headers["content-type"].startswith("image/svg+xml")
    held = verdicts.actions_in_force(Lake(Settings(lake=there)), accounts=["a1"]).to_pylist()
    assert [(row["action"], row["expires"]) for row in held] == [
        ("limit", NIGHT + dt.timedelta(days=7))
    ]
