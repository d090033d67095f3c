"""`stillwatch policy check` and `show`; without an engine."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from jobs.catalog.enforcement import POLICY, parse_policy
from jobs.cli import cli
from jobs.platform.errors import SettingsError


@pytest.fixture
def said(monkeypatch):
    def call(*words):
        return CliRunner().invoke(cli, ["policy", *words], catch_exceptions=True)

    return call


def test_what_is_in_force_can_be_written_to_a_file_and_checks_as_itself(said, tmp_path):
    file = tmp_path / "same.toml"
    file.write_text(said("show").stdout, encoding="utf-8")
    assert said("check", str(file)).stdout == f"{POLICY.version}\n"


def test_the_file_that_a_setting_names_is_in_force(said, tmp_path, monkeypatch):
    text = POLICY.text.replace("floor = 0.60", "floor = 0.70")
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("STILLWATCH_POLICY", str(tmp_path / "own.toml"))
    shown = said("show")
    assert shown.stdout == text
    assert shown.stderr == f"in force: {parse_policy(text).version}\n"


def test_a_fault_is_said_with_its_line(said, tmp_path):
    lines = POLICY.text.splitlines()
    at = lines.index("floor = 0.60")
    lines[at] = "floor = 0.20"
    (tmp_path / "broken.toml").write_text("\n".join(lines), encoding="utf-8")
    found = said("check", str(tmp_path / "broken.toml"))
    assert found.stdout == ""
    assert isinstance(found.exception, SettingsError)
    assert f"line {at + 1}: rungs.2.floor: 0.2 is below" in str(found.exception)


def test_a_file_that_is_not_there_is_one_line(said, tmp_path):
    found = said("try", str(tmp_path / "none.toml"), "--lake", str(tmp_path), "--from",
                 "2026-05-01", "--to", "2026-05-02")  # fmt: skip
    assert isinstance(found.exception, SettingsError)
    assert "can't be read: No such file" in str(found.exception)
