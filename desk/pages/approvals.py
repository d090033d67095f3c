"""Decisions that wait for a second person."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk.asked import LONGEST_REASON, field, lake_of, note, person_of
from desk.page import APPROVE, READ, Page
from desk.rendering import render
from jobs import verdicts
from jobs.catalog.desk_tables import APPROVED, REJECTED


def approvals(request: Request) -> Response:
    return render(
        request,
        "approvals.html",
        rows=verdicts.pending(lake_of(request)),
        same_person=verdicts.same_person,
    )


def answer(request: Request) -> Response:
    """A second person's word. Who took the decision can't give it."""
    lake, by = lake_of(request), person_of(request).name
    verdict = field(request, "verdict", "The answer", 40)
    answers = field(request, "answers", "The decision", 80)
    note(request, verdict=verdict, answers=answers)
    if verdict not in (APPROVED, REJECTED):
        raise HTTPException(400, f"The answer is {APPROVED} or {REJECTED}.")
    waiting = {row["decision_id"]: row for row in verdicts.pending(lake)}
    if answers not in waiting:
        raise HTTPException(409, "This decision waits for nobody any more: look at it again.")
    subject = waiting[answers]["subject"]
    row = verdicts.record(
        lake, verdict=verdict, subject=subject, by=by, answers=answers,
        reason=field(request, "reason", "The reason", LONGEST_REASON),
    )  # fmt: skip
    note(request, subject=subject, decision=row["decision_id"])
    return RedirectResponse(f"/decision/{answers}", 303)


ROUTES = (
    Page("/approvals", approvals, ("GET",), READ, "approvals"),
    Page("/approvals", answer, ("POST",), APPROVE, "approve"),
)
