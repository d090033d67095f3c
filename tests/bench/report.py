"""What the runs of one size say: medians, ratios, and the same as Markdown."""

from __future__ import annotations

from statistics import median
from typing import Any

from tests.bench.measure import Measured

GB = 1e9
#: What is wanted: name, bound, unit. Each holds for every size.
WANTED: tuple[tuple[str, str, float], ...] = (
    ("rollups against DuckDB's", "rollups_ratio", 1.0),
    ("whole night against DuckDB's rollups", "night_ratio", 4.0),
    ("peak memory of the night, GB", "peak_gb", 4.0),
)


def summary(
    requests: int, nights: list[Measured], rollups: list[Measured], duckdb: list[Measured]
) -> dict[str, Any]:
    """Medians of the repetitions, and what they come to as ratios."""
    steps = {name: median(night.steps[name] for night in nights) for name in nights[0].steps}
    ours = [run.steps["rollup"] for run in rollups]
    theirs = [run.steps["rollup"] for run in duckdb]
    whole = median(sum(night.steps.values()) for night in nights)
    return {
        "requests": requests,
        "steps": steps,
        "step_peaks_gb": {
            name: max(night.step_peaks[name] for night in nights) / GB for name in steps
        },
        "night_seconds": whole,
        "night_cpu_seconds": median(night.cpu_seconds for night in nights),
        "rollups_seconds": ours,
        "duckdb_seconds": theirs,
        "rollups_cpu_seconds": median(run.cpu_seconds for run in rollups),
        "duckdb_cpu_seconds": median(run.cpu_seconds for run in duckdb),
        "rollups_ratio": median(ours) / median(theirs),
        "night_ratio": whole / median(theirs),
        "peak_gb": max(night.peak_bytes for night in nights) / GB,
        "rollups_peak_gb": max(run.peak_bytes for run in rollups) / GB,
        "duckdb_peak_gb": max(run.peak_bytes for run in duckdb) / GB,
    }


def markdown(summaries: list[dict[str, Any]], machine: str) -> str:
    lines = ["# Benchmark", "", machine, ""]
    for found in summaries:
        requests = found["requests"]
        lines += [f"## {requests:,} requests", "", "| step | seconds | requests/s | peak GB |",
                  "| --- | ---: | ---: | ---: |"]  # fmt: skip
        peaks = found["step_peaks_gb"] | {"all": found["peak_gb"]}
        lines += [
            f"| {name} | {seconds:.1f} | {requests / max(seconds, 0.001):,.0f} | "
            f"{peaks[name]:.2f} |"
            for name, seconds in (*found["steps"].items(), ("all", found["night_seconds"]))
        ]
        lines += ["", "| rollups | median s | range s | process CPU s | peak GB |",
                  "| --- | ---: | --- | ---: | ---: |"]  # fmt: skip
        for who, key in (("Stillwatch", "rollups"), ("DuckDB by hand", "duckdb")):
            seconds = found[f"{key}_seconds"]
            lines.append(
                f"| {who} | {median(seconds):.1f} | {min(seconds):.1f}–{max(seconds):.1f} | "
                f"{found[f'{key}_cpu_seconds']:.1f} | {found[f'{key}_peak_gb']:.2f} |"
            )
        lines += ["", "| | wanted at most | found |", "| --- | ---: | ---: |"]
        lines += [f"| {what} | {bound:g} | {found[key]:.2f} |" for what, key, bound in WANTED]
        lines.append("")
    return "\n".join(lines)
