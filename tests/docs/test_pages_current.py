"""Pages that people read must say what the code does: each test here fails when one goes stale."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import click
import pytest

from jobs.catalog import features
from jobs.catalog.checks import CHECK_POLICY
from jobs.catalog.drift import DRIFT_POLICY
from jobs.catalog.enforcement import LADDER, POLICY
from jobs.catalog.landing import SOURCES
from jobs.catalog.measures import MEASURE_NAMES, WINDOWS
from jobs.catalog.policy import SCORING, TRAINING
from jobs.catalog.steps import STEP_NAMES, STEPS
from jobs.catalog.tables import REQUEST_TEXT, REQUESTS_TABLE, TABLES
from jobs.cli import cli
from models.definitions import Boosting, Gates, Sampling, TrainingPolicy

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "docs/operations.md",
    "docs/enforcement.md", "docs/model.md", "docs/lab.md", "docs/stack.md", "docs/scale.md",
    "docs/desk.md", "docs/data-dictionary.md", "docs/incident.md",
)  # fmt: skip
WRITTEN = tuple(page for page in PAGES if page != "docs/data-dictionary.md")
EACH_PAGE = pytest.mark.parametrize("page", PAGES)
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@cache
def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(page: str, *languages: str) -> list[str]:
    """Fenced blocks of the page in one of these languages."""
    return [body for _, language, body in _FENCE.findall(text(page)) if language in languages]


def without_blocks(page: str) -> str:
    return _FENCE.sub("", text(page))


def sources(*folders: str) -> list[Path]:
    """Files of the project's code, its own settings included."""
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
        and path.suffix in (".py", ".env", ".conf", ".Dockerfile")
    ]  # fmt: skip


def lines_of(page: str) -> list[list[str]]:
    """Commands in the page's shell blocks, as words; continued lines as one."""
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


