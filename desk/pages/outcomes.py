"""What came of decisions, and how far those who judge them agree."""

from __future__ import annotations

import datetime as dt

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from desk.asked import lake_of, person_of
from desk.page import APPROVE, READ, Page, may
from desk.reading.of_request import night_or_404, reader_of
from desk.rendering import render
from jobs.reviews.outcomes import outcomes as came_of
from jobs.reviews.reviewers import ReviewersReport, reviewers_report

NIGHTS = 28
_OUTCOMES = ("decisions", "enforcement_actions", "accounts", "account_daily", "campaigns")
_REVIEWS = ("blind_reviews", "decisions", "labels", "account_scores", "campaigns",
            "campaign_members")  # fmt: skip


def _asked(request: Request) -> tuple[dt.date, dt.date]:
    """The nights asked for; without any, those up to the one on which today's decisions count."""

    def day(name: str, otherwise: dt.date) -> dt.date:
        text = request.query_params.get(name, "").strip()
        if not text:
            return otherwise
        try:
            return dt.date.fromisoformat(text[:20])
        except ValueError:
            raise HTTPException(400, "A night is written YYYY-MM-DD.") from None

    last = day("to", night_or_404(request) + dt.timedelta(days=1))
    start = max(last.toordinal() - NIGHTS + 1, 1)
    first = day("from", dt.date.fromordinal(start))
    if first > last:
        raise HTTPException(400, "The first night lies after the last.")
    return first, last


def outcomes(request: Request) -> Response:
    first, last = _asked(request)
    lake, store, person = lake_of(request), reader_of(request).store, person_of(request)
    made = store.remember(("outcomes", first, last), _OUTCOMES, lambda: came_of(lake, first, last))
    report = store.remember(
        ("reviewers", first, last), _REVIEWS, lambda: reviewers_report(lake, first, last)
    )
    sees_all = may(person.role, APPROVE)
    return render(
        request, "outcomes.html", made=made, first=first, last=last, sees_all=sees_all,
        report=report if sees_all else _of(report, person.name),
    )  # fmt: skip


def _of(report: ReviewersReport, name: str) -> ReviewersReport:
    """The lines that are about one reviewer alone. What all together reached is left out by the
    page: of two reviewers it tells one about the other."""
    return ReviewersReport(
        report.first, report.last, report.drawn, report.answered, report.agreed, report.right,
        [line for line in report.agreement if line.reviewer == name],
        [line for line in report.accuracy if line.reviewer == name],
        [],
    )  # fmt: skip


ROUTES = (Page("/outcomes", outcomes, ("GET",), READ, "outcomes"),)
