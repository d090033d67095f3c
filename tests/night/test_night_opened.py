"""What holds while a lake is open, and no longer."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from jobs.night import GARBAGE_AFTER, open_lake
from jobs.platform.settings import Settings


def test_garbage_is_looked_for_less_often_until_the_night_ends(tmp_path: Path) -> None:
    before = gc.get_threshold()
    with pytest.raises(KeyError), open_lake(Settings(lake=str(tmp_path / "lake"))):
        assert gc.get_threshold() == GARBAGE_AFTER != before
        raise KeyError
    assert gc.get_threshold() == before
