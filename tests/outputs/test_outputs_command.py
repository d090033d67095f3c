"""`stillwatch export` and `stillwatch notify` as a person types them."""

from __future__ import annotations

import base64
import json

import pytest
from click.testing import CliRunner

from jobs.cli import cli
from jobs.commands.outputs import FORMATS
from jobs.outputs import export

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
ACTIONS = [{"account_id": "a1", "action": "limit", "campaign_id": "c1"}]


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("STILLWATCH_WEBHOOK_SECRET", SECRET)

    def command(*arguments):
        return CliRunner().invoke(cli, list(arguments))

    return command


def test_the_formats_of_the_command_are_those_that_are_written():
    assert FORMATS == export.FORMATS


def test_export_says_what_it_wrote(decided, run, night, tmp_path):
    lake = decided(actions=ACTIONS)
    done = run("export", "--lake", lake.root, "--to", str(tmp_path), "--format", "csv,parquet")
    assert done.output == f"{night} (enforce): 1 actions in {tmp_path}/date={night}\n"
    assert run("export", "--lake", lake.root, "--to", "x", "--format", "xml").exit_code == 2


def test_notify_sends_and_counts(decided, run, server):
    lake = decided(actions=ACTIONS)
    done = run("notify", "--lake", lake.root, "--url", server.url)
    assert done.output == "2 messages delivered to 127.0.0.1 (enforce)\n"
    done = run("notify", "--lake", lake.root, "--url", server.url)
    assert done.output == "0 messages delivered to 127.0.0.1 (enforce), 2 had been before\n"


def test_what_was_given_up_ends_with_an_error_and_goes_out_later(decided, run, server):
    lake = decided(actions=ACTIONS)
    server.script = [404, 404]
    done = run("notify", "--lake", lake.root, "--url", server.url)
    assert done.exit_code == 1
    assert str(done.exception) == (
        "2 of 2 messages were not delivered to 127.0.0.1 (HTTP 404); they are kept: "
        "`stillwatch notify --dead` sends them again"
    )
    done = run("notify", "--lake", lake.root, "--url", server.url, "--dead")
    assert done.output == "2 messages delivered to 127.0.0.1 (enforce)\n"


def test_observe_mode_sends_nothing_unasked(decided, run, server):
    lake = decided(actions=ACTIONS, mode=None)
    done = run("notify", "--lake", lake.root, "--url", server.url)
    assert (done.exit_code, done.output.startswith("observe mode: nothing was sent")) == (0, True)
    done = run("notify", "--lake", lake.root, "--url", server.url, "--observe")
    assert done.output == "2 messages delivered to 127.0.0.1 (observe)\n"
    assert len(server.requests) == 2


def test_slack_without_an_address_is_printed(decided, run):
    lake = decided(actions=ACTIONS)
    done = run("notify", "--lake", lake.root, "--format", "slack")
    assert json.loads(done.output)["blocks"][0]["type"] == "header"
    assert not lake.exists("deliveries")


def test_the_secret_is_no_option(run):
    assert "secret" not in [name for p in cli.commands["notify"].params for name in p.opts]
    assert run("notify", "--lake", "x").exit_code == 2


def test_a_lake_without_a_night_is_one_line(run, tmp_path):
    done = run("export", "--lake", str(tmp_path / "none"), "--to", str(tmp_path / "out"))
    assert "no night has been decided on" in str(done.exception)
    assert not (tmp_path / "out").exists()
