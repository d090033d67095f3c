"""Writing a night through Sail: what it does differently from Spark, unsaid, can't happen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from write_scenarios import SCENARIOS

from jobs.catalog.tables import TABLES
from jobs.platform.lake import Lake


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_on_sail(scenario: Callable[[Lake], None], lake: Lake) -> None:
    scenario(lake)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", TABLES)
def test_sail_writes_every_table_within_seconds(
    name: str, lake: Lake, fill: Callable[..., int], night: dt.date
) -> None:
    # Planning a write once took a time that doubled with each constraint and NOT NULL column.
    fill(lake, name, night, [{}])
    assert lake.write_night(name, night, lake.night(name, night)) == 1
