"""The audit log: what is in it, and that nobody changes it unseen."""

from __future__ import annotations

import json
import multiprocessing
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desk import audit as audit_module
from desk.audit import AuditLog
from tests.desk.conftest import PASSWORD, Browser


def lines(log: AuditLog) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(log.folder.glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    """Three entries."""
    log = AuditLog(tmp_path / "audit")
    for number in range(3):
        log.append({"by": "ana", "page": f"p{number}"})
    assert log.verify() == (3, None)
    return log


def the_file(log: AuditLog) -> Path:
    (path,) = log.folder.glob("*.jsonl")
    return path


def test_what_was_shown_and_done_is_written_down(as_role: Callable[..., Browser]) -> None:
    browser = as_role("decide", "ana")
    browser.get("/campaign/c1")
    answer = browser.send(
        "/decide", csrf=browser.csrf(), subject="c1", verdict="benign", reason="secret words"
    )
    decision = answer.headers["location"].rpartition("/")[2]
    log = browser.client.app.state.audit
    last = {name: lines(log)[-1][name] for name in ("by", "role", "page", "status", "did")}
    assert last == {
        "by": "ana", "role": "decide", "page": "decide", "status": 303,
        "did": {"subject": "c1", "verdict": "benign", "decision": decision, "action": None,
                "accounts": 3},
    }  # fmt: skip
    first = lines(log)[0]
    assert (first["page"], first["subject"]) == ("campaign", "c1")
    assert log.verify()[1] is None


def test_what_was_refused_is_written_down(as_role: Callable[..., Browser]) -> None:
    browser = as_role("read", "eve")
    browser.get("/audit")
    browser.send("/decide", subject="c1")
    rows = lines(browser.client.app.state.audit)
    assert [(r["page"], r["status"], r["did"]) for r in rows if r["status"] == 403] == [
        ("audit", 403, {"refused": "needs the role administer"}),
        ("decide", 403, {"refused": "needs the role decide"}),
    ]


def test_signing_in_and_out_are_written_down_without_passwords(app: Any) -> None:
    app.state.people.add("ana", "read", PASSWORD)
    browser = Browser(app)
    browser.sign_in("ana", "typed-wrong-password")
    browser.sign_in("typed-secret-name", "typed-wrong-password")
    browser.sign_in("ana")
    browser.send("/sign-out")
    text = the_file(app.state.audit).read_text()
    assert [row["did"].get("event") for row in lines(app.state.audit) if row["did"]] == [
        "sign-in failed", "sign-in failed", "signed in", "signed out",
    ]  # fmt: skip
    assert [row["did"]["name"] for row in lines(app.state.audit)[:2]] == ["ana", None]
    for secret in (PASSWORD, "typed-wrong-password", "typed-secret-name", browser.secret or "-x-"):
        assert secret not in text


def test_strangers_do_not_fill_the_log(as_role: Callable[..., Browser]) -> None:
    stranger = as_role(None)
    for path in ("/queue", "/nowhere", "/sign-in", "/static/desk.css", "/decision/x"):
        stranger.get(path)
    assert lines(stranger.client.app.state.audit) == []


def test_nothing_is_shown_that_can_not_be_written_down(
    as_role: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = as_role("read")

    def full(entry: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(browser.client.app.state.audit, "append", full)
    answer = browser.get("/queue")
    assert answer.status_code == 503
    assert "640,000" not in answer.text and "can&#39;t be written" in answer.text


def test_an_entry_is_on_the_disk_before_the_answer(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(
        audit_module.os,
        "fsync",
        lambda handle: synced.append(the_file(log).read_bytes().count(b"\n")),
    )
    log.append({"by": "ana"})
    assert synced == [4]


def test_a_changed_line_is_found(log: AuditLog) -> None:
    path = the_file(log)
    path.write_text(path.read_text().replace('"page":"p1"', '"page":"p9"'))
    assert log.verify() == (1, f"{path.name} line 2 does not follow from the line before it")


@pytest.mark.parametrize("gone", [0, 1])
def test_a_line_taken_out_is_found(log: AuditLog, gone: int) -> None:
    path = the_file(log)
    kept = path.read_text().splitlines(keepends=True)
    del kept[gone]
    path.write_text("".join(kept))
    where = f"{path.name} line {gone + 1} does not follow from the line before it"
    assert log.verify() == (gone, where)


def test_lines_cut_off_at_the_end_are_found(log: AuditLog) -> None:
    path = the_file(log)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    assert log.verify() == (2, "lines are missing at the end, after line 2 in all")
    path.unlink()
    assert log.verify() == (0, "lines are missing at the end, after line 0 in all")


def test_a_line_put_in_and_lines_swapped_are_found(log: AuditLog) -> None:
    path = the_file(log)
    first, second, third = path.read_text().splitlines(keepends=True)
    for forged in (first + second + second + third, second + first + third, first + "x\n" + third):
        path.write_text(forged)
        assert log.verify()[1] is not None


def test_the_chain_goes_on_across_days_and_a_clock_set_back(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = audit_module.dt.datetime

    class Clock(real):  # type: ignore[valid-type,misc]
        days = 1

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real.now(tz) + audit_module.dt.timedelta(days=cls.days)

    monkeypatch.setattr(audit_module.dt, "datetime", Clock)
    log.append({"by": "ana", "page": "tomorrow"})
    Clock.days = -5
    log.append({"by": "ana", "page": "set back"})
    assert len(list(log.folder.glob("*.jsonl"))) == 2
    assert log.verify() == (5, None)
    sorted(log.folder.glob("*.jsonl"))[0].unlink()
    assert log.verify()[1] is not None


def test_a_kill_in_the_middle_of_a_line_breaks_nothing(log: AuditLog) -> None:
    path = the_file(log)
    with path.open("a") as file:
        file.write('{"by":"ana","pa')
    log.append({"by": "ana", "page": "after"})
    assert log.verify() == (4, None)
    assert [row.get("page") for row in log.entries()] == ["after", "p2", "p1", "p0"]
    path.write_text(path.read_text().replace('{"by":"ana","pa\n', '{"by":"eve","pa\n'))
    assert log.verify()[1] is not None


def _write(folder: str, name: str) -> None:
    log = AuditLog(Path(folder))
    for _ in range(40):
        log.append({"by": name})


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(tmp_path), name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    log = AuditLog(tmp_path)
    assert log.verify() == (80, None)
    assert len(log.entries("a", most=100)) == 40


def test_an_entry_stays_small_whatever_was_sent(log: AuditLog) -> None:
    log.append(
        {"by": "ana", "subject": "\ud800\u202e" * 500_000, "did": {"x": ["y" * 10_000] * 99}}
    )
    assert len(the_file(log).read_bytes().splitlines()[-1]) < 40_000
    assert log.verify() == (4, None)


def test_the_page_leaves_pictures_out_and_leads_to_older_lines(
    as_role: Callable[..., Browser],
) -> None:
    admin = as_role("administer", "root")
    admin.get("/account/a9")
    assert admin.get("/chart/account/past.svg/a9").status_code == 200
    shown = admin.get("/audit").text
    assert "GET account</td>" in shown and "account-picture" not in shown and "Older" not in shown
    assert "account-picture" in admin.get("/audit", params={"pictures": "1"}).text
    log = admin.client.app.state.audit
    for at in range(430):
        log.append({"by": "ana", "method": "GET", "page": f"p{at:03d}"})
    pages, path = [], "/audit?person=ana&subject="
    while path:
        text = admin.get(path).text
        pages.append(re.findall(r"GET (p\d{3})</td>", text))
        found = re.search(r'href="(/audit\?[^"]*before=[^"]*)">Older', text)
        path = found[1].replace("&amp;", "&") if found else ""
    # Each look at the page adds a line of its own: none is lost or told twice.
    assert [len(page) for page in pages] == [200, 200, 30]
    told = [name for page in pages for name in page]
    assert told == [f"p{at:03d}" for at in reversed(range(430))]
    assert "Nothing fits" in admin.get("/audit?before=" + "f" * 64).text


def test_the_page_shows_entries_of_a_person_or_about_a_subject(
    as_role: Callable[..., Browser],
) -> None:
    as_role("read", "ana").get("/account/a9")
    as_role("read", "bob").get("/account/a1")
    admin = as_role("administer", "root")
    by_person = admin.get("/audit", params={"person": "ana"}).text
    assert "a9" in by_person and "<bdi>bob</bdi>" not in by_person
    by_subject = admin.get("/audit", params={"subject": "a1"}).text
    assert "<bdi>bob</bdi>" in by_subject and "<bdi>ana</bdi>" not in by_subject
