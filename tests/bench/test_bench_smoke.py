"""Every case at a tiny size; that all who are compared do the same; what the report says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.bench import data, report, rollups, rollups_duckdb, sketches
from tests.bench.__main__ import main
from tests.bench.cases import CASES, Plan
from tests.bench.measure import Measured, Meter, run_here
from tests.bench.results import Results, Run
from tests.bench.rollups_sql import TABLES
from tests.bench.wanted import WANTED

#: Whole nights are for tests/night: here, whether what is measured runs.
TINY = [
    "--requests", "1500", "--repeats", "1", "--days", "3", "--requests-a-day", "600",
    "--prompts", "1000", "--links", "20000", "--steps", "ingest", "--no-spark",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that one run of every case left."""
    out: Path = tmp_path_factory.mktemp("bench")
    page = out / "page.md"
    page.write_text(
        f"# Page\n\nBefore.\n\n{report.BEGIN}\nan earlier run\n{report.END}\n\nAfter.\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(out / "config"))
        main([*TINY, "--out", str(out), "--page", str(page)], run_here)
    return out


def test_every_case_ran_with_every_arm_but_those_that_need_java(run: Path) -> None:
    results = Results.read(run / "report.json")
    plan = Plan(requests=(1500,), days=3, requests_a_day=600, prompts=1000, links=20_000)
    for case in CASES:
        wanted = {
            (trial.arm.name, trial.data.name)
            for one in case.rounds(plan) for trial in one.trials if not trial.arm.java
        }  # fmt: skip
        ran = {(found.arm, found.data) for found in results.of(case.name)}
        assert ran == wanted, case.name
    assert results.left_out == {"Spark": "--no-spark", "Stillwatch on Spark": "--no-spark"}


def test_nights_again_start_from_the_lake_before_them(run: Path) -> None:
    results = Results.read(run / "report.json")
    rows = {}
    for found in results.of("nights"):
        first = found.measured.result["first"]
        for number, night in enumerate(found.measured.result["nights"], first):
            rows.setdefault(number, []).append(night["rows"]["requests"])
    # Nights 2 and 3, each in both; as many are left when those before them are known.
    assert [len(rows[number]) for number in (1, 2, 3)] == [1, 2, 2]
    assert all(len(set(kept)) == 1 for kept in rows.values())
    assert not list(run.glob("nights-*/lake-*"))


def test_duckdb_and_polars_by_hand_write_the_same_rollups(run: Path) -> None:
    (check,) = Results.read(run / "report.json").checks["rollups"].values()
    assert check["differing"] == {who: dict.fromkeys(TABLES, 0) for who in ("duckdb", "polars")}
    assert min(check["rows"].values()) > 100


def test_scipy_and_networkx_give_the_same_groups_where_groups_are_components(run: Path) -> None:
    checks = Results.read(run / "report.json").checks["graph"]
    assert checks["graph-20000"]["differing"] == dict.fromkeys(
        ("stillwatch", "scipy", "networkx-components", "networkx-labels"), 0
    )
    by_chance = checks["graph-20000-chance-10"]["differing"]
    assert by_chance["stillwatch"] == 0 < by_chance["scipy"]


def test_signatures_of_all_estimate_the_same_similarity(run: Path) -> None:
    (check,) = Results.read(run / "report.json").checks["sketch"].values()
    # Most pairs have nothing or all in common, where eight hashes hardly err; other shingles would.
    assert set(check["error"]) == {"stillwatch", "datasketch", "rensa"}
    assert all(0.0 < error < 0.12 for error in check["error"].values())
    assert check["mean_similarity"] > 0.03


def test_one_customer_has_its_share_of_the_day(run: Path) -> None:
    found = Results.read(run / "report.json").data
    assert found["day-1500-one-30"]["requests"]["largest"] == pytest.approx(0.3, abs=0.05)
    assert found["day-1500"]["requests"]["largest"] < 0.15


def test_the_page_holds_the_report_and_no_path_of_the_machine(run: Path) -> None:
    page = (run / "page.md").read_text()
    assert page.startswith(f"# Page\n\nBefore.\n\n{report.BEGIN}\n")
    assert page.endswith(f"{report.END}\n\nAfter.\n")
    assert "an earlier run" not in page
    for case in CASES:
        assert (f"## {case.title}" in page) == (case.name != "spark")
    for wanted in WANTED:
        assert f"| {wanted.name} |" in page
    told = page + (run / "report.md").read_text() + (run / "page" / "report.json").read_text()
    assert str(run) not in told and str(Path.home()) not in told
    pictures = {file.name for file in (run / "page").glob("*.png")}
    assert pictures == {f"{name}.png" for name in ("night", "rollups", "sketch", "graph", "nights")}
    assert all(f"](page/{name})" in page for name in pictures)


def test_what_a_run_wrote_is_removed_and_what_it_started_from_stays(run: Path) -> None:
    assert (run / "day-1500" / "landing").is_dir()
    assert not (run / "day-1500" / "lake").exists()
    assert not (run / "day-1500" / "written").exists()


def test_a_comparison_counts_each_row_that_differs(tmp_path: Path) -> None:
    data.make_day(tmp_path, Meter(), requests=700, accounts=600)
    rollups.ingest_day(tmp_path, Meter())
    rollups.stillwatch(tmp_path, Meter())
    rollups_duckdb.work(tmp_path, Meter())
    written = tmp_path / "written" / "duckdb"

    def change(name: str, column: str, values: Any) -> None:
        table = pq.read_table(written / f"{name}.parquet")
        place = table.column_names.index(column)
        pq.write_table(table.set_column(place, column, values(table)), written / f"{name}.parquet")

    def add(by: float) -> Any:
        first = pa.array([by])
        return lambda table: pa.chunked_array(
            [pc.add(table["input_log"][:1].combine_chunks(), first), table["input_log"][1:]
             .combine_chunks()]
        )  # fmt: skip

    assert set(_differing(tmp_path).values()) == {0}
    change("account_daily", "input_log", add(1e-12))
    assert _differing(tmp_path)["account_daily"] == 0
    change("account_daily", "input_log", add(1e-3))
    table = pq.read_table(written / "account_templates.parquet")
    pq.write_table(table[1:], written / "account_templates.parquet")
    assert _differing(tmp_path) == {
        "account_daily": 1, "account_indicators": 0, "account_templates": 1,
    }  # fmt: skip


def _differing(folder: Path) -> dict[str, int]:
    found: dict[str, int] = rollups.compare(folder, Meter(), ["duckdb"])["differing"]["duckdb"]
    return found


def test_shingles_are_cut_as_the_sketch_cuts_them() -> None:
    assert set(sketches.shingles(" Write 12  Essays\ton CATS ")) == {
        "write 0 essays", "0 essays on", "essays on cats",
    }  # fmt: skip
    assert sketches.shingles("Two words") == ["two words"]


def results(*runs: tuple[str, str, str, int, float, float]) -> Results:
    """Of (case, arm, data, size, seconds, CPU seconds)."""
    made = Results({})
    for case, arm, name, size, seconds, cpu in runs:
        measured = Measured(seconds, seconds + 3, cpu, 7_000_000_000, 0, 0, 0, 0)
        made.runs.append(Run(case, arm, name, size, "requests", measured))
        made.data[name] = {"size": size, "accounts": 20_000}
    return made


def row(made: Results, name: str) -> str:
    (line,) = (li for li in report.wanted_table(made).splitlines() if li.startswith(f"| {name} |"))
    return line


def test_a_ratio_is_of_medians_and_open_where_outputs_differ() -> None:
    runs = [("rollups", "Stillwatch", "day", 1000, s, 4.0) for s in (9.0, 3.0, 2.0)]
    runs += [("rollups", "DuckDB", "day", 1000, s, 2.0) for s in (1.0, 2.0, 9.0)]
    made = results(*runs)
    made.checks = {"rollups": {"day": {"differing": {"duckdb": {"account_daily": 0}}}}}
    name = "rollups against DuckDB by hand, same output"
    assert row(made, name) == f"| {name} | ≤ 1× | 1.50× | 2.00× | no | 1,000 requests |"
    made.checks["rollups"]["day"]["differing"]["duckdb"]["account_daily"] = 7
    assert row(made, name).endswith("| open | 1,000 requests; outputs differ in 7 rows |")


def test_seconds_of_a_busy_machine_are_not_judged() -> None:
    measured = Measured(1.0, 2.0, 1.0, 0, 0, 0, 0, 0, others_cores=0.7)
    made = results(("twice", "Stillwatch", "day-1", 1000, 1.0, 1.0))
    assert "| yes |" in _twice_on(made, Measured(1.5, 2.0, 1.0, 0, 0, 0, 0, 0))
    assert "| open |" in _twice_on(made, measured)


def _twice_on(made: Results, measured: Measured) -> str:
    later = [Run("twice", "Stillwatch", "day-2", 2000, "requests", measured)] * 2
    return row(Results({}, runs=[*made.runs, *later]), "twice the day")


def test_nights_of_many_sizes_say_what_a_doubling_takes() -> None:
    made = results(
        ("night", "Stillwatch", "day-8", 8000, 27.0, 27.0),  # <- three doublings, 27 times
        ("night", "Stillwatch", "day-1", 1000, 1.0, 1.0),
        ("night", "reading the landing", "day-1", 1000, 0.1, 0.1),
    )
    name = "twice the day, a doubling on average"
    assert row(made, name) == f"| {name} | ≤ 2.1× | 3.00× | 3.00× | no | 1,000 to 8,000 requests |"


def test_memory_of_a_smaller_day_answers_nothing() -> None:
    name = "peak memory of a night of 64 million requests and 1,000,000 accounts"
    small = results(("night", "Stillwatch", "day", 1000, 1.0, 1.0))
    assert "| 7.00 GB |  | open |" in row(small, name)
    large = results(("night", "Stillwatch", "day", 64_000_000, 1.0, 1.0))
    assert "| 7.00 GB |  | yes |" in row(large, name)


def test_late_nights_are_held_against_early_ones_night_by_night() -> None:
    made = results()
    for arm, first, took in (("early nights", 2, 8.0), ("late nights", 39, 10.0)):
        of_nights = [{"seconds": s, "cpu_seconds": 2 * s} for s in (30.0, *[took] * 6)]
        measured = Measured(0, 0, 0, 0, 0, 0, 0, 0, result={"first": first, "nights": of_nights})
        made.runs.append(Run("nights", arm, "days", 20_000, "requests", measured))
    name = "a late night against an early one"
    assert row(made, name) == (
        f"| {name} | ≤ 1.1× | 1.25× | 1.25× | no | nights 39 to 45 and 2 to 8 (medians), 20,000 "
        "requests a day |"
    )


def test_what_was_not_measured_is_said() -> None:
    assert row(results(), "twice the day") == "| twice the day | ≤ 2.1× | not measured | | | |"


def test_a_page_without_a_block_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n")
    with pytest.raises(SystemExit, match=r"page\.md has no block"):  # before hours of work
        main([*TINY, "--out", str(tmp_path / "out"), "--page", str(page)], run_here)


def test_a_day_that_would_fill_the_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="are free where --out is"):
        data.require_space(tmp_path, 10**12)
