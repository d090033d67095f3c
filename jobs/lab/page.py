"""The report as one page that a browser opens from disk: tables and pictures, nothing to fetch."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from jobs.lab import pictures
from jobs.lab.terminal import number, share, whole
from models.evaluate import FALSE_POSITIVE_RATES

_RATES = tuple(f"{rate:g}" for rate in FALSE_POSITIVE_RATES)
_JUDGED = "0.001"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .8rem 0 }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
h2 { margin-top: 2.5rem; border-bottom: 2px solid #0072B2 }
code, pre { background: #f4f4f4; padding: .1rem .3rem; overflow-x: auto }
svg { max-width: 100%; height: auto }
"""


def render(report: Mapping[str, Any]) -> str:
    """The whole page of a report as `lab.json` has it."""
    worlds = report["worlds"]
    parts = [
        "<h1>Stillwatch lab</h1>",
        "<p>Detection on simulated worlds, against what is true of them. "
        "Figures are of simulations: they compare versions and show where detection fails, and "
        "promise nothing of a real platform.</p>",
        f"<p>Made by <code>{_e(report['command'])}</code>, code "
        f"<code>{_e(report['code'][:12])}</code>, "
        + ", ".join(f"{_e(k)} {_e(v)}" for k, v in report["versions"].items()) + ".</p>",
        "<h2>All worlds</h2>", _overview(worlds), *_strength(report["strength"]),
    ]  # fmt: skip
    ordered = sorted(worlds.items(), key=lambda item: list(_protocols(worlds)).index(
        item[1]["protocol"]))  # fmt: skip
    for protocol, group in groupby(ordered, key=lambda item: item[1]["protocol"]):
        parts.append(f"<h2>{_e(protocol.capitalize())}</h2>")
        for name, world in group:
            parts += _world(name, world)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Stillwatch lab</title>"
        f"<style>{_STYLE}</style>" + "\n".join(parts) + "</html>\n"
    )


def _protocols(worlds: Mapping[str, Any]) -> dict[str, None]:
    return dict.fromkeys(world["protocol"] for world in worlds.values())


def _overview(worlds: Mapping[str, Any]) -> str:
    head = ["world", "protocol", "accounts", "distil", *(f"recall at {r}" for r in _RATES),
            "PR-AUC", "honest acted on", "honest suspended"]  # fmt: skip
    rows = []
    for name, world in worlds.items():
        f = world["figures"]
        rows.append([
            name, world["protocol"], f"{f['accounts']:,}", f"{f['guilty']:,}",
            *(share(f["recall"][r]) for r in _RATES), number(f["pr_auc"]),
            _of(f["honest_all"], "acted_on"), _of(f["honest_all"], "suspended"),
        ])  # fmt: skip
    return _table(head, rows)


def _world(name: str, world: Mapping[str, Any]) -> Iterable[str]:
    f = world["figures"]
    yield f'<h3 id="{_e(name)}">{_e(name)}</h3><p>{_e(world["about"])}</p>'
    nights = world["judged_nights"]
    first = {k: share(v) for k, v in f["precision_of_first"].items()}
    yield (
        f"<p>Seed {world['settings']['seed']}, judged {nights[0]} to {nights[-1]}. Precision of "
        f"the first 100: {first['100'] or 'unknown'}, of the first 1,000: "
        f"{first['1000'] or 'unknown'}; Brier score {f['brier']:.4f}.</p>"
    )
    yield pictures.ranking(f)
    yield pictures.by_night(f["nights"], _JUDGED)
    yield _campaigns(f["campaigns"])
    for column, of in f["honest"].items():
        yield _honest(f"honest, by {column}", of)
    yield _resellers(f["resellers"])
    if world["ablation"]:
        yield from _ablation(world["ablation"])
    if world["tactics"]:
        yield from _tactics(world["tactics"])
    settings = _e(json.dumps(world["settings"], indent=1))
    yield f"<details><summary>Settings of {_e(name)}</summary><pre>{settings}</pre></details>"


