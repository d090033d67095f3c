"""Data Docs: what each check found, as pages that a person opens from the lake's folder.

One page a step and night, and an index of the last nights. A page needs no server and no network:
Great Expectations' own page shell loads scripts and styles of third parties, which a lake with
customers' data must not call, so only its rendering of each table is taken.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from jobs.catalog.tables import CHECK_RESULTS
from jobs.platform.errors import LakeError
from jobs.platform.storage import Place, said

if TYPE_CHECKING:
    from jobs.platform.expectations import Outcome
    from jobs.platform.lake import Lake

FOLDER = "_data_docs"
#: Nights that the index shows: as far as the longest window reaches back.
INDEX_NIGHTS = 45

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1d2430; background: #fff }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem } h5 { margin: .5rem 0 }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d9dee6;
  vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums }
code { font-size: .9em; overflow-wrap: anywhere }
.passed, .text-success { color: #1a7f37 } .warn { color: #9a6700 } .stop, .text-danger
  { color: #cf222e; font-weight: 600 }
.fa-check-circle::before { content: "\\2713" } .fa-times::before, .fa-exclamation::before
  { content: "\\2717" }
details { margin: .5rem 0 } summary { cursor: pointer; color: #57606a }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117 }
  th, td { border-color: #30363d } a { color: #58a6ff } }
"""
#: Ids repeat from table to table of one page.
_ID = re.compile(r'\sid="[^"]*"')
#: Characters of one line that a reader needs no more of.
_NAMED = 3


def publish(
    lake: Lake, date: dt.date, step: str, tables: Sequence[tuple[str, Sequence[Outcome], str]]
) -> Place:
    """Write the step's page of the night and the index; returns the index.

    `tables` has a table's name, its outcomes, and Great Expectations' rendering of them.

    Raises:
        LakeError: the folder can't be written.
    """
    root = lake.settings.lake_root / FOLDER
    try:
        (root / date.isoformat() / f"{step}.html").write_text(_step_page(date, step, tables))
        _forget(root, lake.nights("check_results"))
        (root / "index.html").write_text(_index_page(lake, root))
    except OSError as error:
        raise LakeError(f"Data Docs in {root} can't be written: {said(error)}") from error
    return root / "index.html"


def _forget(root: Place, nights: Sequence[dt.date]) -> None:
    """Pages live as long as the results that they show."""
    if not nights:
        return
    oldest = nights[-1] - dt.timedelta(days=CHECK_RESULTS.retention_days)
    for entry in root.entries():
        name = entry.place.name
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", name) and name < oldest.isoformat():
            entry.place.remove_folder()


def _page(title: str, body: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f'</title><meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def _step_page(
    date: dt.date, step: str, tables: Sequence[tuple[str, Sequence[Outcome], str]]
) -> str:
    parts = ['<p><a href="../index.html">All nights</a></p>']
    for name, outcomes, rendered in tables:
        rows = outcomes[0].rows if outcomes else 0
        parts.append(
            f"<h2>{escape(name)}</h2><p>{rows:,} rows of the night, {len(outcomes)} "
            f"expectations, {sum(not o.passed for o in outcomes)} failed.</p>"
        )
        lines = "".join(
            f"<tr><td>{_verdict(o.passed, o.severity)}</td><td>{escape(o.expectation)}</td>"
            f"<td>{o.severity}</td><td class=n>{o.unexpected:,}</td>"
            f"<td><code>{escape(o.example or '')}</code></td></tr>"
            for o in sorted(outcomes, key=lambda o: (o.passed, o.severity != "stop"))
        )
        parts.append(
            "<table><tr><th>Result</th><th>Expectation</th><th>If it fails</th>"
            f"<th>Found</th><th>For example</th></tr>{lines}</table>"
        )
        if rendered:
            parts.append(
                "<details><summary>As Great Expectations shows it</summary>"
                f"{_ID.sub('', rendered)}</details>"
            )
    return _page(f"{step}, {date.isoformat()}", "\n".join(parts))


def _verdict(passed: bool, severity: str) -> str:
    if passed:
        return '<span class="passed">held</span>'
    said = "stopped the night" if severity == "stop" else "warned"
    return f'<span class="{severity}">{said}</span>'


def _index_page(lake: Lake, root: Place) -> str:
    nights = lake.nights("check_results")[-INDEX_NIGHTS:]
    steps: dict[tuple[dt.date, str], list[dict[str, Any]]] = {}
    if nights:
        columns = ["date", "step", "table_name", "expectation", "severity", "passed"]
        for row in lake.rows("check_results", nights[0], nights[-1], columns).to_pylist():
            steps.setdefault((row["date"], row["step"]), []).append(row)
    lines = []
    for (date, step), found in sorted(
        steps.items(), key=lambda item: (-item[0][0].toordinal(), item[0][1])
    ):
        failed = sorted(
            (row for row in found if not row["passed"]),
            key=lambda row: (row["severity"], row["table_name"], row["expectation"]),
        )
        named = "; ".join(f"{row['table_name']}: {row['expectation']}" for row in failed[:_NAMED])
        more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        worst = failed[0]["severity"] if failed else ""
        link = f"{date.isoformat()}/{step}.html"
        shown = f'<a href="{link}">{escape(step)}</a>' if (root / link).is_file() else escape(step)
        lines.append(
            f"<tr><td>{date.isoformat()}</td><td>{shown}</td>"
            f"<td>{_verdict(not failed, worst)}</td><td class=n>{len(found)}</td>"
            f"<td class=n>{len(failed)}</td><td>{escape(named + more)}</td></tr>"
        )
    return _page("Checks, night by night", "<table><tr><th>Night</th><th>Step</th><th>Result</th>"
                 "<th>Expectations</th><th>Failed</th><th>Which</th></tr>"
                 + "\n".join(lines) + "</table>")  # fmt: skip
