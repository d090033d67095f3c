"""Nights on real material: what is found of two operations that harvest real training sets, and
what is done to people, classrooms, support bots and production clients with real rhythm.

The figures are printed (`pytest -s tests/real`). Bounds stand well below what was reached when they
were written: they say what must not be lost, not how good it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from real_days import CLASS, OPERATIONS, ROLE_PLAY, TOOL_USE, RealDays, build

NIGHTS = 4
LEAST_REQUESTS = 90_000
ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("STILLWATCH_DATA") or ROOT.parent / "shared" / "data")
KEY_HEX = "3d" * 32
HONEST = ("human", "classroom", "support_bot", "production")
ABOVE_WATCH = ("limit", "challenge", "review", "suspend")

pytestmark = [
    pytest.mark.skipif(
        not (DATA / "prompts").is_dir() or not (DATA / "traffic").is_dir(),
        reason="no real data: there is none beside the project, and STILLWATCH_DATA names none",
    ),
    pytest.mark.timeout(900),
]


class Found:
    """The lake after the nights, by kind of account."""

    def __init__(self, days: RealDays, lake: Path) -> None:
        self.days, self.lake, self.last = days, lake, days.dates[-1]

    def rows(self, table: str, nights: list[Any] | None = None) -> list[dict[str, Any]]:
        rows = DeltaTable(self.lake / table).to_pyarrow_table().to_pylist()
        return [row for row in rows if row["date"] in (nights or [self.last])]

    def kind(self, row: dict[str, Any]) -> str:
        return self.days.kinds[row["account_id"]]

    def active(self, kind: str) -> int:
        """Accounts of a kind that were seen at all."""
        seen = {r["account_id"] for r in self.rows("account_daily", self.days.dates)}
        return sum(self.days.kinds[account] == kind for account in seen)

    def largest_campaign(self, kind: str) -> tuple[str, int, int]:
        """The campaign with most accounts of a kind: its name, those accounts, and others."""
        members = self.rows("campaign_members")
        of_kind = Counter(r["campaign_id"] for r in members if self.kind(r) == kind)
        name, count = of_kind.most_common(1)[0]
        return name, count, sum(r["campaign_id"] == name for r in members) - count

    def acted_on(self, kind: str, actions: tuple[str, ...] = ABOVE_WATCH) -> int:
        """Accounts of a kind that any night took one of the actions against."""
        rows = self.rows("enforcement_actions", self.days.dates)
        return len({r["account_id"] for r in rows if self.kind(r) == kind
                    and r["action"] in actions})  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("real")
    days = build(DATA, folder / "landing", NIGHTS, seed=5)
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "night", "--landing", str(days.landing), "--lake",
         str(folder / "lake"), "--from", str(days.dates[0]), "--to", str(days.dates[-1])],
        env={**os.environ, "STILLWATCH_TOKEN_KEY": KEY_HEX}, cwd=ROOT,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = Found(days, folder / "lake")
    _show(found)
    return found


def _show(found: Found) -> None:
    print(f"\n{found.days.requests:,} requests on {NIGHTS} days")  # noqa: T201
    for kind in (*OPERATIONS, *HONEST):
        members = [r for r in found.rows("campaign_members") if found.kind(r) == kind]
        scores = [r["distillation_score"] for r in found.rows("account_scores")
                  if found.kind(r) == kind]  # fmt: skip
        print(  # noqa: T201
            f"{kind}: {found.active(kind)} accounts seen, {len(members)} in campaigns "
            f"{Counter(r['campaign_id'] for r in members).most_common(2)}, mean score "
            f"{sum(scores) / max(len(scores), 1):.3f}, highest {max(scores, default=0):.3f}, "
            f"watched {found.acted_on(kind, ('watch',))}, above watch {found.acted_on(kind)}"
        )
    for row in found.rows("campaigns"):
        print(row["campaign_id"], row["kind"], row["summary"])  # noqa: T201


def test_every_request_landed_and_was_kept(found: Found) -> None:
    assert found.days.requests >= LEAST_REQUESTS
    files = found.rows("landing_files", found.days.dates)
    of_requests = [f for f in files if f["source"] == "requests"]
    assert sum(f["landed"] for f in of_requests) == found.days.requests
    assert sum(f["kept"] for f in of_requests) == found.days.requests
    assert {f["format"] for f in of_requests} == {"parquet", "jsonl", "jsonl.gz"}


def test_one_campaign_holds_the_tool_use_operation(found: Found) -> None:
    """A work list of 44 preambles: its accounts hang together by what they ask."""
    name, accounts, strangers = found.largest_campaign(TOOL_USE)
    assert accounts >= 0.9 * found.active(TOOL_USE)
    assert strangers == 0
    (campaign,) = (c for c in found.rows("campaigns") if c["campaign_id"] == name)
    assert campaign["kind"] == "distillation"
    assert "content" in campaign["evidence"] and len(campaign["evidence"]) >= 2
    assert campaign["first_seen"] <= found.days.dates[1]


def test_the_tool_use_operation_is_acted_on_with_evidence(found: Found) -> None:
    assert found.acted_on(TOOL_USE) >= 0.8 * OPERATIONS[TOOL_USE]
    for row in found.rows("enforcement_actions"):
        if found.kind(row) == TOOL_USE and row["action"] in ABOVE_WATCH:
            assert len(row["evidence"]) >= 2 and row["reasons"]


def test_campaigns_hold_the_role_play_operation_together(found: Found) -> None:
    """Hardly two prompts alike: only the exits, the program and the hours are shared."""
    _, accounts, strangers = found.largest_campaign(ROLE_PLAY)
    assert accounts >= 0.5 * found.active(ROLE_PLAY)
    assert strangers <= 0.1 * accounts


def test_honest_accounts_are_left_alone(found: Found) -> None:
    honest = sum(found.active(kind) for kind in HONEST)
    assert honest > 1_200
    assert found.active("classroom") == CLASS
    assert sum(found.acted_on(kind) for kind in HONEST) <= 0.005 * honest
    for kind in ("human", "classroom", "support_bot"):
        assert found.acted_on(kind) == 0, kind
    assert sum(found.acted_on(kind, ("watch",)) for kind in HONEST) <= 0.02 * honest


def test_no_campaign_of_the_innocent_is_called_distillation(found: Found) -> None:
    guilty = {c["campaign_id"] for c in found.rows("campaigns") if c["kind"] == "distillation"}
    wrong = [r for r in found.rows("campaign_members")
             if r["campaign_id"] in guilty and found.kind(r) in HONEST]  # fmt: skip
    assert wrong == []
