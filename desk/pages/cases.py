"""The queue: what waits for a person, and who works on it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk import health
from desk.asked import LONGEST_REASON, field, lake_of, note, person_of
from desk.page import DECIDE, READ, Page
from desk.rendering import render
from jobs import cases


def queue(request: Request) -> Response:
    """Cases of the last night that nobody has decided since, the most exchanges at stake first."""
    lake = lake_of(request)
    rows = cases.waiting(lake)
    # A night that stopped between its scores and its cases has none, which is no empty queue.
    state = health.last_night(lake)
    unwritten = state.last != state.whole and state.last in lake.nights("account_scores")
    return render(
        request, "queue.html", rows=rows, unwritten=unwritten,
        at_stake=sum(row["requests_at_stake"] for row in rows),
    )  # fmt: skip


def _subject(request: Request) -> str:
    subject = field(request, "subject", "The case")
    note(request, subject=subject)
    return subject


def claim(request: Request) -> Response:
    cases.claim(lake_of(request), _subject(request), person_of(request).name)
    note(request, event="claimed")
    return RedirectResponse("/queue", 303)


def release(request: Request) -> Response:
    cases.release(lake_of(request), _subject(request), person_of(request).name)
    note(request, event="released")
    return RedirectResponse("/queue", 303)


def second_look(request: Request) -> Response:
    words = field(request, "note", "What to look at", LONGEST_REASON)
    cases.second_look(lake_of(request), _subject(request), person_of(request).name, words)
    note(request, event="second look asked for")
    return RedirectResponse("/queue", 303)


ROUTES = (
    Page("/queue", queue, ("GET",), READ, "queue"),
    Page("/queue/claim", claim, ("POST",), DECIDE, "claim"),
    Page("/queue/release", release, ("POST",), DECIDE, "release"),
    Page("/queue/second-look", second_look, ("POST",), DECIDE, "second-look"),
)
