"""Names that stay: a group is called what most of its members were called before."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.policy import CampaignPolicy

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

#: Members whose ids make a new name.
_FOUNDERS = 16


@dataclass(frozen=True)
class Membership:
    """What an account belonged to on the last earlier night on which it belonged to anything."""

    campaign_id: str
    joined: dt.date


@dataclass(frozen=True)
class Past:
    """What the nights before called accounts and groups."""

    memberships: dict[str, Membership]
    #: First night of each name.
    born: dict[str, dt.date]
    #: The last night that had campaigns, or on which all of them ended; None if none is remembered.
    last: dt.date | None
    #: Who belonged to what on that night: account_id, campaign_id.
    last_members: pa.Table


@dataclass(frozen=True)
class Name:
    campaign_id: str
    first_seen: dt.date
    #: Day on which each member joined, in the order of the members.
    joined: tuple[dt.date, ...]
    #: Earlier names that enough members bore for the group to be called so, each with how many did,
    #: in the order in which they were considered.
    claims: tuple[tuple[str, int], ...]
    #: Members that no campaign had before.
    newcomers: int

    @property
    def new(self) -> bool:
        return all(earlier != self.campaign_id for earlier, _ in self.claims)


def recall(lake: Lake, date: dt.date, policy: CampaignPolicy) -> Past:
    """What is remembered of the nights before `date`."""
    first = date - dt.timedelta(days=policy.memory_nights)
    before = date - dt.timedelta(days=1)
    members = lake.rows(
        "campaign_members", first, before, ["date", "campaign_id", "account_id", "joined"]
    )
    campaigns = lake.rows("campaigns", first, before, ["campaign_id", "first_seen"])
    events = lake.rows("campaign_events", first, before, ["date"])
    # In order of date, so that of several nights the last one is kept.
    members = members.sort_by("date")
    columns = (members[name].to_pylist() for name in ("account_id", "campaign_id", "joined"))
    earlier = {
        account: Membership(name, joined) for account, name, joined in zip(*columns, strict=True)
    }
    oldest = campaigns.group_by("campaign_id").aggregate([("first_seen", "min")])
    born = dict(
        zip(oldest["campaign_id"].to_pylist(), oldest["first_seen_min"].to_pylist(), strict=True)
    )
    # A night on which every campaign ended has no members: that it was there, its events say.
    last = pc.max(pa.chunked_array([*members["date"].chunks, *events["date"].chunks], pa.date32()))
    there = members.filter(pc.equal(members["date"], last))
    return Past(earlier, born, last.as_py(), there.select(["account_id", "campaign_id"]))


def match_names(
    date: dt.date,
    groups: Sequence[Sequence[str]],
    earlier: dict[str, Membership],
    born: dict[str, dt.date],
    same_share: float,
) -> list[Name]:
    """Give each earlier name to the group with most of its members, largest overlap first.

    A name goes to one group and a group bears one name, so of a merge the larger part's name
    lives on and of a split the larger piece keeps it; ties go to the older, then the smaller name.
    """
    sizes = Counter(membership.campaign_id for membership in earlier.values())
    overlaps: list[tuple[int, dt.date, str, int]] = []
    for index, group in enumerate(groups):
        common = Counter(earlier[a].campaign_id for a in group if a in earlier)
        for name, count in common.items():
            if count >= same_share * min(len(group), sizes[name]):
                overlaps.append((-count, born.get(name, date), name, index))
    named: dict[int, str] = {}
    taken: set[str] = set()
    claims: list[list[tuple[str, int]]] = [[] for _ in groups]
    for count, _, name, index in sorted(
        overlaps, key=lambda o: (o[0], o[1], o[2], min(groups[o[3]]))
    ):
        claims[index].append((name, -count))
        if index not in named and name not in taken:
            named[index] = name
            taken.add(name)
    out = []
    for index, group in enumerate(groups):
        name = named.get(index) or new_name(date, group)
        out.append(Name(
            campaign_id=name,
            first_seen=born.get(name, date) if index in named else date,
            joined=tuple(
                earlier[a].joined if a in earlier and earlier[a].campaign_id == name else date
                for a in group
            ),
            claims=tuple(claims[index]),
            newcomers=sum(a not in earlier for a in group),
        ))  # fmt: skip
    return out


def new_name(date: dt.date, members: Sequence[str]) -> str:
    """A name that follows from founding night and founders: made again, it is the same."""
    text = "\n".join([date.isoformat(), *sorted(members)[:_FOUNDERS], str(len(members))])
    return "c-" + hashlib.sha256(text.encode()).hexdigest()[:12]
