"""What nights ask of an object store: requests by kind, night by night.

    python -m tests.bench.store_requests --out build/store --requests 20000 --days 8

Lake and landing folder lie in an S3 API on this machine, which writes down every request. A store
bills writes and lists at one price and reads at another; the last lines are what docs/scale.md
reckons with.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import click

from jobs.platform.lake import Lake, files_of
from jobs.platform.settings import Settings
from jobs.simulator import WorldSettings, simulate
from tests.bench.data import DATE, PROMPT_CHARS, accounts_of
from tests.local_cluster import LocalCluster

#: How the store's server writes a request down.
_ASKED = re.compile(r'"(GET|PUT|POST|HEAD|DELETE) (\S+) HTTP')
KINDS = ("PUT", "POST", "DELETE", "LIST", "GET", "HEAD")


def asked(log: str) -> Counter[str]:
    """Requests by kind in a log of the store's server; a GET of a bucket is a list."""
    kinds: Counter[str] = Counter()
    for method, path in _ASKED.findall(log):
        of_bucket = "/" not in path.split("?")[0].strip("/")
        kinds["LIST" if method == "GET" and of_bucket else method] += 1
    return kinds


def run(folder: Path, requests: int, days: int) -> list[tuple[str, Counter[str], int]]:
    """Each night's date, what it asked for, and the files that the lake's tables then have."""
    folder.mkdir(parents=True, exist_ok=True)
    world = WorldSettings(
        days=days, accounts=accounts_of(requests), start=DATE, requests_per_day=requests,
        prompt_chars=PROMPT_CHARS,
    )  # fmt: skip
    simulate(folder / "landing", folder / "truth", world, lambda _: None)
    found = []
    with LocalCluster(folder / "store", workers=0) as store:
        store.put(folder / "landing")
        os.environ.update(store.variables)
        log = folder / "store" / "logs" / "store.log"
        for day in range(days):
            date, before = DATE + dt.timedelta(days=day), log.stat().st_size
            command = [sys.executable, "-m", "jobs.cli", "night", "--date", date.isoformat()]
            ran = subprocess.run(command, capture_output=True, text=True)
            if ran.returncode:
                raise click.ClickException(ran.stderr.strip().splitlines()[-1])
            with log.open() as lines:
                lines.seek(before)
                kinds = asked(lines.read())
            lake = Lake(Settings(lake=store.variables["STILLWATCH_LAKE"]))
            found.append((date.isoformat(), kinds, lake_files(lake)))
    return found


def lake_files(lake: Lake) -> int:
    """Files that the lake's tables consist of."""
    from jobs.catalog.tables import TABLES

    return sum(len(files_of(lake.table(name), None, None)) for name in TABLES if lake.exists(name))


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--requests", type=click.IntRange(1_000), default=20_000, show_default=True)
@click.option("--days", type=click.IntRange(1), default=8, show_default=True)
def store_requests(out: Path, requests: int, days: int) -> None:
    """Run the nights and print what each asked of the store."""
    click.echo("| night | " + " | ".join(KINDS) + " | files of all tables |")
    click.echo("| --- |" + " ---: |" * (len(KINDS) + 1))
    for date, kinds, files in run(out.resolve(), requests, days):
        counts = " | ".join(f"{kinds[kind]:,}" for kind in KINDS)
        click.echo(f"| {date} | {counts} | {files:,} |")


if __name__ == "__main__":
    store_requests()
