"""A night that is worked through in parts leaves the tables that it leaves in one."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lake_compare import assert_same_tables

from jobs import features, rollup
from jobs.campaigns import evidence
from jobs.catalog.policy import CAMPAIGN_POLICY
from jobs.platform.lake import Lake
from jobs.platform.parts import Parts
from jobs.platform.settings import Settings
from jobs.platform.sizing import GROUPED_ROWS, MOST_PARTS
from jobs.platform.sizing import parts as parts_for

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.platform.storage import Place

Fill = Callable[..., int]


def world(night: dt.date, templates: bool) -> list[dict[str, Any]]:
    """Accounts that share tokens and templates with some, all or none of the others."""
    rng = random.Random(3)
    return [
        {
            "account_id": f"account {rng.randrange(12)}",
            "event_time": dt.datetime.combine(night, dt.time(rng.randrange(24)), dt.UTC),
            "address_token": rng.choice(
                ["everybody's", *(f"ip {rng.randrange(40)}" for _ in "ab")]
            ),
            "user_agent_token": f"agent {rng.randrange(5)}",
            "prompt_key": f"prompt {rng.randrange(60)}",
            "template_key": f"template {rng.randrange(25)}" if templates else None,
            "output_tokens": rng.randrange(50),
            "prompt_markers": rng.randrange(8),
        }
        for _ in range(200)
    ]


def work(lake: Lake, nights: list[dt.date], fill: Fill, templates: bool) -> Lake:
    for night in nights:
        fill(lake, "requests", night, world(night, templates))
        rollup.run(lake, night)
    fill(lake, "accounts", nights[-1], [{"account_id": f"account {n}"} for n in range(12)])
    features.run(lake, nights[-1])
    return lake


@pytest.mark.parametrize("templates", [True, False])
def test_parts_leave_the_tables_of_one(
    lake: Lake, tmp_path: Path, night: dt.date, fill: Fill, monkeypatch: pytest.MonkeyPatch,
    templates: bool,
) -> None:  # fmt: skip
    nights = [night - dt.timedelta(days=9), night]
    whole = work(lake, nights, fill, templates)
    assert whole.count("account_features", night) == 12
    assert (whole.count("account_templates", night) > 0) == templates

    # 200 requests in three parts, and three or more of the window's rows.
    monkeypatch.setattr(rollup, "GROUPED_REQUESTS", 70)
    monkeypatch.setattr(features, "GROUPED_ROWS", 120)
    read: list[int] = []
    one_read = Parts._read

    def watched(parts: Parts, *places: Place) -> DataFrame:
        read.append(len(places))
        return one_read(parts, *places)

    monkeypatch.setattr(Parts, "_read", watched)
    cut = work(Lake(Settings(lake=str(tmp_path / "cut")), lake.session), nights, fill, templates)
    assert_same_tables(whole.root, cut.root)
    # They did come in parts, yet in one commit a night, and nothing of the parts stays.
    assert sum(places > 2 for places in read) == (6 if templates else 3)
    for name in ("account_indicators", "account_templates", "account_features"):
        assert cut.version(name) == whole.version(name)
    assert not list((cut.settings.lake_root / "_staging").entries())


@pytest.mark.parametrize("templates", [True, False])
def test_evidence_gathered_in_parts_is_the_same(
    lake: Lake, night: dt.date, fill: Fill, monkeypatch: pytest.MonkeyPatch, templates: bool
) -> None:
    nights = [night - dt.timedelta(days=9), night]
    work(lake, nights, fill, templates)
    whole = evidence.gather(lake, night, CAMPAIGN_POLICY)
    monkeypatch.setattr(evidence, "GROUPED_ROWS", 90)
    cut = evidence.gather(lake, night, CAMPAIGN_POLICY)
    assert len(whole.token_kind) > 20
    for name in ("token_kind", "token_hash", "token_accounts", "variety"):
        assert (getattr(whole, name) == getattr(cut, name)).all(), name
    for name in ("carried", "prompts"):
        assert (getattr(whole, name) != getattr(cut, name)).nnz == 0, name
    assert (whole.prompts.nnz > 0) == templates
    assert not list((lake.settings.lake_root / "_staging").entries())


def test_parts_follow_from_rows() -> None:
    assert parts_for(0, GROUPED_ROWS, "sail") == 1
    assert parts_for(GROUPED_ROWS, GROUPED_ROWS, "sail") == 1
    assert parts_for(GROUPED_ROWS + 1, GROUPED_ROWS, "sail") == 2
    assert parts_for(10**12, GROUPED_ROWS, "sail") == MOST_PARTS
    # A cluster's pieces wait and spill by themselves.
    assert parts_for(10**12, GROUPED_ROWS, "spark") == 1
