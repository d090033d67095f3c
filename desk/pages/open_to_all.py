"""What answers without signing in: style sheets, the icon, and whether the desk is up."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from desk.page import Page

_SHEETS = Path(__file__).parents[1] / "static"
_KINDS = {".css": "text/css", ".svg": "image/svg+xml"}


def sheet(request: Request) -> Response:
    """A file of the desk's own folder."""
    name = request.path_params["name"]
    path = _SHEETS / name
    if not re.fullmatch(r"[a-z_]+\.(css|svg)", name) or not path.is_file():
        raise HTTPException(404, "There is no such page.")
    return Response(path.read_bytes(), media_type=_KINDS[path.suffix])


def up(request: Request) -> Response:
    """Says nothing but that the desk answers: for whoever watches over it."""
    return PlainTextResponse("up\n")


ROUTES = (
    Page("/static/{name}", sheet, ("GET",), None, "sheet"),
    Page("/health", up, ("GET",), None, "health"),
)
