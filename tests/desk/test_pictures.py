"""Each reading page in a real Chromium; pictures go to build/desk, to be looked at."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import NIGHT
from tests.desk.serving import ROOT, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PICTURES = ROOT / "build" / "desk"
PAGES = {
    "morning": "/", "campaign": "/campaign/c1", "account": "/account/a1?if=1&score=0.7&family=time",
    "search": "/search?q=beef", "compare": "/compare",
    "reviews": "/reviews", "outcomes": "/outcomes",
    "rows": f"/rows/account_daily/{NIGHT}/a1",
}  # fmt: skip
#: Pictures that the page has.
CHARTS = {"campaign": 4, "account": 1}


@pytest.fixture
def chromium() -> Any:
    import shutil

    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("Chromium is not installed: `apt-get install chromium`")
    arguments = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


def test_pages_hold_their_pictures_and_nothing_is_refused(
    worked, fill, tmp_path: Path, chromium: Browser
) -> None:
    from desk.sessions import Sessions
    from desk.state import State

    members = ["a1", "a2", "a3"]
    for back in range(5):
        night = NIGHT - dt.timedelta(days=back)
        fill(worked, "account_daily", night, [
            {"account_id": a, "requests": 26 + back, "output_tokens": 9000, "prompts_known": 26,
             "asks_reasoning": 20, "hour_03": 26 + back} for a in members])  # fmt: skip
        fill(worked, "account_indicators", night, [
            {"account_id": a, "kind": "address", "token": "beef0123456789", "requests": 26}
            for a in members])  # fmt: skip
    secret = Sessions(State(tmp_path / "state")).start("ana", "decide", "test")
    PICTURES.mkdir(parents=True, exist_ok=True)
    complaints: list[str] = []
    with served("--lake", worked.root, "--state", str(tmp_path / "state")) as (address, _):
        context = chromium.new_context(viewport={"width": 1360, "height": 900})
        context.add_cookies([{"name": "stillwatch-desk", "value": secret, "url": address}])
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        for name, path in PAGES.items():
            answer = page.goto(address + path, wait_until="networkidle")
            assert answer is not None and answer.status == 200, path
            sizes = page.evaluate("[...document.images].map(i => i.naturalWidth * i.naturalHeight)")
            assert len(sizes) == CHARTS.get(name, 0) and all(sizes), path
            # Nothing is cut off at the side.
            assert page.evaluate("document.documentElement.scrollWidth") <= 1360, path
            assert page.evaluate("[...document.images].every(i => i.alt)")
            page.screenshot(path=PICTURES / f"reading-{name}.png", full_page=True)
    assert complaints == []
