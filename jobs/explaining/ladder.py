"""Which rung of the policy's ladder holds for one account, or would if its score or its evidence
were other, and what the other rungs lack.

The rules are those of `jobs.decide`, which works them out for all accounts at once; people look at
them here, and nothing here acts on anybody.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jobs.catalog.enforcement import LADDER, PERSON_DECIDES, EnforcementPolicy, Rung

Row = Mapping[str, Any]


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
    """What a rung needs: how it is, what is wanted, and whether that is enough."""

    what: str
    holds: bool


@dataclass(frozen=True)
class RungState:
    """A rung and its needs; `by_person`: even then it is only proposed. `accounts` and `proposed`
    count a campaign's members on it."""

    action: str
    needs: tuple[Need, ...]
    by_person: bool
    in_force: bool = False
    accounts: int | None = None
    proposed: int | None = None

    @property
    def holds(self) -> bool:
        return all(need.holds for need in self.needs)

    @property
    def lacking(self) -> list[str]:
        """What it lacks, in words."""
        return [need.what for need in self.needs if not need.holds]

    @property
    def there(self) -> list[str]:
        """What is there of what it needs, in words."""
        return [need.what for need in self.needs if need.holds]


@dataclass(frozen=True)
class Answer:
    """What the policy would do, what it would propose to a person, None for nothing, and why.

    Allow-lists, caps, holding back and what people decided before come after this.
    """

    action: str | None
    proposed: str | None
    rungs: tuple[RungState, ...]
    because: str


def what_if(
    policy: EnforcementPolicy, thresholds: Mapping[str, float | None], standing: Standing
) -> Answer:
    """What the policy does with an account that stands so.

    Args:
        thresholds: action -> score from which on it is possible on the night, None for none; the
            policy's floor where an action is missing.
    """
    rungs = tuple(rung_of(rung, thresholds, standing) for rung in policy.rungs)
    watched = (
        rungs[0].needs[0].holds or standing.resale_score >= policy.resale.watch_score
    )  # fmt: skip
    if standing.kind == "benign_group":
        said = "its campaign is taken for an honest group: it is watched at most"
        return Answer("watch" if watched else None, None, rungs, said)
    if _resells(standing):
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


def rung_of(rung: Rung, thresholds: Mapping[str, float | None], standing: Standing) -> RungState:
    """A rung for an account that stands so."""
    at = thresholds.get(rung.action, rung.floor)
    is_at = f"score {standing.score:.3f}"
    needs = [
        Need(f"{is_at}: no score is high enough on this night", False)
        if at is None
        else Need(f"{is_at}, needed {at:.3f}", standing.score >= at)
    ]
    if rung.families:
        n = len(standing.families)
        needs.append(Need(f"{n} families of evidence, needed {rung.families}",
                          n >= rung.families))  # fmt: skip
    needs += _of_campaign(rung, standing.campaign_score, standing.kind)
    if not rung.verified:
        said = "a verified organization" if standing.verified else "not verified"
        needs.append(Need(said, not standing.verified))
    return RungState(rung.action, tuple(needs), rung.decided_by == PERSON_DECIDES)


def _of_campaign(rung: Rung, score: float | None, kind: str | None) -> list[Need]:
    needs = []
    if rung.campaign_score > 0:
        has = score or 0.0
        needs.append(Need(f"campaign score {has:.3f}, needed {rung.campaign_score:.3f}",
                          has >= rung.campaign_score))  # fmt: skip
    if rung.kinds:
        needs.append(Need(f"{kind or 'no campaign'}, needed {' or '.join(rung.kinds)}",
                          kind in rung.kinds))  # fmt: skip
    return needs


def _resells(standing: Standing) -> bool:
    return standing.kind == "resale" or standing.resale_score > standing.score


def rungs_of_account(
    policy: EnforcementPolicy,
    thresholds: Mapping[str, float | None],
    standing: Standing,
    about: Row,
    labels: Sequence[Row],
    night: dt.date,
    in_force: str | None,
) -> list[RungState]:
    """The rungs for one account, mildest first, with what keeps it from them whatever its score.

    Args:
        about: its row of accounts, empty for none.
        labels: what people said of it.
        in_force: the night's action, None for none.
    """
    against = tuple(Need(why, False) for why in _against(policy, standing, about, labels, night))
    states = []
    for rung in policy.rungs:
        state = rung_of(rung, thresholds, standing)
        kept_from = against if rung.action != LADDER[0] else ()
        states.append(
            replace(state, needs=state.needs + kept_from, in_force=rung.action == in_force)
        )
    return states


def _against(
    policy: EnforcementPolicy, standing: Standing, about: Row, labels: Sequence[Row], night: dt.date
) -> list[str]:
    """What keeps it from anything above `watch`, whatever the score."""
    said = []
    names = (about.get("account_id"), about.get("organization_id"))
    for listed in policy.allow_list:
        if listed.subject in names and listed.expires >= night:
            said.append(f"allow-listed until {listed.expires}")
    if standing.kind == "benign_group":
        said.append("its campaign is an honest group")
    if about.get("status") in ("suspended", "closed"):
        said.append(f"the account is {about['status']}")
    if labels and max(labels, key=lambda row: row["labelled_at"])["label"] == "benign":
        said.append("people last said benign")
    if _resells(standing):
        said.append(f"it resells: review from a resale score of {policy.resale.review_score:g}, "
                    "nothing harder")  # fmt: skip
    return said


def rungs_of_campaign(
    policy: EnforcementPolicy, group: Row, actions: Sequence[Row], under: Mapping[str, int]
) -> list[RungState]:
    """The rungs for a campaign: what it brings itself, how many members the night proposed each
    for (`actions`), and how many are under each (`under`)."""
    states = []
    for rung in policy.rungs:
        needs = []
        if rung.families:
            n = len(group["evidence"])
            needs.append(Need(f"{n} families bind it, needed {rung.families}",
                              n >= rung.families))  # fmt: skip
        needs += _of_campaign(rung, group["score"], group["kind"])
        on = under.get(rung.action, 0)
        states.append(
            RungState(
                rung.action, tuple(needs), rung.decided_by == PERSON_DECIDES,
                in_force=on > 0, accounts=on,
                proposed=sum(row.get("proposed") == rung.action for row in actions),
            )
        )  # fmt: skip
    return states
