"""Whether actions are carried out, or only observed."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk.asked import LONGEST_REASON, field, lake_of, note, person_of
from desk.page import ADMINISTER, Page
from desk.rendering import render
from jobs import verdicts
from jobs.catalog.desk_tables import ENFORCEMENT_MODE


def mode(request: Request) -> Response:
    """The mode in force, and who changed it when and why."""
    lake = lake_of(request)
    there = lake.exists(ENFORCEMENT_MODE.name)
    rows = lake.rows(ENFORCEMENT_MODE.name).to_pylist() if there else []
    rows.sort(key=lambda row: row["changed_at"], reverse=True)
    return render(request, "mode.html", rows=rows[:100])


def change(request: Request) -> Response:
    wanted = field(request, "mode", "The mode", 40)
    note(request, mode=wanted)
    verdicts.set_mode(
        lake_of(request), wanted, person_of(request).name,
        field(request, "reason", "The reason", LONGEST_REASON),
    )  # fmt: skip
    return RedirectResponse("/mode", 303)


ROUTES = (
    Page("/mode", mode, ("GET",), ADMINISTER, "mode"),
    Page("/mode", change, ("POST",), ADMINISTER, "change-mode"),
)
