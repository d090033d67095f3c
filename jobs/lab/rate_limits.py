"""What rate limits would have prevented, and whom they would have refused: worlds replayed.

    python -m jobs.lab.rate_limits --out build/lab-limits

runs the nights of a few worlds, works out the limits of each night under several policies, and
sends every request of the world past the limits of the night before, as Envoy's rate limit service
counts: fixed windows (a minute, an hour, a day, UTC) in which refused requests count as well. The
people of these worlds do not notice: nobody slows down, moves or comes back. docs/enforcement.md
has the table and says how to read it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs import limits
from jobs.catalog.enforcement import SHIPPED
from jobs.catalog.enforcement_tables import ENFORCEMENT_ACTIONS
from jobs.catalog.limit_tables import ALL
from jobs.catalog.sketch import MARKERS
from jobs.lab.nights import work_through
from jobs.lab.worlds import LabWorld, hidden, settings
from jobs.platform.errors import StillwatchError
from jobs.platform.lake import Lake, arrow_schema
from jobs.platform.settings import Settings
from jobs.simulator import TACTICS

_PURPOSE = "rate limits"
#: Seeds that nothing was tuned on.
WORLDS: tuple[LabWorld, ...] = (
    LabWorld("limits-labelled", "The default operations, some of them labelled.", _PURPOSE,
             settings(5101, 22, 3_000)),
    LabWorld("limits-hidden", "Operations that nobody labels, begun on days 3 to 8.", _PURPOSE,
             settings(5202, 22, 3_000, campaigns=hidden(
                 "hydra_proxies", "template_farm", "customer_clothes", "agentic_tools",
                 accounts=80))),
    LabWorld("limits-tactics", "A small operation of every tactic, and no label.", _PURPOSE,
             settings(5303, 22, 3_000, campaigns=hidden(*TACTICS, accounts=30)), labels=False),
)  # fmt: skip

#: Fixed limits, in requests a day, that are the same for every limited account.
FIXED = (5, 10, 20, 50)
#: Settings of the shipped file that each of the other ways changes.
POLICIES: dict[str, dict[str, str]] = {
    "per account": {"budget_accounts = 5": "budget_accounts = 1_000_000"},
    "campaign budgets, as shares": {},
    "per account, below the promise": {
        "budget_accounts = 5": "budget_accounts = 1_000_000",
        "below_promise = false": "below_promise = true",
    },
    "campaign budgets, below the promise": {"below_promise = false": "below_promise = true"},
    "campaign budgets, counted by the gateway": {
        "below_promise = false": "below_promise = true",
        'budget_counted_by = "shares"': 'budget_counted_by = "gateway"',
    },
}
_WINDOWS = (("minute", "min"), ("hour", "h"), ("day", "D"))
_COLUMNS = ["date", "account_id", "event_time", "input_tokens", "output_tokens", "prompt_markers"]


@dataclass(frozen=True)
class Traffic:
    """What a world sent, with the truth of it.

    Attributes:
        requests: account_id, at (timestamp), day (of `at`), tokens, markers, class, campaign (the
            true operation), work (the chance that the request served the operation).
        first: the first day on which any limit could be in force.
    """

    requests: pd.DataFrame
    first: dt.date


def read_traffic(lake: Lake, truth: Path, judged: Sequence[dt.date]) -> Traffic:
    """Requests of the days after the first judged night."""
    first = judged[0] + dt.timedelta(days=1)
    rows = lake.rows("requests", None, None, _COLUMNS).to_pandas()
    rows["day"] = rows["event_time"].dt.date
    rows = rows[(rows["day"] >= first) & (rows["day"] <= judged[-1])]
    columns = ["account_id", "class", "campaign", "kind"]
    known = pq.read_table(truth / "accounts.parquet", columns=columns).to_pandas()
    served = pq.read_table(truth / "exchanges.parquet").to_pandas()
    served["work"] = served["work_requests"] / served["requests"].clip(lower=1)
    served = served.rename(columns={"date": "day"})[["day", "account_id", "work"]]
    rows = rows.merge(known, on="account_id").merge(served, on=["day", "account_id"], how="left")
    # A request that arrived after its day's count was closed: as the account's others.
    own = rows.groupby("account_id")["work"].transform("mean")
    rows["work"] = rows["work"].fillna(own).fillna(0.0)
    rows["tokens"] = rows["input_tokens"] + rows["output_tokens"]
    rows = rows.rename(columns={"event_time": "at", "prompt_markers": "markers"})
    rows = rows.sort_values(["account_id", "at"], kind="stable").reset_index(drop=True)
    return Traffic(rows, first)


def refused_by_fixed(requests: pd.DataFrame, in_force: pd.DataFrame, most: int) -> np.ndarray:
    """Whether each request is refused where every limited account has so many a day."""
    held = _held(requests, in_force)
    return _over(requests[held], ["account_id"], {"requests_a_day": most}, held)


def refused(
    requests: pd.DataFrame, in_force: pd.DataFrame, budgets: pd.DataFrame
) -> np.ndarray:  # fmt: skip
    """Whether each request is refused by the limits of the night before.

    Args:
        requests: in order of account and time.
        in_force: rate_limits of all nights.
        budgets: campaign_budgets of all nights; only those that the gateway counts refuse.
    """
    out = np.zeros(len(requests), bool)
    for capability, rows in in_force.groupby("capability"):
        asked = _asks(requests, str(capability))
        some = requests[asked]
        held = some[["account_id", "day"]].merge(_of_next_day(rows), how="left",
                                                 on=["account_id", "day"])  # fmt: skip
        held.index = some.index
        limited = held["step"].notna()
        names = [n for n in held if str(n).startswith(("requests_a", "tokens_a"))]
        amounts = {str(name): held.loc[limited, name] for name in names}
        at = some.index[limited]
        out[at] |= _windows(requests.loc[at], ["account_id"], amounts)
    counted = budgets[budgets["counted_by"] == "gateway"]
    if len(counted):
        out |= _by_campaign(requests, in_force, counted)
    return out


def _by_campaign(
    requests: pd.DataFrame, in_force: pd.DataFrame, budgets: pd.DataFrame
) -> np.ndarray:  # fmt: skip
    """Requests over a budget that the gateway counts for a campaign's limited accounts."""
    members = in_force.loc[in_force["capability"] == ALL, ["date", "account_id", "campaign_id"]]
    of = _of_next_day(members.merge(
        budgets[["date", "campaign_id", "requests_a_day", "tokens_a_day"]],
        on=["date", "campaign_id"],
    ))  # fmt: skip
    held = requests.reset_index().merge(of, on=["account_id", "day"]).sort_values("at")
    out = np.zeros(len(requests), bool)
    some = held.set_index("index")
    amounts = {name: some[name] for name in ("requests_a_day", "tokens_a_day")}
    out[some.index] = _windows(some, ["campaign_id"], amounts)
    return out


