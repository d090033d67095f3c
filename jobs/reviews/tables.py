"""Reports on people's decisions as tables in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.plain_text import plain

if TYPE_CHECKING:
    from jobs.lab.desk import Desk
    from jobs.reviews.outcomes import Outcomes
    from jobs.reviews.reviewers import ReviewersReport


def print_reviewers(console: Console, report: ReviewersReport) -> None:
    """Agreement, accuracy and pairs of reviewers; each share with its interval."""
    nights = f" from {report.first} to {report.last}" if report.drawn else ""
    counts = f"{report.drawn:,}, answered {report.answered:,}"
    _line(console, f"Second reviews drawn{nights}: {counts}")
    _line(console, f"Same verdict as the first reviewer: {report.agreed}")
    _line(console, f"Right where the answer is known: {report.right}")
    _table(console, "Agreement", ("reviewer", "kind of case", "same verdict (95 %)"),
           [(a.reviewer, a.kind, a.agreed) for a in report.agreement])  # fmt: skip
    _table(console, "Accuracy", ("reviewer", "kind of case", "right (95 %)"),
           [(a.reviewer, a.kind, a.right) for a in report.accuracy])  # fmt: skip
    _table(console, "Pairs", ("reviewers", "same verdict (95 %)", "Cohen's kappa"),
           [(" and ".join(p.reviewers), p.agreed, "" if p.kappa is None else f"{p.kappa:.2f}")
            for p in report.pairs])  # fmt: skip


def print_outcomes(console: Console, made: Outcomes) -> None:
    """Precision, delays and overturned decisions, each share with its interval."""
    _line(console, f"Decisions from {made.first} to {made.last}: {made.decisions:,}")
    _table(console, "Found to distil or resell, of units with an action that people judged",
           ("by", "name", "units (95 %)", "accounts"),
           [(p.by, p.name, p.right, f"{p.accounts_right:,} of {p.accounts:,}")
            for p in made.precision])  # fmt: skip
    _table(console, "Nights from the first request to the decision",
           ("finding", "units", "quarter", "median", "three quarters"),
           [(d.kind, f"{d.units:,}", *("" if v is None else f"{v:g}"
                                       for v in (d.quarter, d.median, d.three_quarters)))
            for d in made.delays])  # fmt: skip
    _table(console, "Overturned", ("by", "name", "of answered appeals (95 %)",
                                   "of accounts found (95 %)", "appeals that wait"),
           [(o.by, o.name, o.of_appeals, o.of_found, f"{o.waiting:,}")
            for o in made.overturned])  # fmt: skip


def print_desk(console: Console, judged: Desk) -> None:
    """What reached the desk of a simulated world."""
    _table(console, "From an operation's first request to a case",
           ("operation", "kind", "tactic", "accounts", "first request", "case", "days"),
           [(o.name, o.kind, o.tactic, f"{o.accounts:,}", o.first_request, o.case or "never",
             "" if o.days is None else o.days) for o in judged.operations])  # fmt: skip
    median = "none" if judged.median_days is None else f"{judged.median_days:g} days"
    _line(console, f"Median: {median}; never a case: {judged.never}")
    _table(console, "Morning queue", ("night", "cases", "new", "no operation", "accounts scored",
                                      "cases for 1,000,000"),
           [(q.night, q.cases, q.new, q.honest, f"{q.scored:,}", f"{q.per_million:,.0f}")
            for q in judged.queue])  # fmt: skip
    _table(console, "What was in force when it was sent",
           ("rung", "proposed to a person", "distillers' exchanges", "share", "honest requests",
            "share"),
           [(m.rung, m.proposed, f"{m.exchanges:,}", f"{m.share:.1%}", f"{m.honest_requests:,}",
             f"{m.honest_share:.3%}") for m in judged.met])  # fmt: skip


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def _table(console: Console, title: str, headings: tuple[str, ...], rows: list[Any]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(escape(plain(value)) for value in row))
    console.print(table)
