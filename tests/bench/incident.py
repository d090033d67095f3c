"""The case that was reported, at full size: 25,000 accounts of one operation send 28.8 million
requests in 45 days, among 250,000 honest accounts with 120 million.

    python -m tests.bench.incident --out build/incident [--scale 0.1] [--days 45] [--minutes 160]

A day is simulated while the night before it runs, at the lowest priority; run by the command as a
user would run it; and removed when it has been read. What is done is written down: started again,
it goes on where it stopped. At the end, and where `--minutes` are over, OUT/incident.md says what
the nights cost and what they caught when.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.lab.metrics import WorldTables, judge
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from jobs.simulator import CampaignPlan, WorldSettings, build_world
from jobs.simulator.truth import write_truth
from jobs.simulator.world import Tally, World, simulate_day
from tests.bench.measure import resident, used
from tests.bench.nights import UPKEEP_NIGHTS, table_sizes
from tests.bench.pictures import draw_nights
from tests.bench.report import fill_block, page_with_block

START = dt.date(2026, 5, 1)
DAYS = 45
HONEST, DISTILLERS = 250_000, 25_000
HONEST_REQUESTS = 120_000_000
#: An operation's own: 25,000 accounts x 45 days x 26 a day are 29 million.
A_DAY = 26
SEED = 45
_SAMPLE_SECONDS = 0.2


def world_settings(scale: float, days: int) -> WorldSettings:
    """The world at a scale: as many accounts and requests, the same days.

    Networks of three kinds at once, as reported; of two of them analysts find and ban accounts.
    """
    plans = tuple(
        CampaignPlan(tactic, round(share * DISTILLERS * scale), start, labelled)
        for tactic, share, start, labelled in (
            ("hydra_proxies", 0.80, 0, False),
            ("template_farm", 0.12, -3, True),
            ("synchronized_shards", 0.08, 0, True),
        )
    )
    accounts = round(HONEST * scale) + sum(plan.accounts for plan in plans)
    a_day = round((HONEST_REQUESTS / DAYS + DISTILLERS * A_DAY) * scale)
    return WorldSettings(
        days=days, start=START, seed=SEED, accounts=accounts, campaigns=plans,
        requests_per_day=a_day, prompt_chars=400.0, responses=0.0,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Night:
    """What one night cost."""

    date: str
    requests: int
    simulated_seconds: float
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    steps: dict[str, float]
    tables: dict[str, int]
    upkeep_seconds: float


def run(folder: Path, scale: float, days: int, minutes: float = math.inf) -> None:
    """Run the nights that are left; begin none after so many minutes."""
    began = time.monotonic()
    state = folder / "nights.json"
    done = {"scale": scale, "days": days, "nights": []}
    if state.exists():
        done = json.loads(state.read_text())
    if (done["scale"], done["days"]) != (scale, days):
        raise click.ClickException(
            f"{folder} holds a run of {done['days']} days at scale {done['scale']:g}: go on with "
            "these, or choose another folder"
        )
    if len(done["nights"]) == days:
        return
    (folder / "days").mkdir(parents=True, exist_ok=True)
    settings = world_settings(scale, days)
    with Simulator(folder, settings) as simulator:
        for day in range(len(done["nights"]), days):
            night = run_night(folder, simulator.day(day), day)
            done["nights"].append(dataclasses.asdict(night))
            state.write_text(json.dumps(done))
            click.echo(f"{night.date}: {night.requests:,} requests in {night.seconds:.0f} s, "
                       f"{night.peak_bytes / 1e9:.1f} GB")  # fmt: skip
            if time.monotonic() - began > 60 * minutes:
                break
    tallies = [tally_of(folder, day) for day in range(len(done["nights"]))]
    write_truth(build_world(settings), tallies, folder / "truth")


class Simulator:
    """The days of a world, made in a process of its own at the lowest priority, one ahead."""

    def __init__(self, folder: Path, settings: WorldSettings) -> None:
        self._folder, self._days = folder, settings.days
        self._process = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), _begin, (folder, settings)
        )
        self._ahead: dict[int, Future[float]] = {}

    def day(self, day: int) -> float:
        """Have a day's files in the landing folder and begin the next; seconds they took."""
        seconds = self._of(day).result()
        for made in sorted((self._folder / "ahead" / f"{day:02d}").glob("*/date=*")):
            at = self._folder / "landing" / made.parent.name / made.name
            shutil.rmtree(at, ignore_errors=True)  # of a day that was broken off
            at.parent.mkdir(parents=True, exist_ok=True)
            made.rename(at)
        if day + 1 < self._days:
            self._of(day + 1)
        return seconds

    def _of(self, day: int) -> Future[float]:
        if day not in self._ahead:
            self._ahead[day] = self._process.submit(_simulate, day)
        return self._ahead[day]

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.shutdown(cancel_futures=True)


