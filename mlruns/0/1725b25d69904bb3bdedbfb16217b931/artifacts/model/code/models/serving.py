"""The classifier as an MLflow pyfunc model: a data frame of features in, two scores out.

MLflow runs this file when it loads a model; it is logged as code, beside the modules it imports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from models.classifier import Classifier


class StillwatchModel(PythonModel):
    """Features by name (double, missing value: unavailable) to both scores."""

    def load_context(self, context: Any) -> None:
        """Read the classifier that was logged with this file."""
        self.classifier = Classifier.load(Path(context.artifacts["classifier"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row of scores for each row of features; an optional feature left out is unavailable.

        MLflow's signature check lets optional columns be absent; here that means no evidence.
        """
        columns = {
            name: pa.array(
                model_input[name] if name in model_input else [None] * len(model_input),
                pa.float64(),
                from_pandas=True,
            )
            for name in self.classifier.feature_names
        }
        return self.classifier.predict(pa.table(columns)).to_pandas()


set_model(StillwatchModel())
