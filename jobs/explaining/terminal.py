"""An account or a campaign as a person reads it in the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.catalog.desk_tables import CAMPAIGN_SUBJECT
from jobs.catalog.limit_tables import REQUEST_LIMITS, TOKEN_LIMITS
from jobs.explaining.appeals import Appeal
from jobs.explaining.explain import Explained
from jobs.explaining.ladder import RungState

#: Nights, and rows of any other list, that are shown; --json has all.
NIGHTS_SHOWN = 10
ROWS_SHOWN = 10
_FIGURES_SHOWN = 3


def print_explained(console: Console, told: Explained) -> None:
    """Every part that has something to say, in the order in which a person asks."""
    _line(console, f"{told.subject_kind} {told.subject} on {told.night}", "bold")
    about = {k: v for k, v in told.about.items() if k != "figures" and v is not None}
    _line(console, ", ".join(f"{name} {_said(value)}" for name, value in about.items()))
    _line(console, ", ".join(f"{name} {_said(value)}" for name, value in told.scores.items()))
    if not told.scores:
        _line(console, "Not scored on this night: no request in the scored window.")
    _history(console, told)
    _reasons(console, told)
    _line(console, "Families of evidence: " + (", ".join(told.evidence) or "none"))
    for lost in told.unavailable:
        _line(console, f"  not to be had on this night: {lost}", "yellow")
    _rungs(console, told)
    _shared(console, told)
    if told.members:
        _rows(console, "Members, firmest first", told.members)
    if told.subject_kind == CAMPAIGN_SUBJECT:
        _rows(console, "In force on its members", told.in_force)
        _rows(console, "Actions on its accounts, the latest first", told.actions[::-1])
        _rows(console, "Events, the latest first", told.events[::-1])
    else:
        _rows(console, "In force", told.in_force)
        _rows(console, "Actions, the latest first", _runs(told.actions)[::-1])
    _limits(console, told)
    columns = ("date", "verdict", "action", "decided_by", "subject", "reason", "expires", "answers")
    _rows(console, "Decisions, the latest first",
          [{c: row[c] for c in columns} for row in told.decisions[::-1]])  # fmt: skip


def print_appeal(console: Console, appeal: Appeal) -> None:
    """The statement as it can be sent, the fields, and all for the reviewer."""
    import json

    for caution in appeal.cautions:
        _line(console, f"caution: {caution}", "yellow")
    console.rule("Statement of reasons", align="left")
    _line(console, appeal.statement.text)
    console.rule("Fields of the DSA Transparency Database", align="left")
    if appeal.restriction is None:
        _line(console, "None: nothing was restricted.")
    else:
        _line(console, json.dumps(appeal.restriction, indent=2))
    console.rule("For the reviewer, not to be sent", align="left")
    print_explained(console, appeal.record)
    _rows(console, "Appeals on this account",
          [{c: row[c] for c in ("date", "verdict", "decided_by", "reason", "answers")}
           for row in appeal.earlier_appeals])  # fmt: skip
    kept = appeal.policy_text is not None
    _line(console, f"Decided by policy {appeal.policy_version}"
          + ("; --json has its text" if kept else "; its text was not kept"))  # fmt: skip


def _line(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, soft_wrap=True)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    return "" if value is None else str(value)


def _rows(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left")
    for name, value in rows[0].items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        table.add_column(name.replace("_", " "), justify="right" if number else "left",
                         overflow="fold")  # fmt: skip
    for row in rows[:ROWS_SHOWN]:
        table.add_row(*(escape(_said(value)) for value in row.values()))
    if len(rows) > ROWS_SHOWN:
        table.caption = f"and {len(rows) - ROWS_SHOWN:,} more; --json has all"
    console.print(table)


def _history(console: Console, told: Explained) -> None:
    _rows(console, f"Last {min(NIGHTS_SHOWN, len(told.history))} of {len(told.history)} nights",
          told.history[-NIGHTS_SHOWN:])  # fmt: skip


def _reasons(console: Console, told: Explained) -> None:
    rows = []
    for reason in told.reasons:
        sources = [
            f"{s.table}{'.' + s.column if s.column else ''}, {s.night}, {s.key}"
            for s in reason.sources[:_FIGURES_SHOWN]
        ]
        rows.append({
            "reason": reason.sentence,
            "figure": None if reason.figure is None else f"{reason.figure:.4g}",
            "from (table, night, key)": "\n".join(sources),
        })  # fmt: skip
    _rows(console, "Reasons", rows)


def _rungs(console: Console, told: Explained) -> None:
    whose = "of the night" if told.policy_is_the_nights else "in force now; the night kept none"
    rows = [
        {
            "rung": f"{rung.action}{' (in force)' if rung.in_force else ''}",
            "holds": "; ".join(rung.there),
            "lacks": "; ".join(rung.lacking) or _nothing(rung),
            **({} if rung.accounts is None else
               {"accounts": rung.accounts, "proposed": rung.proposed}),
        }
        for rung in told.rungs
    ]  # fmt: skip
    _rows(console, f"Rungs of policy {told.policy_version} ({whose})", rows)


def _nothing(rung: RungState) -> str:
    return "nothing; a person decides" if rung.by_person else "nothing"


def _limits(console: Console, told: Explained) -> None:
    """What it may send now, or since the last night that said so where a night was asked for, in a
    table of few columns; why below."""
    if told.limits_now is not None:
        when, rows = "now", told.limits_now
    else:
        last = max((row["date"] for row in told.limits), default=None)
        when, rows = f"of the night of {last}", [r for r in told.limits if r["date"] == last]
    if told.subject_kind == CAMPAIGN_SUBJECT:
        columns = ("accounts", "requests_a_day", "tokens_a_day", "counted_by", "step", "since",
                   "mode")  # fmt: skip
        _rows(console, f"Budget {when}, at most",
              [{name: row[name] for name in columns} for row in rows])  # fmt: skip
        return
    _rows(console, f"Rate limit {when}, at most", [
        {"asks for": row["capability"],
         "requests a minute, hour, day": _each(row, REQUEST_LIMITS),
         "tokens a minute, hour, day": _each(row, TOKEN_LIMITS),
         "step": row["step"], "since": row["since"], "expires": row["expires"], "mode": row["mode"]}
        for row in rows
    ])  # fmt: skip
    if not rows and told.about.get("status") in ("suspended", "closed"):
        _line(console, f"No rate limit: the account is {told.about['status']} and sends nothing.")
    for row in rows:
        _line(console, f"  {row['capability']}: {row['reason']}")


def _each(row: dict[str, Any], names: tuple[str, ...]) -> str:
    return " · ".join(_said(row[name]) for name in names)


def _shared(console: Console, told: Explained) -> None:
    _rows(console, "Linked with, heaviest first", [
        {"account": link.other or "between members", "links": link.links,
         "weight (nats)": link.weight, "kinds": link.kinds, "families": link.families}
        for link in told.links
    ])  # fmt: skip
    _rows(console, "Shares (tokens masked), what fewest have first"
          if told.subject_kind != CAMPAIGN_SUBJECT else "Members share (tokens masked)", [
        {"kind": s.kind, "token": s.token, "accounts": s.accounts, "of its own": s.inside,
         "others": s.others}
        for s in told.shared
    ])  # fmt: skip


def _runs(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Nights in a row with the same action as one."""
    runs: list[dict[str, Any]] = []
    for row in actions:
        same = ("action", "proposed", "mode", "policy_version", "decision_id")
        now = {name: row.get(name) for name in same}
        if runs and all(runs[-1][name] == now[name] for name in same):
            runs[-1] |= {"to": row["date"], "expires": row["expires"], "evidence": row["evidence"]}
        else:
            runs.append({"from": row["date"], "to": row["date"], **now, "expires": row["expires"],
                         "evidence": row["evidence"]})  # fmt: skip
    return runs
