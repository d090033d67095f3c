"""The steps check_landed and check_scored: what they write, what ends a night, what people see."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from nights import NIGHT, alter, good_night, planted, refused, write

from jobs import checks, reports
from jobs.catalog.checks import CHECKED, SQL
from jobs.catalog.tables import TABLES
from jobs.catalog.types import Check
from jobs.platform import data_docs
from jobs.platform.errors import LakeError, NightStopped
from jobs.platform.lake import Lake

Fill = Callable[..., int]


def stopped(lake: Lake, step: str) -> str:
    with pytest.raises(NightStopped) as raised:
        checks.run(lake, NIGHT, step)
    return str(raised.value)


def page(lake: Lake, step: str) -> str:
    path = Path(lake.root) / data_docs.FOLDER / NIGHT.isoformat() / f"{step}.html"
    return path.read_text(encoding="utf-8")


def index(lake: Lake) -> str:
    return (Path(lake.root) / data_docs.FOLDER / "index.html").read_text(encoding="utf-8")


def test_a_failed_stop_check_ends_the_night_in_one_line(good: Lake, fill: Fill) -> None:
    night = good_night()
    night["accounts"].append({"account_id": "a001", "status": "active"})
    night["landing_files"][1].update(landed=121, kept=121)
    alter(good, fill, night)
    assert stopped(good, "check_landed") == (
        "check_landed 2026-05-03: accounts: account_id is unique failed on 2 of 121 rows, "
        "for example account_id=a001; nothing downstream was published"
    )


def test_the_line_says_how_many_more_failed_and_of_what(good: Lake, fill: Fill) -> None:
    night = good_night()
    del night["account_scores"][5]
    del night["account_scores"][5]
    night["campaign_members"][1]["campaign_id"] = "c9"
    alter(good, fill, night)
    line = stopped(good, "check_scored")
    assert line.startswith(
        "check_scored 2026-05-03: campaigns: accounts is the number of its "
        "members failed on 1 of 1 rows, for example campaign_id=c1 (and "
    )
    night = good_night()
    del night["account_scores"][5:7]
    write(good, fill, night)
    assert stopped(good, "check_scored") == (
        "check_scored 2026-05-03: account_scores: every account with traffic in 7 nights is "
        "scored failed on 2 accounts, for example account_id=a005; "
        "nothing downstream was published"
    )  # fmt: skip


def test_an_empty_table_is_told_by_what_was_observed(good: Lake, fill: Fill) -> None:
    night = good_night()
    for name in ("requests", "landing_files", "quarantine", "accounts", "labels"):
        night[name].clear()
    alter(good, fill, night)
    assert "landing_files: at least 1 row failed (observed=0) (and 2 more failed)" in stopped(
        good, "check_landed")  # fmt: skip


def test_a_failed_warn_check_is_written_down_and_the_night_goes_on(good: Lake, fill: Fill) -> None:
    night = good_night()
    refused(night, 6)
    alter(good, fill, night)
    checks.run(good, NIGHT, "check_landed")
    (row,) = [r for r in good.rows("check_results").to_pylist() if not r["passed"]]
    assert row == {
        "date": NIGHT, "step": "check_landed", "table_name": "landing_files",
        "expectation": "at most 2% of a source's records are refused", "severity": "warn",
        "passed": False, "rows": 3, "unexpected": 1,
        "example": "source=requests, refused=6, landed=246",
    }  # fmt: skip
    assert "warned" in index(good)


def test_drift_warns_in_a_line_of_the_status_and_the_night_goes_on(good: Lake, fill: Fill) -> None:
    night = good_night()
    night["drift"][0].update(psi=2.5, missing=0.4)
    night["drift"][2].update(psi=0.7)
    refused(night, 150)
    alter(good, fill, night)
    stopped(good, "check_landed")
    checks.run(good, NIGHT, "check_scored")
    assert [line for line in reports.warnings(good, NIGHT) if ": drift: " in line] == [
        "warning of 2026-05-03: drift: features and scores are distributed as on the nights "
        "before: psi at most 0.25 over psi_expected failed (2 found, first name=campaign_score, "
        "psi=2.5, psi_expected=0.05)",
        "warning of 2026-05-03: drift: features are there as on the nights before: missing for "
        "at most 5% of accounts more failed (1 found, first name=campaign_score, missing=0.4, "
        "reference_missing=0.1)",
    ]
    # What stops a night is said where it stopped; what holds is not said.
    assert not [line for line in reports.warnings(good, NIGHT) if "at most 30%" in line]
    assert reports.warnings(good, NIGHT.replace(day=2)) == []


def test_results_hold_both_steps_and_a_step_run_again_replaces_its_own(
    good: Lake, fill: Fill
) -> None:
    night = good_night()
    refused(night, 6)
    alter(good, fill, night)
    checks.run(good, NIGHT, "check_landed")
    checks.run(good, NIGHT, "check_scored")
    first = good.rows("check_results").to_pylist()
    declared = {(step, name, check.about) for step, names in CHECKED.items() for name in names
                for check in TABLES[name].checks}  # fmt: skip
    assert {(r["step"], r["table_name"], r["expectation"]) for r in first} == declared
    assert len(first) == len(declared)
    checks.run(good, NIGHT, "check_landed")
    assert good.rows("check_results").to_pylist() == first
    write(good, fill, good_night())
    checks.run(good, NIGHT, "check_landed")
    assert all(r["passed"] for r in good.rows("check_results").to_pylist())


def test_other_nights_results_stay(good: Lake, fill: Fill) -> None:
    before = NIGHT.replace(day=2)
    fill(good, "check_results", before, [{"step": "check_landed", "expectation": "x"}])
    checks.run(good, NIGHT, "check_landed")
    assert good.nights("check_results") == [before, NIGHT]


def test_a_stopped_night_has_its_results_and_pages(good: Lake, fill: Fill) -> None:
    night = good_night()
    night["requests"].append(dict(night["requests"][3]))
    night["landing_files"][0].update(landed=241, kept=241)
    alter(good, fill, night)
    stopped(good, "check_landed")
    failed = [r for r in good.rows("check_results").to_pylist() if not r["passed"]]
    assert [(r["table_name"], r["expectation"], r["unexpected"]) for r in failed] == [
        ("requests", "request_id is unique", 2)]  # fmt: skip
    shown = page(good, "check_landed")
    assert "stopped the night" in shown
    assert "request_id is unique" in shown
    assert "request_id=r0003" in shown
    # What Great Expectations renders itself stands there too, and knows that it failed.
    assert "Table-Level Expectations" in shown
    assert "text-danger" in shown.split("<details>")[2]
    assert 'href="2026-05-03/check_landed.html"' in index(good)
    assert "requests: request_id is unique" in index(good)


def test_pages_need_no_network_and_are_the_same_each_time(good: Lake, fill: Fill) -> None:
    checks.run(good, NIGHT, "check_landed")
    first = page(good, "check_landed"), index(good)
    checks.run(good, NIGHT, "check_landed")
    assert (page(good, "check_landed"), index(good)) == first
    for html in first:
        assert not re.search(r"https?://|<script|<link|<img|<iframe", html)


def test_pages_older_than_the_results_are_kept_are_removed(good: Lake, fill: Fill) -> None:
    old = Path(good.root) / data_docs.FOLDER / "2024-01-01"
    young = Path(good.root) / data_docs.FOLDER / "2026-04-01"
    for folder in (old, young):
        folder.mkdir(parents=True)
    checks.run(good, NIGHT, "check_landed")
    assert (old.exists(), young.exists()) == (False, True)


def test_no_value_but_keys_and_counts_is_shown(good: Lake, fill: Fill) -> None:
    write(good, fill, planted())
    lines = [stopped(good, step) for step in CHECKED]
    results = good.rows("check_results").to_pylist()
    assert sum(not row["passed"] for row in results) > 10
    shown = [*lines, repr(results), index(good), *(page(good, step) for step in CHECKED)]
    assert [text for text in shown if "SECRET" in text] == []


def test_values_that_break_a_pattern_are_not_shown_either(
    good: Lake, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = tuple(replace(c, pattern="^[a-z]+$") if c.name == "client" else c
                    for c in TABLES["requests"].columns)  # fmt: skip
    monkeypatch.setitem(TABLES, "requests", replace(TABLES["requests"], columns=columns))
    night = good_night()
    for row in night["requests"][7:9]:
        row["client"] = "SECRET"
    alter(good, fill, night)
    line = stopped(good, "check_landed")
    assert line.startswith(
        "check_landed 2026-05-03: requests: client matches ^[a-z]+$ failed on "
        "2 of 240 rows, for example request_id=r0007; "
    )
    assert "SECRET" not in line + page(good, "check_landed") + index(good)


def test_a_check_that_can_not_be_computed_is_an_error_and_not_a_pass(
    good: Lake, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Check(SQL, (("unexpected_rows_query", "select nothing from {batch}"),), "it is so",
                   "warn")  # fmt: skip
    monkeypatch.setitem(TABLES, "labels", replace(TABLES["labels"], checks=(broken,)))
    with pytest.raises(LakeError, match="labels: it is so: can't be computed") as raised:
        checks.run(good, NIGHT, "check_landed")
    assert "\n" not in str(raised.value)
    assert good.rows("check_results").num_rows == 0


def test_views_of_a_night_do_not_outlive_it(good: Lake, fill: Fill) -> None:
    checks.run(good, NIGHT, "check_landed")
    for view in ("night_accounts_1", "night_landing_files_15"):
        with pytest.raises(Exception, match=view):
            good.session.table(view).count()


def test_great_expectations_is_imported_by_validation_alone() -> None:
    script = (
        "import sys, jobs.checks, jobs.platform.expectations, jobs.platform.data_docs\n"
        "print([m for m in sys.modules if m.partition('.')[0] in ('great_expectations', 'pandas')])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                           check=True, timeout=60)  # fmt: skip
    assert found.stdout.strip() == "[]"


def test_only_one_module_knows_great_expectations() -> None:
    root = Path(checks.__file__).parents[1]
    importing = {
        path.relative_to(root).as_posix()
        for folder in ("jobs", "models", "dags")
        for path in (root / folder).rglob("*.py")
        if re.search(r"^\s*(import|from) great_expectations", path.read_text(), re.MULTILINE)
    }
    assert importing == {"jobs/platform/expectations.py"}
