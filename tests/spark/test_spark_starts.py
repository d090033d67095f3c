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
