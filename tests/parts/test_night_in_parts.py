"""A night that is worked through in parts leaves the tables that it leaves in one."""

from __future__ import annotations

import datetime as dt
import random
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from lake_compare import assert_same_tables

from jobs import features, rollup
from jobs.campaigns import evidence
from jobs.carriers import reading
from jobs.catalog.policy import CAMPAIGN_POLICY
from jobs.platform.lake import Lake
from jobs.platform.parts import Parts
from jobs.platform.sizing import GROUPED_REQUESTS
from jobs.platform.sizing import parts as parts_for
from tests.conftest import NIGHT

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


@pytest.fixture(scope="module")
def nights() -> list[dt.date]:
    return [NIGHT - dt.timedelta(days=9), NIGHT]


@pytest.fixture(scope="module", params=[True, False], ids=["templates", "no templates"])
def worked(
    request: pytest.FixtureRequest, new_lake: Callable[[], Lake], nights: list[dt.date], fill: Fill
) -> Lake:
    """The nights worked through in one, with templates and without: only read from."""
    return work(new_lake(), nights, fill, request.param)


def watched_parts(monkeypatch: pytest.MonkeyPatch, at_once: int) -> list[reading.Part]:
    """Parts of the window that are read from now on, of so many rows."""
    monkeypatch.setattr(reading, "COUNTED_ROWS", at_once)
    counted: list[reading.Part] = []
    one_read = reading.Window.read

    def watched(window: reading.Window, part: reading.Part) -> dict[str, reading.Rows]:
        counted.append(part)
        return one_read(window, part)

    monkeypatch.setattr(reading.Window, "read", watched)
    return counted


def test_parts_leave_the_tables_of_one(
    worked: Lake, lake: Lake, night: dt.date, nights: list[dt.date], fill: Fill,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert worked.count("account_features", night) == 12
    templates = worked.count("account_templates", night) > 0

    # 200 requests in three parts, the night's rows put in order in several, and the window's
    # counted in several.
    monkeypatch.setattr(rollup, "GROUPED_REQUESTS", 70)
    monkeypatch.setattr(rollup, "ORDERED_ROWS", 90)
    counted = watched_parts(monkeypatch, 50)
    read: list[int] = []
    one_read = Parts._read

    def watched(parts: Parts, *places: Place) -> DataFrame:
        read.append(len(places))
        return one_read(parts, *places)

    monkeypatch.setattr(Parts, "_read", watched)
    cut = work(lake, nights, fill, templates)
    assert_same_tables(worked.root, cut.root)
    # They did come in parts, yet in one commit a night, and nothing of the parts stays.
    assert sum(places > 2 for places in read) == (4 if templates else 2)
    assert {part.kinds for part in counted if part.bits} >= {("address",)}
    for name in ("account_indicators", "account_templates", "account_tokens", "account_features"):
        assert cut.version(name) == worked.version(name)
    assert not list((cut.settings.lake_root / "_staging").entries())


def test_evidence_gathered_in_parts_is_the_same(
    worked: Lake, night: dt.date, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evidence.gather(worked, night, CAMPAIGN_POLICY)
    counted = watched_parts(monkeypatch, 50)
    cut = evidence.gather(worked, night, CAMPAIGN_POLICY)
    assert {part.kinds for part in counted if part.bits} >= {("address",)}
    assert len(whole.token_kind) > 20
    for name in ("token_kind", "token_hash", "token_accounts", "variety"):
        assert (getattr(whole, name) == getattr(cut, name)).all(), name
    for name in ("carried", "prompts"):
        assert (getattr(whole, name) != getattr(cut, name)).nnz == 0, name
    assert (whole.prompts.nnz > 0) == (worked.count("account_templates", night) > 0)
    assert not list((worked.settings.lake_root / "_staging").entries())


def numbers(lake: Lake, night: dt.date) -> pa.Table:
    """The night's rows of `account_tokens`, in an order of their own."""
    key = [(column, "ascending") for column in ("kind", "token", "account")]
    return lake.rows("account_tokens", night, night).sort_by(key)


def test_nights_of_before_the_table_get_their_numbers(
    worked: Lake, lake: Lake, night: dt.date, nights: list[dt.date], fill: Fill
) -> None:
    shutil.copytree(worked.root, lake.root)
    outside = night - dt.timedelta(days=40)
    fill(lake, "requests", outside, world(outside, True))
    rollup.run(lake, outside)
    written = {date: numbers(lake, date) for date in (outside, *nights)}
    assert all(rows.num_rows for rows in written.values())
    shutil.rmtree(lake.path("account_tokens"))
    later = Lake(lake.settings, lake.session)
    rollup.run(later, night)
    for date in nights:
        assert numbers(later, date) == written[date]
    assert later.nights("account_tokens") == nights, "of a night outside every window"


def test_parts_follow_from_rows() -> None:
    assert parts_for(0, GROUPED_REQUESTS, "sail") == 1
    assert parts_for(GROUPED_REQUESTS, GROUPED_REQUESTS, "sail") == 1
    assert parts_for(GROUPED_REQUESTS + 1, GROUPED_REQUESTS, "sail") == 2
    # A cluster's pieces wait and spill by themselves.
    assert parts_for(10**12, GROUPED_REQUESTS, "spark") == 1
