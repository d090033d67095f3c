"""What reaches the desk from a finished simulated lake: how soon, how many cases, and how much of
an operation's work each rung meets. Judged against the world's truth, which no job reads."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq

from jobs.catalog.enforcement import LADDER
from jobs.catalog.policy import SCORING
from jobs.platform.errors import StillwatchError

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

#: What stands for accounts on which nothing was in force, or proposed.
NOTHING = "nothing"


@dataclass(frozen=True)
class Operation:
    """One operation. `days` is from the date of its first request to the morning on which the
    campaign of most of its accounts is a case; null where it never was."""

    name: str
    kind: str
    tactic: str
    accounts: int
    exchanges: int
    first_request: dt.date
    case: dt.date | None
    days: int | None


@dataclass(frozen=True)
class Queue:
    """Cases in one morning's queue, how many of them are new, and how many are no operation: their
    accounts are honest customers' in the main. `scored` counts the night's accounts."""

    night: dt.date
    cases: int
    new: int
    honest: int
    scored: int

    @property
    def per_million(self) -> float:
        return 1e6 * self.cases / self.scored if self.scored else 0.0


@dataclass(frozen=True)
class Met:
    """Share of distillers' exchanges, and of honest customers' requests, that were sent while a
    rung was in force on their account: from the day after its night on. `proposed` is what a
    person still had to decide."""

    rung: str
    proposed: str
    exchanges: int
    share: float
    honest_requests: int
    honest_share: float


@dataclass(frozen=True)
class Desk:
    operations: list[Operation]
    median_days: float | None
    never: int
    queue: list[Queue]
    met: list[Met]


def judge_desk(lake: Lake, truth: Path) -> Desk:
    """Figures of all the lake's nights.

    Raises:
        StillwatchError: the folder has no truth, or the lake no nights.
    """
    try:
        known = pq.read_table(truth / "accounts.parquet").to_pandas()
        sent = pq.read_table(truth / "exchanges.parquet").to_pandas()
    except OSError as error:
        raise StillwatchError(
            f"{truth} has no truth of a simulated world ({error.strerror or 'it can not be read'}):"
            " give the folder that `stillwatch simulate` wrote beside the landing"
        ) from None
    nights = lake.nights("account_scores")
    if not nights:
        raise StillwatchError(f"no night has been scored on {lake.root}: run one first")
    sent = sent[sent["date"] <= nights[-1]]
    columns = ["date", "account_id", "action", "proposed", "expires", "campaign_id"]
    actions = lake.rows("enforcement_actions", columns=columns).to_pandas()
    cases = cases_by_night(lake, actions)
    members = lake.rows("campaign_members", columns=["date", "campaign_id", "account_id"])
    operations = operations_of(known, sent, members.to_pandas(), cases)
    ready = pd.Series([o.days for o in operations if o.days is not None], dtype=float)
    return Desk(
        operations,
        float(ready.median()) if len(ready) else None,
        sum(o.days is None for o in operations),
        queue_of(
            cases,
            honest_subjects(known, members.to_pandas(), cases),
            {night: lake.count("account_scores", night) for night in nights},
        ),
        met_by(known, sent, actions),
    )


def cases_by_night(lake: Lake, actions: pd.DataFrame) -> pd.DataFrame:
    """date, subject of every morning's queue; of a lake without `cases`, what `review` makes."""
    if lake.exists("cases"):
        return lake.rows("cases", columns=["date", "subject"]).to_pandas()
    looked_at = actions[actions["action"] == "review"]
    subject = looked_at["campaign_id"].fillna(looked_at["account_id"])
    return looked_at.assign(subject=subject)[["date", "subject"]].drop_duplicates()


def operations_of(
    known: pd.DataFrame, sent: pd.DataFrame, members: pd.DataFrame, cases: pd.DataFrame
) -> list[Operation]:
    """Operations that sent a request, in order of their names.

    Args:
        known: account_id, class, campaign, tactic of the truth.
        sent: date, account_id, campaign, requests, work_requests of the truth.
        members: date, campaign_id, account_id of the lake.
        cases: date, subject.
    """
    guilty = known[known["class"].isin(("distillation", "resale"))]
    named = members.merge(guilty[["account_id", "campaign"]], on="account_id")
    counts = named.groupby(["campaign", "date", "campaign_id"]).size().rename("n").reset_index()
    counts = counts.sort_values(["campaign", "date", "n", "campaign_id"],
                                ascending=[True, True, False, True])  # fmt: skip
    most = counts.drop_duplicates(["campaign", "date"])
    most = most.merge(_lively(guilty, sent, sorted(set(members["date"]))), on=["campaign", "date"])
    most = most[most["n"] > most["lively"] / 2]
    ready = most.merge(cases, left_on=["date", "campaign_id"], right_on=["date", "subject"])
    first_case = ready.groupby("campaign")["date"].min()
    made = []
    for name, of in guilty.groupby("campaign"):
        own = sent[sent["account_id"].isin(set(of["account_id"])) & (sent["requests"] > 0)]
        if own.empty:
            continue
        began, case = own["date"].min(), first_case.get(name)
        made.append(
            Operation(
                str(name), str(of["class"].iloc[0]), str(of["tactic"].iloc[0]),
                int(own["account_id"].nunique()), int(own["work_requests"].sum()), began, case,
                None if case is None else (case - began).days + 1,
            )
        )  # fmt: skip
    return made