def _windows(
    requests: pd.DataFrame, who: list[str], amounts: Mapping[str, pd.Series | int]
) -> np.ndarray:  # fmt: skip
    """Requests over a limit of any window. Tokens of a request that a count of requests refused
    are never spent; one that would begin after the window's tokens are spent is refused."""
    spans = {unit: requests["at"].dt.floor(freq) for unit, freq in _WINDOWS}
    over = np.zeros(len(requests), bool)
    for name, most in amounts.items():
        if name.startswith("requests"):
            keys = [requests[column] for column in who] + [spans[name.rsplit("_", 1)[1]]]
            over |= (requests.groupby(keys).cumcount() >= most).to_numpy()
    spent = requests["tokens"].where(~over, 0)
    refused_tokens = np.zeros(len(requests), bool)
    for name, most in amounts.items():
        if name.startswith("tokens"):
            keys = [requests[column] for column in who] + [spans[name.rsplit("_", 1)[1]]]
            before = spent.groupby(keys).cumsum() - spent
            refused_tokens |= (before >= most).to_numpy()
    return over | refused_tokens


def _over(
    requests: pd.DataFrame, who: list[str], amounts: Mapping[str, int], held: np.ndarray
) -> np.ndarray:  # fmt: skip
    out = np.zeros(len(held), bool)
    out[np.flatnonzero(held)] = _windows(requests, who, amounts)
    return out


