"""What a person sees in the terminal: the last nights' run log, and what a night found."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs import thresholds
from jobs.catalog.enforcement import LADDER
from jobs.catalog.events import EVENTS
from jobs.catalog.tables import CHECK_RESULTS
from jobs.platform.errors import LakeError
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings


def terminal() -> Console:
    # Piped into a file there is no terminal to take a width from.
    return Console(width=None if Console().is_terminal else 140, highlight=False)


def print_status(settings: Settings, nights: int) -> None:
    """The last `nights` nights of run_log, the latest run of each step of each."""
    lake = Lake(settings)
    _require(lake, "run_log")
    dates = lake.nights("run_log")[-nights:]
    log = lake.rows("run_log", dates[0], dates[-1]) if dates else None
    if log is None or not log.num_rows:
        raise LakeError(f"no night has run on {settings.lake}: see `stillwatch night --help`")
    latest: dict[tuple[dt.date, str], dict[str, object]] = {}
    for row in log.sort_by("started_at").to_pylist():
        latest[row["date"], row["step"]] = row
    table = Table(title=f"Nights of {settings.lake}", title_justify="left")
    for heading in ("night", "step", "outcome", "seconds", "rows written", "versions read",
                    "versions written"):  # fmt: skip
        table.add_column(heading, justify="right" if heading == "seconds" else "left",
                         overflow="fold")  # fmt: skip
    previous = None
    for (date, step), row in latest.items():
        outcome = str(row["outcome"])
        table.add_row(
            "" if date == previous else str(date), step,
            outcome if outcome == "done" else f"[red]{outcome}[/red] "
            + escape(str(row["message"])),
            f"{row['seconds']:.1f}",
            _pairs(str(row["rows_written"])),
            _pairs(str(row["versions_read"])),
            _pairs(str(row["versions_written"])),
        )  # fmt: skip
        previous = date
    console = terminal()
    console.print(table)
    for line in warnings(lake, dates[-1]):
        console.print(line, style="yellow", markup=False, soft_wrap=True)
    for line in thresholds.raised(lake, dates[-1]):
        console.print(line, style="yellow", markup=False, soft_wrap=True)


def warnings(lake: Lake, date: dt.date) -> list[str]:
    """A line for each check of the night that failed and did not stop it."""
    if date not in lake.nights("check_results"):
        return []
    rows = lake.rows("check_results", date, date)
    rows = rows.sort_by([(column, "ascending") for column in CHECK_RESULTS.key])
    return [
        f"warning of {date}: {row['table_name']}: {row['expectation']} failed "
        f"({row['unexpected']:,} found" + (f", first {row['example']})" if row["example"] else ")")
        for row in rows.to_pylist()
        if row["severity"] == "warn" and not row["passed"]
    ]


def _pairs(text: str) -> str:
    return ", ".join(f"{name} {value:,}" if value is not None else name
                     for name, value in json.loads(text).items())  # fmt: skip


def print_night(settings: Settings, date: dt.date | None, truth: str | None, accounts: int) -> None:
    """A night's campaigns, what happened to them, its top accounts and how right it was, where a
    truth is given."""
    lake = Lake(settings)
    _require(lake, "account_scores")
    scored = lake.nights("account_scores")
    if not scored:
        raise LakeError(f"no night has been scored on {settings.lake}: run one first")
    date = date or scored[-1]
    if date not in scored:
        raise LakeError(f"{date} was not scored; the last night that was is {scored[-1]}")
    console = terminal()
    console.print(_campaigns(lake, date))
    for line in happened(lake, date):
        console.print(line)
    console.print(_top_accounts(lake, date, accounts))
    if truth:
        console.print(compared(lake, date, Path(truth)))


def _require(lake: Lake, table: str) -> None:
    if not lake.exists(table):
        raise LakeError(f"{lake.root} is no lake of Stillwatch, or no night has run on it yet")


def _campaigns(lake: Lake, date: dt.date) -> Table:
    table = Table(title=f"Campaigns on {date}", title_justify="left")
    for heading in ("campaign", "kind", "score", "accounts", "requests", "first seen",
                    "what it is"):  # fmt: skip
        right = heading in ("score", "accounts", "requests")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    order = {"distillation": 0, "resale": 1, "unknown": 2, "benign_group": 3}
    rows = lake.rows("campaigns", date, date).to_pylist()
    rows.sort(key=lambda row: (order[row["kind"]], -row["score"], -row["requests"]))
    for row in rows[:12]:
        table.add_row(
            row["campaign_id"], row["kind"], f"{row['score']:.2f}", f"{row['accounts']:,}",
            f"{row['requests']:,}", str(row["first_seen"]), escape(row["summary"]),
        )  # fmt: skip
    if len(rows) > 12:
        table.caption = f"and {len(rows) - 12} more, in the table campaigns"
    return table


#: Events of one kind that are told one by one: on a lake's first night every campaign is founded.
SHOWN_OF_AN_EVENT = 3


def happened(lake: Lake, date: dt.date) -> list[str]:
    """What happened to campaigns since the night before: how often, and the largest in words."""
    rows = lake.rows("campaign_events", date, date).to_pylist()
    rows.sort(key=lambda row: (-row["accounts"], row["campaign_id"]))
    of_kind = {event: [r for r in rows if r["event"] == event.name] for event in EVENTS}
    counts = [f"{len(of)} {event.name}" for event, of in of_kind.items() if of]
    lines = [f"What happened to campaigns on {date}: {', '.join(counts) or 'nothing'}"]
    for event, of in of_kind.items():
        lines += [
            "  " + event.sentence.format(
                campaign=row["campaign_id"], other=row["other_campaign_id"],
                accounts=f"{row['accounts']:,}",
            )
            for row in of[:SHOWN_OF_AN_EVENT]
        ]  # fmt: skip
        if len(of) > SHOWN_OF_AN_EVENT:
            more = len(of) - SHOWN_OF_AN_EVENT
            lines.append(f"  and {more:,} more {event.name}, in the table campaign_events")
    return lines


def _top_accounts(lake: Lake, date: dt.date, most: int) -> Table:
    actions = {
        row["account_id"]: row for row in lake.rows("enforcement_actions", date, date).to_pylist()
    }
    scores = lake.rows("account_scores", date, date).sort_by([
        ("distillation_score", "descending"), ("account_id", "ascending"),
    ])  # fmt: skip
    counts = dict.fromkeys(LADDER, 0)
    for row in actions.values():
        counts[row["action"]] += 1
    said = ", ".join(f"{n:,} {action}" for action, n in counts.items() if n)
    table = Table(
        title=f"Top accounts on {date}, at most {SHOWN_OF_A_CAMPAIGN} of a campaign "
        f"({said or 'no action'})",
        title_justify="left",
    )
    for heading in ("account", "score", "action", "campaign", "reasons"):
        table.add_column(heading, justify="right" if heading == "score" else "left",
                         overflow="fold")  # fmt: skip
    for row in _leading(scores, most):
        action = actions.get(row["account_id"])
        table.add_row(
            row["account_id"], f"{row['distillation_score']:.3f}",
            action["action"] if action else "", row["campaign_id"] or "",
            escape("; ".join(row["reasons"][:3])),
        )  # fmt: skip
    return table


#: Accounts of one campaign have most reasons in common: a few stand for all of them.
SHOWN_OF_A_CAMPAIGN = 3


def _leading(scores: pa.Table, most: int) -> list[dict[str, Any]]:
    """The first `most` rows, at most SHOWN_OF_A_CAMPAIGN of each campaign."""
    shown: list[dict[str, Any]] = []
    of_campaign: Counter[str] = Counter()
    for batch in scores.to_batches(max_chunksize=1000):
        for row in batch.to_pylist():
            name = row["campaign_id"]
            if name is not None:
                of_campaign[name] += 1
            if name is None or of_campaign[name] <= SHOWN_OF_A_CAMPAIGN:
                shown.append(row)
            if len(shown) == most:
                return shown
    return shown


def compared(lake: Lake, date: dt.date, truth: Path) -> Table:
    """What was found of each simulated operation and kind of honest customer, up to `date`.

    An account counts as found from its first action above `watch`. Exchanges are leaked when they
    were answered up to and on the night of that action: it holds from the next day on.
    """
    known = pq.read_table(truth / "accounts.parquet").to_pandas()
    exchanges = pq.read_table(truth / "exchanges.parquet").to_pandas()
    actions = lake.rows("enforcement_actions", None, date)
    actions = actions.filter(pc.not_equal(actions["action"], "watch")).to_pandas()
    first = actions.groupby("account_id")["date"].min().rename("acted")
    suspended = set(actions.loc[actions["action"] == "suspend", "account_id"])
    known = known.merge(first, left_on="account_id", right_index=True, how="left")
    known["found"] = known["acted"].notna()
    exchanges = exchanges[exchanges["date"] <= date].merge(
        known[["account_id", "acted"]], on="account_id", how="left"
    )
    leaked = exchanges["acted"].isna() | (exchanges["date"] <= exchanges["acted"])
    exchanges["leaked"] = exchanges["work_requests"].where(leaked, 0)
    seen = known[known["account_id"].isin(set(exchanges["account_id"]))]
    table = Table(
        title=f"Against the simulated truth, up to {date}: accounts with traffic, and those acted "
        "on above watch",
        title_justify="left",
    )
    for heading in ("truth", "accounts", "acted on", "suspended", "share", "exchanges",
                    "leaked before action"):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "truth" else "right")
    guilty = seen[seen["class"] == "distillation"]
    for campaign, group in guilty.groupby("campaign"):
        of = exchanges[exchanges["campaign"] == campaign]
        _add(table, f"distillation: {campaign} ({group['tactic'].iloc[0]})", group, suspended,
             int(of["work_requests"].sum()), int(of["leaked"].sum()))  # fmt: skip
    everything = exchanges[exchanges["account_id"].isin(guilty["account_id"])]
    table.add_section()
    _add(table, "distillation: recall over all", guilty, suspended,
         int(everything["work_requests"].sum()), int(everything["leaked"].sum()))  # fmt: skip
    for name, group in (("resale", seen[seen["class"] == "resale"]),):
        _add(table, name, group, suspended, None, None)
    table.add_section()
    honest = seen[seen["class"] == "benign"]
    for kind, group in honest.groupby("kind"):
        _add(table, f"honest: {kind}", group, suspended, None, None)
    table.add_section()
    _add(table, "honest: false positives over all", honest, suspended, None, None)
    return table


def _add(table: Table, name: str, group: object, suspended: set[str], total: int | None,
         leaked: int | None) -> None:  # fmt: skip
    n, found = len(group), int(group["found"].sum())  # type: ignore[arg-type, index]
    stopped = int(group["account_id"].isin(suspended).sum())  # type: ignore[index]
    table.add_row(
        name, f"{n:,}", f"{found:,}", f"{stopped:,}", f"{found / n:.1%}" if n else "",
        f"{total:,}" if total is not None else "",
        f"{leaked / total:.1%}" if total and leaked is not None else "",
    )  # fmt: skip
