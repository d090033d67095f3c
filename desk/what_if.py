"""Which rung of the ladder would hold for an account if its score, or its evidence, were other?

The rules are those of `jobs.decide`, for one account: people look at it when they ask "what if", so
that nothing here acts on anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.catalog.enforcement import PERSON_DECIDES, EnforcementPolicy, Rung


@dataclass(frozen=True)
class Standing:
    """What the policy looks at. `campaign_score` and `kind` are None outside any campaign."""

    score: float
    resale_score: float
    families: frozenset[str]
    campaign_score: float | None
    kind: str | None
    verified: bool


@dataclass(frozen=True)
class Need:
    what: str
    holds: bool


@dataclass(frozen=True)
class RungHeld:
    """A rung, and each of its needs; `by_person`: it is only proposed."""

    action: str
    needs: tuple[Need, ...]
    by_person: bool

    @property
    def holds(self) -> bool:
        return all(need.holds for need in self.needs)


@dataclass(frozen=True)
class Answer:
    """What the policy would do, what it would propose to a person, None for nothing, and why.

    Allow-lists, caps, holding back and what people decided before come after this.
    """

    action: str | None
    proposed: str | None
    rungs: tuple[RungHeld, ...]
    because: str


def what_if(
    policy: EnforcementPolicy, thresholds: Mapping[str, float | None], standing: Standing
) -> Answer:
    """Args:
    thresholds: action -> score from which on it is possible on the night, None for none; the
        policy's floor where an action is missing.
    """
    rungs = tuple(_rung(rung, thresholds, standing) for rung in policy.rungs)
    watched = (
        rungs[0].needs[0].holds or standing.resale_score >= policy.resale.watch_score
    )  # fmt: skip
    if standing.kind == "benign_group":
        said = "its campaign is taken for an honest group: it is watched at most"
        return Answer("watch" if watched else None, None, rungs, said)
    if standing.kind == "resale" or standing.resale_score > standing.score:
        either = max(standing.score, standing.resale_score)
        looked_at = (
            either >= policy.resale.review_score
            and not standing.verified
            and len(standing.families) >= policy.families_needed
        )
        said = "it is taken for resale: a person looks, nothing is done by itself"
        return Answer("review" if looked_at else "watch" if watched else None, None, rungs, said)
    due = next((rung for rung in reversed(rungs) if rung.holds), None)
    if due is None:
        said = "no rung's needs all hold"
        return Answer("watch" if watched else None, None, rungs, said)
    if due.by_person:
        said = f"all that {due.action} needs is there; a person decides, until then it is reviewed"
        return Answer("review", due.action, rungs, said)
    return Answer(due.action, None, rungs, f"all that {due.action} needs is there")


def _rung(rung: Rung, thresholds: Mapping[str, float | None], standing: Standing) -> RungHeld:
    at = thresholds.get(rung.action, rung.floor)
    needs = [
        Need("no score is high enough on this night", False)
        if at is None
        else Need(f"score of at least {at:.3f}", standing.score >= at)
    ]
    if rung.families:
        needs.append(Need(f"{rung.families} families of evidence",
                          len(standing.families) >= rung.families))  # fmt: skip
    if rung.campaign_score > 0:
        needs.append(Need(f"campaign score of at least {rung.campaign_score:.2f}",
                          (standing.campaign_score or 0.0) >= rung.campaign_score))  # fmt: skip
    if rung.kinds:
        needs.append(Need(f"campaign taken for {' or '.join(rung.kinds)}",
                          standing.kind in rung.kinds))  # fmt: skip
    if not rung.verified:
        needs.append(Need("no verified organization", not standing.verified))
    return RungHeld(rung.action, tuple(needs), rung.decided_by == PERSON_DECIDES)
