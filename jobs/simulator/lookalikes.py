"""Honest customers that look guilty, each for a reason that makes it different.

A vendor repeats its test sets, an enterprise has a contract and one house style, a harness has
many independent users, a router declares itself, a class does ten homework questions in its own
lessons, a bot answers one kind of question, and people who love novelty move on launch day.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from jobs.simulator.honest import (
    ATTACKS,
    BUILDING,
    CODING_AGENT,
    CURIOUS,
    ENTERPRISE,
    EVALUATION,
    chat,
    firms,
    people,
    service,
    settler,
    split_groups,
)
from jobs.simulator.population import (
    AROUND,
    HARNESS_GATEWAYS,
    HARNESS_VERSIONS,
    SHIFT,
    Population,
)

# Everybody's traffic, as a router passes it on.
EVERYBODY: Final = {
    name: CURIOUS.get(name, 0) + BUILDING.get(name, 0) + EVALUATION.get(name, 0) // 6
    for name in {**CURIOUS, **BUILDING, **EVALUATION}
}


@settler("evaluation_vendor")
def _evaluation_vendors(population: Population, count: int) -> None:
    """Vendors send test sets, again and again, at temperature 0, by a few accounts each."""
    rng = population.rng
    groups = split_groups(rng, count, 2, 6)
    who = firms(population, groups, "evaluation_vendor", declared_use="model evaluation")
    columns = service(population, who, mean=55.0)
    group = np.repeat(np.arange(len(groups)), groups)
    columns.update(
        rate=rng.lognormal(np.log(45), 0.6, count), active=0.6, shape=AROUND,
        centre_h=rng.uniform(0, 24, len(groups))[group], width_h=1.0, sessions=1.5, run_s=2400.0,
        temperature=0.0, max_tokens=rng.choice([16, 512, 1024], len(groups))[group],
        logprobs=0.4, mix=population.mixture(EVALUATION), breadth=20, narrow=3, paraphrase=0.0,
        list_key=population.keys(len(groups))[group], list_size=3000, english=1.0,
        body_chars=rng.uniform(80, 500, count), adopt_day=rng.exponential(3, len(groups))[group],
        adopt_share=0.7, model=rng.choice([1, 2], count), again=0.0,
    )  # fmt: skip
    population.workloads.append(count, **columns)


@settler("batch_enterprise")
def _batch_enterprises(population: Population, count: int) -> None:
    """One contract, many sub-accounts (teams, regions): shared invoice, network, style, hour."""
    rng = population.rng
    groups = split_groups(rng, count, min(18, count), 60)
    who = firms(population, groups, "batch_enterprise", plan=3, kyc=3, verified=True,
                payment_type=3, declared_use="document processing")  # fmt: skip
    group = np.repeat(np.arange(len(groups)), groups)
    columns = service(population, who, mean=16.0)
    heads = np.array([population.openings("enterprise", 1) for _ in groups])
    columns.update(
        rate=rng.lognormal(np.log(13), 0.35, count), active=0.95, weekend=0.15, dispersion=0.2,
        shape=AROUND, centre_h=rng.uniform(0, 24, len(groups))[group], width_h=0.7,
        sessions=1.2, run_s=3000.0, client1=columns["client1"][np.cumsum(groups) - 1][group],
        client2=columns["client1"][np.cumsum(groups) - 1][group],
        operation=2, mix=population.mixture(ENTERPRISE), narrow=2, paraphrase=0.05, breadth=2,
        preamble=heads[group], preamble_share=1.0,
        system=population.keys(len(groups))[group],
        max_tokens=rng.choice([512, 1024, 2048], len(groups))[group],
        temperature=rng.choice([0.0, 0.2], len(groups))[group], fidget=0.0,
        body_chars=rng.uniform(300, 1200, len(groups))[group], again=0.01,
        in_mu=6.6 + rng.normal(0, 0.15, count), out_mu=5.0 + rng.normal(0, 0.15, count),
        in_sd=0.5, out_sd=0.5, adopt_day=rng.exponential(40, len(groups))[group], heavy=False,
    )  # fmt: skip
    population.workloads.append(count, **columns)


@settler("agent_harness")
def _agent_harness(population: Population, count: int) -> None:
    """Independent developers with one open-source coding agent: its client, tools, settings."""
    rng = population.rng
    for number, size in enumerate(_popularity(count, population.settings.popular_tools or 1)):
        harness = population.harness(number)
        who = people(population, size, "agent_harness",
                     gateway=rng.choice(5, size, p=HARNESS_GATEWAYS))  # fmt: skip
        columns = chat(population, who, np.zeros(size, bool))
        columns.update(harness.columns(rng.choice(3, size, p=HARNESS_VERSIONS)))
        columns.update(
            rate=rng.lognormal(np.log(14), 0.9, size), active=rng.beta(2, 3, size), weekend=0.5,
            sessions=1.8, mix=population.mixture(CODING_AGENT), narrow=0,
            **harness_lengths(rng, size),
            adopt_day=rng.exponential(6, size), adopt_share=0.9,
        )  # fmt: skip
        population.workloads.append(size, **columns)


def harness_lengths(rng: np.random.Generator, count: int) -> dict[str, NDArray[np.float64]]:
    """Log tokens of what a harness sends, files of the user's included, and of its answers."""
    return {"in_mu": 8.2 + rng.normal(0, 0.4, count), "out_mu": 5.4 + rng.normal(0, 0.3, count)}


