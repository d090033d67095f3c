"""Signing in by OpenID Connect, against a provider that speaks it over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from desk import oidc
from desk.app import create_app
from desk.settings import DeskSettings, OidcSettings, load_desk_settings
from jobs.platform.errors import SettingsError
from tests.desk.conftest import Browser
from tests.desk.provider import CLIENT, SECRET, Provider

ROLES = (("analysts", "decide"), ("leads", "approve"))


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.fault, running.claims = "", {"sub": "u-17", "groups": ["analysts"]}
    return running


@pytest.fixture
def desk_of(worked: Any, tmp_path: Path, provider: Provider) -> Callable[..., Browser]:
    """`desk_of()`: a browser at a desk that trusts the provider."""
    settings = OidcSettings(provider.issuer, CLIENT, SECRET, roles=ROLES)
    app = create_app(worked.settings, DeskSettings(tmp_path / "state", oidc=settings))
    return lambda: Browser(app)


def at_provider(browser: Browser, onward: str = "/queue") -> str:
    """Go to the provider and let it sign in; returns where it sends the browser back to."""
    there = browser.get("/sign-in/oidc", params={"next": onward})
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"], follow_redirects=False).headers["location"]
    parts = urlsplit(back)
    return f"{parts.path}?{parts.query}"


def test_who_the_provider_knows_gets_the_role_of_their_group(
    desk_of: Callable[..., Browser], provider: Provider
) -> None:
    browser = desk_of()
    assert "Sign in by your organisation" in browser.get("/sign-in").text
    welcome = browser.get(at_provider(browser))
    assert welcome.status_code == 200
    assert 'content="0;url=/queue"' in welcome.text
    page = browser.get("/queue").text
    assert '<bdi>oidc:u-17</bdi></strong> <span class="wide-only">(decide)' in page
    asked = provider.asked[-1]
    assert len(asked["state"]) >= 20 and len(asked["nonce"]) >= 20
    assert asked["redirect_uri"] == "http://127.0.0.1:8765/sign-in/oidc/back"


def test_of_several_groups_the_one_that_may_most_counts(
    desk_of: Callable[..., Browser], provider: Provider
) -> None:
    provider.claims = {"sub": "u-1", "groups": ["leads", "analysts", "football"]}
    browser = desk_of()
    browser.get(at_provider(browser))
    assert "(approve)" in browser.get("/queue").text


@pytest.mark.parametrize(
    "claims", [{"sub": "u-1", "groups": ["football"]}, {"sub": "u-1"}, {"groups": ["leads"]},
               {"sub": "", "groups": ["leads"]}, {"sub": "a\u202eb", "groups": ["leads"]},
               {"sub": ["u"], "groups": ["leads"]}, {"sub": "u", "groups": {"leads": 1}}],
)  # fmt: skip
def test_who_has_no_role_or_name_is_not_let_in(
    desk_of: Callable[..., Browser], provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    browser = desk_of()
    assert browser.get(at_provider(browser)).status_code == 403
    assert browser.secret == ""


@pytest.mark.parametrize(
    "fault", ["nonce", "no nonce", "audience", "issuer", "expired", "signature", "none",
              "symmetric", "no id token"],
)  # fmt: skip
def test_a_token_that_is_not_good_lets_nobody_in(
    desk_of: Callable[..., Browser], provider: Provider, fault: str
) -> None:
    provider.fault = fault
    browser = desk_of()
    answer = browser.get(at_provider(browser))
    assert answer.status_code == 403
    assert browser.secret == "" and "begin anew" in answer.text


def test_a_provider_that_names_another_issuer_is_not_asked(
    desk_of: Callable[..., Browser], provider: Provider
) -> None:
    provider.fault = "metadata"
    answer = desk_of().get("/sign-in/oidc")
    assert answer.status_code == 503 and "another issuer" in answer.text


def test_a_provider_that_is_down_is_said_in_one_line(worked: Any, tmp_path: Path) -> None:
    settings = OidcSettings("http://127.0.0.1:1", CLIENT, SECRET, roles=ROLES)
    app = create_app(worked.settings, DeskSettings(tmp_path / "state", oidc=settings))
    answer = Browser(app).get("/sign-in/oidc")
    assert answer.status_code == 503 and "does not answer" in answer.text


def test_an_answer_counts_once(desk_of: Callable[..., Browser]) -> None:
    browser = desk_of()
    back = at_provider(browser)
    cookie = browser.client.cookies.get("stillwatch-desk-flow")
    assert browser.get(back).status_code == 200
    again = desk_of()
    again.client.cookies.set("stillwatch-desk-flow", cookie or "")
    answer = again.get(back)
    assert answer.status_code == 403 and "used before" in answer.text


def test_an_answer_counts_in_the_browser_that_asked(desk_of: Callable[..., Browser]) -> None:
    eve, victim = desk_of(), desk_of()
    back = at_provider(eve)
    answer = victim.get(back)
    assert answer.status_code == 403 and "another browser" in answer.text
    assert victim.secret == ""


def test_a_made_up_state_is_refused(desk_of: Callable[..., Browser]) -> None:
    browser = desk_of()
    at_provider(browser)
    for query in ("code=x&state=made-up", "state=x", "code=x", "error=access_denied", ""):
        assert browser.get(f"/sign-in/oidc/back?{query}").status_code == 403


def test_a_sign_in_that_took_too_long_is_refused(
    desk_of: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = desk_of()
    back = at_provider(browser)
    now = oidc.time.time()
    monkeypatch.setattr(oidc.time, "time", lambda: now + oidc.FLOW_SECONDS + 1)
    assert "took too long" in browser.get(back).text


def test_the_flows_cookie_comes_along_from_the_provider(desk_of: Callable[..., Browser]) -> None:
    lines = desk_of().get("/sign-in/oidc").headers.get_list("set-cookie")
    (line,) = [line for line in lines if line.startswith("stillwatch-desk-flow=")]
    assert "SameSite=lax" in line and "HttpOnly" in line


def test_the_secret_is_not_kept_or_shown(
    desk_of: Callable[..., Browser], tmp_path: Path, provider: Provider
) -> None:
    browser = desk_of()
    browser.get(at_provider(browser))
    kept = b"".join(p.read_bytes() for p in (tmp_path / "state").rglob("*") if p.is_file())
    assert SECRET.encode() not in kept
    assert SECRET not in repr(OidcSettings(provider.issuer, CLIENT, SECRET))


BASE = {"ISSUER": "https://id.example", "CLIENT_ID": "desk", "CLIENT_SECRET": "s",
        "ROLES": "analysts=decide, leads = approve"}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"ISSUER": "http://id.example"}, "takes https"), ({"CLIENT_ID": ""}, "CLIENT_ID"),
     ({"CLIENT_SECRET": ""}, "CLIENT_SECRET"), ({"ROLES": ""}, "OIDC_ROLES"),
     ({"ROLES": "analysts=root"}, "root"),
     ({"CLIENT_SECRET": "", "CLIENT_SECRET_FILE": "/nowhere"}, "can't be read")],
)  # fmt: skip
def test_a_setting_that_will_not_do_is_one_line(
    bare_lake: Any, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], said: str
) -> None:
    for name, value in {**BASE, **changed}.items():
        monkeypatch.setenv(f"STILLWATCH_DESK_OIDC_{name}", value)
    with pytest.raises(SettingsError, match=said):
        load_desk_settings(bare_lake.settings, None, "127.0.0.1", 1)


def test_the_settings_come_from_the_environment(
    bare_lake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    given = {**BASE, "CLIENT_SECRET": "", "CLIENT_SECRET_FILE": str(tmp_path / "secret")}
    for name, value in given.items():
        monkeypatch.setenv(f"STILLWATCH_DESK_OIDC_{name}", value)
    settings = load_desk_settings(bare_lake.settings, None, "127.0.0.1", 1).oidc
    assert settings == OidcSettings("https://id.example", "desk", "from a file", roles=ROLES)