def _held(requests: pd.DataFrame, in_force: pd.DataFrame) -> np.ndarray:
    """Whether the account had a limit on the request's day."""
    days = _of_next_day(in_force.loc[in_force["capability"] == ALL, ["date", "account_id"]])
    keys = requests[["account_id", "day"]].merge(days.assign(held=True), how="left",
                                                 on=["account_id", "day"])  # fmt: skip
    return keys["held"].eq(True).to_numpy()


def _of_next_day(rows: pd.DataFrame) -> pd.DataFrame:
    """A night's limits are in force on the day after it."""
    return rows.assign(day=rows["date"] + dt.timedelta(days=1)).drop(columns=["date"])


def _asks(requests: pd.DataFrame, capability: str) -> np.ndarray:
    if capability == ALL:
        return np.ones(len(requests), bool)
    bit = next(marker.bit for marker in MARKERS if marker.name == capability)
    return (requests["markers"].fillna(0).astype(np.int64).to_numpy() >> bit) & 1 == 1


def judged(traffic: Traffic, over: np.ndarray, in_force: pd.DataFrame) -> dict[str, float]:
    """The figures of one way to limit: sums, so that worlds can be added up."""
    rows = traffic.requests
    work = rows["work"].to_numpy() * (rows["class"] == "distillation").to_numpy()
    honest = (rows["class"] == "benign").to_numpy()
    resale = (rows["class"] == "resale").to_numpy()
    held = _held(rows, in_force)
    return {
        "work": float(work.sum()),
        "work_in_force": float(work[held].sum()),
        "prevented": float(work[over].sum()),
        "honest": int(honest.sum()),
        "honest_in_force": int((honest & held).sum()),
        "honest_accounts_in_force": int(rows.loc[honest & held, "account_id"].nunique()),
        "honest_refused": int((honest & over).sum()),
        "resale": int(resale.sum()),
        "resale_refused": int((resale & over).sum()),
    }


