"""What is declared must be complete, must agree with itself, and must cost a DAG file nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import pytest

from jobs.catalog.checks import CHECK_POLICY, CHECKED, SQL
from jobs.catalog.features import FEATURE_NAMES, FEATURES, TEMPLATE_STATISTICS
from jobs.catalog.landing import ACCOUNTS, REQUESTS, SOURCES
from jobs.catalog.measures import INDICATORS, MEASURE_NAMES, MEASURES, WINDOWS
from jobs.catalog.steps import FILLED_BY_HAND, STEPS
from jobs.catalog.tables import ACCOUNTS_TABLE, CAMPAIGNS, REQUESTS_TABLE, TABLES
from jobs.catalog.types import Table

EACH_TABLE = pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
#: Whole numbers and doubles that say what they count by their name, or are no quantity at all.
WITHOUT_UNIT = {
    "client_asn", "signup_asn", "temperature", "top_p", "choice_count", "tool_count",
    "tool_result_count", "turn_index", "status_code", "kyc_level", "confidence", "prompt_markers",
    "prompt_words", "token", "account",
    "markers", "line", "score", "strength", "distillation_score", "resale_score", "sequence",
}  # fmt: skip
LANDING_COLUMNS = {column.name for source in SOURCES.values() for column in source.columns}
#: Words of SQL in features and measures; every other word must be declared.
SQL_WORDS = {
    "case", "when", "then", "else", "end", "and", "or", "not", "null", "is", "in", "between", "as",
    "cast", "double", "string", "bigint", "nullif", "sqrt", "ln", "abs", "least", "greatest",
    "coalesce", "datediff", "to_date", "date", "true", "false",
}  # fmt: skip


def words(sql: str) -> set[str]:
    """Names in a piece of SQL, without its strings and numbers."""
    bare = re.sub(r"'[^']*'", " ", sql)
    return set(re.findall(r"\b[a-z_][a-z0-9_]*\b", bare)) - SQL_WORDS


@EACH_TABLE
def test_every_table_says_what_it_is_and_who_answers_for_it(table: Table) -> None:
    assert table.about.endswith(".")
    assert table.owner in {"data-engineering", "machine-learning", "trust-and-safety"}
    assert table.retention_days > 0


@EACH_TABLE
def test_every_column_has_a_meaning(table: Table) -> None:
    assert [c.name for c in table.columns if len(c.about) < 5] == []


@EACH_TABLE
def test_column_names_are_unique_and_plain(table: Table) -> None:
    assert [name for name, n in Counter(table.column_names).items() if n > 1] == []
    assert [n for n in table.column_names if not re.fullmatch("[a-z][a-z0-9_]*", n)] == []


@EACH_TABLE
def test_key_and_partition_are_columns_that_are_never_null(table: Table) -> None:
    for name in {*table.key, *([table.partition] if table.partition else [])}:
        assert not table.column(name).nullable, name


@EACH_TABLE
def test_numbers_have_a_unit_where_they_need_one(table: Table) -> None:
    numbers = [c for c in table.columns if c.type in ("long", "int", "double")]
    bare = {c.name for c in numbers if c.unit is None}
    assert bare - WITHOUT_UNIT == set()


def test_times_say_their_zone() -> None:
    bare = [
        (t.name, c.name)
        for t in TABLES.values()
        for c in t.columns
        if c.type == "timestamp" and c.unit is None and not c.source
    ]
    assert bare == []


@EACH_TABLE
def test_columns_from_landing_name_a_column_that_lands(table: Table) -> None:
    for column in table.columns:
        if column.source and column.source.startswith("landing column "):
            assert column.source.removeprefix("landing column ") in LANDING_COLUMNS, column.name


def test_nothing_personal_is_clear_outside_the_table_that_a_setting_opens() -> None:
    clear = {(t.name, c.name) for t in TABLES.values() for c in t.columns if c.personal == "clear"}
    assert clear == {("request_text", "prompt_text"), ("request_text", "response_text")}


def test_landing_columns_that_personal_data_may_hide_in_are_not_kept_as_they_are() -> None:
    treated = {"client_address", "user_agent", "tls_ja4", "prompt_text", "response_text",
               "phone_token", "payment_fingerprint", "signup_address", "email_domain",
               "email_local_shape", "declared_use"}  # fmt: skip
    kept = {c.name for s in SOURCES.values() for c in s.columns if c.treatment == "keep"}
    assert treated & kept == set()


@EACH_TABLE
def test_checks_name_columns_of_their_table(table: Table) -> None:
    for check in table.checks:
        arguments = dict(check.arguments)
        if "column" in arguments:
            table.column(str(arguments["column"]))


@EACH_TABLE
def test_checks_are_told_apart_by_what_they_say(table: Table) -> None:
    said = Counter(check.about for check in table.checks)
    assert [about for about, n in said.items() if n > 1] == []


def test_every_table_with_checks_is_checked_by_one_step() -> None:
    checked = Counter(name for names in CHECKED.values() for name in names)
    assert set(checked) == {t.name for t in TABLES.values() if t.checks}
    assert set(checked.values()) == {1}


def test_a_step_declares_what_its_checks_read() -> None:
    for step in STEPS:
        for name in CHECKED.get(step.name, ()):
            read = {name}
            for check in TABLES[name].checks:
                query = str(dict(check.arguments).get("unexpected_rows_query", ""))
                read |= set(re.findall(r"\{(\w+)", query)) - {"batch", "date"}
            assert read <= set(step.reads), (step.name, name)


def test_sql_checks_mention_their_batch_and_have_an_order() -> None:
    for table in TABLES.values():
        for check in table.checks:
            if check.kind == SQL:
                query = str(dict(check.arguments)["unexpected_rows_query"])
                assert "{batch}" in query, check.about
                assert " order by " in query.rpartition(")")[2], check.about


def test_steps_read_and_write_tables_and_come_after_what_they_read() -> None:
    written: set[str] = set()
    seen: set[str] = set()
    for step in STEPS:
        assert {*step.reads, *step.writes} <= set(TABLES), step.name
        assert set(step.after) <= seen, step.name
        # A step may read what it writes itself: the nights before.
        assert set(step.reads) <= written | {*step.writes, *FILLED_BY_HAND}, step.name
        written |= set(step.writes)
        seen.add(step.name)


def test_every_table_is_written_by_a_step_or_by_hand_or_by_the_run_itself() -> None:
    written = {name for step in STEPS for name in step.writes}
    assert set(TABLES) - written == {"run_log", *FILLED_BY_HAND}


def test_measures_read_columns_of_requests() -> None:
    known = set(REQUESTS_TABLE.column_names) | {
        "sum", "count", "min", "max", "hour", "dayofweek"}  # fmt: skip
    for measure in MEASURES:
        assert words(measure.sql) - {"d"} <= known, measure.name
    assert len(set(MEASURE_NAMES)) == len(MEASURE_NAMES)


def test_features_are_unique_and_named_once_with_accounts_features_own_columns() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
    assert set(FEATURE_NAMES) & {"date", "account_id", "plan", "country", "active"} == set()


def test_features_are_made_of_declared_measures_only() -> None:
    windowed = {
        *MEASURE_NAMES,
        "active_days", "requests_max_day",
        *(name for name, _ in TEMPLATE_STATISTICS),
        *(f"{i.kind}_{what}" for i in INDICATORS if i.origin == "requests"
          for what in ("tokens", "fan", "share")),
    }  # fmt: skip
    known = {f"{name}_{days}d" for name in windowed for days in WINDOWS} | {
        *ACCOUNTS_TABLE.column_names,
        *(f"{i.kind}_fan" for i in INDICATORS if i.origin == "accounts"),
        "campaign_strength",
        *(f"campaign_{column}" for column in CAMPAIGNS.column_names),
    }  # fmt: skip
    unknown = {f.name: words(f.sql) - known for f in FEATURES if words(f.sql) - known}
    assert unknown == {}


def test_needs_name_real_landing_columns() -> None:
    landing = {c.name for c in (*REQUESTS.columns, *ACCOUNTS.columns)}
    for declared in (*FEATURES, *INDICATORS):
        assert set(declared.needs) <= landing, declared


def test_a_reason_has_a_place_for_its_figure() -> None:
    assert [f.name for f in FEATURES if f.reason and "{value}" not in f.reason] == []


def test_a_check_warns_before_it_stops() -> None:
    assert 0 < CHECK_POLICY.refused_warn < CHECK_POLICY.refused_stop < 1
    assert CHECK_POLICY.volume_low < 1 < CHECK_POLICY.volume_high
    assert CHECK_POLICY.snapshot_low < 1 < CHECK_POLICY.snapshot_high


def test_the_catalogue_loads_the_standard_library_only() -> None:
    script = (
        "import sys, importlib, pkgutil, jobs.catalog as c\n"
        "for m in pkgutil.iter_modules(c.__path__):\n"
        "    importlib.import_module('jobs.catalog.' + m.name)\n"
        "tops = {m.partition('.')[0] for m in sys.modules}\n"
        "known = set(sys.stdlib_module_names) | {'jobs', '__main__', 'sitecustomize'}\n"
        "print(sorted(t for t in tops - known if not t.startswith(('_', 'apport'))))\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                           check=True, timeout=60)  # fmt: skip
    assert found.stdout.strip() == "[]"


def test_one_thing_shared_counts_as_one_family_of_evidence() -> None:
    """Campaigns bind by axes, features by indicators: an action needs two families, and one clue
    that each of them calls by another name would pass for two."""
    from jobs.catalog.measures import INDICATORS_BY_KIND
    from jobs.catalog.policy import CAMPAIGN_POLICY

    two_names = {
        kind: (axis.family, INDICATORS_BY_KIND[kind].family)
        for axis in CAMPAIGN_POLICY.axes
        for kind, _ in axis.kinds
        if kind in INDICATORS_BY_KIND and INDICATORS_BY_KIND[kind].family != axis.family
    }
    assert two_names == {}