def _campaigns(campaigns: Mapping[str, Any]) -> str:
    head = ["campaign", "labelled", "accounts", "recall at 0.001", "acted on", "in one piece",
            "purity", "names", "nights to action", "leaked before each action",
            "leaked before the first"]  # fmt: skip
    return _table(head, [
        [
            name, "yes" if c["labelled"] else "no", f"{c['accounts']:,}", share(c["recall"]),
            f"{c['acted_on']:,}", share(c["one_piece"]), share(c["purity"]), str(c["names"]),
            whole(c["nights_to_action"]), share(c["leaked_share"]),
            share(c["leaked_before_first_share"]),
        ]
        for name, c in campaigns.items()
    ])  # fmt: skip


def _honest(title: str, groups: Mapping[str, Any]) -> str:
    head = [title, "accounts", "acted on", "suspended"]
    return _table(head, [
        [name, f"{of['accounts']:,}", _of(of, "acted_on"), _of(of, "suspended")]
        for name, of in groups.items()
    ])  # fmt: skip


def _resellers(of: Mapping[str, Any]) -> str:
    if not of["accounts"]:
        return ""
    return _table(
        ["resellers", "acted on", "suspended", "taken for distillers"],
        [[f"{of['accounts']:,}", _of(of, "acted_on"), _of(of, "suspended"),
          f"{of['taken_for_distillers']:,} ({_between(of['taken_interval'])})"]],
    )  # fmt: skip


def _ablation(variants: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    yield "<h4>Without each family of evidence, and with it alone (last night)</h4>"
    yield pictures.bars(
        "Recall at a false positive rate of 0.001",
        {_called(v): v["recall"][_JUDGED] for v in variants},
    )
    campaigns = list(variants[0]["one_piece"])
    head = ["evidence", "features", *(f"recall at {r}" for r in _RATES), "PR-AUC",
            *(f"one piece: {c}" for c in campaigns)]  # fmt: skip
    yield _table(head, [
        [
            _called(v), str(v["features"]), *(share(v["recall"][r]) for r in _RATES),
            number(v["pr_auc"]),
            *(share(v["one_piece"][c]) if v["one_piece"] else "" for c in campaigns),
        ]
        for v in variants
    ])  # fmt: skip


def _called(variant: Mapping[str, Any]) -> str:
    words = {"all": "all evidence", "off": "without {}", "alone": "{} alone"}
    return words[variant["how"]].format(variant["family"])


def _tactics(tactics: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    yield "<h4>Recall of a tactic that the prior never saw</h4>"
    yield _table(
        ["tactic", "accounts", "prior that saw it", "prior that never saw it"],
        [[t["tactic"], f"{t['accounts']:,}", share(t["seen"]), share(t["unseen"])]
         for t in tactics],
    )  # fmt: skip


def _strength(curves: Mapping[str, Any]) -> Iterable[str]:
    if not curves:
        return
    yield "<h2>Recall against strength, and what hiding costs</h2>"
    yield (
        "<p>Prices are what a million exchanges cost an operation: accounts, payment instruments, "
        "addresses, and days on which an account is held.</p>"
    )
    points = {name: curve["points"] for name, curve in curves.items()}
    for what, called in (("recall", "Recall at a false positive rate of 0.001"),
                         ("one_piece", "Members found in one piece")):  # fmt: skip
        yield pictures.curves(called, "strength", {
            name: [(p["strength"], p[what]) for p in of if p[what] is not None]
            for name, of in points.items()
        })  # fmt: skip
    for name, curve in curves.items():
        yield f"<h4>{_e(name)}</h4><p>Of {_e(curve['tactic'])}: {_e(curve['about'])}.</p>"
        prices = list(curve["points"][0]["price"])
        yield _table(
            ["strength", "campaigns", "accounts", "recall at 0.001", "in one piece",
             *(price.replace("_", " ") for price in prices)],
            [
                [f"{p['strength']:g}", f"{p['campaigns']:,}", f"{p['accounts']:,}",
                 share(p["recall"]), share(p["one_piece"]),
                 *(f"{p['price'][price]:,.0f}" for price in prices)]
                for p in curve["points"]
            ],
        )  # fmt: skip


def _of(figures: Mapping[str, Any], name: str) -> str:
    count = figures[name]
    interval = figures[f"{name}_interval"]
    return f"{count:,}" + (f" ({_between(interval)})" if interval else "")


def _between(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.2%} to {interval[1]:.2%}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{_e(cell)}" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{_e(cell)}" for cell in row) for row in rows)
    return f"<table><tr>{cells}{body}</table>"


def _e(text: object) -> str:
    return html.escape(str(text))
