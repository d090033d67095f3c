"""A month of a simulated model API through the whole of Stillwatch: `make demo`.

    python infra/demo.py --folder build/demo

Simulates the landing folder, runs every night but the last with the command, and the last as a
DAG run of a real Airflow. What is done already is not done again: a second run only shows.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from pathlib import Path

import click

from jobs.catalog.steps import STEP_NAMES
from jobs.platform.errors import StillwatchError
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
COMMAND = str(Path(sys.executable).with_name("stillwatch"))
START = dt.date(2026, 5, 1)
DAYS = 30
ACCOUNTS = 6_000
SEED = 7
#: Where `make desk` serves the page on which people decide.
DESK = "http://127.0.0.1:8765"


@click.command()
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), required=True)
def demo(folder: Path) -> None:
    """Simulate, run the nights, show what they found."""
    started = time.monotonic()
    folder = folder.resolve()
    landing, truth, lake = folder / "landing", folder / "landing-truth", folder / "lake"
    settings = Settings(lake=str(lake), landing=str(landing))
    last = START + dt.timedelta(days=DAYS - 1)
    if not (truth / "accounts.parquet").exists():
        _title(f"A month of traffic: {DAYS} days, {ACCOUNTS:,} accounts")
        _run(COMMAND, "simulate", "--out", str(landing), "--truth", str(truth), "--days",
             str(DAYS), "--accounts", str(ACCOUNTS), "--seed", str(SEED), "--start",
             START.isoformat())  # fmt: skip
    done = _done(Lake(settings))
    left = [START + dt.timedelta(days=n) for n in range(DAYS - 1)]
    left = [date for date in left if date not in done]
    if left:
        _title(f"Its nights, {left[0]} to {left[-1]}, by the command")
        _run(COMMAND, "night", "--landing", str(landing), "--lake", str(lake), "--from",
             left[0].isoformat(), "--to", left[-1].isoformat())  # fmt: skip
    if last not in done:
        _title(f"The last night, {last}, as a DAG run of a real Airflow")
        _run(sys.executable, str(ROOT / "infra" / "airflow" / "local.py"), "night", "--home",
             str(folder / "airflow"), "--landing", str(landing), "--lake", str(lake), "--date",
             last.isoformat())  # fmt: skip
    _title("What the last night found")
    _run(COMMAND, "report", "--lake", str(lake), "--truth", str(truth))
    _where_next(folder, lake)
    click.echo(f"\n{time.monotonic() - started:.0f} seconds in all.")


def _done(lake: Lake) -> set[dt.date]:
    """Nights that went through to their last step."""
    if not lake.exists("run_log"):
        return set()
    log = lake.rows("run_log", columns=["date", "step", "outcome"]).to_pylist()
    return {
        row["date"] for row in log if row["step"] == STEP_NAMES[-1] and row["outcome"] == "done"
    }


def _where_next(folder: Path, lake: Path) -> None:
    here = Path.cwd()
    shown = lake.relative_to(here) if lake.is_relative_to(here) else lake
    home = folder.relative_to(here) if folder.is_relative_to(here) else folder
    _title("Where to look next")
    for what, how in (
        ("Tables", f".venv/bin/python -c \"from deltalake import DeltaTable as T; "
         f"print(T('{shown}/account_scores').to_pandas())\""),
        ("Nights", f".venv/bin/stillwatch status --lake {shown}"),
        ("A night", f".venv/bin/stillwatch report --lake {shown} --date 2026-05-20"),
        ("Data Docs", f"python3 -m webbrowser file://{lake}/_data_docs/index.html"),
        ("MLflow", f".venv/bin/mlflow ui --backend-store-uri sqlite:///{shown}/_mlflow/mlflow.db "
         "--port 5000"),
        ("Airflow", f"make airflow   (this run's tasks and logs are in {home}/airflow)"),
        ("The desk", f"make desk   (then open {DESK} and sign in as it says)"),
    ):  # fmt: skip
        click.echo(f"  {what:<10} {how}")


def _run(*command: str) -> None:
    """Run one part; what it prints is the demo's progress, and its failure the demo's end."""
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code != 0:
        raise SystemExit(code)


def _title(text: str) -> None:
    click.echo(f"\n== {text}")


if __name__ == "__main__":
    try:
        demo()
    except StillwatchError as error:
        sys.exit(f"demo: {error}")
