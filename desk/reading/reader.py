"""What the desk's pages read of a lake, as plain values; nothing here writes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa

from desk.reading import account as of_account
from desk.reading import campaign as of_campaign
from desk.reading import members as of_members
from desk.reading import morning as of_morning
from desk.reading import search as of_search
from desk.reading.account import Account, Action, Carried, Night
from desk.reading.campaign import (
    Asked,
    Binding,
    Campaign,
    Hours,
    LikeGroups,
    Past,
    Template,
)
from desk.reading.members import Cost, Member
from desk.reading.morning import Morning
from desk.reading.search import Found
from desk.reading.store import Store
from jobs.platform.lake import Lake

_CAMPAIGN = ("campaigns", "campaign_members", "account_daily")
_EVIDENCE = (*_CAMPAIGN, "account_indicators", "account_templates", "accounts")
_IN_FORCE = ("campaign_members", "account_scores", "thresholds", "enforcement_actions", "decisions")
_STANDING = (*_CAMPAIGN, "accounts", *_IN_FORCE)


class LakeReader:
    """Reads one lake; may be used from several threads.

    `night` is the night that a page is about; what lies after it is not looked at.
    """

    def __init__(self, lake: Lake) -> None:
        self.store = Store(lake)

    def scored_nights(self) -> list[dt.date]:
        return self.store.nights("account_scores")

    def morning(self, night: dt.date) -> Morning:
        return self.store.remember(
            ("morning", night), of_morning.READ, lambda: of_morning.morning(self.store, night)
        )

    def cases(self, night: dt.date) -> list[dict[str, Any]]:
        return self.store.remember(
            ("cases", night), ("cases",), lambda: of_morning.cases_of(self.store, night)
        )

    # A campaign

    def campaign(self, night: dt.date, subject: str) -> Campaign | None:
        return self.store.remember(
            ("campaign", night, subject), ("campaigns",),
            lambda: of_campaign.campaign(self.store, night, subject),
        )  # fmt: skip

    def past(self, night: dt.date, subject: str) -> tuple[Past, ...]:
        return self.store.remember(
            ("past", night, subject), ("campaigns",),
            lambda: of_campaign.past(self.store, night, subject),
        )  # fmt: skip

    def like_groups(self, of: Campaign) -> LikeGroups:
        return self.store.remember(
            ("like", of.date, of.campaign_id), ("campaigns",),
            lambda: of_campaign.like_groups(self.store, of),
        )  # fmt: skip

    def asked(self, of: Campaign) -> tuple[Asked, ...]:
        return self.store.remember(
            ("asked", of.date, of.campaign_id), _CAMPAIGN,
            lambda: of_campaign.asked(self.store, of),
        )  # fmt: skip

    def templates(self, of: Campaign) -> tuple[Template, ...]:
        return self.store.remember(
            ("templates", of.date, of.campaign_id), _EVIDENCE,
            lambda: of_campaign.templates(self.store, of),
        )  # fmt: skip

    def binding(self, of: Campaign) -> Binding:
        return self.store.remember(
            ("binding", of.date, of.campaign_id), _EVIDENCE,
            lambda: of_campaign.binding(self.store, of),
        )  # fmt: skip

    def hours(self, of: Campaign) -> Hours:
        return self.store.remember(
            ("hours", of.date, of.campaign_id), _CAMPAIGN,
            lambda: of_campaign.hours(self.store, of),
        )  # fmt: skip

    def member_ids(self, of: Campaign) -> list[str]:
        return self.store.remember(
            ("member ids", of.date, of.campaign_id), ("campaign_members",),
            lambda: of_members.member_ids(self.store, of),
        )  # fmt: skip

    def in_force(self, lake: Lake, of: Campaign) -> pa.Table:
        return self.store.remember(
            ("in force", of.date, of.campaign_id), _IN_FORCE,
            lambda: of_members.in_force(lake, self.member_ids(of)),
        )  # fmt: skip

    def members(self, lake: Lake, of: Campaign, sort: str, page: int) -> tuple[Member, ...]:
        return self.store.remember(
            ("members", of.date, of.campaign_id, sort, page), _STANDING,
            lambda: of_members.members(self.store, of, self.in_force(lake, of), sort, page),
        )  # fmt: skip

    def costs(self, lake: Lake, of: Campaign, watch_from: float) -> tuple[Cost, ...]:
        return self.store.remember(
            ("costs", of.date, of.campaign_id, watch_from), _STANDING,
            lambda: of_members.costs(self.store, of, self.in_force(lake, of), watch_from),
        )  # fmt: skip

    # An account

    def account(self, night: dt.date, subject: str) -> Account | None:
        return self.store.remember(
            ("account", night, subject), ("accounts", "account_scores", "campaigns"),
            lambda: of_account.account(self.store, night, subject),
        )  # fmt: skip

    def account_past(self, night: dt.date, of: Account) -> tuple[Night, ...]:
        return self.store.remember(
            ("account past", night, of.account_id), ("accounts", "account_daily", "account_scores"),
            lambda: of_account.past(self.store, night, of),
        )  # fmt: skip

    def carried(self, night: dt.date, subject: str) -> tuple[tuple[Carried, ...], dt.date]:
        return self.store.remember(
            ("carried", night, subject), ("account_indicators", "accounts"),
            lambda: of_account.carried(self.store, night, subject),
        )  # fmt: skip

    def actions(self, night: dt.date, subject: str) -> tuple[Action, ...]:
        return of_account.actions(self.store, night, subject)

    def thresholds(self, night: dt.date) -> dict[str, float | None]:
        return of_account.thresholds(self.store, night)

    def rows_of(
        self, table: str, date: dt.date, subject: str, page: int
    ) -> tuple[list[str], list[dict[str, Any]]]:
        return of_account.rows_of(self.store, table, date, subject, page)

    # Others

    def search(self, night: dt.date, asked: str, page: int) -> Found:
        return of_search.search(self.store, night, asked, page)
