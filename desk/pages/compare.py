"""The policy or model in shadow, beside what is in force."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from desk.asked import settings_of
from desk.page import READ, Page
from desk.reading.of_request import night_or_404, reader_of
from desk.reading.shadow import STEPS
from desk.rendering import render


def compare(request: Request) -> Response:
    found = reader_of(request).comparison(night_or_404(request))
    return render(request, "compare.html", found=found, steps=STEPS,
                  policy=settings_of(request).enforcement_policy)  # fmt: skip


ROUTES = (Page("/compare", compare, ("GET",), READ, "compare"),)
