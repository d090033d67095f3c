"""Passwords, sessions and their cookies."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desk import people as people_module
from desk import sessions as sessions_module
from desk.app import create_app
from desk.settings import DeskSettings
from desk.state import State
from jobs.platform.errors import StillwatchError
from tests.desk.conftest import PASSWORD, Browser


@pytest.fixture(scope="module")
def state_with_ana(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk's state in which ana is: made once, for a hash of a password takes long on purpose."""
    folder = tmp_path_factory.mktemp("ana") / "state"
    people_module.People(State(folder)).add("ana", "decide", PASSWORD)
    return folder


@pytest.fixture
def ana(state_with_ana: Path, worked: Any, tmp_path: Path) -> Browser:
    """Ana's browser, before she signs in."""
    shutil.copytree(state_with_ana, tmp_path / "state")
    return Browser(create_app(worked.settings, DeskSettings(tmp_path / "state")))


def cookie_line(answer: Any, name: str) -> str:
    return next(c for c in answer.headers.get_list("set-cookie") if c.startswith(f"{name}="))


def test_the_right_password_opens_the_page_that_was_asked_for(ana: Browser) -> None:
    answer = ana.sign_in("ana", next="/queue?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/queue?x=1")
    page = ana.get("/queue").text
    assert '<strong><bdi>ana</bdi></strong> <span class="wide-only">(decide)' in page


@pytest.mark.parametrize("onward", ["//evil.example", "https://evil.example", "/\\evil.example",
                                    "javascript:1", "/a\nb", "/" + "a" * 2000])  # fmt: skip
def test_nobody_is_sent_to_another_site(ana: Browser, onward: str) -> None:
    assert ana.sign_in("ana", next=onward).headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(ana: Browser) -> None:
    wrong, unknown = ana.sign_in("ana", "not the password"), ana.sign_in("bob", "not the password")
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    assert wrong.text == unknown.text
    assert ana.secret == ""


def test_an_unknown_name_costs_as_much_as_a_known_one(
    ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []

    class Counting:
        def verify(self, hashed: str, password: str) -> None:
            looked_at.append(hashed.rpartition("$")[0].rpartition("$")[0])
            raise people_module.InvalidHashError

    monkeypatch.setattr(people_module, "_HASHER", Counting())
    ana.sign_in("ana", "not the password")
    ana.sign_in("bob", "not the password")
    assert len(looked_at) == 2 and looked_at[0] == looked_at[1]
    assert looked_at[0].startswith("$argon2id$")


def test_passwords_lie_as_argon2id_hashes_in_a_folder_of_ones_own(
    ana: Browser, tmp_path: Path
) -> None:
    ana.sign_in("ana")
    folder = tmp_path / "state"
    assert folder.stat().st_mode & 0o777 == 0o700
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"$argon2id$" in kept
    assert PASSWORD.encode() not in kept
    assert ana.secret.encode() not in kept


def test_the_cookie_is_for_the_desk_alone(ana: Browser, worked: Any, tmp_path: Path) -> None:
    plain = cookie_line(ana.sign_in("ana"), "stillwatch-desk")
    assert "HttpOnly" in plain and "SameSite=strict" in plain and "Secure" not in plain
    settings = DeskSettings(tmp_path / "state", url="https://desk.example")
    behind_tls = Browser(create_app(worked.settings, settings), "https://desk.example")
    answer = behind_tls.sign_in("ana")
    line = cookie_line(answer, "__Host-stillwatch-desk")
    assert "Secure" in line and "HttpOnly" in line and "SameSite=strict" in line
    assert "Path=/" in line and "Domain" not in line
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_a_session_id_from_before_signing_in_is_worth_nothing(ana: Browser) -> None:
    planted = "f" * 64
    ana.client.cookies.set("stillwatch-desk", planted)
    ana.client.get("/sign-in")
    ana.send("/sign-in", csrf=ana.csrf("/sign-in"), name="ana", password=PASSWORD)
    thief = Browser(ana.client.app)
    thief.client.cookies.set("stillwatch-desk", planted)
    assert thief.get("/queue").status_code == 303


def test_signing_in_again_ends_the_session_before(ana: Browser) -> None:
    ana.sign_in("ana")
    before = ana.secret
    ana.send("/sign-in", name="ana", password=PASSWORD, csrf=ana.csrf("/queue"))
    assert ana.secret != before
    assert ana.client.app.state.sessions.person(before) is None


def test_a_session_stolen_is_worth_nothing_after_signing_out(ana: Browser) -> None:
    ana.sign_in("ana")
    thief = Browser(ana.client.app)
    thief.client.cookies.set("stillwatch-desk", ana.secret)
    assert thief.get("/queue").status_code == 200
    assert ana.send("/sign-out").status_code == 303
    assert ana.secret == ""
    assert thief.get("/queue").status_code == 303
    assert thief.client.post("/decide", data={}, headers={"sec-fetch-site": "same-origin"}
                             ).status_code == 401  # fmt: skip


@pytest.mark.parametrize("forged", ["", "0" * 64, "x" * 63, "1" * 100_000, "' or 1=1 --", "é" * 64])
def test_a_forged_cookie_is_nobodys(ana: Browser, forged: str) -> None:
    answer = ana.client.get("/queue", headers={"cookie": f"stillwatch-desk={forged}".encode()})
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("limit", "waited", "alive"),
    [("idle", sessions_module.IDLE_SECONDS - 60, True),
     ("idle", sessions_module.IDLE_SECONDS + 1, False),
     ("longest", sessions_module.LONGEST_SECONDS - 60, True),
     ("longest", sessions_module.LONGEST_SECONDS + 1, False)],
)  # fmt: skip
def test_a_session_ends_with_time(
    ana: Browser, monkeypatch: pytest.MonkeyPatch, limit: str, waited: float, alive: bool
) -> None:
    ana.sign_in("ana")
    clock = sessions_module.time.time()
    step = waited if limit == "idle" else sessions_module.IDLE_SECONDS - 60
    moment = clock
    while moment < clock + waited:
        moment = min(moment + step, clock + waited)
        monkeypatch.setattr(sessions_module.time, "time", lambda at=moment: at)
        answer = ana.get("/approvals")
    assert answer.status_code == (200 if alive else 303)


