"""The verbs of the morning desk: serve it, keep its people, look at its audit log."""

from __future__ import annotations

import secrets
import socket
import sys
from typing import TYPE_CHECKING

import click

from jobs.commands.options import FOLDER, Commands, lake_option
from jobs.platform.errors import StillwatchError
from jobs.platform.settings import load_settings

if TYPE_CHECKING:
    from desk.people import People

state_option = click.option("--state", type=FOLDER, envvar="STILLWATCH_DESK_STATE",
                            help="Folder of people, sessions and audit log; _desk in the lake by "
                            "default [STILLWATCH_DESK_STATE].")  # fmt: skip
role_option = click.option("--role", required=True,
                           type=click.Choice(["read", "decide", "approve", "administer"]),
                           help="What they may do; each may what those before it may.")  # fmt: skip


@click.command()
@lake_option
@state_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True,
              help="Port to listen on; 0 for any.")  # fmt: skip
@click.option("--url", help="Address that browsers use, where a TLS proxy stands before the desk, "
              "as https://desk.example [STILLWATCH_DESK_URL].")  # fmt: skip
@click.option("--demo-user", is_flag=True, help="Make the user demo, who may do everything, with a "
              "password that is printed once; for a desk on this machine only.")  # fmt: skip
def desk(
    lake: str | None, state: str | None, host: str, port: int, url: str | None, demo_user: bool
) -> None:
    """Serve the page on which people see what a night found and decide on it.

    \b
    Examples:
      stillwatch desk-user add ana --role decide --lake lake
      stillwatch desk --lake lake --port 8765
    """
    from dataclasses import replace

    from desk.app import create_app
    from desk.serving import serve
    from desk.settings import LOOPBACK, load_desk_settings
    from jobs.platform.lake import Lake

    settings = load_settings(lake)
    chosen = load_desk_settings(settings, state, host, port, url)
    if demo_user and (host not in LOOPBACK or chosen.url):
        raise StillwatchError("--demo-user is for a desk on this machine only: leave out --host "
                              "and --url")  # fmt: skip
    opened = Lake(settings)
    if not opened.exists("run_log") or not opened.nights("run_log"):
        raise StillwatchError(
            f"no night has run on {settings.lake}: run one first, see `stillwatch night --help`"
        )
    listening = _listening(host, port)
    chosen = replace(chosen, port=listening.getsockname()[1])
    app = create_app(settings, chosen)
    people = app.state.people
    if demo_user:
        password = secrets.token_urlsafe(12)
        people.add("demo", "administer", password, replace=True)
        click.echo(f"sign in as demo with the password {password}")
    elif not people.all() and chosen.oidc is None:
        click.echo(f"nobody can sign in yet: stillwatch desk-user add NAME --role administer "
                   f"--state {chosen.state}")  # fmt: skip
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"the desk is at {chosen.url or f'http://{shown}:{chosen.port}'} (Ctrl-C ends it)")
    serve(app, listening, behind_proxy=chosen.url is not None)


def _listening(host: str, port: int) -> socket.socket:
    """A socket of the address, so that a port in use is known before anything is served."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # Before its address is said: who comes at once waits, and is not refused.
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        said = getattr(error, "strerror", None) or error
        raise StillwatchError(
            f"the desk can't listen on {host} port {port}: {said}; choose another by --port"
        ) from error
    return listening


@click.group("desk-user", cls=Commands)
def desk_user() -> None:
    """Keep the people who sign in to the desk by a password.

    \b
    Examples:
      stillwatch desk-user add ana --role decide --lake lake
      stillwatch desk-user list --lake lake
    """


@desk_user.command("add")
@click.argument("name")
@role_option
@lake_option
@state_option
def add(name: str, role: str, lake: str | None, state: str | None) -> None:
    """Add NAME. The password is asked for, or read from standard input.

    \b
    Example:
      stillwatch desk-user add ana --role decide --lake lake
    """
    people = _people(lake, state)
    people.add(name, role, _password())
    click.echo(f"{name} may sign in, role {role}")


@desk_user.command("remove")
@click.argument("name")
@lake_option
@state_option
def remove(name: str, lake: str | None, state: str | None) -> None:
    """Remove NAME; their sessions end at once.

    \b
    Example:
      stillwatch desk-user remove ana --lake lake
    """
    _people(lake, state).remove(name)
    click.echo(f"{name} is removed")


@desk_user.command("role")
@click.argument("name")
@role_option
@lake_option
@state_option
def set_role(name: str, role: str, lake: str | None, state: str | None) -> None:
    """Give NAME another role; their sessions end at once.

    \b
    Example:
      stillwatch desk-user role ana --role approve --lake lake
    """
    _people(lake, state).set_role(name, role)
    click.echo(f"{name} has the role {role}")


@desk_user.command("password")
@click.argument("name")
@lake_option
@state_option
def set_password(name: str, lake: str | None, state: str | None) -> None:
    """Give NAME another password; their sessions end at once.

    \b
    Example:
      stillwatch desk-user password ana --lake lake
    """
    _people(lake, state).set_password(name, _password())
    click.echo(f"{name} has another password")


@desk_user.command("list")
@lake_option
@state_option
def list_people(lake: str | None, state: str | None) -> None:
    """List names and roles.

    \b
    Example:
      stillwatch desk-user list --lake lake
    """
    for name, role in _people(lake, state).all():
        click.echo(f"{name}: {role}")


@click.group("desk-audit", cls=Commands)
def desk_audit() -> None:
    """Look at the desk's audit log.

    \b
    Example:
      stillwatch desk-audit verify --lake lake
    """


@desk_audit.command("verify")
@lake_option
@state_option
def verify(lake: str | None, state: str | None) -> None:
    """Follow the log's chain from its first line; say where it breaks.

    \b
    Example:
      stillwatch desk-audit verify --lake lake
    """
    from desk.audit import AuditLog
    from desk.settings import state_folder

    folder = state_folder(load_settings(lake), state) / "audit"
    if not folder.is_dir():
        raise StillwatchError(f"there is no audit log in {folder}: has the desk run?")
    count, broken = AuditLog(folder).verify()
    if broken is not None:
        raise StillwatchError(f"the audit log {folder} does not hold: {broken}; lines up to there "
                              f"hold ({count:,})")  # fmt: skip
    click.echo(f"{count:,} lines, each follows from the one before")


def _people(lake: str | None, state: str | None) -> People:
    from desk.people import People
    from desk.settings import state_folder
    from desk.state import State

    return People(State(state_folder(load_settings(lake), state)))


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
