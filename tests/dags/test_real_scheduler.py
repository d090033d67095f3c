"""A real Airflow: its scheduler, DAG processor and API server, on a database of its own.

One Airflow serves all tests here, since starting it is most of the time. The command it runs is
the real one for real lakes. For the lake named `recorded` it only writes down its arguments: the
nights of the schedule and of a backfill are about dates and order, not about what a step does.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from jobs.catalog.steps import STEP_NAMES

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("stillwatch")
NIGHT = "stillwatch_night"
FIRST = date(2026, 5, 1)

_spec = importlib.util.spec_from_file_location("local", ROOT / "infra" / "airflow" / "local.py")
assert _spec and _spec.loader
local = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(local)

#: The last landing date that is due, and the two before it: those for a backfill, and the last
#: for the schedule, which makes what is still missing when it starts.
LAST = (datetime.now(UTC) - timedelta(hours=3)).date() - timedelta(days=1)
NIGHTS = [f"{LAST - timedelta(days=days)}" for days in (2, 1, 0)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="module")
def command_environment(folder: Path) -> dict[str, str]:
    """No settings of the developer's; one key of the tokens for all lakes here."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("STILLWATCH_")}
    return {**kept, "XDG_CONFIG_HOME": str(folder / "config")}


@pytest.fixture(scope="module")
def airflow(folder: Path, command_environment: dict[str, str]) -> Iterator[local.LocalAirflow]:
    program = folder / "stillwatch"
    program.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *" --lake {folder}/recorded") echo "$2 $4" >> {folder}/recorded.txt ;;\n'
        f'*) exec {COMMAND} "$@" ;; esac\n'
    )
    program.chmod(0o755)
    made = local.LocalAirflow(
        folder / "airflow", folder / "landing", folder / "recorded", local.free_port()
    )
    made.environment |= {
        **command_environment,
        **{name: value for name, value in made.environment.items() if name.startswith("AIRFLOW")},
        "STILLWATCH_COMMAND": str(program),
        "STILLWATCH_FIRST_NIGHT": NIGHTS[0],
        # The DAG files stay as they are: once read is enough.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    }
    before = set(psutil.Process().children(recursive=True))
    with made:
        yield made
        started = set(psutil.Process().children(recursive=True)) - before
    left = [said for process in started if (said := _still_running(process))]
    assert left == [], "ending Airflow left processes behind"


def _still_running(process: psutil.Process) -> str | None:
    try:
        status, command = process.status(), " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return None
    # An orphan that ended waits for the machine's first process to notice.
    return None if status == psutil.STATUS_ZOMBIE else f"{process.pid} {status} {command}"


@pytest.fixture(scope="module")
def landing(folder: Path) -> Path:
    from jobs.simulator import WorldSettings, simulate

    world = WorldSettings(days=1, accounts=300, seed=11, start=FIRST)
    simulate(folder / "landing", folder / "truth", world, progress=None)
    return folder / "landing"


def backfill(airflow: local.LocalAirflow, first: str, end: str) -> None:
    wanted = {
        "dag_id": NIGHT,
        "from_date": f"{first}T00:00:00Z",
        "to_date": f"{end}T00:00:00Z",
        "reprocess_behavior": "completed",
    }
    for attempt in range(20):
        try:
            airflow.call("POST", "/api/v2/backfills", wanted)
            return
        except local.LocalAirflowError as refused:
            # On sqlite it has to hit a moment in which nobody else writes, and says so.
            if "503" not in str(refused) or attempt == 19:
                raise
            time.sleep(0.5)


def test_schedule_and_backfill_do_their_own_nights_each_after_the_one_before(airflow, folder):
    """Also though a backfill starts ten runs at once if nobody tells it otherwise."""
    airflow.wait_for_dag(NIGHT, unpause=False)
    backfill(airflow, first=NIGHTS[0], end=NIGHTS[-1])
    airflow.wait_for_dag(NIGHT)
    wanted = len(STEP_NAMES) * len(NIGHTS)
    calls: list[list[str]] = []
    end = time.monotonic() + 240
    while len(calls) < wanted and time.monotonic() < end:
        time.sleep(0.5)
        record = folder / "recorded.txt"
        calls = (
            [line.split() for line in record.read_text().splitlines()] if record.exists() else []
        )
    for night in NIGHTS:
        assert [step for step, of in calls if of == night] == list(STEP_NAMES)
    for name in STEP_NAMES:
        assert [night for step, night in calls if step == name] == NIGHTS
    runs = airflow.call("GET", f"/api/v2/dags/{NIGHT}/dagRuns?order_by=logical_date")["dag_runs"]
    assert [run["run_type"] for run in runs] == ["backfill"] * 2 + ["scheduled"]


def test_a_bad_parameter_is_refused_at_the_door(airflow):
    with pytest.raises(local.LocalAirflowError, match="400"):
        airflow.trigger(NIGHT, "bad", {"lake": "/srv/$(touch x)"})


def test_a_failure_is_told_in_the_commands_words(airflow, folder, landing, capsys):
    conf = {"landing": str(folder / "nowhere"), "lake": str(folder / "unmade")}
    with pytest.raises(local.LocalAirflowError, match=r"run ingest .* exited [1-9]\d*: .*nowhere"):
        local.run_night(airflow, f"{FIRST}", conf, 120)
    assert "ingest" in capsys.readouterr().out


def test_a_night_makes_the_same_tables_as_the_command(
    airflow, folder, landing, command_environment, capsys
):
    from tests.lake_compare import assert_same_tables

    by_command, by_airflow = folder / "by_command", folder / "by_airflow"
    arguments = ["--landing", landing, "--lake", by_command, "--date", f"{FIRST}"]
    subprocess.run([COMMAND, "night", *arguments], env=command_environment, check=True)
    local.run_night(airflow, f"{FIRST}", {"landing": str(landing), "lake": str(by_airflow)}, 900)
    assert_same_tables(by_command, by_airflow)
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in STEP_NAMES)
