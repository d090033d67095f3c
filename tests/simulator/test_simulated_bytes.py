"""The same seed gives the same bytes; any day can be made alone; seeds differ."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc

from jobs.simulator import WorldSettings, build_world, simulate, simulate_day

SMALL = WorldSettings(days=4, accounts=150, seed=3)


def digests(folder: Path) -> dict[str, str]:
    """Every file's digest, by its path in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_same_seed_same_bytes_whatever_the_threads(tmp_path) -> None:
    for name, workers in (("a", 1), ("b", 3)):
        settings = replace(SMALL, workers=workers)
        simulate(tmp_path / name / "landing", tmp_path / name / "truth", settings)
    first, second = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert len(first) > 30
    assert first == second


def test_another_seed_gives_another_world(tmp_path) -> None:
    for seed in (1, 2):
        simulate(tmp_path / f"{seed}", tmp_path / f"t{seed}", replace(SMALL, seed=seed, days=1))
    first, second = digests(tmp_path / "1"), digests(tmp_path / "2")
    assert not set(first.values()) & set(second.values())


def test_a_day_alone_is_the_day_of_the_whole(tmp_path) -> None:
    simulate(tmp_path / "whole", tmp_path / "truth", SMALL)
    simulate_day(build_world(SMALL), 3, tmp_path / "alone")
    whole, alone = digests(tmp_path / "whole"), digests(tmp_path / "alone")
    assert len(alone) >= 8
    assert alone == {name: whole[name] for name in alone}
    assert all("date=2026-05-04" in name for name in alone)


def test_a_large_day_in_parts_is_a_whole_day(tmp_path) -> None:
    world = build_world(replace(SMALL, accounts=600, dirt=False))
    whole = simulate_day(world, 1, tmp_path / "whole")
    world.parts = 3
    parts = simulate_day(world, 1, tmp_path / "parts")
    assert parts.files == whole.files + 2 * 5
    requests, together = (pc.sum(t.exchanges["requests"]).as_py() for t in (whole, parts))
    assert abs(requests - together) < 6 * requests**0.5 + 0.05 * requests
    accounts = parts.exchanges["account_id"]
    assert len(accounts) == len(accounts.unique()), "an account in two parts"