def _lively(guilty: pd.DataFrame, sent: pd.DataFrame, nights: list[dt.date]) -> pd.DataFrame:
    """campaign, date, lively: accounts of each operation that sent in the scored window."""
    own = sent[sent["requests"] > 0][["date", "account_id"]].merge(
        guilty[["account_id", "campaign"]], on="account_id"
    )
    window = dt.timedelta(days=SCORING.window_days)
    rows = []
    for night in nights:
        of = own[(own["date"] <= night) & (own["date"] > night - window)]
        counts = of.groupby("campaign")["account_id"].nunique()
        rows.append(counts.rename("lively").reset_index().assign(date=night))
    return pd.concat(rows) if rows else pd.DataFrame(columns=["campaign", "date", "lively"])


def honest_subjects(
    known: pd.DataFrame, members: pd.DataFrame, cases: pd.DataFrame
) -> set[tuple[dt.date, str]]:
    """Cases (date, subject) of which at most half of the accounts are an operation's."""
    alone = cases.assign(account_id=cases["subject"], campaign_id=cases["subject"])
    every = pd.concat([members, alone[["date", "campaign_id", "account_id"]]])
    every = every.merge(known[["account_id", "class"]], on="account_id")
    every = every.assign(guilty=every["class"].isin(("distillation", "resale")))
    share = every.groupby(["date", "campaign_id"])["guilty"].mean()
    wanted = pd.MultiIndex.from_frame(cases[["date", "subject"]])
    return set(share[(share <= 0.5) & share.index.isin(wanted)].index)


def queue_of(
    cases: pd.DataFrame, honest: set[tuple[dt.date, str]], scored: dict[dt.date, int]
) -> list[Queue]:
    """One row a night, also for those without a case."""
    before: set[str] = set()
    made = []
    for night, accounts in sorted(scored.items()):
        waiting = set(cases.loc[cases["date"] == night, "subject"])
        strange = sum((night, subject) in honest for subject in waiting)
        made.append(Queue(night, len(waiting), len(waiting - before), strange, accounts))
        before = waiting
    return made


def met_by(known: pd.DataFrame, sent: pd.DataFrame, actions: pd.DataFrame) -> list[Met]:
    """By what was in force when it was sent: an account's last row of an earlier night, unless
    that had expired. Mildest first."""
    rows = actions.assign(at=pd.to_datetime(actions["date"])).sort_values("at")
    each = sent.merge(known[["account_id", "class"]], on="account_id")
    # A row of a night holds from the next day on.
    each = each.assign(at=pd.to_datetime(each["date"]) - pd.Timedelta(days=1)).sort_values("at")
    each["at"] = each["at"].astype(rows["at"].dtype)
    held = pd.merge_asof(each, rows.drop(columns="date"), on="at", by="account_id")
    in_force = pd.to_datetime(held["expires"]) >= pd.to_datetime(held["date"])
    held["rung"] = held["action"].where(in_force, None).fillna(NOTHING)
    held["wanted"] = held["proposed"].where(in_force, None).fillna(NOTHING)
    held["exchanges"] = held["work_requests"].where(held["class"] == "distillation", 0)
    held["honest"] = held["requests"].where(held["class"] == "benign", 0)
    sums = held.groupby(["rung", "wanted"])[["exchanges", "honest"]].sum().reset_index()
    all_exchanges = max(int(sums["exchanges"].sum()), 1)
    all_honest = max(int(sums["honest"].sum()), 1)
    order = [NOTHING, *LADDER]
    made = [
        Met(row.rung, row.wanted, int(row.exchanges), row.exchanges / all_exchanges,
            int(row.honest), row.honest / all_honest)
        for row in sums.itertuples()
    ]  # fmt: skip
    return sorted(made, key=lambda met: (order.index(met.rung), order.index(met.proposed)))
