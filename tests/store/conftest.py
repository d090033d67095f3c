"""An object store on this machine, for the tests of this folder, and the variables to reach it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from local_cluster import LocalCluster


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with LocalCluster(tmp_path_factory.mktemp("store"), workers=0) as started:
        yield started


@pytest.fixture
def store(running: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in running.variables.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return running
