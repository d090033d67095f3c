"""What an export holds, when it is there, and under which names."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hostile_texts import HOSTILE

from jobs import verdicts
from jobs.catalog.tables import TABLES
from jobs.outputs import export
from jobs.outputs.text import csv_value
from jobs.platform.errors import LakeError
from jobs.platform.storage import Place

ALL = export.FORMATS
ACTIONS = [
    {"account_id": "b", "action": "review", "campaign_id": "c1", "reasons": ["r1", "r2"]},
    {"account_id": "a", "action": "limit"},
]


def folder(to: Path, night: dt.date) -> Path:
    return to / f"date={night}"


def files(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()
    }


def rows_of_campaigns(rows):
    return [{"campaign_id": row["campaign_id"]} for row in rows]


@pytest.fixture
def exported(decided, night, tmp_path):
    """`exported(formats, actions=…)` writes an export and returns its folder."""

    def make(formats=ALL, **rows):
        export.run(decided(**rows), Place(str(tmp_path / "out")), night, formats)
        return folder(tmp_path / "out", night)

    return make


class TestForms:
    def test_every_form_holds_the_same_rows(self, exported, night):
        root = exported(actions=ACTIONS, campaigns=[{"campaign_id": "c1", "requests": 7}])
        wanted = pq.read_table(root / "actions.parquet").to_pylist()
        assert [(r["account_id"], r["action"], r["reasons"]) for r in wanted] == [
            ("a", "limit", []), ("b", "review", ["r1", "r2"]),
        ]  # fmt: skip
        assert DeltaTable(root / "actions.delta").to_pyarrow_table().to_pylist() == wanted
        lines = (root / "actions.jsonl").read_text().splitlines()
        in_words = [{k: v.isoformat() if isinstance(v, dt.date) else v for k, v in row.items()}
                    for row in wanted]  # fmt: skip
        assert [json.loads(line) for line in lines] == in_words
        with (root / "actions.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [(r["account_id"], r["campaign_id"], json.loads(r["reasons"])) for r in rows] == [
            ("a", "", []), ("b", "c1", ["r1", "r2"]),
        ]  # fmt: skip
        assert pq.read_table(root / "campaigns.parquet")["requests"].to_pylist() == [7]

    def test_hostile_ids_and_reasons_come_back_from_every_form(self, exported):
        ids = [*sorted(f"{text}{n}" for n, text in enumerate(HOSTILE)), "x" * 1_000_000]
        root = exported(actions=[{"account_id": i, "reasons": [i]} for i in ids])
        read = pq.read_table(root / "actions.parquet")["account_id"].to_pylist()
        assert sorted(read) == sorted(ids)
        lines = (root / "actions.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["account_id"] for line in lines] == read
        csv.field_size_limit(10_000_000)
        with (root / "actions.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [csv_value(row["account_id"]) for row in rows] == read
        assert [json.loads(row["reasons"]) for row in rows] == [[i] for i in read]
        assert DeltaTable(root / "actions.delta").to_pyarrow_table().num_rows == len(ids)

    def test_a_night_without_actions_has_all_files(self, exported):
        root = exported(actions=[], campaigns=[])
        assert pq.read_table(root / "actions.parquet").num_rows == 0
        assert DeltaTable(root / "campaigns.delta").to_pyarrow_table().num_rows == 0
        assert (root / "actions.jsonl").read_bytes() == b""
        assert (root / "actions.csv").read_text().startswith("date,account_id,action,")

    def test_tokens_and_what_is_in_clear_stay(self):
        """By the catalogue: were a column of these tables a token one day, it would not go out."""
        for name in ("enforcement_actions", "campaigns"):
            kept = export.may_leave(TABLES[name]).columns
            assert {column.personal for column in kept} <= {"none", "pseudonym"}
        kept = export.may_leave(TABLES["requests"]).column_names
        tokens = [c.name for c in TABLES["requests"].columns if c.personal == "token"]
        assert tokens and set(tokens).isdisjoint(kept)


class TestManifest:
    def test_names_every_file_with_its_bytes_and_meaning(self, exported, night):
        root = exported(actions=ACTIONS)
        manifest = json.loads((root / "manifest.json").read_text())
        assert (manifest["night"], manifest["mode"], manifest["enforce"]) == (
            str(night), "enforce", True,
        )  # fmt: skip
        assert manifest["policy_versions"] == ["p-1"]
        assert manifest["model_versions"] == ["m/1"]
        there = files(root)
        there.pop("manifest.json")
        said = {f["path"]: (f["bytes"], f["sha256"]) for f in manifest["files"]}
        assert said == {p: (len(b), hashlib.sha256(b).hexdigest()) for p, b in there.items()}
        rows = {f["path"]: f["rows"] for f in manifest["files"]}
        assert (rows["actions.csv"], rows["actions.parquet"]) == (2, 2)
        columns = {c["name"]: c for c in manifest["tables"]["actions"]["columns"]}
        declared = TABLES["enforcement_actions"].column("expires")
        assert columns["expires"]["type"] == "date"
        assert columns["expires"]["about"] == declared.about

    def test_twice_is_the_same_bytes(self, exported):
        rows = {"actions": ACTIONS, "campaigns": [{"campaign_id": "c1"}]}
        first = files(exported(**rows))
        assert files(exported(**rows)) == first

    def test_rows_are_in_order_of_their_ids(self, exported):
        rows = [{"account_id": i, "campaign_id": i} for i in ("c", "a", "b")]
        root = exported(("parquet",), actions=rows, campaigns=rows_of_campaigns(rows))
        assert pq.read_table(root / "actions.parquet")["account_id"].to_pylist() == ["a", "b", "c"]
        ids = pq.read_table(root / "campaigns.parquet")["campaign_id"].to_pylist()
        assert ids == ["a", "b", "c"]

    def test_what_was_exported_in_another_form_is_gone(self, exported):
        exported(("csv",), actions=ACTIONS)
        assert set(files(exported(("parquet",), actions=ACTIONS))) == {
            "actions.parquet", "campaigns.parquet", "manifest.json",
        }  # fmt: skip


class TestMode:
    @pytest.mark.parametrize("mode", [None, "observe"])
    def test_what_is_only_observed_has_other_names(self, exported, mode):
        root = exported(actions=ACTIONS, mode=mode)
        assert not (root / "actions.parquet").exists()
        manifest = json.loads((root / "manifest.json").read_text())
        assert (manifest["mode"], manifest["enforce"]) == ("observe", False)
        assert {f["table"] for f in manifest["files"]} == {
            "observed_actions", "campaigns", "observed_findings",
        }  # fmt: skip
        rows = pq.read_table(root / "observed_actions.parquet").to_pylist()
        assert {row["mode"] for row in rows} == {"observe"}

    def test_turned_off_again_the_enforced_files_are_gone(self, exported):
        assert (exported(actions=ACTIONS) / "actions.csv").exists()
        root = exported(actions=ACTIONS, mode="observe")
        assert not list(root.glob("actions.*"))


def test_what_people_lifted_since_is_not_in_it(decided, night, tmp_path, fill):
    lake = decided(actions=[{"account_id": a, "action": "limit"} for a in ("a1", "a2")])
    verdicts.record(lake, verdict="benign", subject="a1", by="kim", reason="a school")
    export.run(lake, Place(str(tmp_path / "out")), None, ("parquet",))
    rows = pq.read_table(folder(tmp_path / "out", night) / "actions.parquet")
    assert rows["account_id"].to_pylist() == ["a2"]


def test_after_a_stopped_night_the_last_decided_one_goes_out(decided, night, tmp_path, fill):
    """With what people decided since, which counts after the night that was stopped."""
    rows = [{"account_id": a, "action": "limit", "expires": night + dt.timedelta(days=5)}
            for a in ("a1", "a2")]  # fmt: skip
    lake = decided(actions=rows, campaigns=[{"campaign_id": "c1"}])
    stopped = night + dt.timedelta(days=1)
    fill(lake, "account_scores", stopped, [{"account_id": "a1"}])
    fill(lake, "campaigns", stopped, [{"campaign_id": "unchecked"}])
    verdicts.record(lake, verdict="benign", subject="a1", by="kim", reason="a school")
    export.run(lake, Place(str(tmp_path / "out")), None, ("parquet",))
    root = folder(tmp_path / "out", night)
    assert pq.read_table(root / "actions.parquet")["account_id"].to_pylist() == ["a2"]
    assert pq.read_table(root / "campaigns.parquet")["campaign_id"].to_pylist() == ["c1"]


def test_an_earlier_night_is_exported_in_the_mode_that_followed_it(decided, night, tmp_path, fill):
    lake = decided(actions=[{"account_id": "a1", "mode": "observe"}], mode="observe")
    after = night + dt.timedelta(days=1)
    fill(lake, "enforcement_mode", after, [{"mode": "enforce"}])
    fill(lake, "thresholds", after, [{"action": "watch"}])
    fill(lake, "account_scores", after, [{"account_id": "a1"}])
    done = export.run(lake, Place(str(tmp_path / "out")), night, ("parquet",))
    assert done.mode == "enforce"
    rows = pq.read_table(folder(tmp_path / "out", night) / "actions.parquet")
    assert rows["mode"].to_pylist() == ["enforce"]


def test_a_night_that_was_not_decided_is_refused(decided, night, tmp_path):
    lake = decided()
    late = night + dt.timedelta(days=1)
    with pytest.raises(LakeError, match=f"{late} was not decided on .* the last one was {night}"):
        export.run(lake, Place(str(tmp_path)), late, ALL)


def test_a_folder_that_cannot_be_written_is_one_line(decided, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(export.ExportError, match="can't be written: Not a directory"):
        export.run(decided(), Place(str(tmp_path / "file" / "out")), None, ("csv",))


def test_killed_half_way_there_is_no_manifest(decided, night, tmp_path):
    """Neither of a night that was never exported; the next run clears up and is whole."""
    rows = [{"account_id": f"a{n}", "reasons": ["r" * 40] * 3} for n in range(60_000)]
    lake = decided(actions=rows)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "jobs.cli", "export", "--lake", lake.root, "--to", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(out.glob(".date=*/*.csv")) and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not list(out.glob("date=*"))
    assert not list(out.rglob("manifest.json"))
    export.run(lake, Place(str(out)), None, ("csv",))
    assert [path.name for path in out.iterdir()] == [f"date={night}"]
    assert (folder(out, night) / "manifest.json").exists()
