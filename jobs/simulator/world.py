"""Worlds: who lives in them, and one day of their landing folder after another."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs.simulator import lookalikes  # noqa: F401  (registers its kinds)
from jobs.simulator.campaigns import (
    Operation,
    default_plans,
    settle_campaign,
)
from jobs.simulator.corpora import add_corpora, deal_corpora
from jobs.simulator.day import draw, weekend
from jobs.simulator.hashing import identifiers, mix
from jobs.simulator.honest import settle_honest
from jobs.simulator.labels import Labels, write_labels
from jobs.simulator.population import Population
from jobs.simulator.prompts import LANGUAGES, TOPIC_COUNT, Grammar
from jobs.simulator.reseller import settle_reseller
from jobs.simulator.settings import Summary, WorldSettings

RESELLER_SHARE: Final = 0.01  # of accounts
_PART_REQUESTS: Final = 1_200_000  # drawn at a time, about 1 GB
_SAMPLE_ROWS: Final = 4_000  # prompts that decide how long bodies must be


@dataclass
class World:
    """A settled world. Its days are drawn by `simulate_day`, in any order."""

    settings: WorldSettings
    accounts: dict[str, NDArray[Any]]
    workloads: dict[str, NDArray[Any]]
    operations: list[Operation]
    labels: Labels
    grammar: Grammar
    addresses: dict[str, pa.Array]
    clients: dict[str, pa.Array]
    cumulative_mixes: NDArray[np.float64]  # see `_stacked`
    first_s: NDArray[np.int64]  # of each workload: when it may send
    last_s: NDArray[np.int64]
    scale: NDArray[np.float64]  # of each workload's rate
    body_scale: float = 1.0
    parts: int = 1  # that a day is drawn in
    topic_count: int = TOPIC_COUNT
    followups: bool = True
    english: bool = True
    spoken: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    has_corpora: bool = False
    names: dict[str, pa.Array] = field(default_factory=dict)  # identifiers by account
    cache: dict[str, Any] = field(default_factory=dict)  # what several days need, made once


def build_world(settings: WorldSettings) -> World:
    """Settle a world: decide who lives in it, what they do and what is found out."""
    population = Population(settings)
    plans = default_plans(settings, np.random.default_rng([settings.seed, 0x06]))
    resale = RESELLER_SHARE * settings.honest_weight("reseller") * settings.reseller
    resellers = max(5, round(settings.accounts * resale)) if resale else 0
    honest = settings.accounts - sum(plan.accounts for plan in plans) - resellers
    if honest < 10:
        raise ValueError("more accounts in campaigns than the world has room for")
    corpora = add_corpora(population, plans)
    settle_honest(population, honest)
    operations = [settle_campaign(population, plan, i) for i, plan in enumerate(plans)]
    if resellers:
        operations.append(settle_reseller(population, resellers, len(plans)))
    accounts = population.accounts.columns()
    workloads = population.workloads.columns()
    deal_corpora(corpora, plans, accounts, workloads)
    owner = workloads["account"]
    text, asn, country = population.addresses.tables()
    token = mix(np.arange(len(text), dtype=np.uint64), settings.seed + 77)
    key = accounts["key"]
    world = World(
        settings=settings,
        accounts=accounts,
        workloads=workloads,
        operations=operations,
        labels=write_labels(settings, accounts, operations),
        grammar=population.grammar,
        addresses={
            "clear": pa.array(text, pa.string()),
            "token": identifiers("tok_", token),
            "asn": pa.array(asn, pa.int64()),
            "country": pa.array(country, pa.string()),
        },
        clients={
            "user_agent": pa.array(population.clients.user_agents, pa.string()),
            "ja4": pa.array(population.clients.ja4, pa.string()),
        },
        cumulative_mixes=_stacked(population.mixes),
        first_s=np.maximum(workloads["begin_s"], accounts["begin_s"][owner]),
        last_s=np.minimum(workloads["end_s"], accounts["end_s"][owner]),
        scale=np.ones(len(owner)),
        followups=settings.capabilities is None or "followup" in settings.capabilities,
        english="en" in settings.languages,
        spoken=np.array([LANGUAGES.index(name) for name in settings.languages], np.int64),
        has_corpora=bool((workloads["corpus_size"] > 0).any()),
        names={
            "account": identifiers("acct_", mix(key, 1)),
            "organization": identifiers("org_", mix(accounts["org"], 2)),
            "key0": identifiers("key_", mix(key, 3)),
            "key1": identifiers("key_", mix(key, 4)),
        },
    )
    if settings.requests_per_day is not None:
        _scale_volume(world, settings.requests_per_day)
    _scale_text(world)
    a_day = float((world.workloads["rate"] * world.workloads["active"] * world.scale).sum())
    world.parts = max(1, math.ceil(a_day / _PART_REQUESTS))
    return world


def _stacked(mixes: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Cumulative shares of all mixtures in one ascending row, the m-th between m and m + 1."""
    shares: NDArray[np.float64] = np.minimum(np.cumsum(np.array(mixes), axis=1), 1.0)
    shares[:, -1] = 1.0
    flat: NDArray[np.float64] = (shares + np.arange(len(mixes))[:, None]).ravel()
    return flat


