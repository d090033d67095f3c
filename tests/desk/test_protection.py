"""Forms from elsewhere, other names, large and hostile input, headers, errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from desk.rendering import shown
from tests.desk.conftest import ORIGIN, Browser

DECISION = {"subject": "c1", "verdict": "benign", "reason": "a class", "seen": ""}
#: Markup, a formula, a direction override, controls, an id of many accents.
HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>',
    "{{ 6007*7 }}", "'; drop table --",
    "=cmd|'/C calc'!A0", "abc\u202egnp.exe", "a\x00b\x1b[31mc", "a" + "\u0301" * 50, "\ud800",
    "../../etc/passwd", "%2e%2e%2f", "a\nb", "\u200bhidden\U000e0041", "日本語",
    "javascript:alert(1)",
]  # fmt: skip


def nothing_decided(lake: Any) -> bool:
    return not lake.exists("decisions") or lake.rows("decisions").num_rows == 0


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é" * 64])
def test_a_form_without_its_token_does_nothing(
    as_role: Callable[..., Browser], worked: Any, token: str | None
) -> None:
    answer = as_role("decide").send("/decide", csrf=token, **DECISION)
    assert answer.status_code == 403
    assert nothing_decided(worked)


def test_the_token_of_another_session_is_refused(
    as_role: Callable[..., Browser], worked: Any
) -> None:
    ana, eve = as_role("decide", "ana"), as_role("decide", "eve")
    assert ana.send("/decide", csrf=eve.csrf(), **DECISION).status_code == 403
    assert nothing_decided(worked)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "null"},
        {"sec-fetch-site": "same-site", "origin": ORIGIN},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {},
    ],
)
@pytest.mark.parametrize("path", ["/decide", "/sign-in"])
def test_a_form_from_another_site_does_nothing_even_with_its_token(
    as_role: Callable[..., Browser], worked: Any, headers: dict[str, str], path: str
) -> None:
    answer = as_role("decide").send(path, headers=headers, **DECISION)
    assert answer.status_code == 403
    assert "another site" in answer.text
    assert nothing_decided(worked)


def test_a_browser_that_says_only_its_origin_is_heard(
    as_role: Callable[..., Browser], worked: Any
) -> None:
    answer = as_role("decide").send("/decide", headers={"origin": ORIGIN}, **DECISION)
    assert answer.status_code == 303


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:9999", "127.0.0.1", "", "localhost.",
                                  "127.0.0.1:8765.evil.example"])  # fmt: skip
def test_another_name_is_not_answered(as_role: Callable[..., Browser], host: str) -> None:
    browser = as_role("administer")
    assert browser.get("/queue", headers={"host": host}).status_code == 421
    assert browser.get("/health", headers={"host": host}).text == "up\n"


@pytest.mark.parametrize("path", ["/queue", "/sign-in", "/static/desk.css", "/nowhere", "/health",
                                  "/decision/none"])  # fmt: skip
def test_every_answer_has_the_headers(as_role: Callable[..., Browser], path: str) -> None:
    headers = as_role("read").get(path).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_a_megabyte_is_refused_before_it_is_read(as_role: Callable[..., Browser]) -> None:
    browser = as_role("decide")
    assert browser.send("/decide", reason="x" * 1_100_000).status_code == 413
    assert browser.send("/decide", **{f"f{n}": "" for n in range(40_001)}).status_code == 413
    files = browser.client.post("/decide", files={"reason": b"x"},
                                headers={"sec-fetch-site": "same-origin"})  # fmt: skip
    assert files.status_code == 415
    assert browser.get("/campaign/" + "x" * 9000).status_code == 414


@pytest.mark.parametrize(
    ("name", "value"),
    [("reason", "x" * 2001), ("subject", "x" * 513), ("accounts", "x" * 513), ("reason", " "),
     ("verdict", "approved"), ("verdict", "overturned"), ("action", "delete"),
     ("expires", "31.12.2026"), ("evidence", "rumour"), ("accounts", "a9"), ("accounts", ""),
     ("subject", "c404")],
)  # fmt: skip
def test_a_decision_that_makes_no_sense_is_one_line(
    as_role: Callable[..., Browser], worked: Any, name: str, value: str
) -> None:
    fields = {**DECISION, name: value}
    if name == "accounts":
        fields["which"] = "some"
    if name == "action":
        fields["verdict"] = "distillation"
    answer = as_role("decide").send("/decide", **fields)
    assert answer.status_code == 400
    assert "That did not work" in answer.text and "Traceback" not in answer.text
    assert nothing_decided(worked)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_ids_and_reasons_are_shown_as_text(
    as_role: Callable[..., Browser], worked: Any, fill: Callable[..., int], night: Any, text: str
) -> None:
    ident = text.encode("utf-8", "replace").decode()
    fill(worked, "cases", night, [
        {"subject_kind": "account", "subject": ident, "score": 0.5, "accounts": 1,
         "requests_at_stake": 1, "summary": ident, "evidence": [ident], "opened": night}
    ])  # fmt: skip
    fill(worked, "accounts", night, [{"account_id": ident}])
    browser = as_role("decide")
    queue = browser.get("/queue")
    assert queue.status_code == 200
    answer = browser.send("/decide", subject=ident, verdict="benign", reason=f"it is {ident}")
    pages = [queue.text, answer.text]
    if answer.status_code == 303:
        pages.append(browser.get(answer.headers["location"]).text)
    pages.append(browser.get("/nowhere/" + "x").text)
    pages.append(as_role("administer").get("/audit", params={"subject": ident}).text)
    for page in pages:
        # What a form sends back is the id itself; nobody reads it.
        page = re.sub(r'<input type="hidden"[^>]*>', "", page)
        for raw in ("<script>alert", "<img", "42049", "\u202e", "\x1b", "\x00", "\U000e0041"):
            assert raw not in page
        assert 'href="javascript:' not in page


def test_a_megabyte_of_an_id_makes_no_large_page(
    as_role: Callable[..., Browser], worked: Any, fill: Callable[..., int], night: Any
) -> None:
    fill(worked, "cases", night, [
        {"subject_kind": "campaign", "subject": "c1", "score": 0.5, "accounts": 1,
         "summary": "<" * 1_000_000, "evidence": ["&" * 1_000_000], "opened": night}
    ])  # fmt: skip
    assert len(as_role("decide").get("/queue").text) < 20_000


@pytest.mark.parametrize(
    ("text", "seen"),
    [("a\x00b", "a\ufffdb"), ("a\u202eb\u2066", "a\ufffdb\ufffd"), ("x" * 81, "x" * 79 + "…"),
     ("a" + "\u0301" * 9, "a\u0301\u0301"), (None, "–"), ("<b>", "<b>"), ("日本", "日本")],
)  # fmt: skip
def test_text_is_made_fit_to_be_read(text: str | None, seen: str) -> None:
    assert shown(text) == seen


def test_an_error_of_ours_is_a_page_of_one_line(
    as_role: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs import cases

    def broken(lake: object) -> None:
        raise RuntimeError("secret inner workings")

    monkeypatch.setattr(cases, "waiting", broken)
    answer = as_role("read").get("/queue")
    assert answer.status_code == 500
    assert "secret inner workings" not in answer.text
    assert "Something went wrong on the desk&#39;s side" in answer.text


def test_style_sheets_come_from_one_folder(as_role: Callable[..., Browser]) -> None:
    browser = as_role(None)
    assert browser.get("/static/desk.css").headers["content-type"].startswith("text/css")
    for name in ("..%2fapp.py", "app.py", "desk.css%00", "%2e%2e%2fapp.css"):
        assert browser.get(f"/static/{name}").status_code == 404
