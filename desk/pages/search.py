"""Finds accounts, campaigns and tokens."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from desk.asked import LONGEST_ID
from desk.page import READ, Page
from desk.reading.campaign import KIND_SAID
from desk.reading.masking import masked
from desk.reading.of_request import night_or_404, page_of, reader_of
from desk.reading.search import SHORTEST
from desk.rendering import render


def search(request: Request) -> Response:
    asked = request.query_params.get("q", "").strip()[:LONGEST_ID]
    page, found, night = page_of(request), None, night_or_404(request)
    if len(asked) >= SHORTEST:
        found = reader_of(request).search(night, asked, page)
    return render(request, "search.html", asked=asked, found=found, page=page, night=night,
                  shortest=SHORTEST, masked=masked, kind_said=KIND_SAID)  # fmt: skip


ROUTES = (Page("/search", search, ("GET",), READ, "search"),)
