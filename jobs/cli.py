"""The command: one verb for each thing that a person or a DAG does.

Heavy libraries are imported by the verbs that need them, so that help answers at once.
"""

from __future__ import annotations

import datetime as dt
import inspect
import logging
import os
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from jobs.catalog.steps import STEP_NAMES, STEPS, STOPPED_EXIT_CODE, step
from jobs.commands.casework import mode, verdict
from jobs.commands.corpus import corpus
from jobs.commands.desk import desk, desk_audit, desk_user
from jobs.commands.limits import gateway_limits
from jobs.commands.options import (
    CONTEXT,
    DAY,
    FOLDER,
    Commands,
    date_option,
    lake_option,
    landing_option,
)
from jobs.commands.outputs import export, notify
from jobs.commands.people import appeal, explain, outcomes, reviews
from jobs.commands.policies import policy
from jobs.platform.errors import NightStopped, StillwatchError
from jobs.platform.settings import load_settings


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(version("stillwatch"), prog_name="stillwatch")
def cli() -> None:
    """Find accounts that distil a model, every night, in the model API's request log.

    \b
    A first look, without any data of your own:
      stillwatch simulate --out landing --days 3 --accounts 1000 --seed 7 --start 2026-05-01
      stillwatch night --landing landing --lake lake --from 2026-05-01 --to 2026-05-03
      stillwatch status --lake lake

    Settings come from options or from the environment: STILLWATCH_LAKE, STILLWATCH_LANDING,
    STILLWATCH_ENGINE (sail or spark), STILLWATCH_TOKEN_KEY or STILLWATCH_TOKEN_KEY_FILE,
    STILLWATCH_KEEP_TEXT, STILLWATCH_MLFLOW_TRACKING_URI.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("jobs").setLevel(logging.INFO)
    # delta-rs and Sail have logs of their own, which they set up when they are loaded.
    os.environ.setdefault("RUST_LOG", "error")


@cli.command()
@landing_option
@lake_option
@click.option("--date", type=DAY, help="The night, YYYY-MM-DD.")
@click.option("--from", "first", type=DAY, help="First of several nights.")
@click.option("--to", "last", type=DAY, help="Last of several nights.")
def night(
    landing: str | None,
    lake: str | None,
    date: dt.datetime | None,
    first: dt.datetime | None,
    last: dt.datetime | None,
) -> None:
    """Run whole nights: every step, in order.

    Training runs on the nights on which the policy says that it is due.

    \b
    Examples:
      stillwatch night --landing landing --lake lake --date 2026-05-03
      stillwatch night --landing landing --lake lake --from 2026-05-01 --to 2026-05-28
    """
    from jobs.night import run_nights

    run_nights(load_settings(lake, landing), _dates(date, first, last), _Progress(STEP_NAMES[-1]))


@cli.command()
@click.argument("name", metavar="STEP", type=click.Choice(STEP_NAMES))
@date_option
@landing_option
@lake_option
def run(name: str, date: dt.datetime, landing: str | None, lake: str | None) -> None:
    """Run one STEP of a night: what an Airflow task does.

    \b
    Example:
      stillwatch run rollup --date 2026-05-03 --lake lake
    """
    from jobs.night import open_lake, run_steps

    with open_lake(load_settings(lake, landing)) as opened:
        run_steps(opened, date.date(), [step(name)], _Progress(name))


# Set as text, help is not cleaned by click; a step's words may take several lines.
run.help = inspect.cleandoc(run.help or "") + "\n\n\b\nSteps:\n" + "\n".join(
    textwrap.fill(s.about, 96, initial_indent=f"  {s.name:<13}", subsequent_indent=" " * 15)
    for s in STEPS
)  # fmt: skip


@cli.command()
@click.option("--out", type=FOLDER, required=True, help="Landing folder to write.")
@click.option("--truth", type=FOLDER, help="Folder for what is true of the simulated accounts; "
              "the landing folder's name with -truth by default.")  # fmt: skip
@click.option("--days", type=click.IntRange(1), default=30, show_default=True)
@click.option("--accounts", type=click.IntRange(50), default=6000, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed, same bytes.")
@click.option("--start", type=DAY, default="2026-05-01", show_default=True, help="First day.")
@click.option("--requests-per-day", type=click.IntRange(1), help="Requests on a mean day; "
              "what the population sends by itself by default.")  # fmt: skip
@click.option("--tactics", help="Campaigns' tactics, with commas; `none` for none.")
@click.option("--without", "without", help="Kinds of honest customers to leave out, with commas.")
@click.option("--reseller/--no-reseller", default=True, show_default=True)
@click.option("--dirt/--no-dirt", default=True, show_default=True,
              help="Broken, doubled and late records.")  # fmt: skip
@click.option("--text/--no-text", default=True, show_default=True, help="Text of prompts.")
@click.option("--prompt-chars", type=click.IntRange(1), help="Mean length of prompts.")
def simulate(
    out: str, truth: str | None, days: int, accounts: int, seed: int, start: dt.datetime,
    requests_per_day: int | None, tactics: str | None, without: str | None, reseller: bool,
    dirt: bool, text: bool, prompt_chars: int | None,
) -> None:  # fmt: skip
    """Write landing files of a simulated API, with honest customers and campaigns.

    What is true of each account goes to a folder of its own, which no job reads. Try a policy on
    it before you trust it with data of your own.

    \b
    Example:
      stillwatch simulate --out landing --days 30 --accounts 6000 --seed 7 --start 2026-05-01
    """
    from jobs.simulator import WorldSettings
    from jobs.simulator import simulate as write_world

    chosen: dict[str, Any] = {
        "days": days, "accounts": accounts, "seed": seed, "start": start.date(),
        "reseller": reseller, "dirt": dirt, "text": text,
    }  # fmt: skip
    if requests_per_day is not None:
        chosen["requests_per_day"] = requests_per_day
    if prompt_chars is not None:
        chosen["prompt_chars"] = prompt_chars
    if tactics is not None:
        chosen["tactics"] = () if tactics == "none" else tuple(tactics.split(","))
    if without is not None:
        kinds = WorldSettings().honest_kinds
        chosen["honest_kinds"] = tuple(k for k in kinds if k not in without.split(","))
    folder = Path(out)
    known = Path(truth) if truth else folder.with_name(folder.name + "-truth")
    try:
        world = WorldSettings(**chosen)
    except ValueError as error:
        raise StillwatchError(f"this world can't be simulated: {error}") from error
    try:
        summary = write_world(folder, known, world, _say)
    except FileExistsError as error:
        raise StillwatchError(
            f"there is a landing zone in {folder} already: choose another folder, or remove it"
        ) from error
    click.echo(
        f"{summary.requests:,} requests of {summary.accounts:,} accounts in {summary.files} files "
        f"({summary.bytes / 1e6:,.0f} MB) under {folder}; the truth is in {known}"
    )


@cli.command()
@date_option
@lake_option
@click.option("--force/--no-force", default=True, show_default=True,
              help="Train although the policy says that it is not due.")  # fmt: skip
def train(date: dt.datetime, lake: str | None, force: bool) -> None:
    """Train a challenger as of a night, and promote it if it is better.

    \b
    Example:
      stillwatch train --date 2026-05-28 --lake lake
    """
    from jobs import train as training
    from jobs.night import open_lake

    with open_lake(load_settings(lake)) as opened:
        training.run(opened, date.date(), force=force)


@cli.command()
@click.argument("number", metavar="VERSION", type=click.IntRange(1))
@date_option
@lake_option
@click.option("--reason", required=True, help="Why, for the record.")
def promote(number: int, date: dt.datetime, lake: str | None, reason: str) -> None:
    """Have model VERSION score from a night on, whatever the gates said.

    \b
    Example:
      stillwatch promote 3 --date 2026-05-29 --lake lake --reason "holds on the new campaign too"
    """
    from models.training import promote_by_hand

    _decide(lake, lambda registry, decisions: promote_by_hand(
        registry, decisions, date.date(), number, reason))  # fmt: skip


@cli.command()
@date_option
@lake_option
@click.option("--reason", required=True, help="Why, for the record.")
def rollback(date: dt.datetime, lake: str | None, reason: str) -> None:
    """Have the model before the present one score from a night on.

    \b
    Example:
      stillwatch rollback --date 2026-05-30 --lake lake --reason "too many classrooms on watch"
    """
    from models.training import rollback as roll_back

    _decide(lake, lambda registry, decisions: roll_back(
        registry, decisions, date.date(), reason))  # fmt: skip


@cli.command()
@lake_option
@click.option("--nights", type=click.IntRange(1), default=7, show_default=True)
def status(lake: str | None, nights: int) -> None:
    """Show the last nights: steps, rows, seconds, versions read and written.

    \b
    Example:
      stillwatch status --lake lake --nights 3
    """
    from jobs.reports import print_status

    print_status(load_settings(lake), nights)


@cli.command()
@lake_option
@click.option("--date", type=DAY, help="The night; the last one by default.")
@click.option("--truth", type=FOLDER, help="A simulated world's truth, to compare with.")
@click.option("--accounts", type=click.IntRange(1), default=10, show_default=True)
def report(lake: str | None, date: dt.datetime | None, truth: str | None, accounts: int) -> None:
    """Show a night's campaigns, what happened to them, and top accounts with their reasons.

    \b
    Examples:
      stillwatch report --lake lake --date 2026-05-28 --accounts 20
      stillwatch report --lake lake --truth landing-truth
    """
    from jobs.reports import print_night

    print_night(load_settings(lake), date.date() if date else None, truth, accounts)


@cli.command()
@date_option
@lake_option
def upkeep(date: dt.datetime, lake: str | None) -> None:
    """Compact tables, drop nights past their retention, delete what nobody reads.

    \b
    Example:
      stillwatch upkeep --date 2026-05-28 --lake lake
    """
    from jobs import upkeep as keeping
    from jobs.platform.lake import Lake
    from jobs.platform.lock import sole_writer

    settings = load_settings(lake)
    with sole_writer(settings.lake_root):
        for done in keeping.run(Lake(settings), date.date()):
            click.echo(
                f"{done.table}: {done.expired_nights} nights expired, {done.files_before} files "
                f"to {done.files_after}, {done.deleted_files} deleted"
            )


@cli.command("rotate-key")
@lake_option
def rotate_key(lake: str | None) -> None:
    """Go on with the key that the settings hold, although the lake began with another.

    \b
    Example:
      stillwatch rotate-key --lake lake
    """
    from jobs.platform import keys
    from jobs.platform.lock import sole_writer

    settings = load_settings(lake)
    key = keys.load_key()
    with sole_writer(settings.lake_root):
        before = keys.rotate_key(settings.lake_root, key)
    click.echo(f"the lake's key is {key.id}" + (f", before it {before}" if before else " already"))


cli.add_command(corpus)
cli.add_command(verdict)
cli.add_command(mode)
cli.add_command(export)
cli.add_command(notify)
for _verb in (explain, appeal, reviews, outcomes):
    cli.add_command(_verb)
cli.add_command(desk)
cli.add_command(desk_user)
cli.add_command(desk_audit)
cli.add_command(policy)
cli.add_command(gateway_limits)


@cli.command()
def dictionary() -> None:
    """Print the data dictionary that the catalogue makes.

    \b
    Example:
      stillwatch dictionary > docs/data-dictionary.md
    """
    from jobs.catalog.dictionary import render

    click.echo(render(), nl=False)


@cli.command()
@click.option("--out", type=FOLDER, default="models/prior", show_default=True)
def prior(out: str) -> None:
    """Train the model that scores before a lake has labels, on simulated worlds.

    \b
    Example:
      stillwatch prior --out models/prior
    """
    from jobs.prior import build

    build(Path(out), _say)


@cli.command()
@click.option("--worlds", "names", multiple=True, metavar="NAME",
              help="A world to judge on; may be given again. All by default.")  # fmt: skip
@click.option("--small", is_flag=True, help="One small world instead, for a quick look.")
@click.option("--out", type=FOLDER, default="build/lab", show_default=True,
              help="Folder of lab.html and lab.json; finished worlds are kept in it.")  # fmt: skip
@click.option("--corpora", type=FOLDER, help="Folder of public prompts, for the world of public "
              "text; read in place.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True,
              help="Worlds that run at once; each takes a core and about 2 GB.")  # fmt: skip
def lab(names: tuple[str, ...], small: bool, out: str, corpora: str | None, workers: int) -> None:
    """Judge detection on simulated worlds whose truth is known.

    Worlds that the same code has run before are only reported again.

    \b
    Examples:
      stillwatch lab --worlds open --worlds clothes --out build/lab
      stillwatch lab --small --out build/lab
    """
    from jobs.lab.command import run_lab

    run_lab(names, small, Path(out), Path(corpora) if corpora else None, workers, _say)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes SHELL complete this command.

    \b
    Example:
      eval "$(stillwatch completion bash)"
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "stillwatch", "_STILLWATCH_COMPLETE").source())


def _decide(lake: str | None, decision: Any) -> None:
    """Write a person's decision on which model scores."""
    from jobs.platform.lake import Lake
    from jobs.platform.lock import sole_writer
    from jobs.score import model_registry
    from jobs.train import record
    from models.decisions import sync_aliases

    settings = load_settings(lake)
    with sole_writer(settings.lake_root):
        opened = Lake(settings)
        decisions = opened.rows("model_decisions").to_pylist()
        registry = model_registry(settings)
        made = decision(registry, decisions)
        record(opened, made)
        sync_aliases(registry, [*decisions, made])
    click.echo(f"from {made['date']} on {made['champion_version']} scores: {made['reason']}")


