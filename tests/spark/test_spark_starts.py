"""An Apache Spark that can't start says why in one line, in words for whoever runs the command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.platform.session import _why_not_started

#: What Spark's own script runs before it looks for Java.
TOOLS = ("bash", "dirname", "env", "uname", "grep", "sed", "cat", "ls", "readlink")


def test_a_machine_without_java_is_told_so(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    environment = {k: v for k, v in os.environ.items() if k != "JAVA_HOME"}
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "run", "rollup", "--date", "2026-05-03", "--lake",
         str(tmp_path / "lake")],
        env={**environment, "PATH": str(tools), "STILLWATCH_ENGINE": "spark"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("stillwatch: the spark engine did not start: it needs Java 17 or 21")
    assert line.endswith("or set STILLWATCH_ENGINE=sail, which needs neither Java nor a network")


DIES = """
import os, signal, sys
from pyspark import SparkContext
from jobs.platform.errors import StillwatchError
from jobs.platform.session import engine_session
from jobs.platform.settings import Settings

try:
    with engine_session(Settings(lake=sys.argv[1], engine="spark")) as session:
        os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)
        SparkContext._gateway.proc.wait()
        session.range(3).count()
except StillwatchError as error:
    print(f"stillwatch: {error}", file=sys.stderr)
"""


@pytest.mark.skipif(shutil.which("java") is None, reason="no Java: Apache Spark can't run here")
def test_a_java_that_dies_ends_the_run_with_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(tmp_path / "lake")], capture_output=True, text=True
    )
    assert done.stderr.strip() == (
        "stillwatch: Spark's Java process ended in the middle of the run (out of memory, or "
        "killed); run the same night again"
    )


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("java.net.UnknownHostException: repo\n:: UNRESOLVED DEPENDENCIES ::", "Maven repository"),
        ("java.lang.UnsupportedClassVersionError: org/apache/spark", "Java is another"),
        ("Error: Could not reserve enough space for object heap", "too little memory"),
        ("SparkException: Could not parse Master URL: 'locale'", "STILLWATCH_SPARK_MASTER"),
        ("INFO starting\nError: no such thing\n\tat org.x", "Error: no such thing"),
        ("", "RuntimeError: it ended"),
    ],
)
def test_what_java_says_is_put_in_plain_words(words: str, meaning: str) -> None:
    why = _why_not_started(words, RuntimeError("it ended."))
    assert meaning in why and "\n" not in why
