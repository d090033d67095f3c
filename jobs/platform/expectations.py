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
from typing import TYPE_CHECKING, Any

from jobs.catalog.checks import SQL
from jobs.catalog.tables import TABLES
from jobs.catalog.types import Check, Severity, Table
from jobs.platform.errors import LakeError

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.expectations.expectation import Expectation
    from pyspark.sql import DataFrame

    from jobs.platform.lake import Lake

SEVERITIES: dict[Severity, str] = {"stop": "critical", "warn": "warning"}
#: Counts, never values: what is unexpected may be anything, and Data Docs are for people.
_COUNTS_ONLY = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
#: `{accounts}`, `{account_daily:7}`; see catalog.checks.
_PLACE = re.compile(r"\{(\w+)(?::(\d+))?\}")
#: Longest example that is written down: file names can be of any length.
_EXAMPLE_CHARS = 200


@dataclass(frozen=True)
class Outcome:
    """What one expectation found on one table of one night.

    `unexpected` counts rows that break it, for checks of counts the counts that do. `example` is
    the key of the first such row, or what was observed.
    """

    table: str
    expectation: str
    severity: Severity
    passed: bool
    rows: int
    unexpected: int
    example: str | None


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
            checks.append(Check("ExpectColumnValuesToNotBeNull", (column,),
                                f"{c.name} is there"))
        if "declared" not in held:
            if c.minimum is not None or c.maximum is not None:
                bounds = (("min_value", c.minimum), ("max_value", c.maximum))
                low = "" if c.minimum is None else f" from {c.minimum:,g}"
                high = "" if c.maximum is None else f" to {c.maximum:,g}"
                checks.append(Check("ExpectColumnValuesToBeBetween", (column, *bounds),
                                    f"{c.name} is{low}{high}"))
            if c.values:
                checks.append(Check("ExpectColumnValuesToBeInSet",
                                    (column, ("value_set", list(c.values))),
                                    f"{c.name} is one of {', '.join(c.values)}"))
        if c.pattern is not None:
            checks.append(Check("ExpectColumnValuesToMatchRegex",
                                (column, ("regex", c.pattern)), f"{c.name} matches {c.pattern}"))
    return tuple(checks)  # fmt: skip


class NightValidator:
    """Validates tables of one night; views that checks in SQL name live as long as it does."""

    def __init__(self, lake: Lake, date: dt.date) -> None:
        # Nothing about a lake leaves it: the package must not report its use.
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        import great_expectations as gx
        from great_expectations.execution_engine import SparkDFExecutionEngine

        self.lake = lake
        self.date = date
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = {"globally": False}
        # Not persisted: each check reads a column or two, and a night may not fit into memory.
        self._engine = SparkDFExecutionEngine(spark=lake.session, persist=False)
        self._views: set[str] = set()

    def close(self) -> None:
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
            unexpected = 0 if result.success else _unexpected(result)
            example = None if result.success else self._example(table, frame, expectation, result)
            outcomes.append(Outcome(name, check.about, check.severity, bool(result.success), rows,
                                    unexpected, example))
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
        if check.kind == SQL:
            arguments["unexpected_rows_query"] = self._sql(arguments["unexpected_rows_query"])
        expectation: Expectation = getattr(gxe, check.kind)(
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

    def _example(
        self,
        table: Table,
        frame: DataFrame,
        expectation: Expectation,
        result: ExpectationValidationResult,
    ) -> str | None:
        """The key of the first row that breaks the expectation: the same on every engine."""
        observed = result.result.get("observed_value")
        if expectation.expectation_type == "unexpected_rows_expectation":
            again = self._results(frame, [expectation], {"result_format": "COMPLETE"})[0]
            found = (again.result.get("details") or {}).get("unexpected_rows") or []
            return _words(found[0]) if found else None
        if observed is not None:
            return _words({"observed": observed})
        key = [column for column in table.key if column != table.partition]
        again = self._results(frame.orderBy(*key), [expectation], {
            "result_format": "SUMMARY",
            "unexpected_index_column_names": key,
            "partial_unexpected_count": 1,
        })[0]  # fmt: skip
        found = again.result.get("partial_unexpected_index_list") or []
        return _words({name: found[0][name] for name in key}) if found else None

    def _raise_if_not_computed(
        self, name: str, check: Check, result: ExpectationValidationResult
    ) -> None:
        information = result.exception_info or {}
        raised = [information] if "raised_exception" in information else information.values()
        for entry in raised:
            if entry.get("raised_exception"):
                said = " ".join(str(entry.get("exception_message")).split())[:200]
                raise LakeError(f"{name}: {check.about}: can't be computed: {said}")


def _unexpected(result: ExpectationValidationResult) -> int:
    found = result.result
    if "unexpected_count" in found:
        return int(found["unexpected_count"])
    if found.get("observed_value") is None or result.expectation_config is None:
        return 0
    # What is observed is the number of rows that come out of SQL, or the size of the table.
    in_sql = result.expectation_config.type == "unexpected_rows_expectation"
    return int(found["observed_value"]) if in_sql else 0


def _words(row: dict[str, Any]) -> str:
    """`name=value, …` on one line, whatever an id or a file name may hold."""
    words = ", ".join(f"{name}={value}" for name, value in row.items())
    line = "".join(c if c.isprintable() else " " for c in words)
    return line if len(line) <= _EXAMPLE_CHARS else line[: _EXAMPLE_CHARS - 1] + "…"


def rendered(validated: Validated) -> str:
    """The table's expectations and how they held, as Great Expectations renders them: HTML for
    the body of a page, without its scripts and styles, which come from other people's servers."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaSectionView

    if not validated.outcomes:
        return ""
    document = ValidationResultsPageRenderer(run_info_at_end=True).render(validated.result)
    view = DefaultJinjaSectionView()
    # The first section repeats the page's own head, the last says when it was made: a page must
    # be the same each time the night is run.
    return "\n".join(
        view.render({"section": section.to_json_dict(), "section_loop": {"index": number}})
        for number, section in enumerate(document.sections[1:-1], start=1)
    )
