"""A night in files that other systems read, with a manifest that is there when all else is.

In observe mode the files that name actions are called `observed_…`: what waits for
`actions.parquet` finds none, so nothing is enforced by surprise.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from jobs.catalog.tables import TABLES
from jobs.catalog.types import Table
from jobs.outputs import ocsf
from jobs.outputs.formats import TABLE_FORMATS, Written
from jobs.outputs.nights import ACTIONS, CAMPAIGNS, Night, load_night
from jobs.platform.errors import StillwatchError
from jobs.platform.lake import Lake
from jobs.platform.storage import Place, said

MANIFEST = "manifest.json"
#: Version of the manifest's own form.
_FORM = 1
OCSF = "ocsf"
FORMATS = (*TABLE_FORMATS, OCSF)
DEFAULT_FORMATS = ("parquet", "csv", "jsonl", "delta")
#: What may leave: accounts are pseudonyms, tokens and what is in clear stay.
_LEAVES = ("none", "pseudonym")


class ExportError(StillwatchError):
    """The export can't be written."""


@dataclass(frozen=True)
class Exported:
    folder: str
    night: dt.date
    mode: str
    files: tuple[Written, ...]


def run(lake: Lake, to: Place, date: dt.date | None, formats: Sequence[str]) -> Exported:
    """Write a night to `to`/date=D, replacing what was exported of it.

    Run twice, the bytes are the same. On a disk the folder appears as a whole; in a store its
    manifest comes last. Whoever waits for the manifest never sees half.

    Raises:
        ExportError: the folder can't be written.
        LakeError: the night was not decided.
    """
    night = load_night(lake, date)
    folder = to / f"date={night.date}"
    try:
        if to.in_store:
            folder.remove_folder()
            if (folder / MANIFEST).is_file():
                raise ExportError(f"the export {folder} can't be replaced: remove it")
            files = _write(lake, night, folder, formats)
        else:
            draft = to / f".date={night.date}.{os.getpid()}"
            _clear(to, night.date)
            try:
                files = _write(lake, night, draft, formats)
                folder.replace_folder(draft)
            finally:
                draft.remove_folder()
    except OSError as error:
        raise ExportError(f"the export {folder} can't be written: {said(error)}") from error
    return Exported(str(folder), night.date, night.mode, tuple(files))


def _clear(to: Place, night: dt.date) -> None:
    """Remove drafts that killed exports of the night left."""
    for entry in to.entries():
        owner = entry.place.name.removeprefix(f".date={night}.").removesuffix(".gone")
        if owner.isdigit() and (int(owner) == os.getpid() or not _runs(int(owner))):
            entry.place.remove_folder()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _write(lake: Lake, night: Night, folder: Place, formats: Sequence[str]) -> list[Written]:
    folder.make()
    named = (
        (_actions_name(night, "actions"), TABLES[ACTIONS], night.actions),
        ("campaigns", TABLES[CAMPAIGNS], night.campaigns),
    )
    files: list[Written] = []
    tables: dict[str, Any] = {}
    for name, table, rows in named:
        shown = may_leave(table)
        for form in formats:
            if form in TABLE_FORMATS:
                files += TABLE_FORMATS[form](folder, name, shown, rows.select(shown.column_names))
        tables[name] = _described(shown)
    if OCSF in formats:
        name = _actions_name(night, "findings")
        files.append(ocsf.write(folder, name, lake, night))
        tables[name] = {"about": ocsf.ABOUT, "key": ["metadata.uid"], "columns": []}
    manifest = {
        "form": _FORM,
        "product": "stillwatch",
        "product_version": version("stillwatch"),
        "night": night.date.isoformat(),
        "mode": night.mode,
        "enforce": night.enforcing,
        "policy_versions": night.policy_versions,
        "model_versions": night.model_versions,
        "tables": {name: tables[name] for name in tables if any(f.table == name for f in files)},
        "files": [asdict(file) for file in files],
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return files


def _actions_name(night: Night, name: str) -> str:
    return name if night.enforcing else f"observed_{name}"


def may_leave(table: Table) -> Table:
    columns = tuple(column for column in table.columns if column.personal in _LEAVES)
    return Table(table.name, table.about, table.owner, columns, table.key, table.retention_days)


def _described(table: Table) -> dict[str, Any]:
    return {
        "about": table.about,
        "key": table.key,
        "columns": [
            {
                "name": column.name, "type": column.type, "unit": column.unit,
                "about": column.about, "nullable": column.nullable,
                "values": column.values, "personal": column.personal,
            }
            for column in table.columns
        ],
    }  # fmt: skip
