"""Personal data planted in every field is found nowhere in what a run leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from deltalake import DeltaTable
from landing_days import KEY_HEX, NIGHT, LandingDays, request
from personal_data import EMAIL, PLANTED, all_fields, found_below, plant_everywhere
from step_processes import KILLED, Steps


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> LandingDays:
    landing = LandingDays(tmp_path_factory.mktemp("planted") / "landing")
    plant_everywhere(landing)
    return landing


def test_it_is_nowhere_in_lake_pages_or_output(planted, tmp_path):
    lake, said = tmp_path / "lake", tmp_path / "said.txt"
    steps = ["ingest", "check_landed", "rollup", "campaigns", "features"]
    for name in steps:
        failed = Steps(lake, planted.root, NIGHT, [name], KEY_HEX, said=said).failed()
        # So much is refused that the check stops the night, and says so with an example.
        assert (failed is not None) == (name == "check_landed"), failed
    assert (lake / "_data_docs").is_dir()
    assert list((lake / "_data_docs").rglob("*.html"))
    assert len(said.read_text()) > 100
    assert found_below(lake, said) == []
    requests = DeltaTable(lake / "requests").to_pyarrow_table().to_pylist()
    kept = {row["request_id"] for row in requests}
    assert {f"rfree{n}" for n in range(len(PLANTED))} <= kept, "the test plants nothing valid"
    quarantined = DeltaTable(lake / "quarantine").to_pyarrow_table()
    assert quarantined.num_rows > 300, "the test plants nothing that is refused"


@pytest.mark.parametrize("writes", [1, 3])
def test_it_is_nowhere_after_a_kill_in_the_middle(planted, tmp_path, writes):
    lake, said = tmp_path / "lake", tmp_path / "said.txt"
    run = Steps(lake, planted.root, NIGHT, ["ingest"], KEY_HEX, dies_after=writes, said=said)
    assert run.ended() == KILLED
    left = list((lake / "_staging").rglob("*.parquet"))
    assert any("requests" in str(path) for path in left), "the kill came too late to leave any"
    assert any("refused=1" in str(path) for path in left)
    assert found_below(lake, said) == []
    # The next night, whatever its date, leaves none of it.
    other = LandingDays(tmp_path / "landing")
    other.quiet(NIGHT.replace(day=4))
    assert Steps(lake, other.root, NIGHT.replace(day=4), ["ingest"], KEY_HEX).ended() == 0
    assert not (lake / "_staging").exists()


def test_the_search_finds_what_is_there(tmp_path):
    """In bytes, in names, and in Parquet compressed or not: else the other tests say nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert found_below(tmp_path) == []
    (tmp_path / "a.log").write_text(f"x {EMAIL} y")
    table = pa.table({"texts": [["plain", PLANTED["name"]]]})
    pq.write_table(table, tmp_path / "b.parquet", compression="zstd")
    (tmp_path / f"{PLANTED['IPv4']}.txt").touch()
    (tmp_path / "c.bin").write_bytes(PLANTED["card"].encode("utf-16-le"))
    found = found_below(tmp_path)
    for name in ("a.log", "b.parquet", "203.0.113.77.txt", "c.bin"):
        assert any(entry.endswith(name) for entry in found), name


def test_what_is_planted_is_in_the_landing_zone(planted: LandingDays):
    assert len(found_below(planted.root)) > 50
    records = list(all_fields("requests"))
    assert len(records) == 3 * len(PLANTED)
    assert all(name in request(1) for name in json.loads(json.dumps(records[0])))
    assert Path(planted.root / "accounts").is_dir()