def expected_requests(world: World) -> NDArray[np.float64]:
    """Mean daily requests of each workload over the world's days."""
    w, days = world.workloads, world.settings.days
    span = np.minimum(world.last_s, days * 86_400) - np.maximum(world.first_s, 0)
    free = sum(weekend(world.settings.start, day) for day in range(days)) / days
    week = 1 - free + free * w["weekend"]
    present = np.clip(span / (days * 86_400), 0, 1)
    mean: NDArray[np.float64] = w["rate"] * w["active"] * week * present
    return mean


def _scale_volume(world: World, target: float) -> None:
    """Bring the mean volume to a target: honest traffic grows, operations stay as they are.

    Where the target lies below what operations send, all workloads shrink alike.
    """
    mean = expected_requests(world)
    benign = world.accounts["class_"][world.workloads["account"]] == "benign"
    rest = float(mean[~benign].sum())
    factor = (target - rest) / max(float(mean[benign].sum()), 1e-9)
    if factor < 0.2:
        world.scale[:] = target / max(float(mean.sum()), 1e-9)
    else:
        world.scale[benign] = factor


def _scale_text(world: World) -> None:
    """Choose the length of bodies so that prompts have the wanted mean, by a sample."""
    world.body_scale = 1.0
    day = world.settings.days // 2
    rows = draw(world, day, 99, min(1.0, _SAMPLE_ROWS / max(expected_requests(world).sum(), 1.0)))
    written = np.flatnonzero(rows.prompt.template != world.grammar.given_template)
    if len(written) == 0:
        return
    for _ in range(3):  # lengths are rounded to sentences, so one step does not hit the mean
        rows = draw(
            world, day, 99, min(1.0, _SAMPLE_ROWS / max(expected_requests(world).sum(), 1.0))
        )
        if world.has_corpora:  # given prompts have the length that they have
            rows = rows.take(np.flatnonzero(rows.prompt.template != world.grammar.given_template))
        has_body = world.grammar.has_body[rows.prompt.template]
        chars = pc.utf8_length(world.grammar.write(rows.prompt, False)).to_numpy()
        units = np.where(has_body, rows.prompt.units, 0)
        unit_chars = float(np.polyfit(units, chars, 1)[0]) if units.std() > 0 else 70.0
        bodies = unit_chars * units.mean()
        missing = world.settings.prompt_chars - (chars.mean() - bodies)
        world.body_scale *= float(np.clip(missing / max(bodies, 1e-9), 0.02, 50))


@dataclass
class Tally:
    """What one day's landing holds, for the truth and the summary."""

    exchanges: pa.Table
    dirt: list[dict[str, Any]]
    files: int
    bytes: int


def simulate_day(world: World, day: int, out: Path) -> Tally:
    """Write the landing of one day, counted from the world's start, under `out`."""
    from jobs.simulator.landing import land_day

    return land_day(world, day, out)


def simulate(
    out: Path,
    truth: Path,
    settings: WorldSettings,
    progress: Callable[[str], None] | None = None,
) -> Summary:
    """Write a whole world: its landing under `out`, its truth under `truth`."""
    from jobs.simulator.truth import write_truth

    for folder in ("requests", "accounts", "labels"):
        if (out / folder).exists():  # files of two worlds in one folder would be neither
            raise FileExistsError(f"{out} holds a landing already: choose or empty another folder")
    say = progress or (lambda _: None)
    world = build_world(settings)
    say(f"settled {len(world.accounts['key']):,} accounts, {len(world.operations)} operations")
    tallies = []
    summary = Summary(accounts=len(world.accounts["key"]))
    summary.campaigns = sum(o.class_ == "distillation" for o in world.operations)
    for day in range(settings.days):
        tally = simulate_day(world, day, out)
        tallies.append(tally)
        summary.files += tally.files
        summary.bytes += tally.bytes
        for row in tally.dirt:
            source = str(row["source"])
            summary.landed[source] = summary.landed.get(source, 0) + int(row["landed"])
        summary.requests += int(pc.sum(tally.exchanges["requests"]).as_py() or 0)
        say(f"day {day + 1} of {settings.days}: {summary.requests:,} requests so far")
    write_truth(world, tallies, truth)
    return summary


__all__ = ["Tally", "World", "build_world", "simulate", "simulate_day"]
