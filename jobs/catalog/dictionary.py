"""The data dictionary: everything that is declared, as one page for people who read the tables.

The page is made from the catalogue alone; nothing in it is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass

from jobs.catalog.checks import CHECK_POLICY, CHECKED
from jobs.catalog.enforcement import LADDER, POLICY
from jobs.catalog.features import FEATURES
from jobs.catalog.landing import SOURCES
from jobs.catalog.measures import INDICATORS, MEASURES, WINDOWS
from jobs.catalog.policy import CAMPAIGN_POLICY, FAMILIES_ABOUT, TRAINING
from jobs.catalog.sketch import MARKERS
from jobs.catalog.tables import TABLES
from jobs.catalog.types import Column, Table

#: Longest piece of SQL that a table cell shows; the catalogue has the rest.
_SQL_CHARS = 160
_HEAD = """\
# Data dictionary

Made from the catalogue (`jobs/catalog`) by `stillwatch dictionary`: change the declaration, not
this page.

A table's rows of one night carry the landing date in `date`. *Promised* columns are those that
others read: they keep their name and meaning. *Personal data* is `none`, a `pseudonym` (an id that
only the gateway can resolve), a keyed `token`, or `clear`. A check that *stops* ends the night
before anything downstream is published; one that *warns* is written to `check_results`.
"""


def render() -> str:
    """The page, as Markdown."""
    parts = [_HEAD, _contents()]
    parts += [_table(table) for table in TABLES.values()]
    parts += [_landing(), _measures(), _indicators(), _features(), _markers(), _policies()]
    return "\n".join(parts).rstrip() + "\n"


def _contents() -> str:
    tables = "\n".join(
        f"- [`{table.name}`](#{table.name}): {_first_lower(table.about)}"
        for table in TABLES.values()
    )
    return (
        f"## Tables\n\n{tables}\n\nFurther down: [landing columns](#landing-columns), "
        "[measures](#measures), [indicators](#indicators), [features](#features), "
        "[prompt markers](#prompt-markers), [policy](#policy).\n"
    )


def _table(table: Table) -> str:
    step = next((step for step, names in CHECKED.items() if table.name in names), None)
    lines = [
        f"### {table.name}\n",
        f"{table.about}\n",
        _rows(
            ("", ""),
            (
                ("Owner", table.owner),
                ("Key", ", ".join(f"`{name}`" for name in table.key)),
                ("Partitioned by", f"`{table.partition}`" if table.partition else "nothing"),
                ("Kept for", f"{table.retention_days:,} days"),
                (
                    "Written",
                    "row by row, never replaced"
                    if table.append_only
                    else "a night at a time, replacing that night",
                ),
            ),
        ),
        _rows(
            (
                "Column",
                "Type",
                "Unit",
                "Null",
                "Constraint",
                "Meaning",
                "From",
                "Personal data",
                "Promised",
            ),
            (
                (
                    f"`{c.name}`",
                    c.type,
                    c.unit or "",
                    "yes" if c.nullable else "no",
                    _constraint(c),
                    c.about,
                    _source(c.source),
                    c.personal,
                    "yes" if c.promised else "",
                )
                for c in table.columns
            ),
        ),
    ]
    if table.checks:
        lines.append(f"Checked each night by `{step}`:\n")
        lines.append(
            _rows(
                ("Check", "If it fails"),
                ((check.about, f"{check.severity}s") for check in table.checks),
            )
        )
    return "\n".join(lines)  # fmt: skip


def _constraint(column: Column) -> str:
    parts = []
    if column.minimum is not None:
        parts.append(f"≥ {_number(column.minimum)}")
    if column.maximum is not None:
        parts.append(f"≤ {_number(column.maximum)}")
    if column.values:
        parts.append("one of " + ", ".join(f"`{value}`" for value in column.values))
    if column.pattern:
        parts.append(f"`{column.pattern}`")
    return ", ".join(parts)


def _number(bound: float) -> str:
    return f"{int(bound):,}" if bound == int(bound) else f"{bound:g}"


def _source(source: str | None) -> str:
    if source is None:
        return ""
    return source if source.startswith("landing column") else _sql(source)


def _sql(sql: str) -> str:
    short = sql if len(sql) <= _SQL_CHARS else sql[: _SQL_CHARS - 1] + "…"
    return f"`{short}`"


def _landing() -> str:
    parts = ["## Landing columns\n\nWhat the gateway drops, and what ingest does to it.\n"]
    for source in SOURCES.values():
        parts.append(f"### Landing: {source.name}\n\n{source.about}\n")
        parts.append(
            _rows(
                ("Column", "Type", "Required", "Unit", "Allowed", "Meaning", "Becomes"),
                (
                    (
                        f"`{c.name}`",
                        c.type,
                        "yes" if c.required else "",
                        c.unit or "",
                        _constraint(
                            Column(
                                c.name,
                                c.type,
                                c.about,
                                minimum=c.minimum,
                                maximum=c.maximum,
                                values=c.values,
                                pattern=c.pattern,
                            )
                        ),
                        c.about,
                        c.treatment,
                    )
                    for c in source.columns
                ),
            )
        )
    return "\n".join(parts)  # fmt: skip


def _measures() -> str:
    windows = ", ".join(str(days) for days in WINDOWS)
    return (
        "## Measures\n\nWhat `account_daily` counts of an account's day; days merge into windows "
        f"of {windows} days.\n\n"
        + _rows(("Measure", "SQL", "Unit", "Merged by", "Meaning"),
                ((f"`{m.name}`", _sql(m.sql), m.unit, m.merge, m.about) for m in MEASURES))
    )  # fmt: skip


def _indicators() -> str:
    return (
        "## Indicators\n\nThings that two accounts may share. A token of more accounts than the "
        "cap links nobody.\n\n"
        + _rows(("Kind", "Of", "Family", "Needs", "Cap", "Meaning"),
                ((f"`{i.kind}`", i.origin, i.family, ", ".join(f"`{n}`" for n in i.needs),
                  f"{i.link_cap:,}" if i.link_cap else "links nobody", i.about)
                 for i in INDICATORS))
    )  # fmt: skip


def _features() -> str:
    return (
        f"## Features\n\nThe {len(FEATURES)} columns that the classifier reads, null where their "
        "evidence is missing. `{value}` is the figure in words.\n\n"
        + _rows(("Feature", "Family", "Unit", "SQL", "Needs", "Meaning", "Said as"),
                ((f"`{f.name}`", f.family, f.unit, _sql(f.sql),
                  ", ".join(f"`{need}`" for need in f.needs), f.about,
                  f.reason or "never a reason") for f in FEATURES))
    )  # fmt: skip


def _markers() -> str:
    return (
        "## Prompt markers\n\nBits of `prompt_markers`: what a prompt asks for.\n\n"
        + _rows(("Bit", "Marker", "The prompt"),
                ((str(m.bit), f"`{m.name}`", m.about) for m in MARKERS))
    )  # fmt: skip


def _policies() -> str:
    parts = [
        "## Policy\n\nThe numbers in force; each one's reason stands beside it in "
        "`jobs/catalog/enforcement.toml`, `policy.py` and `checks.py`.\n",
        f"Actions, mildest first: {', '.join(LADDER)}. Families of evidence: "
        + "; ".join(f"{name} ({about})" for name, about in FAMILIES_ABOUT.items())
        + ".\n",
    ]
    for title, policy in (
        ("Enforcement", POLICY), ("Training", TRAINING), ("Campaigns", CAMPAIGN_POLICY),
        ("Checks", CHECK_POLICY),
    ):  # fmt: skip
        parts.append(f"### Policy: {title.lower()}\n")
        parts.append(
            _rows(
                ("Setting", "Value"),
                (
                    (f"`{f.name}`", _value(getattr(policy, f.name)))
                    for f in fields(policy)
                    if f.repr
                ),
            )
        )
    return "\n".join(parts)  # fmt: skip


def _value(value: object) -> str:
    if is_dataclass(value):
        return ", ".join(f"{f.name} {_value(getattr(value, f.name))}" for f in fields(value))
    if isinstance(value, tuple):
        # A pair is a name with its figure.
        pair = len(value) == 2 and isinstance(value[0], str) and not isinstance(value[1], str)
        joined = (" " if pair else "; ").join(_value(item) for item in value)
        return joined or "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_line(head), _line(["---"] * len(head)), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    # A bar would end a cell, even inside code.
    cleaned = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return "| " + " | ".join(cleaned) + " |"


def _first_lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
