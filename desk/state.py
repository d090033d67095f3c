"""What the desk keeps of its own: people, sessions and sign-ins, in one SQLite file.

Several processes may work on it at once. Secrets lie in it as hashes only.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.platform.errors import SettingsError

_SCHEMA = """
create table if not exists people (
    name text primary key, role text not null, password text not null) strict;
create table if not exists sessions (
    id text primary key, name text not null, role text not null, source text not null,
    started real not null, seen real not null, ended real, why text) strict;
create table if not exists attempts (who text not null, at real not null) strict;
create index if not exists attempts_of on attempts (who, at);
create table if not exists flows (
    id text primary key, browser text not null, nonce text not null, verifier text not null,
    next text not null, at real not null) strict;
create table if not exists secrets (name text primary key, value text not null) strict;
"""


class State:
    """The state folder: `desk.sqlite` and `audit/`; made with mode 0700 where it is not there.

    Raises:
        SettingsError: it can't be made or written, or others may read it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "desk.sqlite"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_mode & 0o077:
                # Not made stricter here: it may be a folder that others need.
                raise SettingsError(
                    f"the desk's state folder {folder} is open to others: `chmod 700` it, or give "
                    "a folder of its own by --state DIR"
                )
            with self.writing() as connection:
                connection.execute(
                    "insert or ignore into secrets values ('addresses', ?)",
                    (secrets.token_hex(32),),
                )
            self._file.chmod(0o600)
            self._secret = self._read_secret()
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(
                f"the desk's state folder {folder} can't be used: {error}; check its owner and "
                "mode, or give another by --state DIR"
            ) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside; undone when an error leaves it."""
        connection = sqlite3.connect(self._file, timeout=30, isolation_level=None)
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.executescript(_SCHEMA)
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")
        finally:
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._file, timeout=30, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    def _read_secret(self) -> str:
        with self.reading() as connection:
            (value,) = connection.execute(
                "select value from secrets where name = 'addresses'"
            ).fetchone()
        return str(value)

    def token_of(self, kind: str, value: str) -> str:
        """A keyed token of a value that is not to be kept in clear."""
        return hashlib.blake2b(
            f"{kind}:{value}".encode("utf-8", "replace"),
            key=bytes.fromhex(self._secret),
            digest_size=16,
        ).hexdigest()
