"""Appeals: what customers contest, and what came of it."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk.asked import LONGEST_REASON, field, lake_of, note, person_of
from desk.deciding import in_order
from desk.page import DECIDE, READ, Page
from desk.rendering import render
from jobs import verdicts
from jobs.catalog.desk_tables import APPEALED, OVERTURNED, UPHELD


def appeals(request: Request) -> Response:
    """Appeals that nobody has answered, the longest waiting first."""
    rows = in_order(verdicts.decisions_by(lake_of(request), None).to_pylist())
    return render(request, "appeals.html", rows=list(verdicts.open_appeals(rows).values()))


def appeal(request: Request) -> Response:
    """Write down an appeal, or what came of one."""
    verdict = field(request, "verdict", "What came of it", 40)
    subject = field(request, "subject", "The account")
    note(request, verdict=verdict, subject=subject)
    if verdict not in (APPEALED, OVERTURNED, UPHELD):
        raise HTTPException(400, f"It is {APPEALED}, {OVERTURNED} or {UPHELD}.")
    row = verdicts.record(
        lake_of(request), verdict=verdict, subject=subject, by=person_of(request).name,
        reason=field(request, "reason", "The reason", LONGEST_REASON),
        answers=field(request, "answers", "The decision", 80, needed=False) or None,
        seen=field(request, "seen", "What you saw", 80, needed=False),
    )  # fmt: skip
    note(request, decision=row["decision_id"])
    return RedirectResponse(f"/decision/{row['decision_id']}", 303)


ROUTES = (
    Page("/appeals", appeals, ("GET",), READ, "appeals"),
    Page("/appeal", appeal, ("POST",), DECIDE, "appeal"),
)
