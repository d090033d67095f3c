"""What happened to campaigns between two nights, told from their names and members alone.

Of each campaign, the two nights' names and the matching that gave them say: where a name ended or
began, the group that it shares enough members with (the share for which it could have named the
group) tells a merge from an end, and a split from a founding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from jobs.campaigns.identity import Name, Past
from jobs.catalog.policy import CampaignPolicy

if TYPE_CHECKING:
    from jobs.campaigns.evidence import Evidence
    from jobs.platform.lake import Lake


@dataclass(frozen=True)
class Event:
    """A row of `campaign_events`."""

    campaign_id: str
    event: str
    other_campaign_id: str | None
    accounts: int


def what_happened(
    names: Sequence[Name],
    last: Mapping[str, int],
    stopped: Mapping[str, int],
    policy: CampaignPolicy,
) -> list[Event]:
    """Events of a night, in order of campaign and event.

    `last` has the members of each campaign of the last earlier night that had any, `stopped` those
    of them that were suspended or closed since.
    """
    events: list[Event] = []
    borne = {name.campaign_id for name in names}
    #: Ended name: members that each group has of it.
    heirs: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        campaign, accounts = name.campaign_id, len(name.joined)
        for earlier, count in name.claims:
            heirs.setdefault(earlier, []).append((-count, campaign))
        if name.new and name.claims:
            parent, count = name.claims[0]
            events.append(Event(campaign, "split", parent, count))
        elif name.new:
            events.append(Event(campaign, "founded", None, accounts))
        elif campaign not in last:
            events.append(Event(campaign, "returned", None, accounts))
        # Some come while some go among any customers; here as many as make a group.
        replaced = min(name.newcomers, stopped.get(campaign, 0))
        if replaced >= policy.group_accounts:
            events.append(Event(campaign, "replaced", None, replaced))
    for campaign in last.keys() - borne:
        if campaign in heirs:
            count, heir = min(heirs[campaign])
            events.append(Event(campaign, "merged", heir, -count))
        else:
            events.append(Event(campaign, "gone", None, last[campaign]))
    return sorted(events, key=lambda event: (event.campaign_id, event.event))


def members_of(past: Past) -> dict[str, int]:
    """Members of each campaign of the last night that is remembered."""
    return _counted(past.last_members)


def newly_stopped(lake: Lake, past: Past, evidence: Evidence) -> dict[str, int]:
    """Members of each such campaign that were active on that night and have stopped since."""
    stopped = pa.array(evidence.accounts, pa.string()).filter(pa.array(evidence.stopped))
    members = past.last_members
    members = members.filter(pc.is_in(members["account_id"], stopped))
    if past.last is None or not members.num_rows:
        return {}
    before = lake.rows("accounts", past.last, past.last, ["account_id", "status"])
    active = before.filter(pc.equal(before["status"], "active"))["account_id"]
    return _counted(members.filter(pc.is_in(members["account_id"], active)))


def _counted(members: pa.Table) -> dict[str, int]:
    counts = members.group_by("campaign_id").aggregate([([], "count_all")])
    return dict(
        zip(counts["campaign_id"].to_pylist(), counts["count_all"].to_pylist(), strict=True)
    )
