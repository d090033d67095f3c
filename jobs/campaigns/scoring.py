"""What a group is taken to be, how surely, and why, in words.

A sum of a few interpretable terms: each figure of the group is placed between what is ordinary
and what is telling, and weighs so many nats. It works before any label; labels known by the night
raise or lower the sum.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.corpora import known_corpora
from jobs.campaigns.evidence import Evidence
from jobs.campaigns.facts import Group, describe, population_of
from jobs.campaigns.groups import graph_of, strengths
from jobs.campaigns.links import Links
from jobs.campaigns.words import reasons_of, summary_of
from jobs.catalog.policy import CampaignPolicy, Term
from jobs.verdicts import labels_known
from models.definitions import LABELS
from models.labels import resolve_labels

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Finding:
    """One group as it is published, but for its name."""

    members: list[str]
    strength: list[float]
    kind: str
    score: float
    resale_score: float
    requests: int
    output_tokens: int
    families: list[str]
    summary: str
    reasons: list[str]
    figures: dict[str, float]


def score_groups(
    lake: Lake,
    date: dt.date,
    evidence: Evidence,
    links: Links,
    groups: list[Ints],
    policy: CampaignPolicy,
) -> list[Finding]:
    """Judge each group by its figures and by the labels known by the night."""
    group_of = np.full(len(evidence.accounts), -1, np.int64)
    for index, members in enumerate(groups):
        group_of[members] = index
    people = population_of(evidence)
    corpora = known_corpora(lake, date, policy.window_days)
    described = describe(evidence, people, links, group_of, groups, policy, corpora)
    known = last_said(lake, date)
    graph = graph_of(links, among=np.ones(len(evidence.accounts), bool))
    strong = strengths(graph, groups)
    findings = []
    for group, strength in zip(described, strong, strict=True):
        ids = [evidence.accounts[i] for i in group.members]
        counted = count_labels(ids, known)
        kind, score, resale_score, weights = judge(group, counted, policy)
        families = families_of(group, policy)
        night = {
            name: int(evidence.sums[f"night_{name}"][group.members].sum())
            for name in ("requests", "output_tokens")
        }
        findings.append(Finding(
            members=ids,
            # One admitted by what it works on, without links, belongs as little as is allowed.
            strength=np.maximum(strength, policy.member_strength).tolist(),
            kind=kind,
            score=score,
            resale_score=resale_score,
            requests=night["requests"],
            output_tokens=night["output_tokens"],
            families=families,
            summary=summary_of(
                group.figures, kind, score, resale_score, families, night["requests"]
            ),
            reasons=reasons_of(group.figures, group.bound, weights, people.rates,
                               Counter(known[a][0] for a in ids if a in known), group.corpus),
            figures=group.figures,
        ))  # fmt: skip
    return findings


def families_of(group: Group, policy: CampaignPolicy) -> list[str]:
    """Families that bind the group: those of the axes that hold on enough of its links."""
    return sorted({
        axis.family for axis in policy.axes if group.bound[axis.name] >= policy.binding_share
    })  # fmt: skip


def last_said(lake: Lake, date: dt.date) -> dict[str, tuple[str, float]]:
    """What people last said of each account by the night, and how sure they were."""
    said = resolve_labels(labels_known(lake, date), date)
    sure = said["confidence"].fillna(1.0)
    return dict(
        zip(said["account_id"], zip(said["label"], sure.astype(float), strict=True), strict=True)
    )


def count_labels(ids: list[str], known: dict[str, tuple[str, float]]) -> dict[str, float]:
    """Confidence summed over members, label by label."""
    said = [known[account] for account in ids if account in known]
    return {name: math.fsum(sure for label, sure in said if label == name) for name in LABELS}


def judge(
    group: Group, labels: dict[str, float], policy: CampaignPolicy
) -> tuple[str, float, float, dict[str, float]]:
    """Kind, both scores, and what each term weighed for distillation."""
    figures = group.figures
    weights: dict[str, float] = {}
    for term in policy.terms:
        weights[term.figure] = weights.get(term.figure, 0.0) + weigh_term(term, figures)
    told = (
        math.fsum(labels.values()) + policy.label_prior + policy.label_share * figures["accounts"]
    )
    distils = (
        math.fsum([policy.base_nats, *weights.values()])
        + policy.label_nats * (labels["distillation"] - labels["benign"] - labels["resale"]) / told
    )
    resells = (
        math.fsum(
            [policy.resale_base_nats, *(weigh_term(term, figures) for term in policy.resale_terms)]
        )
        + policy.label_nats * (labels["resale"] - labels["benign"] - labels["distillation"]) / told
    )
    score, resale_score = _probability(distils), _probability(resells)
    contract = (
        figures["organization"] >= policy.organization_share
        and figures["vetted"] >= policy.vetted_share
    )
    if contract and labels["distillation"] == 0.0:
        # One firm that a person checked: what its accounts share is the firm.
        return "benign_group", min(score, policy.contract_score), resale_score, weights
    if distils >= max(resells, 0.0):
        return "distillation", score, resale_score, weights
    if resells >= 0.0:
        # Two explanations of one group compete: what resale explains is no sign of distillation.
        return "resale", _probability(distils - resells), resale_score, weights
    vouched = labels["benign"] - labels["distillation"] - labels["resale"]
    if figures["organization"] >= policy.organization_share or (
        vouched > policy.label_share * figures["accounts"]
    ):
        return "benign_group", score, resale_score, weights
    return "unknown", score, resale_score, weights


def _probability(nats: float) -> float:
    return round(1.0 / (1.0 + math.exp(-nats)), 9)


def weigh_term(term: Term, figures: dict[str, float]) -> float:
    """Nats of one figure: none where it is ordinary, all where it is telling or beyond."""
    value = figures[term.figure]
    if math.isnan(value):
        return 0.0
    placed = (value - term.ordinary) / (term.telling - term.ordinary)
    return term.nats * min(max(placed, 0.0), 1.0)
