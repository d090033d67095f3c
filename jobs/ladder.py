"""Which rung of the policy's ladder holds for an account or a campaign, and what the others lack.

Says in words what `decide` works out for all accounts at once; it decides nothing itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jobs.catalog.enforcement import LADDER, PERSON_DECIDES, EnforcementPolicy, Rung

Row = dict[str, Any]


@dataclass(frozen=True)
class RungState:
    """A rung: what holds of what it needs, and what it lacks; `person` where even then a person
    has to decide. `accounts` and `proposed` count a campaign's members on it."""

    action: str
    holds: list[str]
    lacks: list[str]
    person: bool
    in_force: bool = False
    accounts: int | None = None
    proposed: int | None = None


def rungs_of_account(
    policy: EnforcementPolicy,
    thresholds: Mapping[str, float | None],
    score: Row,
    group: Row,
    about: Row,
    evidence: Sequence[str],
    labels: Sequence[Row],
    night: dt.date,
    in_force: str | None,
) -> list[RungState]:
    """The rungs for one account, mildest first.

    Args:
        thresholds: the night's rows of `thresholds`: action -> score, None where none is enough.
        score, group, about: its rows of account_scores, campaigns and accounts, empty for none.
        labels: what people said of it.
        in_force: the night's action, None for none.
    """
    against = _against(policy, score, group, about, labels, night)
    return [
        replace(
            _rung(rung, thresholds, score, group, about, evidence, against),
            in_force=rung.action == in_force,
        )
        for rung in policy.rungs
    ]


def _rung(
    rung: Rung,
    thresholds: Mapping[str, float | None],
    score: Row,
    group: Row,
    about: Row,
    evidence: Sequence[str],
    against: Sequence[str],
) -> RungState:
    needs: list[tuple[bool, str]] = []
    at = thresholds.get(rung.action, rung.floor)
    value = score["distillation_score"]
    if at is None:
        needs.append((False, f"score {value:.3f}: no score is high enough on this night"))
    else:
        needs.append((value >= at, f"score {value:.3f}, needed {at:.3f}"))
    if rung.families:
        needs.append((len(evidence) >= rung.families,
                      f"{len(evidence)} families of evidence, needed {rung.families}"))  # fmt: skip
    if rung.campaign_score:
        has = group.get("score") or 0.0
        needs.append((has >= rung.campaign_score,
                      f"campaign score {has:.3f}, needed {rung.campaign_score:.3f}"))  # fmt: skip
    if rung.kinds:
        kind = group.get("kind") or "no campaign"
        needs.append((kind in rung.kinds, f"{kind}, needed {' or '.join(rung.kinds)}"))
    if not rung.verified:
        verified = bool(about.get("verified_organization"))
        needs.append((not verified, "a verified organization" if verified else "not verified"))
    above_watch = LADDER.index(rung.action) > 0
    needs += [(False, why) for why in against if above_watch]
    return RungState(
        rung.action,
        [said for holds, said in needs if holds],
        [said for holds, said in needs if not holds],
        rung.decided_by == PERSON_DECIDES,
    )


def _against(
    policy: EnforcementPolicy,
    score: Row,
    group: Row,
    about: Row,
    labels: Sequence[Row],
    night: dt.date,
) -> list[str]:
    """What keeps it from anything above `watch`, whatever the score."""
    said = []
    names = (about.get("account_id"), about.get("organization_id"))
    for listed in policy.allow_list:
        if listed.subject in names and listed.expires >= night:
            said.append(f"allow-listed until {listed.expires}")
    if group.get("kind") == "benign_group":
        said.append("its campaign is an honest group")
    if about.get("status") in ("suspended", "closed"):
        said.append(f"the account is {about['status']}")
    if labels and max(labels, key=lambda row: row["labelled_at"])["label"] == "benign":
        said.append("people last said benign")
    if group.get("kind") == "resale" or score["resale_score"] > score["distillation_score"]:
        said.append(f"it resells: review from a resale score of {policy.resale.review_score:g}, "
                    "nothing harder")  # fmt: skip
    return said


def rungs_of_campaign(
    policy: EnforcementPolicy, group: Row, actions: Sequence[Row]
) -> list[RungState]:
    """The rungs for a campaign: what it brings itself, and how many members are on each."""
    states = []
    for rung in policy.rungs:
        needs: list[tuple[bool, str]] = []
        if rung.families:
            n = len(group["evidence"])
            needs.append((n >= rung.families,
                          f"{n} families bind it, needed {rung.families}"))  # fmt: skip
        if rung.campaign_score:
            has = group["score"]
            needs.append((has >= rung.campaign_score,
                          f"score {has:.3f}, needed {rung.campaign_score:.3f}"))  # fmt: skip
        if rung.kinds:
            needs.append((group["kind"] in rung.kinds,
                          f"{group['kind']}, needed {' or '.join(rung.kinds)}"))  # fmt: skip
        on = sum(row["action"] == rung.action for row in actions)
        states.append(
            RungState(
                rung.action,
                [said for holds, said in needs if holds],
                [said for holds, said in needs if not holds],
                rung.decided_by == PERSON_DECIDES,
                in_force=on > 0,
                accounts=on,
                proposed=sum(row.get("proposed") == rung.action for row in actions),
            )
        )
    return states
