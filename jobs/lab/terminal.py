"""The lab's figures as tables in the terminal: the quick look while detection is being changed."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def print_world(name: str, figures: dict[str, Any]) -> None:
    """One world: recall, its campaigns, its honest customers."""
    console = Console(width=None if Console().is_terminal else 140, highlight=False)
    recall = ", ".join(f"{_share(v)} at {rate}" for rate, v in figures["recall"].items())
    console.print(
        f"[bold]{name}[/bold]: {figures['accounts']:,} accounts scored, "
        f"{figures['guilty']:,} distil; recall {recall} false positives"
    )
    table = Table("campaign", "tactic", "labelled")
    for heading in ("accounts", "recall at 1e-3", "acted on", "in one piece", "purity", "names"):
        table.add_column(heading, justify="right")
    for campaign, of in figures["campaigns"].items():
        table.add_row(
            campaign, of["tactic"], "yes" if of["labelled"] else "no", f"{of['accounts']:,}",
            _share(of["recall"]), f"{of['acted_on']:,}", _share(of["one_piece"]),
            _share(of["purity"]), str(of["names"]),
        )  # fmt: skip
    console.print(table)
    table = Table("honest customers")
    for heading in ("accounts", "acted on", "suspended"):
        table.add_column(heading, justify="right")
    for kind, of in figures["honest_kinds"].items():
        table.add_row(kind, f"{of['accounts']:,}", f"{of['acted_on']:,}", f"{of['suspended']:,}")
    console.print(table)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
