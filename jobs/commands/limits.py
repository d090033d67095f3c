"""The verb `stillwatch gateway-limits`."""

from __future__ import annotations

import click

from jobs.commands.options import lake_option
from jobs.platform.settings import load_settings


@click.command("gateway-limits")
@lake_option
@click.option("--to", required=True, metavar="FILE", help="File to write; for tokens, Envoy's "
              "limits go into a second one beside it, FILE-tokens.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["envoy", "json"]), default="envoy",
              show_default=True)  # fmt: skip
def gateway_limits(lake: str | None, to: str, form: str) -> None:
    """Write the rate limits in force for a gateway: Envoy's rate limit service, or plain JSON.

    What people decided since the last night counts at once: who was cleared or suspended is left
    out, who was limited is in. While enforcement only observes, Envoy's limits are in shadow mode
    and JSON says so: nothing is refused.

    \b
    Example:
      stillwatch gateway-limits --lake lake --to limits.yaml --format envoy
    """
    from jobs.limits import gateway as export
    from jobs.limits.now import in_force
    from jobs.platform.lake import Lake
    from jobs.platform.storage import Place, place_of

    limits = in_force(Lake(load_settings(lake)))
    files = export.write(limits, Place(place_of("file", to)), form)
    accounts = len({row["account_id"] for row in limits.accounts})
    since = {
        "ordered since by people": limits.ordered,
        "lifted since by people": limits.lifted,
        "suspended since": limits.suspended,
        "ended since": limits.ended,
    }
    click.echo(
        f"{' and '.join(place.name for place in files)}: {accounts:,} accounts and "
        f"{len(limits.campaigns):,} campaigns after the night of {limits.night}"
        + "".join(f", {count:,} {what}" for what, count in since.items() if count)
    )
    if not limits.enforce:
        click.echo(
            "enforcement is in observe mode: nothing of this is to be refused"
            + (" (shadow_mode)" if form == "envoy" else "")
        )
    left_out = export.unfit(limits) if form == "envoy" else 0
    if left_out:
        click.echo(
            f"{left_out:,} accounts have an id that no descriptor may have (empty, over 512 "
            "characters, with * or control characters) and are left out: use --format json",
            err=True,
        )
