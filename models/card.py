"""The model card: one page on what a model is, saw, can do and cannot (Mitchell et al. 2019).

The same blocks become card.md (for reviews and diffs) and card.html (one file, pictures inside).
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.classifier import Classifier
from models.dataset import TrainingSet
from models.definitions import (
    DISTILLATION,
    FROM_SIMULATION,
    HEADS,
    MODEL_NAME,
    OWNER,
    TrainingPolicy,
)
from models.evaluate import metric_names
from models.promotion import Verdict
from models.split import Split

CARD = "card.md"
PAGE = "card.html"


@dataclass(frozen=True)
class Report:
    """What a card tells."""

    #: `prior`, or the night of the training.
    title: str
    classifier: Classifier
    figures: Mapping[str, Any]
    held_out: TrainingSet
    policy: TrainingPolicy
    split: Split | None
    verdict: Verdict | None


@dataclass(frozen=True)
class _Block:
    """A heading, a paragraph, a table (first row: its head) or a picture (file, words)."""

    heading: str = ""
    text: str = ""
    table: Sequence[Sequence[str]] = ()
    picture: tuple[str, str] | None = None


def write_report(report: Report, folder: Path, plots: bool = True) -> Path:
    """Write card.md, and with `plots` the pictures and card.html; returns the card's path."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures: list[tuple[str, str]] = []
    if plots:
        from models.plots import draw  # a second of import that scoring never needs

        pictures = draw(folder, report.figures, report.classifier, report.held_out)
    blocks = _blocks(report, dict(pictures))
    (folder / CARD).write_text(_markdown(blocks), encoding="utf-8")
    if plots:
        (folder / PAGE).write_text(_page(blocks, folder), encoding="utf-8")
    return folder / CARD


def _blocks(report: Report, pictures: Mapping[str, str]) -> list[_Block]:
    trained = report.classifier.trained
    simulated = trained.get("origin") == FROM_SIMULATION
    figures = report.figures

    def picture(name: str) -> list[_Block]:
        return [_Block(picture=(name, pictures[name]))] if name in pictures else []

    blocks = [
        _Block(heading=f"{MODEL_NAME}: {report.title}"),
        _Block(
            text="Gives every account with traffic two calibrated probabilities: that it distils "
            "the model (asks on an industrial scale for answers to train another model on), and "
            "that it resells access. Two gradient-boosted heads, each with a Platt sigmoid."
        ),
        _Block(
            text="For: ranking accounts for people, and actions that a policy allows only on two "
            "independent families of evidence. Not for: acting on the score alone, judging "
            "a person, or any other platform without training there."
        ),
        _Block(text=f"Owner: {OWNER}."),
    ]
    if simulated:
        blocks.append(
            _Block(
                text="This is a prior: it has seen simulated worlds only. It scores until there "
                "are enough labels of real operations. Its probabilities assume that "
                f"{report.policy.prior_prevalence:.1%} of accounts are guilty."
            )
        )
    blocks += [_Block(heading="How good it is"), _Block(text=_setting(report))]
    blocks += [_Block(table=_metric_table(figures)), *picture("precision_recall.png")]
    blocks += picture("calibration.png")
    if report.verdict is not None:
        blocks += [
            _Block(heading="Against the champion"),
            _Block(text=_sentence(report.verdict.reason)),
            _Block(table=_gate_table(report.verdict)),
        ]
    blocks += [_Block(heading="By campaign"), _Block(table=_campaign_table(figures))]
    blocks += picture("campaigns.png")
    for name, segments in figures["segments"].items():
        blocks += [_Block(heading=f"By {name}"), _Block(table=_segment_table(segments))]
    blocks += [
        _Block(heading="What it looks at"),
        *picture("contributions.png"),
        _Block(text="With one family of evidence unavailable, at the usual threshold:"),
        _Block(table=_family_table(figures)),
        _Block(heading="What it learned from"),
        _Block(table=_data_table(trained)),
        _Block(heading="Known limits"),
        *(_Block(text=text) for text in _limits(report)),
        _Block(heading="Parameters"),
        _Block(table=[("parameter", "value"),
                      *((k, f"{v}") for k, v in report.policy.parameters().items())]),
    ]  # fmt: skip
    return blocks


def _setting(report: Report) -> str:
    if report.split is None:
        how = "On worlds whose seeds were not used in training."
    else:
        campaigns = ", ".join(report.split.campaigns) or "none with a name"
        how = f"Split {report.split.how}; held out: {campaigns}."
        if report.split.boundary is not None:
            how += f" Their evidence begins on {report.split.boundary}."
    return (
        f"{how} Rates are those of the lake: every row counts as the accounts it stands for. "
        "Unlabelled accounts count as benign, so an operation that nobody has labelled shows as "
        f"false positives. Brackets: 90% bootstrap interval over "
        f"{report.figures['intervals_over']}."
    )


