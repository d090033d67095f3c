"""What spark-submit runs: where its Python looks for modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SUBMIT = Path(__file__).parents[2] / "infra" / "spark" / "submit.py"
RUN = """
import json, runpy, sys
sys.argv = ["submit.py", "--version"]
try:
    runpy.run_path(sys.orig_argv[-1], run_name="__main__")
finally:
    print(json.dumps(sys.path))
"""


def test_python_looks_in_no_jar_and_in_sparks_archive_last(tmp_path: Path) -> None:
    archive, jar, own = (str(tmp_path / name) for name in ("pyspark.zip", "sdk.jar", "ours.zip"))
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(SUBMIT)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([archive, jar, own])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said, places = done.stdout.splitlines()
    assert said.startswith("stillwatch, version ")
    looked_in = json.loads(places)
    assert jar not in looked_in and own in looked_in
    assert looked_in[-1] == archive