def _dates(
    date: dt.datetime | None, first: dt.datetime | None, last: dt.datetime | None
) -> list[dt.date]:
    if date is not None and first is None and last is None:
        return [date.date()]
    if date is not None or first is None or last is None:
        raise click.UsageError("give --date D, or --from A and --to B")
    if last < first:
        raise click.UsageError("--to is before --from")
    return [first.date() + dt.timedelta(days=n) for n in range((last - first).days + 1)]


class _Progress:
    """One line a night on standard error, growing step by step."""

    #: Whether the line that stands last on standard error is still growing.
    unfinished = False

    def __init__(self, last: str) -> None:
        self.last = last
        self.date: dt.date | None = None
        self.started = 0.0

    def __call__(self, date: dt.date, name: str, seconds: float, written: dict[str, int]) -> None:
        fresh = date != self.date
        if fresh:
            self.date = date
            self.started = 0.0
        self.started += seconds
        said = f"{date} " if fresh else ""
        rows = f" {written['requests']:,} requests" if "requests" in written else ""
        click.echo(f"{said}{name}{rows} {seconds:.1f}s", err=True, nl=False)
        end = f"  = {self.started:.1f}s\n" if name == self.last else " · "
        click.echo(end, err=True, nl=False)
        _Progress.unfinished = name != self.last


def _say(text: str) -> None:
    click.echo(text, err=True)


def main() -> None:
    """The command's entry: every error that a user can cause is one line."""
    from models.errors import ModelError

    try:
        cli.main(prog_name="stillwatch", standalone_mode=False)
    except click.exceptions.Abort:
        _fail("stopped")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except NightStopped as error:
        _fail(str(error), STOPPED_EXIT_CODE)
    except StillwatchError as error:
        _fail(str(error))
    except ModelError as error:
        _fail(f"{error}; {error.hint}" if error.hint else str(error))
    except Exception as error:
        if os.environ.get("STILLWATCH_TRACEBACK"):
            raise
        said = (str(error).strip().splitlines() or [""])[0][:300]
        _fail(f"unexpected {type(error).__name__}: {said} (STILLWATCH_TRACEBACK=1 shows where)")


def _fail(line: str, code: int = 1) -> None:
    # An error has a line of its own, also where it ends a line of progress.
    click.echo("\n" * _Progress.unfinished + "stillwatch: " + " ".join(line.split()), err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
