"""What the forms for deciding and for appeals need to know of their subject.

`_decide.html` and `_appeal.html` are included by any page that has a variable `subject`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from desk.asked import lake_of
from jobs import verdicts
from jobs.catalog.policy import EVIDENCE_FAMILIES

#: Members up to which each has a box of its own; of more, a list is pasted.
MOST_BOXES = 200


@dataclass(frozen=True)
class Deciding:
    """A campaign or an account, its members and the decisions on it, oldest first."""

    subject: str
    members: list[str]
    decisions: list[dict[str, Any]]
    #: The last scored night: whose members these are.
    night: dt.date | None = None
    families: tuple[str, ...] = EVIDENCE_FAMILIES

    @property
    def is_campaign(self) -> bool:
        return bool(self.members)

    @property
    def boxes(self) -> list[str]:
        return self.members if len(self.members) <= MOST_BOXES else []

    @property
    def seen(self) -> str:
        """The last decision that whoever has the page has seen."""
        return str(self.decisions[-1]["decision_id"]) if self.decisions else ""

    @property
    def open_appeal(self) -> Mapping[str, Any] | None:
        return verdicts.open_appeals(self.decisions).get(self.subject)

    def may_answer(self, person: str) -> bool:
        """Whether they may answer the open appeal: nobody judges their own decision."""
        return verdicts.may_not_answer(self.decisions, self.subject, person) is None


def deciding_on(request: Request, subject: str) -> Deciding:
    lake = lake_of(request)
    scored = lake.nights("account_scores")
    members = verdicts.members_of(lake, subject, scored[-1]) if scored else []
    decisions = verdicts.decisions_on(lake, subject)
    return Deciding(subject, members, decisions, scored[-1] if scored else None)


def in_order(decisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(decisions, key=lambda row: (row["decided_at"], row["decision_id"]))
