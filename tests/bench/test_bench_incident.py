"""The replay of the reported case, small: it stops and goes on, and says what was caught."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from tests.bench import incident
from tests.bench.report import BEGIN, END

SCALE, DAYS = 0.002, 2


def test_a_replay_stops_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLWATCH_TOKEN_KEY", "1a" * 32)
    nights = incident.run_night
    ran = []

    def counted(folder: Path, seconds: float, day: int) -> incident.Night:
        ran.append(day)
        return nights(folder, seconds, day)

    monkeypatch.setattr(incident, "run_night", counted)
    page = tmp_path / "page.md"
    page.write_text(f"Before.\n\n{BEGIN}\nan earlier run\n{END}\n")
    options = [str(word) for word in ("--out", tmp_path, "--scale", SCALE, "--days", DAYS,
                                      "--page", page)]  # fmt: skip
    incident.incident([*options, "--minutes", "0"], standalone_mode=False)
    assert ran == [0] and "1 of 2 nights." in page.read_text()
    # The second night was broken off: its day has landed, and half of a file of it is left.
    landed = tmp_path / "landing" / "requests" / "date=2026-05-02"
    landed.mkdir(parents=True)
    (landed / "half.parquet").write_bytes(b"PAR1")
    incident.run(tmp_path, SCALE, DAYS)
    incident.run(tmp_path, SCALE, DAYS)
    assert ran == [0, 1]  # and then all is done
    done = json.loads((tmp_path / "nights.json").read_text())["nights"]
    read = Lake(Settings(lake=str(tmp_path / "lake"))).rows("landing_files")["file"]
    assert not any("half" in file for file in read.to_pylist())
    assert all(night["steps"]["campaigns"] > 0 and night["peak_bytes"] > 1e8 for night in done)
    assert done[1]["tables"]["account_daily"] > done[0]["tables"]["account_daily"]
    # What was read is gone, and what was sent is known.
    assert not list((tmp_path / "landing" / "requests").iterdir())
    expected = (incident.HONEST_REQUESTS / 45 + incident.DISTILLERS * incident.A_DAY) * SCALE
    assert done[1]["requests"] == pytest.approx(expected, rel=0.25)
    incident.incident(options, standalone_mode=False)
    said = page.read_text()
    assert said.startswith("Before.") and "an earlier run" not in said
    assert "Not run to its end" not in said
    assert "D00-hydra_proxies" in said
    assert f"{sum(night['requests'] for night in done):,} requests" in said
    assert (tmp_path / "page" / "nights.png").stat().st_size > 10_000
    assert json.loads((tmp_path / "page" / "nights.json").read_text()) == done
    with pytest.raises(click.ClickException, match=r"at scale 0\.002"):
        incident.run(tmp_path, 0.1, DAYS)
