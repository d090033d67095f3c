"""What the terminal gets: short lists, and limits that can be read at 140 columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from io import StringIO

from rich.console import Console

from jobs.explaining.appeals import appeal_of
from jobs.explaining.explain import explain
from jobs.explaining.terminal import print_appeal, print_explained
from jobs.platform.lake import Lake

NIGHT = dt.date(2026, 5, 30)
Fill = Callable[..., int]


def limited(lake: Lake, fill: Fill) -> None:
    """a1 for 28 nights under review, with two limits on the last; a text of policy of 300 lines."""
    nights = [NIGHT - dt.timedelta(days=back) for back in range(28)]
    for at, night in enumerate(reversed(nights)):
        fill(lake, "account_scores", night, [{"account_id": "a1", "distillation_score": at / 100}])
        fill(lake, "enforcement_actions", night, [
            {"account_id": "a1", "action": ("limit", "review")[at % 2], "policy_version": "p-1",
             "expires": NIGHT}])  # fmt: skip
    fill(lake, "accounts", NIGHT, [{"account_id": "a1", "status": "active"}])
    fill(lake, "rate_limits", NIGHT, [
        {"account_id": "a1", "capability": name, "requests_a_minute": 3, "requests_an_hour": 5,
         "requests_a_day": day, "tokens_a_minute": 6_000, "tokens_an_hour": 10_000,
         "tokens_a_day": 20_000, "step": 4, "since": NIGHT, "expires": NIGHT, "mode": "observe",
         "reason": f"why {name}"}
        for name, day in (("all", 10), ("code", 4))])  # fmt: skip
    fill(lake, "policies", NIGHT, [{"version": "p-1", "text": "a line of it\n" * 300}])


def test_limits_are_a_table_of_few_columns(bare_lake: Lake, fill: Fill) -> None:
    limited(bare_lake, fill)
    out = StringIO()
    print_explained(Console(file=out, width=140), explain(bare_lake, "a1"))
    lines = [" ".join(line.replace("\u2502", " ").split()) for line in out.getvalue().splitlines()]
    assert "all 3 · 5 · 10 6,000 · 10,000 · 20,000 4 2026-05-30 2026-05-30 observe" in lines
    assert "code 3 · 5 · 4 6,000 · 10,000 · 20,000 4 2026-05-30 2026-05-30 observe" in lines
    assert "all: why all" in lines and "code: why code" in lines


def test_an_appeal_fits_on_a_few_screens(bare_lake: Lake, fill: Fill) -> None:
    limited(bare_lake, fill)
    out = StringIO()
    print_appeal(Console(file=out, width=140), appeal_of(bare_lake, "a1"))
    said = out.getvalue()
    assert "Statement of reasons for account a1" in said
    # The last ten nights, and the latest of 28 actions, each with how many more there are.
    assert "0.270" in said and "0.180" in said and "0.170" not in said
    assert "and 18 more; --json has all" in said
    assert "Decided by policy p-1; --json has its text" in said and "a line of it" not in said
    assert said.count("\n") < 150
