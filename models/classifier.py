"""The fitted model: what scores a night, and why it scored so.

Two one-against-rest heads, distillation and resale, instead of one multi-class model: an analyst
must be able to defend the distillation score, so its monotone directions have to hold for the
probability and not only for a margin that a softmax mixes with the others; contributions then
explain distillation and not "distillation rather than resale"; and a lake without a single resale
label still gets a full distillation head.

A model carries its own feature list. Tables are read by column name: extra columns are ignored,
missing ones are an error. Null, NaN and infinite mean "evidence unavailable".

On disk a model is a folder of text: manifest.json and one XGBoost JSON file a head.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from models.calibration import Calibration, expit
from models.definitions import DISTILLATION, HEADS, FeatureLike
from models.errors import ModelError, ModelInputError

if TYPE_CHECKING:
    import xgboost

FORMAT = 1
MANIFEST = "manifest.json"
#: Log-odds of a judgement at the least: 1 in 150, and at most as much the other way.
_LEAST_ODDS = -5.0
#: Rows scored at once: 100,000 rows of 200 features are 80 MB.
BATCH_ROWS = 100_000
#: XGBoost computes in 32 bits; beyond this a finite number would become infinite.
LARGEST = 1e30


#: Family -> (rows,) bool: every feature of it is unavailable in that row.
Absent = dict[str, np.ndarray]


@dataclass(frozen=True)
class FeatureSpec:
    """A feature as the model was trained with; kept so that an old model can still be explained."""

    name: str
    about: str
    unit: str | None
    family: str
    monotone: int
    #: The head that starts from this feature's own log-odds; its trees learn what is left.
    judges: str = ""

    @classmethod
    def of(cls, feature: FeatureLike) -> FeatureSpec:
        """Copy a catalogue's declaration."""
        return cls(
            feature.name, feature.about, feature.unit, feature.family, int(feature.monotone),
            feature.judges,
        )  # fmt: skip


class Head:
    """One output: boosted trees (their JSON) and a calibration, or a constant without either.

    `constant` is the probability that a head without enough positives answers with.
    """

    def __init__(
        self, trees: bytes | None, calibration: Calibration | None, constant: float | None = None
    ) -> None:
        self.trees = trees
        self.calibration = calibration
        self.constant = constant
        self._booster: xgboost.Booster | None = None

    def booster(self) -> xgboost.Booster:
        """The trees, parsed at first use; single-threaded readers share one parse."""
        if self._booster is None:
            import xgboost

            booster = xgboost.Booster()
            try:
                booster.load_model(bytearray(self.trees or b""))
            except (xgboost.core.XGBoostError, ValueError) as error:
                reason = str(error).strip().splitlines()[-1][:200]
                raise ModelError(f"the model's trees cannot be read: {reason}") from None
            self._booster = booster
        return self._booster

    def log_odds(
        self, matrix: np.ndarray, absent: Absent, judge: int | None, threads: int
    ) -> np.ndarray:
        """(rows,) calibrated log-odds; `judge` is the column that the margin starts from."""
        if self.calibration is None:
            level = float(np.log(self.constant or 1e-9) - np.log1p(-(self.constant or 1e-9)))
            return np.full(len(matrix), level)
        raw = margins(self.booster(), matrix, threads, judge)
        slope, intercept = self.calibration.lines(absent, raw)
        return slope * raw + intercept

    def contributions(
        self, matrix: np.ndarray, absent: Absent, judge: int | None, threads: int
    ) -> np.ndarray:
        """(rows, features + 1) exact TreeSHAP on the calibrated log-odds; the last is the bias."""
        if self.calibration is None:
            out = np.zeros((len(matrix), matrix.shape[1] + 1))
            out[:, -1] = self.log_odds(matrix, absent, judge, threads)
            return out
        if not len(matrix):
            return np.zeros((0, matrix.shape[1] + 1))
        start = judged(matrix, judge)
        raw = _predict(self.booster(), matrix, threads, start, pred_contribs=True)
        raw = raw.astype(np.float64)
        if start is not None:
            # XGBoost counts the start as bias; it is the judgement's, beyond that of no campaign.
            raw[:, judge] += start - _LEAST_ODDS
            raw[:, -1] -= start - _LEAST_ODDS
        slope, intercept = self.calibration.lines(absent, raw.sum(axis=1))
        raw *= slope[:, None]
        raw[:, -1] += intercept
        return raw


