"""Taking a decision, and the page of one that was taken."""

from __future__ import annotations

import datetime as dt

import pyarrow.compute as pc
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk.asked import LONGEST_ID, LONGEST_REASON, field, form_of, lake_of, note, person_of
from desk.page import DECIDE, READ, Page
from desk.rendering import render
from jobs import verdicts
from jobs.catalog.desk_tables import FINDINGS, VETTED

#: What this form may say; appeals and approvals have forms of their own.
_VERDICTS = (*FINDINGS, VETTED)


def decide(request: Request) -> Response:
    """Write down the decision that the form says."""
    subject = field(request, "subject", "The subject")
    verdict = field(request, "verdict", "The finding", 40)
    note(request, subject=subject, verdict=verdict)
    if verdict not in _VERDICTS:
        raise HTTPException(400, f"The finding is one of {', '.join(_VERDICTS)}.")
    row = verdicts.record(
        lake_of(request),
        verdict=verdict,
        subject=subject,
        by=person_of(request).name,
        reason=field(request, "reason", "The reason", LONGEST_REASON),
        action=field(request, "action", "The action", 40, needed=False) or None,
        accounts=_chosen(request),
        also_cleared=field(request, "which", "Which accounts", 10, needed=False) == "everybody",
        expires=_day(field(request, "expires", "The last day", 10, needed=False)),
        evidence=form_of(request).getlist("evidence") or None,
        seen=field(request, "seen", "What you saw", 80, needed=False),
        seen_night=_day(field(request, "night", "The night that you saw", 10, needed=False)),
    )
    note(request, decision=row["decision_id"], action=row["action"],
         accounts=len(row["accounts"]))  # fmt: skip
    return RedirectResponse(f"/decision/{row['decision_id']}", 303)


def _chosen(request: Request) -> list[str] | None:
    """The accounts that were ticked or pasted; None for all."""
    if field(request, "which", "Which accounts", 10, needed=False) != "some":
        return None
    form = form_of(request)
    pasted = form.get("accounts", "").replace(",", " ").split()
    chosen = sorted({*pasted, *form.getlist("account")})
    if not chosen:
        raise HTTPException(400, "No account was chosen: tick or paste some, or decide on all.")
    if any(len(account) > LONGEST_ID for account in chosen):
        raise HTTPException(400, f"An account id has at most {LONGEST_ID} characters.")
    return chosen


def _day(text: str) -> dt.date | None:
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise HTTPException(400, "The last day is written YYYY-MM-DD.") from None


def decision(request: Request) -> Response:
    """One decision, and those that answer it."""
    name = request.path_params["decision_id"]
    rows = verdicts.decisions_by(lake_of(request), None)
    found = rows.filter(pc.equal(rows["decision_id"], name)).to_pylist()
    if not found:
        raise HTTPException(404, "There is no such decision.")
    note(request, decision=name, subject=found[0]["subject"])
    answers = rows.filter(pc.equal(rows["answers"], name)).sort_by("decided_at").to_pylist()
    return render(request, "decision.html", decision=found[0], answers=answers)


ROUTES = (
    Page("/decide", decide, ("POST",), DECIDE, "decide"),
    Page("/decision/{decision_id}", decision, ("GET",), READ, "decision"),
)
