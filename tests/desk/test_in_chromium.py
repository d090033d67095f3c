"""The desk in a real browser, by keyboard alone; pictures go to build/desk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.desk.conftest import PASSWORD, run_log
from tests.desk.provider import CLIENT, SECRET, Provider
from tests.desk.serving import ROOT, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = ROOT / "build" / "desk"
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("Chromium is not installed: `apt-get install chromium`")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """A page whose console, errors and requests elsewhere are written down."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.address = address
        self.complaints: list[str] = []
        # No script runs: the desk must do without.
        self.context = browser.new_context(
            java_script_enabled=False, viewport={"width": 1280, "height": 860}, locale="en-GB"
        )
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def go(self, path: str) -> None:
        answer = self.page.goto(self.address + path)
        assert answer is not None and answer.status == 200, path

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def tab_to(self, text: str, most: int = 60) -> None:
        """Press Tab until what has the focus says the text."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            focused = self.page.locator(":focus")
            if focused.count() == 0:
                continue
            said = focused.get_attribute("aria-label") or focused.inner_text() or ""
            said += f" {focused.get_attribute('name') or ''}={focused.get_attribute('value') or ''}"
            if text in said:
                return
        raise AssertionError(f"Tab never comes to {text!r}")

    def sign_in(self, name: str) -> None:
        """By keyboard alone: the first field has the focus."""
        self.go("/sign-in?next=/queue")
        self.page.wait_for_selector("#name:focus")
        self.page.keyboard.type(name)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(self.address + "/queue")


@pytest.fixture
def people(worked: Any) -> Any:
    """The state of a desk with a person of each role."""
    from desk.page import ROLES
    from desk.people import People
    from desk.state import State

    state = Path(worked.root) / "_desk"
    for role in ROLES:
        People(State(state)).add(f"some-{role}", role, PASSWORD)
    return worked


def test_a_case_is_claimed_and_decided_by_keyboard_alone(chromium: Browser, people: Any) -> None:
    with served("--lake", people.root) as (address, _):
        ana = Watched(chromium, address)
        ana.go("/sign-in")
        ana.picture("sign-in")
        ana.sign_in("some-decide")
        ana.picture("queue")
        # The first Tab offers to skip what every page begins with.
        ana.page.keyboard.press("Tab")
        assert ana.page.locator(":focus").inner_text() == "Skip to the content"
        ana.page.keyboard.press("Enter")
        assert ana.page.url.endswith("#content")
        ana.tab_to("Claim c1")
        ana.page.keyboard.press("Enter")
        ana.page.wait_for_selector("text=Release")
        ana.picture("queue-claimed")
        ana.tab_to("c1")
        ana.page.keyboard.press("Enter")
        ana.page.wait_for_url("**/campaign/c1")
        ana.picture("decide")
        ana.tab_to("verdict=distillation")
        ana.page.keyboard.press("Space")
        ana.tab_to("action=")
        ana.page.keyboard.type("Limit")
        ana.tab_to("reason=")
        ana.page.keyboard.type("Three accounts work off one list of prompts.")
        ana.tab_to("Write down the decision")
        ana.page.keyboard.press("Enter")
        ana.page.wait_for_url("**/decision/*")
        assert "Three accounts work off one list" in ana.page.inner_text("main")
        ana.picture("decision")
        ana.go("/queue")
        assert ana.page.locator("tbody tr").count() == 1
        assert ana.complaints == []
        ana.tab_to("Sign out")
        ana.page.keyboard.press("Enter")
        ana.page.wait_for_url(address + "/sign-in")
    (row,) = people.rows("decisions").to_pylist()
    assert (row["decided_by"], row["action"]) == ("some-decide", "limit")


def test_the_other_pages(chromium: Browser, people: Any, fill: Any, night: Any) -> None:
    import datetime as dt

    from jobs import cases, verdicts

    hostile = "<script>alert(1)</script> \u202egnp.exe {{ 7 }} =cmd|'x'!A0"
    fill(people, "accounts", night, [{"account_id": "a9", "verified_organization": True}])
    verdicts.record(people, verdict="distillation", subject="a9", by="some-decide",
                    action="suspend", reason=hostile)  # fmt: skip
    verdicts.record(people, verdict="appealed", subject="a2", by="some-decide",
                    reason="We are a school; our classes send one exercise each.")  # fmt: skip
    cases.second_look(people, "c1", "some-decide", "Is it a class? " + hostile)
    with served("--lake", people.root) as (address, _):
        root = Watched(chromium, address)
        root.sign_in("some-administer")
        for path, name in (
            ("/queue", "queue-second-look"), ("/approvals", "approvals"), ("/appeals", "appeals"),
            ("/account/a2", "account-appeal"), ("/mode", "mode"), ("/audit", "audit"),
        ):  # fmt: skip
            root.go(path)
            root.picture(name)
            assert root.page.locator("h1").count() == 1, path
            assert root.page.locator("main").count() == 1, path
            assert "\u202e" not in root.page.inner_text("body"), path
            # The menu, with what waits for approval, and the name stay on one line at 1280.
            assert root.page.locator("header.top").bounding_box()["height"] < 60, path
        # Two at once: the other has decided since this page was opened.
        root.go("/campaign/c1")
        verdicts.record(people, verdict="benign", subject="c1", by="some-decide", reason="a class")
        root.page.check("input[value=resale]")
        root.page.fill("#reason", "it is sold on")
        root.page.click("text=Write down the decision")
        assert root.page.inner_text("h1") == "Somebody was faster"
        root.picture("decided-already")
        # A night that failed is said in red, and what it did not write is not missed.
        later = night + dt.timedelta(days=1)
        fill(people, "run_log", later, run_log(later, failed="check_landed"))
        root.go("/queue")
        bad = root.page.locator(".state .bad")
        assert "The night of 2026-05-04 failed" in bad.inner_text()
        root.picture("night-failed")
        root.page.set_viewport_size({"width": 420, "height": 800})
        root.picture("narrow")
        read = Watched(chromium, address)
        read.sign_in("some-read")
        answer = read.page.goto(address + "/audit")
        assert answer is not None and answer.status == 403
        read.picture("refused")
        # Chromium's own word on an answer that is an error; nothing of the policy.
        said = [c for c in root.complaints + read.complaints if "Failed to load resource" not in c]
        assert said == []


def test_who_comes_back_from_a_provider_on_another_site_is_signed_in(
    chromium: Browser, worked: Any
) -> None:
    provider = Provider()
    try:
        with served(
            "--lake", worked.root,
            STILLWATCH_DESK_OIDC_ISSUER=provider.issuer, STILLWATCH_DESK_OIDC_CLIENT_ID=CLIENT,
            STILLWATCH_DESK_OIDC_CLIENT_SECRET=SECRET,
            STILLWATCH_DESK_OIDC_ROLES="analysts=decide",
        ) as (address, _):  # fmt: skip
            # The provider is at 127.0.0.1: for the browser another site than localhost.
            somebody = Watched(chromium, address.replace("127.0.0.1", "localhost"))
            somebody.go("/sign-in?next=/queue")
            somebody.picture("sign-in-provider")
            somebody.page.click("text=Sign in by your organisation")
            somebody.page.wait_for_url(somebody.address + "/queue")
            assert "oidc:u-17" in somebody.page.inner_text("header")
            assert somebody.complaints == []
    finally:
        provider.close()
