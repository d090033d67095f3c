"""The step on hand-made nights, on the engine: what it writes, and that it writes it again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.campaigns import run
from jobs.catalog.landing import LABELS
from jobs.platform.lake import Lake
from tests.campaigns.conftest import read, spread

FIRST = dt.date(2026, 5, 26)
Fill = Callable[..., int]

OPERATION = """
    a1..a8 | template | shard      # one work list,
    a1..a8 | client   | builtbyus  # one program that nobody else has,
    a1..a8 | payment  | card       # one purse
    f1..f3 | payment  | mother     # a family: one card and nothing else
    f1..f3 | phone    | mother
    n1..n9 | address  | gateway    # customers of one carrier
    n1..n9 | network  | gateway
    e1..e6 | payment  | invoice    # a firm's sub-accounts: one invoice, office and job
    e1..e6 | address  | office
    e1..e6 | template | job
"""
FROM_RECORD = {"payment": "payment_token", "phone": "phone_token"}


def night(lake: Lake, fill: Fill, date: dt.date, text: str = OPERATION,
          gone: str = "") -> None:  # fmt: skip
    """One night of rollups and accounts: what the text says, among 300 strangers."""
    tokens = read(text)
    tokens |= {f"z{i:03d}": {} for i in range(300)}
    absent = set(spread(gone)) if gone else set()
    indicators: list[dict[str, Any]] = []
    templates: list[dict[str, Any]] = []
    accounts: list[dict[str, Any]] = []
    daily: list[dict[str, Any]] = []
    at = dt.datetime.combine(date, dt.time(12), dt.UTC)
    for number, (account, of) in enumerate(sorted(tokens.items())):
        record = {
            "account_id": account, "plan": "pay_as_you_go", "created_at": at,
            "status": "suspended" if account in absent else "active",
            "payment_token": f"own {account}", "phone_token": f"own {account}",
        }  # fmt: skip
        if account.startswith("e"):
            record |= {"organization_id": "firm", "verified_organization": True}
        record |= {FROM_RECORD[kind]: t[0] for kind, t in of.items() if kind in FROM_RECORD}
        accounts.append(record)
        if account in absent:
            continue
        work = account.startswith("a")
        daily.append({
            "account_id": account, "requests": 26 if work else 3 + number % 40,
            "output_tokens": 26_000 if work else 300, "prompts_known": 3, "turns_known": 3,
            "later_turns": 0 if work else 2, "asks_reasoning": 3 if work else 0,
            f"hour_{number % 24:02d}": 26, "first_event": at, "last_event": at,
        })  # fmt: skip
        for kind in ("client", "address", "network"):
            for token in of.get(kind, [f"own {account}"]):
                indicators.append({"account_id": account, "kind": kind, "token": token,
                                   "requests": 26})  # fmt: skip
        for token in of.get("template", [f"own {account}"]):
            templates.append({"account_id": account, "template_key": token, "requests": 26,
                              "prompts": 26})  # fmt: skip
    fill(lake, "accounts", date, accounts)
    fill(lake, "account_daily", date, daily)
    fill(lake, "account_indicators", date, indicators)
    fill(lake, "account_templates", date, templates)


def written(lake: Lake, date: dt.date) -> dict[str, list[dict[str, Any]]]:
    return {
        name: lake.rows(name, date, date).to_pylist()
        for name in ("account_links", "campaigns", "campaign_members", "campaign_events")
    }


def named(lake: Lake, date: dt.date) -> dict[str, set[str]]:
    """Members of each campaign of one night."""
    out: dict[str, set[str]] = {}
    for row in written(lake, date)["campaign_members"]:
        out.setdefault(row["campaign_id"], set()).add(row["account_id"])
    return out


@pytest.fixture(scope="module")
def first_written(new_lake: Callable[[], Lake], fill: Fill) -> Path:
    lake = new_lake()
    night(lake, fill, FIRST)
    run(lake, FIRST)
    return Path(lake.settings.lake)


@pytest.fixture
def worked(copy_of: Callable[[Path], Lake], first_written: Path) -> Lake:
    """A lake of the first night, the step done; of the test's own."""
    return copy_of(first_written)


def test_the_operation_and_the_firm_are_groups_and_nobody_else(worked: Lake) -> None:
    kinds = {row["campaign_id"]: row for row in written(worked, FIRST)["campaigns"]}
    found = {
        (kinds[name]["kind"], tuple(sorted(members)))
        for name, members in named(worked, FIRST).items()
    }
    assert found == {
        ("distillation", tuple(spread("a1..a8"))),
        ("benign_group", tuple(spread("e1..e6"))),
    }
    (operation,) = [row for row in kinds.values() if row["kind"] == "distillation"]
    assert operation["score"] > 0.5 and operation["requests"] == 8 * 26
    assert {"content", "identity"} <= set(operation["evidence"])
    assert (
        "8 of 8 accounts share 1 payment instrument that hardly anyone else has"
        in (operation["reasons"])
    )
    assert operation["summary"].startswith("8 accounts bound by")


def test_running_a_night_again_writes_the_same_rows(worked: Lake) -> None:
    once = written(worked, FIRST)
    run(worked, FIRST)
    assert written(worked, FIRST) == once


def test_the_name_outlives_bans_and_replacements(worked: Lake, fill: Fill) -> None:
    (before,) = [n for n, members in named(worked, FIRST).items() if "a01" in members]
    second = FIRST + dt.timedelta(days=1)
    night(worked, fill, second, OPERATION.replace("a1..a8", "a1..a12"), gone="a1..a6")
    run(worked, second)
    (after,) = [n for n, members in named(worked, second).items() if "a12" in members]
    assert after == before
    joined = {r["account_id"]: r["joined"] for r in written(worked, second)["campaign_members"]}
    assert joined["a07"] == FIRST and joined["a12"] == second


@pytest.mark.parametrize("label", LABELS.column("label").values)
def test_labels_known_by_the_night_move_the_score(worked: Lake, fill: Fill, label: str) -> None:
    scores = {r["kind"]: r["score"] for r in written(worked, FIRST)["campaigns"]}
    at = dt.datetime.combine(FIRST, dt.time(9), dt.UTC)
    fill(worked, "labels", FIRST, [
        {"account_id": a, "label": label, "labelled_at": at, "source": "analyst"}
        for a in spread("a1..a8")
    ])  # fmt: skip
    run(worked, FIRST)
    (row,) = [r for r in written(worked, FIRST)["campaigns"] if r["accounts"] == 8]
    if label == "distillation":
        assert row["score"] > scores["distillation"] and row["kind"] == "distillation"
    else:
        assert row["score"] < scores["distillation"]


def test_a_label_of_a_later_night_is_not_known(worked: Lake, fill: Fill) -> None:
    once = written(worked, FIRST)
    later = FIRST + dt.timedelta(days=1)
    fill(worked, "labels", later, [
        {"account_id": "a01", "label": "benign", "source": "analyst",
         "labelled_at": dt.datetime.combine(FIRST, dt.time(9), dt.UTC)}
    ])  # fmt: skip
    run(worked, FIRST)
    assert written(worked, FIRST) == once


def test_a_night_without_traffic_has_no_campaigns(lake: Lake) -> None:
    run(lake, FIRST)
    assert all(not rows for rows in written(lake, FIRST).values())