def _popularity(count: int, tools: int) -> list[int]:
    """Split users over tools: the second has half as many as the first, the third a third."""
    tools = min(tools, count)
    share = 1 / np.arange(1, tools + 1)
    sizes = 1 + np.floor((count - tools) * share / share.sum()).astype(int)
    sizes[0] += count - sizes.sum()
    return [int(size) for size in sizes]


@settler("declared_router")
def _declared_routers(population: Population, count: int) -> None:
    """Routers say what they are and pass on everybody's prompts, languages and settings."""
    rng = population.rng
    groups = split_groups(rng, count, 1, 3)
    who = firms(population, groups, "declared_router", plan=3, kyc=3, verified=True,
                declared_use="router: passes on requests of its own customers")  # fmt: skip
    columns = service(population, who, mean=200.0)
    columns.update(
        rate=rng.lognormal(np.log(190), 0.4, count), active=1.0, weekend=0.8, dispersion=0.15,
        sessions=48.0, run_s=1800.0, gap_cv=1.1, mix=population.mixture(EVERYBODY), breadth=20,
        narrow=0, paraphrase=1.0, fidget=0.8, conversations=True, turns=2.5,
        language=rng.integers(0, 5, count), english=0.65, in_mu=6.4, in_sd=1.1, out_mu=5.0,
        out_sd=0.9, adopt_day=0.0, adopt_ramp=12.0, adopt_share=0.4, system=0,
        body_chars=220.0, max_tokens=-1, temperature=np.nan, top_p=np.nan,
    )  # fmt: skip
    columns["language"] = np.where(
        np.isin(columns["language"], population.languages(population.countries(200))),
        columns["language"], 0,
    )  # fmt: skip
    population.workloads.append(count, **columns)


