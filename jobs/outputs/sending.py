"""Requests to other people's servers: signed, patient, and trusting nothing that comes back.

Signatures are those of the Standard Webhooks specification, version 1.0.0
(github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md): HMAC-SHA256 over
`{webhook-id}.{webhook-timestamp}.{body}`, in `webhook-signature` as `v1,` and base64; of several
secrets, as while one takes over from another, all signatures, with spaces.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import logging
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jobs.platform.errors import StillwatchError
from jobs.platform.storage import said

if TYPE_CHECKING:
    import httpx

SECRET_PREFIX = "whsec_"
#: Bytes of a secret, as the specification has it.
_SECRET_BYTES = (24, 64)
#: What may pass by itself; any other answer but 2xx will be the same the next time.
_PASSING = {408, 425, 429, *range(500, 600)}
_GONE = 410


class SendingError(StillwatchError):
    """Nothing can be sent: the address or the secret is wrong."""


@dataclass(frozen=True)
class Message:
    """What is sent. `id` is the same however often it is sent, and holds no full stop."""

    id: str
    body: bytes


@dataclass(frozen=True)
class Endpoint:
    """Where messages go. The address may be a secret, as Slack's are: only the host is shown."""

    url: str
    host: str
    local: bool
    secrets: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"Endpoint({self.host})"


@dataclass(frozen=True)
class Patience:
    """How long to go on. Seconds."""

    attempts: int = 6
    #: Before the second attempt; twice that before each further one.
    first_pause: float = 1.0
    longest_pause: float = 60.0
    connect: float = 5.0
    #: Between two pieces of an answer.
    read: float = 15.0
    #: For an attempt as a whole, however slowly an answer drips.
    attempt: float = 30.0
    #: For all messages of a run.
    whole: float = 900.0


PATIENCE = Patience()


@dataclass(frozen=True)
class Outcome:
    """What came of a message; `problem` is None if it was delivered."""

    attempts: int
    status: int | None
    problem: str | None


