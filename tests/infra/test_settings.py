"""The settings that other machines start from agree with the code and the lock file."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCKED = {
    package["name"]: package["version"]
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
}
SPARK = ROOT / "infra" / "spark" / "spark-defaults.conf"
AIRFLOW = ROOT / "infra" / "airflow" / "airflow.env"


def spark_settings(commented: bool = False) -> dict[str, str]:
    """The file's properties; with `commented`, those that it offers."""
    start = "#" if commented else ""
    found = re.findall(rf"^{start}(spark\.\S+) +(.+)$", SPARK.read_text(), re.MULTILINE)
    return dict(found)


def airflow_settings() -> dict[str, str]:
    """The variables of the file, also those that it only offers."""
    return dict(re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", AIRFLOW.read_text(), re.MULTILINE))


def words_of(*folders: str) -> set[str]:
    """Every string in the code of these folders."""
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text())))
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def test_sparks_delta_is_the_locked_one():
    packages = spark_settings()["spark.jars.packages"].split(",")
    spark = ".".join(LOCKED["pyspark"].split(".")[:2])
    assert packages[0] == f"io.delta:delta-spark_{spark}_2.13:{LOCKED['delta-spark']}"


def test_sparks_way_to_an_object_store_is_that_of_its_hadoop():
    """The jars that a session of the command's own asks for, and the Hadoop inside pyspark."""
    from jobs.platform.session import STORE_EXCLUDED, STORE_PACKAGES

    packages = spark_settings()["spark.jars.packages"].split(",")
    assert packages[1:] == STORE_PACKAGES.split(",")
    assert spark_settings()["spark.jars.excludes"] == STORE_EXCLUDED
    pyspark = importlib.util.find_spec("pyspark")
    assert pyspark and pyspark.submodule_search_locations
    (client,) = Path(pyspark.submodule_search_locations[0], "jars").glob("hadoop-client-api-*.jar")
    hadoop = client.stem.removeprefix("hadoop-client-api-")
    assert f"org.apache.hadoop:hadoop-aws:{hadoop}" in packages


def test_spark_works_as_the_jobs_expect():
    """What the session sets by itself on one machine is the same here."""
    from jobs.platform.session import _spark_options

    submitted = _spark_options(submitted=True)
    assert {name: spark_settings().get(name) for name in submitted} == submitted


def test_spark_properties_hold_no_secret():
    both = {**spark_settings(), **spark_settings(commented=True)}
    assert not [name for name in both if re.search(r"secret\.key|access\.key|password", name)]


def test_airflows_variables_are_ones_that_somebody_reads():
    ours = {name for name in airflow_settings() if name.startswith("STILLWATCH_")}
    words = words_of("dags", "jobs")
    # Settings are read as `STILLWATCH_` and a name.
    unread = [n for n in ours if n not in words and n.removeprefix("STILLWATCH_") not in words]
    assert unread == []


def test_airflows_own_variables_are_ones_that_it_knows():
    # Read as a file: Airflow makes itself a home in the user's folder when it is imported.
    airflow = importlib.util.find_spec("airflow")
    assert airflow and airflow.submodule_search_locations
    known = yaml.safe_load(
        Path(airflow.submodule_search_locations[0], "config_templates", "config.yml").read_text()
    )
    for name in airflow_settings():
        if name.startswith("AIRFLOW__"):
            _, section, key = name.lower().split("__")
            assert key in known[section]["options"], f"Airflow has no setting {section}.{key}"


def test_the_submitted_file_stands_apart_from_the_packages():
    """Python looks for modules beside the file that it runs."""
    beside = [file.name for file in (ROOT / "infra" / "spark").glob("*.py")]
    assert beside == ["submit.py"]
