"""What a shadow policy or model would have done, beside what was done: `jobs.trials.shadowed`, as
a page shows it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from desk.reading.store import Part, Store
from jobs.catalog.enforcement import LADDER
from jobs.platform.lake import Lake
from jobs.trials.shadowed import Comparison, compared, shadow_nights

#: What stands for an account that one side did not touch: it has no action, or is only watched.
NONE = "none"
STEPS = (NONE, *LADDER[1:])
NIGHTS, MOST = 14, 50
READ = ("shadow_nights", "shadow_actions", "shadow_scores", "enforcement_actions", "account_scores",
        "account_daily", "accounts", "decisions", "labels")  # fmt: skip


@dataclass(frozen=True)
class Differing:
    """Accounts of a campaign, or outside any, that the two treat differently in one way."""

    campaign_id: str | None
    done: str
    shadow: str
    accounts: int
    example: str


@dataclass(frozen=True)
class Beside:
    """The nights from `first` to `last`.

    found: None where no night has a shadow. faults: nights on which it could not be made, and why,
    latest first. moved: accounts by the hardest action done and by the shadow's. scored,
    scores_apart: accounts that both models scored on the last of these nights, and how far their
    scores lie apart in the mean; None without a model of the shadow's own.
    """

    first: dt.date
    last: dt.date
    found: Comparison | None
    faults: tuple[tuple[dt.date, str], ...]
    moved: dict[tuple[str, str], int]
    differing: tuple[Differing, ...]
    scored: int = 0
    scores_apart: float | None = None


def beside(lake: Lake, store: Store, night: dt.date) -> Beside:
    """The last NIGHTS nights up to this one."""
    first = night - dt.timedelta(days=NIGHTS - 1)
    rows = shadow_nights(lake, first, night)
    faults = tuple((row["date"], row["fault"]) for row in reversed(rows) if row["fault"])
    made = [row["date"] for row in rows if not row["fault"]]
    if not made:
        return Beside(first, night, None, faults, {}, ())
    found = compared(lake, first, night)
    groups = _groups(found)
    moved: dict[tuple[str, str], int] = {}
    for group in groups:
        way = (group.done, group.shadow)
        moved[way] = moved.get(way, 0) + group.accounts
    (scores,) = store.rows(
        "select count(*) as scored, avg(abs(s.distillation_score - d.distillation_score)) as apart "
        "from shadow_scored s join scored d using (account_id)",
        {"shadow_scored": Part("shadow_scores", ("account_id", "distillation_score"), made[-1],
                               made[-1]),
         "scored": Part("account_scores", ("account_id", "distillation_score"), made[-1],
                        made[-1])},
    )  # fmt: skip
    return Beside(
        first, night, found, faults, moved,
        tuple(group for group in groups if group.done != group.shadow)[:MOST],
        scores["scored"], scores["apart"],
    )  # fmt: skip


def _groups(found: Comparison) -> list[Differing]:
    """Touched accounts by campaign and by what each side did, the most accounts first."""
    names = ["account_id", "action", "campaign_id"]
    each = found.done.touched.select(names).join(
        found.shadow.touched.select(names), "account_id", join_type="full outer",
        left_suffix="_done", right_suffix="_shadow",
    )  # fmt: skip
    rows = pa.table({
        "account_id": each["account_id"],
        "campaign_id": pc.coalesce(each["campaign_id_done"], each["campaign_id_shadow"]),
        "done": pc.fill_null(each["action_done"], NONE),
        "shadow": pc.fill_null(each["action_shadow"], NONE),
    })  # fmt: skip
    made = rows.group_by(["campaign_id", "done", "shadow"]).aggregate([
        ("account_id", "count"), ("account_id", "min"),
    ])  # fmt: skip
    made = made.sort_by([("account_id_count", "descending"), ("account_id_min", "ascending")])
    return [
        Differing(row["campaign_id"], row["done"], row["shadow"], row["account_id_count"],
                  row["account_id_min"])
        for row in made.to_pylist()
    ]  # fmt: skip
