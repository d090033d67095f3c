"""Messages to a real server that fails, stalls, drops and repeats.

Signatures are checked here by the words of the Standard Webhooks specification 1.0.0, with nothing
of the code that makes them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import replace
from email.utils import formatdate

import pytest

from jobs.outputs.sending import (
    Message,
    Patience,
    SendingError,
    endpoint,
    load_secrets,
    send,
)

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
HASTY = Patience(first_pause=0.01, longest_pause=0.02, connect=1, read=0.3, attempt=0.6, whole=20)
ONE = Message("msg_1", '{"type":"x","data":"é"}'.encode())


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As a receiver does it: the content is id, timestamp and body, joined by full stops."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = b".".join(
        [headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body]
    )
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    given = [entry.split(",", 1) for entry in headers["webhook-signature"].split(" ")]
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return fresh and any(v == "v1" and hmac.compare_digest(s, expected) for v, s in given)


@pytest.fixture
def to(server):
    return endpoint(server.url, load_secrets({"STILLWATCH_WEBHOOK_SECRET": SECRET}))


def outcome(to, patience=HASTY, message=ONE):
    ((_, found),) = send(to, [message], patience)
    return found


class TestSignature:
    def test_a_receiver_can_verify_it(self, server, to):
        assert outcome(to).problem is None
        (request,) = server.requests
        assert verified(SECRET, request.headers, request.body)
        assert not verified(OTHER, request.headers, request.body)
        assert not verified(SECRET, request.headers, request.body + b" ")
        assert request.body == ONE.body
        assert request.headers["webhook-id"] == ONE.id
        assert request.headers["content-type"] == "application/json"

    def test_the_specifications_own_example_of_a_key(self):
        """Known from its reference libraries' tests."""
        from jobs.outputs.sending import signature

        key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        message = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}')
        assert signature([key], message, 1614265330) == (
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        )

    def test_while_secrets_change_both_sign(self, server):
        both = load_secrets({"STILLWATCH_WEBHOOK_SECRET": f"{OTHER} {SECRET}"})
        assert outcome(endpoint(server.url, both)).problem is None
        (request,) = server.requests
        assert verified(SECRET, request.headers, request.body)
        assert verified(OTHER, request.headers, request.body)


class TestRetries:
    @pytest.mark.parametrize("fault", [500, 503, 429, 408, "drop", "stall", "drip"])
    def test_what_may_pass_is_tried_again_under_the_same_name(self, server, to, fault):
        server.script = [fault, fault]
        found = outcome(to)
        assert (found.problem, found.status, found.attempts) == (None, 200, 3)
        assert {r.headers["webhook-id"] for r in server.requests} == {"msg_1"}
        assert all(verified(SECRET, r.headers, r.body) for r in server.requests)
        assert server.effects == {"msg_1": ONE.body}

    @pytest.mark.parametrize("status", [400, 401, 404, 410, 301, 302, 307])
    def test_what_will_not_pass_is_tried_once(self, server, to, status):
        server.script = [(status, {"location": server.url})]
        found = outcome(to)
        assert (found.attempts, found.status, found.problem) == (1, status, f"HTTP {status}")
        assert len(server.requests) == 1, "a redirect is not followed"

    def test_it_gives_up_after_some_attempts(self, server, to):
        server.script = [500] * 50
        found = outcome(to)
        assert (found.attempts, found.problem) == (HASTY.attempts, "HTTP 500")
        assert len(server.requests) == HASTY.attempts

    @pytest.mark.parametrize("fault", ["stall", "drip"])
    def test_it_gives_up_in_time_however_slow_the_answer(self, server, to, fault):
        server.script = [fault] * 50
        began = time.monotonic()
        found = outcome(to, replace(HASTY, whole=1.0))
        assert time.monotonic() - began < 2.5
        assert found.problem is not None and found.status is None

    def test_pauses_grow(self, server, to):
        server.script = [500, 500, 500]
        patience = replace(HASTY, first_pause=0.1, longest_pause=10)
        began = time.monotonic()
        assert outcome(to, patience).problem is None
        assert 0.35 <= time.monotonic() - began < 1.5  # halves of 0.1, 0.2 and 0.4 s at least

    @pytest.mark.parametrize("date", [False, True])
    def test_retry_after_is_honoured(self, server, to, date):
        asked = formatdate(time.time() + 2, usegmt=True) if date else "1"
        server.script = [(429, {"retry-after": asked})]
        began = time.monotonic()
        assert outcome(to).problem is None
        assert time.monotonic() - began >= 0.9

    @pytest.mark.parametrize("asked", ["86400", "9" * 400])
    def test_a_longer_wait_than_there_is_time_is_not_waited(self, server, to, asked):
        server.script = [(503, {"retry-after": asked})]
        began = time.monotonic()
        found = outcome(to)
        assert time.monotonic() - began < 2
        assert found.attempts == 1 and found.problem.startswith("HTTP 503; no time was left")

    @pytest.mark.parametrize("asked", ["-5", "soon", "", "²", "Thu, 99 Foo 2026"])
    def test_a_senseless_wait_is_passed_over(self, server, to, asked):
        server.script = [(503, {"retry-after": asked.encode().decode("latin-1")})]
        assert outcome(to).problem is None

    def test_gone_ends_it_for_all(self, server, to):
        server.script = [200, 410]
        messages = [Message(f"msg_{n}", b"{}") for n in range(4)]
        found = [o for _, o in send(to, messages, HASTY)]
        assert [o.problem for o in found] == [
            None, "HTTP 410", *["the server wants no more (410)"] * 2,
        ]  # fmt: skip
        assert len(server.requests) == 2

    def test_nobody_there_is_an_outcome(self, to):
        found = outcome(replace(to, url="http://127.0.0.1:9/"), replace(HASTY, attempts=2))
        assert (found.attempts, found.status, found.problem) == (2, None, "ConnectError")

    def test_a_host_name_that_is_none_is_an_outcome(self):
        found = outcome(endpoint("https://xn--a.example/"), replace(HASTY, attempts=1))
        assert found.status is None and found.problem


