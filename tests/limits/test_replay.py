"""The replay of a world past limits, on requests that can be counted by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from jobs.catalog.limit_tables import REQUEST_LIMITS, TOKEN_LIMITS
from jobs.catalog.sketch import MARKERS
from jobs.lab.rate_limits import Traffic, judged, refused, refused_by_fixed

NIGHT = dt.date(2026, 5, 20)
NEXT = NIGHT + dt.timedelta(days=1)
CODE = 1 << next(marker.bit for marker in MARKERS if marker.name == "code")
NO_BUDGETS = pd.DataFrame(
    columns=["date", "campaign_id", "requests_a_day", "tokens_a_day", "counted_by"]
)


def requests(*times: str, account: str = "a", **columns: Any) -> pd.DataFrame:
    rows = pd.DataFrame({"at": pd.to_datetime([f"{NEXT} {t}" for t in times], utc=True)})
    plain = {"account_id": account, "day": NEXT, "tokens": 100, "markers": 0,
             "class": "distillation", "work": 1.0}  # fmt: skip
    return rows.assign(**plain | columns)


def limit(account: str = "a", **columns: Any) -> pd.DataFrame:
    amounts = dict.fromkeys((*REQUEST_LIMITS, *TOKEN_LIMITS), 1_000_000)
    return pd.DataFrame([{"date": NIGHT, "account_id": account, "capability": "all", "step": 1,
                          "campaign_id": "c", **amounts, **columns}])  # fmt: skip


def test_windows_are_fixed_and_refused_requests_count() -> None:
    rows = requests("09:00:10", "09:00:20", "09:00:50", "09:01:00", "09:59:00", "10:00:00")
    over = refused(rows, limit(requests_a_minute=2, requests_an_hour=4), NO_BUDGETS)
    assert over.tolist() == [False, False, True, False, True, False]


def test_limits_hold_on_the_day_after_their_night_alone() -> None:
    rows = pd.concat([requests("09:00", "09:01", day=NIGHT), requests("09:00", "09:01")])
    over = refused(rows.reset_index(drop=True), limit(requests_a_day=1), NO_BUDGETS)
    assert over.tolist() == [False, False, False, True]


def test_tokens_of_refused_requests_are_not_spent() -> None:
    rows = requests("09:00:00", "09:00:10", "09:01:00", "09:02:00", "09:03:00")
    over = refused(rows, limit(requests_a_minute=1, tokens_a_day=300), NO_BUDGETS)
    assert over.tolist() == [False, True, False, False, True]


def test_a_limit_on_a_capability_meets_only_what_asks_for_it() -> None:
    rows = requests("09:00", "09:01", "09:02", markers=[CODE, 0, CODE])
    over = refused(rows, limit(capability="code", requests_a_day=1), NO_BUDGETS)
    assert over.tolist() == [False, False, True]


def test_a_budget_that_the_gateway_counts_is_shared_by_time() -> None:
    rows = pd.concat([requests("09:00", "11:00"), requests("10:00", account="b")])
    both = pd.concat([limit("a"), limit("b")])
    budget = pd.DataFrame([{"date": NIGHT, "campaign_id": "c", "requests_a_day": 2,
                            "tokens_a_day": 10**6, "counted_by": "gateway"}])  # fmt: skip
    rows = rows.reset_index(drop=True)
    assert refused(rows, both, budget).tolist() == [False, True, False]
    assert not refused(rows, both, budget.assign(counted_by="shares")).any()


def test_figures_are_of_work_and_of_honest_requests() -> None:
    guilty = requests("09:00", "09:01", "09:02", "09:03", work=0.5)
    honest = requests("09:00", "09:01", account="h", **{"class": "benign", "work": 0.0})
    other = requests("09:00", account="free", **{"class": "distillation"})
    rows = pd.concat([guilty, honest, other]).reset_index(drop=True)
    both = pd.concat([limit("a"), limit("h")])
    over = refused_by_fixed(rows, both, 1)
    figures = judged(Traffic(rows, NEXT), over, both)
    assert (figures["work"], figures["work_in_force"], figures["prevented"]) == (3.0, 2.0, 1.5)
    assert (figures["honest"], figures["honest_refused"]) == (2, 1)
