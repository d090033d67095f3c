"""Models come back as they were registered, or one line says why not."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from worlds import NAMES, World

from models.classifier import Classifier
from models.errors import ModelRegistryError
from models.registry import ModelRegistry, RunRecord

RECORD = RunRecord({"a": 1}, {"pr_auc": 0.5}, {"labels": 3, "account_features": 12})


def register(registry: ModelRegistry, classifier: Classifier, key: str = "k", **more):
    record = more.get("record", RECORD)
    return registry.register(classifier, key=key, origin="labels", record=record)


def test_a_version_comes_back_as_it_was(
    registry: ModelRegistry, classifier: Classifier, world: World
) -> None:
    model = register(registry, classifier)
    assert (model.version, model.model_version) == (2, "stillwatch-distillation/2")
    fresh = ModelRegistry(registry.folder)
    loaded = fresh.load(2)
    rows = world.features.slice(0, 200)
    assert loaded.predict(rows).equals(classifier.predict(rows))
    assert fresh.get(2) == model


def test_a_model_of_simulated_worlds_says_so(registry: ModelRegistry) -> None:
    prior = registry.prior()
    assert prior is not None and prior.model_version == "stillwatch-distillation/prior-1"


def test_the_same_key_is_registered_once(registry: ModelRegistry, classifier: Classifier) -> None:
    first = register(registry, classifier, "one")
    assert register(ModelRegistry(registry.folder), classifier, "one") == first
    assert register(registry, classifier, "two").version == 3
    assert [model.version for model in registry.versions()] == [1, 2, 3]


def test_a_killed_registration_leaves_no_version(
    registry: ModelRegistry, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = registry._open()

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(client, "log_artifacts", killed)
    with pytest.raises(KeyboardInterrupt):
        register(registry, classifier)
    after = ModelRegistry(registry.folder)
    assert [model.version for model in after.versions()] == [1]
    # The next attempt makes the version and closes what was left open.
    assert register(after, classifier).version == 2
    open_runs = after._open().search_runs(["1"], "attributes.status = 'RUNNING'")
    assert list(open_runs) == []


def test_run_has_parameters_metrics_versions_and_report(
    registry: ModelRegistry, classifier: Classifier, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    report.mkdir()
    (report / "card.md").write_text("# card\n")
    record = RunRecord({"rounds": 40}, {"pr_auc": 0.5}, {"labels": 3}, report)
    model = register(registry, classifier, record=record)
    run = registry._open().get_run(model.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"rounds": "40", "delta.labels": "3"}
    assert run.data.metrics == {"pr_auc": 0.5}
    assert run.data.tags["fingerprint"] == classifier.trained["fingerprint"]
    files = {str(p.relative_to(registry.folder)) for p in registry.folder.rglob("card.md")}
    assert files == {f"artifacts/{model.run_id}/artifacts/report/card.md"}


def test_aliases_are_set_moved_and_taken_away(
    registry: ModelRegistry, classifier: Classifier
) -> None:
    register(registry, classifier)
    registry.set_aliases({"champion": 2, "challenger": 1})
    assert registry.aliases() == {"champion": 2, "challenger": 1}
    registry.set_aliases({"champion": 1, "challenger": None})
    assert ModelRegistry(registry.folder).aliases() == {"champion": 1}


def test_a_copied_lake_has_its_own_models(
    registry: ModelRegistry, classifier: Classifier, tmp_path: Path
) -> None:
    register(registry, classifier)
    moved = tmp_path / "elsewhere" / "_mlflow"
    shutil.copytree(registry.folder, moved)
    shutil.rmtree(registry.folder)
    copy = ModelRegistry(moved)
    assert copy.load(2).digest() == classifier.digest()
    model = register(copy, classifier, "new")
    assert (model.version, (moved / "artifacts" / model.run_id).exists()) == (3, True)
    assert not registry.folder.exists()  # nothing was written where it came from
    assert copy.load(3).digest() == classifier.digest()


def test_a_database_whose_making_was_killed_is_made_anew(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import command

    def killed(config: Any, revision: str) -> None:
        """What a migration leaves that is killed while it copies a table."""
        file = config.get_main_option("sqlalchemy.url").removeprefix("sqlite:///")
        with sqlite3.connect(file) as database:
            database.execute("create table _alembic_tmp_params (key text)")
        raise KeyboardInterrupt

    folder = tmp_path / "_mlflow"
    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", killed)
        with pytest.raises(KeyboardInterrupt):
            register(ModelRegistry(folder), classifier, "first")
    assert not ModelRegistry(folder).exists()
    (folder / "_making-killed").mkdir()  # which a process that dies does not tidy
    assert register(ModelRegistry(folder), classifier, "first").version == 1
    assert {entry.name for entry in folder.iterdir()} == {"mlflow.db", "artifacts"}


def no_registry(folder: Path) -> None:
    shutil.rmtree(folder)


def no_such_version(folder: Path) -> None:
    with sqlite3.connect(folder / "mlflow.db") as database:
        database.execute("delete from model_version_tags")
        database.execute("delete from registered_model_aliases")
        database.execute("delete from model_versions")


def noise_for_a_database(folder: Path) -> None:
    (folder / "mlflow.db").write_bytes(b"this is no database at all" * 100)


def half_a_database(folder: Path) -> None:
    path = folder / "mlflow.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def no_artifacts(folder: Path) -> None:
    shutil.rmtree(folder / "artifacts")


def altered_trees(folder: Path) -> None:
    path = next(folder.rglob("distillation.json"))
    path.write_text(path.read_text().replace("E-2", "E-1", 1))


def other_manifest(folder: Path) -> None:
    path = next(folder.rglob("manifest.json"))
    path.write_text(path.read_text().replace('"slope": ', '"slope": 1'))


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (no_registry, "no version 1"),
        (no_such_version, "no version 1"),
        (noise_for_a_database, "not a database"),
        (half_a_database, "cannot list the models"),
        (no_artifacts, "manifest.json"),
        (altered_trees, "distillation.json is not the file"),
        (other_manifest, "manifest.json is not the file that was registered"),
    ],
)
def test_a_damaged_registry_is_one_line_that_says_where(
    made_registry: ModelRegistry, tmp_path: Path, harm: Callable[[Path], None], says: str
) -> None:
    folder = tmp_path / "_mlflow"
    shutil.copytree(made_registry.folder, folder)
    # The original stays out of reach, as it is for a lake on another machine.
    hidden = made_registry.folder.with_name("hidden")
    made_registry.folder.rename(hidden)
    try:
        harm(folder)
        with pytest.raises(ModelRegistryError) as caught:
            ModelRegistry(folder).load(1)
    finally:
        hidden.rename(made_registry.folder)
    line = str(caught.value)
    assert says in line and "\n" not in line and str(folder) in line
    assert len(line) < 600 and "sqlalche.me" not in line
    assert caught.value.hint


def test_mlflow_itself_can_run_the_model(
    registry: ModelRegistry, classifier: Classifier, world: World, tmp_path: Path
) -> None:
    """As `mlflow models predict` does: pyfunc, its own code, a frame in, a frame out."""
    register(registry, classifier)
    rows = world.features.slice(0, 20).select(NAMES)
    rows.to_pandas().to_json(tmp_path / "rows.json", orient="split", index=False)
    program = (
        "import sys, mlflow, pandas as pd\n"
        f"mlflow.set_tracking_uri({registry.uri!r}); mlflow.set_registry_uri({registry.uri!r})\n"
        "model = mlflow.pyfunc.load_model('models:/stillwatch-distillation/2')\n"
        "import models.classifier; print(models.classifier.__file__, file=sys.stderr)\n"
        f"rows = pd.read_json({str(tmp_path / 'rows.json')!r}, orient='split')\n"
        f"model.predict(rows).to_json({str(tmp_path / 'scores.json')!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert str(registry.folder) in done.stderr  # the code that was logged, not ours
    scores = pd.read_json(tmp_path / "scores.json")
    wanted = classifier.predict(rows).to_pandas()
    assert scores["distillation_score"].to_numpy() == pytest.approx(
        wanted["distillation_score"].to_numpy(), abs=1e-9
    )


def test_nothing_was_printed(printed: str) -> None:
    """Not by MLflow, alembic or git, when the first database was made and filled."""
    assert printed == ""
