"""Who serves from which night on: the rows of `model_decisions`, and what follows from them.

The model that scores night D follows from the decisions dated D or earlier and from nothing else,
so an old night scored again has the rows it had. Aliases in the registry only repeat, for people
and servers, what the newest decision says.

Scoring imports this module, so it stays light: no pandas, no MLflow until a model is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from models.errors import ModelError, ModelInputError

if TYPE_CHECKING:
    from models.classifier import Classifier
    from models.registry import ModelRegistry

ADOPT_PRIOR = "adopt_prior"
PROMOTE = "promote"
KEEP = "keep"
SKIP = "skip"
ROLLBACK = "rollback"
PROMOTE_BY_HAND = "promote_by_hand"
#: What a training run decides; the others are a person's, or the first night's.
OF_TRAINING = (PROMOTE, KEEP, SKIP)

Decision = Mapping[str, Any]


def decision_record(
    decisions: Iterable[Decision],
    night: date,
    decision: str,
    *,
    champion: str | None,
    challenger: str | None = None,
    fingerprint: str | None = None,
    run_id: str | None = None,
    reason: str,
    figures: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A row of `model_decisions`, numbered after every decision there is.

    `champion` is the model version that scores from `night` on, whatever was decided.
    """
    sequence = 1 + max((int(entry["sequence"]) for entry in decisions), default=0)
    return {
        "date": night,
        "sequence": sequence,
        "decision": decision,
        "champion_version": champion,
        "challenger_version": challenger,
        "fingerprint": fingerprint,
        "run_id": run_id,
        "reason": reason,
        "figures": json.dumps(figures or {}, sort_keys=True),
    }


def in_order(decisions: Iterable[Decision]) -> list[Decision]:
    """By night, and within a night as they were taken."""
    return sorted(decisions, key=lambda entry: (entry["date"], int(entry["sequence"])))


def champion_as_of(decisions: Iterable[Decision], night: date) -> str | None:
    """The model version that scores `night`; none before the first decision.

    >>> kept = [{"date": date(2026, 5, 1), "sequence": 1, "champion_version": "m/prior-1"},
    ...         {"date": date(2026, 5, 8), "sequence": 2, "champion_version": "m/2"}]
    >>> champion_as_of(kept, date(2026, 5, 7)), champion_as_of(kept, date(2026, 5, 8))
    ('m/prior-1', 'm/2')
    """
    champion = None
    for entry in in_order(decisions):
        if entry["date"] <= night and entry["champion_version"]:
            champion = str(entry["champion_version"])
    return champion


def challenger_as_of(decisions: Iterable[Decision], night: date) -> str | None:
    """The newest model version that was tried by the night and does not score it; None where the
    last that was tried serves.

    >>> tried = [{"date": date(2026, 5, 1), "sequence": 1, "champion_version": "m/prior-1",
    ...           "challenger_version": None},
    ...          {"date": date(2026, 5, 8), "sequence": 2, "champion_version": "m/prior-1",
    ...           "challenger_version": "m/2"}]
    >>> challenger_as_of(tried, date(2026, 5, 7)), challenger_as_of(tried, date(2026, 5, 8))
    (None, 'm/2')
    """
    known = [entry for entry in decisions if entry["date"] <= night]
    tried = [entry["challenger_version"] for entry in in_order(known)]
    newest = next((str(version) for version in reversed(tried) if version), None)
    return newest if newest != champion_as_of(known, night) else None


def champion_before_training(decisions: Iterable[Decision], night: date) -> str | None:
    """Who serves that night apart from what training itself decides on it: whom to challenge."""
    others = [
        entry
        for entry in decisions
        if entry["date"] != night or entry["decision"] not in OF_TRAINING
    ]
    return champion_as_of(others, night)


def version_before(decisions: Iterable[Decision], night: date) -> str:
    """The champion before the one that serves `night`, for a rollback.

    Raises:
        ModelError: no other model has served.
    """
    served: list[str] = []
    for entry in in_order(decisions):
        champion = entry["champion_version"]
        if entry["date"] > night or not champion:
            continue
        if entry["decision"] == ROLLBACK and len(served) > 1 and champion == served[-2]:
            # A second rollback goes further back, instead of returning to what was left.
            served.pop()
        elif not served or champion != served[-1]:
            served.append(str(champion))
    if len(served) < 2:
        raise ModelError(
            f"no model served before {served[0] if served else 'any'} as of {night}",
            "promote a version by its number instead",
        )
    return served[-2]


def version_number(model_version: str) -> int:
    """The registry's version number in `stillwatch-distillation/prior-1` or `…/3`.

    Raises:
        ModelError: the text is not a model version.
    """
    number = model_version.rsplit("/", 1)[-1].removeprefix("prior-")
    if not number.isdigit():
        raise ModelError(f"{model_version!r} is not a model version", "expected NAME/NUMBER")
    return int(number)


def serving_model(
    registry: ModelRegistry, decisions: Sequence[Decision], night: date
) -> tuple[str, Classifier]:
    """(model version, classifier) that scores `night`.

    Raises:
        ModelInputError: no decision says who serves; adopt the prior first.
        ModelRegistryError: the version it names cannot be read.
    """
    champion = champion_as_of(decisions, night)
    if champion is None:
        raise ModelInputError(f"no model serves {night}", "run the training step of that night")
    return champion, registry.load(version_number(champion))


def sync_aliases(registry: ModelRegistry, decisions: Sequence[Decision]) -> None:
    """Make `champion` and `challenger` say what the newest decisions say.

    Call it after the decision is written. `challenger` is the newest version that was tried and
    does not serve.
    """
    champion = champion_as_of(decisions, date.max)
    challenger = challenger_as_of(decisions, date.max)
    aliases = {
        "champion": version_number(champion) if champion else None,
        "challenger": version_number(challenger) if challenger else None,
    }
    if registry.versions():
        registry.set_aliases(aliases)
