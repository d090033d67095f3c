"""Where the desk listens, what it keeps where, and who vouches for people."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from desk.page import ROLES
from jobs.platform.errors import SettingsError
from jobs.platform.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class OidcSettings:
    """A provider of OpenID Connect, and which value of a claim means which role."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    role_claim: str = "groups"
    name_claim: str = "sub"
    roles: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class DeskSettings:
    """`url` is the address that browsers use where a proxy stands before the desk."""

    state: Path
    host: str = "127.0.0.1"
    port: int = 8765
    url: str | None = None
    oidc: OidcSettings | None = None

    @property
    def origins(self) -> tuple[str, ...]:
        """Scheme and host, as browsers name them, under which the desk answers."""
        if self.url:
            return (self.url,)
        hosts = ("127.0.0.1", "localhost", "[::1]")
        return tuple(f"http://{host}:{self.port}" for host in hosts)

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by TLS: cookies are then for TLS only."""
        return bool(self.url and self.url.startswith("https:"))


def load_desk_settings(
    settings: Settings, state: str | None, host: str, port: int, url: str | None = None
) -> DeskSettings:
    """Settings of the desk, from options and the environment.

    Raises:
        SettingsError: a setting is missing or can't be used.
    """
    url = url or os.environ.get("STILLWATCH_DESK_URL") or None
    if url is not None:
        parts = urlsplit(url)
        local = parts.hostname in LOOPBACK
        if (
            not parts.hostname
            or parts.path.strip("/")
            or parts.query
            or not (parts.scheme == "https" or (parts.scheme == "http" and local))
        ):
            raise SettingsError(f"--url is {url!r}; it takes https://NAME or https://NAME:PORT")
        url = f"{parts.scheme}://{parts.netloc.lower()}"
    elif host not in LOOPBACK:
        raise SettingsError(
            f"--host {host} is open to other machines: put a TLS proxy before it and give the "
            "address that browsers use by --url https://NAME"
        )
    return DeskSettings(state_folder(settings, state), host, port, url, _oidc())


def state_folder(settings: Settings, state: str | None) -> Path:
    """The folder of people, sessions and the audit log.

    Raises:
        SettingsError: the lake is an object store and no folder is given.
    """
    given = state or os.environ.get("STILLWATCH_DESK_STATE") or None
    if given:
        return Path(given).absolute()
    if settings.lake_root.in_store:
        raise SettingsError(
            f"the lake {settings.lake} is an object store, which can't hold the desk's state: "
            "give a folder of this machine by --state DIR"
        )
    return Path(settings.lake) / "_desk"


def _oidc() -> OidcSettings | None:
    def variable(name: str) -> str | None:
        return os.environ.get(f"STILLWATCH_DESK_OIDC_{name}") or None

    issuer = variable("ISSUER")
    if issuer is None:
        return None
    parts = urlsplit(issuer)
    if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)):
        raise SettingsError(f"STILLWATCH_DESK_OIDC_ISSUER is {issuer!r}; it takes https://…")
    secret, file = variable("CLIENT_SECRET"), variable("CLIENT_SECRET_FILE")
    if secret is None and file is not None:
        try:
            secret = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(
                f"STILLWATCH_DESK_OIDC_CLIENT_SECRET_FILE {file} can't be read: {error.strerror}"
            ) from error
    client = variable("CLIENT_ID")
    if client is None or not secret:
        raise SettingsError(
            "OpenID Connect wants STILLWATCH_DESK_OIDC_CLIENT_ID and "
            "STILLWATCH_DESK_OIDC_CLIENT_SECRET (or _CLIENT_SECRET_FILE) beside the issuer"
        )
    return OidcSettings(
        issuer.rstrip("/"),
        client,
        secret,
        variable("ROLE_CLAIM") or "groups",
        variable("NAME_CLAIM") or "sub",
        _roles(variable("ROLES") or ""),
    )


def _roles(text: str) -> tuple[tuple[str, str], ...]:
    """`analysts=decide,leads=approve` as pairs."""
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        value, role = (word.strip() for word in part.rpartition("=")[::2])
        if not value or role not in ROLES:
            raise SettingsError(
                f"STILLWATCH_DESK_OIDC_ROLES has {part!r}; it takes VALUE=ROLE with a role of "
                f"{', '.join(ROLES)}, parted by commas"
            )
        pairs.append((value, role))
    if not pairs:
        raise SettingsError(
            "OpenID Connect wants STILLWATCH_DESK_OIDC_ROLES, as analysts=decide,leads=approve: "
            "which value of the claim means which role"
        )
    return tuple(pairs)
