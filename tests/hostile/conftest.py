"""The command in this process, on the session that all tests share."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from landing_days import KEY_HEX, Ingested, LandingDays, account

PROGRESS = re.compile(r"\d{4}-\d\d-\d\d (\w+( [\d,]+ requests)? [\d.]+s( · |  = [\d.]+s))+")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and what it said on standard error besides progress."""

    code: int
    said: list[str]
    lake: Path

    @property
    def ingested(self) -> Ingested:
        return Ingested(self.lake)

    def is_refused_with(self, *words: str) -> None:
        """Not 0, and one line that names what is wrong."""
        assert self.code not in (0, None)
        assert len(self.said) == 1, self.said
        assert self.said[0].startswith("stillwatch: ")
        assert "Traceback" not in self.said[0]
        assert [word for word in words if word not in self.said[0]] == [], self.said[0]

    def is_done(self) -> None:
        assert (self.code, self.said) == (0, [])


def besides_progress(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line and not PROGRESS.fullmatch(line)]


@pytest.fixture
def days(tmp_path) -> LandingDays:
    """A landing zone with one account, to which a test adds what it is about."""
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("accounts/a.jsonl", [account(1)])
    return landing


@pytest.fixture
def stillwatch(session, tmp_path, monkeypatch, capsys) -> Callable[..., Ended]:
    """`stillwatch("run", "ingest", …)`: the lake, the landing zone and a key are set already."""
    from jobs import cli

    @contextmanager
    def shared(_: object) -> Iterator[object]:
        yield session

    monkeypatch.setattr("jobs.night.engine_session", shared)
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY", KEY_HEX)
    monkeypatch.setenv("STILLWATCH_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("STILLWATCH_LAKE", str(tmp_path / "lake"))

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["stillwatch", *arguments])
        capsys.readouterr()
        code: object = 0
        try:
            cli.main()
        except SystemExit as exit:
            code = exit.code
        assert isinstance(code, int)
        return Ended(code, besides_progress(capsys.readouterr().err), tmp_path / "lake")

    return run


@pytest.fixture
def ingest_night(stillwatch) -> Callable[[], Ended]:
    return lambda: stillwatch("run", "ingest", "--date", "2026-05-03")
