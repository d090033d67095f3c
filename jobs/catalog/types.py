"""The shapes in which columns, tables, checks and features are declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

STRING: Final = "string"
LONG: Final = "long"
INT: Final = "int"
DOUBLE: Final = "double"
BOOLEAN: Final = "boolean"
TIMESTAMP: Final = "timestamp"
DATE: Final = "date"
STRINGS: Final = "array<string>"
LONGS: Final = "array<long>"

ColumnType = Literal[
    "string", "long", "int", "double", "boolean", "timestamp", "date", "array<string>",
    "array<long>",
]  # fmt: skip

#: What a column says about a person. `clear` may exist only in the landing zone.
PersonalData = Literal["none", "pseudonym", "token", "clear"]

Severity = Literal["stop", "warn"]
Family = Literal[
    "infrastructure", "identity", "time", "content", "behaviour", "lineage", "label"
]  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column of one table.

    `minimum`, `maximum` and `values` become a Delta CHECK constraint, and an expectation where
    a table lacks it; `pattern` is an expectation: a regular expression that both engines read
    alike (character classes written out, no look-around).
    """

    name: str
    type: ColumnType
    about: str
    unit: str | None = None
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    source: str | None = None
    personal: PersonalData = "none"
    promised: bool = False


@dataclass(frozen=True)
class Check:
    """An expectation on a whole table for one night.

    `kind` names a Great Expectations expectation class; `arguments` are its arguments. `counts`
    says what the unexpected are, where they are not rows of the table.
    """

    kind: str
    arguments: tuple[tuple[str, object], ...]
    about: str
    severity: Severity = "stop"
    counts: str = "rows"


@dataclass(frozen=True)
class Table:
    """One Delta table of the lake, partitioned by `partition` unless that is None."""

    name: str
    about: str
    owner: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    retention_days: int
    checks: tuple[Check, ...] = ()
    partition: str | None = "date"
    #: Left by a later step than the one that fills the table's night: never replaced as a whole.
    append_only: bool = False
    #: What engines are told when they write it, each in its own words. Its files stay as they are
    #: written, where others are joined by upkeep.
    write_options: tuple[tuple[str, str], ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} declares no column {name}")


@dataclass(frozen=True)
class Step:
    """One step of a night: `stillwatch run NAME --date D`, one Airflow task."""

    name: str
    #: `module:function` of what runs it, called with the lake and the date.
    entry: str
    about: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    after: tuple[str, ...] = field(default=())
    timeout_minutes: int = 60
    retries: int = 2
