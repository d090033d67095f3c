"""The verbs that send a night out: `stillwatch export`, `stillwatch notify`."""

from __future__ import annotations

import datetime as dt

import click

from jobs.commands.options import DAY, FOLDER, lake_option
from jobs.platform.settings import load_settings

#: Named here so that help needs no heavy library; jobs/outputs/export.py has what writes them.
FORMATS = ("parquet", "csv", "jsonl", "delta", "ocsf")


@click.command()
@lake_option
@click.option("--date", type=DAY, help="The night; the last one that was decided by default.")
@click.option("--to", "to", type=FOLDER, required=True, envvar="STILLWATCH_EXPORT_TO",
              help="Folder to write to, or s3://BUCKET/FOLDER [STILLWATCH_EXPORT_TO].")  # fmt: skip
@click.option("--format", "formats", default="parquet,csv,jsonl,delta", show_default=True,
              help="Which of " + ", ".join(FORMATS) + ", with commas.")  # fmt: skip
def export(lake: str | None, date: dt.datetime | None, to: str, formats: str) -> None:
    """Write a night's actions in force and its campaigns for other systems.

    They go to DIR/date=D, with a manifest that is there when all else is. In observe mode the
    actions are in files named observed_actions, so that nothing enforces them by surprise.

    \b
    Examples:
      stillwatch export --lake lake --to out
      stillwatch export --lake lake --date 2026-05-28 --to out --format parquet,ocsf
    """
    from jobs.outputs import export as exports
    from jobs.platform.lake import Lake
    from jobs.platform.storage import Place, place_of

    chosen = tuple(dict.fromkeys(name.strip() for name in formats.split(",")))
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown:
        raise click.UsageError(f"--format takes {', '.join(FORMATS)}, not {unknown[0]!r}")
    lake_opened = Lake(load_settings(lake))
    place = Place(place_of("export folder", to))
    done = exports.run(lake_opened, place, date.date() if date else None, chosen)
    rows = {file.table: file.rows for file in done.files if file.rows}
    said = ", ".join(f"{count:,} {name}" for name, count in rows.items()) or "no rows"
    click.echo(f"{done.night} ({done.mode}): {said} in {done.folder}")


@click.command()
@lake_option
@click.option("--date", type=DAY, help="The night; the last one that was decided by default.")
@click.option("--url", envvar="STILLWATCH_WEBHOOK_URL",
              help="Where to send it, https [STILLWATCH_WEBHOOK_URL].")  # fmt: skip
@click.option("--format", "kind", type=click.Choice(["webhook", "slack"]), default="webhook",
              show_default=True, help="slack: for people, printed without --url.")  # fmt: skip
@click.option("--observe", is_flag=True, help="Send it in observe mode too; it says so.")
@click.option("--dead", is_flag=True, help="Send again what was given up at this host.")
@click.option("--within", type=click.IntRange(1), default=900, show_default=True,
              help="Seconds after which what is not delivered is given up.")  # fmt: skip
def notify(
    lake: str | None, date: dt.datetime | None, url: str | None, kind: str, observe: bool,
    dead: bool, within: int,
) -> None:  # fmt: skip
    """Tell another system of a night: its figures, and campaigns that changed or are acted on.

    Webhooks are signed with STILLWATCH_WEBHOOK_SECRET (or the file that
    STILLWATCH_WEBHOOK_SECRET_FILE names) and tried again for a while. What is given up is kept in
    the table deliveries.

    \b
    Examples:
      stillwatch notify --lake lake --url https://soc.example/stillwatch
      stillwatch notify --lake lake --url https://soc.example/stillwatch --dead
      stillwatch notify --lake lake --format slack --observe
    """
    from jobs.outputs import notify as notifying
    from jobs.outputs.sending import Patience, SendingError, endpoint, load_secrets
    from jobs.platform.lake import Lake

    if dead and date:
        raise click.UsageError("--dead sends what was given up of every night: leave out --date")
    opened = Lake(load_settings(lake))
    night = date.date() if date else None
    held = "observe mode: nothing was sent; --observe sends it, marked as observed"
    if url is None:
        if kind != "slack" or dead:
            raise click.UsageError("give --url or set STILLWATCH_WEBHOOK_URL")
        _, _, made = notifying.build(opened, night, kind, observe)
        click.echo(made[0].body if made else held, err=made is None)
        return
    to = endpoint(url, load_secrets() if kind == "webhook" else ())
    patience = Patience(whole=float(within))
    told = (
        notifying.tell_dead(opened, to, kind, observe, patience)
        if dead
        else notifying.tell(opened, to, night, kind, observe, patience)
    )
    if told.held:
        click.echo(held)
        return
    if told.dead:
        raise SendingError(
            f"{told.dead} of {told.dead + told.delivered} messages were not delivered to {to.host} "
            f"({told.problem}); they are kept: `stillwatch notify --dead` sends them again"
        )
    before = f", {told.known} had been before" if told.known else ""
    click.echo(f"{told.delivered} messages delivered to {to.host} ({told.mode}){before}")
