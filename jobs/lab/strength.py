"""Recall of each adversary against its strength, and what hiding costs it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jobs.lab.worlds import LabWorld
from jobs.simulator import ADVERSARIES


def strength_curves(judged: Iterable[tuple[LabWorld, dict[str, Any]]]) -> dict[str, Any]:
    """Adversary -> what it does, and for each strength its recall, wholeness and price.

    Recall is over the accounts of all its campaigns, by the world's threshold at 1e-3; `one_piece`
    is the share of its members in the largest piece of their own campaign, weighed alike.

    Args:
        judged: worlds with adversaries, each with its figures.
    """
    curves: dict[str, Any] = {}
    for world, figures in judged:
        campaigns = iter(figures["campaigns"].values())
        for name, count in world.adversaries:
            mine = [next(campaigns) for _ in range(count)]
            adversary = ADVERSARIES[name]
            curve = curves.setdefault(name, {
                "about": adversary.about, "tactic": adversary.tactic, "middle": adversary.middle,
                "points": [],
            })  # fmt: skip
            curve["points"].append({
                "strength": world.strength,
                "campaigns": count,
                "accounts": sum(c["accounts"] for c in mine),
                "recall": _weighed(mine, "recall"),
                "one_piece": _weighed(mine, "one_piece"),
                "price": adversary.price(float(world.strength or 0.0)),
            })  # fmt: skip
    for curve in curves.values():
        curve["points"].sort(key=lambda point: point["strength"])
    return curves


def _weighed(campaigns: list[dict[str, Any]], name: str) -> float | None:
    """Mean over campaigns, each as often as it has accounts; None where none has any."""
    known = [c for c in campaigns if c[name] is not None]
    accounts = sum(c["accounts"] for c in known)
    return sum(c[name] * c["accounts"] for c in known) / accounts if accounts else None