def endpoint(url: str, secrets: tuple[bytes, ...] = ()) -> Endpoint:
    """The address, if it may be sent to: https, or this machine.

    Raises:
        SendingError: it may not; why, without the address.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise SendingError("the address to send to is none: give https://HOST/PATH") from None
    # A line end behind a secret address, as files have it, is no part of it either.
    fit = all("!" <= character <= "~" for character in url)
    if not host or not fit or parts.scheme not in ("https", "http"):
        raise SendingError("the address to send to is none: give https://HOST/PATH")
    if parts.username or parts.password:
        raise SendingError(
            f"the address at {host} holds a name or password: leave it out, messages are signed"
        )
    local = _is_local(host)
    if parts.scheme == "http" and not local:
        raise SendingError(f"{host} is not this machine: messages go there by https only")
    return Endpoint(url, host, local, secrets)


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_secrets(environment: Mapping[str, str] = os.environ) -> tuple[bytes, ...]:
    """The secrets that sign, from STILLWATCH_WEBHOOK_SECRET or the file that
    STILLWATCH_WEBHOOK_SECRET_FILE names: `whsec_` and base64, several with spaces between.

    Raises:
        SendingError: there is none, or it is none; never shows it.
    """
    text = environment.get("STILLWATCH_WEBHOOK_SECRET") or ""
    where = "STILLWATCH_WEBHOOK_SECRET"
    file = environment.get("STILLWATCH_WEBHOOK_SECRET_FILE")
    if not text and file:
        where = file
        try:
            text = Path(file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = said(error) if isinstance(error, OSError) else "it is no text"
            raise SendingError(f"the webhook's secret in {file} can't be read: {why}") from None
    if not text.split():
        raise SendingError(
            "no secret to sign with: set STILLWATCH_WEBHOOK_SECRET, or "
            "STILLWATCH_WEBHOOK_SECRET_FILE"
        )
    return tuple(_secret(word, where) for word in text.split())


def _secret(word: str, where: str) -> bytes:
    try:
        secret = base64.b64decode(word.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    least, most = _SECRET_BYTES
    if not word.startswith(SECRET_PREFIX) or not least <= len(secret) <= most:
        raise SendingError(
            f"{where} holds no secret: it takes {SECRET_PREFIX} and base64 of {least} to {most} "
            "random bytes"
        )
    return secret


def signature(secrets: Sequence[bytes], message: Message, timestamp: int) -> str:
    """The header `webhook-signature`."""
    signed = f"{message.id}.{timestamp}.".encode() + message.body
    digests = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def send(
    to: Endpoint, messages: Sequence[Message], patience: Patience = PATIENCE
) -> Iterator[tuple[Message, Outcome]]:
    """Send one message after the other, and say of each what came of it.

    A server that answers 410 wants no more: the rest is given up without a request. So is what is
    left when time is up.
    """
    try:
        import httpx
    except ImportError:
        raise SendingError("sending needs httpx: install the project's group `desk`") from None
    # At its level INFO it writes down addresses.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    until = time.monotonic() + patience.whole
    limits = httpx.Timeout(patience.read, connect=patience.connect)
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(
            timeout=limits, follow_redirects=False, trust_env=not to.local,
            headers={"user-agent": f"stillwatch/{version('stillwatch')}"},
        )  # fmt: skip
        gone = False
        try:
            for message in messages:
                if gone:
                    outcome = Outcome(0, None, "the server wants no more (410)")
                else:
                    outcome = runner.run(_deliver(client, to, message, patience, until))
                gone = gone or outcome.status == _GONE
                yield message, outcome
        finally:
            runner.run(client.aclose())


async def _deliver(
    client: httpx.AsyncClient, to: Endpoint, message: Message, patience: Patience, until: float
) -> Outcome:
    status: int | None = None
    problem = "time was up before it was tried"
    for attempt in range(patience.attempts):
        left = until - time.monotonic()
        if left <= 0:
            return Outcome(attempt, status, problem)
        status, asked, problem = await _attempt(client, to, message, min(patience.attempt, left))
        if status is not None and 200 <= status < 300:
            return Outcome(attempt + 1, status, None)
        if status is not None and status not in _PASSING:
            return Outcome(attempt + 1, status, problem)
        if attempt + 1 == patience.attempts:
            break
        pause = min(patience.longest_pause, patience.first_pause * 2**attempt)
        # Half of it by chance: many senders that failed together don't come back together.
        pause = max(pause * random.uniform(0.5, 1.0), asked or 0.0)
        if time.monotonic() + pause >= until:
            return Outcome(
                attempt + 1, status, f"{problem}; no time was left to wait {pause:.0f} s"
            )
        await asyncio.sleep(pause)
    return Outcome(patience.attempts, status, problem)


async def _attempt(
    client: httpx.AsyncClient, to: Endpoint, message: Message, seconds: float
) -> tuple[int | None, float | None, str]:
    """Status, seconds that the server asks to wait, and what is wrong. Of an answer only its
    status and Retry-After are looked at; its body is never read."""
    import httpx

    now = int(time.time())
    headers = {"content-type": "application/json", "webhook-id": message.id,
               "webhook-timestamp": str(now)}  # fmt: skip
    if to.secrets:
        headers["webhook-signature"] = signature(to.secrets, message, now)
    try:
        async with (
            asyncio.timeout(seconds),
            client.stream("POST", to.url, content=message.body, headers=headers) as answer,
        ):
            return answer.status_code, _asked(answer.headers), f"HTTP {answer.status_code}"
    except TimeoutError:
        return None, None, "no answer in time"
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        # Its text may hold the address. The others: a host name that is none.
        return None, None, type(error).__name__


def _asked(headers: Mapping[str, str]) -> float | None:
    """Seconds of Retry-After, which is a number or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
