"""How fast the desk is on a large lake: `python -m tests.bench.desk_pages [--accounts N]`.

Makes a lake of N scored accounts and N/200 campaigns, the largest of 3,000 members, and asks the
desk for its pages: cold, with a reader that has seen nothing, and warm, the page again with nothing
changed. The floor is DuckDB reading the same columns of the same files once, by hand.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from jobs.catalog.tables import TABLES
from jobs.platform.lake import Lake, arrow_schema
from jobs.platform.settings import Settings

LAST = dt.date(2026, 5, 30)
NIGHTS = 14
#: Members of the largest campaign, accounts of a campaign, of cases, and tokens of an account.
LARGEST, OF_CAMPAIGN, CASES, TOKENS = 3_000, 40, 30, 6
_PIECE = 250_000
ORIGIN = "http://127.0.0.1:8765"


def _column(name: str, kind: str, rows: int, night: dt.date, made: dict[str, Any]) -> pa.Array:
    """What the table wants and the benchmark is not about: the least that is allowed."""
    if name in made:
        return pa.array(made[name])
    if kind == "string":
        return pa.repeat(pa.scalar("x"), rows)
    if kind == "timestamp":
        at = dt.datetime.combine(night, dt.time(12), dt.UTC)
        return pa.repeat(pa.scalar(at, pa.timestamp("us", "UTC")), rows)
    if kind == "date":
        return pa.repeat(pa.scalar(night), rows)
    if kind.startswith("array"):
        item = pa.string() if "string" in kind else pa.int64()
        return pa.array([[]] * rows, pa.list_(item))
    if kind == "boolean":
        return pa.repeat(pa.scalar(False), rows)
    return pa.repeat(pa.scalar(0.0 if kind == "double" else 0), rows)


def _write(lake: Lake, name: str, night: dt.date, rows: int, **made: Any) -> None:
    table = TABLES[name]

    def pieces() -> Iterator[pa.Table]:
        for start in range(0, rows, _PIECE):
            size = min(_PIECE, rows - start)
            part = {k: v[start : start + size] for k, v in made.items()}
            yield pa.table([
                pa.nulls(size, arrow_schema(table).field(c.name).type)
                if c.nullable and c.name not in made
                else _column(c.name, c.type, size, night, part).cast(
                    arrow_schema(table).field(c.name).type)
                for c in table.columns
            ], arrow_schema(table).names)  # fmt: skip

    lake.replace_night(name, night, pieces())


def fill(lake: Lake, accounts: int) -> str:
    """Writes the lake; returns the name of its largest campaign."""
    rng = np.random.default_rng(1)
    groups = accounts // 200
    ids = np.array([f"acct_{n:016x}" for n in rng.permutation(accounts) * 7919])
    sizes = np.full(groups, OF_CAMPAIGN)
    sizes[0] = min(LARGEST, accounts // 20)
    of = np.repeat(np.arange(groups), sizes)[:accounts]
    names = np.array([f"c-{n:012x}" for n in range(groups)])
    kinds = np.where(np.arange(groups) % 50 == 0, "distillation", "unknown")
    members = ids[: len(of)]
    within = np.full(accounts, None, object)
    within[: len(of)] = names[of]
    plans = np.array(["free", "credits", "pay_as_you_go", "enterprise"])[
        rng.integers(0, 4, accounts)
    ]
    guilty = of % 50 == 0
    acted = members[guilty]
    for night in (LAST - dt.timedelta(days=back) for back in range(NIGHTS - 1, -1, -1)):
        requests = rng.integers(1, 60, accounts)
        per_group = np.bincount(of, requests[: len(of)], groups).astype(np.int64)
        score = rng.beta(0.2, 8, accounts)
        score[: len(of)][guilty] = 0.95
        _write(
            lake,
            "account_scores",
            night,
            accounts,
            account_id=ids,
            distillation_score=score,
            campaign_id=within,
        )
        _write(lake, "account_daily", night, accounts, account_id=ids, requests=requests,
               output_tokens=requests * 400, prompts_known=requests, hour_03=requests // 2,
               hour_04=requests - requests // 2)  # fmt: skip
        _write(lake, "campaigns", night, groups, campaign_id=names, kind=kinds, accounts=sizes,
               requests=per_group, output_tokens=per_group * 400,
               score=np.where(kinds == "distillation", 0.97, 0.01))  # fmt: skip
        _write(lake, "enforcement_actions", night, len(acted), account_id=acted,
               action=np.full(len(acted), "review"), mode=np.full(len(acted), "observe"),
               expires=np.full(len(acted), night + dt.timedelta(days=7)))  # fmt: skip
    _write(lake, "accounts", LAST, accounts, account_id=ids, plan=plans)
    _write(lake, "campaign_members", LAST, len(of), account_id=members, campaign_id=names[of],
           strength=np.full(len(of), 0.9))  # fmt: skip
    owner = np.repeat(np.arange(accounts), TOKENS)
    grouped = of[np.minimum(owner, len(of) - 1)]
    shared = np.where(owner < len(of), grouped, owner + groups)
    kinds_held = ["address", "network", "client", "settings", "template_end", "shingle"]
    kind = np.tile(np.array(kinds_held), accounts)
    _write(lake, "account_indicators", LAST, len(owner), account_id=ids[owner], kind=kind,
           token=np.char.mod("%016x", shared * 31 + np.tile(np.arange(TOKENS), accounts)),
           requests=np.ones(len(owner), np.int64))  # fmt: skip
    owner = np.repeat(np.arange(accounts), 2)
    _write(lake, "account_templates", LAST, len(owner), account_id=ids[owner],
           template_key=np.char.mod("%016x", rng.integers(0, accounts // 4, len(owner))),
           requests=np.ones(len(owner), np.int64),
           prompts=np.ones(len(owner), np.int64))  # fmt: skip
    cases = np.arange(0, groups, 50)[:CASES]
    _write(lake, "cases", LAST, len(cases), subject_kind=np.full(len(cases), "campaign"),
           subject=names[cases], accounts=sizes[cases], requests_at_stake=sizes[cases] * 30,
           proposed=np.full(len(cases), "suspend"), state=np.full(len(cases), "open"),
           score=np.full(len(cases), 0.97))  # fmt: skip
    return str(names[0])


#: The same columns, read once by hand: (table, columns, nights back).
_ACTIONS = ("enforcement_actions", "max(account_id), max(action), max(expires)", NIGHTS)
_MORNING = (
    ("account_scores", "count(*)", 0),
    _ACTIONS,
    ("campaigns", "max(campaign_id), max(kind), max(score), max(accounts), max(requests)", 1),
)
_CAMPAIGN = (
    ("campaigns", "max(campaign_id), max(accounts), max(requests), max(output_tokens), "
     "max(score)", NIGHTS),
    ("campaign_members", "max(campaign_id), max(account_id), max(strength)", 0),
    ("account_daily", "max(account_id), max(requests), max(output_tokens), "
     + ", ".join(f"max(hour_{h:02d})" for h in range(24)), 6),
    ("account_scores", "max(account_id), max(distillation_score)", 0),
    ("accounts", "max(account_id), max(plan), max(status), max(organization_id)", 0),
    _ACTIONS,
    ("account_indicators", "max(account_id), max(kind), max(token)", 0),
    ("account_templates", "max(account_id), max(template_key), max(requests)", 0),
)  # fmt: skip


def _floor(lake: Lake, read: tuple[tuple[str, str, int], ...]) -> float:
    connection = duckdb.connect()
    start = time.perf_counter()
    for table, columns, back in read:
        first = LAST - dt.timedelta(days=back)
        files = [path for night, there in (lake.night_files(table) or {}).items()
                 if night >= first for path, _ in there]  # fmt: skip
        connection.execute(
            f"select {columns} from read_parquet($files)", {"files": files}
        ).fetchall()
    return time.perf_counter() - start


def _timed(ask: Callable[[], Any]) -> float:
    start = time.perf_counter()
    answer = ask()
    taken = time.perf_counter() - start
    assert answer.status_code == 200, answer.text[-500:]
    return taken


def main() -> None:
    from starlette.testclient import TestClient

    from desk.app import create_app
    from desk.settings import DeskSettings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--lake", default=None, help="where it is made, or lies from before")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(lake=given.lake or f"{folder}/lake")
        lake = Lake(settings)
        start = time.perf_counter()
        largest = "c-000000000000" if lake.exists("cases") else fill(lake, given.accounts)
        print(f"lake of {given.accounts:,} accounts, {given.accounts // 200:,} campaigns, "
              f"{NIGHTS} nights: made in {time.perf_counter() - start:.0f} s")  # fmt: skip
        member = str(lake.rows("campaign_members", LAST, LAST, ["account_id"])["account_id"][0])
        pages = (
            ("first page", "/", _MORNING), ("campaign of 3,000", f"/campaign/{largest}", _CAMPAIGN),
            ("its matrix, after the page", f"/chart/campaign/binding.svg/{largest}", None),
            ("another campaign", "/campaign/c-000000000032", None),
            ("account", f"/account/{member}", None), ("search by id", f"/search?q={member}", None),
        )  # fmt: skip
        app = create_app(settings, DeskSettings(Path(folder) / "state"))
        client = TestClient(app, base_url=ORIGIN, follow_redirects=False)
        secret = app.state.sessions.start("bench", "decide", "test")
        client.cookies.set("stillwatch-desk", secret)
        client.get("/mode")
        for name, path, read in pages:
            cold = _timed(lambda path=path: client.get(path))
            warm = min(_timed(lambda path=path: client.get(path)) for _ in range(3))
            floor = _floor(lake, read) if read else None
            beside = f"; floor {floor:.2f} s, cold {cold / floor:.1f} times it" if floor else ""
            print(f"{name}: cold {cold:.2f} s, warm {warm:.3f} s{beside}", flush=True)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"most memory of the process: {peak:.1f} GB")


if __name__ == "__main__":
    main()