def replay(lake: Lake, truth: Path, folder: Path, nights: Sequence[dt.date],
           say: Callable[[str], None]) -> dict[str, dict[str, float]]:  # fmt: skip
    """Every way to limit on one world: its figures by name."""
    traffic = read_traffic(lake, truth, nights)
    found = _each_way(lake, folder, nights, traffic)
    middle = nights[len(nights) // 2 :]
    with planted(lake, traffic, middle) as ids:
        wronged = traffic.requests["account_id"].isin(ids) & (traffic.requests["day"] > middle[0])
        some = Traffic(traffic.requests[wronged].reset_index(drop=True), middle[0])
        for name, figures in _each_way(lake, folder, middle, some).items():
            found[name] |= {
                "planted": figures["honest"], "planted_refused": figures["honest_refused"]
            }  # fmt: skip
    for name, figures in found.items():
        say(f"  {name}: {figures}")
    return found


def _each_way(
    lake: Lake, folder: Path, nights: Sequence[dt.date], traffic: Traffic
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for name, changes in POLICIES.items():
        text = SHIPPED.read_text(encoding="utf-8")
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        path = folder / "policy.toml"
        path.write_text(text, encoding="utf-8")
        other = Lake(Settings(**{**vars(lake.settings), "policy": str(path)}), lake.session)
        for night in nights:
            limits.run(other, night)
        rows = other.rows("rate_limits", nights[0], nights[-1]).to_pandas(date_as_object=True)
        budgets = other.rows("campaign_budgets", nights[0], nights[-1])
        if not found:
            for most in FIXED:
                over = refused_by_fixed(traffic.requests, rows, most)
                found[f"fixed, {most} requests a day"] = judged(traffic, over, rows)
        over = refused(traffic.requests, rows, budgets.to_pandas(date_as_object=True))
        found[name] = judged(traffic, over, rows)
    return found


@contextmanager
def planted(lake: Lake, traffic: Traffic, nights: Sequence[dt.date]) -> Iterator[list[str]]:
    """Honest accounts, every 20th, that are limited by mistake from the first of the nights on, as
    if each night renewed the evidence against them; their ids. Undone at the end."""
    honest = traffic.requests.loc[traffic.requests["class"] == "benign", "account_id"]
    ids = sorted(honest.unique())[::20]
    before = {night: lake.rows("enforcement_actions", night, night) for night in nights}
    schema = arrow_schema(ENFORCEMENT_ACTIONS)
    try:
        for night, rows in before.items():
            mistaken = pa.Table.from_pylist([
                dict.fromkeys(schema.names) | {
                    "date": night, "account_id": one, "action": "limit", "reasons": [],
                    "evidence": ["time", "identity"], "expires": night + dt.timedelta(days=7),
                    "policy_version": "planted", "mode": "observe",
                }
                for one in ids
            ], schema=schema)  # fmt: skip
            others = rows.filter(pc.invert(pc.is_in(rows["account_id"], value_set=pa.array(ids))))
            whole = pa.concat_tables([others.select(schema.names).cast(schema), mistaken])
            lake.replace_night("enforcement_actions", night, whole)
        yield ids
    finally:
        for night, rows in before.items():
            lake.replace_night("enforcement_actions", night, rows)


def table(worlds: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """All worlds together, in Markdown."""
    lines = [
        "| way | exchanges prevented, of those in force | of all | honest requests refused | of "
        "all honest | refused of who is limited by mistake |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for way in next(iter(worlds.values())):
        one = pd.DataFrame([figures[way] for figures in worlds.values()]).sum()
        lines.append(
            f"| {way} | {one['prevented'] / max(one['work_in_force'], 1):.1%} "
            f"| {one['prevented'] / max(one['work'], 1):.1%} "
            f"| {one['honest_refused']:,.0f} of {one['honest']:,.0f} "
            f"| {one['honest_refused'] / max(one['honest'], 1):.1e} "
            f"| {one['planted_refused'] / max(one['planted'], 1):.1%} |"
        )
    return "\n".join(lines)


def _world(world: LabWorld, out: Path, say: Callable[[str], None]) -> dict[str, dict[str, float]]:
    from jobs.night import open_lake
    from jobs.simulator import simulate

    folder = out / world.name
    done = folder / "figures.json"
    if done.exists():
        say(f"{world.name}: kept from an earlier run; remove {done} to replay it")
        return dict(json.loads(done.read_text(encoding="utf-8")))
    place, truth = folder / "lake", folder / "truth"
    finished = folder / "nights"
    if not finished.exists():
        shutil.rmtree(folder, ignore_errors=True)
        simulate(folder / "landing", truth, world.settings, None)
        if not world.labels:
            shutil.rmtree(folder / "landing" / "labels", ignore_errors=True)
    with open_lake(Settings(lake=str(place.resolve()),
                            landing=str((folder / "landing").resolve()))) as lake:  # fmt: skip
        if not finished.exists():
            work_through(lake, world, folder / "landing", say)
            finished.write_text("done\n", encoding="utf-8")
        figures = replay(lake, truth, folder, world.judged, say)
    done.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder of worlds and figures; finished worlds are not run again.")  # fmt: skip
@click.option("--worlds", "names", multiple=True, metavar="NAME", help="Only these.")
@click.option("--lake", type=click.Path(file_okay=False, path_type=Path),
              help="A finished lake instead: rate_limits in it are written over.")  # fmt: skip
@click.option("--truth", type=click.Path(file_okay=False, path_type=Path),
              help="What is true of that lake.")  # fmt: skip
def main(out: Path, names: tuple[str, ...], lake: Path | None, truth: Path | None) -> None:
    """Replay worlds past fixed limits, limits of each account's own and campaign budgets."""
    # Tokens of these worlds are of no use to anyone; a fixed key makes a world repeatable.
    os.environ["STILLWATCH_TOKEN_KEY"] = "1a" * 32

    def say(text: str) -> None:
        click.echo(text, err=True)

    out.mkdir(parents=True, exist_ok=True)
    if lake is not None and truth is not None:
        from jobs.platform.session import engine_session

        given = Settings(lake=str(lake.resolve()))
        with engine_session(given) as session:
            opened = Lake(given, session)
            nights = opened.nights("account_scores")
            click.echo(table({lake.name: replay(opened, truth, out, nights, say)}))
        return
    known = {world.name: world for world in WORLDS}
    strange = [name for name in names if name not in known]
    if strange:
        raise StillwatchError(f"there is no world {strange[0]!r}: choose of {', '.join(known)}")
    figures = {name: _world(known[name], out, say) for name in names or known}
    click.echo(table(figures))


if __name__ == "__main__":
    main()
