"""infra/cluster/local.py for tests: what nothing imports stands outside of the packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_spec = importlib.util.spec_from_file_location(
    "local_cluster_of_infra", ROOT / "infra" / "cluster" / "local.py"
)
assert _spec and _spec.loader
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

BUCKET = _module.BUCKET
LocalCluster = _module.LocalCluster
LocalClusterError = _module.LocalClusterError
SHORT_RUN = _module.SHORT_RUN
