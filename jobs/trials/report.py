"""What a person sees in the terminal of a policy's trial and of a shadow's comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.catalog.enforcement import LADDER
from jobs.plain_text import plain
from jobs.reports import terminal
from jobs.trials.effects import Outcome, Reach

if TYPE_CHECKING:
    from jobs.trials.replay import Trial
    from jobs.trials.shadowed import Comparison

#: Accounts that are named, and countries that have a line of their own.
NAMED, COUNTRIES = 5, 8


def print_trial(trial: Trial, file: str) -> None:
    """A trial as tables: the file, the policy in force replayed, and what was done."""
    out = terminal()
    out.print(
        f"Nights replayed: {len(trial.nights)}, {trial.nights[0]} to {trial.nights[-1]}. "
        f"{escape(file)} is {_versions(trial.file)}; in force is {_versions(trial.in_force)}, "
        f"replayed the same way. Stored is what the nights did, under {_versions(trial.stored)}."
    )
    columns = {file: trial.file, "in force": trial.in_force, "stored": trial.stored}
    _print_outcomes(out, columns)
    _print_only(out, f"Only {file} touches", trial.only_file)
    _print_only(out, "Only the policy in force touches", trial.only_in_force)


def print_comparison(of: Comparison) -> None:
    """A comparison as tables: the shadow, and what was done."""
    out = terminal()
    model = f", on the scores of {', '.join(of.models)}" if of.models else ""
    out.print(
        f"Nights with a shadow: {len(of.nights)}, {of.nights[0]} to {of.nights[-1]}. The shadow is "
        f"{_versions(of.shadow)}{model}; what was done, {_versions(of.done)}."
    )
    for night, fault in of.faults.items():
        out.print(f"no shadow on {night}: {fault}", style="yellow", markup=False)
    _print_outcomes(out, {"shadow": of.shadow, "done": of.done})
    _print_only(out, "Only the shadow would have touched", of.only_shadow)
    _print_only(out, "Only what was done touched", of.only_done)


def _print_outcomes(out: Console, columns: Mapping[str, Outcome]) -> None:
    """One table of figures, an outcome a column; all but the second with its difference to it."""
    table = Table(title="Accounts (customers)", title_justify="left")
    table.add_column("")
    for name in columns:
        table.add_column(escape(name), justify="right")
    outcomes = list(columns.values())

    def add(label: str, reaches: Sequence[Reach]) -> None:
        against = reaches[1]
        table.add_row(label, *(
            f"{reach.accounts:,} ({reach.organizations:,})"
            + (_change(reach.accounts - against.accounts) if at == 0 else "")
            for at, reach in enumerate(reaches)
        ))  # fmt: skip

    def numbers(label: str, values: Sequence[int]) -> None:
        table.add_row(label, *(
            f"{value:,}" + (_change(value - values[1]) if at == 0 else "")
            for at, value in enumerate(values)
        ))  # fmt: skip

    add("touched (above watch)", [of.reach for of in outcomes])
    for rung in reversed(LADDER):
        add(f"  hardest is {rung}", [of.by_action[rung] for of in outcomes])
    table.add_section()
    table.add_row("proposed, not done")
    for rung in reversed(LADDER[1:]):
        add(f"  {rung}", [of.proposed[rung] for of in outcomes])
    for title, key in (("by kind of customer", "by_kind"), ("by country", "by_country")):
        groups = [getattr(of, key) for of in outcomes]
        ordered = sorted(
            {name for group in groups for name in group},
            key=lambda name: (-max(g.get(name, Reach()).accounts for g in groups), name),
        )
        table.add_section()
        table.add_row(title)
        for name in ordered[:COUNTRIES]:
            add(f"  {_safe(name)}", [group.get(name, Reach()) for group in groups])
        if len(ordered) > COUNTRIES:
            table.add_row(f"  and {len(ordered) - COUNTRIES} more, see --json")
    table.add_section()
    numbers("exchanges with an action in force", [of.exchanges_met for of in outcomes])
    for rung in outcomes[1].exchanges:
        numbers(f"  {rung}", [of.exchanges[rung] for of in outcomes])
    numbers("exchanges with one held back", [of.held for of in outcomes])
    table.add_section()
    numbers("touched, judged by people later", [of.judged for of in outcomes])
    numbers("  overturned", [of.overturned for of in outcomes])
    out.print(table)


def _print_only(out: Console, title: str, rows: pa.Table) -> None:
    rank = pc.index_in(rows["action"], value_set=pa.array(LADDER))
    hardest = rows.append_column("rank", rank).sort_by([
        ("rank", "descending"), ("account_id", "ascending"),
    ])  # fmt: skip
    named = [
        f"{_safe(row['account_id'])} ({row['action']} from {row['since']})"
        for row in hardest.slice(0, NAMED).to_pylist()
    ]
    more = f", and {rows.num_rows - NAMED:,} more" if rows.num_rows > NAMED else ""
    said = f": {', '.join(named)}{more}" if named else ""
    out.print(f"{escape(title)} {rows.num_rows:,} accounts{said}", soft_wrap=True)


def _safe(name: str) -> str:
    """What a customer chose, for a terminal: no control characters, no markup."""
    return escape(plain(name, 80))


def _change(by: int) -> str:
    return f" [bold]{by:+,}[/bold]" if by else ""


def _versions(of: Outcome) -> str:
    return ", ".join(escape(version) for version in of.versions) or "no policy: nothing was done"
