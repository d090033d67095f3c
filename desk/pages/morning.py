"""The first page: what changed since the night before, and what waits for a decision."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from desk.asked import lake_of
from desk.page import READ, Page
from desk.reading.of_request import night_of, reader_of
from desk.rendering import render
from jobs import cases
from jobs.catalog.events import EVENTS

#: Cases that are open on the page; the rest are folded.
_OPEN = 10
#: What may have happened to a campaign, in the order in which people want to know, in words.
_SAID = {
    "founded": "new", "grown": "grown", "returned": "returned", "merged": "merged",
    "split": "split off", "replaced": "replaced members", "gone": "gone",
}  # fmt: skip
assert set(_SAID) == {event.name for event in EVENTS} | {"grown"}


def morning(request: Request) -> Response:
    night = night_of(request)
    if night is None:
        return render(request, "morning.html", seen=None)
    reader = reader_of(request)
    waiting = cases.waiting(lake_of(request))
    return render(
        request, "morning.html", seen=reader.morning(night), said=_SAID,
        open_cases=waiting[:_OPEN], folded_cases=waiting[_OPEN:],
        at_stake=sum(row["requests_at_stake"] for row in waiting),
    )  # fmt: skip


ROUTES = (Page("/", morning, ("GET",), READ, "morning"),)
