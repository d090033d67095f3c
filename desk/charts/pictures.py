"""The pictures of campaigns and accounts. Each has a table of the same figures on its page."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from desk.charts.drawing import (
    HERE,
    INK,
    LINE,
    OTHERS,
    SCALE,
    amounts_axis,
    drawn,
    nights_axis,
    nothing,
)
from desk.reading.account import Night
from desk.reading.campaign import KIND_SAID, Asked, Binding, Hours, Past
from desk.reading.masking import masked

_WIDTH = 11.5


def campaign_past(nights: Sequence[Past]) -> bytes:
    """Members, requests and output tokens a night, side by side."""
    panels = (("Members", "accounts"), ("Requests a night", "requests"),
              ("Output tokens a night", "output_tokens"))  # fmt: skip
    dates = [night.date for night in nights]

    def draw(figure: Figure) -> None:
        for axes, (title, name) in zip(figure.subplots(1, 3), panels, strict=True):
            values = [getattr(night, name) for night in nights]
            axes.fill_between(range(len(values)), values, color=HERE, alpha=0.15, linewidth=0)
            axes.plot(values, color=HERE, linewidth=2, marker="o" if len(values) < 3 else None)
            axes.set_title(f"{title}: {values[-1]:,}" if values else title)
            nights_axis(axes, dates)
            amounts_axis(axes)

    return drawn(draw, _WIDTH, 2.5)


def asked_for(rows: Sequence[Asked]) -> bytes:
    """Share of prompts with each marker, members' beside everybody's."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(rows))
        axes.barh(places - 0.19, [r.members for r in rows], 0.38, color=HERE, label="this campaign")
        axes.barh(places + 0.19, [r.everyone for r in rows], 0.38, color=OTHERS,
                  label="all accounts")  # fmt: skip
        axes.set_yticks(places, [r.marker.replace("_", " ") for r in rows])
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0, 0))
        axes.xaxis.grid(True, color=LINE, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.set_title("Share of the night's prompts that ask for …")
        axes.legend(frameon=False, loc="lower right")

    return drawn(draw, _WIDTH / 2, 4.2)


def binding(of: Binding) -> bytes:
    """Shared tokens by members: dark where the column's members carry the row's token."""
    if not of.tokens:
        return drawn(lambda f: nothing(f, "No token is shared by three members or more."), 8, 1.5)
    names = [f"{KIND_SAID.get(t.kind, t.kind)}  {masked(t.kind, t.token)}" for t in of.tokens]
    count = len(of.tokens)

    def draw(figure: Figure) -> None:
        matrix, share, own = figure.subplots(
            1, 3, sharey=True, gridspec_kw={"width_ratios": [6, 1.1, 1.1]}
        )
        matrix.pcolormesh(of.cells, cmap=SCALE, vmin=0, vmax=1.15, edgecolors="white",
                          linewidth=0.4)  # fmt: skip
        matrix.set_yticks(np.arange(count) + 0.5, names)
        matrix.tick_params(left=False)
        columns = of.cells.shape[1]
        shown = of.members - of.without
        matrix.set_xticks([0, columns / 2, columns], ["1", f"{shown // 2:,}", f"{shown:,}"])
        matrix.set_xlabel(f"members, those who carry the same side by side ({columns} columns)")
        matrix.set_title("Who carries what")
        matrix.invert_yaxis()
        for axes, title, values in (
            (share, "members", [t.members / of.members for t in of.tokens]),
            (own, "carriers", [t.members / t.carriers for t in of.tokens]),
        ):
            axes.barh(np.arange(count) + 0.5, values, 0.7, color=HERE if axes is share else OTHERS)
            for place, value in enumerate(values):
                inside = value > 0.6
                axes.text(value - 0.03 if inside else value + 0.03, place + 0.5, f"{value:.0%}",
                          va="center", ha="right" if inside else "left", fontsize=8,
                          color="white" if inside else INK)  # fmt: skip
            axes.set_xlim(0, 1.05)
            axes.set_xticks([])
            axes.tick_params(left=False)
            axes.spines[["left", "bottom"]].set_visible(False)
            axes.set_title(title)
        share.set_xlabel("of members\ncarry it")
        own.set_xlabel("of carriers\nare members")
        matrix.spines[["left", "bottom"]].set_visible(False)

    return drawn(draw, _WIDTH, 1.7 + 0.25 * count)


def hours(of: Hours) -> bytes:
    """Requests by hour of day, a member or a bin of them a row."""
    if not len(of.cells):
        return drawn(lambda f: nothing(f, "No member sent requests on these nights."), 8, 1.5)
    rows = len(of.cells)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        mesh = axes.pcolormesh(np.log1p(of.cells), cmap=SCALE, vmin=0)
        axes.set_xticks(np.arange(0, 25, 3), [f"{hour:02d}:00" for hour in range(0, 25, 3)])
        each = "a member" if rows == of.accounts else f"{of.accounts / rows:.3g} members"
        axes.set_yticks([])
        axes.set_ylabel(f"{of.accounts:,} active members, {each} a row")
        axes.set_xlabel("hour of day, UTC")
        axes.set_title(f"When its members send, {of.first} to {of.last}")
        axes.invert_yaxis()
        bar = figure.colorbar(mesh, ax=axes, fraction=0.03, pad=0.01)
        most = float(np.log1p(of.cells.max()))
        ticks = [0.0, most / 2, most]
        bar.set_ticks(ticks, labels=[f"{np.expm1(t):.3g}" for t in ticks])
        bar.set_label("requests a member")
        bar.outline.set_visible(False)

    return drawn(draw, _WIDTH / 2, 4.2)


def account_past(nights: Sequence[Night], plan: str) -> bytes:
    """Requests, tokens and score a night, over the quartiles of its plan."""
    panels = (
        ("Requests a night", "requests", "plan_requests"),
        ("Output tokens a night", "output_tokens", "plan_output"),
        ("Distillation score", "score", "plan_score"),
    )
    dates = [night.date for night in nights]
    places = np.arange(len(nights))

    def draw(figure: Figure) -> None:
        found = figure.subplots(1, 3)
        for axes, (title, name, quartiles) in zip(found, panels, strict=True):
            kind = np.array([getattr(n, quartiles) or (np.nan,) * 3 for n in nights], float)
            kind = kind.reshape(-1, 3)
            axes.fill_between(places, kind[:, 0], kind[:, 2], color=OTHERS, alpha=0.18, linewidth=0)
            axes.plot(places, kind[:, 1], color=OTHERS, linewidth=1.5, linestyle="--",
                      label=f"median and middle half, plan {plan}")  # fmt: skip
            own = [np.nan if getattr(n, name) is None else getattr(n, name) for n in nights]
            axes.plot(places, own, color=HERE, linewidth=2, marker="o", markersize=3.5,
                      label="this account")  # fmt: skip
            axes.set_title(title)
            nights_axis(axes, dates)
            amounts_axis(axes)
            if name == "score":
                axes.set_ylim(0, 1.02)
        handles, labels = found[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)

    return drawn(draw, _WIDTH, 2.9)
