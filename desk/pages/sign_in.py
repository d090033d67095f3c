"""Signing in, by a password or by OpenID Connect, and signing out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk.asked import field, note, own_path
from desk.guard import drop_cookie, session_cookie, set_cookie, visit_cookie
from desk.oidc import Provider, SignInRefused
from desk.page import READ, Page
from desk.people import LONGEST_PASSWORD, People
from desk.rendering import error_page, render
from desk.sessions import Sessions, new_secret
from desk.settings import DeskSettings

#: The cookie that ties an answer of the provider to the browser that asked. It has to come along
#: when the provider sends people back, which SameSite=Strict would keep it from.
_FLOW_COOKIE = "stillwatch-desk-flow"


def form(request: Request) -> Response:
    """The sign-in form."""
    return _form(request, own_path(request.query_params.get("next")))


def _form(request: Request, onward: str, wrong: str = "", status: int = 200) -> Response:
    return render(
        request, "sign_in.html", status, onward=onward, wrong=wrong,
        provider=request.app.state.provider is not None,
    )  # fmt: skip


def sign_in(request: Request) -> Response:
    """Look at name and password; a new session replaces whatever the browser had."""
    people: People = request.app.state.people
    name = field(request, "name", "The name", 64, needed=False).lower()
    password = request.state.form.get("password", "")
    onward = own_path(field(request, "next", "The page", 2048, needed=False))
    if len(password) > LONGEST_PASSWORD:
        raise HTTPException(400, "That password is too long.")
    address = request.client.host if request.client else ""
    role = people.role_for(name, password, address)
    if role is None:
        # What was typed may be a password in the wrong place: only a known name is written down.
        note(request, event="sign-in failed", name=name if people.knows(name) else None)
        return _form(request, onward, "Name and password do not fit.", 403)
    return _signed_in(request, name, role, "local", RedirectResponse(onward, 303))


def _signed_in(request: Request, name: str, role: str, source: str, response: Response) -> Response:
    settings: DeskSettings = request.app.state.desk
    sessions: Sessions = request.app.state.sessions
    cookie = session_cookie(settings)
    sessions.end(request.cookies.get(cookie), "signed in anew")
    try:
        secret = sessions.start(name, role, source)
    except LookupError:
        raise HTTPException(403, "Name and password do not fit any more: sign in again.") from None
    request.state.person = sessions.person(secret)
    note(request, event="signed in", source=source)
    set_cookie(response, settings, cookie, secret)
    drop_cookie(response, settings, visit_cookie(settings))
    return response


def sign_out(request: Request) -> Response:
    """End the session here and in the browser."""
    settings: DeskSettings = request.app.state.desk
    request.app.state.sessions.end(request.cookies.get(session_cookie(settings)), "signed out")
    note(request, event="signed out")
    response = RedirectResponse("/sign-in", 303)
    drop_cookie(response, settings, session_cookie(settings))
    return response


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise HTTPException(404, "This desk has no sign-in provider.")
    return provider


def _back(request: Request) -> str:
    """Where the provider sends people back to: under the name that the browser used."""
    settings: DeskSettings = request.app.state.desk
    host = request.headers["host"].lower()
    origin = next(o for o in settings.origins if o.endswith(f"://{host}"))
    return f"{origin}/sign-in/oidc/back"


async def to_provider(request: Request) -> Response:
    """Send the browser to the provider. A link, since a form's redirect would leave form-action."""
    browser = new_secret()
    onward = own_path(request.query_params.get("next"))
    try:
        address = await _provider(request).begin(_back(request), browser, onward)
    except SignInRefused as refused:
        return await run_in_threadpool(error_page, request, 503, str(refused))
    response = RedirectResponse(address, 303)
    set_cookie(response, request.app.state.desk, _FLOW_COOKIE, browser, lax=True)
    return response


async def from_provider(request: Request) -> Response:
    """What the provider says of who comes back."""
    provider, asked = _provider(request), request.query_params
    browser = request.cookies.get(_FLOW_COOKIE, "")
    if "error" in asked or not asked.get("code") or not asked.get("state"):
        return await run_in_threadpool(
            error_page, request, 403, "The provider did not let you in: begin anew."
        )
    try:
        name, role, onward = await provider.finish(
            _back(request), browser, asked["state"], asked["code"]
        )
    except SignInRefused as refused:
        note(request, event="sign-in failed", source="oidc")
        return await run_in_threadpool(error_page, request, 403, str(refused))
    return await run_in_threadpool(_welcome, request, name, role, onward)


def _welcome(request: Request, name: str, role: str, onward: str) -> Response:
    # A redirect would still count as the provider's: browsers keep a strict cookie back then.
    response = render(request, "signed_in.html", onward=onward)
    response = _signed_in(request, name, role, "oidc", response)
    drop_cookie(response, request.app.state.desk, _FLOW_COOKIE)
    return response


ROUTES = (
    Page("/sign-in", form, ("GET",), None, "sign-in"),
    Page("/sign-in", sign_in, ("POST",), None, "sign-in"),
    Page("/sign-in/oidc", to_provider, ("GET",), None, "sign-in-oidc"),
    Page("/sign-in/oidc/back", from_provider, ("GET",), None, "sign-in-oidc-back"),
    Page("/sign-out", sign_out, ("POST",), READ, "sign-out"),
)
