"""What the forms for deciding and for appeals need to know of their subject.

`_decide.html` and `_appeal.html` are included by any page that has a variable `subject`.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from desk.asked import Person, lake_of
from desk.page import APPROVE, may
from jobs import verdicts
from jobs.catalog import desk_tables as desk
from jobs.catalog.policy import EVIDENCE_FAMILIES
from jobs.platform.lake import Lake

#: Members up to which each has a box of its own; of more, a list is pasted.
MOST_BOXES = 200
_pending: dict[str, tuple[int | None, list[dict[str, Any]]]] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Deciding:
    """A campaign or an account, its members and the decisions on it, oldest first."""

    subject: str
    members: list[str]
    decisions: list[dict[str, Any]]
    #: Members whom people cleared: "all" does not mean these.
    cleared: list[str] = field(default_factory=list)
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
    decisions = verdicts.decisions_on(lake, subject, members)
    night = scored[-1] if scored else None
    tomorrow = night + dt.timedelta(days=1) if night else dt.date.max
    cleared = verdicts.cleared_by(lake, members, tomorrow) if members and decisions else []
    return Deciding(subject, members, decisions, cleared, night)


def waiting_for_approval(lake: Lake) -> list[dict[str, Any]]:
    """Decisions that wait for a second person; read again only when there are new decisions."""
    if not lake.exists(desk.DECISIONS.name):
        return []
    version = lake.version(desk.DECISIONS.name)
    with _lock:
        kept = _pending.get(lake.root)
    if kept is not None and kept[0] == version:
        return kept[1]
    rows = verdicts.pending(lake)
    with _lock:
        _pending[lake.root] = (version, rows)
    return rows


def may_answer(person: Person, decision: dict[str, Any]) -> bool:
    """Whether the person may approve or reject the decision: nobody answers their own."""
    return may(person.role, APPROVE) and not verdicts.same_person(
        decision["decided_by"], person.name
    )


def answered_by(decisions: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The approval or rejection of each decision that has one, by decision."""
    return {
        row["answers"]: row for row in decisions if row["verdict"] in (desk.APPROVED, desk.REJECTED)
    }


def in_order(decisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(decisions, key=lambda row: (row["decided_at"], row["decision_id"]))
