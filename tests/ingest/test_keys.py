"""The key that makes tokens: where it comes from, who may read it, and whose lake it is."""

from __future__ import annotations

import json
import logging
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from landing_days import KEY_HEX, LandingDays, ingest, request

from jobs.platform.errors import SettingsError
from jobs.platform.keys import TokenKey, load_key, require_key_of_lake, rotate_key
from jobs.platform.storage import Place

OTHER_HEX = "a5" * 32


@pytest.fixture
def config(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "stillwatch"


def test_the_first_run_makes_a_key_for_its_user_alone_and_says_so(config, caplog):
    with caplog.at_level(logging.WARNING):
        made = load_key()
    file = config / "token.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.stat().st_mode) == 0o700
    assert bytes.fromhex(file.read_text()) == made.secret
    assert len(made.secret) == 32
    assert [str(file) in record.getMessage() for record in caplog.records] == [True]
    assert made.secret.hex() not in caplog.text
    assert list(config.iterdir()) == [file]


def test_later_runs_take_the_same_key_and_say_nothing(config, caplog):
    first = load_key()
    caplog.clear()
    assert load_key() == first
    assert caplog.records == []


def test_two_first_runs_at_once_agree_on_one_key(config):
    script = "from jobs.platform.keys import load_key; print(load_key().id)"
    runs = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL) for _ in range(6)]  # fmt: skip
    assert len({run.communicate()[0] for run in runs}) == 1


def test_the_environment_comes_before_a_file_and_a_file_before_the_users(
    config, tmp_path, monkeypatch
):
    named = tmp_path / "named.key"
    named.write_text(OTHER_HEX + "\n")
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY_FILE", str(named))
    assert load_key().secret.hex() == OTHER_HEX
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY", KEY_HEX)
    assert load_key().secret.hex() == KEY_HEX
    assert not config.exists()


@pytest.mark.parametrize("text", ["", "secret", "ab" * 31, "zz" * 32, "\xff\xfe"])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path, monkeypatch, text):
    named = tmp_path / "named.key"
    named.write_bytes(text.encode("latin-1"))
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY_FILE", str(named))
    with pytest.raises(SettingsError) as refused:
        load_key()
    assert str(named) in str(refused.value)
    assert not text or text not in str(refused.value).replace(str(named), "")


def test_a_key_file_that_is_not_there_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY_FILE", str(tmp_path / "none.key"))
    with pytest.raises(SettingsError, match="which is not there"):
        load_key()
    assert not (tmp_path / "none.key").exists()


def test_no_key_can_be_made_where_there_is_no_folder_for_one(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with pytest.raises(SettingsError, match="none can be made"):
        load_key()


def test_a_lake_takes_its_first_key_and_refuses_another_until_rotated(tmp_path):
    mine, other = (TokenKey(bytes.fromhex(text)) for text in (KEY_HEX, OTHER_HEX))
    require_key_of_lake(Place(str(tmp_path)), mine)
    require_key_of_lake(Place(str(tmp_path)), mine)
    with pytest.raises(SettingsError, match="rotate-key"):
        require_key_of_lake(Place(str(tmp_path)), other)
    assert rotate_key(Place(str(tmp_path)), other) == mine.id
    require_key_of_lake(Place(str(tmp_path)), other)
    with pytest.raises(SettingsError, match=f"made with key {other.id}"):
        require_key_of_lake(Place(str(tmp_path)), mine)
    assert rotate_key(Place(str(tmp_path)), other) is None
    kept = json.loads((tmp_path / "_stillwatch" / "keys.json").read_text())
    assert kept == {"key_ids": [mine.id, other.id]}
    assert KEY_HEX not in (tmp_path / "_stillwatch" / "keys.json").read_text()


def test_a_damaged_memory_of_keys_is_one_line(tmp_path):
    folder = tmp_path / "_stillwatch"
    folder.mkdir()
    for text in ("", "[]", "{", '{"key_ids": 3}'):
        (folder / "keys.json").write_text(text)
        with pytest.raises(SettingsError, match="is damaged"):
            require_key_of_lake(Place(str(tmp_path)), TokenKey(bytes.fromhex(KEY_HEX)))


def test_another_key_writes_nothing_and_a_rotated_one_writes_its_own_tokens(session, tmp_path):
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/a.jsonl", [request(1)])
    first = ingest(session, landing.root, tmp_path / "lake").requests()["r1"]
    with pytest.raises(SettingsError):
        ingest(session, landing.root, tmp_path / "lake", key=OTHER_HEX)
    rotate_key(Place(str(tmp_path / "lake")), TokenKey(bytes.fromhex(OTHER_HEX)))
    again = ingest(session, landing.root, tmp_path / "lake", key=OTHER_HEX).requests()["r1"]
    assert again["key_id"] != first["key_id"]
    for name in ("address_token", "network_token", "user_agent_token", "tls_token", "prompt_key",
                 "template_key", "prompt_signature"):  # fmt: skip
        assert again[name] != first[name]
