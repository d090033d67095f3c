"""Two whole nights with personal data planted: tables, pages, models and output hold none."""

from __future__ import annotations

from deltalake import DeltaTable
from personal_data import PLANTED, found_below


def test_a_whole_night_leaves_none(world):
    lake = world.lake("second night")
    assert list((lake / "_mlflow").rglob("*"))
    assert list((lake / "_data_docs").rglob("*.html"))
    ids = DeltaTable(lake / "requests").to_pyarrow_table(columns=["request_id"])["request_id"]
    assert {f"rfree{n}" for n in range(len(PLANTED))} <= set(ids.to_pylist())
    assert found_below(lake, world.root / "said.txt") == []
