"""The reader and the night of the request at hand."""

from __future__ import annotations

import datetime as dt
import threading

from starlette.exceptions import HTTPException
from starlette.requests import Request

from desk import health
from desk.asked import lake_of, settings_of
from desk.reading.reader import LakeReader
from jobs.platform.lake import Lake

_lock = threading.Lock()
#: Last page of anything: further on nobody reads, and an offset must stay a number.
_LAST_PAGE = 100_000


def reader_of(request: Request) -> LakeReader:
    """One reader for all requests: what it remembers serves them all."""
    state = request.app.state
    with _lock:
        if not hasattr(state, "reader"):
            state.reader = LakeReader(Lake(settings_of(request)))
        reader: LakeReader = state.reader
    return reader


def night_of(request: Request) -> dt.date | None:
    """The last night that is whole, so that one that failed leaves the night before to read.

    Where no run is recorded as whole, the last that was scored, before any that failed.
    """
    scored = reader_of(request).scored_nights()
    state = health.last_night(lake_of(request))
    if state.whole is not None:
        scored = [night for night in scored if night <= state.whole] or scored
    elif state.failed and state.last is not None:
        scored = [night for night in scored if night < state.last]
    return scored[-1] if scored else None


def night_or_404(request: Request) -> dt.date:
    night = night_of(request)
    if night is None:
        raise HTTPException(404, "No night has been scored yet: run one, then look again.")
    return night


def page_of(request: Request) -> int:
    """The page asked for, from 1 in the address, from 0 here; the first where it is no number."""
    text = request.query_params.get("page", "")
    if not (text.isascii() and text.isdigit()):
        return 0
    return min(max(int(text[:9]) - 1, 0), _LAST_PAGE)
