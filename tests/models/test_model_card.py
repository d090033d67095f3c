"""The card says what a reader must know, and the same model has the same card."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from models.card import Report, write_report
from models.classifier import Classifier
from models.dataset import TrainingSet
from models.definitions import TrainingPolicy
from models.evaluate import evaluate
from models.plots import wilson
from models.split import split


@pytest.fixture(scope="module")
def report(dataset: TrainingSet, classifier: Classifier, policy: TrainingPolicy) -> Report:
    parts = split(dataset, 0.25)
    held_out = dataset.take(parts.held_out)
    figures = evaluate(classifier, held_out, 20, ("plan",))
    return Report("2026-05-28", classifier, figures, held_out, policy, parts, None)


@pytest.fixture(scope="module")
def folder(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(report, tmp_path_factory.mktemp("card")).parent


def test_every_picture_in_the_card_is_there_and_has_a_size(folder: Path) -> None:
    card = (folder / "card.md").read_text()
    pictures = sorted(path.name for path in folder.glob("*.png"))
    assert len(pictures) == 4
    for name in pictures:
        assert f"]({name})" in card
        width, height = struct.unpack(">II", (folder / name).read_bytes()[16:24])
        assert width > 500 and height > 250


def test_the_page_stands_alone(folder: Path) -> None:
    page = (folder / "card.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert "http" not in page


def test_the_card_has_its_figures(folder: Path, report: Report) -> None:
    card = (folder / "card.md").read_text()
    value = report.figures["distillation"]["metrics"]["pr_auc"]["value"]
    assert f"| pr auc | {value:.4f} (" in card
    assert "| recall at fpr 0.0001 | too few accounts |" in card
    assert "| operation 3 | 25 |" in card
    assert "| enterprise |" in card and "| content |" in card


def test_the_same_model_has_the_same_card(report: Report, folder: Path, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_hostile_names_stay_text(report: Report, tmp_path: Path) -> None:
    figures = dict(report.figures)
    figures["campaigns"] = {"<script>|x": {"accounts": 3, "recall": 1.0}}
    changed = Report(report.title, report.classifier, figures, report.held_out, report.policy,
                     report.split, None)  # fmt: skip
    write_report(changed, tmp_path)
    assert "<script>" not in (tmp_path / "card.html").read_text()
    assert "\\|x" in (tmp_path / "card.md").read_text()


def test_an_interval_of_few_accounts_is_wide() -> None:
    low, high = wilson(np.array([1.0, 1.0, 0.0]), np.array([2.0, 200.0, 200.0]))
    assert low[0] < 0.5 < 0.95 < low[1]
    assert high[0] == pytest.approx(1.0) and low[2] == pytest.approx(0.0, abs=1e-9)
