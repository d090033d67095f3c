"""A landed record against its declaration, in column expressions.

Every function takes and gives columns of text as they came (`strings`) or of declared types, and
says what is wrong in words that hold no value, since values may be personal data.
"""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.catalog.landing import (
    CLOCK_SKEW_MINUTES,
    IDENTIFIER_REFUSED,
    LandingColumn,
    Source,
)

#: Some writers put whole numbers as 12.0; longer ones are no count of anything.
_WHOLE = "^[-+]?[0-9]{1,18}([.]0{1,6})?$"
_DECIMAL = "^[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]{1,3})?$"
_CLOCK = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?"
_UTC = _CLOCK + "(Z|[-+]00:?00)?$"
_OFFSET = _CLOCK + "[-+][0-9]{2}:?[0-9]{2}$"


def _no_problem() -> Column:
    return F.lit(None).cast("string")


def parsed(column: LandingColumn, text: Column) -> Column:
    """The text as the declared type, null where it can't be read as that."""
    match column.type:
        case "string":
            return text
        case "timestamp":
            # Seconds may be left out (ISO 8601); what is finer than microseconds is cut.
            whole = F.regexp_replace(text, "([T ][0-9]{2}:[0-9]{2})(Z|[-+]|$)", "$1:00$2")
            return F.regexp_replace(whole, "([.][0-9]{6})[0-9]+", "$1").try_cast("timestamp")
        case "boolean":
            return F.when(text == "true", True).when(text == "false", False)
        case "long":
            return F.substring_index(text, ".", 1).try_cast("long")
        case kind:
            return text.try_cast(kind)


def unreadable(column: LandingColumn, text: Column) -> Column:
    """What is wrong with a text that should be of the declared type, null for nothing."""
    name = column.name
    match column.type:
        case "string":
            return _no_problem()
        case "timestamp":
            return (
                F.when(
                    text.rlike(_OFFSET) & ~text.rlike(_UTC),
                    F.lit(f"{name}: not in UTC, wanted a time that ends in Z"),
                )
                .when(~text.rlike(_UTC), F.lit(f"{name}: not an ISO 8601 time"))
                .when(
                    text.isNotNull() & parsed(column, text).isNull(),
                    F.lit(f"{name}: no such time"),
                )
            )
        case "boolean":
            return F.when(~text.isin("true", "false"), F.lit(f"{name}: not true or false"))
        case "double":
            # 1e400 is written as a number and is none that a double can hold.
            lost = text.isNotNull() & parsed(column, text).isNull()
            return F.when(~text.rlike(_DECIMAL) | lost, F.lit(f"{name}: not a number"))
        case _:
            return F.when(~text.rlike(_WHOLE), F.lit(f"{name}: not a whole number"))


def breaks(column: LandingColumn, value: Column, source: Source, date: dt.date) -> Column:
    """What the typed value breaks of its declaration, null for nothing."""
    name = column.name
    tests: list[tuple[Column, str]] = []
    if column.required:
        tests.append((value.isNull(), "missing"))
    if column.minimum is not None and column.maximum is not None:
        low, high = _number(column.minimum), _number(column.maximum)
        # NaN is in no range on either engine.
        tests.append((~value.between(column.minimum, column.maximum), f"outside {low} to {high}"))
    if column.values:
        tests.append((~value.isin(*column.values), "not one of " + ", ".join(column.values)))
    if column.pattern is not None:
        words = (
            "not an identifier (letters, digits and ._:=/#|~- only, at most 200)"
            if column.treatment == "identifier"
            else "not in its declared form"
        )
        tests.append((~value.rlike(column.pattern), words))
        if column.treatment in ("identifier", "keep"):
            tests.append((
                value.rlike(IDENTIFIER_REFUSED),
                "shaped like an address, a path, or a telephone or card number",
            ))  # fmt: skip
    if column.treatment == "address":
        tests.append((
            ~(value.rlike(IPV4) | value.rlike(IPV6) | value.rlike(GATEWAY_TOKEN)),
            "not an IPv4 or IPv6 address and not a token",
        ))  # fmt: skip
    if column.name == source.event_column:
        tests += _event_tests(value, source, date)
    problem = _no_problem()
    for test, words in reversed(tests):
        problem = F.when(test, F.lit(f"{name}: {words}")).otherwise(problem)
    return problem


def _event_tests(value: Column, source: Source, date: dt.date) -> list[tuple[Column, str]]:
    end = dt.datetime.combine(date, dt.time(), dt.UTC) + dt.timedelta(
        days=1, minutes=CLOCK_SKEW_MINUTES
    )
    if source.oldest_days is None:
        start, words = dt.datetime(2000, 1, 1, tzinfo=dt.UTC), "before the year 2000"
    else:
        midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
        start = midnight - dt.timedelta(days=source.oldest_days)
        words = f"more than {source.oldest_days} days before its landing date"
    return [
        (value >= F.lit(end), "after its landing date"),
        (value < F.lit(start), words),
    ]


def _number(bound: float) -> str:
    return f"{int(bound):,}" if bound == int(bound) else str(bound)


IPV4 = (
    "^(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    "([.](25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}$"
)
#: Hextets with at most one `::`, which stands for one or more of zero; IPv4-mapped ones too.
IPV6 = (
    "^(([0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}"
    + "".join(
        f"|([0-9A-Fa-f]{{1,4}}:){{1,{n}}}(:[0-9A-Fa-f]{{1,4}}){{1,{7 - n}}}" for n in range(1, 7)
    )
    + "|([0-9A-Fa-f]{1,4}:){1,7}:|:(:[0-9A-Fa-f]{1,4}){1,7}|::"
    + "|::[Ff]{4}:[0-9]{1,3}([.][0-9]{1,3}){3})$"
)
GATEWAY_TOKEN = "^tok_[A-Za-z0-9_-]{1,128}$"
