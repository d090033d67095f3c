"""A head that starts from a judgement: trees add what it misses, and never lose its order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from worlds import NIGHT, PlantedFeature, make_world

from models.classifier import Classifier
from models.dataset import TrainingSet, build_training_set, plan_rows
from models.definitions import TrainingPolicy
from models.train import fit

JUDGED = (
    PlantedFeature("judgement", "infrastructure", 1, judges="distillation"),
    PlantedFeature("noise", "behaviour"),
)
NAMES = tuple(feature.name for feature in JUDGED)


def rows_of(seed: int, guilty: float, honest: float) -> TrainingSet:
    """A world in which the judgement of the guilty and of the honest is known."""
    world = make_world(seed=seed, honest=600, campaigns=(30, 30, 25), resellers=0)
    rng = np.random.default_rng(seed)
    accounts = world.features["account_id"].to_pylist()
    judged = [guilty if world.truth[a] == "distillation" else honest for a in accounts]
    judged = np.clip(np.array(judged) + rng.normal(0, 0.02, len(judged)), 0.0, 1.0)
    table = world.features.append_column("judgement", pa.array(judged))
    plan = plan_rows(world.labels, world.presence, NIGHT, TrainingPolicy().sampling)
    return build_training_set(plan, table, NAMES, segments=("plan",))


@pytest.fixture(scope="module")
def judge() -> Classifier:
    policy = TrainingPolicy()
    quick = replace(policy, boosting=replace(policy.boosting, rounds=30))
    return fit(rows_of(3, guilty=0.9, honest=0.05), JUDGED, quick)


def scored(classifier: Classifier, judgements: list[float | None]) -> np.ndarray:
    table = pa.table({
        "judgement": pa.array(judgements, pa.float64()), "noise": [0.0] * len(judgements),
    })  # fmt: skip
    return np.asarray(classifier.predict(table)["distillation_score"].to_numpy())


def test_between_what_was_seen_the_order_of_the_judgement_stays(judge: Classifier) -> None:
    # Trees alone would have one step somewhere between 0.05 and 0.9, and call all else equal.
    found = scored(judge, [0.05, 0.2, 0.4, 0.6, 0.8, 0.9])
    assert (np.diff(found) > 1e-4).all()


def test_no_judgement_is_the_least_of_all(judge: Classifier) -> None:
    found = scored(judge, [0.0, None, 0.1])
    assert found[0] <= found[2] and found[1] < found[2]


def test_reasons_give_the_judgement_its_part_and_sum_up(judge: Classifier) -> None:
    table = pa.table({"judgement": [0.0, 0.5, 0.9], "noise": [0.1, -0.2, 0.0]})
    parts = judge.contributions(table)
    found = judge.predict(table)["distillation_score"].to_numpy()
    np.testing.assert_allclose(parts.sum(axis=1), np.log(found) - np.log1p(-found), atol=1e-4)
    assert parts[2, 0] > parts[1, 0] > parts[0, 0]
    # The bias is everybody's.
    np.testing.assert_allclose(parts[:, -1], parts[0, -1], atol=1e-4)


def test_a_saved_head_still_starts_from_it(judge: Classifier, tmp_path: Path) -> None:
    judge.save(tmp_path)
    again = Classifier.load(tmp_path)
    values: list[float | None] = [0.05, 0.3, 0.7, 0.9]
    np.testing.assert_array_equal(scored(again, values), scored(judge, values))
