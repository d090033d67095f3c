"""A disk that is full, a lake that may not be written, no key, a registry that is damaged."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lake_compare import assert_same_tables
from landing_days import KEY_HEX, NIGHT, LandingDays, request
from step_processes import Steps

from jobs.platform.lake import Lake
from jobs.platform.settings import Settings

RANDOM = "".join(chr(97 + (n * 7919) % 26) for n in range(997))


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A file system of its own at `folder`; the test is skipped where none can be mounted."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small or read-only file system takes root")
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def many(count: int) -> list[dict]:
    """Requests that do not compress well: each column of its own."""
    return [request(f"{n:08d}{(n * 2654435761) % 2**64:x}", account_id=f"a{n}",
                    conversation_id=f"c{(n * 40503) % 2**32:x}", tls_ja4=f"{n}",
                    client_address=f"2001:db8::{n % 65536:x}",
                    prompt_text=f"{RANDOM[n % 500:]} {n}") for n in range(count)]  # fmt: skip


@pytest.mark.parametrize("kibibytes", [64, 512, 640])
def test_no_space_on_the_disk(ingest_night, days, tmp_path, kibibytes):
    days.put("requests/a.parquet", many(3000))
    (tmp_path / "lake").mkdir()
    options = ("-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs")
    with mounted(tmp_path / "lake", *options):
        ended = ingest_night()
        ended.is_refused_with("no space left on the device", "run the same night again")
        assert not (ended.lake / "_staging").exists()
        # With room the same night runs.
        subprocess.run(["mount", "-o", "remount,size=64m", str(tmp_path / "lake")], check=True)
        ingest_night().is_done()
        assert len(ended.ingested.requests()) == 3000
        shutil.copytree(tmp_path / "lake", tmp_path / "copy")
    ended = ingest_night()
    ended.is_done()
    assert_same_tables(tmp_path / "copy", ended.lake)


def test_a_lake_that_may_not_be_written(ingest_night, days, tmp_path):
    days.put("requests/a.jsonl", [request(1)])
    ingest_night().is_done()
    before = Lake(Settings(lake=str(tmp_path / "lake"))).version("requests")
    with mounted(tmp_path / "lake", "--bind", str(tmp_path / "lake")):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(tmp_path / "lake")], check=True)
        ended = ingest_night()
        ended.is_refused_with("lake", "can't be written", "Read-only file system")
        assert Lake(Settings(lake=str(tmp_path / "lake"))).version("requests") == before


def test_a_folder_of_somebody_elses(stillwatch, days, tmp_path):
    (tmp_path / "file").touch()
    ended = stillwatch(
        "run", "ingest", "--date", "2026-05-03", "--lake", str(tmp_path / "file" / "lake")
    )
    ended.is_refused_with("can't be written", "Not a directory")


def test_a_table_that_may_not_be_written(ingest_night, days, tmp_path):
    """One table's folder is read-only, in the middle of the step."""
    days.put("requests/a.jsonl", [request(1)])
    ingest_night().is_done()
    folder = tmp_path / "lake" / "accounts"
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        ended = ingest_night()
        ended.is_refused_with("table accounts", "can't be written", "check its owner and mode")
    ingest_night().is_done()


@pytest.mark.parametrize("damaged", ["_delta_log/*.json", "date=2026-05-02/*.parquet"])
def test_a_damaged_table(stillwatch, days, tmp_path, damaged):
    """Its log, or the data of an earlier night that the new one is compared with."""
    days.put("requests/a.jsonl", [request(1)])
    before = NIGHT - dt.timedelta(days=1)
    days.quiet(before).put("requests/a.jsonl", [request(1, timestamp="2026-05-02T01:00:00Z")],
                           before)  # fmt: skip
    stillwatch("run", "ingest", "--date", "2026-05-02").is_done()
    for file in (tmp_path / "lake" / "requests").glob(damaged):
        file.write_bytes(b"damaged")
    ended = stillwatch("run", "ingest", "--date", "2026-05-03")
    ended.is_refused_with("table requests in", "can't be read")
    assert not (ended.lake / "_staging").exists()


