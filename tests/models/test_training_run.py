"""One night's training from rows to decision; prior, promotion and rollback around it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from worlds import FEATURES, NIGHT, World, make_world

from models.classifier import Classifier
from models.dataset import TrainingSet
from models.decisions import champion_as_of, decision_record, serving_model, sync_aliases
from models.definitions import TrainingPolicy
from models.errors import ModelError, ModelInputError, ModelRegistryError, PriorError
from models.prior import build_prior, ensure_prior, load_prior, register_prior
from models.registry import ModelRegistry
from models.training import TrainingOutcome, adopt_prior, promote_by_hand, rollback, run_training

Rows = Callable[[World], TrainingSet]
PRIOR = decision_record([], NIGHT, "adopt_prior", champion="stillwatch-distillation/prior-1",
                        reason="first")  # fmt: skip


@pytest.fixture
def train(registry: ModelRegistry, dataset: TrainingSet, policy: TrainingPolicy):
    def run(decisions: list[dict[str, Any]], **changes: Any) -> TrainingOutcome:
        arguments: dict[str, Any] = {
            "registry": registry, "decisions": decisions, "inputs": {"labels": 3},
            "least_positives": 20, "least_campaigns": 2, "policy": policy,
        } | changes  # fmt: skip
        return run_training(arguments.pop("dataset", dataset), FEATURES, **arguments)

    return run


@pytest.fixture(scope="module")
def first_night(
    made_registry: ModelRegistry,
    dataset: TrainingSet,
    policy: TrainingPolicy,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, TrainingOutcome]:
    """A registry after the first night's training, and what came of it: trained once."""
    folder = tmp_path_factory.mktemp("first-night") / "_mlflow"
    shutil.copytree(made_registry.folder, folder)
    outcome = run_training(
        dataset,
        FEATURES,
        registry=ModelRegistry(folder),
        decisions=[PRIOR],
        inputs={"labels": 3},
        least_positives=20,
        least_campaigns=2,
        policy=policy,
    )
    return folder, outcome


@pytest.fixture
def trained(
    first_night: tuple[Path, TrainingOutcome], tmp_path: Path
) -> tuple[ModelRegistry, TrainingOutcome]:
    """A copy of it, of the test's own."""
    folder, outcome = first_night
    shutil.copytree(folder, tmp_path / "first" / "_mlflow")
    return ModelRegistry(tmp_path / "first" / "_mlflow"), outcome


def test_a_better_model_than_the_prior_serves_from_this_night_on(
    trained: tuple[ModelRegistry, TrainingOutcome], dataset: TrainingSet
) -> None:
    registry, outcome = trained
    decision = outcome.decision
    assert decision["decision"] == "promote"
    assert decision["champion_version"] == decision["challenger_version"]
    assert decision["champion_version"] == "stillwatch-distillation/2"
    assert (decision["date"], decision["sequence"]) == (NIGHT, 2)
    assert decision["fingerprint"] == dataset.fingerprint()
    figures = json.loads(decision["figures"])
    assert figures["challenger"]["pr_auc"] > figures["champion"]["pr_auc"]
    report = registry.folder / "artifacts" / decision["run_id"] / "artifacts" / "report"
    assert {path.name for path in report.iterdir()} == {
        "card.md", "card.html", "precision_recall.png", "calibration.png", "campaigns.png",
        "contributions.png",
    }  # fmt: skip
    card = (report / "card.md").read_text()
    assert "held out: operation 3" in card and "By plan" in card and dataset.fingerprint()[:8]
    version, model = serving_model(registry, [PRIOR, decision], NIGHT)
    assert version == "stillwatch-distillation/2"
    # Held-out campaigns were not among its rows.
    assert "operation 3" not in model.trained["campaigns"]


def test_the_same_night_again_changes_nothing(
    train, trained: tuple[ModelRegistry, TrainingOutcome]
) -> None:
    registry, first = trained
    again = train([PRIOR, first.decision], registry=registry)
    assert again.repeated and again.decision == first.decision
    # Killed after the version and before the decision: the same version, the same decision.
    recovered = train([PRIOR], registry=registry)
    assert recovered.decision == first.decision and not recovered.repeated
    assert [model.version for model in registry.versions()] == [1, 2]


def test_a_model_that_is_not_better_is_registered_and_kept_back(
    train, registry: ModelRegistry, policy: TrainingPolicy
) -> None:
    strict = replace(policy, gates=replace(policy.gates, least_gain=0.999))
    decision = train([PRIOR], policy=strict).decision
    assert decision["decision"] == "keep"
    assert decision["champion_version"] == "stillwatch-distillation/prior-1"
    assert decision["challenger_version"] == "stillwatch-distillation/2"
    sync_aliases(registry, [PRIOR, decision])
    assert registry.aliases() == {"champion": 1, "challenger": 2}


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"least_positives": 500}, "155 known distillers, 500 needed"),
        ({"least_campaigns": 5}, "4 known campaigns, 5 needed"),
    ],
)
def test_too_few_labels_train_nothing_and_say_so(
    train, registry: ModelRegistry, limits: dict[str, int], says: str
) -> None:
    outcome = train([PRIOR], **limits)
    assert outcome.model is None and outcome.skipped == says
    assert outcome.decision["decision"] == "skip"
    assert outcome.decision["champion_version"] == "stillwatch-distillation/prior-1"
    assert train([PRIOR, outcome.decision], **limits).repeated
    assert len(registry.versions()) == 1


def test_labels_of_simulated_accounts_only_make_a_prior(train, training_rows: Rows) -> None:
    simulated = make_world(honest=300, campaigns=(30, 20))
    at = simulated.labels.column_names.index("source")
    sources = [["simulation"] * simulated.labels.num_rows]
    simulated.labels = simulated.labels.set_column(at, "source", sources)
    outcome = train([PRIOR], dataset=training_rows(simulated))
    assert outcome.model.model_version == "stillwatch-distillation/prior-2"


