"""The data dictionary is made from the catalogue and committed: it must say what is declared."""

from __future__ import annotations

from pathlib import Path

from jobs.catalog import dictionary
from jobs.catalog.features import FEATURES
from jobs.catalog.landing import SOURCES
from jobs.catalog.tables import TABLES

PAGE = Path(__file__).parents[2] / "docs" / "data-dictionary.md"


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == dictionary.render(), (
        "docs/data-dictionary.md is stale: run `stillwatch dictionary`"
    )


def test_the_page_has_every_table_and_column() -> None:
    page = dictionary.render()
    for table in TABLES.values():
        section = page.split(f"\n### {table.name}\n")[1].split("\n### ")[0]
        for column in table.columns:
            assert f"| `{column.name}` | {column.type} |" in section, (table.name, column.name)
        for check in table.checks:
            assert f"| {check.about} | {check.severity}s |" in section, check.about


def test_the_page_has_every_landing_column_and_feature() -> None:
    page = dictionary.render()
    for source in SOURCES.values():
        section = page.split(f"\n### Landing: {source.name}\n")[1].split("\n### ")[0]
        assert all(f"| `{column.name}` |" in section for column in source.columns)
    assert all(f"| `{feature.name}` | {feature.family} |" in page for feature in FEATURES)


def test_every_row_of_the_page_has_the_cells_of_its_head() -> None:
    cells = 0
    for line in dictionary.render().splitlines():
        bars = line.replace("\\|", "").count("|")
        if line.startswith("|"):
            cells = cells or bars
            assert bars == cells, line
        else:
            cells = 0


def test_bounds_are_written_out() -> None:
    assert "≤ 100,000,000" in dictionary.render()
