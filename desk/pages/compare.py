"""The policy or model in shadow, beside what is in force."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from desk.asked import lake_of, settings_of
from desk.page import READ, Page
from desk.reading.of_request import night_or_404, reader_of
from desk.reading.shadow import READ as TABLES_READ
from desk.reading.shadow import STEPS, beside
from desk.rendering import render

_COUNTRIES = 20


def compare(request: Request) -> Response:
    night, lake, store = night_or_404(request), lake_of(request), reader_of(request).store
    of = store.remember(("shadow", night), TABLES_READ, lambda: beside(lake, store, night))
    sides = [of.found.done, of.found.shadow] if of.found else []
    return render(
        request, "compare.html", of=of, steps=STEPS,
        policy=settings_of(request).enforcement_policy,
        kinds=list(dict.fromkeys(kind for side in sides for kind in side.by_kind)),
        countries=list(dict.fromkeys(c for side in sides for c in side.by_country))[:_COUNTRIES],
    )  # fmt: skip


ROUTES = (Page("/compare", compare, ("GET",), READ, "compare"),)
