"""Where things are and what may be kept: from options, then the environment, then a default."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from jobs.catalog.enforcement import SHIPPED, EnforcementPolicy, PolicyFault, read_policy
from jobs.platform.errors import SettingsError
from jobs.platform.storage import Place, place_of

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
    #: An MLflow tracking server, or a folder of this machine that holds the registry's database
    #: and artifacts; without one, the lake's own folder does.
    mlflow_tracking_uri: str | None = None
    #: File of the enforcement policy; without one, what the project ships.
    policy: str | None = None
    #: Where customers contest an action, and the clause of the terms that actions rest on: both
    #: stand in every statement of reasons.
    appeals_contact: str | None = None
    appeals_ground: str | None = None
    #: File of a policy that decides beside the one in force, for comparison alone.
    shadow_policy: str | None = None
    #: A registered version that scores beside the champion, or `challenger` for the newest that
    #: was tried and does not serve.
    shadow_model: str | None = None

    @property
    def enforcement_policy(self) -> EnforcementPolicy:
        """The enforcement policy in force.

        Raises:
            SettingsError: the file can't be read or is no policy: which line, and why.
        """
        try:
            return read_policy(Path(self.policy) if self.policy else SHIPPED)
        except PolicyFault as fault:
            raise SettingsError(str(fault)) from None

    @property
    def landing_root(self) -> Place:
        if self.landing is None:
            raise SettingsError("no landing folder: give --landing DIR or set STILLWATCH_LANDING")
        return Place(self.landing)

    @property
    def lake_root(self) -> Place:
        return Place(self.lake)

    @property
    def registry(self) -> tuple[Path, str | None]:
        """The folder of the model registry and None, or a tracking server's address beside it.

        Raises:
            SettingsError: neither is given, and the lake is where no database can lie.
        """
        own = self.mlflow_tracking_uri
        if own is not None:
            return (Path(own), None) if Path(own).is_absolute() else (Path("_mlflow"), own)
        if self.lake_root.in_store:
            raise SettingsError(
                f"the lake {self.lake} is an object store, which can't hold the model registry's "
                "database: set STILLWATCH_MLFLOW_TRACKING_URI to an MLflow server or to a folder "
                "(an absolute path) that stays"
            )
        return Path(self.lake) / "_mlflow", None


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
        lake=place_of("lake", where),
        landing=place_of("landing folder", path)
        if (path := variable("LANDING", landing))
        else None,
        engine=engine,
        keep_text=keep in ("yes", "true", "1"),
        mlflow_tracking_uri=variable("MLFLOW_TRACKING_URI"),
        policy=variable("POLICY"),
        appeals_contact=variable("APPEALS_CONTACT"),
        appeals_ground=variable("APPEALS_GROUND"),
        shadow_policy=variable("SHADOW_POLICY"),
        shadow_model=variable("SHADOW_MODEL"),
    )
    master = variable("SPARK_MASTER")
    return settings if master is None else Settings(**{**vars(settings), "spark_master": master})
