"""Second reviews: decided cases, and some with a known answer, judged again by somebody else.

Nothing on these pages says which case is which: no verdict, no label, no id and no date of the
calendar, since a case that was decided last night is younger than one whose answer is known.
"""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk.asked import LONGEST_REASON, field, lake_of, note, person_of
from desk.page import DECIDE, Page
from desk.reading.blind import blind
from desk.rendering import render
from jobs.catalog.desk_tables import FINDINGS
from jobs.explaining.explain import explain
from jobs.reviews.reviewers import answer, drawn_for


def reviews(request: Request) -> Response:
    """What waits for the person who is signed in, the longest waiting first."""
    return render(
        request, "reviews.html", rows=drawn_for(lake_of(request), person_of(request).name)
    )


def _drawn(request: Request) -> dict[str, Any]:
    """The open review of the address; what is another person's is not there."""
    name = request.path_params["review_id"]
    for row in drawn_for(lake_of(request), person_of(request).name):
        if row["review_id"] == name:
            return row
    raise HTTPException(404, "No such case waits for you: it is answered, or is not yours.")


def review(request: Request) -> Response:
    """The case as it was on its night."""
    row = _drawn(request)
    note(request, review=row["review_id"], subject=row["subject"], night=row["night"].isoformat(),
         shown="blind")  # fmt: skip
    told = explain(lake_of(request), row["subject"], row["night"])
    return render(request, "review.html", review_id=row["review_id"], of=blind(told))


def judge(request: Request) -> Response:
    """Write down the answer. It decides nothing."""
    row = _drawn(request)
    verdict = field(request, "verdict", "The finding", 40)
    note(request, review=row["review_id"], subject=row["subject"], verdict=verdict)
    if verdict not in FINDINGS:
        raise HTTPException(400, f"The finding is one of {', '.join(FINDINGS)}.")
    answer(
        lake_of(request), row["review_id"], person_of(request).name, verdict,
        field(request, "reason", "The reason", LONGEST_REASON),
    )  # fmt: skip
    return RedirectResponse("/reviews", 303)


ROUTES = (
    Page("/reviews", reviews, ("GET",), DECIDE, "reviews"),
    Page("/reviews/{review_id}", review, ("GET",), DECIDE, "review"),
    Page("/reviews/{review_id}", judge, ("POST",), DECIDE, "answer-review"),
)
