"""The application: routes, each behind its guard, and what every answer carries."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from desk.audit import AuditLog
from desk.guard import guarded
from desk.oidc import Provider
from desk.people import People
from desk.rendering import error_page
from desk.routes import PAGES
from desk.sessions import Sessions
from desk.settings import DeskSettings
from desk.state import State
from jobs.platform.settings import Settings

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_TLS_ONLY = ("strict-transport-security", "max-age=31536000")
_LONGEST_TARGET = 8192


def create_app(settings: Settings, desk_settings: DeskSettings) -> Starlette:
    """The desk of a lake.

    Raises:
        SettingsError: the state folder can't be used.
    """
    app = Starlette(
        routes=[
            Route(page.path, guarded(page), methods=list(page.methods), name=page.name)
            for page in PAGES
        ],
        middleware=[Middleware(_Outer, settings=desk_settings)],
        exception_handlers={HTTPException: _refused, Exception: _broken},
    )
    state = State(desk_settings.state)
    app.state.settings = settings
    app.state.desk = desk_settings
    app.state.people = People(state)
    app.state.sessions = Sessions(state)
    app.state.audit = AuditLog(desk_settings.state / "audit")
    app.state.provider = (
        Provider(desk_settings.oidc, state) if desk_settings.oidc is not None else None
    )
    return app


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    line = {404: "There is no such page.", 405: "This page does not take that."}.get(
        status, "This can't be answered."
    )
    return await run_in_threadpool(error_page, request, status, line)


async def _broken(request: Request, error: Exception) -> Response:
    return PlainTextResponse("Something went wrong on the desk's side.", 500)


class _Outer:
    """Around everything: which hosts are answered, and the headers of each answer."""

    def __init__(self, app: ASGIApp, settings: DeskSettings) -> None:
        self._app = app
        self._secure = settings.secure
        self._hosts = {origin.partition("://")[2] for origin in settings.origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if self._secure:
                    headers[_TLS_ONLY[0]] = _TLS_ONLY[1]
            await send(message)

        # Another name that leads here (DNS rebinding) would make another site's page our own.
        # Probes ask by address.
        host = Headers(scope=scope).get("host", "").lower()
        target = len(scope.get("raw_path", b"")) + len(scope.get("query_string", b""))
        if target > _LONGEST_TARGET:
            refused = PlainTextResponse("That address is too long.", 414)
            await refused(scope, receive, with_headers)
        elif host not in self._hosts and scope["path"] != "/health":
            refused = PlainTextResponse("This desk does not answer under that name.", 421)
            await refused(scope, receive, with_headers)
        else:
            await self._app(scope, receive, with_headers)
