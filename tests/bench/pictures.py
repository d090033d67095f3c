"""The report's pictures, one a case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.bench.cases import STILLWATCH
from tests.bench.results import Results, Run, cpu, seconds

#: Okabe and Ito's palette, told apart by colour-blind readers.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A8A8A", "#000000",
            "#F0E442", "#999933")  # fmt: skip


def draw(results: Results, folder: Path) -> dict[str, str]:
    """Write a picture for each case that has one; their file names by case."""
    drawn = {}
    for case, picture in (
        ("rollups", _rollups), ("night", _night), ("sketch", _per_core), ("graph", _groups),
        ("nights", _nights),
    ):  # fmt: skip
        runs = results.of(case)
        if not runs:
            continue
        _save(picture(runs), folder / f"{case}.png")
        drawn[case] = f"{case}.png"
    return drawn


def draw_nights(nights: Sequence[dict[str, Any]], file: Path) -> None:
    """Write a picture of nights one after another: each with `steps` (seconds by name) and
    `tables` (bytes by name)."""
    _save(_by_night([n["steps"] for n in nights], [n["tables"] for n in nights], 1e9, "GB"), file)


def _save(figure: Figure, file: Path) -> None:
    FigureCanvasAgg(figure)
    # No software version and no date inside: the same figures give the same bytes.
    figure.savefig(file, dpi=100, metadata={"Software": None})


def _arms(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.arm for run in runs))


def _rollups(runs: Sequence[Run]) -> Figure:
    """Seconds of each, one group of bars a size, with the range of the turns."""
    sizes, arms = sorted({run.size for run in runs}), _arms(runs)
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(arms)
    for place, arm in enumerate(arms):
        of = [[r for r in runs if r.arm == arm and r.size == size] for size in sizes]
        middle = [seconds(group) * 1e6 / group[0].size for group in of]
        low = [m - min(r.measured.seconds for r in group) * 1e6 / group[0].size
               for m, group in zip(middle, of, strict=True)]  # fmt: skip
        high = [max(r.measured.seconds for r in group) * 1e6 / group[0].size - m
                for m, group in zip(middle, of, strict=True)]  # fmt: skip
        at = [number + (place - (len(arms) - 1) / 2) * width for number in range(len(sizes))]
        axes.bar(at, middle, width, yerr=[low, high], label=arm, color=_COLOURS[place])
    axes.set_xticks(range(len(sizes)), [f"{size:,} requests" for size in sizes])
    axes.set(ylabel="seconds a million requests", title="Rollups")
    axes.legend(fontsize=8)
    return figure


def _night(runs: Sequence[Run]) -> Figure:
    """Seconds of each step of a night, one stacked bar a size."""
    sizes = sorted({run.size for run in runs})
    figure = Figure(figsize=(8, 1.4 + 0.6 * len(sizes)), layout="constrained")
    axes = figure.subplots()
    ours = [run for run in runs if run.measured.result.get("nights")]
    left = [0.0] * len(sizes)
    for place, step in enumerate(ours[0].measured.result["nights"][0]["steps"]):
        took = [
            median(r.measured.result["nights"][0]["steps"][step] for r in ours if r.size == size)
            * 1e6 / size
            for size in sizes
        ]  # fmt: skip
        axes.barh(range(len(sizes)), took, left=left, label=step, color=_COLOURS[place % 10])
        left = [before + more for before, more in zip(left, took, strict=True)]
    axes.set_yticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    axes.set(xlabel="seconds a million requests", title="A night, by step")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _bars(title: str, label: str, values: dict[str, float]) -> Figure:
    figure = Figure(figsize=(8, 0.8 + 0.35 * len(values)), layout="constrained")
    axes = figure.subplots()
    names = list(values)[::-1]
    bars = axes.barh(names, [values[name] for name in names], color=_COLOURS[0])
    axes.bar_label(bars, [f"{values[name]:,.0f}" for name in names], padding=3, fontsize=8)
    axes.set(xscale="log", xlabel=label, title=title)
    axes.set_xlim(right=4 * max(values.values()))  # room for the figures
    return figure


def _per_core(runs: Sequence[Run]) -> Figure:
    rates = {}
    for arm in _arms(runs):
        of = [run for run in runs if run.arm == arm]
        rates[arm] = of[0].size / max(cpu(of), 1e-9)
    return _bars("Signatures", "prompts a second of CPU (log)", rates)


def _groups(runs: Sequence[Run]) -> Figure:
    rates = {}
    for data in dict.fromkeys(run.data for run in runs):
        for arm in _arms([run for run in runs if run.data == data]):
            of = [run for run in runs if run.arm == arm and run.data == data]
            chance = ", some by chance" if "chance" in data else ""
            rates[f"{arm}: {of[0].size:,}{chance}"] = of[0].size / max(seconds(of), 1e-9)
    return _bars("Groups", "links a second (log)", rates)


def _nights(runs: Sequence[Run]) -> Figure:
    nights = next(r for r in runs if r.arm == STILLWATCH).measured.result["nights"]
    sizes = [
        {name: size["with_history"] for name, size in night["tables"].items()} for night in nights
    ]
    return _by_night([night["steps"] for night in nights], sizes, 1e6, "MB with history")


def _by_night(
    steps: Sequence[dict[str, float]], tables: Sequence[dict[str, int]], unit: float, label: str
) -> Figure:
    """Seconds of each step by night, and what the lake takes up."""
    numbers = range(1, len(steps) + 1)
    figure = Figure(figsize=(8, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    names = list(steps[0])
    upper.stackplot(numbers, [[night.get(step, 0) for night in steps] for step in names],
                    labels=names, colors=_COLOURS)  # fmt: skip
    upper.set(ylabel="seconds", title="Seconds by night and step")
    upper.legend(fontsize=7, ncols=1, loc="center left", bbox_to_anchor=(1, 0.5))
    largest = sorted(tables[-1], key=lambda name: -tables[-1][name])[:7]
    for place, name in enumerate(largest):
        sizes = [night.get(name, 0) / unit for night in tables]
        lower.plot(numbers, sizes, label=name, color=_COLOURS[place])
    lower.set(xlabel="night", ylabel=label, title="The largest tables")
    lower.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
