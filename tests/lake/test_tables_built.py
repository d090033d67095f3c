"""Every table is built from its declaration by delta-rs, which needs no engine."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from jobs.catalog.tables import TABLES
from jobs.catalog.types import STRING, Column, Table
from jobs.platform.errors import LakeError
from jobs.platform.lake import Lake, check_constraints, delta_schema

EACH_TABLE = pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)


@EACH_TABLE
def test_a_table_has_its_declared_columns_comments_and_partition(
    bare_lake: Lake, table: Table
) -> None:
    bare_lake.create(table.name)
    delta = DeltaTable(bare_lake.path(table.name))
    assert delta.schema() == delta_schema(table)
    comments = {field.name: field.metadata["comment"] for field in delta.schema().fields}
    for column in table.columns:
        assert comments[column.name].startswith(column.about)
        assert column.unit is None or f"Unit: {column.unit}." in comments[column.name]
    # NOT NULL stands in the schema for keys only and in the constraint for the rest: the engine
    # plans a write in a time that doubles with each.
    nulls = {field.name for field in delta.schema().fields if not field.nullable}
    assert nulls == set(table.key)
    assert delta.metadata().partition_columns == ([table.partition] if table.partition else [])
    assert (delta.metadata().name, delta.metadata().description) == (table.name, table.about)


@EACH_TABLE
def test_a_table_holds_what_its_columns_declare(bare_lake: Lake, table: Table) -> None:
    held = bare_lake.guarantees(table.name)
    assert {f"{c.name}_not_null" for c in table.columns if not c.nullable} <= held
    bounded = any(
        c.values
        or c.minimum is not None
        or c.maximum is not None
        or (not c.nullable and c.name not in table.key)
        for c in table.columns
    )
    assert len(check_constraints(table)) == int(bounded)
    configuration = DeltaTable(bare_lake.path(table.name)).metadata().configuration
    assert sum(key.startswith("delta.constraints.") for key in configuration) == int(bounded)


def test_creating_a_table_again_commits_nothing(bare_lake: Lake) -> None:
    bare_lake.create("accounts")
    version = bare_lake.version("accounts")
    bare_lake.create("accounts")
    assert bare_lake.version("accounts") == version


def test_a_table_left_without_constraints_by_a_kill_gets_them(bare_lake: Lake) -> None:
    DeltaTable.create(bare_lake.path("campaigns"), delta_schema(TABLES["campaigns"]),
                      partition_by=["date"])  # fmt: skip
    assert "declared" in bare_lake.guarantees("campaigns")


def declare(monkeypatch: pytest.MonkeyPatch, name: str, **changes: Any) -> None:
    monkeypatch.setitem(TABLES, name, replace(TABLES[name], **changes))


def test_a_column_that_the_declaration_gains_is_added_and_old_nights_stay(
    bare_lake: Lake, fill: Any, night: dt.date, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bare_lake, "labels", night, [{"account_id": "a1", "label": "benign",
                                       "source": "analyst"}])  # fmt: skip
    gained = Column("reviewer", STRING, "Who looked.", nullable=False, values=("person", "model"))
    declare(monkeypatch, "labels", columns=(*TABLES["labels"].columns, gained))
    rows = bare_lake.rows("labels", night, night)
    assert rows["reviewer"].to_pylist() == [None]
    # Earlier nights have none, so Delta can't hold NOT NULL: the night's expectations see to it.
    assert "reviewer_not_null" not in bare_lake.guarantees("labels")
    assert "declared" in bare_lake.guarantees("labels")


def test_a_changed_constraint_replaces_the_one_before(
    bare_lake: Lake, fill: Any, night: dt.date, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"account_id": "a1", "label": "leak", "source": "analyst"}
    with pytest.raises(LakeError, match="a row breaks what the catalogue declares"):
        fill(bare_lake, "labels", night, [row])
    columns = tuple(
        replace(c, values=(*c.values, "leak")) if c.name == "label" else c
        for c in TABLES["labels"].columns
    )
    declare(monkeypatch, "labels", columns=columns)
    assert fill(bare_lake, "labels", night, [row]) == 1
    configuration = DeltaTable(bare_lake.path("labels")).metadata().configuration
    assert sum(key.startswith("delta.constraints.") for key in configuration) == 1


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("account_scores", {"distillation_score": 1.1}),
        ("account_scores", {"distillation_score": -0.1}),
        ("account_scores", {"distillation_score": float("nan")}),
        ("account_scores", {"resale_score": None}),
        ("campaigns", {"kind": "other"}),
        ("campaigns", {"accounts": 1}),
        ("accounts", {"kyc_level": 4}),
        ("accounts", {"account_id": None}),
    ],
)
def test_delta_refuses_what_a_column_forbids(
    bare_lake: Lake, fill: Any, night: dt.date, table: str, row: dict[str, Any]
) -> None:
    with pytest.raises(LakeError, match="can't be written"):
        fill(bare_lake, table, night, [row])
    assert bare_lake.rows(table).num_rows == 0


def test_a_bound_lets_null_pass_where_the_column_is_nullable(
    bare_lake: Lake, fill: Any, night: dt.date
) -> None:
    assert fill(bare_lake, "accounts", night, [{"kyc_level": None}, {"kyc_level": 3}]) == 2


def test_an_error_is_one_line_and_shows_no_values(
    bare_lake: Lake, fill: Any, night: dt.date
) -> None:
    with pytest.raises(LakeError) as raised:
        fill(bare_lake, "labels", night, [{"account_id": "acct_secret", "label": "x"}])
    assert "\n" not in str(raised.value)
    assert "acct_secret" not in str(raised.value)


def test_rows_of_a_night_are_replaced_and_other_nights_stay(
    bare_lake: Lake, fill: Any, night: dt.date
) -> None:
    before = night - dt.timedelta(days=1)
    fill(bare_lake, "accounts", before, [{"account_id": "old"}])
    fill(bare_lake, "accounts", night, [{"account_id": "a1"}, {"account_id": "a2"}])
    fill(bare_lake, "accounts", night, [{"account_id": "a3"}])
    rows = bare_lake.rows("accounts", columns=["date", "account_id"]).to_pylist()
    assert sorted((r["date"], r["account_id"]) for r in rows) == [(before, "old"), (night, "a3")]
    assert bare_lake.nights("accounts") == [before, night]
    assert (bare_lake.count("accounts", before), bare_lake.count("accounts", night)) == (1, 1)


def test_a_night_can_be_written_with_no_rows(bare_lake: Lake, fill: Any, night: dt.date) -> None:
    fill(bare_lake, "accounts", night, [{"account_id": "a1"}])
    assert fill(bare_lake, "accounts", night, []) == 0
    assert bare_lake.rows("accounts").num_rows == 0


def test_rows_of_another_night_are_left_out(bare_lake: Lake, night: dt.date) -> None:
    rows = pa.table({
        "date": [night, night - dt.timedelta(days=1)],
        "campaign_id": ["c", "c"], "account_id": ["in", "out"],
        "joined": [night, night], "strength": [1.0, 1.0],
    })  # fmt: skip
    assert bare_lake.replace_night("campaign_members", night, rows) == 1
    assert bare_lake.rows("campaign_members")["account_id"].to_pylist() == ["in"]


def test_a_missing_column_is_an_error(bare_lake: Lake, night: dt.date) -> None:
    rows = pa.table({"campaign_id": ["c"], "account_id": ["a"], "joined": [night]})
    with pytest.raises(LakeError, match="strength"):
        bare_lake.replace_night("campaign_members", night, rows)


def test_only_a_table_declared_append_only_is_appended_to(
    bare_lake: Lake, night: dt.date, fill: Any
) -> None:
    with pytest.raises(LakeError, match="a night at a time"):
        bare_lake.append("accounts", pa.table({"account_id": ["a"]}))
    decision = {
        "date": [night],
        "sequence": [1],
        "decision": ["skip"],
        "reason": ["few labels"],
        "figures": ["{}"],
        **{
            n: pa.array([None], pa.string())
            for n in ("champion_version", "challenger_version", "fingerprint", "run_id")
        },
    }
    for _ in range(2):
        bare_lake.append("model_decisions", pa.table(decision))
    assert bare_lake.rows("model_decisions").num_rows == 2  # fmt: skip


def test_a_lake_without_an_engine_says_so(bare_lake: Lake, night: dt.date) -> None:
    with pytest.raises(LakeError, match="no engine"):
        bare_lake.night("accounts", night)


def test_a_table_of_someone_elses_making_is_read_as_it_is(bare_lake: Lake) -> None:
    # An older lake may hold columns that the declaration has dropped.
    DeltaTable.create(bare_lake.path("request_text"), Schema([
        *delta_schema(TABLES["request_text"]).fields,
        Field("dropped", PrimitiveType("string"), nullable=True),
    ]), partition_by=["date"])  # fmt: skip
    assert "dropped" in bare_lake.rows("request_text").column_names
