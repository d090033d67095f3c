"""The first page: what changed since the night before, and what waits for a decision."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
from starlette.requests import Request
from starlette.responses import Response

from desk.asked import lake_of, person_of, settings_of
from desk.deciding import may_answer, waiting_for_approval
from desk.page import READ, Page
from desk.reading.of_request import night_of, reader_of
from desk.rendering import render
from jobs import cases, verdicts
from jobs.catalog.enforcement import LADDER
from jobs.catalog.events import EVENTS

#: Cases that are open on the page; the rest are folded.
_OPEN = 10
#: What may have happened to a campaign, in the order in which people want to know, in words.
_SAID = {
    "founded": "new", "grown": "grown", "returned": "returned", "merged": "merged",
    "split": "split off", "replaced": "replaced members", "gone": "gone",
}  # fmt: skip
assert set(_SAID) == {event.name for event in EVENTS} | {"grown"}


def _decided_since(request: Request, night: dt.date) -> dict[str, int]:
    """Accounts on which people's word holds that came after the night: the rungs that they
    ordered, hardest first, and how many they lifted."""
    lake, next_night = lake_of(request), night + dt.timedelta(days=1)
    decisions = verdicts.decisions_by(lake, next_night)
    if not pc.any(pc.greater(decisions["date"], pa.scalar(night))).as_py():
        return {}
    policy = settings_of(request).enforcement_policy
    stands = verdicts.standing(decisions, next_night, policy)
    since = stands.filter(pc.greater(stands["decided_on"], pa.scalar(night)))
    ordered = Counter(since["action"].drop_null().to_pylist())
    lifted = sum(verdict in verdicts.CLEARING for verdict in since["verdict"].to_pylist())
    counts = {action: ordered[action] for action in reversed(LADDER)} | {"lifted": lifted}
    return {what: accounts for what, accounts in counts.items() if accounts}


def morning(request: Request) -> Response:
    night = night_of(request)
    if night is None:
        return render(request, "morning.html", seen=None)
    reader = reader_of(request)
    lake, person = lake_of(request), person_of(request)
    waiting = cases.waiting(lake)
    return render(
        request, "morning.html", seen=reader.morning(night), said=_SAID,
        open_cases=waiting[:_OPEN], folded_cases=waiting[_OPEN:],
        decided_since=_decided_since(request, night),
        at_stake=sum(row["requests_at_stake"] for row in waiting),
        answerable=sum(may_answer(person, row) for row in waiting_for_approval(lake)),
    )  # fmt: skip


ROUTES = (Page("/", morning, ("GET",), READ, "morning"),)
