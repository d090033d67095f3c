"""The lake of the good night, written once and copied for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from nights import good_night, write

from jobs.platform.lake import Lake


@pytest.fixture(scope="session")
def good_written(new_lake: Callable[[], Lake], fill: Callable[..., int]) -> Path:
    lake = new_lake()
    write(lake, fill, good_night())
    return Path(lake.settings.lake)


@pytest.fixture
def good(copy_of: Callable[[Path], Lake], good_written: Path) -> Lake:
    """A lake with `good_night`, of the test's own."""
    return copy_of(good_written)
