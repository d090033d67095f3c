"""Local people: a name, a role and an Argon2id hash of a password (RFC 9106).

Sign-ins are counted by name and by address before a password is looked at, so that guesses in
parallel count as well, and for names that nobody has, so that an answer does not tell them apart.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import time

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from desk.page import ROLES
from desk.state import State
from jobs.platform.errors import StillwatchError

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1024
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
#: Failed sign-ins of one name, and of one address, within the window.
MOST_OF_NAME, MOST_OF_ADDRESS = 10, 30
WINDOW_SECONDS = 900
_HASHER = PasswordHasher()
#: What the password of a name that nobody has is compared with, at the same cost.
_NOBODY = _HASHER.hash("nobody has this password")
#: A check takes 64 MiB: guesses in parallel must not take the machine's memory.
_CHECKS = threading.BoundedSemaphore(2)


class TooManyAttempts(StillwatchError):
    """Sign-in is closed for this name or address for a while."""


class People:
    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, name: str, role: str, password: str, replace: bool = False) -> None:
        """Add a person.

        Raises:
            StillwatchError: the name, role or password won't do, or the name is taken.
        """
        if not NAME.fullmatch(name):
            raise StillwatchError(
                f"{name!r:.80} is no name: 1 to 64 of a-z, 0-9, dot, dash and underscore"
            )
        _check_role(role)
        hashed = _hashed(password)
        with self._state.writing() as connection:
            there = connection.execute("select 1 from people where name = ?", (name,)).fetchone()
            if there and not replace:
                raise StillwatchError(
                    f"{name} is there already: see `stillwatch desk-user role` and `password`"
                )
            connection.execute("insert or replace into people values (?, ?, ?)",
                               (name, role, hashed))  # fmt: skip
            _end_sessions(connection, name, "added anew")

    def remove(self, name: str) -> None:
        """Remove a person; their sessions end."""
        with self._state.writing() as connection:
            self._must_be_there(connection, name)
            connection.execute("delete from people where name = ?", (name,))
            _end_sessions(connection, name, "removed")

    def set_role(self, name: str, role: str) -> None:
        """Give a person another role; their sessions end."""
        _check_role(role)
        with self._state.writing() as connection:
            self._must_be_there(connection, name)
            connection.execute("update people set role = ? where name = ?", (role, name))
            _end_sessions(connection, name, "role changed")

    def set_password(self, name: str, password: str) -> None:
        """Give a person another password; their sessions end."""
        hashed = _hashed(password)
        with self._state.writing() as connection:
            self._must_be_there(connection, name)
            connection.execute("update people set password = ? where name = ?", (hashed, name))
            _end_sessions(connection, name, "password changed")

    def all(self) -> list[tuple[str, str]]:
        """Names and roles."""
        with self._state.reading() as connection:
            return connection.execute("select name, role from people order by name").fetchall()

    def knows(self, name: str) -> bool:
        return any(known == name for known, _ in self.all())

    def role_for(self, name: str, password: str, address: str) -> str | None:
        """The person's role if the password is theirs, else None.

        Raises:
            TooManyAttempts: too many failed for this name or from this address.
        """
        now = time.time()
        of_name = self._state.token_of("name", name)
        of_address = self._state.token_of("address", address)
        with self._state.writing() as connection:
            connection.execute("delete from attempts where at < ?", (now - WINDOW_SECONDS,))
            for who, most in ((of_name, MOST_OF_NAME), (of_address, MOST_OF_ADDRESS)):
                (count,) = connection.execute(
                    "select count(*) from attempts where who = ?", (who,)
                ).fetchone()
                if count >= most:
                    raise TooManyAttempts(
                        f"Too many sign-ins failed: wait {WINDOW_SECONDS // 60} minutes."
                    )
            connection.executemany("insert into attempts values (?, ?)",
                                   [(of_name, now), (of_address, now)])  # fmt: skip
            found = connection.execute(
                "select role, password from people where name = ?", (name,)
            ).fetchone()
        role, hashed = found or (None, _NOBODY)
        with _CHECKS:
            try:
                _HASHER.verify(hashed, password)
            except (VerificationError, InvalidHashError):
                return None
        if role is None:
            return None
        with self._state.writing() as connection:
            # What succeeded is no guess. Failures before it stay counted for the address.
            connection.execute("delete from attempts where who = ?", (of_name,))
            connection.execute("delete from attempts where who = ? and at = ?", (of_address, now))
        return str(role)

    def _must_be_there(self, connection: sqlite3.Connection, name: str) -> None:
        if not connection.execute("select 1 from people where name = ?", (name,)).fetchone():
            raise StillwatchError(f"nobody is called {name!r:.80}: see `stillwatch desk-user list`")


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise StillwatchError(f"{role!r:.80} is no role; it is one of {', '.join(ROLES)}")


def _hashed(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise StillwatchError(
            f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD:,} characters"
        )
    return _HASHER.hash(password)


def _end_sessions(connection: sqlite3.Connection, name: str, why: str) -> None:
    connection.execute(
        "update sessions set ended = ?, why = ? where name = ? and ended is null",
        (time.time(), why, name),
    )
