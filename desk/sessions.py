"""Sessions: a random id of 256 bits in a cookie, kept here as a hash.

A session ends at sign-out, after a time without use, after a time altogether, and when its
person's role or password changes or they are removed. What has ended does not come back.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from desk.asked import Person
from desk.state import State

IDLE_SECONDS = 45 * 60
LONGEST_SECONDS = 10 * 3600
#: Use is written down this often at most, so that a page costs no write.
_NOTED_SECONDS = 60
#: Ended sessions are forgotten after this.
_KEPT_SECONDS = 7 * 86400


def new_secret() -> str:
    return secrets.token_hex(32)


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def csrf_of(secret: str) -> str:
    """The token that forms carry: follows from the cookie, which another site can't read."""
    return hmac.new(secret.encode("utf-8", "replace"), b"form", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


class Sessions:
    def __init__(self, state: State) -> None:
        self._state = state

    def start(self, name: str, role: str, source: str) -> str:
        """A session of a person who has just signed in; returns its id, for the cookie.

        Raises:
            LookupError: a local person was removed, or got another role, since the password was
                looked at.
        """
        secret, now = new_secret(), time.time()
        with self._state.writing() as connection:
            if (
                source == "local"
                and not connection.execute(
                    "select 1 from people where name = ? and role = ?", (name, role)
                ).fetchone()
            ):
                raise LookupError(name)
            connection.execute("delete from sessions where started < ?",
                               (now - LONGEST_SECONDS - _KEPT_SECONDS,))  # fmt: skip
            connection.execute(
                "insert into sessions values (?, ?, ?, ?, ?, ?, null, null)",
                (hash_of(secret), name, role, source, now, now),
            )
        return secret

    def person(self, secret: str | None) -> Person | None:
        """Whose session it is, None if it is nobody's or has ended."""
        if not secret or len(secret) != 64:
            return None
        key, now = hash_of(secret), time.time()
        with self._state.reading() as connection:
            found = connection.execute(
                "select name, role, started, seen from sessions where id = ? and ended is null",
                (key,),
            ).fetchone()
        if found is None:
            return None
        name, role, started, seen = found
        if now - seen > IDLE_SECONDS or now - started > LONGEST_SECONDS:
            self.end(secret, "time")
            return None
        if now - seen > _NOTED_SECONDS:
            with self._state.writing() as connection:
                connection.execute("update sessions set seen = ? where id = ?", (now, key))
        return Person(name, role, key[:12], csrf_of(secret))

    def end(self, secret: str | None, why: str) -> None:
        if secret:
            with self._state.writing() as connection:
                connection.execute(
                    "update sessions set ended = ?, why = ? where id = ? and ended is null",
                    (time.time(), why, hash_of(secret)),
                )
