"""A small lake as a night left it, and the desk on it, asked as a browser would."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import NIGHT, rows_of

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    from jobs.platform.lake import Lake

ORIGIN = "http://127.0.0.1:8765"
PASSWORD = "a good long password"


def run_log(night: dt.date, failed: str | None = None) -> list[dict[str, Any]]:
    """A row for each step of a night, up to one that failed."""
    from jobs.catalog.steps import STEP_NAMES

    names = STEP_NAMES[: STEP_NAMES.index(failed) + 1] if failed else STEP_NAMES
    start = dt.datetime.combine(night, dt.time(3), dt.UTC)
    return [
        {
            "run_id": f"run-{night}", "step": name, "outcome": "failed" if name == failed
            else "done", "message": "a check <b>stopped</b> it" if name == failed else None,
            "started_at": start + dt.timedelta(minutes=at), "rows_written": "{}",
            "versions_read": "{}", "versions_written": "{}",
        }
        for at, name in enumerate(names)
    ]  # fmt: skip


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with one scored night, filled once: campaign c1 of three accounts, a9 in none."""
    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings

    folder = tmp_path_factory.mktemp("desk") / "lake"
    fill_lake(Lake(Settings(lake=str(folder))))
    return folder


@pytest.fixture
def worked(filled: Path, bare_lake: Lake) -> Lake:
    """A copy of `filled`, of the test's own."""
    shutil.copytree(filled, bare_lake.root)
    return bare_lake


def fill_lake(lake: Lake) -> None:
    def fill(lake: Lake, name: str, night: dt.date, rows: list[dict[str, Any]]) -> None:
        lake.replace_night(name, night, rows_of(name, night, rows))

    night = NIGHT
    members = ["a1", "a2", "a3"]
    fill(lake, "run_log", night, run_log(night))
    everyone = [*members, "a9"]
    of = dict.fromkeys(members, "c1")
    fill(lake, "accounts", night, [
        {"account_id": a, "verified_organization": False} for a in everyone])  # fmt: skip
    fill(lake, "campaigns", night, [
        {"campaign_id": "c1", "kind": "distillation", "score": 0.93,
         "summary": "3 accounts send one list of prompts"}])  # fmt: skip
    fill(lake, "campaign_members", night, [
        {"campaign_id": "c1", "account_id": a} for a in members])  # fmt: skip
    fill(lake, "account_scores", night, [
        {"account_id": a, "campaign_id": of.get(a), "distillation_score": 0.9,
         "evidence": ["content", "infrastructure"], "model_version": "m/1"}
        for a in everyone])  # fmt: skip
    fill(lake, "enforcement_actions", night, [
        {"account_id": a, "campaign_id": of.get(a), "action": "review", "proposed": "suspend",
         "reasons": ["it sends a list"], "evidence": ["content", "infrastructure"],
         "expires": night + dt.timedelta(days=7), "policy_version": "p"}
        for a in everyone])  # fmt: skip
    common = {"state": "new", "proposed": "suspend", "evidence": ["content", "infrastructure"],
              "opened": night}  # fmt: skip
    fill(lake, "cases", night, [
        {"subject_kind": "campaign", "subject": "c1", "kind": "distillation", "score": 0.93,
         "accounts": 3, "requests_at_stake": 640_000, "summary": "3 accounts send one list of "
         "prompts", **common},
        {"subject_kind": "account", "subject": "a9", "score": 0.9, "accounts": 1,
         "requests_at_stake": 26, "summary": "it sends a list", **common},
    ])  # fmt: skip


@pytest.fixture
def app(worked: Lake, tmp_path: Path) -> Starlette:
    from desk.app import create_app
    from desk.settings import DeskSettings

    return create_app(worked.settings, DeskSettings(tmp_path / "state"))


@pytest.fixture
def as_role(app: Starlette) -> Iterator[Callable[..., Browser]]:
    """`as_role("decide")`: a browser of somebody with the role, signed in."""

    def signed_in(role: str | None, name: str | None = None) -> Browser:
        browser = Browser(app)
        if role is not None:
            secret = app.state.sessions.start(name or f"some-{role}", role, "test")
            browser.client.cookies.set("stillwatch-desk", secret)
        return browser

    yield signed_in


class Browser:
    """A client that keeps cookies and sends forms as browsers do; follows no redirect."""

    def __init__(self, app: Starlette, origin: str = ORIGIN) -> None:
        from starlette.testclient import TestClient

        self.client: TestClient = TestClient(
            app, base_url=origin, raise_server_exceptions=False, follow_redirects=False
        )

    @property
    def secret(self) -> str:
        return self.client.cookies.get("stillwatch-desk") or ""

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, **more)

    def csrf(self, path: str = "/approvals") -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def send(self, path: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        """POST a form with its token, from the desk's own page."""
        if "csrf" not in fields:
            fields["csrf"] = self.csrf("/approvals" if self.secret else "/sign-in")
        fields = {name: value for name, value in fields.items() if value is not None}
        headers = (
            {"sec-fetch-site": "same-origin", "origin": "null"} if headers is None else headers
        )
        return self.client.post(path, data=fields, headers=headers)

    def sign_in(self, name: str, password: str = PASSWORD, **fields: Any) -> Any:
        return self.send("/sign-in", name=name, password=password, **fields)
