"""The shapes in which columns, tables, checks and features are declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

STRING = "string"
LONG = "long"
INT = "int"
DOUBLE = "double"
BOOLEAN = "boolean"
TIMESTAMP = "timestamp"
DATE = "date"
STRINGS = "array<string>"
LONGS = "array<long>"

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

    `minimum`, `maximum`, `values` and `pattern` become Delta CHECK constraints as well as
    expectations; `pattern` is a regular expression that both engines read alike (character
    classes written out, no look-around).
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

    `kind` names a Great Expectations expectation class; `arguments` are its arguments.
    """

    kind: str
    arguments: tuple[tuple[str, object], ...]
    about: str
    severity: Severity = "stop"


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
    """One step of a night: `stillwatch run NAME --date D`, one module, one Airflow task."""

    name: str
    module: str
    about: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    after: tuple[str, ...] = field(default=())
    timeout_minutes: int = 60
    retries: int = 2
