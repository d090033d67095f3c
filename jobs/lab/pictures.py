"""The report's pictures, as SVG to stand within a page: no file and no server beside it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

#: Okabe and Ito's palette: told apart by colour-blind readers and in grey print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A8A8A")
#: The least score that a log-odds scale shows.
_FLOOR = 5e-4
_SHARES = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)


def ranking(figures: Mapping[str, Any]) -> str:
    """Precision over recall, and scores against what is so."""
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    if figures["curve"]:
        recall, precision = zip(*figures["curve"], strict=True)
        left.step(recall, precision, where="pre", color=COLOURS[0], linewidth=2)
    left.set(xlim=(0, 1.02), ylim=(0, 1.04), xlabel="recall", ylabel="precision",
             title="Precision and recall")  # fmt: skip
    ends = (_FLOOR, 1 - _FLOOR)
    right.plot(ends, ends, color=COLOURS[7], linewidth=1, linestyle=":")
    bins = figures["reliability"]
    right.plot(
        [min(max(b["score"], _FLOOR), 1 - _FLOOR) for b in bins],
        [min(max(b["observed"], _FLOOR), 1 - _FLOOR) for b in bins],
        "o-", color=COLOURS[1],
    )  # fmt: skip
    right.set(xscale="logit", yscale="logit", xlabel="score", ylabel="share that distils",
              title="Scores against the truth")  # fmt: skip
    for axis in (right.xaxis, right.yaxis):
        axis.set_ticks(_SHARES, labels=[f"{share:g}" for share in _SHARES])
        axis.set_ticks([], minor=True)
    return _svg(figure, [left, right])


def by_night(nights: Sequence[Mapping[str, Any]], rate: str) -> str:
    """Recall of each night's own ranking."""
    figure = Figure(figsize=(9.6, 2.6), layout="constrained")
    axes = figure.subplots()
    places = range(len(nights))
    shown = [night["recall"][rate] for night in nights]
    axes.plot(places, [float("nan") if v is None else v for v in shown], "o-", color=COLOURS[0])
    axes.set(ylim=(-0.03, 1.05), title=f"Recall at a false positive rate of {rate}, by night")
    step = max(1, len(nights) // 10)
    axes.set_xticks(places[::step], [night["date"][5:] for night in nights][::step])
    return _svg(figure, [axes])


def bars(title: str, shares: Mapping[str, float | None]) -> str:
    """A bar for each name, from 0 to 1."""
    figure = Figure(figsize=(9.6, 0.9 + 0.3 * len(shares)), layout="constrained")
    axes = figure.subplots()
    values = [value or 0.0 for value in shares.values()]
    axes.barh(list(shares), values, color=COLOURS[0])
    for place, value in enumerate(values):
        axes.text(value + 0.01, place, f"{value:.2f}", va="center", fontsize=8)
    axes.set(xlim=(0, 1.08), title=title)
    axes.invert_yaxis()
    return _svg(figure, [axes])


def curves(title: str, along: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """A line of (x, share) for each name."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    axes = figure.subplots()
    for number, (name, points) in enumerate(lines.items()):
        x, y = zip(*points, strict=True)
        axes.plot(
            x, y, "o-" if number < len(COLOURS) else "s--",
            color=COLOURS[number % len(COLOURS)], label=name,
        )  # fmt: skip
    axes.set(ylim=(-0.03, 1.05), xlabel=along, title=title)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return _svg(figure, [axes])


def _svg(figure: Figure, all_axes: Sequence[Axes]) -> str:
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    FigureCanvasSVG(figure)
    buffer = io.StringIO()
    # Ids from a fixed salt and no date: the same figures make the same page.
    with matplotlib.rc_context({"svg.hashsalt": "stillwatch", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return re.sub(r"^.*?(?=<svg)", "", text, count=1, flags=re.DOTALL)
