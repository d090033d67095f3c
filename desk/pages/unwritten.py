"""Addresses whose pages are not written yet."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from desk.page import READ, Page
from desk.rendering import render


def unwritten(request: Request) -> Response:
    return render(request, "unwritten.html", subject=request.path_params.get("subject"))


ROUTES = (
    Page("/", unwritten, ("GET",), READ, "morning"),
    Page("/campaign/{subject:path}", unwritten, ("GET",), READ, "campaign"),
    Page("/account/{subject:path}", unwritten, ("GET",), READ, "account"),
    Page("/search", unwritten, ("GET",), READ, "search"),
    Page("/compare", unwritten, ("GET",), READ, "compare"),
)
