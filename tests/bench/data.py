"""What is measured on: simulated landing days, prompts and graphs, made once and kept.

Volume and its skew, lengths and rhythm are the simulator's, which takes them from traces of
production traffic (`jobs/simulator/traffic.py`). A large day is drawn and written in parts, each of
other accounts, so that memory does not follow its size.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.bench.measure import Meter

if TYPE_CHECKING:
    from jobs.simulator import World

DATE = dt.date(2026, 5, 1)
#: In benchmarks of serving systems; 340 to 400 in public human prompts.
PROMPT_CHARS = 600.0
#: Requests a day of the mean account: a larger day has more accounts.
REQUESTS_OF_AN_ACCOUNT = 50
FEWEST_ACCOUNTS, MOST_ACCOUNTS = 600, 1_000_000
#: From here on lines land packed, or a day would not fit on most disks.
_PACKED_FROM = 16_000_000
#: What a night needs on disk at most, landing folder, working files and tables together.
_BYTES_A_REQUEST = 900
#: An account's requests of one day are drawn together: this many of them take 3 GB.
MOST_OF_ONE_CUSTOMER = 2_400_000


@dataclass(frozen=True)
class Data:
    """What a case works on: a folder of this name, filled by `maker`."""

    name: str
    size: int
    unit: str
    maker: str
    options: Mapping[str, Any] = field(default_factory=dict)


def accounts_of(requests: int) -> int:
    return min(max(requests // REQUESTS_OF_AN_ACCOUNT, FEWEST_ACCOUNTS), MOST_ACCOUNTS)


def day(requests: int, largest_share: float = 0.0) -> Data:
    """One landing day; with `largest_share` one customer has that share of the requests."""
    name = f"day-{requests}" + (f"-one-{largest_share:.0%}".rstrip("%") if largest_share else "")
    options = {"requests": requests, "accounts": accounts_of(requests), "share": largest_share}
    return Data(name, requests, "requests", "data:make_day", options)


def nights(count: int, requests: int) -> Data:
    """Landing days one after another, each of about so many requests."""
    options = {"requests": requests, "accounts": accounts_of(requests), "days": count}
    return Data(f"nights-{count}-of-{requests}", requests, "requests", "data:make_day", options)


def nearly_empty() -> Data:
    """A day of one request, and a snapshot of 600 accounts.

    A day without any request is stopped by `check_landed`, as it must be: it costs less.
    """
    return Data("nearly-empty", 1, "requests", "data:make_nearly_empty")


def make_day(
    folder: Path, meter: Meter, requests: int, accounts: int, days: int = 1, share: float = 0.0
) -> dict[str, Any]:
    """Write the landing of a simulated world, day by day; returns what is in it."""
    from jobs.simulator import FORMATS, WorldSettings, build_world, simulate_day

    require_space(folder, requests * days)
    with meter:
        settings = WorldSettings(
            days=days, accounts=accounts, start=DATE, requests_per_day=requests,
            prompt_chars=PROMPT_CHARS,
            formats=FORMATS if requests < _PACKED_FROM else ("jsonl.gz", "parquet"),
        )  # fmt: skip
        world = build_world(settings)
        if share:
            grow_one_customer(world, share)
        landed, size = [], 0
        for number in range(days):
            tally = simulate_day(world, number, folder / "landing")
            size += tally.bytes
            landed.append(sum(int(d["landed"]) for d in tally.dirt if d["source"] == "requests"))
    return {"landed": landed, "bytes": size, "accounts": len(world.accounts["key"])}


def require_space(folder: Path, requests: int) -> None:
    """Refuse a day that would fill the disk.

    Raises:
        OSError: says how much is needed and how much is free.
    """
    needed, free = requests * _BYTES_A_REQUEST, shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{requests:,} requests need about {needed / 1e9:.0f} GB of disk, {free / 1e9:.0f} are "
            "free where --out is: give another folder, or fewer --requests"
        )


def grow_one_customer(world: World, share: float) -> None:
    """Give one honest account `share` of a day's requests; the others keep their proportions.

    Raises:
        ValueError: its requests of one day would not fit into memory at once.
    """
    from jobs.simulator.world import _scale_text, expected_requests

    mean = expected_requests(world) * world.scale
    honest = world.accounts["class_"][world.workloads["account"]] == "benign"
    whole_day = (world.first_s <= 0) & (world.last_s >= 86_400 * world.settings.days)
    chosen = int(np.argmax(np.where(honest & whole_day, mean, -1.0)))
    total = float(mean.sum())
    if share * total > MOST_OF_ONE_CUSTOMER:
        raise ValueError(
            f"one customer of {share * total:,.0f} requests a day does not fit: at most "
            f"{MOST_OF_ONE_CUSTOMER:,}; take a smaller day"
        )
    world.scale = world.scale * ((1 - share) * total / (total - float(mean[chosen])))
    # It sends every day, and on this one no more and no less than its mean.
    for column, value in (("active", 1.0), ("weekend", 1.0), ("dispersion", 0.01)):
        world.workloads[column][chosen] = value
    world.scale[chosen] = share * total / float(world.workloads["rate"][chosen])
    _scale_text(world)  # or its own prompts would make all longer or shorter


def make_nearly_empty(folder: Path, meter: Meter) -> dict[str, Any]:
    """Keep one request of a small world's day, and no labels."""
    made = make_day(folder, meter, requests=2_000, accounts=FEWEST_ACCOUNTS)
    landing = folder / "landing"
    requests = landing / "requests" / f"date={DATE.isoformat()}"
    first = _first_record(requests)
    shutil.rmtree(landing / "labels", ignore_errors=True)
    for file in requests.iterdir():
        file.unlink()
    (requests / "console-0000.jsonl").write_text(first + "\n", encoding="utf-8")
    return made | {"landed": [1]}