def test_a_champion_of_other_features_is_replaced_and_that_is_said(
    train, registry: ModelRegistry, classifier: Classifier
) -> None:
    from models.registry import RunRecord

    spec = replace(classifier.features[0], name="of_yesterday")
    old = Classifier((spec, *classifier.features[1:]), classifier.heads, classifier.trained)
    registry.register(old, key="old", origin="labels", record=RunRecord({}, {}, {}))
    served = decision_record([PRIOR], NIGHT, "promote_by_hand",
                             champion="stillwatch-distillation/2", reason="-")  # fmt: skip
    decision = train([PRIOR, served]).decision
    assert decision["decision"] == "promote"
    assert "cannot read today's features (lacks of_yesterday)" in decision["reason"]


def test_promotion_and_rollback_by_hand_are_decisions(
    trained: tuple[ModelRegistry, TrainingOutcome],
) -> None:
    registry, first = trained
    taken = [PRIOR, first.decision]
    with pytest.raises(ModelRegistryError, match="no version 9"):
        promote_by_hand(registry, taken, NIGHT, 9, "because")
    taken.append(rollback(registry, taken, NIGHT, "too many complaints"))
    assert champion_as_of(taken, NIGHT) == "stillwatch-distillation/prior-1"
    taken.append(promote_by_hand(registry, taken, NIGHT, 2, "looked at them all"))
    assert champion_as_of(taken, NIGHT) == "stillwatch-distillation/2"
    assert [entry["sequence"] for entry in taken] == [1, 2, 3, 4]
    sync_aliases(registry, taken)
    assert registry.aliases() == {"champion": 2}


def test_nobody_serves_before_the_first_decision(registry: ModelRegistry) -> None:
    with pytest.raises(ModelInputError, match="no model serves"):
        serving_model(registry, [], NIGHT)


@pytest.fixture(scope="module")
def prior_folder(
    training_rows: Rows, policy: TrainingPolicy, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("prior")
    rows = training_rows(make_world(seed=11, honest=400, campaigns=(40, 40, 40)))
    other = training_rows(make_world(seed=12, honest=400, campaigns=(40, 40)))
    build_prior(rows, other, FEATURES, {"seeds": [11]}, policy, folder)
    return folder


def test_the_prior_is_text_says_how_it_was_made_and_assumes_a_rarer_crime(
    prior_folder: Path, policy: TrainingPolicy, training_rows: Rows
) -> None:
    names = {path.name for path in prior_folder.iterdir()}
    assert names == {"manifest.json", "distillation.json", "resale.json", "metrics.json", "card.md"}
    prior = load_prior(prior_folder)
    assert prior.trained["made"] == {"seeds": [11]}
    assert "simulated worlds only" in (prior_folder / "card.md").read_text()
    assert json.loads((prior_folder / "metrics.json").read_text())["distillation_pr_auc"] > 0.5
    honest = make_world(seed=13, honest=500, campaigns=(), resellers=0)
    scores = prior.predict(honest.features)["distillation_score"].to_numpy()
    assert scores.mean() < policy.prior_prevalence


def test_an_empty_lake_begins_with_the_prior_and_keeps_it(
    prior_folder: Path, tmp_path: Path, made_registry: ModelRegistry
) -> None:
    empty = ModelRegistry(tmp_path / "_mlflow")
    assert empty.versions() == [] and not empty.exists()
    decision = adopt_prior(empty, [], NIGHT, prior_folder)
    assert decision is not None
    assert decision["champion_version"] == "stillwatch-distillation/prior-1"
    assert adopt_prior(empty, [decision], NIGHT, prior_folder) is None
    version, model = serving_model(empty, [decision], NIGHT)
    assert version.endswith("prior-1")
    assert model.digest() == load_prior(prior_folder).digest()
    assert ensure_prior(empty, prior_folder) == register_prior(empty, prior_folder)
    # Killed before the decision was written: the same version again.
    assert adopt_prior(empty, [], NIGHT, prior_folder) == decision


def test_a_newer_prior_does_not_replace_the_one_a_lake_began_with(
    registry: ModelRegistry, prior_folder: Path
) -> None:
    assert ensure_prior(registry, prior_folder).version == 1
    assert register_prior(registry, prior_folder).version == 2
    assert ensure_prior(registry, prior_folder).version == 1


def test_a_prior_that_is_missing_or_damaged_is_one_line(prior_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PriorError, match="no prior model") as caught:
        load_prior(tmp_path)
    assert isinstance(caught.value, ModelError) and caught.value.hint
    for path in prior_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "resale.json").write_text("{}")
    with pytest.raises(PriorError, match=r"resale.json is not the file"):
        load_prior(tmp_path)


def test_a_campaign_too_old_to_learn_from_is_among_those_that_must_not_be_lost(
    train, first_night: tuple[Path, TrainingOutcome], dataset: TrainingSet
) -> None:
    known = dataset.take(dataset.is_labelled("distillation"))
    known = known.take(known.column("campaign") == "operation 0")
    table = known.table
    for name, value in (("campaign", "old operation"), ("date", date(2020, 1, 1))):
        column = pa.array([value] * len(known), table.schema.field(name).type)
        table = table.set_column(table.column_names.index(name), name, column)
    figures = json.loads(train([PRIOR], past=replace(known, table=table)).decision["figures"])
    named = figures["known_campaigns"]
    assert named["old operation"]["challenger"] == named["operation 0"]["challenger"]
    assert "old operation" not in json.loads(first_night[1].decision["figures"])["known_campaigns"]
