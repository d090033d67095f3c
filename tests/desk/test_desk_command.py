"""`stillwatch desk`, `desk-user` and `desk-audit`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.desk.conftest import PASSWORD
from tests.desk.serving import command, command_here, served


def test_a_desk_is_served_and_says_how_to_let_people_in(worked: Any) -> None:
    with served("--lake", worked.root) as (address, said):
        assert said == [
            "nobody can sign in yet: stillwatch desk-user add NAME --role administer "
            f"--state {worked.root}/_desk"
        ]
        assert httpx.get(f"{address}/health").text == "up\n"
        answer = httpx.get(f"{address}/queue")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fqueue")
        assert "server" not in answer.headers


def test_a_demo_user_gets_a_password_that_is_printed_once(worked: Any) -> None:
    with served("--lake", worked.root, "--demo-user") as (_, said):
        (line,) = said
        assert line.startswith("sign in as demo with the password ")
        assert len(line.split()[-1]) >= 16
    kept = b"".join(p.read_bytes() for p in Path(worked.root, "_desk").rglob("*") if p.is_file())
    assert line.split()[-1].encode() not in kept


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--host", "0.0.0.0"], "put a TLS proxy before it"),
     (["--host", "0.0.0.0", "--url", "http://desk.example"], "it takes https://NAME"),
     (["--url", "https://desk.example/path"], "it takes https://NAME"),
     (["--url", "https://desk.example", "--demo-user"], "on this machine only")],
)  # fmt: skip
def test_a_desk_open_to_others_needs_a_proxy(worked: Any, words: list[str], said: str) -> None:
    done = command_here("desk", "--lake", worked.root, *words)
    assert done.returncode == 1
    assert said in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_port_in_use_is_one_line(worked: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = command("desk", "--lake", worked.root, "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "Address already in use; choose another by --port" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_lake_or_a_night_it_says_so(tmp_path: Path) -> None:
    for words, said in (
        ([], "no lake: give --lake DIR"),
        (["--lake", str(tmp_path / "none")], "no night has run on"),
        (["--lake", "s3://bucket/lake"], "give a folder of this machine by --state DIR"),
    ):
        done = command_here("desk", *words)
        assert done.returncode == 1 and said in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_people_are_added_changed_listed_and_removed(tmp_path: Path) -> None:
    where = ["--lake", str(tmp_path)]
    # The first in a process of its own, the password through a pipe.
    assert command("desk-user", "add", "ana", "--role", "decide", *where,
                   stdin=PASSWORD + "\n").stdout == "ana may sign in, role decide\n"  # fmt: skip
    again = command_here("desk-user", "add", "ana", "--role", "decide", *where, stdin=PASSWORD)
    assert again.returncode == 1 and "ana is there already" in again.stderr
    assert "has the role approve" in command_here("desk-user", "role", "ana", "--role", "approve",
                                             *where).stdout  # fmt: skip
    assert command_here("desk-user", "list", *where).stdout == "ana: approve\n"
    assert command_here("desk-user", "password", "ana", *where, stdin="short").returncode == 1
    assert command_here("desk-user", "remove", "ana", *where).returncode == 0
    assert command_here("desk-user", "list", *where).stdout == ""
    gone = command_here("desk-user", "remove", "ana", *where)
    assert gone.returncode == 1 and "nobody is called 'ana'" in gone.stderr


def test_the_audit_log_is_verified_by_command_here(as_role: Any, tmp_path: Path) -> None:
    browser = as_role("read")
    browser.get("/queue")
    browser.get("/appeals")
    where = ["--lake", str(tmp_path / "lake"), "--state", str(tmp_path / "state")]
    assert command_here("desk-audit", "verify", *where).stdout == (
        "2 lines, each follows from the one before\n"
    )
    (path,) = (tmp_path / "state" / "audit").glob("*.jsonl")
    path.write_text(path.read_text().replace("queue", "mode"))
    done = command_here("desk-audit", "verify", *where)
    assert done.returncode == 1
    assert f"{path.name} line 1 does not follow" in done.stderr
