"""One world, one fitted model and one made registry for the whole folder: each takes seconds."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from worlds import FEATURES, NAMES, NIGHT, World, make_world

from models.classifier import Classifier
from models.dataset import TrainingSet, build_training_set, plan_rows
from models.definitions import Boosting, Gates, TrainingPolicy
from models.registry import ModelRegistry, RunRecord
from models.train import fit

#: Fewer trees and draws than in service: the tests are about what is done with them.
POLICY = TrainingPolicy(boosting=Boosting(rounds=40), gates=Gates(bootstrap_replicates=60))


def rows_of(world: World) -> TrainingSet:
    plan = plan_rows(world.labels, world.presence, NIGHT, POLICY.sampling)
    return build_training_set(plan, world.features, NAMES, ("plan",))


@pytest.fixture(scope="session")
def policy() -> TrainingPolicy:
    return POLICY


@pytest.fixture(scope="session")
def training_rows() -> Callable[[World], TrainingSet]:
    return rows_of


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()


@pytest.fixture(scope="session")
def dataset(world: World) -> TrainingSet:
    return rows_of(world)


@pytest.fixture(scope="session")
def classifier(dataset: TrainingSet) -> Classifier:
    return fit(dataset, FEATURES, POLICY)


@pytest.fixture(scope="session")
def weak_classifier() -> Classifier:
    """A model of a world with hardly any signal: easily beaten."""
    few = replace(POLICY, boosting=Boosting(rounds=5))
    return fit(rows_of(make_world(seed=5, signal=0.15, honest=400)), FEATURES, few)


@pytest.fixture(scope="session")
def first_registry(
    tmp_path_factory: pytest.TempPathFactory, weak_classifier: Classifier
) -> tuple[ModelRegistry, str]:
    """A registry with the weak model as its version 1, a prior; and what making it printed."""
    registry = ModelRegistry(tmp_path_factory.mktemp("registry") / "_mlflow")
    record = RunRecord({"boosting.rounds": 5}, {"distillation_pr_auc": 0.2}, {"labels": 7})
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        registry.register(weak_classifier, key="weak", origin="simulation", record=record)
        registry.set_aliases({"champion": 1})
        ModelRegistry(registry.folder).load(1)
    return registry, said.getvalue()


@pytest.fixture(scope="session")
def made_registry(first_registry: tuple[ModelRegistry, str]) -> ModelRegistry:
    """That registry. Read only: copy it to write."""
    return first_registry[0]


@pytest.fixture(scope="session")
def printed(first_registry: tuple[ModelRegistry, str]) -> str:
    return first_registry[1]


@pytest.fixture
def registry(made_registry: ModelRegistry, tmp_path: Path) -> ModelRegistry:
    """A copy of it, as a copied lake has one: making the database anew takes seconds."""
    folder = tmp_path / "_mlflow"
    shutil.copytree(made_registry.folder, folder)
    return ModelRegistry(folder)
