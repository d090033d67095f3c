"""The house's look for pictures, and how one becomes SVG."""

from __future__ import annotations

import datetime as dt
import io
import threading
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

#: Of Okabe and Ito's palette: told apart by colour-blind readers and in grey print.
HERE, OTHERS, THIRD = "#0072B2", "#D55E00", "#009E73"
INK, QUIET, LINE = "#15202b", "#4a5763", "#d3dae0"
#: Light to dark: read without colour as well.
SCALE = "Blues"
_LOOK: dict[Any, Any] = {
    # Ids from a fixed salt: the same figures make the same picture.
    "svg.hashsalt": "stillwatch", "svg.fonttype": "none",
    "font.family": "sans-serif", "font.size": 10.0, "axes.titlesize": 11.0,
    "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET, "text.color": INK, "xtick.color": QUIET, "ytick.color": QUIET,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False,
    # A dollar sign in an id is no formula.
    "text.parse_math": False, "text.usetex": False,
}  # fmt: skip
#: Settings of matplotlib are of the whole process.
_lock = threading.Lock()


def drawn(draw: Callable[[Figure], None], width: float, height: float) -> bytes:
    """SVG of a figure of so many inches, free of scripts, links and dates."""
    with _lock, matplotlib.rc_context(_LOOK):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def counted(value: float, _: object = None) -> str:
    """12,300 as 12.3k: short enough for an axis."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def nights_axis(axes: Axes, nights: Sequence[dt.date]) -> None:
    """Few days along the bottom, the first and the last among them."""
    last = len(nights) - 1
    places = sorted({round(last * at / 4) for at in range(5)}) if last >= 0 else []
    axes.set_xticks(places, [f"{nights[at]:%d %b}" for at in places])
    axes.set_xlim(-0.5, max(last, 0) + 0.5)


def amounts_axis(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
    axes.yaxis.set_major_formatter(FuncFormatter(counted))
    axes.set_ylim(0, axes.dataLim.y1 * 1.06 if axes.dataLim.y1 > 0 else 1)
    axes.yaxis.grid(True, color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)


def nothing(figure: Figure, said: str) -> None:
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0.5, 0.5, said, ha="center", va="center", color=QUIET, fontsize=12)
