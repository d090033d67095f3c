"""What reaches the desk of a finished simulated lake, against the world's truth by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.lab.desk import judge_desk
from jobs.platform.errors import StillwatchError
from jobs.platform.lake import Lake

NIGHTS = [dt.date(2026, 5, day) for day in (1, 2, 3)]
Fill = Callable[..., int]


def a_world(lake: Lake, fill: Fill, truth: Path) -> None:
    """An operation of o1 to o3 that asks 10 times a day and is a case from the third night; on
    the second only o1 is in it. h1 is honest and a case on the second night."""
    truth.mkdir()
    ids = ["o1", "o2", "o3", "h1"]
    guilty = [True, True, True, False]
    pq.write_table(pa.table({
        "account_id": ids, "class": ["distillation" if g else "benign" for g in guilty],
        "campaign": ["op" if g else None for g in guilty],
        "tactic": ["farm" if g else None for g in guilty],
    }), truth / "accounts.parquet")  # fmt: skip
    pq.write_table(pa.table({
        "date": pa.array([n for n in NIGHTS for _ in ids], pa.date32()),
        "account_id": ids * 3, "requests": [10] * 12,
        "work_requests": [10 if g else 0 for g in guilty] * 3,
    }), truth / "exchanges.parquet")  # fmt: skip
    in_campaign = {NIGHTS[0]: [], NIGHTS[1]: ["o1"], NIGHTS[2]: ["o1", "o2"]}
    for night in NIGHTS:
        fill(lake, "account_scores", night, [{"account_id": a} for a in ids])
        fill(lake, "campaign_members", night, [
            {"account_id": a, "campaign_id": "c-1"} for a in in_campaign[night]
        ])  # fmt: skip
    fill(lake, "cases", NIGHTS[1], [{"subject": "c-1"}, {"subject": "h1"}])
    fill(lake, "cases", NIGHTS[2], [{"subject": "c-1"}])
    fill(lake, "enforcement_actions", NIGHTS[0], [
        {"account_id": "o1", "action": "limit", "expires": NIGHTS[1]},
    ])  # fmt: skip
    fill(lake, "enforcement_actions", NIGHTS[1], [
        {"account_id": "o2", "action": "review", "proposed": "suspend", "expires": NIGHTS[2]},
        {"account_id": "h1", "action": "watch", "expires": NIGHTS[2]},
    ])  # fmt: skip


def test_a_case_is_ready_when_it_has_most_of_the_operation(
    bare_lake: Lake, fill: Fill, tmp_path: Path
) -> None:
    a_world(bare_lake, fill, tmp_path / "truth")
    made = judge_desk(bare_lake, tmp_path / "truth")
    (operation,) = made.operations
    assert (operation.case, operation.days, operation.exchanges) == (NIGHTS[2], 3, 90)
    assert (made.median_days, made.never) == (3.0, 0)


def test_the_queue_says_what_is_new_and_what_is_no_operation(
    bare_lake: Lake, fill: Fill, tmp_path: Path
) -> None:
    a_world(bare_lake, fill, tmp_path / "truth")
    queue = judge_desk(bare_lake, tmp_path / "truth").queue
    assert [(q.cases, q.new, q.honest, q.scored) for q in queue] == [
        (0, 0, 0, 4), (2, 2, 1, 4), (1, 0, 0, 4),
    ]  # fmt: skip
    assert queue[1].per_million == 500_000


def test_an_exchange_is_met_by_what_is_in_force_on_its_day(
    bare_lake: Lake, fill: Fill, tmp_path: Path
) -> None:
    a_world(bare_lake, fill, tmp_path / "truth")
    met = judge_desk(bare_lake, tmp_path / "truth").met
    # o1's limit of the first night holds on the second alone; o2's and h1's on the third.
    assert [(m.rung, m.proposed, m.exchanges, m.honest_requests) for m in met] == [
        ("nothing", "nothing", 70, 20), ("watch", "nothing", 0, 10),
        ("limit", "nothing", 10, 0), ("review", "suspend", 10, 0),
    ]  # fmt: skip


def test_without_a_truth_it_says_so_in_a_line(bare_lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match="no truth of a simulated world"):
        judge_desk(bare_lake, tmp_path)
