"""The model registry: MLflow, and nothing but MLflow, is where models come from.

Each model is an `mlflow.pyfunc` model with its code (`serving.py` and what it imports), so that
`mlflow models predict` and any MLflow server can run it. The native XGBoost flavour was the other
choice: it would hold one booster without calibration, and scores that differ from the lake's.
The model is written as code and text, never as a pickle: reading a registry must not run what
somebody else put there. The nightly path reads the same folder without `mlflow.pyfunc`.

By default the registry is a SQLite file and a folder in the lake, so that two lakes never share a
model, and a lake that is copied or moved takes its models along. A tracking server by setting.

A version is created last, when all its files are in place: a run killed half-way leaves no
version. Its tags hold what it is (origin, night, key, sha256 of its manifest).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from models.classifier import Classifier
from models.definitions import FROM_SIMULATION, HEADS, MODEL_NAME, OWNER
from models.errors import ModelError, ModelRegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

#: Folder of the model among a run's artifacts, and of the classifier inside it (MLflow's layout).
MODEL_FOLDER = "model"
CLASSIFIER_FOLDER = "artifacts/classifier"
DATABASE = "mlflow.db"
#: Modules that scoring needs; they travel with each model.
SERVING_MODULES = ("__init__", "errors", "definitions", "calibration", "classifier", "serving")
REPAIR = (
    "restore the registry's folder from a backup; or move it away with the rows of the model's "
    "decisions, and the next night begins with the prior"
)


@dataclass(frozen=True)
class RegisteredModel:
    """One version in the registry."""

    version: int
    run_id: str
    origin: str
    key: str
    night: date | None
    sha256: str
    source: str

    @property
    def model_version(self) -> str:
        """What scores carry: says when a model has seen simulated worlds only."""
        return model_version(self.version, self.origin)


@dataclass(frozen=True)
class RunRecord:
    """What is logged beside the model."""

    parameters: Mapping[str, object]
    metrics: Mapping[str, float]
    #: Delta table -> version that training read.
    inputs: Mapping[str, int]
    #: Folder whose files become the run's artifacts (card, plots), or none.
    report: Path | None = None


def model_version(version: int, origin: str) -> str:
    """`stillwatch-distillation/3`, or `stillwatch-distillation/prior-1` if simulated."""
    prior = "prior-" if origin == FROM_SIMULATION else ""
    return f"{MODEL_NAME}/{prior}{version}"


class ModelRegistry:
    """Models of one lake, or of one tracking server.

    Args:
        folder: holds mlflow.db and artifacts/ when there is no server.
        tracking_uri: of a server (or any MLflow store); then `folder` is not used.
    """

    def __init__(self, folder: Path, tracking_uri: str | None = None) -> None:
        self.folder = folder.absolute()
        self.local = tracking_uri is None
        self.uri = tracking_uri or f"sqlite:///{self.folder / DATABASE}"
        self._client: MlflowClient | None = None
        self._loaded: dict[int, Classifier] = {}

    def exists(self) -> bool:
        """Whether there is a registry to read; a server is taken to exist."""
        return not self.local or (self.folder / DATABASE).exists()

    def versions(self) -> list[RegisteredModel]:
        """Every version, oldest first; none if the registry is empty or was never made."""
        if not self.exists():
            return []
        with self._explained("list the models"):
            found = list(self._pages())
        return sorted((_registered(entry) for entry in found), key=lambda model: model.version)

    def find(self, key: str) -> RegisteredModel | None:
        """The oldest version registered under `key`: same night, same rows, same policy."""
        return next((model for model in self.versions() if model.key == key), None)

    def prior(self) -> RegisteredModel | None:
        """The oldest version that knows simulated worlds only."""
        return next((m for m in self.versions() if m.origin == FROM_SIMULATION), None)

    def get(self, version: int) -> RegisteredModel:
        """That version.

        Raises:
            ModelRegistryError: there is none, or the registry cannot be read.
        """
        versions = self.versions()
        for model in versions:
            if model.version == version:
                return model
        there = ", ".join(str(model.version) for model in versions) or "none"
        raise ModelRegistryError(
            f"the model registry {self.uri} has no version {version} of {MODEL_NAME} "
            f"(there: {there})",
            REPAIR,
        )

    def load(self, version: int) -> Classifier:
        """The classifier of that version, checked against the sha256 it was registered with.

        Raises:
            ModelRegistryError: not there, unreadable, or other bytes than were registered.
        """
        if version not in self._loaded:
            model = self.get(version)
            with self._explained(f"read {model.model_version}"), self._files(model) as folder:
                self._loaded[version] = Classifier.load(folder, model.sha256 or None)
        return self._loaded[version]

    def register(
        self, classifier: Classifier, *, key: str, origin: str, record: RunRecord
    ) -> RegisteredModel:
        """Log a run with its model and make it a version; the version comes last.

        Args:
            classifier: what to register; `classifier.trained["night"]` is its night.
            key: the same key is never registered twice.
            origin: `labels` or `simulation`.
            record: parameters, metrics, table versions and report.
        """
        there = self.find(key)
        if there is not None:
            return there
        with self._explained(f"register a version of {MODEL_NAME}"):
            client = self._open()
            self._end_killed_runs(client, key)
            night = str(classifier.trained["night"])
            tags = {
                "mlflow.runName": f"{origin} {night}",
                "key": key,
                "night": night,
                "fingerprint": str(classifier.trained["fingerprint"]),
            }
            run = client.create_run(self._experiment(client), run_name=tags["mlflow.runName"],
                                    tags=tags)  # fmt: skip
            run_id = run.info.run_id
            _log(client, run_id, record)
            with tempfile.TemporaryDirectory() as scratch:
                sha256 = _write_model(classifier, Path(scratch) / MODEL_FOLDER)
                client.log_artifacts(run_id, scratch)
            if record.report is not None:
                client.log_artifacts(run_id, str(record.report), "report")
            client.set_terminated(run_id)
            self._ensure_registered_model(client)
            entry = client.create_model_version(
                MODEL_NAME,
                source=f"{run.info.artifact_uri}/{MODEL_FOLDER}",
                run_id=run_id,
                tags={"key": key, "origin": origin, "night": night, "sha256": sha256},
            )
            return _registered(entry)

    def set_aliases(self, aliases: Mapping[str, int | None]) -> None:
        """Point each alias (`champion`, `challenger`) at a version, or take it away for None.

        Aliases are for people and servers; nights follow the decisions, never an alias.
        """
        if not self.exists():
            return
        with self._explained("set the aliases"):
            client = self._open()
            present = dict(client.get_registered_model(MODEL_NAME).aliases)
            for alias, version in aliases.items():
                if version is None and alias in present:
                    client.delete_registered_model_alias(MODEL_NAME, alias)
                elif version is not None and str(present.get(alias)) != str(version):
                    client.set_registered_model_alias(MODEL_NAME, alias, str(version))

    def aliases(self) -> dict[str, int]:
        """Alias -> version."""
        if not self.versions():
            return {}
        with self._explained("read the aliases"):
            found = self._open().get_registered_model(MODEL_NAME).aliases
        return {alias: int(version) for alias, version in sorted(found.items())}

    def _open(self) -> MlflowClient:
        if self._client is None:
            if self.local:
                (self.folder / "artifacts").mkdir(parents=True, exist_ok=True)
                self._make_database()
            self._client = _quiet_client(self.uri)
        return self._client

    def _make_database(self) -> None:
        """The database, unless it is there: made aside and put in its place whole. MLflow makes it
        by many migrations, and does not take up one that was killed half-way."""
        if self.exists():
            return
        for left in self.folder.glob("_making-*"):  # by a run that was killed
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix="_making-", dir=self.folder) as aside:
            _quiet_client(f"sqlite:///{aside}/{DATABASE}").search_experiments()
            (Path(aside) / DATABASE).replace(self.folder / DATABASE)

    def _pages(self) -> Iterator[ModelVersion]:
        token: str | None = None
        while True:
            page = self._open().search_model_versions(f"name='{MODEL_NAME}'", page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _experiment(self, client: MlflowClient) -> str:
        """The experiment that keeps its artifacts in this folder.

        A copied lake brings an experiment that still points into the lake it was copied from; it
        gets one of its own instead of writing there.
        """
        if not self.local:
            there = client.get_experiment_by_name(MODEL_NAME)
            return there.experiment_id if there else client.create_experiment(MODEL_NAME)
        location = (self.folder / "artifacts").as_uri()
        for experiment in client.search_experiments():
            if experiment.artifact_location == location:
                return str(experiment.experiment_id)
        taken = client.get_experiment_by_name(MODEL_NAME) is not None
        suffix = f"-{hashlib.sha256(location.encode()).hexdigest()[:8]}" if taken else ""
        return client.create_experiment(MODEL_NAME + suffix, artifact_location=location)

    def _end_killed_runs(self, client: MlflowClient, key: str) -> None:
        experiment = self._experiment(client)
        for run in client.search_runs([experiment], f"tags.key = '{key}'"):
            if run.info.status == "RUNNING":
                client.set_terminated(run.info.run_id, "KILLED")

    def _ensure_registered_model(self, client: MlflowClient) -> None:
        names = [m.name for m in client.search_registered_models(f"name='{MODEL_NAME}'")]
        if MODEL_NAME not in names:
            client.create_registered_model(
                MODEL_NAME,
                description="Tells which accounts distil the model, and which resell it. "
                f"Owner: {OWNER}.",
            )

    @contextlib.contextmanager
    def _files(self, model: RegisteredModel) -> Iterator[Path]:
        """The classifier's folder: in place if it is local, else downloaded for a moment."""
        source = urlparse(model.source)
        if source.scheme not in ("", "file"):
            from mlflow.artifacts import download_artifacts

            with tempfile.TemporaryDirectory() as scratch:
                uri = f"{model.source}/{CLASSIFIER_FOLDER}"
                yield Path(download_artifacts(uri, dst_path=scratch, tracking_uri=self.uri))
            return
        path = Path(unquote(source.path))
        here = self.folder / "artifacts" / model.run_id / "artifacts" / MODEL_FOLDER
        yield (here if self.local and here.exists() else path) / CLASSIFIER_FOLDER

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Whatever MLflow, SQLAlchemy or the disk throws becomes one line."""
        try:
            yield
        except ModelRegistryError:
            raise
        except ModelError as error:
            raise ModelRegistryError(
                f"cannot {doing} in the model registry {self.uri}: {error}", error.hint or REPAIR
            ) from None
        except Exception as error:
            # MLflow wraps what the database says, which wraps what the driver says: the first
            # line of the innermost is what a person can use.
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            lines = str(cause).strip().splitlines() or [type(cause).__name__]
            raise ModelRegistryError(
                f"cannot {doing} in the model registry {self.uri}: {lines[0][:300]}", REPAIR
            ) from error


def _quiet_client(uri: str) -> MlflowClient:
    """A client that reports to nobody and prints nothing. The import costs seconds: only here."""
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "MLFLOW_LOG_UV_FILES": "false",
        # A server that does not answer is reported, not waited for until the next morning.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    }.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _registered(entry: ModelVersion) -> RegisteredModel:
    night = entry.tags.get("night")
    return RegisteredModel(
        version=int(entry.version),
        run_id=entry.run_id or "",
        origin=entry.tags.get("origin", ""),
        key=entry.tags.get("key", ""),
        night=date.fromisoformat(night) if night else None,
        sha256=entry.tags.get("sha256", ""),
        source=entry.source or "",
    )


def _log(client: MlflowClient, run_id: str, record: RunRecord) -> None:
    from mlflow.entities import Metric, Param

    parameters = {**record.parameters, **{f"delta.{t}": v for t, v in record.inputs.items()}}
    client.log_batch(
        run_id,
        # Timestamp 0: a metric belongs to a night, not to the moment it was computed.
        metrics=[Metric(name, float(value), 0, 0) for name, value in record.metrics.items()],
        params=[Param(name, str(value)[:500]) for name, value in parameters.items()],
    )


def _write_model(classifier: Classifier, folder: Path) -> str:
    """The pyfunc model folder; returns the sha256 of the classifier's manifest."""
    from mlflow import pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as scratch:
        code = Path(scratch) / "models"
        code.mkdir()
        for module in SERVING_MODULES:
            (code / f"{module}.py").write_bytes((here / f"{module}.py").read_bytes())
        files = Path(scratch) / "classifier"
        sha256 = classifier.save(files)
        columns: list[ColSpec | TensorSpec] = [
            ColSpec("double", name, required=False) for name in classifier.feature_names
        ]
        with warnings.catch_warnings():
            # MLflow asks for an example of rows; rows are people's, and the signature is explicit.
            warnings.simplefilter("ignore", UserWarning)
            pyfunc.save_model(
                path=str(folder),
                python_model=str(code / "serving.py"),
                artifacts={"classifier": str(files)},
                code_paths=[str(code)],
                signature=ModelSignature(
                    inputs=Schema(columns),
                    outputs=Schema([ColSpec("double", f"{head}_score") for head in HEADS]),
                ),
                pip_requirements=_requirements(),
            )
    return sha256


def _requirements() -> list[str]:
    """Exactly what this process fits with: the same trees need the same library."""
    from importlib.metadata import version

    names = ("mlflow", "xgboost-cpu", "numpy", "pyarrow", "pandas")
    return [f"{name}=={version(name)}" for name in names]
