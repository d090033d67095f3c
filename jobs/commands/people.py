"""Verbs for people who look into cases: `explain`, `appeal`, `reviews`, `outcomes`."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jobs.catalog.desk_tables import FINDINGS
from jobs.commands.options import DAY, Commands, lake_option
from jobs.platform.errors import StillwatchError
from jobs.platform.settings import load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from jobs.platform.lake import Lake

json_option = click.option("--json", "as_json", is_flag=True, help="As JSON, with everything.")
by_option = click.option("--by", envvar="STILLWATCH_PERSON", help="Who [STILLWATCH_PERSON].")


def _lake(root: str | None) -> Lake:
    from jobs.platform.lake import Lake

    return Lake(load_settings(root))


def _console() -> Console:
    from rich.console import Console

    # Piped into a file there is no terminal to take a width from.
    return Console(width=None if Console().is_terminal else 140, highlight=False)


def _print_json(value: Any) -> None:
    # Escaped to ASCII: nothing in it can move a terminal's cursor or turn its text around.
    click.echo(json.dumps(value, default=str, indent=2))


def _day(date: dt.datetime | None) -> dt.date | None:
    return date.date() if date else None


@click.command()
@click.argument("subject", metavar="ACCOUNT|CAMPAIGN")
@lake_option
@click.option("--date", type=DAY, help="As of this night; what was decided since is left out.")
@json_option
def explain(subject: str, lake: str | None, date: dt.datetime | None, as_json: bool) -> None:
    """Show all that is known of an account or a campaign, and from which rows.

    \b
    Examples:
      stillwatch explain acct_006cb39a27f6a6c5 --lake lake
      stillwatch explain c-334b8c0b6587 --lake lake --date 2026-05-30 --json
    """
    from jobs.explaining.explain import explain as explained
    from jobs.explaining.terminal import print_explained

    told = explained(_lake(lake), subject, _day(date))
    if as_json:
        _print_json(asdict(told))
    else:
        print_explained(_console(), told)


@click.command()
@click.argument("account")
@lake_option
@click.option("--action-date", type=DAY,
              help="Night of the action; the last above watch by default.")  # fmt: skip
@json_option
@click.option("--record", is_flag=True, help="Write down that the account contests it.")
@by_option
@click.option("--reason", help="With --record: what the customer says.")
def appeal(
    account: str, lake: str | None, action_date: dt.datetime | None, as_json: bool, record: bool,
    by: str | None, reason: str | None,
) -> None:  # fmt: skip
    """Print a statement of reasons that can be sent, and the record for the reviewer.

    \b
    Examples:
      stillwatch appeal acct_006cb39a27f6a6c5 --lake lake
      stillwatch appeal acct_006cb39a27f6a6c5 --lake lake --record --by ana --reason "it is a class"
    """
    from jobs.explaining.appeals import appeal_of, record_appeal
    from jobs.explaining.terminal import print_appeal

    if record and not (by and reason):
        raise StillwatchError("--record needs --by and --reason: who writes down what was said")
    if not record and reason:
        raise StillwatchError("--reason goes with --record: give both or neither")
    where = _lake(lake)
    made = appeal_of(where, account, _day(action_date))
    written = record_appeal(where, account, by, reason) if record and by and reason else None
    if as_json:
        _print_json(made.as_row() | ({"recorded": written["decision_id"]} if written else {}))
        return
    print_appeal(_console(), made)
    if written:
        click.echo(f"{written['decision_id']}: appealed, from the night of {written['date']} on")


@click.group(cls=Commands)
def reviews() -> None:
    """Judge decided cases again, blind, and see how far reviewers agree.

    \b
    Examples:
      stillwatch reviews draw --lake lake
      stillwatch reviews list --by ben --lake lake
      stillwatch reviews report --lake lake
    """


@reviews.command("draw")
@lake_option
@click.option("--date", type=DAY, help="The night; the last scored one by default.")
def reviews_draw(lake: str | None, date: dt.datetime | None) -> None:
    """Draw the cases of a night, as the policy's [second_reviews] says.

    \b
    Example:
      stillwatch reviews draw --lake lake
    """
    from jobs.reviews.reviewers import draw

    click.echo(f"{draw(_lake(lake), _day(date)):,} cases drawn")


@reviews.command("list")
@lake_option
@by_option
def reviews_list(lake: str | None, by: str | None) -> None:
    """List the cases that wait for a reviewer, and the night as of which to look.

    \b
    Example:
      stillwatch reviews list --by ben --lake lake
    """
    from jobs.plain_text import plain
    from jobs.reviews.reviewers import drawn_for

    for row in drawn_for(_lake(lake), _person(by)):
        click.echo(f"{row['review_id']}: {row['subject_kind']} {plain(row['subject'], 80)}, see "
                   f"stillwatch explain --date {row['night']}")  # fmt: skip


@reviews.command("answer")
@click.argument("review_id", metavar="REVIEW")
@click.argument("verdict", type=click.Choice(FINDINGS))
@lake_option
@by_option
@click.option("--reason", required=True, help="Why, for the record.")
def reviews_answer(
    review_id: str, verdict: str, lake: str | None, by: str | None, reason: str
) -> None:
    """Answer a case. It decides nothing.

    \b
    Example:
      stillwatch reviews answer r-0123456789abcdef benign --by ben --reason "a class" --lake lake
    """
    from jobs.reviews.reviewers import answer

    made = answer(_lake(lake), review_id, _person(by), verdict, reason)
    click.echo(f"{made['review_id']}: {made['verdict']}")


@reviews.command("report")
@lake_option
@click.option("--from", "first", type=DAY, help="First night of draws.")
@click.option("--to", "last", type=DAY, help="Last night of draws.")
@json_option
def reviews_report(
    lake: str | None, first: dt.datetime | None, last: dt.datetime | None, as_json: bool
) -> None:
    """Show agreement and accuracy by reviewer and kind of case, with 95 % intervals.

    \b
    Example:
      stillwatch reviews report --lake lake --from 2026-05-01 --to 2026-05-31
    """
    from jobs.reviews.reviewers import reviewers_report
    from jobs.reviews.tables import print_reviewers

    report = reviewers_report(_lake(lake), _day(first), _day(last))
    if as_json:
        _print_json(asdict(report))
    else:
        print_reviewers(_console(), report)


@click.command()
@lake_option
@click.option("--from", "first", type=DAY, help="First night on which a decision counts.")
@click.option("--to", "last", type=DAY, help="Last night; all decisions by default.")
@click.option("--truth", type=click.Path(file_okay=False, path_type=Path),
              help="Truth of a simulated world: what reaches the desk, how soon, and what each "
              "rung meets.")  # fmt: skip
@json_option
def outcomes(
    lake: str | None, first: dt.datetime | None, last: dt.datetime | None, truth: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Show how right actions were as people judged them, how soon, and what was overturned.

    \b
    Examples:
      stillwatch outcomes --lake lake --from 2026-05-01 --to 2026-05-31
      stillwatch outcomes --lake lake --truth landing-truth
    """
    from jobs.reviews.tables import print_desk, print_outcomes

    if truth is not None:
        from jobs.lab.desk import judge_desk

        judged = judge_desk(_lake(lake), truth)
        if as_json:
            _print_json(asdict(judged))
        else:
            print_desk(_console(), judged)
        return
    from jobs.reviews.outcomes import outcomes as came_of

    made = came_of(_lake(lake), _day(first), _day(last))
    if as_json:
        _print_json(asdict(made))
    else:
        print_outcomes(_console(), made)


def _person(by: str | None) -> str:
    if not by:
        raise StillwatchError("say who: give --by NAME or set STILLWATCH_PERSON")
    return by
