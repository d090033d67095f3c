"""Who saw and did what: a line of JSON a request, a file a day, each line bound to the one before.

A line's `hash` is the SHA-256 of the hash before it and of the line itself, so that a line that is
changed, taken out or put in breaks the chain from there on. `head` repeats the last hash: cut at
the end, the chain no longer leads to it. Whoever may write both files can still forge all of it;
copy `head` elsewhere now and then to hold against that.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_START = "0" * 64
#: A line is far shorter; this much of a file's end holds the last one.
_TAIL_BYTES = 256 * 1024
#: How the names of pages end that are pictures of another page.
PICTURE = "-picture"
#: Characters of a text in an entry.
_LONGEST = 400


class AuditLog:
    """The folder of the log. Processes that write to it take turns by a lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def append(self, entry: dict[str, Any]) -> None:
        """Write an entry; it is on the disk when this returns.

        Raises:
            OSError: it can't be written.
        """
        with self._locked():
            now = dt.datetime.now(dt.UTC)
            files = self._files()
            # A clock that is set back must not put a line before the one that it follows.
            day = max(f"{now:%Y-%m-%d}", files[-1].stem) if files else f"{now:%Y-%m-%d}"
            previous, torn = _end_of(files)
            line = {**_capped(entry), "at": now.isoformat(timespec="milliseconds")}
            if torn:
                line["after_torn"] = hashlib.sha256(torn).hexdigest()
            line["hash"] = _hash(previous, line)
            path = self.folder / f"{day}.jsonl"
            with os.fdopen(
                os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb"
            ) as file:
                file.write((b"\n" if torn else b"") + _canonical(line) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self._note_head(line["hash"])

    def entries(
        self,
        person: str = "",
        subject: str = "",
        most: int = 200,
        before: str = "",
        pictures: bool = True,
    ) -> list[dict[str, Any]]:
        """The newest entries first.

        Args:
            person: whose, where one is given.
            subject: about whom, where one is given.
            most: how many at most.
            before: only those older than the entry of this hash; none where no entry has it.
            pictures: also those of pictures, which each view of a page asks for.
        """
        found: list[dict[str, Any]] = []
        waiting = bool(before)
        for path in reversed(self._files()):
            for line in reversed(path.read_bytes().splitlines()):
                entry = _parsed(line)
                if entry is None:
                    continue
                if waiting:
                    waiting = entry["hash"] != before
                    continue
                if not pictures and str(entry.get("page")).endswith(PICTURE):
                    continue
                if person and entry.get("by") != person:
                    continue
                if subject and subject not in (entry.get("subject"), *_said(entry)):
                    continue
                found.append(entry)
                if len(found) == most:
                    return found
        return found

    def verify(self) -> tuple[int, str | None]:
        """How many lines follow from one another, and where the chain breaks, None if nowhere."""
        with self._locked():
            head = self._head()
            count, previous, torn = 0, _START, b""
            hashes = {_START}
            for path in self._files():
                for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
                    where = f"{path.name} line {number}"
                    entry = _parsed(line)
                    if entry is None:
                        if torn:
                            return count, f"{where} is no entry, as the line before"
                        torn = line
                        continue
                    said = entry.pop("hash")
                    noted = entry.get("after_torn")
                    if noted != (hashlib.sha256(torn).hexdigest() if torn else None):
                        return count, f"before {where}: a line is no entry, and no kill explains it"
                    if said != _hash(previous, entry):
                        return count, f"{where} does not follow from the line before it"
                    count, previous, torn = count + 1, said, b""
                    hashes.add(said)
            if head is None and count:
                return count, "the file `head` is gone"
            if head is not None and head not in hashes:
                return count, f"lines are missing at the end, after line {count} in all"
            return count, None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / "lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("????-??-??.jsonl"))

    def _head(self) -> str | None:
        try:
            return (self.folder / "head").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None

    def _note_head(self, value: str) -> None:
        aside = self.folder / "head.new"
        aside.write_text(value + "\n", encoding="ascii")
        aside.replace(self.folder / "head")


def _end_of(files: list[Path]) -> tuple[str, bytes]:
    """The hash of the last whole entry, and what a kill left behind it of another."""
    torn = b""
    for path in reversed(files):
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            tail = file.read()
        *lines, rest = tail.split(b"\n")
        torn = torn or rest
        for line in reversed(lines):
            entry = _parsed(line)
            if entry is not None:
                return str(entry["hash"]), torn
    return _START, torn


def _hash(previous: str, line: dict[str, Any]) -> str:
    return hashlib.sha256(previous.encode() + _canonical(line)).hexdigest()


def _canonical(line: dict[str, Any]) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("hash"), str) else None


def _said(entry: dict[str, Any]) -> tuple[Any, ...]:
    did = entry.get("did")
    return tuple(v for v in did.values() if isinstance(v, str)) if isinstance(did, dict) else ()


def _capped(value: Any) -> Any:
    """Text cut at a length, what is not JSON as text: an entry stays small whatever was sent."""
    if isinstance(value, dict):
        return {str(key)[:64]: _capped(one) for key, one in list(value.items())[:40]}
    if isinstance(value, list | tuple):
        return [_capped(one) for one in value[:40]]
    if value is None or isinstance(value, bool | int):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
