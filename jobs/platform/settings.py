"""Where things are and what may be kept: from options, then the environment, then a default."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from jobs.platform.errors import SettingsError

ENGINES = ("sail", "spark")


@dataclass(frozen=True)
class Settings:
    """What a run needs to know. Each field's variable is `STILLWATCH_` and its name."""

    lake: str
    landing: str | None = None
    engine: str = "sail"
    spark_master: str = field(default_factory=lambda: f"local[{os.cpu_count() or 1}]")
    #: Keeps the text of prompts and answers in `request_text` for that table's retention.
    keep_text: bool = False
    #: Any MLflow tracking server; without one, a database and a folder inside the lake.
    mlflow_tracking_uri: str | None = None

    @property
    def landing_root(self) -> Path:
        if self.landing is None:
            raise SettingsError("no landing folder: give --landing DIR or set STILLWATCH_LANDING")
        return Path(self.landing)

    @property
    def lake_root(self) -> Path:
        return Path(self.lake)


def _folder(what: str, given: str) -> str:
    """An absolute path; an address would otherwise become a folder of that name right here."""
    if "://" in given:
        raise SettingsError(
            f"the {what} {given!r} is an address: give a folder of this machine, or mount the "
            "store and give where it is mounted"
        )
    return str(Path(given).absolute())


def load_settings(lake: str | None = None, landing: str | None = None) -> Settings:
    """Settings from the environment; arguments that are not None come first.

    Raises:
        SettingsError: no lake, or a value that is not one of those allowed.
    """

    def variable(name: str, given: str | None = None) -> str | None:
        return given or os.environ.get(f"STILLWATCH_{name}") or None

    where = variable("LAKE", lake)
    if where is None:
        raise SettingsError("no lake: give --lake DIR or set STILLWATCH_LAKE")
    engine = variable("ENGINE") or "sail"
    if engine not in ENGINES:
        raise SettingsError(f"STILLWATCH_ENGINE is {engine!r}; it takes {' or '.join(ENGINES)}")
    keep = (variable("KEEP_TEXT") or "no").lower()
    if keep not in ("yes", "no", "true", "false", "1", "0"):
        raise SettingsError(f"STILLWATCH_KEEP_TEXT is {keep!r}; it takes yes or no")
    settings = Settings(
        lake=_folder("lake", where),
        landing=_folder("landing folder", path) if (path := variable("LANDING", landing)) else None,
        engine=engine,
        keep_text=keep in ("yes", "true", "1"),
        mlflow_tracking_uri=variable("MLFLOW_TRACKING_URI"),
    )
    master = variable("SPARK_MASTER")
    return settings if master is None else Settings(**{**vars(settings), "spark_master": master})
