"""Small worlds with a planted signal: honest accounts, campaigns, a reseller, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

NIGHT = date(2026, 5, 28)


@dataclass(frozen=True)
class PlantedFeature:
    """As the catalogue declares features."""

    name: str
    family: str
    monotone: int = 0
    unit: str | None = "share"
    judges: str = ""

    @property
    def about(self) -> str:
        return f"planted {self.name}"


FEATURES: tuple[PlantedFeature, ...] = (
    PlantedFeature("shared_templates", "content", 1),
    PlantedFeature("near_duplicates", "content", 1),
    PlantedFeature("rare_networks", "infrastructure", 1),
    PlantedFeature("shared_cards", "identity", 1),
    PlantedFeature("night_share", "time"),
    PlantedFeature("error_share", "behaviour", -1),
    PlantedFeature("client_spread", "infrastructure"),
    PlantedFeature("noise", "behaviour"),
)
NAMES = tuple(feature.name for feature in FEATURES)


@dataclass
class World:
    """Tables as the lake has them."""

    features: pa.Table  # account_id, date, campaign_id, plan, and NAMES
    labels: pa.Table
    truth: dict[str, str]

    @property
    def presence(self) -> pa.Table:
        return self.features.select(["account_id", "date", "campaign_id"])


def make_world(
    *,
    seed: int = 1,
    honest: int = 1500,
    campaigns: Sequence[int] = (60, 40, 30, 25),
    resellers: int = 30,
    labelled: int | None = None,
    first_night: date = NIGHT - timedelta(days=12),
    night: date = NIGHT,
    every: int = 3,
    signal: float = 2.0,
) -> World:
    """Campaign k works from its own night on and is labelled 2 nights later.

    Each campaign shows the signal in its own mix of features, so that one teaches something about
    the next but not everything. `labelled`: only the first so many campaigns have labels.
    """
    rng = np.random.default_rng(seed)
    nights = [night - timedelta(days=d) for d in range((night - first_night).days, -1, -every)]
    rows: list[dict[str, object]] = []
    labels: list[dict[str, object]] = []
    truth: dict[str, str] = {}

    def live(account: str, mean: np.ndarray, start: int, campaign: str | None) -> None:
        centre = mean + rng.normal(0, 0.7, len(NAMES))
        for day in nights[start:]:
            values = centre + rng.normal(0, 0.3, len(NAMES))
            rows.append(
                {
                    "account_id": account,
                    "date": day,
                    "campaign_id": campaign,
                    "plan": ("free", "pay_as_you_go", "enterprise")[len(truth) % 3],
                    **dict(zip(NAMES, values.tolist(), strict=True)),
                }
            )

    def say(account: str, label: str, day: date, campaign: str | None) -> None:
        labels.append(
            {
                "account_id": account,
                "label": label,
                "labelled_at": datetime.combine(day, datetime.min.time(), UTC),
                "date": min(day + timedelta(days=1), night),
                "source": "analyst",
                "campaign": campaign,
                "confidence": 0.9,
            }
        )

    for i in range(honest):
        account = f"h{i:05d}"
        truth[account] = "benign"
        live(account, np.zeros(len(NAMES)), 0, None)
        if i < 40:
            say(account, "benign", nights[-2], None)
    for k, size in enumerate(campaigns):
        start = min(k, len(nights) - 2)
        mean = np.array([1, 1, 1, 1, 0.3, -0.3, 0.5, 0]) * signal
        mean = mean * rng.uniform(0.5, 1.4, len(NAMES))
        for i in range(size):
            account = f"d{k}-{i:04d}"
            truth[account] = "distillation"
            live(account, mean, start, f"c-{k}" if i % 4 else None)
            if labelled is None or k < labelled:
                say(account, "distillation", nights[start + 1], f"operation {k}")
    for i in range(resellers):
        account = f"r{i:04d}"
        truth[account] = "resale"
        live(account, np.array([0, 0, 1.5, 1.5, 0, 0, 3.0, 0]), 0, f"r-{i % 2}")
        say(account, "resale", nights[1], f"shop {i % 2}")
    schema = pa.schema(
        [("account_id", pa.string()), ("date", pa.date32()), ("campaign_id", pa.string()),
         ("plan", pa.string()), *((name, pa.float64()) for name in NAMES)]
    )  # fmt: skip
    label_schema = pa.schema(
        [("account_id", pa.string()), ("label", pa.string()),
         ("labelled_at", pa.timestamp("us", "UTC")), ("date", pa.date32()),
         ("source", pa.string()), ("campaign", pa.string()), ("confidence", pa.float64())]
    )  # fmt: skip
    return World(
        pa.Table.from_pylist(rows, schema), pa.Table.from_pylist(labels, label_schema), truth
    )
