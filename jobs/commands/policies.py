"""The verbs of `stillwatch policy`."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import click

from jobs.catalog.enforcement import EnforcementPolicy, PolicyFault, read_policy
from jobs.commands.options import DAY, Commands, lake_option
from jobs.platform.errors import SettingsError
from jobs.platform.settings import load_settings

_FILE = click.Path(dir_okay=False, path_type=Path)
_from = click.option("--from", "first", type=DAY, required=True, help="First night, YYYY-MM-DD.")
_to = click.option("--to", "last", type=DAY, required=True, help="Last night, YYYY-MM-DD.")
_as_json = click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")


@click.group(cls=Commands)
def policy() -> None:
    """Check, show and try the enforcement policy before it acts on anybody.

    \b
    Examples:
      stillwatch policy check stricter.toml
      stillwatch policy try stricter.toml --lake lake --from 2026-05-01 --to 2026-05-30
    """


@policy.command("check")
@click.argument("file", type=_FILE)
def policy_check(file: Path) -> None:
    """Say whether FILE is a policy: its version, or what is wrong on which line.

    \b
    Example:
      stillwatch policy check stricter.toml
    """
    click.echo(_read(file).version)


@policy.command("show")
def policy_show() -> None:
    """Print the policy in force, as its file has it; its version goes to standard error.

    \b
    Example:
      stillwatch policy show > stricter.toml
    """
    # It is the same for every lake.
    in_force = load_settings(".").enforcement_policy
    click.echo(f"in force: {in_force.version}", err=True)
    click.echo(in_force.text, nl=not in_force.text.endswith("\n"))


@policy.command("try")
@click.argument("file", type=_FILE)
@lake_option
@_from
@_to
@_as_json
def policy_try(
    file: Path, lake: str | None, first: dt.datetime, last: dt.datetime, as_json: bool
) -> None:
    """Replay stored nights under FILE and under the policy in force; writes nothing.

    Shows whom each would have touched, which requests its actions would have met, and which of
    them people overturned later.

    \b
    Examples:
      stillwatch policy try stricter.toml --lake lake --from 2026-05-01 --to 2026-05-30
      stillwatch policy try stricter.toml --lake lake --from 2026-05-01 --to 2026-05-30 --json
    """
    from jobs.platform.lake import Lake
    from jobs.platform.session import engine_session
    from jobs.trials import replay, report

    wanted = _read(file)
    settings = load_settings(lake)
    _in_order(first, last)
    with engine_session(settings) as session:
        trial = replay.tried(Lake(settings, session), wanted, first.date(), last.date())
    if as_json:
        click.echo(json.dumps(replay.trial_as_json(trial), indent=2))
    else:
        report.print_trial(trial, file.name)


@policy.command("compare")
@lake_option
@_from
@_to
@_as_json
def policy_compare(lake: str | None, first: dt.datetime, last: dt.datetime, as_json: bool) -> None:
    """Compare what the shadow would have done with what was done, over the nights that have both.

    \b
    Example:
      stillwatch policy compare --lake lake --from 2026-05-01 --to 2026-05-30
    """
    from jobs.platform.lake import Lake
    from jobs.trials import report, shadowed

    _in_order(first, last)
    found = shadowed.compared(Lake(load_settings(lake)), first.date(), last.date())
    if as_json:
        click.echo(json.dumps(shadowed.comparison_as_json(found), indent=2))
    else:
        report.print_comparison(found)


def _read(file: Path) -> EnforcementPolicy:
    try:
        return read_policy(file)
    except PolicyFault as fault:
        raise SettingsError(str(fault)) from None


def _in_order(first: dt.datetime, last: dt.datetime) -> None:
    if last < first:
        raise click.UsageError("--to is before --from")
