"""What the fitted heads promise: found signal, held directions, exact reasons, same bytes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from worlds import FEATURES, NAMES, NIGHT, PlantedFeature, World, make_world

from models.classifier import Classifier
from models.dataset import TrainingSet
from models.definitions import TrainingPolicy
from models.errors import ModelError, ModelInputError
from models.train import fit, seen_twice, suspect_rows, without_one_family

Rows = Callable[[World], TrainingSet]


@pytest.fixture(scope="module")
def unseen() -> tuple[pa.Table, np.ndarray]:
    """The last night of another world, and who distils there."""
    other = make_world(seed=77, campaigns=(40, 40, 40))
    table = other.features.filter(pc.equal(other.features["date"], NIGHT))
    guilty = [other.truth[account] == "distillation" for account in table["account_id"].to_pylist()]
    return table, np.array(guilty)


def scores(classifier: Classifier, table: pa.Table, head: str = "distillation") -> np.ndarray:
    return classifier.predict(table)[f"{head}_score"].to_numpy()


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities) - np.log1p(-probabilities)


def changed(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values, pa.float64()))


def without(table: pa.Table, family: str) -> pa.Table:
    for feature in FEATURES:
        if feature.family == family:
            table = changed(table, feature.name, [None] * table.num_rows)
    return table


def test_campaigns_of_another_world_are_found(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    table, guilty = unseen
    found = scores(classifier, table)
    level = np.quantile(found[~guilty], 0.99)
    assert (found[guilty] > level).mean() > 0.8
    # Probabilities of the lake: their mean is near the share, not near a half.
    assert found.mean() == pytest.approx(guilty.mean(), abs=0.04)
    assert found.min() >= 0 and found.max() <= 1


def test_resellers_are_told_from_distillers(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    table = unseen[0]
    shops = np.array([name.startswith("r") for name in table["account_id"].to_pylist()])
    guilty = unseen[1]
    as_distillers = scores(classifier, table)
    assert np.median(as_distillers[shops]) < 0.2 < 0.8 < np.median(as_distillers[guilty])
    as_resellers = scores(classifier, table, "resale")
    assert np.median(as_resellers[guilty]) < 0.1 < 0.5 < np.median(as_resellers[shops])


def test_the_same_rows_give_the_same_bytes(
    dataset: TrainingSet, classifier: Classifier, policy: TrainingPolicy, tmp_path: Path
) -> None:
    again = fit(dataset, FEATURES, policy)
    assert again.digest() == classifier.digest()
    assert again.save(tmp_path) == classifier.digest()


def test_the_number_of_threads_does_not_matter(
    dataset: TrainingSet, policy: TrainingPolicy
) -> None:
    # Few rounds: two threads on busy cores take many times as long.
    quick = replace(policy, boosting=replace(policy.boosting, rounds=3, folds=2))
    one, two = (fit(dataset, FEATURES, replace(quick, threads=n)) for n in (1, 2))
    assert one.digest() == two.digest()


def test_more_evidence_never_lowers_a_score_that_is_declared_to_rise(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    table = unseen[0].slice(0, 400)
    for feature in FEATURES:
        if feature.monotone == 0:
            continue
        values = np.asarray(table[feature.name].to_numpy())
        last = scores(classifier, changed(table, feature.name, values))
        for step in (0.3, 1.0, 3.0):
            more = scores(classifier, changed(table, feature.name, values + step))
            assert (feature.monotone * (more - last) >= -1e-12).all(), feature.name
            last = more


@pytest.mark.parametrize("head", ["distillation", "resale"])
def test_contributions_add_up_to_the_score(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray], head: str
) -> None:
    table = unseen[0].slice(0, 300)
    parts = classifier.contributions(table, head)
    assert parts.shape == (300, len(NAMES) + 1)
    assert np.allclose(parts.sum(axis=1), log_odds(scores(classifier, table, head)), atol=1e-3)


def test_contributions_name_the_planted_signal(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    table, guilty = unseen
    mean = classifier.contributions(table.filter(pa.array(guilty)))[:, :-1].mean(axis=0)
    strongest = {classifier.feature_names[i] for i in np.argsort(-mean)[:4]}
    assert strongest == {"shared_templates", "near_duplicates", "rare_networks", "shared_cards"}


def test_columns_are_found_by_name_and_others_ignored(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    table = unseen[0].slice(0, 50)
    shuffled = table.select(list(reversed(table.column_names))).append_column(
        "of tomorrow", pa.array(["?"] * 50)
    )
    assert classifier.predict(shuffled).equals(classifier.predict(table))


def test_a_missing_feature_is_named_and_so_is_one_that_is_no_number(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    table = unseen[0].slice(0, 5)
    with pytest.raises(ModelInputError, match=r"lacks 1 of the 8 features.*night_share"):
        classifier.predict(table.drop_columns(["night_share"]))
    with pytest.raises(ModelInputError, match="night_share"):
        classifier.predict(table.slice(0, 0).drop_columns(["night_share"]))
    words = table.set_column(table.column_names.index("noise"), "noise", pa.array(["much"] * 5))
    with pytest.raises(ModelInputError, match="feature noise is of type string"):
        classifier.predict(words)


def test_null_nan_and_infinity_are_all_unavailable(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    table = unseen[0].slice(0, 3)
    nothing = scores(classifier, changed(table, "rare_networks", [None] * 3))
    for value in (float("nan"), float("inf"), float("-inf")):
        assert (scores(classifier, changed(table, "rare_networks", [value] * 3)) == nothing).all()
    huge = scores(classifier, changed(table, "rare_networks", [1e300] * 3))
    assert np.isfinite(huge).all()


def test_no_rows_give_no_scores(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    none = unseen[0].slice(0, 0)
    assert classifier.predict(none).num_rows == 0
    assert classifier.contributions(none).shape == (0, len(NAMES) + 1)


@pytest.mark.parametrize("family", sorted({feature.family for feature in FEATURES}))
def test_a_family_that_is_unavailable_costs_recall_and_no_false_alarms(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray], family: str
) -> None:
    table, guilty = unseen
    honest = np.array([name.startswith("h") for name in table["account_id"].to_pylist()])
    level = np.quantile(scores(classifier, table)[honest], 0.99)
    blind = scores(classifier, without(table, family))
    assert (blind[honest] > level).mean() < 0.02
    assert (blind[guilty] > level).mean() > 0.4


def test_nothing_is_said_of_more_honest_accounts_when_two_families_are_gone(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    table = unseen[0]
    honest = np.array([name.startswith("h") for name in table["account_id"].to_pylist()])
    watched = 0.3
    usual = (scores(classifier, table)[honest] > watched).mean()
    for one, other in combinations(sorted({feature.family for feature in FEATURES}), 2):
        found = scores(classifier, without(without(table, one), other))
        assert (found[honest] > watched).mean() <= usual + 0.004, (one, other)


def test_without_any_evidence_everybody_is_alike_and_nobody_is_watched(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    table = unseen[0].slice(0, 50)
    for feature in FEATURES:
        table = changed(table, feature.name, [None] * table.num_rows)
    found = set(scores(classifier, table))
    assert len(found) == 1 and found.pop() < 0.3


def test_contributions_add_up_where_evidence_is_missing(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    table = without(unseen[0].slice(0, 100), "content")
    parts = classifier.contributions(table)
    assert np.allclose(parts.sum(axis=1), log_odds(scores(classifier, table)), atol=1e-3)


def test_masking_takes_one_whole_family_from_each_row_by_turns(classifier: Classifier) -> None:
    masked = np.isnan(without_one_family(np.zeros((10, len(NAMES)), "f4"), classifier.features))
    families = sorted({feature.family for feature in FEATURES})
    for row in range(10):
        gone = {feature.family for feature, lost in zip(FEATURES, masked[row], strict=True) if lost}
        assert gone == {families[row % len(families)]}
        kept = {f.family for f, lost in zip(FEATURES, masked[row], strict=True) if not lost}
        assert not gone & kept


def test_rows_come_in_batches_and_once_more_masked(classifier: Classifier) -> None:
    specs = classifier.features
    matrix = np.arange(40 * len(specs), dtype="f4").reshape(40, len(specs))
    used = np.arange(40) % 4 != 1
    positive, weight = np.arange(30) % 3 == 0, np.arange(30.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.train.BATCH_ROWS", 7)
        found = list(seen_twice(matrix, used, positive, weight, specs, None, 0.5)())
    assert {len(batch["data"]) for batch in found} == {7, 2}
    together = {name: np.concatenate([batch[name] for batch in found])
                for name in ("data", "label", "weight")}  # fmt: skip
    rows = matrix[used]
    wanted = np.concatenate([rows, without_one_family(rows, specs)])
    np.testing.assert_array_equal(together["data"], wanted)
    np.testing.assert_array_equal(together["label"], [*positive, *positive])
    np.testing.assert_array_equal(together["weight"], [*weight, *(weight * 0.5)])


def test_batches_do_not_change_the_model(
    dataset: TrainingSet,
    classifier: Classifier,
    policy: TrainingPolicy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.train.BATCH_ROWS", 97)
    assert fit(dataset, FEATURES, policy).digest() == classifier.digest()


def test_a_hidden_campaign_among_the_unlabelled_is_not_learned_as_benign(
    training_rows: Rows, policy: TrainingPolicy
) -> None:
    """Two of four campaigns have no label: those accounts are found all the same."""
    world = make_world(seed=3, campaigns=(50, 50, 40, 40), labelled=2)
    # Not even the campaign step has seen them.
    at = world.features.column_names.index("campaign_id")
    nobody = pa.nulls(world.features.num_rows, pa.string())
    world.features = world.features.set_column(at, "campaign_id", nobody)
    fitted = fit(training_rows(world), FEATURES, policy)
    assert fitted.trained["heads"]["distillation"]["suspects_left_out"] > 20
    table = world.features.filter(pc.equal(world.features["date"], NIGHT))
    found = scores(fitted, table)
    names = table["account_id"].to_pylist()
    hidden = np.array([name.startswith(("d2", "d3")) for name in names])
    honest = np.array([name.startswith("h") for name in names])
    assert (found[hidden] > np.quantile(found[honest], 0.99)).mean() > 0.7
    # Had they stayed in as benign, their scores would have been argued down.
    all_in = replace(policy, boosting=replace(policy.boosting, suspect_share=0.0))
    taken_in = scores(fit(training_rows(world), FEATURES, all_in), table)
    assert np.median(found[hidden]) > np.median(taken_in[hidden]) + 0.1


def test_suspects_are_never_more_than_their_share(policy: TrainingPolicy) -> None:
    rng = np.random.default_rng(0)
    margins = rng.normal(size=2100)
    positive = np.arange(2100) < 100  # a model that tells nobody apart
    suspects = suspect_rows(margins, positive, ~positive, policy.boosting)
    assert suspects.sum() <= policy.boosting.suspect_share * 2000
    assert not suspects[positive].any()
    level = suspect_rows(np.zeros(2100), positive, ~positive, policy.boosting)
    assert not level.any()  # all alike: nobody is more suspect than another


def test_one_campaign_is_enough_to_fit_and_is_said(
    training_rows: Rows, policy: TrainingPolicy
) -> None:
    fitted = fit(training_rows(make_world(honest=300, campaigns=(30,))), FEATURES, policy)
    assert any("one campaign" in note for note in fitted.trained["notes"])
    assert fitted.heads["distillation"].calibration is not None


def test_without_resale_labels_resale_is_a_small_constant(
    training_rows: Rows, policy: TrainingPolicy, unseen: tuple[pa.Table, np.ndarray]
) -> None:
    world = make_world(honest=300, campaigns=(30, 20), resellers=0)
    fitted = fit(training_rows(world), FEATURES, policy)
    resale = scores(fitted, unseen[0], "resale")
    assert resale.max() == resale.min() < 0.01
    assert (fitted.contributions(unseen[0].slice(0, 3), "resale")[:, :-1] == 0).all()


def test_features_that_say_nothing_are_survived(
    training_rows: Rows, policy: TrainingPolicy
) -> None:
    rows = training_rows(make_world(honest=300, campaigns=(30, 20)))
    table = changed(rows.table, "noise", [None] * len(rows))
    table = changed(table, "night_share", [0.25] * len(rows))
    fitted = fit(replace(rows, table=table), FEATURES, policy)
    assert np.isfinite(scores(fitted, table)).all()
    blank = table
    for name in NAMES:
        blank = changed(blank, name, [None] * len(rows))
    nothing = fit(replace(rows, table=blank), FEATURES, policy)
    assert len(set(scores(nothing, blank))) == 1  # no evidence at all: everybody alike


def test_other_features_than_the_rows_and_no_rows_are_errors(
    dataset: TrainingSet, policy: TrainingPolicy
) -> None:
    with pytest.raises(ModelInputError, match="not those of the training set"):
        fit(dataset, (*FEATURES, PlantedFeature("altitude", "time")), policy)
    with pytest.raises(ModelInputError, match="empty"):
        fit(dataset.take(np.zeros(len(dataset), dtype=bool)), FEATURES, policy)


def test_saved_pickled_and_loaded_models_score_alike(
    classifier: Classifier, unseen: tuple[pa.Table, np.ndarray], tmp_path: Path
) -> None:
    table = unseen[0].slice(0, 100)
    wanted = classifier.predict(table)
    loaded = Classifier.load(tmp_path, classifier.save(tmp_path))
    assert loaded.predict(table).equals(wanted)
    assert pickle.loads(pickle.dumps(classifier)).predict(table).equals(wanted)
    assert loaded.features == classifier.features and loaded.trained == classifier.trained


@pytest.mark.parametrize("file", ["manifest.json", "distillation.json"])
@pytest.mark.parametrize("harm", ["gone", "cut", "altered"])
def test_a_damaged_folder_is_one_line(
    classifier: Classifier, tmp_path: Path, file: str, harm: str
) -> None:
    sha256 = classifier.save(tmp_path)
    path = tmp_path / file
    text = path.read_text()
    if harm == "gone":
        path.unlink()
    else:
        path.write_text(text[: len(text) // 2] if harm == "cut" else text.replace("1", "2", 1))
    with pytest.raises(ModelError) as caught:
        Classifier.load(tmp_path, sha256)
    assert "\n" not in str(caught.value) and file in str(caught.value)
