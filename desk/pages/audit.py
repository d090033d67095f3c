"""The audit log, for administrators."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from desk.asked import LONGEST_ID
from desk.audit import AuditLog
from desk.page import ADMINISTER, Page
from desk.rendering import render

_SHOWN = 200
_SEEN = ("at", "by", "role", "method", "page", "subject", "did", "status")


def audit(request: Request) -> Response:
    """The newest entries, of a person or about a subject where one is asked for."""
    log: AuditLog = request.app.state.audit
    person = request.query_params.get("person", "").strip()[:LONGEST_ID]
    subject = request.query_params.get("subject", "").strip()[:LONGEST_ID]
    # A file that somebody has changed must not keep the page from showing.
    rows = [
        {name: entry.get(name) for name in _SEEN} for entry in log.entries(person, subject, _SHOWN)
    ]
    return render(request, "audit.html", rows=rows, person_asked=person, subject_asked=subject,
                  most=_SHOWN)  # fmt: skip


ROUTES = (Page("/audit", audit, ("GET",), ADMINISTER, "audit"),)
