"""Rows of the tables that the step writes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from jobs.campaigns.events import Event
from jobs.campaigns.evidence import KINDS, Evidence
from jobs.campaigns.identity import Name
from jobs.campaigns.links import Links, held
from jobs.campaigns.scoring import Finding
from jobs.catalog.figures import FIGURES
from jobs.catalog.policy import CampaignPolicy

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

#: Links made into rows at a time, as they are written.
_LINKS = 1_000_000


def links_tables(evidence: Evidence, links: Links, policy: CampaignPolicy) -> Iterator[pa.Table]:
    """Rows of `account_links`, in order of account, some at a time."""
    names = (*KINDS, "time")
    alphabetical = sorted(range(len(names)), key=lambda at: names[at])
    ids = pa.array(evidence.accounts, pa.string())
    families: list[str] = sorted({axis.family for axis in policy.axes})
    for at in range(0, max(len(links.first), 1), _LINKS):
        some = slice(at, at + _LINKS)
        holds = held(links.axes[some], len(policy.axes))
        of_family = np.column_stack([
            holds[:, [n for n, axis in enumerate(policy.axes) if axis.family == family]].any(axis=1)
            for family in families
        ])  # fmt: skip
        kinds = held(links.kinds[some], len(names))[:, alphabetical]
        yield pa.table(
            {
                "account_a": ids.take(pa.array(links.first[some])),
                "account_b": ids.take(pa.array(links.second[some])),
                "weight": np.round(links.weight[some], 9),
                "kinds": _lists(kinds, [names[n] for n in alphabetical]),
                "families": _lists(of_family, families),
            }
        )


def _lists(holds: np.ndarray, names: list[str]) -> pa.ListArray:
    """The names of the columns that hold in each row."""
    row, column = np.nonzero(holds)
    offsets = np.r_[0, np.cumsum(np.bincount(row, minlength=holds.shape[0]))]
    return pa.ListArray.from_arrays(
        pa.array(offsets.astype(np.int32)),
        pa.array(names, pa.string()).take(pa.array(column.astype(np.int64))),
    )


def publish(
    lake: Lake, date: dt.date, findings: list[Finding], names: list[Name], events: list[Event]
) -> None:
    """Write campaigns, campaign_members and campaign_events of the night."""
    campaigns: list[dict[str, object]] = []
    members: list[dict[str, object]] = []
    for finding, name in sorted(
        zip(findings, names, strict=True), key=lambda pair: pair[1].campaign_id
    ):
        campaigns.append(
            {
                "campaign_id": name.campaign_id,
                "kind": finding.kind,
                "first_seen": name.first_seen,
                "accounts": len(finding.members),
                "requests": finding.requests,
                "output_tokens": finding.output_tokens,
                "score": finding.score,
                "summary": finding.summary,
                "evidence": finding.families,
                "reasons": finding.reasons,
                "resale_score": finding.resale_score,
                **{
                    figure.name: None if math.isnan(value) else round(value, 9)
                    for figure in FIGURES
                    for value in (finding.figures[figure.name],)
                },
            }
        )
        members += [
            {
                "campaign_id": name.campaign_id,
                "account_id": account,
                "joined": joined,
                "strength": strength,
            }
            for account, joined, strength in zip(
                finding.members, name.joined, finding.strength, strict=True
            )
        ]
    # Members first: a night that ends between the two leaves no campaign without members.
    happened = [dataclasses.asdict(event) for event in events]
    for table, rows in (
        ("campaign_members", members),
        ("campaigns", campaigns),
        ("campaign_events", happened),
    ):
        lake.replace_night(table, date, _table(table, rows))


def _table(name: str, rows: list[dict[str, object]]) -> pa.Table:
    from jobs.catalog.tables import TABLES
    from jobs.platform.lake import ARROW_TYPES

    schema = pa.schema([
        pa.field(column.name, ARROW_TYPES[column.type])
        for column in TABLES[name].columns if column.name != "date"
    ])  # fmt: skip
    return pa.Table.from_pylist(rows, schema=schema)