@settler("classroom")
def _classrooms(population: Population, count: int) -> None:
    """A class works on the same ten homework questions, in its lesson, from its campus."""
    rng = population.rng
    for size in split_groups(rng, count, 15, 40):
        campus, country = population.university(int(rng.integers(13)))
        mails, burst = f"{population.name()}.edu", int(created_term(population))
        who = people(
            population, size, "classroom", countries=np.array([country] * size, object),
            email_domain=mails, email_shape="aaa9999", plan=1, payment=0, payment_type=0,
            created_s=burst + rng.integers(0, 5400, size), begin_s=burst + 5400, verified=False,
            declared_use="coursework", gateway=rng.choice(5, p=[0.35, 0.5, 0.0, 0.05, 0.1]),
            signup_address=campus.start + rng.integers(0, campus.size, size),
        )  # fmt: skip
        columns = chat(population, who, np.ones(size, bool))
        lesson = (population.noon(np.array([country], object))[0] + rng.uniform(-3, 4)) % 24
        columns.update(
            rate=rng.lognormal(np.log(4), 0.4, size), active=0.35, weekend=0.25, shape=SHIFT,
            centre_h=lesson, width_h=1.5, sessions=1.1, pool2=columns["pool1"],
            size2=columns["size1"], second=0.3, mix=population.mixture({"homework": 1}),
            list_key=np.uint64(population.keys(1)[0]), list_size=10, topic=int(rng.integers(20)),
            breadth=1, narrow=0, paraphrase=0.2, english=0.8, turns=2.0, body_chars=60.0,
        )  # fmt: skip
        columns["pool1"], columns["size1"] = campus.start, campus.size
        population.workloads.append(size, **columns)


def created_term(population: Population) -> float:
    """When a class signed up: weeks before, or in the first days of the world."""
    return float(population.rng.uniform(-40, min(5, population.settings.days / 4)) * 86_400)


@settler("red_team")
def _red_teams(population: Population, count: int) -> None:
    """Security firms attack the model by contract, from proxies, over all of its subjects."""
    rng = population.rng
    groups = split_groups(rng, count, 2, 5)
    who = firms(population, groups, "red_team", declared_use="security testing")
    columns = chat(population, who, np.zeros(count, bool))
    hubs = [population.proxy_hub(int(rng.integers(6))) for _ in range(count)]
    columns.update(
        rate=rng.lognormal(np.log(24), 0.6, count), active=0.6, weekend=0.2, sessions=2.0,
        pool2=np.array([h.start for h in hubs]), size2=np.array([h.size for h in hubs]),
        second=0.5, mix=population.mixture(ATTACKS), breadth=20, narrow=2, paraphrase=0.4,
        temperature=1.0, turns=4.0, errors=0.03,
    )  # fmt: skip
    population.workloads.append(count, **columns)


@settler("support_bot")
def _support_bots(population: Population, count: int) -> None:
    """Bots forward short questions of customers behind one long opening; regions share a firm."""
    rng = population.rng
    groups = split_groups(rng, count, 1, 5)
    who = firms(population, groups, "support_bot")
    group = np.repeat(np.arange(len(groups)), groups)
    columns = service(population, who, mean=30.0)
    heads = np.array([population.openings("support", 1) for _ in groups])
    columns.update(
        rate=rng.lognormal(np.log(22), 0.6, count), mix=population.mixture({"support": 1}),
        narrow=0, paraphrase=1.0, preamble=heads[group], preamble_share=1.0, breadth=1,
        conversations=True, turns=2.0, body_chars=0.0, gap_cv=1.2, sessions=24.0, run_s=3600.0,
        in_mu=5.9, in_sd=0.25, out_mu=4.6, out_sd=0.5, english=0.3, max_tokens=300,
        system=population.keys(len(groups))[group], tools=rng.choice([0, 3], len(groups))[group],
        stream=1.0, heavy=False,
    )  # fmt: skip
    population.workloads.append(count, **columns)


@settler("early_adopter")
def _early_adopters(population: Population, count: int) -> None:
    """Enthusiasts and start-ups: on launch day they try all they have on the new model."""
    rng = population.rng
    who = people(population, count, "early_adopter")
    columns = chat(population, who, rng.random(count) < 0.3)
    columns.update(
        rate=rng.lognormal(np.log(6), 0.8, count), active=0.7, sessions=2.5,
        mix=population.mixture({**BUILDING, "question": 30, "maths": 10, "reasoning": 8}),
        breadth=10, adopt_day=rng.exponential(0.15, count), adopt_ramp=0.3, adopt_share=0.95,
    )  # fmt: skip
    population.workloads.append(count, **columns)
