"""Who may import whom, and what only one module may do. README.md says the same in words.

Imports are read from the source, so that one inside a function counts as well.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 500
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "tools"}


@cache
def modules(*folders: str) -> list[str]:
    """Paths of Python files below the folders, relative to the repository."""
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "__pycache__" not in path.parts
    ]
    assert found, f"no modules in {folders}: this test looks in the wrong place"
    return found


@cache
def source(module: str) -> str:
    return (ROOT / module).read_text(encoding="utf-8")


@cache
def nodes(module: str) -> list[ast.AST]:
    """All that a module is made of: parsed once for all tests here."""
    return list(ast.walk(ast.parse(source(module))))


@cache
def imports(module: str) -> set[str]:
    """Full names of all that a module imports, `package.module.name` for `from` imports."""
    names: set[str] = set()
    for node in nodes(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: write imports out in full, `from jobs.… import …`"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def standard(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


def ours(name: str) -> bool:
    return within(name, "desk", "jobs", "models", "dags", "stillwatch_dags", "infra", "tests")


def _catalog(name: str) -> bool:
    return standard(name) or within(name, "jobs.catalog")


def _dags(name: str) -> bool:
    return standard(name) or within(name, "airflow", "jobs.catalog", "stillwatch_dags")


def _models(name: str) -> bool:
    return within(name, "models", "jobs.catalog") if ours(name) else not within(name, "pyspark")


def _platform(name: str) -> bool:
    return not ours(name) or within(name, "jobs.catalog", "jobs.platform")


def _simulator(name: str) -> bool:
    return not ours(name) or within(name, "jobs.catalog", "jobs.simulator")


def _jobs(name: str) -> bool:
    return not ours(name) or within(name, "jobs", "models")


def _outputs(name: str) -> bool:
    return _jobs(name) and not within(name, "pyspark")


#: What the desk may ask of the jobs: modules that need no engine.
DESK_ASKS = (
    "jobs.catalog", "jobs.platform", "jobs.cases", "jobs.explaining", "jobs.limits.now",
    "jobs.reviews", "jobs.trials.shadowed", "jobs.verdicts",
)  # fmt: skip


def _desk(name: str) -> bool:
    return (
        within(name, "desk", *DESK_ASKS)
        if ours(name)
        else not within(name, "pyspark", "pysail", "deltalake")
    )


@pytest.mark.parametrize(
    ("folder", "allowed", "rule"),
    [
        ("jobs/catalog", _catalog, "the standard library and the catalogue itself"),
        ("dags", _dags, "Airflow, the catalogue and stillwatch_dags; jobs are started as commands"),
        ("models", _models, "of this project the catalogue and models, and no Spark"),
        ("jobs/platform", _platform, "of this project the catalogue and the platform"),
        ("jobs/simulator", _simulator, "of this project the catalogue and the simulator"),
        ("jobs/outputs", _outputs, "of this project jobs and models, and no Spark"),
        ("jobs", _jobs, "of this project jobs and models; jobs/commands/desk.py starts the desk"),
        ("desk", _desk, f"of this project {', '.join(DESK_ASKS)} and itself, and no engine"),
    ],
)
def test_a_room_imports_what_it_may(folder: str, allowed: Callable[[str], bool], rule: str) -> None:
    strays = [
        f"{module} imports {name}"
        for module in modules(folder)
        for name in sorted(imports(module))
        if not allowed(name) and not (module == "jobs/commands/desk.py" and within(name, "desk"))
    ]
    assert strays == [], f"{folder} imports {rule}"


@pytest.mark.parametrize(
    ("package", "places"),
    [
        ("great_expectations", ("jobs/platform/expectations.py",)),
        ("pysail", ("jobs/platform/session.py",)),
        ("deltalake", ("jobs/platform/lake.py", "jobs/upkeep.py")),
        ("deltalake.write_deltalake", ("jobs/platform/lake.py",)),
        ("deltalake.writer", ()),
        ("pyarrow.fs", ("jobs/platform/storage.py",)),
        ("httpx", ("jobs/outputs/sending.py",)),
        ("boto3", ("jobs/platform/lease.py",)),
        ("numba", ("jobs/platform/compiling.py",)),
        ("mlflow", ("models/",)),
        ("xgboost", ("models/",)),
        ("airflow", ("dags/",)),
        ("desk", ("desk/", "jobs/commands/desk.py")),
        ("starlette", ("desk/",)),
        ("uvicorn", ("desk/",)),
        ("authlib", ("desk/",)),
        ("argon2", ("desk/",)),
        ("jobs.simulator", ("jobs/simulator/", "jobs/cli.py", "jobs/prior.py", "jobs/lab/")),
        ("stillwatch_dags", ("dags/",)),
    ],
)
def test_a_package_is_known_in_one_place(package: str, places: tuple[str, ...]) -> None:
    strays = [
        module
        for module in modules("desk", "jobs", "models", "dags")
        if any(within(name, package) for name in imports(module)) and not module.startswith(places)
    ]
    assert strays == [], f"{package} is imported only in {', '.join(places) or 'no place'}"


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ('.format("delta")', "jobs/platform/lake.py", "engines write Delta differently, unsaid"),
        (".saveAsTable(", None, "tables are paths in the lake"),
        ("SparkSession.builder", "jobs/platform/session.py", "one place starts an engine"),
        ("sparkContext", "jobs/platform/session.py", "Sail has none"),
    ],
)
def test_an_engine_is_used_in_one_way(text: str, place: str | None, why: str) -> None:
    strays = [
        module
        for module in modules("desk", "jobs", "models", "dags")
        if module != place and text in source(module)
    ]
    assert strays == [], f"{text} stands only in {place}: {why}"


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lengths = {
        module: len(source(module).splitlines())
        for module in modules("desk", "jobs", "models", "dags", "infra", "tests")
    }
    over = {module: lines for module, lines in lengths.items() if lines > MOST_LINES}
    assert over == {}, f"more than {MOST_LINES} lines: give a part a module and a name of its own"


def test_no_module_is_a_drawer() -> None:
    drawers = [
        module
        for module in modules("desk", "jobs", "models", "dags", "infra", "tests")
        if {Path(module).stem, Path(module).parent.name} & DRAWERS
    ]
    assert drawers == [], "name a module after what is in it"


def test_no_condition_is_settled_in_advance() -> None:
    """What somebody switched off to try something must not stay."""
    settled = []
    for module in modules("desk", "jobs", "models", "dags", "infra"):
        for node in nodes(module):
            tests = [node.test] if isinstance(node, ast.If | ast.IfExp | ast.Assert) else []
            parts = node.values if isinstance(node, ast.BoolOp) else []
            parts = [node.left, node.right] if isinstance(node, ast.BinOp) else parts
            if any(isinstance(test, ast.Constant) for test in tests) or any(
                isinstance(part, ast.Constant) and isinstance(part.value, bool) for part in parts
            ):
                settled.append(f"{module}:{node.lineno}")
    assert settled == []
