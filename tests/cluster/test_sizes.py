"""Pieces of work follow from the day's bytes on a cluster, and from the cores on one machine."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jobs.catalog.tables import TABLES
from jobs.platform import direct, sizing
from jobs.platform.direct import nights_by_name
from jobs.platform.lake import files_of
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


@pytest.mark.parametrize(("gib", "heap"), [(4, "2g"), (24, "6g"), (64, "16g"), (512, "31g")])
def test_sparks_heap_follows_from_the_machine(monkeypatch, gib, heap) -> None:
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": gib * GIB // 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    monkeypatch.setattr(sizing, "group_limits", list)
    assert _spark_options(submitted=False)["spark.driver.memory"] == heap
    assert "spark.driver.memory" not in _spark_options(submitted=True)


def test_a_container_has_the_memory_of_its_control_group(tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"

    def limited(line: str, limits: dict[str, str]) -> list[int]:
        groups.write_text(f"3:cpu:/elsewhere\n{line}\n")
        for name, limit in limits.items():
            at = tmp_path / "sys" / name
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(limit + "\n")
        return sorted(sizing.group_limits(groups, tmp_path / "sys"))

    # Version 2: a pod's limit, and a container's own below it.
    assert limited("0::/pod/box", {"pod/memory.max": "900", "pod/box/memory.max": "max"}) == [900]
    assert limited("0::/pod/box", {"pod/box/memory.max": "700"}) == [700, 900]
    # Version 1, seen from inside: the path is the host's, the root is the container's own.
    assert limited("4:memory:/docker/3f", {"memory/memory.limit_in_bytes": "800"}) == [800]
    assert list(sizing.group_limits(tmp_path / "not there", tmp_path / "sys")) == []


def test_parts_are_smaller_where_there_is_less_memory(monkeypatch) -> None:
    def on(gib: int) -> list[int]:
        monkeypatch.setattr(sizing, "memory_bytes", lambda: gib * GIB)
        return [sizing.parts(rows, 4_000_000, "sail") for rows in (900_000, 4_000_000, 40_000_000)]

    assert on(256) == on(16) == [1, 1, 10]
    assert on(4) == [1, 4, 40]
    assert sizing.parts(10**12, 4_000_000, "spark") == 1


class Reader:
    """In the place of Spark's session and its reader: what it was asked to read."""

    read: Reader

    def __init__(self) -> None:
        self.read = self

    def schema(self, _: str) -> Reader:
        return self

    def option(self, _: str, __: str) -> Reader:
        return self

    def parquet(self, *files: str) -> tuple[str, ...]:
        return files


def by_name(lake, first: dt.date | None, last: dt.date | None, path: str | None = None) -> Any:
    table, here = TABLES["labels"], lake.path("labels")
    files = files_of(lake.table("labels"), first, last)["path"].to_pylist()
    return nights_by_name(Reader(), table, path or here, files)


def test_spark_is_given_the_files_of_the_nights_asked_for(bare_lake, fill, monkeypatch) -> None:
    nights = [dt.date(2026, 5, day) for day in (1, 2, 3)]
    for night in nights:
        for _ in range(2):  # what the first run wrote is not there any more
            fill(bare_lake, "labels", night, [{"account_id": "a1"}])
    named = {night: by_name(bare_lake, night, night) for night in nights}
    for night, (file,) in named.items():
        assert f"/date={night}/" in file and pq.read_metadata(file).num_rows == 1
    assert set(by_name(bare_lake, nights[1], None)) == {*named[nights[1]], *named[nights[2]]}
    assert set(by_name(bare_lake, None, nights[0])) == set(named[nights[0]])
    # Delta reads what is far away, and what has more files than are looked at one by one.
    assert by_name(bare_lake, None, None, "s3://bucket/lake/labels") is None
    monkeypatch.setattr(direct, "MOST_FILES", 2)
    assert by_name(bare_lake, None, None) is None
    assert len(by_name(bare_lake, nights[0], nights[1])) == 2