def _metric_table(figures: Mapping[str, Any]) -> list[list[str]]:
    rows = [["metric", *HEADS]]
    for name in metric_names():
        entries = [figures[head]["metrics"][name] for head in HEADS]
        rows.append([name.replace("_", " "), *(_with_interval(entry) for entry in entries)])
    return rows


def _with_interval(entry: Mapping[str, float | None]) -> str:
    if entry["value"] is None:
        return "too few accounts"
    if entry["low"] is None:
        return f"{entry['value']:.4f}"
    return f"{entry['value']:.4f} ({entry['low']:.4f} to {entry['high']:.4f})"


def _gate_table(verdict: Verdict) -> list[list[str]]:
    rows = [["gate", "figure", "needs", "met"]]
    for gate in verdict.gates:
        rows.append([gate.says, _number(gate.figure), _number(gate.limit),
                     "yes" if gate.passed else "no"])  # fmt: skip
    return rows


def _campaign_table(figures: Mapping[str, Any]) -> list[list[str]]:
    rows = [["held-out campaign", "accounts", f"recall at {figures['gate_rate']:g}"]]
    for name, entry in figures["campaigns"].items():
        rows.append([name, str(entry["accounts"]), f"{entry['recall']:.3f}"])
    return rows


def _segment_table(segments: Mapping[str, Any]) -> list[list[str]]:
    rows = [["segment", "accounts", "false positive rate", "known distillers", "recall"]]
    for name, entry in segments.items():
        rows.append([name, f"{entry['accounts']:.0f}", _number(entry["false_positive_rate"]),
                     f"{entry['positives']:.0f}", _number(entry["recall"])])  # fmt: skip
    return rows


def _family_table(figures: Mapping[str, Any]) -> list[list[str]]:
    rows = [["without", "recall", "false positive rate"]]
    for name, entry in figures["without_family"].items():
        rows.append([name, _number(entry["recall"]), _number(entry["false_positive_rate"])])
    return rows


def _data_table(trained: Mapping[str, Any]) -> list[list[str]]:
    rows = [
        ["what", "value"],
        ["night", str(trained["night"])],
        ["rows", str(trained["rows"])],
        ["fingerprint of the rows", str(trained["fingerprint"])],
        ["campaigns", ", ".join(trained["campaigns"]) or "none with a name"],
    ]
    rows += [[name.replace("_", " "), str(value)] for name, value in trained["counts"].items()]
    for head in HEADS:
        rows += [[f"{head}: {name.replace('_', ' ')}", _number(value)]
                 for name, value in trained["heads"][head].items()]  # fmt: skip
    if "made" in trained:
        rows += [[f"made: {name}", str(value)] for name, value in trained["made"].items()]
    return rows


def _limits(report: Report) -> list[str]:
    notes = [*report.classifier.trained["notes"], *(report.split.notes if report.split else ())]
    said = [f"{_sentence(note)}" for note in notes]
    if report.classifier.heads[DISTILLATION].calibration is None:
        said.append("Distillation is a constant: this model tells nobody apart.")
    return [
        *said,
        "Labels are what people looked at: an operation unlike any labelled one may score low.",
        "A family of evidence that a source cannot deliver lowers recall; the table above says "
        "by how much.",
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _markdown(blocks: Sequence[_Block]) -> str:
    parts = []
    for at, block in enumerate(blocks):
        if block.heading:
            parts.append(f"{'#' if at == 0 else '##'} {block.heading}")
        elif block.table:
            head, *rows = [[cell.replace("|", "\\|") for cell in row] for row in block.table]
            lines = [head, ["---"] * len(head), *rows]
            parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        elif block.picture:
            parts.append(f"![{block.picture[1]}]({block.picture[0]})")
        else:
            parts.append(block.text)
    return "\n\n".join(parts) + "\n"


def _page(blocks: Sequence[_Block], folder: Path) -> str:
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;"
        "color:#1b1b1b}table{border-collapse:collapse;font-size:14px;margin:1rem 0}"
        "td,th{border-bottom:1px solid #ddd;padding:.25rem .75rem .25rem 0;text-align:left;"
        "vertical-align:top;overflow-wrap:anywhere}img{max-width:100%}h2{margin-top:2.5rem}"
    )
    parts = []
    for at, block in enumerate(blocks):
        if block.heading:
            level = "h1" if at == 0 else "h2"
            parts.append(f"<{level}>{html.escape(block.heading)}</{level}>")
        elif block.table:
            rows = "".join(
                "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in row) + "</tr>"
                for tag, row in zip(
                    ["th"] + ["td"] * (len(block.table) - 1), block.table, strict=True
                )
            )
            parts.append(f"<table>{rows}</table>")
        elif block.picture:
            name, about = block.picture
            data = base64.b64encode((folder / name).read_bytes()).decode()
            parts.append(f'<img alt="{html.escape(about)}" src="data:image/png;base64,{data}">')
        else:
            parts.append(f"<p>{html.escape(block.text)}</p>")
    title = html.escape(blocks[0].heading)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head><body>{''.join(parts)}</body></html>\n"
    )
