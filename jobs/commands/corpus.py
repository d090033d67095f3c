"""The verbs of `stillwatch corpus`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from jobs.catalog.campaign_tables import CORPUS_KINDS
from jobs.commands.options import DAY, Commands, lake_option
from jobs.platform.settings import load_settings


@click.group(cls=Commands)
def corpus() -> None:
    """Keep the known corpora that groups' prompts are compared with.

    \b
    Examples:
      stillwatch corpus add alpaca alpaca.jsonl --kind teaching --lake lake
      stillwatch corpus list --lake lake
    """


@corpus.command("add")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice(CORPUS_KINDS), required=True,
              help="teaching: models are taught with it; ordinary: people ask it.")  # fmt: skip
@click.option("--column", default="prompt", show_default=True, help="Key or column of the prompt.")
@click.option("--date", type=DAY, help="First night on which it counts; today (UTC) by default.")
@lake_option
def corpus_add(
    name: str, file: Path, kind: str, column: str, date: dt.datetime | None, lake: str | None
) -> None:
    """Add the prompts of FILE (.jsonl, .jsonl.gz, .parquet) as the corpus NAME.

    Of each word only a keyed hash is counted; text stays where it is. A name that is there
    already is replaced, from that night on.

    \b
    Example:
      stillwatch corpus add alpaca alpaca.jsonl --kind teaching --column instruction --lake lake
    """
    from jobs import corpora

    day = date.date() if date else dt.datetime.now(dt.UTC).date()
    added = corpora.add(load_settings(lake), name, file, kind, column, day)
    blank = f"; {added.blank:,} without text were left out" if added.blank else ""
    click.echo(f"{name}: {added.prompts:,} prompts, {kind}, from the night of {day} on{blank}")


@corpus.command("list")
@lake_option
def corpus_list(lake: str | None) -> None:
    """List the corpora that a lake knows.

    \b
    Example:
      stillwatch corpus list --lake lake
    """
    from jobs import corpora

    for row in corpora.known(load_settings(lake)):
        stale = "" if row["usable"] else "; left out: of another key, add it again"
        click.echo(f"{row['name']}: {row['prompts']:,} prompts, {row['kind']}, "
                   f"since {row['date']}{stale}")  # fmt: skip
