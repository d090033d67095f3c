"""The audit log, for administrators."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from desk.asked import LONGEST_ID
from desk.audit import AuditLog
from desk.page import ADMINISTER, Page
from desk.rendering import render

_SHOWN = 200
_SEEN = ("at", "by", "role", "method", "page", "subject", "did", "status")
_HASH = 64


def audit(request: Request) -> Response:
    """The newest entries, of a person or about a subject where one is asked for; older ones by
    the entry that they come before, since each look at the page adds one."""
    log: AuditLog = request.app.state.audit
    asked = request.query_params
    person = asked.get("person", "").strip()[:LONGEST_ID]
    subject = asked.get("subject", "").strip()[:LONGEST_ID]
    before, pictures = asked.get("before", "")[:_HASH], asked.get("pictures") == "1"
    entries = log.entries(person, subject, _SHOWN + 1, before, pictures)
    older = str(entries[_SHOWN - 1]["hash"]) if len(entries) > _SHOWN else ""
    # A file that somebody has changed must not keep the page from showing.
    rows = [{name: entry.get(name) for name in _SEEN} for entry in entries[:_SHOWN]]
    given = {"person": person, "subject": subject, "pictures": "1" if pictures else ""}
    query = urlencode({name: value for name, value in given.items() if value})
    return render(
        request, "audit.html", rows=rows, person_asked=person, subject_asked=subject,
        pictures=pictures, before=before, older=older, query=query, most=_SHOWN,
    )  # fmt: skip


ROUTES = (Page("/audit", audit, ("GET",), ADMINISTER, "audit"),)
