"""Fixtures that every test may use; none starts an engine, or imports one, unless asked for.

- `session`: one Sail session for the whole test run (about 3 s, once).
- `lake`: an empty lake of its own for each test, on that session.
- `new_lake`: makes further ones, for what is filled once and copied for each test.
- `world`: a copy of the lake of three nights that tests/small_operation.py builds.
- `bare_lake`: the same without an engine, for what delta-rs alone does (milliseconds).
- `night`: the landing date that tests use when any would do.
- `fill`: writes rows given as dictionaries; columns left out get a value that their declaration
  allows, so that a test names only the columns it is about.

Tests of Apache Spark start it in a process of their own (tests/spark): the two engines can't
share one.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings as of_examples
from local_cluster import SHORT_RUN

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

    from jobs.catalog.types import Column
    from jobs.platform.lake import Lake

NIGHT = dt.date(2026, 5, 3)

# No test fails on a clock.
of_examples.register_profile("any machine", deadline=None)
of_examples.load_profile("any machine")


#: Files that take minutes each, so begun first: begun last, one worker would wait for the other.
_LONGEST = (
    "tests/cluster/test_same_night.py",
    "tests/dags/test_real_scheduler.py",
    "tests/spark/",
    "tests/real/",
    "tests/reruns/",
)


# The same night on Spark takes half of the time.
os.environ.setdefault("JDK_JAVA_OPTIONS", SHORT_RUN)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((at for at, path in enumerate(_LONGEST) if path in item.nodeid), len(_LONGEST))

    items.sort(key=place)


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the developer's own settings out of tests, and tests out of the developer's."""
    for name in [name for name in os.environ if name.startswith("STILLWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))


@pytest.fixture
def night() -> dt.date:
    return NIGHT


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The Sail session that all tests of a run share."""
    from jobs.platform.session import engine_session
    from jobs.platform.settings import Settings

    with engine_session(Settings(lake=str(tmp_path_factory.mktemp("unused")))) as started:
        yield started


@pytest.fixture(scope="session")
def new_lake(session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Lake]:
    """`new_lake()`: an empty lake on the shared Sail session, for what several tests copy."""
    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings

    return lambda: Lake(Settings(lake=str(tmp_path_factory.mktemp("filled") / "lake")), session)


@pytest.fixture
def lake(session: SparkSession, tmp_path: Path) -> Lake:
    """An empty lake of this test's own, on the shared Sail session."""
    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings

    return Lake(Settings(lake=str(tmp_path / "lake")), session)


@pytest.fixture
def copy_of(lake: Lake) -> Callable[[Path], Lake]:
    """`copy_of(filled)`: a lake that was built once, copied to be this test's own."""

    def copy(filled: Path) -> Lake:
        shutil.copytree(filled, lake.settings.lake)
        return lake

    return copy


@pytest.fixture(scope="session")
def operated(new_lake: Callable[[], Lake], fill: Callable[..., int]) -> Path:
    """The lake of `small_operation`, built once."""
    from small_operation import build

    lake = new_lake()
    build(lake, fill)
    return Path(lake.settings.lake)


@pytest.fixture
def world(copy_of: Callable[[Path], Lake], operated: Path) -> Lake:
    """A copy of `operated`, of the test's own."""
    return copy_of(operated)


@pytest.fixture
def bare_lake(tmp_path: Path) -> Lake:
    """An empty lake without an engine."""
    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings

    return Lake(Settings(lake=str(tmp_path / "lake")))


def _allowed(column: Column, date: dt.date, row: int) -> Any:
    """A value that the column's declaration allows; null wherever that is allowed."""
    if column.nullable:
        return None
    if column.values:
        return column.values[0]
    bound = column.minimum or 0
    return {
        "string": f"{column.name}_{row}",
        "long": int(bound),
        "int": int(bound),
        "double": float(bound),
        "boolean": False,
        "timestamp": dt.datetime.combine(date, dt.time(12), dt.UTC),
        "date": date,
        "array<string>": [],
        "array<long>": [],
    }[column.type]


def rows_of(name: str, date: dt.date, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of a table as Arrow, columns left out filled in from the catalogue."""
    import pyarrow as pa

    from jobs.catalog.tables import TABLES
    from jobs.platform.lake import arrow_schema

    table = TABLES[name]
    unknown = {key for row in rows for key in row} - set(table.column_names)
    assert not unknown, f"table {name} declares no columns {sorted(unknown)}"
    filled = [
        {c.name: row.get(c.name, _allowed(c, date, i)) for c in table.columns} | {"date": date}
        for i, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(filled, schema=arrow_schema(table))


@pytest.fixture(scope="session")
def fill() -> Callable[..., int]:
    """`fill(lake, "accounts", date, [{"account_id": "a1"}])` writes one night of a table.

    What windows read back of indicators and templates follows, as in `rollup`, on a lake with an
    engine.
    """

    def write(lake: Lake, name: str, date: dt.date, rows: Sequence[dict[str, Any]]) -> int:
        written = lake.replace_night(name, date, rows_of(name, date, rows))
        if lake.has_engine and name in ("account_indicators", "account_templates"):
            from jobs.rollup import write_tokens

            write_tokens(lake, date)
        return written

    return write
