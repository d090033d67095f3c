"""What can happen to a campaign between two nights, in the order in which people want to know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CampaignEvent:
    """`accounts` says which are counted; `sentence` is filled with campaign, other and accounts."""

    name: str
    about: str
    accounts: str
    sentence: str
    #: The campaign's name is no longer borne.
    ends: bool = False
    #: The event is between two campaigns.
    other: bool = False


EVENTS: tuple[CampaignEvent, ...] = (
    CampaignEvent(
        "merged",
        "its name ended, and enough of its members belong to the other campaign",
        "its members that are in the other",
        "{campaign} merged into {other}, with {accounts} of its accounts",
        ends=True,
        other=True,
    ),
    CampaignEvent(
        "split",
        "a new name, for accounts that left the other campaign",
        "members that came from the other",
        "{campaign} split off from {other}, with {accounts} of its accounts",
        other=True,
    ),
    CampaignEvent(
        "replaced",
        "members were suspended or closed, and accounts joined that had been in no campaign",
        "stopped ones that a new one stands for",
        "{campaign} replaced {accounts} of its accounts",
    ),
    CampaignEvent(
        "gone",
        "no group bears its name any more, and it did not merge",
        "members that it had",
        "{campaign} is gone; it had {accounts} accounts",
        ends=True,
    ),
    CampaignEvent(
        "returned",
        "its name was absent and is borne again",
        "members",
        "{campaign} returned with {accounts} accounts",
    ),
    CampaignEvent(
        "founded",
        "a new name that split off from no other",
        "members",
        "{campaign} was founded with {accounts} accounts",
    ),
)
