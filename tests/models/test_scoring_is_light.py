"""The nightly path pays for no import that it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("models.classifier", {"xgboost", "mlflow", "pandas", "matplotlib", "sklearn", "scipy"}),
        ("models.decisions", {"xgboost", "mlflow", "pandas", "matplotlib", "sklearn", "scipy"}),
        ("models.registry", {"xgboost", "mlflow", "pandas", "matplotlib", "sklearn", "scipy"}),
        ("models.training", {"xgboost", "mlflow", "matplotlib", "pyspark", "deltalake"}),
    ],
)
def test_importing_leaves_heavy_libraries_alone(module: str, unwanted: set[str]) -> None:
    program = f"import sys, {module}; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not unwanted & set(done.stdout.split())


def test_models_import_nothing_of_the_jobs_but_the_catalogue() -> None:
    for path in (ROOT / "models").glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]) and words[1].startswith("jobs"):
                assert words[1].startswith("jobs.catalog"), f"{path.name}: {line}"
