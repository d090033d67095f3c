"""The command's verbs for what people decide: `stillwatch verdict` and `stillwatch mode`."""

from __future__ import annotations

import datetime as dt

import click

from jobs.catalog.desk_tables import MODES, VERDICTS
from jobs.catalog.enforcement import LADDER
from jobs.catalog.policy import EVIDENCE_FAMILIES
from jobs.commands.options import DAY, lake_option
from jobs.platform.settings import load_settings

by_option = click.option("--by", envvar="STILLWATCH_PERSON", required=True,
                         help="Who decides [STILLWATCH_PERSON].")  # fmt: skip
reason_option = click.option("--reason", required=True, help="Why, for the record.")


@click.command()
@click.argument("subject", metavar="CAMPAIGN|ACCOUNT")
@click.argument("word", metavar="VERDICT", type=click.Choice(VERDICTS))
@lake_option
@by_option
@reason_option
@click.option("--action", type=click.Choice(LADDER),
              help="Rung to take, with distillation or resale.")  # fmt: skip
@click.option("--account", "accounts", multiple=True, metavar="ACCOUNT",
              help="A member that it is about; may be given again. All by default.")  # fmt: skip
@click.option("--also-cleared", is_flag=True,
              help="All members, also those whom people cleared.")  # fmt: skip
@click.option("--expires", type=DAY, help="Last night on which it holds; a vetting needs one.")
@click.option("--evidence", multiple=True, type=click.Choice(EVIDENCE_FAMILIES),
              help="A family that a vetting covers; may be given again.")  # fmt: skip
@click.option("--answers", metavar="DECISION",
              help="The decision that is approved, rejected, overturned or upheld.")  # fmt: skip
def verdict(
    subject: str, word: str, lake: str | None, by: str, reason: str, action: str | None,
    accounts: tuple[str, ...], also_cleared: bool, expires: dt.datetime | None,
    evidence: tuple[str, ...], answers: str | None,
) -> None:  # fmt: skip
    """Decide on a campaign or an account.

    It holds at once in what is exported or sent and in limits; the next night reads it. A
    finding against a campaign leaves out members whom people cleared.

    \b
    Examples:
      stillwatch verdict c-334b8c0b6587 distillation --action suspend --by ana --reason "one list"
      stillwatch verdict acct_1 overturned --by ben --reason "the class of a school, as they say"
    """
    from jobs.platform.lake import Lake
    from jobs.verdicts import members_of, record

    opened = Lake(load_settings(lake))
    made = record(
        opened, verdict=word, subject=subject, by=by, reason=reason,
        action=action, accounts=accounts or None, also_cleared=also_cleared,
        expires=expires.date() if expires else None,
        evidence=evidence or None, answers=answers,
    )  # fmt: skip
    click.echo(
        f"{made['decision_id']}: {word} of {len(made['accounts']):,} "
        f"account{'' if len(made['accounts']) == 1 else 's'}, at once and from the night of "
        f"{made['date']} on"
        + (" if a second person approves" if made["needs_approval"] else "")
    )  # fmt: skip
    members = members_of(opened, subject, made["night"]) if not accounts else []
    if left := len(set(members) - set(made["accounts"])):
        click.echo(f"left out, since people cleared them: {left:,}; --also-cleared if they "
                   "are meant")  # fmt: skip


@click.command()
@click.argument("mode", type=click.Choice(MODES))
@lake_option
@by_option
@reason_option
def mode(mode: str, lake: str | None, by: str, reason: str) -> None:
    """Say whether actions are carried out (enforce) or only looked at (observe).

    A new lake is in `observe`: actions are written with that word beside them, and nothing goes
    out. What is exported or sent after a change goes by it at once; rows that earlier nights wrote
    keep their word.

    \b
    Example:
      stillwatch mode enforce --by ana --reason "three weeks observed, agreed with support"
    """
    from jobs.platform.lake import Lake
    from jobs.verdicts import set_mode

    made = set_mode(Lake(load_settings(lake)), mode, by, reason)
    click.echo(
        f"{mode}: at once in what is exported or sent, in tables from the night of {made['date']}"
    )
