"""A Spark cluster and an object store on one machine: a master, two workers and an S3 API.

    python infra/cluster/local.py start --home DIR [--workers 2] [--cores 1] [--memory 2g]
    python infra/cluster/local.py put --home DIR --landing FOLDER
    python infra/cluster/local.py status --home DIR
    python infra/cluster/local.py stop --home DIR

`start` returns when all of it answers and prints the variables to set; `put` copies a landing
folder into the store; `stop` ends all of it. What the store holds is in memory and gone with it.

For laptops and tests: everything listens on this machine only, the store takes any key.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import psutil

ROOT = Path(__file__).resolve().parents[2]
PROPERTIES = ROOT / "infra" / "spark" / "spark-defaults.conf"
HOST = "127.0.0.1"
BUCKET = "stillwatch"
#: Long enough for a machine that is busy with something else.
START_SECONDS = 60
#: Steps are over before Java's optimising compiler and its other collectors have paid for
#: themselves. With the first compiler alone Java has room for 48 MB of compiled code; a night makes
#: more, and a quarter of its time went into throwing code away and compiling it again.
SHORT_RUN = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m"


class LocalClusterError(click.ClickException):
    """Shown as one line."""


class LocalCluster:
    """Its processes; `with` ends them whatever happens inside. Without workers: the store alone."""

    def __init__(self, home: Path, workers: int = 2, cores: int = 1, memory: str = "2g") -> None:
        self.home = home.resolve()
        self.workers, self.cores, self.memory = workers, cores, memory
        self._state = self.home / "processes.json"

    def __enter__(self) -> LocalCluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start store, master and workers, and wait until they know each other.

        Raises:
            LocalClusterError: no Java, one is running already, or a part did not start.
        """
        if self.workers and shutil.which("java") is None:
            raise LocalClusterError("no Java on the path: Spark needs Java 17 or 21")
        if self.alive():
            raise LocalClusterError(f"a cluster of {self.home} is running: stop it first")
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        store, master, pages = free_ports(3)
        ports = {"store": store, "master": master, "pages": pages}
        self._save({"ports": ports, "processes": {}})
        try:
            self._start("store", [sys.executable, "-m", "moto.server", "-H", HOST, "-p", store])
            if self.workers:
                self._start("master", [
                    *spark_class("master.Master"), "--host", HOST, "--port", master,
                    "--webui-port", pages,
                ])  # fmt: skip
                self._wait("the master", lambda: self._workers_alive() >= 0)
            self._wait("the object store", self._make_bucket)
            for n in range(1, self.workers + 1):
                self._start(f"worker-{n}", [
                    *spark_class("worker.Worker"), "--host", HOST, "--webui-port", 0,
                    "--cores", self.cores, "--memory", self.memory,
                    "--work-dir", self.home / f"worker-{n}", self.spark_master,
                ])  # fmt: skip
            if self.workers:
                self._wait("the workers", lambda: self._workers_alive() == self.workers)
                self._write_properties()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> int:
        """End all processes that this folder's cluster started, and their children; how many."""
        family = set(self.alive().values())
        for member in tuple(family):
            with contextlib.suppress(psutil.NoSuchProcess):
                family.update(member.children(recursive=True))
        ended = len(family)
        for sign in ("terminate", "kill"):
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    getattr(member, sign)()
            family = set(psutil.wait_procs(family, timeout=10)[1])
        self._state.unlink(missing_ok=True)
        return ended

    def put(self, folder: Path, name: str = "landing") -> None:
        """Copy a folder of this machine into the bucket, under that name."""
        from pyarrow import fs

        store = fs.S3FileSystem(
            access_key="anyone", secret_key="anything", region="us-east-1",
            endpoint_override=self.store_url.removeprefix("http://"), scheme="http",
        )  # fmt: skip
        fs.copy_files(str(folder.resolve()), f"{BUCKET}/{name}", destination_filesystem=store)

    def alive(self) -> dict[str, psutil.Process]:
        """The parts that run. A number that another process has got since is none of them."""
        found = {}
        for name, (pid, created) in self._saved().get("processes", {}).items():
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                ended = process.status() == psutil.STATUS_ZOMBIE
                if abs(process.create_time() - created) < 1 and not ended:
                    found[name] = process
        return found

    @property
    def spark_master(self) -> str:
        return f"spark://{HOST}:{self._saved()['ports']['master']}"

    @property
    def store_url(self) -> str:
        return f"http://{HOST}:{self._saved()['ports']['store']}"

    @property
    def properties(self) -> Path:
        """What spark-submit is given: the project's settings, then this cluster's own."""
        return self.home / "spark.conf"

    @property
    def variables(self) -> dict[str, str]:
        """What a command, a submission or Airflow needs to use it."""
        store = {
            "AWS_ENDPOINT_URL": self.store_url,
            "AWS_REGION": "us-east-1",
            # The store takes anything, but the clients want something.
            "AWS_ACCESS_KEY_ID": "anyone",
            "AWS_SECRET_ACCESS_KEY": "anything",
            "STILLWATCH_LANDING": f"s3://{BUCKET}/landing",
            "STILLWATCH_LAKE": f"s3://{BUCKET}/lake",
            "STILLWATCH_MLFLOW_TRACKING_URI": str(self.home / "registry"),
        }
        if not self.workers:
            return store
        return store | {
            "STILLWATCH_SPARK_MASTER": self.spark_master,
            "STILLWATCH_SPARK_PROPERTIES": str(self.properties),
            "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({
                "conn_type": "spark", "host": f"spark://{HOST}",
                "port": self._saved()["ports"]["master"],
            }),
            "SPARK_LOCAL_IP": HOST,
            "JDK_JAVA_OPTIONS": SHORT_RUN,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }  # fmt: skip

    def submission(self, *arguments: str) -> list[str]:
        """The command line that submits `stillwatch ARGUMENTS` to the cluster."""
        return [
            str(Path(sys.executable).with_name("spark-submit")), "--master", self.spark_master,
            "--properties-file", str(self.properties),
            str(ROOT / "infra" / "spark" / "submit.py"), *arguments,
        ]  # fmt: skip

    def _start(self, name: str, command: list[Any]) -> None:
        # Workers pass their environment on to executors: the code that is called there, the
        # interpreter, and the way to the store.
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        with (self.home / "logs" / f"{name}.log").open("ab") as log:
            process = psutil.Popen(
                [str(word) for word in command],
                env={
                    **os.environ, **self.variables, "PYSPARK_PYTHON": sys.executable,
                    "PYTHONPATH": os.pathsep.join(paths), "SPARK_NO_DAEMONIZE": "1",
                },
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                # Ctrl-C is for whoever watches; `stop` ends them.
                start_new_session=True,
            )  # fmt: skip
        saved = self._saved()
        saved["processes"][name] = (process.pid, process.create_time())
        self._save(saved)

    def _make_bucket(self) -> bool:
        request = urllib.request.Request(f"{self.store_url}/{BUCKET}", method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=5):
                return True
        except OSError:
            return False

    def _workers_alive(self) -> int:
        """How many workers the master knows, or -1 where it does not answer."""
        pages = self._saved()["ports"]["pages"]
        try:
            with urllib.request.urlopen(f"http://{HOST}:{pages}/json/", timeout=5) as answer:
                return int(json.loads(answer.read())["aliveworkers"])
        # Its page answers with words for people until the one for programs is there.
        except (OSError, ValueError):
            return -1

    def _wait(self, what: str, until: Callable[[], bool]) -> None:
        end = time.monotonic() + START_SECONDS
        while not until():
            for name in self._saved()["processes"].keys() - self.alive().keys():
                log = self.home / "logs" / f"{name}.log"
                raise LocalClusterError(f"{name} ended by itself; see {log}")
            if time.monotonic() > end:
                raise LocalClusterError(f"waited {START_SECONDS} seconds for {what}, in vain")
            time.sleep(0.1)

    def _write_properties(self) -> None:
        own = {
            "spark.driver.memory": "2g",
            "spark.executor.memory": self.memory,
            "spark.executor.cores": self.cores,
            "spark.ui.enabled": "false",
        }
        lines = [f"{name} {value}" for name, value in own.items()]
        self.properties.write_text("\n".join([PROPERTIES.read_text(), *lines, ""]))

    def _saved(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError):
            return dict(json.loads(self._state.read_text()))
        return {}

    def _save(self, state: dict[str, Any]) -> None:
        self._state.write_text(json.dumps(state))