def cell_names(cell: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", cell))


def rows(page: str, head: str) -> list[list[str]]:
    """Rows of the page's table that begins with this head."""
    after = text(page).split(head, 1)
    assert len(after) == 2, f"{page} has no table that begins with {head!r}"
    found = []
    for line in after[1].splitlines()[1:]:
        if not line.startswith("|"):
            break
        if not line.startswith("| ---"):
            found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


# Links


def anchors(page: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EACH_PAGE
def test_links_lead_somewhere(page: str) -> None:
    broken = []
    bare = re.sub(r"`[^`\n]*`", "", without_blocks(page))
    for target in re.findall(r"\]\(([^)\s]+)\)", bare):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        there = file.exists()
        if there and anchor:
            there = anchor in anchors(file.resolve().relative_to(ROOT).as_posix())
        if not there:
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", WRITTEN[1:])
def test_every_page_can_be_found_from_the_readme(page: str) -> None:
    assert f"]({page}" in text("README.md")


# Commands


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_is_on_a_page(name: str) -> None:
    assert any(f"stillwatch {name}" in text(page) for page in WRITTEN), (
        f"show `stillwatch {name}` in README.md or docs"
    )


@pytest.mark.parametrize("name", cli.commands)
def test_every_commands_help_says_what_it_does_and_shows_it(name: str) -> None:
    said = cli.commands[name].help or ""
    assert len(said.partition("\n")[0]) > 20, "say what it does in the docstring's first line"
    assert f"stillwatch {name}" in said, "end the docstring with an example"


@pytest.mark.parametrize("page", WRITTEN)
def test_commands_on_the_pages_exist_with_their_options(page: str) -> None:
    for words in lines_of(page):
        while words and "=" in words[0] and not words[0].startswith("-"):
            words = words[1:]  # a variable for this command
        if words and words[0] == "stillwatch":
            _check_command(words[1:])
    for verb in re.findall(r"`stillwatch ([a-z][a-z-]*)", without_blocks(page)):
        assert verb in cli.commands, f"stillwatch {verb}"


def _check_command(words: list[str]) -> None:
    name, *rest = words
    if name.startswith("-"):
        return
    assert name in cli.commands, f"stillwatch {name}"
    command = cli.commands[name]
    if isinstance(command, click.Group):
        assert rest and rest[0] in command.commands, f"stillwatch {' '.join(words)}"
        command = command.commands[rest[0]]
    known = {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for word in rest:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"stillwatch {' '.join(words)}: {word}"
    if name == "run":
        assert rest[0] in STEP_NAMES, f"stillwatch {' '.join(words)}"
    needed = [p for p in command.params if p.required and isinstance(p, click.Option)]
    for parameter in needed:
        assert set(parameter.opts) & set(rest), f"{' '.join(words)} lacks {parameter.opts[0]}"


@pytest.mark.parametrize("page", WRITTEN)
def test_files_that_commands_name_exist(page: str) -> None:
    for words in lines_of(page):
        for word in words:
            if word.startswith(("infra/", "tests/", "docs/", "jobs/", "models/", "dags/")):
                assert (ROOT / word).exists() or word == "models/prior", " ".join(words)


@pytest.mark.parametrize("page", WRITTEN)
def test_python_on_the_pages_is_python(page: str) -> None:
    for body in blocks(page, "python"):
        ast.parse(body)


def targets() -> set[str]:
    found = set(re.findall(r"^([a-z-]+):.*##", text("Makefile"), re.MULTILINE))
    assert "help" in found
    return found


def test_make_targets_and_their_page_agree() -> None:
    documented = {row[0].strip("`").removeprefix("make ")
                  for row in rows("CONTRIBUTING.md", "| command | what for |")}  # fmt: skip
    assert documented == targets(), "CONTRIBUTING.md lists what each make target is for"


@pytest.mark.parametrize("page", WRITTEN)
def test_make_targets_on_the_pages_exist(page: str) -> None:
    named = set(re.findall(r"`make ([a-z-]+)", without_blocks(page)))
    named |= {words[1] for words in lines_of(page) if words[0] == "make"}
    assert named - targets() == set()


# Settings


def variables(*folders: str) -> set[str]:
    """STILLWATCH_ variables that the code reads or names."""
    found: set[str] = set()
    for path in sources(*folders):
        body = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"(?<!_)\bSTILLWATCH_[A-Z][A-Z_]*[A-Z]\b", body))
    settings = text("jobs/platform/settings.py")
    found |= {f"STILLWATCH_{name}" for name in re.findall(r'variable\("([A-Z_]+)"', settings)}
    return found


def test_settings_and_their_page_agree() -> None:
    page = text("docs/operations.md").split("\n## Settings\n")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `(STILLWATCH_[A-Z_]+)`", page, re.MULTILINE))
    read = variables("jobs", "models", "dags", "infra")
    assert read - documented == set(), "docs/operations.md has a table of all settings"
    assert documented - read == set(), "docs/operations.md names settings that nothing reads"


def test_settings_of_tests_are_on_their_page() -> None:
    own = variables("tests") - variables("jobs", "models", "dags", "infra") - desk_variables()
    assert [name for name in sorted(own) if name not in text("CONTRIBUTING.md")] == []


def desk_variables() -> set[str]:
    """Variables of signing in to the desk, which desk/settings.py names by their ends."""
    ends = re.findall(r'variable\("([A-Z_]+)"\)', text("desk/settings.py"))
    return {f"STILLWATCH_DESK_OIDC_{end}" for end in ends}


def test_settings_of_signing_in_and_their_page_agree() -> None:
    page = re.findall(r"^\| `(STILLWATCH_DESK_[A-Z_]+)`", text("docs/desk.md"), re.MULTILINE)
    assert set(page) == desk_variables()


# What is declared


def test_the_steps_and_their_page_agree() -> None:
    page = {next(iter(cell_names(row[0]))): row
            for row in rows("docs/architecture.md", "| step | reads | writes |")}  # fmt: skip
    assert tuple(page) == STEP_NAMES
    for step in STEPS:
        assert cell_names(page[step.name][2]) == set(step.writes), step.name
        assert cell_names(page[step.name][1]) == set(step.reads), step.name


def test_every_step_is_in_the_readmes_picture() -> None:
    (picture,) = blocks("README.md", "mermaid")
    assert [name for name in STEP_NAMES if not re.search(rf"\b{name}\b", picture)] == []


def test_the_folders_of_tests_and_their_page_agree() -> None:
    there = {f"tests/{path.name}" for path in (ROOT / "tests").iterdir()
             if path.is_dir() and any(path.glob("*.py"))}  # fmt: skip
    page = {row[0].strip("`") for row in rows("CONTRIBUTING.md", "| folder | what it is about |")}
    assert page == there, "CONTRIBUTING.md says what each folder of tests is about"


def test_treatments_and_their_page_agree() -> None:
    used = {column.treatment for source in SOURCES.values() for column in source.columns}
    page = {row[0].strip("`")
            for row in rows("docs/architecture.md", "| treatment | what is stored |")}  # fmt: skip
    assert page == used


def test_the_worked_example_of_a_feature_still_holds() -> None:
    (diff,) = blocks("docs/architecture.md", "diff")
    lines = diff.splitlines()
    declared = text("jobs/catalog/features.py").splitlines()
    assert [line for line in lines if line[:1] == " " and line[1:] not in declared] == []
    added = "\n".join(line[1:] for line in lines if line.startswith("+"))
    new = eval(f"({added})", vars(features))  # the page's own words, as if they stood in the file
    assert len(new) == 2
    for feature in new:
        assert isinstance(feature, features.Feature)
        assert feature.name not in features.FEATURE_NAMES
        measures = set(re.findall(r"\b([a-z_]+)_[0-9]+d\b", feature.sql))
        assert measures <= set(MEASURE_NAMES)
        landing = {column.name for source in SOURCES.values() for column in source.columns}
        assert set(feature.needs) <= landing


def test_figures_on_the_page_of_the_model_are_those_in_force() -> None:
    gates, sampling, boosting = Gates(), Sampling(), Boosting()
    page = " ".join(text("docs/model.md").split())
    said = [
        f"no training in the {TRAINING.every_nights - 1} nights before",
        f"at least {TRAINING.minimum_positives} accounts labelled `distillation`",
        f"of at least {TRAINING.minimum_campaigns} named campaigns",
        f"| known distillers held out | at least {gates.least_held_out_positives} |",
        f"| PR-AUC on held-out campaigns | at least {gates.least_pr_auc:g} |",
        f"| PR-AUC gained over the champion | at least {gates.least_gain:g} |",
        f"| share of bootstrap draws in which it is better | at least {gates.least_confidence:g} |",
        f"| recall at the gate's false positive rate | falls by {gates.recall_tolerance:g} at",
        "| recall in the known campaign that loses most | falls by "
        f"{gates.campaign_recall_tolerance:g} at",
        f"| Brier score | rises by {gates.brier_tolerance:g} at",
        f"up to {sampling.unlabelled_accounts:,} drawn by a hash",
        f"with weight {sampling.unlabelled_weight:g}",
        f"{sampling.evidence_nights_before[1]} and {sampling.evidence_nights_before[2]} nights",
        f"{boosting.rounds} shallow trees",
        f"at most {boosting.suspect_share:.0%} of them".replace("%", " %"),
        f"in {['no', 'one', 'two', 'three', 'four', 'five'][boosting.folds]} folds by campaign",
        f"on which {TrainingPolicy().prior_prevalence:.0%} of".replace("%", " %"),
        f"Below a score of {SCORING.explain_score:g} nobody is told why",
        f"adds at least {SCORING.least_contribution:g} to the log-odds",
        f"at least {SCORING.family_contribution:g} to the log-odds",
        f"a campaign that scores {SCORING.campaign_evidence_score:g} or more",
        f"traffic in the last {SCORING.window_days} nights",
        f"of the {DRIFT_POLICY.reference_days} days before, taken together",
        f"a share under {DRIFT_POLICY.least_share:g} counts as that",
        f"is over `psi_expected` by more than {CHECK_POLICY.drift_psi:g}",
        f"missing for over {CHECK_POLICY.drift_missing:.0%} of accounts more".replace("%", " %"),
        f"need {CHECK_POLICY.drift_accounts} accounts",
        *(f"| `{r.action}` | {r.floor:g} | {r.false_positive_rate:g} |" for r in POLICY.rungs),
        f"contradicted at a confidence of {POLICY.label_confidence:g}",
        f"{CHECK_POLICY.drift_nights_needed} nights for a feature",
        "from its "
        + ["first", "second", "third", "fourth"][CHECK_POLICY.drift_score_nights_needed]
        + " night on",
    ]
    assert [words for words in said if words not in page] == []


def test_figures_on_the_other_pages_are_those_in_force() -> None:
    operations = " ".join(text("docs/operations.md").split())
    readme = " ".join(text("README.md").split())
    assert (
        f"over {CHECK_POLICY.refused_warn:.0%} of a source warns, over "
        f"{CHECK_POLICY.refused_stop:.0%} stops"
    ).replace("%", " %") in operations
    assert f"its retention, {REQUESTS_TABLE.retention_days} days" in operations
    assert f"more than {SOURCES['requests'].oldest_days} days before its landing" in operations
    assert (
        "keep `account_daily`, `account_indicators`, `account_templates` and `account_tokens` at "
        f"{WINDOWS[-1]} nights or more"
    ) in operations
    assert REQUEST_TEXT.retention_days == 7 and "a retention of seven days" in readme
    assert POLICY.families_needed == 2 and "needs two independent families" in readme
    windows = f"{', '.join(map(str, WINDOWS[:-1]))} or {WINDOWS[-1]} landing dates"
    assert windows in readme
    assert f"{len(TABLES)} Delta tables" in text("docs/architecture.md")


def strings() -> str:
    """All string constants of jobs and models, each on a line, in the words a user sees."""
    found = []
    for path in sources("jobs", "models"):
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(" ".join(node.value.split()))
    return "\n".join(found)


def test_errors_on_the_page_of_operations_are_those_of_the_code() -> None:
    said = strings()
    stale = []
    for row in rows("docs/operations.md", "| line | what it means, what to do |"):
        line = row[0].strip("`")
        if " failed " in line:
            continue  # made of a check's own words
        for part in re.split("…|: ", line):  # values, and lines that say what after where
            words = part.strip(" ;:,.()`/")
            if len(words) > 12 and words not in said:
                stale.append(words)
    assert stale == []


def test_the_ladder_is_on_the_readme() -> None:
    assert ", ".join(f"`{rung}`" for rung in LADDER) in text("README.md")


def test_the_readme_shows_what_the_demo_prints() -> None:
    shown = text("README.md").split("<!-- demo output: begin -->")[1].split("<!--")[0]
    assert "DEMO" + "_OUTPUT" not in shown, "run `make demo` and put what it prints here"