@pytest.mark.parametrize("change", ["role", "remove", "password"])
def test_a_session_ends_when_its_person_changes(ana: Browser, change: str) -> None:
    ana.sign_in("ana")
    people = ana.client.app.state.people
    if change == "role":
        people.set_role("ana", "read")
    elif change == "remove":
        people.remove("ana")
    else:
        people.set_password("ana", "another good password")
    assert ana.get("/queue").status_code == 303


def test_sessions_live_on_when_the_desk_starts_again(
    ana: Browser, worked: Any, tmp_path: Path
) -> None:
    ana.sign_in("ana")
    again = Browser(create_app(worked.settings, DeskSettings(tmp_path / "state")))
    again.client.cookies.set("stillwatch-desk", ana.secret)
    assert again.get("/queue").status_code == 200


def test_guesses_are_limited_by_name_also_after_a_restart(
    ana: Browser, worked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_module, "MOST_OF_NAME", 3)
    for _ in range(3):
        assert ana.sign_in("ana", "not the password").status_code == 403
    refused = ana.sign_in("ana")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")
    again = Browser(create_app(worked.settings, DeskSettings(tmp_path / "state")))
    assert again.sign_in("ana").status_code == 429
    now = people_module.time.time()
    monkeypatch.setattr(people_module.time, "time", lambda: now + people_module.WINDOW_SECONDS + 1)
    assert again.sign_in("ana").status_code == 303


def test_guesses_are_limited_by_address_whatever_the_names(
    ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_module, "MOST_OF_ADDRESS", 3)
    for name in ("x1", "x2", "x3"):
        assert ana.sign_in(name, "not the password").status_code == 403
    assert ana.sign_in("ana").status_code == 429


def test_no_address_and_no_mistyped_name_is_kept(ana: Browser, tmp_path: Path) -> None:
    ana.sign_in("my-secret-typed-as-name", "not the password")
    ana.sign_in("ana", "typed-wrong-password")
    kept = b"".join(p.read_bytes() for p in (tmp_path / "state").rglob("*") if p.is_file())
    for secret in (b"my-secret-typed-as-name", b"typed-wrong-password", b"testclient"):
        assert secret not in kept


@pytest.mark.parametrize(
    ("name", "role", "password", "said"),
    [("Ana", "read", PASSWORD, "no name"), ("oidc:ana", "read", PASSWORD, "no name"),
     ("ana", "root", PASSWORD, "no role"), ("ana", "read", "short", "12 to 1,024 characters"),
     ("ana", "read", "x" * 1025, "12 to 1,024 characters")],
)  # fmt: skip
def test_a_person_that_will_not_do_is_refused(
    tmp_path: Path, name: str, role: str, password: str, said: str
) -> None:
    people = people_module.People(State(tmp_path))
    with pytest.raises(StillwatchError, match=said):
        people.add(name, role, password)
    assert people.all() == []


def test_a_role_taken_away_while_signing_in_is_not_given(app: Any) -> None:
    with pytest.raises(LookupError):
        app.state.sessions.start("nobody", "administer", "local")


def test_a_state_folder_that_others_may_open_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(StillwatchError, match="open to others"):
        State(folder)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert list(folder.iterdir()) == []


def test_two_processes_share_the_state(tmp_path: Path) -> None:
    one, other = people_module.People(State(tmp_path)), people_module.People(State(tmp_path))
    one.add("ana", "read", PASSWORD)
    assert other.all() == [("ana", "read")]
    with sqlite3.connect(tmp_path / "desk.sqlite") as connection:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)


def test_a_link_from_elsewhere_ends_at_sign_in_with_the_way_on(
    as_role: Callable[..., Browser],
) -> None:
    browser = as_role(None)
    answer = browser.get("/campaign/c1?night=2026-05-03")
    assert answer.headers["location"] == "/sign-in?next=%2Fcampaign%2Fc1%3Fnight%3D2026-05-03"
    assert 'href="/campaign/c1?night=2026-05-03"' in browser.get(answer.headers["location"]).text
