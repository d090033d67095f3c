"""An export into an object store: all files, and the manifest only when they are there."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
from deltalake import DeltaTable
from local_cluster import BUCKET

from jobs.outputs import export
from jobs.platform.storage import Place, delta_options


def test_an_export_lies_in_a_store(store, bare_lake, night, fill):
    fill(bare_lake, "thresholds", night, [{"action": "watch"}])
    fill(bare_lake, "account_scores", night, [{"account_id": "a1"}])
    fill(bare_lake, "enforcement_actions", night, [{"account_id": "a1"}])
    to = Place(f"s3://{BUCKET}/export")
    export.run(bare_lake, to, None, ("parquet", "jsonl"))
    done = export.run(bare_lake, to, None, ("parquet", "csv", "delta"))
    root = to / f"date={night}"
    assert done.folder == str(root)
    manifest = json.loads((root / "manifest.json").read_text())
    for file in manifest["files"]:
        at = root
        for part in file["path"].split("/"):
            at = at / part
        with at.open() as opened:
            assert len(opened.read()) == file["bytes"]
    assert not (root / "campaigns.jsonl").is_file(), "what the earlier export wrote is gone"
    rows = pq.read_table((root / "observed_actions.parquet").open_anywhere())
    assert rows["account_id"].to_pylist() == ["a1"]
    address = f"{root}/observed_actions.delta"
    delta = DeltaTable(address, storage_options=delta_options(address))
    assert delta.to_pyarrow_table().num_rows == 1
