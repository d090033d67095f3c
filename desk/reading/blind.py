"""A case as a second reviewer may see it: the evidence of its night and nothing of what came of it.

Left out are decisions, labels, actions and limits, ids, and dates: nights are counted back from the
case's own.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from jobs.catalog.desk_tables import CAMPAIGN_SUBJECT
from jobs.explaining.explain import Explained, Reason
from jobs.explaining.sharing import Link, Shared

Row = dict[str, Any]
#: Nights of its past, and tokens, that are shown.
PAST_NIGHTS, MOST_SHARED = 14, 15
#: Tokens that say nothing to people.
_NOT_SHOWN = ("model", "shingle")
#: The family of evidence that is people's word.
_LABEL = "label"


@dataclass(frozen=True)
class Blind:
    """`history` and `members` have `back`, nights before the case's own; oldest first.

    `unavailable`: evidence that the night could not have.
    """

    is_campaign: bool
    about: Row
    scores: Row
    reasons: list[Reason]
    evidence: list[str]
    unavailable: list[str]
    history: list[Row]
    links: list[Link]
    shared: list[Shared]
    members: list[Row]
    figures: dict[str, Row]


def blind(of: Explained) -> Blind:
    """What is shown of a case that was explained as of its night."""
    is_campaign = of.subject_kind == CAMPAIGN_SUBJECT
    began = of.about.get("first_seen") if is_campaign else of.about.get("created_at")
    if isinstance(began, dt.datetime):
        began = began.date()
    keep = (
        ("kind", "accounts", "requests", "output_tokens") if is_campaign
        else ("plan", "signup_country", "verified_organization", "kyc_level", "payment_type")
    )  # fmt: skip
    return Blind(
        is_campaign,
        {name: of.about.get(name) for name in keep}
        | {"days": (of.night - began).days if began else None},
        {name: of.scores.get(name) for name in ("score", "distillation_score", "resale_score")},
        # What somebody said of it, or of those beside it, is no evidence of its own.
        [r for r in of.reasons if all(source.table != "labels" for source in r.sources)],
        [family for family in of.evidence if family != _LABEL],
        of.unavailable,
        [
            {"back": (of.night - row["date"]).days, "accounts": row.get("accounts"),
             "requests": row["requests"], "output_tokens": row["output_tokens"],
             "score": row["score"] if is_campaign else row["distillation_score"],
             "resale_score": row["resale_score"]}
            for row in of.history if (of.night - row["date"]).days < PAST_NIGHTS
        ],
        of.links,
        [token for token in of.shared if token.kind not in _NOT_SHOWN][:MOST_SHARED],
        [
            {"back": (of.night - row["joined"]).days, "strength": row["strength"],
             "score": row["distillation_score"]}
            for row in of.members
        ],
        of.about.get("figures", {}),
    )  # fmt: skip
