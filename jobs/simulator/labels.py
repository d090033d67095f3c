"""What people found out so far: labels, with the delay and the gaps of real investigations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from jobs.simulator.campaigns import Operation
from jobs.simulator.population import DAY
from jobs.simulator.settings import WorldSettings

SOURCES: Final = ("analyst", "confirmed_ban", "appeal_upheld", "partner_intelligence")
LOOKALIKE_SHARE: Final = 0.12  # of look-alike accounts that somebody once checked
ORDINARY_SHARE: Final = 0.02
ANALYST_SHARE: Final = 0.45  # of a known operation's accounts that nobody banned
PARTNER_SHARE: Final = 0.15


@dataclass(frozen=True)
class Labels:
    """One element a label, in the order of their times."""

    account: NDArray[np.int64]
    label: NDArray[Any]
    labelled_s: NDArray[np.int64]
    source: NDArray[Any]
    campaign: NDArray[Any]
    confidence: NDArray[np.float64]


def write_labels(
    settings: WorldSettings,
    accounts: dict[str, NDArray[Any]],
    operations: list[Operation],
) -> Labels:
    """Decide every label of a world: who was found out, when, by whom."""
    rng = np.random.default_rng([settings.seed, 0x05])
    horizon = (settings.label_horizon + 1) * DAY - 1
    rows: list[tuple[int, str, int, str, str | None, float]] = []
    for number, operation in enumerate(operations):
        if not operation.labelled:
            continue
        for account in np.flatnonzero(accounts["campaign"] == number).tolist():
            begin, end = int(accounts["begin_s"][account]), int(accounts["end_s"][account])
            known = operation.known_as if rng.random() < 0.85 else None
            if accounts["suspended"][account]:
                if settings.label_share is not None and rng.random() >= settings.label_share:
                    continue
                at = end + int(rng.exponential(0.4) * DAY)
                rows.append((account, operation.class_, at, "confirmed_ban", known, 0.95))
                continue
            # An account not banned is found, if ever, days after it began.
            share = 1.0 if operation.class_ == "distillation" else 0.7
            draw = rng.random()
            at = max(begin, int(accounts["work_s"][account]), 0) + int(rng.gamma(3.0, 2.0) * DAY)
            if draw < ANALYST_SHARE * share:
                confidence = float(np.round(rng.uniform(0.6, 0.95), 2))
                rows.append((account, operation.class_, at, "analyst", known, confidence))
            elif draw < (ANALYST_SHARE + PARTNER_SHARE) * share:
                rows.append((account, operation.class_, at, "partner_intelligence", known, 0.7))
    honest = np.flatnonzero(accounts["class_"] == "benign")
    ordinary = np.isin(accounts["kind"][honest], ("hobbyist", "developer", "production"))
    checked = np.where(ordinary, ORDINARY_SHARE, LOOKALIKE_SHARE)
    for account in honest[rng.random(len(honest)) < checked].tolist():
        begin = max(int(accounts["begin_s"][account]), 0)
        at = begin + int(rng.uniform(0.2, max(1.0, settings.label_horizon)) * DAY)
        by = "analyst" if rng.random() < 0.7 else "appeal_upheld"
        rows.append((account, "benign", at, by, None, 0.9))
    rows = [row for row in rows if row[2] <= horizon]
    rows.sort(key=lambda row: (row[2], row[0]))
    count = len(rows)
    label = np.array([row[1] for row in rows], object)
    wrong = rng.random(count) < settings.label_noise
    cleared, accused = wrong & (label != "benign"), wrong & (label == "benign")
    label = np.where(accused, "distillation", np.where(cleared, "benign", label))
    # A wrong label looks like a right one: who is cleared belongs to no campaign any more.
    source: NDArray[Any] = np.array([row[3] for row in rows], object)
    source[accused], source[cleared] = "analyst", "appeal_upheld"
    campaign: NDArray[Any] = np.array([row[4] for row in rows], object)
    campaign[cleared] = None
    return Labels(
        np.array([row[0] for row in rows], np.int64),
        label,
        np.array([row[2] for row in rows], np.int64),
        source,
        campaign,
        np.array([row[5] for row in rows], np.float64),
    )
