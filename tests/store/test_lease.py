"""One writer at a time in a lake in an object store, whatever happens to it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from local_cluster import BUCKET

from jobs.platform import lease
from jobs.platform.errors import LakeError
from jobs.platform.lock import sole_writer
from jobs.platform.storage import Place


@pytest.fixture
def lake(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(lease, "LEASE_SECONDS", 2.0)
    return Place(f"s3://{BUCKET}/{tmp_path.name}/lake")


def test_a_second_writer_waits_for_the_first_however_long_it_takes(lake, caplog) -> None:
    order: list[str] = []

    def second() -> None:
        with sole_writer(lake):
            order.append("second")

    with sole_writer(lake):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(3.0)  # longer than the lease of a holder that is silent
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    said = [r.getMessage() for r in caplog.records if r.name.startswith("jobs")]
    assert [line[:35] for line in said] == ["waiting for another run on this lak"]
    assert not (lake / "_stillwatch" / "lease").is_file()


def test_a_killed_writer_is_waited_for_no_longer_than_its_lease(lake) -> None:
    lease._Lease(lake, "lease").take()  # and never says anything again
    started = time.monotonic()
    with sole_writer(lake):
        waited = time.monotonic() - started
    assert 2.0 <= waited < 10.0


#: A writer whose lease another takes; in a process of its own, since the signal that ends it ends
#: every engine of its process too, the one that the other tests use among them.
TAKEN_OVER = """
import sys, time
from jobs.platform import lease
from jobs.platform.errors import LakeError
from jobs.platform.lock import sole_writer
from jobs.platform.storage import Place
lease.BEAT_SECONDS = 0.2
lake = Place(sys.argv[1])
try:
    with sole_writer(lake):
        (lake / "_stillwatch" / "lease").write_text('{"process": "elsewhere 7"}')
        time.sleep(10)
except LakeError as error:
    sys.exit(str(error))
"""


def test_a_writer_that_was_taken_over_ends(store, lake) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TAKEN_OVER, lake.address], env={**os.environ, **store.variables},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "another run took over the lake" in done.stderr
    # What another holds now is not taken away from it.
    assert "elsewhere" in (lake / "_stillwatch" / "lease").read_text()


def test_a_store_that_is_not_there_is_one_line(lake, monkeypatch) -> None:
    with (
        pytest.raises(LakeError, match="there is no such bucket"),
        sole_writer(Place("s3://no-such-bucket/lake")),
    ):
        pass
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(LakeError, match="does not answer"), sole_writer(lake):
        pass