def spark_class(name: str) -> list[str]:
    """The command line of a part of Spark's own cluster manager, from the installed package."""
    spec = importlib.util.find_spec("pyspark")
    assert spec and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    return [str(folder / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}"]


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@click.group(help=__doc__.splitlines()[0])
def cli() -> None:
    pass


HOME = click.option(
    "--home", type=click.Path(file_okay=False, path_type=Path), required=True,
    help="Folder for logs, settings, the model registry and the workers' scratch files.",
)  # fmt: skip


@cli.command("start")
@HOME
@click.option("--workers", type=click.IntRange(0), default=2, show_default=True,
              help="0: the object store alone.")  # fmt: skip
@click.option("--cores", type=click.IntRange(1), default=1, show_default=True, help="Of a worker.")
@click.option("--memory", default="2g", show_default=True, help="Of a worker's executor.")
def start_command(home: Path, workers: int, cores: int, memory: str) -> None:
    """Start it; prints what to set and how to run a night."""
    cluster = LocalCluster(home, workers, cores, memory)
    cluster.start()
    for name, value in cluster.variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    if workers:
        click.echo(f"# {shlex.join(cluster.submission('night', '--date', 'YYYY-MM-DD'))}")


@cli.command("put")
@HOME
@click.option("--landing", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="A landing folder of this machine.")  # fmt: skip
def put_command(home: Path, landing: Path) -> None:
    """Copy a landing folder to where STILLWATCH_LANDING points."""
    cluster = LocalCluster(home)
    if not cluster.alive():
        raise LocalClusterError(f"no cluster of {home} runs")
    cluster.put(landing)


@cli.command("status")
@HOME
def status_command(home: Path) -> None:
    """Say what of it runs."""
    alive = LocalCluster(home).alive()
    for name, process in alive.items():
        click.echo(
            f"{name:<9} process {process.pid}, up {time.time() - process.create_time():.0f} s"
        )
    if not alive:
        click.echo(f"no cluster of {home} runs")


@cli.command("stop")
@HOME
def stop_command(home: Path) -> None:
    """End all of it, executors too."""
    click.echo(f"{LocalCluster(home).stop()} processes ended")


if __name__ == "__main__":
    cli()
