"""A real Airflow on one machine: scheduler, DAG processor and API server on a folder of its own.

    python infra/airflow/local.py night --home DIR --landing DIR --lake DIR --date YYYY-MM-DD
    python infra/airflow/local.py serve --home DIR --landing DIR --lake DIR [--port 8080]

`night` starts it, has its scheduler run `stillwatch_night` for one date, and stops it again. The
run stays in the folder's database with its tasks and logs, so that `serve` shows it afterwards.
`serve` starts it for a browser and goes on until Ctrl-C.

For laptops and tests: sqlite, one user with a password made on the spot, reachable from this
machine only.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import click
import psutil  # one of Airflow's own needs

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = Path(__file__).with_name("airflow.env")
COMPONENTS = ("scheduler", "dag-processor", "api-server")
HOST = "127.0.0.1"
FINISHED = ("success", "failed", "skipped", "upstream_failed", "removed")
#: A retry comes minutes later: nobody at a keyboard waits for it.
GIVEN_UP = ("failed", "upstream_failed", "up_for_retry")
#: Long enough for a machine that is busy with something else.
START_SECONDS = 120


class LocalAirflowError(Exception):
    """Shown as one line."""


class LocalAirflow:
    """Airflow's processes as a context manager: whatever happens inside, none outlives it."""

    def __init__(
        self, home: Path, landing: str | Path | None, lake: str | Path | None, port: int
    ) -> None:
        self.home = home.resolve()
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.environment = environment(self.home, landing, lake, port)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._token = ""

    def __enter__(self) -> LocalAirflow:
        try:
            self._migrate()
            for component in COMPONENTS:
                self._start(component)
            self._wait("Airflow to start", self._healthy)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the components and all that they started, also tasks in sessions of their own."""
        running = [each.pid for each in self._processes.values() if each.poll() is None]
        family = {psutil.Process(pid) for pid in running}
        # The API server would wait six seconds for connections to idle; it has nothing to lose.
        for sign, seconds in (("terminate", 3), ("kill", 5)):
            # Again before the second: a scheduler told to end may still start something.
            for member in tuple(family):
                with contextlib.suppress(psutil.NoSuchProcess):
                    family.update(member.children(recursive=True))
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    getattr(member, sign)()
            family = set(psutil.wait_procs(family, timeout=seconds)[1])
        self._processes.clear()

    def stay(self) -> NoReturn:
        """Until Ctrl-C, or until a component ends by itself."""
        while True:
            time.sleep(1)
            self._see_that_all_live()

    @property
    def password(self) -> str:
        made = self.home / "simple_auth_manager_passwords.json.generated"
        return str(json.loads(made.read_text())["admin"])

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One request to the REST API; what it refuses becomes an error with its words."""
        if not self._token and not path.startswith("/auth"):
            login = {"username": "admin", "password": self.password}
            self._token = self.call("POST", "/auth/token", login)["access_token"]
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Authorization": f"Bearer {self._token}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                said = answer.read()
        except urllib.error.HTTPError as refused:
            said = refused.read()[:2000].decode(errors="replace")
            raise LocalAirflowError(f"{method} {path}: {refused.code} {said}") from refused
        return dict(json.loads(said)) if said else {}

    def wait_for_dag(self, dag_id: str, unpause: bool = True) -> None:
        """Until the DAG processor has read the DAG; then it may run."""

        def read() -> bool:
            try:
                self.call("GET", f"/api/v2/dags/{dag_id}")
            except LocalAirflowError:
                errors = self.call("GET", "/api/v2/importErrors")["import_errors"]
                if errors:
                    raise LocalAirflowError(errors[0]["stack_trace"]) from None
                return False
            return True

        self._wait(f"the DAG {dag_id} to be read", read)
        if unpause:
            self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        self.call(
            "POST",
            f"/api/v2/dags/{dag_id}/dagRuns",
            {"dag_run_id": run_id, "logical_date": None, "conf": conf},
        )

    def follow(self, dag_id: str, run_id: str, seconds: float) -> Iterator[dict[str, Any]]:
        """Each task of a run as its attempt ends; fails if the run is not over in time."""
        run = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"
        told: set[str] = set()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._see_that_all_live()
            over = self.call("GET", run)["state"] in FINISHED
            tasks = self.call("GET", f"{run}/taskInstances")["task_instances"]
            for task in sorted(tasks, key=lambda each: each["end_date"] or "9"):
                if task["state"] in (*FINISHED, *GIVEN_UP) and task["task_id"] not in told:
                    told.add(task["task_id"])
                    yield task
            if over:
                return
            time.sleep(0.5)
        raise LocalAirflowError(f"the run {run_id} was not over after {seconds:.0f} seconds")

    def task_error(self, dag_id: str, run_id: str, task: dict[str, Any]) -> str:
        """What a task's last attempt failed with."""
        path = (
            f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}"
            f"/logs/{task['try_number']}?map_index=-1"
        )
        errors = [
            error["exc_value"]
            for line in self.call("GET", path)["content"]
            if isinstance(line, dict)
            for error in line.get("error_detail") or ()
        ]
        return str(errors[-1]) if errors else f"the task {task['task_id']} failed without a word"

    def _migrate(self) -> None:
        """Makes the database, once for each version of Airflow."""
        self.home.mkdir(parents=True, exist_ok=True)
        made_by = self.home / "database-made-by"
        current = version("apache-airflow")
        if made_by.exists() and made_by.read_text() == current:
            return
        done = subprocess.run(
            [*airflow(), "db", "migrate"],
            env=self.environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise LocalAirflowError(f"airflow db migrate failed: {' '.join(last)}")
        made_by.write_text(current)

    def _start(self, component: str) -> None:
        arguments = [component]
        if component == "api-server":
            arguments += ["--host", HOST, "--port", str(self.port), "--workers", "1"]
        if component == "scheduler":
            # The API server reads the logs from the folder, so nothing has to serve them, on a
            # port of its own and to every network.
            arguments += ["--skip-serve-logs"]
        (self.home / "logs").mkdir(exist_ok=True)
        with (self.home / "logs" / f"{component}.log").open("ab") as log:
            self._processes[component] = subprocess.Popen(
                [*airflow(), *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the launcher, which then ends them in order.
                start_new_session=True,
            )

    def _healthy(self) -> bool:
        try:
            health = self.call("GET", "/api/v2/monitor/health")
        except (OSError, LocalAirflowError):
            return False
        needed = ("metadatabase", "scheduler", "dag_processor")
        return all(health[name]["status"] == "healthy" for name in needed)

    def _wait(self, what: str, until: Callable[[], bool]) -> None:
        end = time.monotonic() + START_SECONDS
        while not until():
            self._see_that_all_live()
            if time.monotonic() > end:
                raise LocalAirflowError(f"waited {START_SECONDS} seconds for {what}, in vain")
            time.sleep(0.25)

    def _see_that_all_live(self) -> None:
        for component, process in self._processes.items():
            if process.poll() is not None:
                log = self.home / "logs" / f"{component}.log"
                raise LocalAirflowError(f"Airflow's {component} ended by itself; see {log}")


def airflow() -> list[str]:
    return [sys.executable, "-m", "airflow"]


def environment(
    home: Path, landing: str | Path | None, lake: str | Path | None, port: int
) -> dict[str, str]:
    """This machine's environment: airflow.env, what is set already, and what must be so."""
    given = dict(os.environ)
    settings = {**read_settings(SETTINGS), **given}
    # Unpausing the DAG must not start nights of this machine's own calendar: a laptop's lake has
    # simulated ones.
    settings.setdefault("STILLWATCH_FIRST_NIGHT", datetime.now(UTC).date().isoformat())
    if landing is not None:
        settings["STILLWATCH_LANDING"] = place(landing)
    if lake is not None:
        settings["STILLWATCH_LAKE"] = place(lake)
    url = f"http://{HOST}:{port}"
    return {
        **settings,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        # A step ends, the next begins: on one machine the pause between is all there is to save.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', '')}",
        "PYTHONWARNINGS": "ignore",
    }


def place(given: str | Path) -> str:
    """An absolute path, or an object store's address as it is."""
    return str(given) if "://" in str(given) else str(Path(given).resolve())


def read_settings(file: Path) -> dict[str, str]:
    lines = (line.strip() for line in file.read_text().splitlines())
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return dict(pairs)


def free_port(wanted: int = 0) -> int:
    """The wanted port, or any free one if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def run_night(airflow: LocalAirflow, night: str, conf: dict[str, Any], seconds: float) -> str:
    """One night by the scheduler, a line for each task; returns the run's id.

    Raises:
        LocalAirflowError: a task failed, with what it said, or the run took too long.
    """
    dag_id = "stillwatch_night"
    run_id = f"night_{night}_{datetime.now(UTC):%Y%m%dT%H%M%S}"
    airflow.wait_for_dag(dag_id)
    click.echo(f"Airflow is up; its scheduler runs {dag_id} for {night}")
    airflow.trigger(dag_id, run_id, {"date": night, **conf})
    run = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"
    try:
        for task in airflow.follow(dag_id, run_id, seconds):
            took = f"{task['duration'] or 0:6.1f} s"
            click.echo(f"  {task['task_id']:<14} {task['state']:<12} {took}")
            if task["state"] in GIVEN_UP:
                raise LocalAirflowError(airflow.task_error(dag_id, run_id, task))
    finally:
        state = airflow.call("GET", run)["state"]
        if state not in FINISHED:
            # Left as it is, it would go on at the next start, before anything else may run.
            airflow.call("PATCH", run, {"state": "failed"})
    if state != "success":
        raise LocalAirflowError(f"the run {run_id} ended as {state}")
    return run_id


@click.group(help=__doc__.splitlines()[0])
def cli() -> None:
    # So that a kill or a closed terminal leaves through the same door as Ctrl-C: by way of `stop`.
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.default_int_handler)


FOLDER = click.Path(file_okay=False, path_type=Path)
HOME = click.option("--home", type=FOLDER, required=True, help="Airflow's own folder.")
LANDING = click.option("--landing", type=str, required=True, help="Where files arrive.")
LAKE = click.option("--lake", type=str, required=True, help="Where the tables are.")


@cli.command("night")
@HOME
@LANDING
@LAKE
@click.option("--date", "night", type=click.DateTime(["%Y-%m-%d"]), required=True)
@click.option("--timeout", type=float, default=900, show_default=True, help="Seconds for the run.")
def night_command(home: Path, landing: str, lake: str, night: datetime, timeout: float) -> None:
    """Run one night as a DAG run, then stop."""
    started = time.monotonic()
    with LocalAirflow(home, landing, lake, free_port()) as airflow:
        run_night(airflow, night.date().isoformat(), {}, timeout)
    click.echo(
        f"The night ran as a DAG run: {time.monotonic() - started:.0f} s with Airflow's own."
    )


@cli.command("serve")
@HOME
@LANDING
@LAKE
@click.option("--port", type=int, default=8080, show_default=True, help="Another if it is taken.")
def serve_command(home: Path, landing: str, lake: str, port: int) -> None:
    """Show Airflow in the browser until Ctrl-C."""
    click.echo("Airflow starts: about half a minute.")
    with LocalAirflow(home, landing, lake, free_port(port)) as airflow:
        click.echo(f"Airflow is at {airflow.url}   user: admin   password: {airflow.password}")
        click.echo("Ctrl-C ends it.")
        # The way it is meant to end, and so no failure to whoever started it.
        with contextlib.suppress(KeyboardInterrupt):
            airflow.stay()


def main() -> None:
    try:
        cli(standalone_mode=False)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        sys.exit(130)
    except LocalAirflowError as failed:
        click.echo(failed, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
