"""A place is the same on this machine and in an object store, and faults are said in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_cluster import BUCKET

from jobs.platform import storage
from jobs.platform.errors import SettingsError
from jobs.platform.settings import load_settings
from jobs.platform.storage import Place


@pytest.fixture(params=["disk", "store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "disk":
        return Place(str(tmp_path / "folder"))
    request.getfixturevalue("store")
    return Place(f"s3://{BUCKET}/{tmp_path.name}/folder")


def test_a_file_is_written_listed_read_and_gone(folder: Place) -> None:
    assert not folder.is_folder() and folder.entries() == []
    (folder / "b.txt").write_text("zwölf\n")
    (folder / "a" / "c.txt").write_text("")
    assert folder.is_folder() and not folder.is_file()
    assert (folder / "b.txt").is_file() and not (folder / "c.txt").is_file()
    assert (folder / "b.txt").read_text() == "zwölf\n"
    listed = [(entry.place.name, entry.is_file, entry.bytes) for entry in folder.entries()]
    assert listed == [("a", False, 0), ("b.txt", True, 7)]
    (folder / "b.txt").write_text("anew")
    assert (folder / "b.txt").read_text() == "anew"
    folder.remove_folder()
    assert not folder.is_folder() and not (folder / "b.txt").is_file()
    folder.remove_folder()


def test_bytes_come_as_they_are_stored(folder: Place) -> None:
    """Also where the name says gzip: whether it is gzip is the reader's to find out."""
    (folder / "x.jsonl.gz").write_text("not gzip")
    with (folder / "x.jsonl.gz").open() as file:
        assert (file.read(3), file.read(100), file.read(1)) == (b"not", b" gzip", b"")


def test_parquet_is_read_in_parts(folder: Place) -> None:
    (folder / "here").write_text("")
    with (folder / "x.parquet").create() as file:
        pq.write_table(pa.table({"n": range(10)}), file, row_group_size=4)
    groups = pq.ParquetFile((folder / "x.parquet").open_anywhere()).read_row_group(1)
    assert groups["n"].to_pylist() == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("address", "engine", "wanted"),
    [
        ("s3://bucket/lake", "sail", "s3://bucket/lake"),
        ("s3://bucket/lake", "spark", "s3a://bucket/lake"),
        ("/srv/lake", "spark", "/srv/lake"),
    ],
)
def test_an_engine_is_given_its_own_word(address: str, engine: str, wanted: str) -> None:
    assert storage.engine_address(address, engine) == wanted


def test_delta_commits_by_conditional_put_and_tls_unless_the_endpoint_has_none(monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://s3.example.org")
    assert storage.delta_options("s3://bucket/lake") == {"AWS_CONDITIONAL_PUT": "etag"}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert storage.delta_options("s3://bucket/lake")["AWS_ALLOW_HTTP"] == "true"
    assert storage.delta_options("/srv/lake") == {}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("gs://bucket/lake", "is an address of a kind that nothing here reads"),
        ("s3a://bucket/lake", "is an address of a kind that nothing here reads"),
        ("s3://", "no address of a folder"),
        ("s3://bucket/lake?region=x", "no address of a folder"),
        ("s3://key:hunter2@bucket/lake", "no address of a folder"),
    ],
)
def test_other_addresses_are_refused_and_keys_in_them_not_repeated(given: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as refused:
        load_settings(given)
    assert "hunter2" not in str(refused.value)


def test_a_store_takes_no_registry(tmp_path: Path) -> None:
    settings = load_settings("s3://bucket/lake/")
    assert settings.lake == "s3://bucket/lake"
    with pytest.raises(SettingsError, match="set STILLWATCH_MLFLOW_TRACKING_URI"):
        _ = settings.registry
    for own, registry in {
        str(tmp_path): (tmp_path, None),
        "https://mlflow.example.org": (Path("_mlflow"), "https://mlflow.example.org"),
    }.items():
        assert dataclasses.replace(settings, mlflow_tracking_uri=own).registry == registry
    assert load_settings("/srv/lake").registry == (Path("/srv/lake/_mlflow"), None)


def test_faults_are_said_in_words(store: Any, monkeypatch) -> None:
    with pytest.raises(OSError) as none:
        Place("s3://no-such-bucket/x").write_text("")
    assert storage.said(none.value) == "there is no such bucket"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(OSError) as silent:
        Place(f"s3://{BUCKET}/x").read_text()
    assert storage.said(silent.value).startswith("the object store does not answer")
