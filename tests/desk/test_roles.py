"""Every address of the desk, tried by every role."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from desk.app import create_app
from desk.page import ROLES, Page, may
from desk.routes import PAGES
from desk.settings import DeskSettings
from jobs.platform.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

PLACES = [(page.name, method) for page in PAGES for method in page.methods]


@pytest.fixture(scope="module")
def app(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Starlette:
    """One desk for all tests here: what they send is about nothing, so nothing changes."""
    folder = tmp_path_factory.mktemp("roles")
    shutil.copytree(filled, folder / "lake")
    return create_app(Settings(lake=str(folder / "lake")), DeskSettings(folder / "state"))


def page_of(name: str, method: str) -> Page:
    return next(page for page in PAGES if page.name == name and method in page.methods)


def address(page: Page) -> str:
    path = page.path.replace("{subject:path}", "a9").replace("{subject}", "a9")
    return path.replace("{decision_id}", "d-none").replace("{name}", "desk.css")


def test_only_signing_in_styles_and_health_are_open_to_all() -> None:
    assert {page.path for page in PAGES if page.role is None} == {
        "/sign-in", "/sign-in/oidc", "/sign-in/oidc/back", "/static/{name}", "/health",
    }  # fmt: skip


def test_the_application_answers_at_declared_addresses_only(app: Any) -> None:
    assert [(r.path, r.methods - {"HEAD"}) for r in app.routes] == [
        (page.path, set(page.methods)) for page in PAGES
    ]


def test_a_page_without_a_known_role_is_refused() -> None:
    with pytest.raises(ValueError, match="no role"):
        Page("/x", lambda request: None, ("GET",), "admin", "x")  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("role", [None, *ROLES])
@pytest.mark.parametrize(("name", "method"), PLACES)
def test_a_role_opens_what_it_may_and_nothing_else(
    as_role: Callable[..., Any], role: str | None, name: str, method: str
) -> None:
    page = page_of(name, method)
    browser = as_role(role)
    if method == "GET":
        answer = browser.get(address(page))
    else:
        answer = browser.send(address(page), verdict="none", subject="none")
    if page.role is None:
        assert answer.status_code not in (303, 401)
    elif role is None:
        expected = (303, 401)[method == "POST"]
        assert answer.status_code == expected
        assert answer.status_code == 401 or answer.headers["location"].startswith("/sign-in?next=")
    elif may(role, page.role):
        assert answer.status_code not in (401, 403)
    else:
        assert answer.status_code == 403
        assert f"needs the role {page.role}" in answer.text


def test_what_changes_something_needs_more_than_read() -> None:
    changing = {page.name: page.role for page in PAGES if "POST" in page.methods}
    assert changing.pop("sign-in") is None
    assert changing.pop("sign-out") == "read"
    assert set(changing.values()) == {"decide", "approve", "administer"}


def test_the_pages_do_not_offer_what_a_role_may_not(as_role: Callable[..., Any]) -> None:
    assert "Claim</button>" not in as_role("read").get("/queue").text
    assert "Claim</button>" in as_role("decide").get("/queue").text
    assert 'href="/audit"' not in as_role("approve").get("/queue").text
    assert 'href="/audit"' in as_role("administer").get("/queue").text
