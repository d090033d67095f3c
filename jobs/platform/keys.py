"""The key that turns personal data into tokens, and the lake's memory of which key is its own."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from jobs.platform.errors import SettingsError
from jobs.platform.storage import Place, said

KEY_BYTES = 32
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TokenKey:
    """A secret of at least 32 bytes; `id` names it without giving it away."""

    secret: bytes

    @property
    def id(self) -> str:
        return hmac.new(self.secret, b"stillwatch key id", hashlib.sha256).hexdigest()[:12]

    @property
    def sketch_seed(self) -> int:
        """A signed 64-bit seed for keyed hashes of text."""
        digest = hmac.new(self.secret, b"stillwatch sketch", hashlib.sha256).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


def default_key_file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "stillwatch" / "token.key"


def load_key() -> TokenKey:
    """The key from STILLWATCH_TOKEN_KEY (hex), STILLWATCH_TOKEN_KEY_FILE, or the user's own file,
    which is made, mode 0600, the first time.

    Raises:
        SettingsError: the variable or the file holds no key.
    """
    if text := os.environ.get("STILLWATCH_TOKEN_KEY"):
        return _parse(text, "STILLWATCH_TOKEN_KEY")
    if named := os.environ.get("STILLWATCH_TOKEN_KEY_FILE"):
        path = Path(named)
        if not path.is_file():
            raise SettingsError(
                f"STILLWATCH_TOKEN_KEY_FILE names {path}, which is not there; put "
                f"{KEY_BYTES * 2} hexadecimal digits into it, mode 0600"
            )
        return _parse(_text_of(path), str(path))
    path = default_key_file()
    if not path.is_file():
        _make(path)
    return _parse(_text_of(path), str(path))


def _make(path: Path) -> None:
    """Make the user's key, whole or not at all; the first of two at once wins."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
        try:
            # A link fails where the name is taken; until then nobody reads half a key.
            os.link(draft, path)
        except FileExistsError:
            return
        finally:
            draft.unlink()
    except OSError as error:
        raise SettingsError(
            f"no key for tokens and none can be made at {path} ({error.strerror}); set "
            "STILLWATCH_TOKEN_KEY_FILE"
        ) from error
    logger.warning(
        "made a key for tokens: %s (mode 0600); keep a copy: without it no later night can be "
        "linked with this lake", path
    )  # fmt: skip


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = said(error) if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"the key for tokens in {path} can't be read: {why}") from error


def _parse(text: str, where: str) -> TokenKey:
    try:
        secret = bytes.fromhex(text.strip())
    except ValueError:
        secret = b""
    if len(secret) < KEY_BYTES:
        raise SettingsError(
            f"{where} holds no key: it takes at least {KEY_BYTES * 2} hexadecimal digits"
        )
    return TokenKey(secret)


def require_key_of_lake(root: Place, key: TokenKey) -> None:
    """Refuse a key that is not the lake's own; a new lake takes the key as its own.

    Raises:
        SettingsError: the lake belongs to another key.
    """
    known = _known(root)
    if not known:
        _write(root, [key.id])
    elif known[-1] != key.id:
        raise SettingsError(
            f"this lake's tokens were made with key {known[-1]}, the settings hold {key.id}: "
            "use the lake's key, or `stillwatch rotate-key` to go on with the new one (links to "
            "earlier nights' tokens end there)"
        )


def key_of_lake(root: Place) -> str | None:
    """Id of the lake's own key; None where it has none yet."""
    known = _known(root)
    return known[-1] if known else None


def rotate_key(root: Place, key: TokenKey) -> str | None:
    """Make `key` the lake's own from now on; returns the id of the one before."""
    known = _known(root)
    if known and known[-1] == key.id:
        return None
    _write(root, [*known, key.id])
    return known[-1] if known else None


def _file(root: Place) -> Place:
    return root / "_stillwatch" / "keys.json"


def _known(root: Place) -> list[str]:
    path = _file(root)
    try:
        if not path.is_file():
            return []
        known: list[str] = json.loads(path.read_text())["key_ids"]
        if not isinstance(known, list) or not all(isinstance(name, str) for name in known):
            raise TypeError("key_ids are no names")
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {said(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path} is damaged: restore it, or write "
            '{"key_ids": ["ID"]} with the id of the lake\'s key'
        ) from error
    return known


def _write(root: Place, ids: list[str]) -> None:
    try:
        _file(root).write_text(json.dumps({"key_ids": ids}) + "\n")
    except OSError as error:
        raise SettingsError(f"the lake {root} can't be written: {said(error)}") from error
