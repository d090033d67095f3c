"""The command as a user meets it: help, one-line errors, exit codes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from jobs.catalog.steps import STEP_NAMES
from jobs.cli import cli


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", *arguments],
        capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent",
                                             **environment},
    )  # fmt: skip


def test_help_answers_without_heavy_libraries():
    heavy = "pyspark pysail mlflow xgboost great_expectations deltalake pandas airflow pyarrow"
    script = (
        "import sys; from click.testing import CliRunner; from jobs.cli import cli;"
        "result = CliRunner().invoke(cli, ['--help']); assert result.exit_code == 0, result.output;"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_command_has_help_of_its_own():
    for name in cli.commands:
        result = CliRunner().invoke(cli, [name, "--help"])
        assert result.exit_code == 0
        assert len(result.output.splitlines()[2].strip()) > 20, name


def test_run_lists_every_step():
    shown = CliRunner().invoke(cli, ["run", "--help"]).output
    assert [name for name in STEP_NAMES if f"  {name} " not in shown] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("night", "--date", "2026-05-01"), "no lake: give --lake DIR or set STILLWATCH_LAKE"),
        (
            ("night", "--date", "2026-05-01", "--lake", "s3://bucket/lake", "--landing", "x"),
            "which can't hold the model registry's database: set STILLWATCH_MLFLOW_TRACKING_URI",
        ),
        (
            ("night", "--date", "2026-05-01", "--lake", "x", "--landing", "gs://bucket/landing"),
            "the landing folder 'gs://bucket/landing' is an address of a kind that nothing here",
        ),
        (("status", "--lake", "/nonexistent/lake"), "is no lake of Stillwatch"),
        (("report", "--lake", "/nonexistent/lake"), "is no lake of Stillwatch"),
    ],
)
def test_errors_are_one_line_without_a_traceback(arguments, said):
    done = command(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert said in done.stderr


def test_an_unknown_engine_is_refused():
    done = command("night", "--date", "2026-05-01", "--lake", "x", STILLWATCH_ENGINE="flink")
    assert done.returncode == 1
    assert done.stderr.strip() == "stillwatch: STILLWATCH_ENGINE is 'flink'; it takes sail or spark"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--date", "2026-05-01", "--from", "2026-05-01", "--to", "2026-05-02"),
        ("--from", "2026-05-01"),
        ("--from", "2026-05-02", "--to", "2026-05-01"),
        ("--date", "yesterday"),
    ],
)
def test_dates_that_make_no_sense_are_refused(arguments):
    result = CliRunner().invoke(cli, ["night", "--lake", "x", "--landing", "y", *arguments])
    assert result.exit_code == 2
    assert "Error" in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_made_for_the_shell(shell):
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert "_STILLWATCH_COMPLETE" in result.output
