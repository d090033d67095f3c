"""Pieces of work follow from the day's bytes on a cluster, and from the cores on one machine."""

from __future__ import annotations

import datetime as dt
import os

import pytest

from jobs.platform import sizing
from jobs.platform.session import _spark_options

MIB, GIB = 2**20, 2**30


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.mark.parametrize(
    ("read", "pieces"),
    [(0, 2), (MIB, 2), (32 * MIB, 2), (GIB, 64), (100 * GIB, 6400), (1000 * GIB, 20_000)],
)
def test_a_shuffle_has_a_piece_for_each_64_mib_of_four_times_what_is_read(read, pieces) -> None:
    assert sizing.shuffle_pieces(read) == pieces


@pytest.mark.parametrize(
    ("engine", "units", "landed", "tasks"),
    [
        ("sail", 3, 100 * GIB, 3),
        ("sail", 5000, 100 * GIB, 4),  # all run at once, here
        ("spark", 5000, MIB, 4),  # many small files
        ("spark", 5000, 100 * GIB, 3200),
        ("spark", 1000, 100 * GIB, 1000),  # a packed file can't be cut
    ],
)
def test_files_are_read_in_tasks_of_32_mib_on_a_cluster(engine, units, landed, tasks) -> None:
    assert sizing.reading_tasks(units, landed, engine) == tasks


def test_pieces_are_joined_up_to_the_size_they_are_cut_for() -> None:
    for submitted in (False, True):
        options = _spark_options(submitted)
        assert options["spark.sql.adaptive.advisoryPartitionSizeInBytes"] == str(sizing.PIECE_BYTES)
        assert "spark.sql.shuffle.partitions" not in options


def test_stored_bytes_are_those_of_the_nights_asked_for(bare_lake, fill) -> None:
    first, second = dt.date(2026, 5, 1), dt.date(2026, 5, 2)
    assert bare_lake.stored_bytes("labels", first, second) == 0
    for night, accounts in ((first, 10), (second, 500)):
        fill(bare_lake, "labels", night, [{"account_id": f"a{n}"} for n in range(accounts)])
    small, large = (bare_lake.stored_bytes("labels", night, night) for night in (first, second))
    assert 0 < small < large
    assert bare_lake.stored_bytes("labels", first, second) == small + large
