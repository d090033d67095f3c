"""The lake's tables as Airflow assets, declared from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable

from airflow.sdk import Asset

from jobs.catalog.tables import TABLES


def asset(name: str) -> Asset:
    """The asset of a table. Its address names no folder: which lake it is, a deployment says."""
    table = TABLES[name]
    return Asset(
        name=f"stillwatch.{name}",
        uri=f"stillwatch://lake/{name}",
        group="stillwatch",
        extra={"owner": table.owner, "retention_days": table.retention_days},
    )


def assets(names: Iterable[str]) -> list[Asset]:
    return [asset(name) for name in names]