class TestAddress:
    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("http://soc.example/x", "soc.example is not this machine: messages go there by https"),
            ("http://localhost.evil.example/x", "by https only"),
            ("https://user:pw@soc.example/x", "holds a name or password"),
            ("ftp://soc.example/x", "is none: give https"),
            ("file:///etc/passwd", "is none: give https"),
            ("https://[::1", "is none: give https"),
            ("soc.example", "is none: give https"),
            ("https://soc.example/secret\n", "is none: give https"),
            ("https://soc .example/x", "is none: give https"),
            ("https://so\u2603.example/x", "is none: give https"),
        ],
    )
    def test_what_may_not_be_sent_to_is_refused(self, url, said):
        with pytest.raises(SendingError, match=said) as refused:
            endpoint(url)
        assert "pw" not in str(refused.value) and "secret" not in str(refused.value)

    @pytest.mark.parametrize(
        "url", ["http://localhost:1/x", "http://127.0.0.2/x", "http://[::1]/x"]
    )
    def test_this_machine_may_be_sent_to_in_clear(self, url):
        assert endpoint(url).local

    def test_an_address_shows_its_host_only(self):
        assert "T0/B0" not in repr(endpoint("https://hooks.slack.com/services/T0/B0/XYZ", (b"k",)))


class TestSecret:
    @pytest.mark.parametrize(
        "text", ["hunter2hunter2", "whsec_", "whsec_!!", "whsec_c2hvcnQ=", "whsec_" + "A" * 200]
    )
    def test_what_is_none_is_refused_without_showing_it(self, text):
        with pytest.raises(SendingError, match="24 to 64 random bytes") as refused:
            load_secrets({"STILLWATCH_WEBHOOK_SECRET": text})
        assert text.removeprefix("whsec_") not in str(refused.value) or text == "whsec_"

    def test_none_says_what_to_set(self):
        with pytest.raises(SendingError, match="set STILLWATCH_WEBHOOK_SECRET"):
            load_secrets({})

    def test_it_may_lie_in_a_file(self, tmp_path):
        (tmp_path / "secret").write_text(SECRET + "\n")
        named = {"STILLWATCH_WEBHOOK_SECRET_FILE": str(tmp_path / "secret")}
        assert load_secrets(named) == (bytes(range(32)),)
        with pytest.raises(SendingError, match=r"in /nonexistent can't be read: No such file"):
            load_secrets({"STILLWATCH_WEBHOOK_SECRET_FILE": "/nonexistent"})


def test_logs_hold_neither_address_nor_secret(server, to, caplog):
    server.script = [500, "drop"]
    with caplog.at_level("DEBUG", logger="jobs"):
        assert outcome(to).problem is None
    assert "s3cr3t-path" not in caplog.text
    assert SECRET not in caplog.text
