"""The desk as its command serves it, in a process of its own; other commands in this one too."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parents[2]


def command(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", *words], input=stdin, text=True, capture_output=True,
        timeout=60, cwd=ROOT, env={**os.environ, **environment},
    )  # fmt: skip


def command_here(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """As `command`, by the command's entry in this process: to start one costs a second, most of
    it for imports. A desk that should have been refused is not served: nobody would end it."""
    from jobs.cli import main

    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["stillwatch", *words]),
        patch.object(sys, "stdin", io.StringIO(stdin)),
        redirect_stdout(out),
        redirect_stderr(err),
        patch("desk.serving.serve", side_effect=AssertionError("the desk was served")),
    ):
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


@contextmanager
def served(*words: str, **environment: str) -> Iterator[tuple[str, list[str]]]:
    """The address of a running desk, and the lines that it printed before."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "desk", "--port", "0", *words], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    )  # fmt: skip
    try:
        lines: list[str] = []
        until = time.monotonic() + 60
        assert process.stdout is not None
        while time.monotonic() < until:
            line = process.stdout.readline().strip()
            lines.append(line)
            if line.startswith("the desk is at ") or not line:
                break
        assert lines[-1].startswith("the desk is at "), lines
        yield lines[-1].split()[4], lines[:-1]
    finally:
        process.terminate()
        process.wait(30)
