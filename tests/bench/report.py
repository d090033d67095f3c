"""The report: Markdown, pictures, and the page of the docs that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import pictures
from tests.bench.cases import CASES, CASES_BY_NAME, STILLWATCH, Case, Plan
from tests.bench.results import BUSY, Results, Run, cpu, seconds
from tests.bench.wanted import WANTED, Found, Wanted

_GB, _MB = 1e9, 1e6
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
#: Of many nights, those that the table shows.
_SHOWN_NIGHTS = (1, 2, 5, 10, 15, 20, 25, 30, 35, 40, 45)


def write(results: Results, out: Path, page: Path | None = None) -> None:
    """report.md and pictures in `out`; with a page, its marked block and its own pictures."""
    drawn = pictures.draw(results, out)
    (out / "report.md").write_text("# Benchmarks\n\n" + body(results, drawn), encoding="utf-8")
    if page is None:
        return
    beside = page.with_suffix("")
    beside.mkdir(exist_ok=True)
    pictures.draw(results, beside)
    results.write(beside / "report.json")
    shown = {name: f"{beside.name}/{file}" for name, file in drawn.items()}
    fill_block(page, body(results, shown))


def fill_block(page: Path, said: str) -> None:
    """Write what was found into the page's block, in the place of what stood there.

    Raises:
        ValueError: it has no block for the report.
    """
    text = page_with_block(page)
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n{said}\n{END}{after}", encoding="utf-8")


def page_with_block(page: Path) -> str:
    """The page's text.

    Raises:
        ValueError: it has no block for the report.
    """
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page.name} has no block for the report: put {BEGIN} and {END} into it")
    return text


def body(results: Results, drawn: dict[str, str]) -> str:
    """The report below its title; `drawn` has the address of each picture."""
    about = results.about
    machine = about["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        *_origins(results),
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}. {versions}.",
        "",
    ]
    lines += ["## What is wanted, and what was found", "", wanted_table(results), ""]
    lines += _data_table(results)
    for case in (case for case in CASES if results.of(case.name)):
        lines += _case(results, case, drawn)
    for arm, why in results.left_out.items():
        lines += [f"Left out: {arm} ({why}).", ""]
    return "\n".join(lines).rstrip() + "\n"


def _origins(results: Results) -> list[str]:
    """The runs that the cases are from, and whether they had the machine to themselves."""
    lines = []
    cases: dict[tuple[str, str], dict[str, None]] = {}
    for case, by_data in results.origins.items():
        if not results.of(case):
            continue
        for origin in by_data.values():
            cases.setdefault((origin["command"], origin["date"]), {})[case] = None
    for (command, date), names in cases.items():
        of = "" if len(cases) == 1 else f": {', '.join(CASES_BY_NAME[n].title for n in names)}"
        lines += [f"`{command}`, {date}{of}.", ""]
    busy = {case: others for case in results.origins
            if (others := results.others_cores(case)) > BUSY}  # fmt: skip
    if busy:
        told = ", ".join(f"{CASES_BY_NAME[case].title} {n:.1f}" for case, n in busy.items())
        lines += [
            "**Other work shared the machine**, so what is wanted of seconds is left open here; "
            f"CPU time still compares. Cores that it kept busy on average: {told}.", "",
        ]  # fmt: skip
    return lines


def wanted_table(results: Results) -> str:
    lines = [
        "| | wanted | found | by CPU time | holds | on |",
        "| --- | ---: | ---: | ---: | --- | --- |",
    ]
    for wanted in WANTED:
        found = wanted.find(results)
        if not found:
            lines.append(f"| {wanted.name} | {_bound(wanted)} | not measured | | | |")
        lines += [_wanted_row(wanted, one, results) for one in found]
    return "\n".join(lines)


def _bound(wanted: Wanted) -> str:
    unit = "×" if wanted.unit == "×" else f" {wanted.unit}"
    return f"{'≥' if wanted.at_least else '≤'} {wanted.bound:g}{unit}"


def _wanted_row(wanted: Wanted, found: Found, results: Results) -> str:
    unit = "×" if wanted.unit == "×" else f" {wanted.unit}"
    by_cpu = "" if found.by_cpu is None else f"{_number(found.by_cpu)}{unit}"
    holds = {True: "yes", False: "no", None: "open"}[wanted.holds(found, results)]
    where = found.where + (f"; {found.but}" if found.but else "")
    return (f"| {wanted.name} | {_bound(wanted)} | {_number(found.value)}{unit} | {by_cpu} | "
            f"{holds} | {where} |")  # fmt: skip


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _data_table(results: Results) -> list[str]:
    """Simulated days: how large, how uneven, how long their prompts are."""
    rows = []
    for name, held in results.data.items():
        told = held.get("requests")
        if not told or "chars_mean" not in told:
            continue
        cells = (
            name, f"{told['requests']:,.0f}", f"{held['accounts']:,}", f"{told['accounts']:,.0f}",
            f"{told['largest']:.1%}", f"{told['top_1_percent']:.0%}",
            f"{told['top_10_percent']:.0%}", f"{told['chars_mean']:,.0f}",
            f"{told['chars_median']:,.0f}", f"{told['chars_p99']:,.0f}",
            f"{held['bytes'] / _MB:,.0f}",
        )  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    if not rows:
        return []
    return [
        "## What it was measured on", "",
        "Simulated landing days, dirt and all: skew, lengths and rhythm are drawn from figures of "
        "production traffic (`jobs/simulator/traffic.py`). The share of requests that the largest "
        "account, the largest 1 % and the largest 10 % of the day's accounts send; characters of a "
        "prompt; megabytes as they landed.", "",
        "| day | requests | accounts | of them that day | largest | 1 % | 10 % | mean prompt | "
        "median | 99 % | MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *rows, "",
    ]  # fmt: skip


def _case(results: Results, case: Case, drawn: dict[str, str]) -> list[str]:
    lines = [f"## {case.title}", "", case.about, ""]
    runs = results.of(case.name)
    lines += _arms_table(runs)
    lines += _legend(runs)
    for data, check in results.checks.get(case.name, {}).items():
        lines += _agreement(data, check)
    lines += _steps_table(runs)
    if case.name == "nights":
        lines += _nights_tables(runs)
    if case.name in drawn:
        lines += [f"![{case.title}]({drawn[case.name]})", ""]
    return lines


def _arms_table(runs: Sequence[Run]) -> list[str]:
    """One row for each of the compared and each day, file or graph."""
    lines = [
        "| on | who | seconds | range | turns | CPU s | µs of CPU each | peak GB | read MB | "
        "written MB |",
        "| --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for data, arm in dict.fromkeys((run.data, run.arm) for run in runs):
        of = [run for run in runs if (run.data, run.arm) == (data, arm)]
        times = [run.measured.seconds for run in of]
        # Many nights have this many requests each.
        count = of[0].size * len(of[0].measured.result.get("nights", [1]))
        cells = (
            data, arm, _number(seconds(of)), f"{_number(min(times))}–{_number(max(times))}",
            str(len(of)), _number(cpu(of)), _number(cpu(of) / count * 1e6),
            f"{max(run.measured.peak_bytes for run in of) / _GB:.2f}",
            f"{median(run.measured.read_bytes for run in of) / _MB:,.1f}",
            f"{median(run.measured.written_bytes for run in of) / _MB:,.1f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _legend(runs: Sequence[Run]) -> list[str]:
    """What each of the compared does."""
    names = {run.arm for run in runs}
    told = {
        trial.arm.name: trial.arm.about
        for one in CASES_BY_NAME[runs[0].case].rounds(Plan())
        for trial in one.trials
        if trial.arm.name in names
    }
    return ["; ".join(f"{name}: {about}" for name, about in told.items()) + ".", ""]


def _agreement(data: str, check: dict[str, Any]) -> list[str]:
    """What the check of the outputs found, in words."""
    if "error" in check:
        errors = ", ".join(f"{who} {error:.3f}" for who, error in check["error"].items())
        return [
            f"Error of the estimated similarity over {check['pairs']:,} pairs of prompts (root "
            f"mean square; mean similarity {check['mean_similarity']:.2f}): {errors}.", "",
        ]  # fmt: skip
    if "rows" in check:
        rows = ", ".join(f"{name} {count:,}" for name, count in check["rows"].items())
        return [f"{data}: {_differences(check['differing'], 'rows')} Rows: {rows}.", ""]
    if "purity" in check:
        shares = ", ".join(f"{who} {share:.1%}" for who, share in check["purity"].items())
        return [f"{data}: {_differences(check['differing'], 'accounts')} Members that stand with "
                f"their own: {shares}.", ""]  # fmt: skip
    return []


def _differences(differing: dict[str, Any], unit: str) -> str:
    totals = {who: sum(n.values()) if isinstance(n, dict) else n for who, n in differing.items()}
    if not any(totals.values()):
        return f"All gave the same: no {unit} differ ({', '.join(totals)})."
    return ("Differing " + unit + ": "
            + ", ".join(f"{who} {total:,}" for who, total in totals.items()) + ".")  # fmt: skip


def _steps_table(runs: Sequence[Run]) -> list[str]:
    """Seconds and peak memory of each step, of cases with whole nights of one day."""
    columns: dict[str, list[Run]] = {}
    for run in runs:
        if len(run.measured.result.get("nights", ())) == 1:
            columns.setdefault(f"{run.arm}, {run.data}", []).append(run)
    if not columns:
        return []
    steps = list(next(iter(columns.values()))[0].measured.result["nights"][0]["steps"])
    lines = ["| seconds (peak GB) | " + " | ".join(columns) + " |",
             "| --- |" + " ---: |" * len(columns)]  # fmt: skip
    for step in steps:
        cells = []
        for of in columns.values():
            took = median(r.measured.result["nights"][0]["steps"][step] for r in of)
            peak = max(r.measured.step_peaks.get(step, 0) for r in of)
            cells.append(f"{took:.1f} ({peak / _GB:.1f})")
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _nights_tables(runs: Sequence[Run]) -> list[str]:
    nights = next(r for r in runs if r.arm == STILLWATCH).measured.result["nights"]
    shown = [number for number in _SHOWN_NIGHTS if number <= len(nights)]
    steps = list(nights[0]["steps"])
    lines = ["| night | requests | seconds | " + " | ".join(steps) + " | lake MB | files |",
             "| ---: |" + " ---: |" * (len(steps) + 4)]  # fmt: skip
    for number in shown:
        night = nights[number - 1]
        tables = night["tables"].values()
        cells = (
            str(number), f"{night['rows'].get('requests', 0):,}", f"{night['seconds']:.1f}",
            *(f"{night['steps'][step]:.1f}" for step in steps),
            f"{sum(t['with_history'] for t in tables) / _MB:,.1f}",
            f"{sum(t['files'] for t in tables):,}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    last = sorted(nights[-1]["tables"].items(), key=lambda held: -held[1]["with_history"])
    lines += ["", "| table after the last night | MB | files | MB with history |",
              "| --- | ---: | ---: | ---: |"]  # fmt: skip
    lines += [
        f"| {name} | {held['bytes'] / _MB:,.1f} | {held['files']:,} | "
        f"{held['with_history'] / _MB:,.1f} |"
        for name, held in last
    ]
    return [*lines, ""]
