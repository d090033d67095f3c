"""The card's pictures, as PNG bytes on disk: what a person looks at before trusting a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.classifier import Classifier
from models.dataset import TrainingSet
from models.definitions import DISTILLATION, HEADS

#: Okabe and Ito's palette: told apart by colour-blind readers and in grey print.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
HEAD_COLOURS = {HEADS[0]: BLUE, HEADS[1]: ORANGE}
#: Rows on which contributions are averaged: enough for a mean, quick enough for a nightly run.
CONTRIBUTION_ROWS = 5000
TOP_FEATURES = 12


def draw(
    folder: Path, figures: Mapping[str, Any], classifier: Classifier, held_out: TrainingSet
) -> list[tuple[str, str]]:
    """Write the pictures; returns (file name, what it shows) of each that has something to show."""
    drawn = [
        ("precision_recall.png", "Precision and recall on held-out campaigns", _curves(figures)),
        ("calibration.png", "Scores against what turned out to be so", _calibration(figures)),
        ("campaigns.png", "Recall by campaign, and without each family of evidence",
         _recalls(figures)),
        ("contributions.png", "What moves the distillation score",
         _contributions(classifier, held_out)),
    ]  # fmt: skip
    out = []
    for name, about, figure in drawn:
        if figure is not None:
            FigureCanvasAgg(figure)
            # No software or date in the file: the same model has the same pictures.
            figure.savefig(folder / name, dpi=110, metadata={"Software": None})
            out.append((name, about))
    return out


def _curves(figures: Mapping[str, Any]) -> Figure | None:
    figure, axes = _canvas(6.4, 4.4)
    some = False
    for head in HEADS:
        curve = figures[head]["curve"]
        if not curve:
            continue
        some = True
        recall, precision = zip(*curve, strict=True)
        value = figures[head]["metrics"]["pr_auc"]["value"]
        axes.step(recall, precision, where="pre", color=HEAD_COLOURS[head], linewidth=2,
                  label=f"{head}: area {value:.3f}")  # fmt: skip
        share = figures[head]["metrics"]["prevalence"]["value"]
        axes.axhline(share, color=HEAD_COLOURS[head], linewidth=1, linestyle=":")
    if not some:
        return None
    axes.set(xlim=(0, 1.01), ylim=(0, 1.03), xlabel="recall (share of known accounts found)",
             ylabel="precision (share of found that are known)",
             title="Precision and recall, held-out campaigns")  # fmt: skip
    axes.text(0.99, 0.045, "dotted: flagging at random", ha="right", color=GREY, fontsize=8)
    axes.legend(loc="lower left", frameon=False, bbox_to_anchor=(0.0, 0.06))
    return figure


def _calibration(figures: Mapping[str, Any]) -> Figure | None:
    """On a log-odds scale, where 1 in 1,000 and 999 in 1,000 can both be seen."""
    figure, axes = _canvas(6.4, 4.8)
    floor = 5e-4
    some = False
    for head in HEADS:
        bins = figures[head]["reliability"]
        if not figures[head]["curve"]:
            continue
        some = True
        score = np.clip([entry["score"] for entry in bins], floor, 1 - floor)
        observed = np.clip([entry["observed"] for entry in bins], floor, 1 - floor)
        accounts = np.array([entry["accounts"] for entry in bins])
        low, high = wilson(observed, accounts)
        axes.vlines(score, low.clip(floor), high.clip(None, 1 - floor), color=HEAD_COLOURS[head],
                    linewidth=1, alpha=0.5)  # fmt: skip
        axes.scatter(score, observed, s=18 + 40 * np.log10(1 + accounts), label=head,
                     color=HEAD_COLOURS[head], edgecolors="white", linewidths=0.8,
                     zorder=3)  # fmt: skip
    if not some:
        return None
    axes.plot([floor, 1 - floor], [floor, 1 - floor], color=GREY, linewidth=1, linestyle="--",
              label="as promised")  # fmt: skip
    axes.set_xscale("logit")
    axes.set_yscale("logit")
    ticks = [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999]
    words = ["≤ 0.1%", "1%", "10%", "50%", "90%", "99%", "≥ 99.9%"]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks, labels=words)
        axis.set_ticks([], minor=True)
    axes.set(xlim=(floor / 2, 1 - floor / 2), ylim=(floor / 2, 1 - floor / 2),
             xlabel="score", ylabel="share that is known to be so",
             title="Calibration, held-out accounts")  # fmt: skip
    axes.legend(loc="upper left", frameon=False, markerscale=0.6)
    axes.text(
        0.999,
        0.0006,
        "larger dot: more accounts; line: 90% interval",
        ha="right",
        color=GREY,
        fontsize=8,
    )
    return figure


def _recalls(figures: Mapping[str, Any]) -> Figure | None:
    campaigns: Mapping[str, Any] = figures["campaigns"]
    families: Mapping[str, Any] = figures["without_family"]
    if not campaigns:
        return None
    largest = sorted(campaigns.items(), key=lambda item: (-item[1]["accounts"], item[0]))[:15]
    bars = [(f"{_short(name)} ({entry['accounts']})", entry["recall"], BLUE)
            for name, entry in largest]  # fmt: skip
    bars += [(f"all, without {name}", entry["recall"], GREEN)
             for name, entry in sorted(families.items())]  # fmt: skip
    figure, axes = _canvas(6.8, 1.5 + 0.27 * len(bars))
    places = np.arange(len(bars))
    axes.barh(places, [bar[1] for bar in bars], color=[bar[2] for bar in bars], height=0.7)
    for place, bar in zip(places, bars, strict=True):
        axes.text(bar[1] + 0.01, float(place), f"{bar[1]:.2f}", va="center", fontsize=8)
    axes.set_yticks(places, labels=[bar[0] for bar in bars])
    axes.invert_yaxis()
    rate = figures["gate_rate"]
    axes.set(xlim=(0, 1.1), xlabel=f"recall at a false positive rate of {rate:g}",
             title="Held-out campaigns (accounts), and with evidence missing")  # fmt: skip
    axes.grid(axis="y", visible=False)
    return figure


def _contributions(classifier: Classifier, held_out: TrainingSet) -> Figure | None:
    guilty = held_out.is_labelled(DISTILLATION)
    if not guilty.any() or guilty.all():
        return None
    means = []
    for mask in (guilty, ~guilty):
        rows = held_out.take(mask).table.slice(0, CONTRIBUTION_ROWS)
        means.append(classifier.contributions(rows)[:, :-1].mean(axis=0))
    apart = np.abs(means[0] - means[1])
    top: Sequence[int] = [int(i) for i in np.argsort(-apart, kind="stable")[:TOP_FEATURES]]
    top = [i for i in top if apart[i] > 0]
    if not top:
        return None
    figure, axes = _canvas(7.4, 1.5 + 0.36 * len(top))
    places = np.arange(len(top))
    axes.barh(places - 0.19, [means[0][i] for i in top], height=0.36, color=BLUE,
              label="known distillers")  # fmt: skip
    axes.barh(places + 0.19, [means[1][i] for i in top], height=0.36, color=GREY,
              label="everybody else")  # fmt: skip
    features = classifier.features
    labels = [f"{features[i].name}  ·  {features[i].family}" for i in top]
    axes.set_yticks(places, labels=labels)
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="mean contribution to the log-odds of distillation (exact TreeSHAP)",
             title="What moves the distillation score, held-out accounts")  # fmt: skip
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right", frameon=False)
    return figure


def wilson(share: np.ndarray, accounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """90% interval of a share observed on so many accounts (Wilson 1927); arrays of one shape."""
    z = 1.645
    centre = (share + z * z / (2 * accounts)) / (1 + z * z / accounts)
    half = z / (1 + z * z / accounts)
    half = half * np.sqrt(share * (1 - share) / accounts + z * z / (4 * accounts * accounts))
    return centre - half, centre + half


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E6E6E6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.title.set_fontsize(11)
    return figure, axes


def _short(name: str, length: int = 32) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