#: In the simulator's process: where it writes, and its world, settled once.
_place: list[tuple[Path, World]] = []


def _begin(folder: Path, settings: WorldSettings) -> None:
    os.nice(19)
    _place.append((folder, build_world(settings)))


def _simulate(day: int) -> float:
    (folder, world), started = _place[0], time.perf_counter()
    out = folder / "ahead" / f"{day:02d}"
    shutil.rmtree(out, ignore_errors=True)
    keep(folder, day, simulate_day(world, day, out))
    return time.perf_counter() - started


def run_night(folder: Path, simulated_seconds: float, day: int) -> Night:
    """Run the night of a day that has landed, and remove what the gateway had sent."""
    date = START + dt.timedelta(days=day)
    landing, lake = folder / "landing", folder / "lake"
    log = folder / "days" / f"{day:02d}.log"
    seconds, cpu_seconds, peak = watched(
        ["night", "--landing", str(landing), "--lake", str(lake), "--date", str(date)], log
    )
    for source in ("requests", "accounts"):
        shutil.rmtree(landing / source / f"date={date}", ignore_errors=True)
    upkeep = 0.0
    if day % UPKEEP_NIGHTS == UPKEEP_NIGHTS - 1:
        upkeep, _, _ = watched(["upkeep", "--lake", str(lake), "--date", str(date)], log)
    exchanges = pq.read_table(folder / "days" / f"{day:02d}.parquet", columns=["requests"])
    return Night(
        date=str(date),
        requests=pc.sum(exchanges["requests"]).as_py(),
        simulated_seconds=simulated_seconds,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_bytes=peak,
        steps=steps_of(Settings(lake=str(lake)), date),
        tables={name: size["bytes"] for name, size in table_sizes(lake).items()},
        upkeep_seconds=upkeep,
    )


def watched(words: list[str], log: Path) -> tuple[float, float, int]:
    """Run the command; seconds, CPU seconds, and the most it and its children had resident."""
    command = Path(sys.executable).with_name("stillwatch")
    started, peak, cpu = time.perf_counter(), 0, 0.0
    with log.open("a") as said:
        ran = subprocess.Popen([command, *words], stderr=said, stdout=said)
        process = psutil.Process(ran.pid)
        while ran.poll() is None:
            peak = max(peak, resident(process))
            cpu = max(cpu, used(process).cpu_seconds)
            time.sleep(_SAMPLE_SECONDS)
    if ran.returncode != 0:
        raise click.ClickException(f"stillwatch {words[0]} ended with {ran.returncode}: see {log}")
    return time.perf_counter() - started, cpu, peak


def steps_of(settings: Settings, date: dt.date) -> dict[str, float]:
    """Seconds of each step of the night, as the run log has them."""
    log = Lake(settings).rows("run_log", date, date, ["step", "seconds", "outcome"])
    return {row["step"]: row["seconds"] for row in log.to_pylist() if row["outcome"] == "done"}


def keep(folder: Path, day: int, tally: Tally) -> None:
    """Write down what a day's landing held, for the truth at the end."""
    pq.write_table(tally.exchanges, folder / "days" / f"{day:02d}.parquet")
    said = {"dirt": tally.dirt, "files": tally.files, "bytes": tally.bytes}
    (folder / "days" / f"{day:02d}.json").write_text(json.dumps(said, default=str))


def tally_of(folder: Path, day: int) -> Tally:
    """The same, read back."""
    said = json.loads((folder / "days" / f"{day:02d}.json").read_text())
    dirt = [row | {"date": dt.date.fromisoformat(row["date"])} for row in said["dirt"]]
    exchanges = pq.read_table(folder / "days" / f"{day:02d}.parquet")
    return Tally(exchanges, dirt, said["files"], said["bytes"])


def judged(folder: Path, nights: int) -> dict[str, Any]:
    """What was caught when in so many nights, and who was wronged: the lab's figures."""
    lake = Lake(Settings(lake=str(folder / "lake")))
    last = START + dt.timedelta(days=nights - 1)

    def table(name: str, *columns: str) -> Any:
        return lake.rows(name, None, last, ["date", *columns]).to_pandas()

    def truth(name: str) -> Any:
        return pq.read_table(folder / "truth" / f"{name}.parquet").to_pandas()

    snapshots = [
        lake.rows("accounts", night, night, ["account_id", "plan", "signup_country", "date"])
        for night in (START, last)
    ]
    return judge(WorldTables(
        accounts=truth("accounts"), operations=truth("campaigns"), exchanges=truth("exchanges"),
        segments=pa.concat_tables(snapshots).to_pandas(),
        scores=table("account_scores", "account_id", "distillation_score", "resale_score",
                     "campaign_id"),
        actions=table("enforcement_actions", "account_id", "action", "campaign_id"),
        groups=table("campaigns", "campaign_id", "kind"),
        members=table("campaign_members", "campaign_id", "account_id"),
    ))  # fmt: skip


