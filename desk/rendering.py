"""Pages from templates. Every value is escaped; what others wrote is made fit to be read first."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from desk import health
from desk.asked import address_of, lake_of
from desk.deciding import answered_by, deciding_on, may_answer, waiting_for_approval
from desk.page import ADMINISTER, APPROVE, DECIDE, READ, may
from jobs.catalog.policy import FAMILIES_ABOUT
from jobs.platform.errors import StillwatchError

#: Control, format, direction and unassigned-tag characters: what makes text look like another.
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
#: Accents piled on a letter reach into the lines above and below.
_PILING = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
_PILED = re.compile(f"({_PILING}{{2}}){_PILING}+")
_MARK = "\ufffd"
#: The links at the top of each page, and the role that each needs.
_LINKS = (
    ("/", "This morning", READ),
    ("/queue", "Queue", READ),
    ("/search", "Search", READ),
    ("/compare", "Policies", READ),
    ("/approvals", "Approvals", READ),
    ("/appeals", "Appeals", READ),
    ("/reviews", "Second reviews", DECIDE),
    ("/outcomes", "Outcomes", READ),
    ("/mode", "Mode", ADMINISTER),
    ("/audit", "Audit", ADMINISTER),
)


def shown(value: Any, most: int = 80) -> str:
    """Text of anybody as people may read it: what can't be seen is a mark, the rest is cut at
    `most` characters. Escaping is left to the template."""
    if value is None:
        return "–"
    # Cut before it is searched: a megabyte is not worth the time.
    text = str(value)[: most + 1]
    text = _PILED.sub(r"\1", _UNFIT.sub(_MARK, text))
    return text if len(text) <= most else text[: most - 1] + "…"


def number(value: Any) -> str:
    """A count with thousands parted, a share or score with up to three digits."""
    if value is None:
        return "–"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{int(value):,}"


def moment(value: Any) -> str:
    """A date, or a moment to the minute in UTC."""
    if value is None:
        return "–"
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return shown(value)
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
    return f"{value:%Y-%m-%d}"


def families(evidence: Sequence[str]) -> str:
    """Families of evidence by their declared names, in the declared order."""
    order = {name: at for at, name in enumerate(FAMILIES_ABOUT)}
    names = sorted(evidence, key=lambda name: (order.get(name, len(order)), name))
    return shown(", ".join(names), 200) if names else "none"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("desk", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=shown, number=number, moment=moment, families=families)
    environment.globals.update(
        address_of=address_of, may=may, may_answer=may_answer, answered_by=answered_by,
        families_about=FAMILIES_ABOUT, DECIDE=DECIDE, APPROVE=APPROVE,
    )  # fmt: skip
    return environment


ENVIRONMENT = _environment()


def render(request: Request, name: str, status_code: int = 200, **values: Any) -> Response:
    """The page that the template makes of the values, and of what every page shows.

    A template also has `person` (None before signing in), `csrf` (the token for its forms),
    `health`, `mode`, `here` (this page's path), `links`, `awaiting` (decisions that wait for a
    second person), and `deciding_on(subject)`.
    """
    person = getattr(request.state, "person", None)
    state, acting, trouble = None, None, None
    awaiting: list[dict[str, Any]] = []
    if person is not None:
        try:
            state, acting = health.last_night(lake_of(request)), health.mode(lake_of(request))
            awaiting = waiting_for_approval(lake_of(request))
        except StillwatchError as error:
            trouble = str(error)
    text = ENVIRONMENT.get_template(name).render(
        person=person,
        csrf=getattr(request.state, "csrf", ""),
        health=state,
        mode=acting,
        trouble=trouble,
        awaiting=awaiting,
        here=request.url.path,
        deciding_on=partial(deciding_on, request),
        links=[link for link in _LINKS if person is not None and may(person.role, link[2])],
        **values,
    )
    # What was no text to begin with, as half of a surrogate pair, must not end as an error.
    return HTMLResponse(text.encode("utf-8", "replace"), status_code)


def error_page(request: Request, status_code: int, line: str) -> Response:
    """A page of one line that says what went wrong and what to do."""
    return render(request, "error.html", status_code, line=line, status=status_code)