def test_no_key(ingest_night, days, tmp_path, monkeypatch):
    monkeypatch.delenv("STILLWATCH_TOKEN_KEY")
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY_FILE", str(tmp_path / "none.key"))
    days.put("requests/a.jsonl", [request(1)])
    ended = ingest_night()
    ended.is_refused_with("STILLWATCH_TOKEN_KEY_FILE", str(tmp_path / "none.key"), "not there")
    assert not (ended.lake / "requests").exists()


def test_no_key_and_nowhere_to_make_one(ingest_night, days, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.delenv("STILLWATCH_TOKEN_KEY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    days.put("requests/a.jsonl", [request(1)])
    ingest_night().is_refused_with("no key for tokens and none can be made")


def test_a_key_that_is_none(ingest_night, days, monkeypatch):
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY", "hunter2")
    ended = ingest_night()
    ended.is_refused_with("STILLWATCH_TOKEN_KEY holds no key")
    assert "hunter2" not in ended.said[0]


def test_another_key(ingest_night, days, monkeypatch):
    days.put("requests/a.jsonl", [request(1)])
    ingest_night().is_done()
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY", "a5" * 32)
    ingest_night().is_refused_with("rotate-key")


# The model registry


def scored(stillwatch) -> Callable[[], object]:
    return stillwatch("run", "score", "--date", NIGHT.isoformat())


@pytest.fixture
def registered(tmp_path_factory, fill) -> Path:
    """A lake with a night of features and the prior in its registry, made once."""
    root = tmp_path_factory.getbasetemp() / "registered" / "lake"
    if not root.exists():
        lake = Lake(Settings(lake=str(root)))
        fill(lake, "account_features", NIGHT, [{"account_id": "a1", "requests_7d": 3.0}])
        assert Steps(root, root, NIGHT, ["train"], KEY_HEX).ended() == 0
    return root


def test_a_registry_that_is_whole_scores(stillwatch, registered, tmp_path):
    shutil.copytree(registered, tmp_path / "lake")
    ended = scored(stillwatch)
    ended.is_done()
    assert len(ended.ingested.rows("account_scores")) == 1


DAMAGES = {
    "no database": lambda folder: (folder / "mlflow.db").unlink(),
    "a database that is none": lambda folder: (folder / "mlflow.db").write_bytes(b"x" * 5000),
    "a database cut short": lambda folder: os.truncate(folder / "mlflow.db", 20_000),
    "an empty database": lambda folder: (folder / "mlflow.db").write_bytes(b""),
    "a model cut short": lambda folder: [
        os.truncate(file, 100) for file in folder.rglob("distillation.json")],
    "a model without its manifest": lambda folder: [
        file.unlink() for file in folder.rglob("manifest.json")],
    "a changed model": lambda folder: [
        file.write_text(file.read_text().replace("E-1", "E-2"))
        for file in folder.rglob("distillation.json")],
    "no registry at all": shutil.rmtree,
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_registry_is_one_line_and_scores_nothing(
    stillwatch, registered, tmp_path, damage
):
    shutil.copytree(registered, tmp_path / "lake")
    DAMAGES[damage](tmp_path / "lake" / "_mlflow")
    ended = scored(stillwatch)
    ended.is_refused_with("model")
    assert ended.ingested.rows("account_scores") == []


def test_the_command_of_its_own_process_says_one_line_too(tmp_path):
    """Once with nothing in between: the real command, its own engine, nothing patched."""
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/a.jsonl", [request(1)])
    shutil.rmtree(landing.root / "accounts")
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "night", "--date", "2026-05-03"],
        capture_output=True, text=True, env=os.environ | {
            "STILLWATCH_LANDING": str(landing.root), "STILLWATCH_LAKE": str(tmp_path / "lake"),
            "STILLWATCH_TOKEN_KEY": KEY_HEX},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "nothing landed: no folder accounts/date=2026-05-03" in done.stderr
