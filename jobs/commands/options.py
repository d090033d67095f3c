"""Options that several verbs of the command take, and the order in which verbs are shown."""

from __future__ import annotations

import click

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
DAY = click.DateTime(formats=["%Y-%m-%d"])
FOLDER = click.Path(file_okay=False)

lake_option = click.option("--lake", type=FOLDER, envvar="STILLWATCH_LAKE",
                           help="Folder of the Delta tables [STILLWATCH_LAKE].")  # fmt: skip
landing_option = click.option("--landing", type=FOLDER, envvar="STILLWATCH_LANDING",
                              help="Folder that the gateway drops files into "
                              "[STILLWATCH_LANDING].")  # fmt: skip
date_option = click.option("--date", type=DAY, required=True, help="Landing date, YYYY-MM-DD.")


class Commands(click.Group):
    """In the order in which a user meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)