class Classifier:
    """Scores accounts: `predict` and `contributions`, by the columns that `features` names."""

    def __init__(
        self, features: tuple[FeatureSpec, ...], heads: dict[str, Head], trained: dict[str, Any]
    ) -> None:
        self.features = features
        self.heads = heads
        #: How it was made (night, dataset fingerprint, campaigns, notes …): JSON values only.
        self.trained = trained

    @property
    def feature_names(self) -> tuple[str, ...]:
        """In the order of the matrix and of the contributions."""
        return tuple(feature.name for feature in self.features)

    def matrix(self, table: pa.Table) -> np.ndarray:
        """(rows, features) float32, NaN where evidence is unavailable.

        Raises:
            ModelInputError: the table lacks a feature, or has one that is no number.
        """
        missing = [name for name in self.feature_names if name not in table.column_names]
        if missing:
            raise ModelInputError(
                f"the table lacks {len(missing)} of the {len(self.features)} features that this "
                f"model was trained on: {', '.join(missing[:5])}{' …' if missing[5:] else ''}",
                "train a model on today's features, or promote a version that has only these",
            )
        out = np.empty((table.num_rows, len(self.features)), dtype=np.float32)
        for at, name in enumerate(self.feature_names):
            try:
                values = table[name].cast(pa.float64()).to_numpy()
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise ModelInputError(
                    f"feature {name} is of type {table[name].type}, not a number"
                ) from None
            values = np.where(np.isfinite(values), values, np.nan)
            out[:, at] = np.clip(values, -LARGEST, LARGEST)
        return out

    def predict(self, table: pa.Table, threads: int = 1) -> pa.Table:
        """distillation_score and resale_score, double in [0, 1], a row for each of the table's."""
        parts: dict[str, list[np.ndarray]] = {head: [np.zeros(0)] for head in HEADS}
        for start in range(0, table.num_rows, BATCH_ROWS):
            matrix = self.matrix(table.slice(start, BATCH_ROWS))
            absent = absent_families(matrix, self.features)
            for head in HEADS:
                judge = judge_of(head, self.features)
                odds = self.heads[head].log_odds(matrix, absent, judge, threads)
                parts[head].append(expit(odds))
        self.matrix(table.slice(0, 0))  # an empty table of the wrong shape is wrong as well
        return pa.table({f"{head}_score": np.concatenate(parts[head]) for head in HEADS})

    def contributions(
        self, table: pa.Table, head: str = DISTILLATION, threads: int = 1
    ) -> np.ndarray:
        """What each feature adds to the log-odds of the score, exactly (TreeSHAP).

        Lundberg, Erion and Lee 2018, "Consistent individualized feature attribution for tree
        ensembles". Each row sums to the log-odds of its calibrated score.

        Returns:
            (rows, features + 1) float64, columns as `feature_names`, then the bias.
        """
        matrix = self.matrix(table)
        absent = absent_families(matrix, self.features)
        judge = judge_of(head, self.features)
        return self.heads[head].contributions(matrix, absent, judge, threads)

    def save(self, folder: Path) -> str:
        """Write the folder; returns `digest()`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, head in self.heads.items():
            if head.trees is None:
                (folder / f"{name}.json").unlink(missing_ok=True)
            else:
                (folder / f"{name}.json").write_bytes(head.trees)
        text = self._manifest()
        (folder / MANIFEST).write_text(text, encoding="utf-8")
        return hashlib.sha256(text.encode()).hexdigest()

    def digest(self) -> str:
        """sha256 of the manifest, which names that of every other file."""
        return hashlib.sha256(self._manifest().encode()).hexdigest()

    def _manifest(self) -> str:
        heads: dict[str, dict[str, object]] = {}
        for name, head in self.heads.items():
            if head.calibration is None or head.trees is None:
                heads[name] = {"constant": head.constant}
                continue
            heads[name] = {
                "file": f"{name}.json",
                "sha256": hashlib.sha256(head.trees).hexdigest(),
                "calibration": head.calibration.to_json(),
            }
        manifest = {
            "format": FORMAT,
            "features": [vars(feature) for feature in self.features],
            "heads": heads,
            "trained": self.trained,
        }
        return json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, folder: Path, sha256: str | None = None) -> Classifier:
        """Read a saved folder.

        Args:
            folder: with a manifest.json.
            sha256: of the manifest, where somebody wrote it down.

        Raises:
            ModelError: a file is missing, unreadable or not the one that was saved.
        """
        try:
            raw = (folder / MANIFEST).read_bytes()
            if sha256 is not None and hashlib.sha256(raw).hexdigest() != sha256:
                raise ModelError(f"{folder / MANIFEST} is not the file that was registered")
            manifest = json.loads(raw)
            if manifest["format"] != FORMAT:
                raise ModelError(
                    f"{folder} has model format {manifest['format']}, this version reads {FORMAT}"
                )
            features = tuple(FeatureSpec(**feature) for feature in manifest["features"])
            heads = {name: _load_head(folder, manifest["heads"][name]) for name in HEADS}
        except OSError as error:
            raise ModelError(f"cannot read {error.filename}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder / MANIFEST} is damaged: {error!r}") from None
        return cls(features, heads, manifest["trained"])

    def __getstate__(self) -> dict[str, Any]:
        # Workers get the trees' text and parse it once each; a parsed booster does not travel.
        heads = {
            name: Head(head.trees, head.calibration, head.constant)
            for name, head in self.heads.items()
        }
        return {"features": self.features, "heads": heads, "trained": self.trained}


def _load_head(folder: Path, entry: dict[str, Any]) -> Head:
    if "constant" in entry:
        return Head(None, None, float(entry["constant"]))
    path = folder / str(entry["file"])
    trees = path.read_bytes()
    if hashlib.sha256(trees).hexdigest() != entry["sha256"]:
        raise ModelError(f"{path} is not the file that was saved")
    return Head(trees, Calibration.from_json(entry["calibration"]))


def judge_of(head: str, features: tuple[FeatureSpec, ...]) -> int | None:
    """Position of the feature that judges what the head predicts."""
    return next((at for at, feature in enumerate(features) if feature.judges == head), None)


def judged(matrix: np.ndarray, judge: int | None) -> np.ndarray | None:
    """(rows,) log-odds of the judgement: where the trees start from. None without a judge.

    A probability of 0, or none at all, is that of an account without a campaign.
    """
    if judge is None:
        return None
    least = float(expit(np.array([_LEAST_ODDS]))[0])
    value = np.clip(np.nan_to_num(matrix[:, judge].astype(np.float64), nan=0.0), least, 1 - least)
    return np.asarray(np.log(value) - np.log1p(-value))


def absent_families(matrix: np.ndarray, features: tuple[FeatureSpec, ...]) -> Absent:
    """Which families of evidence each row of a (rows, features) matrix lacks altogether."""
    missing = np.isnan(matrix)
    return {
        family: missing[:, columns_of(family, features)].all(axis=1)
        for family in sorted({feature.family for feature in features})
    }


def columns_of(family: str, features: tuple[FeatureSpec, ...]) -> np.ndarray:
    """Positions of a family's features."""
    return np.array([at for at, feature in enumerate(features) if feature.family == family])


def margins(
    booster: xgboost.Booster, matrix: np.ndarray, threads: int, judge: int | None = None
) -> np.ndarray:
    """(rows,) float64 raw log-odds of the trees, from where the judgement starts them."""
    if not len(matrix):
        return np.zeros(0)
    start = judged(matrix, judge)
    return _predict(booster, matrix, threads, start, output_margin=True).astype(np.float64)


def _predict(
    booster: xgboost.Booster,
    matrix: np.ndarray,
    threads: int,
    start: np.ndarray | None,
    **kind: bool,
) -> np.ndarray:
    import xgboost

    booster.set_param({"nthread": threads})
    data = xgboost.DMatrix(matrix, missing=np.nan, base_margin=start, nthread=threads)
    return booster.predict(data, **kind)