def _first_record(folder: Path) -> str:
    """The first line that is a whole record of the day itself."""
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except ValueError:  # the simulator's dirt
                continue
            whole = isinstance(record, dict) and "request_id" in record
            if whole and str(record.get("timestamp", "")).startswith(DATE.isoformat()):
                return line
    raise ValueError(f"no whole record in {folder.name}: simulate the day again")


def requests_in(lake: Path) -> dict[str, float]:
    """What a day's `requests` are like: how unevenly they lie on accounts, how long prompts are."""
    import duckdb

    files = "', '".join(str(file).replace("'", "''") for file in _parquet(lake / "requests"))
    if not files:
        return {}
    row = (
        duckdb.connect()
        .execute(f"""
        with r as (select account_id, prompt_chars from read_parquet(['{files}'])),
        a as (select count(*) as n, row_number() over (order by count(*) desc) as place,
            count(*) over () as accounts from r group by account_id),
        skew as (select any_value(accounts) as accounts, sum(n) as requests, max(n) as most,
            median(n) as median, sum(n) filter (where place <= ceil(accounts * 0.01)) as top_1,
            sum(n) filter (where place <= ceil(accounts * 0.1)) as top_10 from a),
        text as (select avg(prompt_chars) as mean, max(prompt_chars) as longest,
            quantile_cont(prompt_chars, [0.5, 0.9, 0.99]) as q from r)
        select requests, accounts, median, most / requests, top_1 / requests, top_10 / requests,
            mean, q[1], q[2], q[3], longest from skew, text
    """)
        .fetchone()
    )
    names = ("requests", "accounts", "median", "largest", "top_1_percent", "top_10_percent",
             "chars_mean", "chars_median", "chars_p90", "chars_p99", "chars_longest")  # fmt: skip
    return {n: float(v) for n, v in zip(names, row or (), strict=True) if v is not None}


def _parquet(table: Path) -> list[Path]:
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(str(table)):
        return []
    return [Path(file) for file in DeltaTable(str(table)).file_uris()]


def made(folder: Path) -> dict[str, Any] | None:
    """What the folder was said to hold when it was made; None where it is not whole."""
    done = folder / "made.json"
    if not done.exists():
        return None
    found: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
    return found
