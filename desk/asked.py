"""What a page needs of the request at hand: the lake, the person, the form, the audit entry."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request

from jobs.platform.lake import Lake
from jobs.platform.settings import Settings

#: Longest id that is looked up: the landing zone takes none that is longer.
LONGEST_ID = 512
#: Longest reason or note.
LONGEST_REASON = 2000
_OF_THREAD = threading.local()


@dataclass(frozen=True)
class Person:
    """Who is signed in. `csrf` is the token that their forms carry."""

    name: str
    role: str
    session: str
    csrf: str


def settings_of(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def lake_of(request: Request) -> Lake:
    """The lake, without an engine. One object a thread: tables kept open are not shared."""
    settings = settings_of(request)
    kept: tuple[Settings, Lake] | None = getattr(_OF_THREAD, "lake", None)
    if kept is None or kept[0] is not settings:
        kept = _OF_THREAD.lake = (settings, Lake(settings))
    return kept[1]


def person_of(request: Request) -> Person:
    """Who asks; pages that need a role always have one."""
    person: Person | None = getattr(request.state, "person", None)
    if person is None:
        raise HTTPException(403, "Sign in first.")
    return person


def note(request: Request, **what: Any) -> None:
    """Add to the request's line in the audit log: ids, verdicts, counts; no personal data."""
    said: dict[str, Any] = getattr(request.state, "noted", {})
    request.state.noted = {**said, **what}


def form_of(request: Request) -> ImmutableMultiDict[str, str]:
    form: ImmutableMultiDict[str, str] = request.state.form
    return form


def field(
    request: Request, name: str, what: str, most: int = LONGEST_ID, needed: bool = True
) -> str:
    """A field of the form, without blanks around it.

    Raises:
        HTTPException: 400; it is missing though needed, or longer than `most` characters.
    """
    value = form_of(request).get(name, "").strip()
    if needed and not value:
        raise HTTPException(400, f"{what} is missing: go back and fill it in.")
    if len(value) > most:
        raise HTTPException(400, f"{what} has {len(value):,} characters; {most:,} is the most.")
    return value


def address_of(kind: str, subject: str) -> str:
    """The page of a campaign or an account, whatever characters its id has."""
    return f"/{'campaign' if kind == 'campaign' else 'account'}/{quote(subject, safe='')}"


def own_path(path: str | None) -> str:
    """The path if it is one of this desk, else the first page: nobody is sent elsewhere."""
    if (
        not path
        or len(path) > 1024
        or not path.startswith("/")
        or path[1:2] in ("/", "\\")
        or any(ord(character) < 33 or ord(character) > 126 for character in path)
    ):
        return "/"
    return path
