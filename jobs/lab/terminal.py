"""The lab's figures as tables in the terminal: the quick look while detection is being changed."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def print_world(name: str, figures: dict[str, Any]) -> None:
    """One world: recall, its campaigns, its honest customers."""
    console = Console(width=None if Console().is_terminal else 140, highlight=False)
    recall = ", ".join(f"{share(v)} at {rate}" for rate, v in figures["recall"].items())
    console.print(
        f"\n[bold]{name}[/bold]: {figures['accounts']:,} accounts judged, {figures['guilty']:,} "
        f"distil; recall {recall} false positives; PR-AUC {number(figures['pr_auc'])}"
    )
    table = Table("campaign", "labelled")
    for heading in ("accounts", "recall at 1e-3", "acted on", "in one piece", "purity", "names",
                    "nights to action", "leaked"):  # fmt: skip
        table.add_column(heading, justify="right")
    for campaign, of in figures["campaigns"].items():
        table.add_row(
            campaign, "yes" if of["labelled"] else "no", f"{of['accounts']:,}",
            share(of["recall"]), f"{of['acted_on']:,}", share(of["one_piece"]),
            share(of["purity"]), str(of["names"]), whole(of["nights_to_action"]),
            share(of["leaked_share"]),
        )  # fmt: skip
    console.print(table)
    table = Table("honest customers")
    for heading in ("accounts", "acted on", "suspended"):
        table.add_column(heading, justify="right")
    for kind, of in [*figures["honest"]["kind"].items(), ("all", figures["honest_all"])]:
        table.add_row(kind, f"{of['accounts']:,}", f"{of['acted_on']:,}", f"{of['suspended']:,}")
    of = figures["resellers"]
    table.add_section()
    table.add_row(f"resellers ({of['taken_for_distillers']} taken for distillers)",
                  f"{of['accounts']:,}", f"{of['acted_on']:,}", f"{of['suspended']:,}")  # fmt: skip
    console.print(table)


def share(value: float | None) -> str:
    """In per cent; empty where it can't be known."""
    return "" if value is None else f"{value:.1%}"


def number(value: float | None) -> str:
    """Three decimals; empty where it can't be known."""
    return "" if value is None else f"{value:.3f}"


def whole(value: int | None) -> str:
    """A count; a dash for never."""
    return "–" if value is None else f"{value:,}"
