"""The only place that knows Great Expectations: suites from the catalogue, results, Data Docs.

The package takes seconds to import, so it is imported when a table is validated and not before.
Tables are validated where they are, as DataFrames of the night's engine: about 30 ms for a check
on Sail whatever the size of a small table, and nothing has to fit into this process.

What Delta already guarantees is not paid for twice. Columns declare nullability, bounds and
values; where the table's own metadata holds them (`Lake.guarantees`) no row can break them, and
the suite leaves them out. It has them where an older table lacks them, and patterns always, which
are no constraint because delta-rs and the engines spell them differently.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from jobs.catalog.checks import SQL
from jobs.catalog.tables import TABLES
from jobs.catalog.types import Check, Severity, Table
from jobs.platform.errors import LakeError

if TYPE_CHECKING:
    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.expectations.core import UnexpectedRowsExpectation
    from great_expectations.expectations.expectation import Expectation
    from pyspark.sql import DataFrame

    from jobs.platform.lake import Lake

SEVERITIES: dict[Severity, str] = {"stop": "critical", "warn": "warning"}
#: Counts, never values: what is unexpected may be anything, and Data Docs are for people.
_COUNTS_ONLY = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
#: `{accounts}`, `{account_daily:7}`; see catalog.checks.
_PLACE = re.compile(r"\{(\w+)(?::(\d+))?\}")
#: Rows that the package fetches of a query at most.
_ROWS_FETCHED = 200
#: Longest example that is written down: file names can be of any length.
_EXAMPLE_CHARS = 200


@dataclass(frozen=True)
class Outcome:
    """What one expectation found on one table of one night.

    `unexpected` says how many rows break it, or how many of what `counts` names. `example` is the
    key of the first, or what was observed.
    """

    table: str
    expectation: str
    severity: Severity
    passed: bool
    rows: int
    unexpected: int
    example: str | None
    counts: str = "rows"


@dataclass(frozen=True)
class Validated:
    """A table's outcomes, and the same as Great Expectations' own result for Data Docs."""

    table: Table
    outcomes: tuple[Outcome, ...]
    result: ExpectationSuiteValidationResult

    @property
    def stops(self) -> bool:
        from great_expectations.expectations.metadata_types import FailureSeverity

        return self.result.get_max_severity_failure() == FailureSeverity.CRITICAL


def column_checks(table: Table, guaranteed: Iterable[str]) -> tuple[Check, ...]:
    """What the table's columns declare and `guaranteed` (`Lake.guarantees`) does not hold.

    A broken declaration stops the night: everything downstream is written against it.
    """
    held = set(guaranteed)
    checks = []
    for c in table.columns:
        column = ("column", c.name)
        if not c.nullable and f"{c.name}_not_null" not in held:
            checks.append(Check("ExpectColumnValuesToNotBeNull", (column,), f"{c.name} is there"))
        if "declared" not in held:
            if c.minimum is not None or c.maximum is not None:
                bounds = (("min_value", c.minimum), ("max_value", c.maximum))
                low = "" if c.minimum is None else f" from {c.minimum:,.10g}"
                high = "" if c.maximum is None else f" to {c.maximum:,.10g}"
                checks.append(
                    Check(
                        "ExpectColumnValuesToBeBetween",
                        (column, *bounds),
                        f"{c.name} is{low}{high}",
                    )
                )
            if c.values:
                checks.append(
                    Check(
                        "ExpectColumnValuesToBeInSet",
                        (column, ("value_set", list(c.values))),
                        f"{c.name} is one of {', '.join(c.values)}",
                    )
                )
        if c.pattern is not None:
            checks.append(
                Check(
                    "ExpectColumnValuesToMatchRegex",
                    (column, ("regex", c.pattern)),
                    f"{c.name} matches {c.pattern}",
                )
            )
    return tuple(checks)  # fmt: skip


@lru_cache
def no_rows() -> type[UnexpectedRowsExpectation]:
    """The expectation that a query gives no rows, in one query instead of the package's two: rows
    are fetched, which gives count and example at once, and counted only where there are many.
    A class inside a function, for its base is not to be imported before it is needed."""
    from great_expectations.expectations.core import UnexpectedRowsExpectation as Base

    class NoRowsOfQuery(Base):
        """No row may come out of the query."""

        metric_dependencies = ("unexpected_rows_query.table",)

        def _validate(
            self,
            metrics: dict[str, Any],
            runtime_configuration: dict[str, Any] | None = None,
            execution_engine: object = None,
        ) -> dict[str, Any]:
            rows = metrics["unexpected_rows_query.table"]
            details = {"details": {"first": rows[0]}} if rows else {}
            return {"success": not rows, "result": {"observed_value": len(rows), **details}}

    return NoRowsOfQuery


def _counting(expectation: UnexpectedRowsExpectation) -> Expectation:
    """The same expectation as the package has it: it counts."""
    from great_expectations.expectations.core import UnexpectedRowsExpectation as Base

    return Base(unexpected_rows_query=expectation.unexpected_rows_query)


class NightValidator:
    """Validates tables of one night; the views that checks in SQL name end with it."""

    def __init__(self, lake: Lake, date: dt.date) -> None:
        # Nothing about a lake leaves it: the package must not report its use.
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )
        from great_expectations.execution_engine import SparkDFExecutionEngine

        self.lake = lake
        self.date = date
        # It would make a temporary folder for pages of its own each time.
        self._context = gx.get_context(mode="ephemeral", project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
        ))  # fmt: skip
        # Not persisted: each check reads a column or two, and a night may not fit into memory.
        self._engine = SparkDFExecutionEngine(spark=lake.session, persist=False)
        self._views: set[str] = set()

    def __enter__(self) -> NightValidator:
        return self

    def __exit__(self, *exception: object) -> None:
        for view in sorted(self._views):
            self.lake.session.catalog.dropTempView(view)
        self._views.clear()

    def validate(self, name: str) -> Validated:
        """Validate the night's rows of one table.

        Raises:
            LakeError: an expectation could not be computed.
        """
        from great_expectations.core import ExpectationSuiteValidationResult

        table = TABLES[name]
        checks = (*column_checks(table, self.lake.guarantees(name)), *table.checks)
        expectations = [self._expectation(check) for check in checks]
        frame = self.lake.night(name, self.date)
        rows = self.lake.count(name, self.date)
        results = self._results(frame, expectations, _COUNTS_ONLY)
        outcomes = []
        for check, expectation, result in zip(checks, expectations, results, strict=True):
            self._raise_if_not_computed(name, check, result)
            unexpected, example = (
                (0, None) if result.success else self._failure(table, frame, expectation, result)
            )
            outcomes.append(
                Outcome(
                    name,
                    check.about,
                    check.severity,
                    bool(result.success),
                    rows,
                    unexpected,
                    example,
                    check.counts,
                )
            )
        passed = sum(outcome.passed for outcome in outcomes)
        return Validated(table, tuple(outcomes), ExpectationSuiteValidationResult(
            success=all(outcome.passed for outcome in outcomes),
            results=results,
            suite_name=name,
            statistics={
                "evaluated_expectations": len(outcomes),
                "successful_expectations": passed,
                "unsuccessful_expectations": len(outcomes) - passed,
                "success_percent": 100.0 * passed / len(outcomes) if outcomes else None,
            },
            meta={},
        ))  # fmt: skip

    def _expectation(self, check: Check) -> Expectation:
        import great_expectations.expectations as gxe

        arguments: dict[str, Any] = dict(check.arguments)
        kind: Any
        if check.kind == SQL:
            kind = no_rows()
            arguments["unexpected_rows_query"] = self._sql(arguments["unexpected_rows_query"])
        else:
            kind = getattr(gxe, check.kind)
        expectation: Expectation = kind(
            **arguments, severity=SEVERITIES[check.severity], description=check.about
        )
        return expectation

    def _sql(self, query: str) -> str:
        def place(match: re.Match[str]) -> str:
            name, days = match.group(1), int(match.group(2) or 1)
            if name == "batch":
                return match.group(0)
            if name == "date":
                return f"date'{self.date.isoformat()}'"
            view = f"night_{name}_{days}"
            if view not in self._views:
                first = self.date - dt.timedelta(days=days - 1)
                self.lake.read(name, first, self.date).createOrReplaceTempView(view)
                self._views.add(view)
            return view

        return _PLACE.sub(place, query)

    def _results(
        self, frame: DataFrame, expectations: list[Expectation], result_format: dict[str, Any]
    ) -> list[ExpectationValidationResult]:
        from great_expectations.core.batch import Batch
        from great_expectations.validator.validator import Validator

        if not expectations:
            return []
        # Of all configurations at once, so that counts over columns share one query. The engine
        # is given its session: a data source of the context would look for one of its own.
        validator = Validator(
            execution_engine=self._engine,
            batches=[Batch(data=frame)],  # type: ignore[arg-type]
            data_context=self._context,
        )
        return validator.graph_validate(
            configurations=[expectation.configuration for expectation in expectations],
            runtime_configuration={"result_format": result_format},
        )

    def _failure(
        self,
        table: Table,
        frame: DataFrame,
        expectation: Expectation,
        result: ExpectationValidationResult,
    ) -> tuple[int, str | None]:
        """How many rows break the expectation, and the key of the first: the same on any engine."""
        found = result.result
        if isinstance(expectation, no_rows()):
            count, example = int(found["observed_value"]), found["details"]["first"]
            if count >= _ROWS_FETCHED:
                counted = self._results(frame, [_counting(expectation)], _COUNTS_ONLY)[0]
                count = int(counted.result["observed_value"])
                # Data Docs are made from the same result.
                found["observed_value"] = count
            return count, _words(example)
        if "unexpected_count" not in found:
            return 0, _words({"observed": found.get("observed_value")})
        key = [column for column in table.key if column != table.partition]
        again = self._results(frame.orderBy(*key), [expectation], {
            "result_format": "SUMMARY",
            "unexpected_index_column_names": key,
            "partial_unexpected_count": 1,
        })[0]  # fmt: skip
        index = again.result.get("partial_unexpected_index_list") or []
        example = _words({name: index[0][name] for name in key}) if index else None
        return int(found["unexpected_count"]), example

    def _raise_if_not_computed(
        self, name: str, check: Check, result: ExpectationValidationResult
    ) -> None:
        information = result.exception_info or {}
        raised = [information] if "raised_exception" in information else information.values()
        for entry in raised:
            if entry.get("raised_exception"):
                said = " ".join(str(entry.get("exception_message")).split())[:200]
                raise LakeError(f"{name}: {check.about}: can't be computed: {said}")


def _words(row: dict[str, Any]) -> str:
    """`name=value, …` on one line, whatever an id or a file name may hold."""
    words = ", ".join(f"{name}={value}" for name, value in row.items())
    line = "".join(c if c.isprintable() else " " for c in words)
    return line if len(line) <= _EXAMPLE_CHARS else line[: _EXAMPLE_CHARS - 1] + "…"


def rendered(validated: Validated) -> str:
    """The table's expectations and how they held, as Great Expectations renders them: HTML for
    the body of a page, without its scripts and styles, which come from other people's servers."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer

    if not validated.outcomes:
        return ""
    document = ValidationResultsPageRenderer(run_info_at_end=True).render(validated.result)
    view = _section_view()
    # The first section repeats the page's own head, the last says when it was made: a page must
    # be the same each time the night is run.
    return "\n".join(
        view.render({"section": section.to_json_dict(), "section_loop": {"index": number}})
        for number, section in enumerate(document.sections[1:-1], start=1)
    )


@cache
def _section_view() -> Any:
    """The view of all pages of a process: each view compiles its templates anew."""
    from great_expectations.render.view import DefaultJinjaSectionView

    return DefaultJinjaSectionView()
