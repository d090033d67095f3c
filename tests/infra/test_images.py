"""The images' definitions: what they copy exists, and they keep the rules that matter to us."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGES = sorted((ROOT / "infra" / "images").glob("*.Dockerfile"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


class Instruction(NamedTuple):
    name: str
    words: list[str]


def instructions(file: Path) -> list[Instruction]:
    """A Dockerfile's instructions: comments out, continued lines joined."""
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    parts = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [Instruction(name, rest.split()) for name, rest in parts]


def last_stage(file: Path) -> list[Instruction]:
    every = instructions(file)
    start = max(i for i, each in enumerate(every) if each.name == "FROM")
    return every[start:]


def sources(file: Path) -> list[str]:
    """What is copied from the repository, not from an earlier stage."""
    copies = (each.words for each in instructions(file) if each.name == "COPY")
    return [
        word
        for words in copies
        if not any(word.startswith("--from=") for word in words)
        for word in words[:-1]
        if not word.startswith("--")
    ]


@pytest.fixture(params=IMAGES, ids=lambda file: file.stem)
def image(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_there_is_one_for_each_environment():
    assert [file.stem for file in IMAGES] == ["airflow", "jobs"]


def test_installs_its_group_from_the_lock_file(image):
    text = "\n".join(" ".join(each.words) for each in instructions(image))
    groups = set(re.findall(r"--group ([a-z]+)", text))
    # The desk is served from the image of the jobs.
    assert groups == {"airflow": {"airflow"}, "jobs": {"jobs", "desk"}}[image.stem]
    assert groups <= PROJECT["dependency-groups"].keys()
    syncs = re.findall(r"uv sync .*", text)
    assert len(syncs) == 2
    for options in syncs:
        assert "--frozen" in options, "what the lock file says, or nothing"
        assert "--no-default-groups" in options, "or it would bring the other environment too"


def test_installs_with_the_same_uv_as_a_laptop(image):
    (made_with,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.M)
    assert re.findall(r"uv==(\S+)", image.read_text()) == [made_with]


def test_modules_are_compiled_when_it_is_built(image):
    """Whoever runs it can't write beside them."""
    every = [(each.name, " ".join(each.words)) for each in instructions(image)]
    told = every.index(("ENV", "UV_COMPILE_BYTECODE=1"))
    syncs = [at for at, (_, words) in enumerate(every) if words.startswith("uv sync")]
    assert told < syncs[0]


def test_copies_what_there_is(image):
    copied = sources(image)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert {"pyproject.toml", "uv.lock", "jobs", "models"} <= set(copied)


def test_the_build_sees_what_it_copies_and_nothing_else(image):
    """A lake, a key or a local environment beside the code must not get into a layer."""
    ignore = image.with_name(f"{image.name}.dockerignore").read_text().split("\n")
    rules = [line for line in ignore if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert sorted(allowed) == sorted(set(sources(image)))
    assert not any(fnmatch.fnmatch(".venv", rule) for rule in allowed)


def test_copies_the_packages_that_the_wheel_is_made_of(image):
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(wheel) <= set(sources(image))


def test_bases_are_pinned_to_a_release_that_the_project_supports(image):
    bases = [each.words[0] for each in instructions(image) if each.name == "FROM"]
    assert len(set(bases)) == 1, "what is built on one must run on the other"
    assert re.fullmatch(r"python:3\.(11|12|13)\.\d+-slim-[a-z]+", bases[0])


def test_runs_as_nobody_special(image):
    users = [each.words for each in last_stage(image) if each.name == "USER"]
    assert users and users[-1][0].isdigit() and int(users[-1][0]) >= 1000
    made = " ".join(" ".join(each.words) for each in last_stage(image) if each.name == "RUN")
    assert f"--uid {users[-1][0]}" in made


def test_holds_no_secret_and_names_no_server(image):
    text = image.read_text()
    assert not re.search(r"https?://|(?:ghcr|docker|quay|gcr)\.io", text)
    set_here = [w for i in instructions(image) if i.name in ("ENV", "ARG") for w in i.words]
    assert not [word for word in set_here if re.search(r"KEY|TOKEN|SECRET|PASSWORD", word)]


def test_nothing_is_left_of_the_package_lists(image):
    for each in last_stage(image):
        if "apt-get" in each.words:
            assert "--no-install-recommends" in each.words
            assert "/var/lib/apt/lists/*" in each.words


def test_first_process_passes_signals_on(image):
    """Or a task that is cancelled goes on working."""
    (entry,) = [each.words for each in last_stage(image) if each.name == "ENTRYPOINT"]
    assert entry[:2] == ['["tini",', '"--",']
