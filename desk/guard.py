"""What stands before every page: session, role, origin, form token, and the audit log behind it."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from desk.asked import Person
from desk.audit import AuditLog
from desk.page import Page, may
from desk.people import TooManyAttempts
from desk.rendering import error_page, render
from desk.sessions import Sessions, csrf_of, new_secret, same
from desk.settings import DeskSettings
from jobs.platform.errors import LakeError, StillwatchError
from jobs.verdicts import DecidedAlready

#: Bytes of a form: some ten thousand ids.
MOST_BYTES = 1_048_576
MOST_FIELDS = 40_000
logger = logging.getLogger(__name__)


def session_cookie(settings: DeskSettings) -> str:
    """The cookie's name. With TLS browsers hold that no other host and no plain page set it."""
    return "__Host-stillwatch-desk" if settings.secure else "stillwatch-desk"


def visit_cookie(settings: DeskSettings) -> str:
    """The cookie of a visit before signing in: the sign-in form's token follows from it."""
    return session_cookie(settings) + "-visit"


def set_cookie(
    response: Response, settings: DeskSettings, name: str, value: str, lax: bool = False
) -> None:
    response.set_cookie(name, value, httponly=True, secure=settings.secure, path="/",
                        samesite="lax" if lax else "strict")  # fmt: skip


def drop_cookie(response: Response, settings: DeskSettings, name: str) -> None:
    response.delete_cookie(name, path="/", secure=settings.secure, httponly=True)


def guarded(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """The page's endpoint behind all that has to hold before it answers.

    An endpoint that is no coroutine runs in a thread. The request's line in the audit log is on
    the disk before the answer goes out; where it can't be written, the answer is an error.
    """

    async def handle(request: Request) -> Response:
        request.state.page = page
        try:
            response = await _answer(request, page)
        except ClientDisconnect:
            raise
        except Exception as error:
            response = await run_in_threadpool(_failed, request, error)
        if page.role is None and not getattr(request.state, "noted", None):
            return response
        if getattr(request.state, "person", None) is None and not hasattr(request.state, "noted"):
            return response
        log: AuditLog = request.app.state.audit
        try:
            await run_in_threadpool(log.append, _entry(request, page, response.status_code))
        except OSError as error:
            logger.error("the audit log %s can't be written: %s", log.folder, error.strerror)
            return await run_in_threadpool(
                error_page, request, 503,
                "The audit log can't be written, so nothing is shown; what you sent may have been "
                "done. Ask an administrator to look at the desk's state folder.",
            )  # fmt: skip
        return response

    return handle


async def _answer(request: Request, page: Page) -> Response:
    settings: DeskSettings = request.app.state.desk
    sessions: Sessions = request.app.state.sessions
    secret = request.cookies.get(session_cookie(settings))
    person: Person | None = await run_in_threadpool(sessions.person, secret)
    request.state.person = person
    visit, fresh_visit = request.cookies.get(visit_cookie(settings)), None
    if person is not None:
        request.state.csrf = person.csrf
    else:
        if not visit or len(visit) != 64:
            visit = fresh_visit = new_secret()
        request.state.csrf = csrf_of(visit)
    changing = request.method not in ("GET", "HEAD")
    if changing:
        _same_origin(request, settings)
    if page.role is not None and person is None:
        if changing:
            raise HTTPException(401, "Your session has ended: sign in, then do it again.")
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(wanted, safe='')}", 303)
    if page.role is not None and person is not None and not may(person.role, page.role):
        request.state.noted = {"refused": f"needs the role {page.role}"}
        raise HTTPException(403, f"This needs the role {page.role}; yours is {person.role}.")
    if changing:
        request.state.form = await _form(request)
        if not same(request.state.form.get("csrf", ""), request.state.csrf):
            if person is not None:
                request.state.noted = {"refused": "form without its token"}
            raise HTTPException(403, "This form is not of your session: load the page again.")
    if inspect.iscoroutinefunction(page.endpoint):
        response: Response = await page.endpoint(request)
    else:
        response = await run_in_threadpool(page.endpoint, request)  # type: ignore[arg-type]
    if fresh_visit is not None and page.name == "sign-in":
        set_cookie(response, settings, visit_cookie(settings), fresh_visit)
    return response


def _same_origin(request: Request, settings: DeskSettings) -> None:
    """Refuse what another site's page sends.

    Browsers say where a form was sent from by Sec-Fetch-Site, older ones by Origin alone; with
    the policy no-referrer, Origin is `null` beside Sec-Fetch-Site.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        right = site == "same-origin" and origin in (None, "null", *settings.origins)
    else:
        right = origin in settings.origins
    if not right:
        raise HTTPException(403, "This was sent from another site: use the desk's own pages.")


async def _form(request: Request) -> ImmutableMultiDict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Send an ordinary form: no files are taken.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"A form has at most {MOST_BYTES:,} bytes.")
    try:
        pairs = parse_qsl(
            body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise HTTPException(413, f"A form has at most {MOST_FIELDS:,} fields.") from None
    return ImmutableMultiDict(pairs)


def _failed(request: Request, error: Exception) -> Response:
    """The page of one line for what went wrong."""
    match error:
        case DecidedAlready():
            request.state.noted = {**getattr(request.state, "noted", {}), "refused": "too late"}
            return render(request, "decided_already.html", 409, decision=error.decision)
        case HTTPException():
            return error_page(request, error.status_code, error.detail)
        case TooManyAttempts():
            response = error_page(request, 429, str(error))
            response.headers["retry-after"] = "900"
            return response
        case LakeError():
            return error_page(request, 503, str(error))
        case StillwatchError():
            return error_page(request, 400, str(error))
    logger.error("%s %s: %s", request.method, request.state.page.name, type(error).__name__,
                 exc_info=error if os.environ.get("STILLWATCH_TRACEBACK") else None)  # fmt: skip
    return error_page(request, 500, "Something went wrong on the desk's side; its log says what.")


def _entry(request: Request, page: Page, status: int) -> dict[str, object]:
    person: Person | None = getattr(request.state, "person", None)
    return {
        "by": person.name if person else None,
        "role": person.role if person else None,
        "session": person.session if person else None,
        "page": page.name,
        "method": request.method,
        "subject": request.path_params.get("subject"),
        "status": status,
        "did": getattr(request.state, "noted", {}),
    }
