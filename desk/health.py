"""How the last night went: what every page says at its top."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass

from jobs import verdicts
from jobs.catalog.steps import STEP_NAMES
from jobs.platform.lake import Lake

#: Nights back in which a whole one is looked for.
_LOOKED_BACK = 30


@dataclass(frozen=True)
class Health:
    """`last` is the last night that ran, `whole` the last of which every step is done."""

    last: dt.date | None
    whole: dt.date | None
    failed_step: str | None = None
    message: str | None = None

    @property
    def failed(self) -> bool:
        return self.failed_step is not None

    @property
    def unfinished(self) -> bool:
        return not self.failed and self.last != self.whole


_kept: dict[str, tuple[int | None, Health]] = {}
_lock = threading.Lock()


def last_night(lake: Lake) -> Health:
    """Health of the last night; read again only when the run log has changed."""
    if not lake.exists("run_log"):
        return Health(None, None)
    version = lake.version("run_log")
    with _lock:
        kept = _kept.get(lake.root)
    if kept is not None and kept[0] == version:
        return kept[1]
    health = _read(lake)
    with _lock:
        _kept[lake.root] = (version, health)
    return health


def _read(lake: Lake) -> Health:
    nights = lake.nights("run_log")[-_LOOKED_BACK:]
    if not nights:
        return Health(None, None)
    last = _steps(lake, nights[-1])
    broken = [row for row in last.values() if row["outcome"] == "failed"]
    whole = next((n for n in reversed(nights) if _is_whole(_steps(lake, n))), None)
    if not broken:
        return Health(nights[-1], whole)
    latest = max(broken, key=lambda row: str(row["started_at"]))
    return Health(nights[-1], whole, str(latest["step"]), str(latest["message"] or ""))


def _steps(lake: Lake, night: dt.date) -> dict[str, dict[str, object]]:
    """The latest run of each step of a night."""
    rows = lake.rows("run_log", night, night, ["step", "outcome", "message", "started_at"])
    return {row["step"]: row for row in rows.sort_by("started_at").to_pylist()}


def _is_whole(steps: dict[str, dict[str, object]]) -> bool:
    return STEP_NAMES[-1] in steps and all(row["outcome"] != "failed" for row in steps.values())


def mode(lake: Lake) -> str:
    """Whether actions are carried out or only observed."""
    return "enforce" if verdicts.enforcing(lake) else "observe"