def page(folder: Path) -> str:
    """The run in Markdown."""
    done = json.loads((folder / "nights.json").read_text())
    nights = done["nights"]
    figures = judged(folder, len(nights))
    trained = Lake(Settings(lake=str(folder / "lake"))).rows("model_decisions").to_pylist()
    sent = sum(night["requests"] for night in nights)
    seconds = sum(night["seconds"] for night in nights)
    lines = []
    if len(nights) < done["days"]:
        lines += [f"**Not run to its end: {len(nights)} of {done['days']} nights.**", ""]
    lines += [
        f"{sent:,} requests of {figures['accounts']:,} judged accounts in {len(nights)} nights, "
        f"scale {done['scale']:g}: {seconds / 3600:.1f} hours of nights, "
        f"{sum(n['cpu_seconds'] for n in nights) / 3600:.1f} core-hours, upkeep "
        f"{sum(n['upkeep_seconds'] for n in nights) / 60:.0f} minutes, peak "
        f"{max(n['peak_bytes'] for n in nights) / 1e9:.1f} GB.", "",
        "| night | requests | seconds | ingest | rollup | campaigns | features | peak GB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for night in [*nights[4:-1:10], nights[-1]]:
        steps = night["steps"]
        lines.append(
            f"| {night['date']} | {night['requests']:,} | {night['seconds']:.0f} | "
            + " | ".join(f"{steps.get(s, 0):.0f}" for s in
                         ("ingest", "rollup", "campaigns", "features"))
            + f" | {night['peak_bytes'] / 1e9:.1f} |"
        )  # fmt: skip
    lines += ["", "| table | GB after the last night |", "| --- | ---: |"]
    sizes = sorted(nights[-1]["tables"].items(), key=lambda item: -item[1])
    lines += [f"| `{name}` | {size / 1e9:.2f} |" for name, size in sizes if size > 5e6]
    lines += ["", "| campaign | accounts | acted on | nights to the first action | leaked before "
              "| leaked in all | in one piece | purity | names |",
              "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for name, of in figures["campaigns"].items():
        lines.append(
            f"| `{name}` | {of['accounts']:,} | {of['acted_on']:,} | {of['nights_to_action']} | "
            f"{_percent(of['leaked_before_first_share'])} | {_percent(of['leaked_share'])} | "
            f"{_percent(of['one_piece'])} | {_percent(of['purity'])} | {of['names']} |"
        )
    honest = figures["honest_all"]
    lines += ["", f"Recall at a false positive rate of 1e-3: {figures['recall']['0.001']:.3f}, of "
              f"1e-4: {figures['recall']['0.0001']:.3f}. Of {honest['accounts']:,} honest accounts "
              f"{honest['acted_on']:,} were ever acted on, {honest['suspended']:,} suspended. "
              f"Decisions about models: {len(trained)}, of them "
              f"{sum(row['decision'] == 'promote' for row in trained)} promotions."]  # fmt: skip
    return "\n".join(lines) + "\n"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--scale", type=click.FloatRange(0.001, 10.0), default=1.0, show_default=True)
@click.option("--days", type=click.IntRange(2), default=DAYS, show_default=True)
@click.option("--minutes", type=click.FloatRange(0.0), default=math.inf,
              help="Begin no further night after so many.")  # fmt: skip
@click.option("--page", "at", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A page whose block is filled with what came of them.")  # fmt: skip
def incident(out: Path, scale: float, days: int, minutes: float, at: Path | None) -> None:
    """Run the nights that are left and say what came of them."""
    if at is not None:
        page_with_block(at)  # before hours of work
    run(out.resolve(), scale, days, minutes)
    said = page(out.resolve())
    (out / "incident.md").write_text(said, encoding="utf-8")
    nights = json.loads((out / "nights.json").read_text())["nights"]
    draw_nights(nights, out / "incident.png")
    if at is not None:
        folder = at.with_suffix("")
        folder.mkdir(exist_ok=True)
        draw_nights(nights, folder / "nights.png")
        (folder / "nights.json").write_text(json.dumps(nights, indent=1) + "\n")
        fill_block(at, f"{said}\n![Nights]({folder.name}/nights.png)\n")
    click.echo(said)


if __name__ == "__main__":
    incident()
