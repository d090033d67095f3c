"""Where files lie: folders of this machine, or an object store that speaks the S3 API.

A `Place` is a file or a folder in either. Delta tables are not read through it: delta-rs and the
engines know both kinds of address themselves, each with words of its own, which stand here too.

Credentials, region and endpoint come from the environment (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL) or from the machine's role.
They are never part of an address, a setting or a log.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jobs.platform.errors import SettingsError

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem

STORE = "s3://"
#: A request to a store takes tens of milliseconds: lines are fetched this much at a time.
_AHEAD_BYTES = 8 * 1024 * 1024
#: What a store or its client says, and what it means to whoever runs the command.
_FAULTS = (
    ("NETWORK_CONNECTION", "the object store does not answer: check AWS_ENDPOINT_URL"),
    ("NO_SUCH_BUCKET", "there is no such bucket"),
    ("ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|HTTP status 403",
     "the object store refuses: check the AWS_ variables or the machine's role"),
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """What lies directly in a folder. `bytes` is 0 for anything but a file."""

    place: Place
    is_file: bool
    bytes: int


@dataclass(frozen=True)
class Place:
    """A file or folder: an absolute path of this machine, or `s3://bucket/key`.

    Its methods raise OSError as files do; `said` has the words for a user.
    """

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self.address.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        return self.address.rpartition("/")[2]

    @property
    def in_store(self) -> bool:
        return self.address.startswith(STORE)

    @property
    def _key(self) -> str:
        return self.address.removeprefix(STORE)

    def is_folder(self) -> bool:
        """In a store a folder is there as soon as something lies in it."""
        if not self.in_store:
            return Path(self.address).is_dir()
        return bool(_store().get_file_info(self._key).type.name == "Directory")

    def is_file(self) -> bool:
        if not self.in_store:
            return Path(self.address).is_file()
        return bool(_store().get_file_info(self._key).is_file)

    def entries(self) -> list[Entry]:
        """What lies directly in this folder, by name; nothing where there is no folder."""
        if not self.in_store:
            folder = Path(self.address)
            found = [
                Entry(
                    self / path.name, path.is_file(), path.stat().st_size if path.is_file() else 0
                )
                for path in (folder.iterdir() if folder.is_dir() else ())
            ]
        else:
            from pyarrow.fs import FileSelector

            found = [
                Entry(self / info.base_name, info.is_file, info.size or 0)
                for info in _store().get_file_info(FileSelector(self._key, allow_not_found=True))
            ]
        return sorted(found, key=lambda entry: entry.place.name)

    def open(self) -> IO[bytes]:
        """The file's bytes from the front."""
        if not self.in_store:
            return Path(self.address).open("rb")
        # Inflating is ours: the default guesses it from the name.
        stream: Any = _store().open_input_stream(
            self._key, compression=None, buffer_size=_AHEAD_BYTES
        )
        return stream

    def open_anywhere(self) -> Any:
        """The file for readers that jump in it, as Parquet's do: a path or an open file."""
        return _store().open_input_file(self._key) if self.in_store else self.address

    def create(self) -> IO[bytes]:
        """Open the file for writing; in a store it is there once it is closed."""
        if not self.in_store:
            return Path(self.address).open("wb")
        stream: Any = _store().open_output_stream(self._key, compression=None)
        return stream

    def read_text(self) -> str:
        with self.open() as file:
            return file.read().decode()

    def write_text(self, text: str) -> None:
        """As a whole or not at all: a reader never meets half of it."""
        if self.in_store:
            with self.create() as file:
                file.write(text.encode())
            return
        path = Path(self.address)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)

    def make(self) -> None:
        """Make the folder; in a store it is there with what lies in it."""
        if not self.in_store:
            Path(self.address).mkdir(parents=True, exist_ok=True)

    def replace_folder(self, other: Place) -> None:
        """Put another folder, on the same disk, in the place of this one; not in a store."""
        gone = Path(f"{other.address}.gone")
        if Path(self.address).exists():
            Path(self.address).rename(gone)
        Path(other.address).rename(self.address)
        shutil.rmtree(gone, ignore_errors=True)

    def remove_folder(self) -> None:
        """Remove the folder with all that lies in it, as far as that can be done."""
        if not self.in_store:
            shutil.rmtree(self.address, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                _store().delete_dir(self._key)


def said(error: OSError) -> str:
    """What went wrong with a place, in words for a user; no keys, no tokens."""
    if error.strerror:
        return error.strerror
    text = " ".join(str(error).split())
    for pattern, meaning in _FAULTS:
        if re.search(pattern, text):
            return meaning
    return text[:200]


def place_of(what: str, given: str) -> str:
    """The address of a folder that a setting names: an absolute path, or a store's as given.

    Raises:
        SettingsError: an address that neither engines nor delta-rs are set up for.
    """
    if given.startswith(STORE):
        parts = urlsplit(given)
        if not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
            raise SettingsError(
                f"the {what} is no address of a folder in an object store: give s3://BUCKET/FOLDER"
            )
        return given.rstrip("/")
    if "://" in given:
        raise SettingsError(
            f"the {what} {given!r} is an address of a kind that nothing here reads: give "
            "s3://BUCKET/FOLDER, a folder of this machine, or mount the store and give where"
        )
    return str(Path(given).absolute())


def engine_address(address: str, engine: str) -> str:
    """The same place in the engine's words: Spark's Hadoop knows the S3 API as s3a."""
    return f"s3a://{address.removeprefix(STORE)}" if (
        engine == "spark" and address.startswith(STORE)
    ) else address  # fmt: skip


def delta_options(address: str) -> dict[str, str]:
    """delta-rs's options for tables there; what it takes from the environment is not repeated.

    A commit is a put that fails where the version is there already, so that of two writers one
    is told.
    """
    if not address.startswith(STORE):
        return {}
    plain = {"AWS_ALLOW_HTTP": "true"} if endpoint().startswith("http://") else {}
    return {"AWS_CONDITIONAL_PUT": "etag", **plain}


def endpoint() -> str:
    """Where the store is; empty for the provider's own."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


def region() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def _store() -> S3FileSystem:
    return _store_at(endpoint(), region())


@lru_cache
def _store_at(address: str, named: str | None) -> S3FileSystem:
    from pyarrow.fs import S3FileSystem

    parts = urlsplit(address)
    at = {"endpoint_override": parts.netloc, "scheme": parts.scheme} if address else {}
    return S3FileSystem(region=named, connect_timeout=10, request_timeout=60, **at)
