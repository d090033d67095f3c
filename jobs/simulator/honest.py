"""Honest customers: the many, and the kinds that look guilty.

Each function settles one kind. Shares are of the honest accounts; rates are requests a day. The
look-alikes share what operations share (networks, payment, preambles, templates, settings), each
for a reason of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from jobs.simulator import traffic
from jobs.simulator.population import AROUND, DAY, SERVICE, Ints, Population

# Share of honest accounts, and the least number a world has of a kind that is present.
SHARES: Final[dict[str, tuple[float, int]]] = {
    "hobbyist": (0.55, 8), "developer": (0.225, 6), "production": (0.035, 4),
    "evaluation_vendor": (0.006, 3), "batch_enterprise": (0.04, 6), "agent_harness": (0.05, 5),
    "declared_router": (0.001, 2), "classroom": (0.05, 8), "red_team": (0.005, 2),
    "support_bot": (0.015, 3), "early_adopter": (0.023, 3),
}  # fmt: skip

CURIOUS: Final = {
    "question": 30,
    "role_play": 14,
    "brainstorm": 14,
    "email": 12,
    "translation": 8,
    "coding": 6,
    "maths": 5,
    "summary": 6,
    "classification": 1,
    "reasoning": 1,
    "debugging": 3,
}
BUILDING: Final = {
    "coding": 34,
    "debugging": 26,
    "question": 14,
    "tool_use": 4,
    "agentic": 4,
    "extraction": 5,
    "summary": 4,
    "maths": 3,
    "email": 3,
    "reasoning": 2,
    "classification": 1,
}
# What a back end does: one job out of these, now and then a second one.
JOBS: Final = ("extraction", "classification", "summary", "translation", "question", "email",
               "support", "tool_use", "role_play", "multiple_choice", "coding")  # fmt: skip
CODING_AGENT: Final = {"agentic": 50, "coding": 20, "debugging": 20, "tool_use": 10}
EVALUATION: Final = {
    "multiple_choice": 40,
    "rubric_grading": 22,
    "judged_pair": 14,
    "maths": 12,
    "coding": 8,
    "reasoning": 4,
}
ENTERPRISE: Final = {"extraction": 40, "summary": 25, "classification": 15, "email": 20}
ATTACKS: Final = {"red_team": 60, "role_play": 22, "question": 10, "coding": 8}


# Of private people: shares of plans (none, credits, pay as you go), levels of verification, types
# of payment (card, prepaid, crypto); and the gateways of developers.
PRIVATE_PLANS: Final = (0.35, 0.2, 0.45)
PRIVATE_KYC: Final = (0.02, 0.43, 0.47, 0.08)
PRIVATE_PAYMENTS: Final = (0.9, 0.08, 0.02)
DEVELOPER_GATEWAYS: Final = (0.55, 0.1, 0.1, 0.12, 0.13)


def settle_honest(population: Population, count: int) -> None:
    """Settle `count` honest accounts of the kinds the settings ask for."""
    settings = population.settings
    shares = {
        kind: (SHARES[kind][0] * settings.honest_weight(kind), SHARES[kind][1])
        for kind in settings.honest_kinds
        if settings.honest_weight(kind) > 0
    }
    total = sum(share for share, _ in shares.values())
    numbers = {
        kind: max(least, int(count * share / total)) for kind, (share, least) in shares.items()
    }
    largest = max(numbers, key=lambda kind: numbers[kind])
    numbers[largest] = max(1, count - sum(n for kind, n in numbers.items() if kind != largest))
    for kind, number in numbers.items():
        _SETTLERS[kind](population, number)


def split_groups(rng: np.random.Generator, count: int, low: int, high: int) -> list[int]:
    """Split a number of accounts into groups of `low` to `high`."""
    groups: list[int] = []
    while count > 0:
        size = min(count, int(rng.integers(low, high + 1)))
        groups.append(size)
        count -= size
    return groups


def created(population: Population, count: int) -> Ints:
    """Sign-up times: most over the past two years, some while the world is watched.

    A twentieth signs up in a month, a service that grows by half a year.
    """
    rng = population.rng
    days = population.settings.days
    newcomers = rng.random(count) < min(0.5, 0.05 * days / 30)
    before = -(rng.exponential(220, count) + 1) * DAY
    within = rng.random(count) * days * DAY
    return np.where(newcomers, within, before).astype(np.int64)


def people(population: Population, count: int, kind: str, **columns: Any) -> dict[str, Any]:
    """Add accounts of private people and return what their workloads need of them."""
    rng = population.rng
    countries = columns.pop("countries", None)
    if countries is None:
        countries = population.countries(count)
    start1, size1 = population.homes(countries)
    start2, size2 = population.carriers(countries)
    domains, shapes = population.mail(count)
    phones = population.keys(count)
    cards = population.keys(count)
    # Families and couples pay with one card.
    shared = rng.random(count) < 0.04
    cards = np.where(shared & (np.arange(count) > 0), np.roll(cards, 1), cards)
    plan = rng.choice([0, 1, 2], count, p=PRIVATE_PLANS)
    kyc = rng.choice([0, 1, 2, 3], count, p=PRIVATE_KYC)
    paying = plan > 0
    began = created(population, count)
    values: dict[str, Any] = {
        "key": population.keys(count),
        "created_s": began,
        "begin_s": began + rng.integers(60, 7200, count),
        "plan": plan,
        "kyc": kyc,
        "email_domain": domains,
        "email_shape": shapes,
        "phone": np.where(kyc >= 2, phones, 0),
        "payment": np.where(paying, cards, 0),
        "payment_type": np.where(paying, rng.choice([1, 2, 4], count, p=PRIVATE_PAYMENTS), 0),
        "signup_address": start1 + rng.integers(0, 2**31, count) % size1,
        "gateway": rng.choice(5, count, p=[0.35, 0.4, 0.06, 0.09, 0.1]),
        "withhold_text": rng.random(count) < 0.02,
        "country": countries,
        "kind": kind,
    }
    values.update(columns)
    index = population.accounts.append(count, **values)
    return {
        "account": index,
        "begin_s": values["begin_s"],
        "pool1": start1, "size1": size1, "pool2": start2, "size2": size2,
        "style": population.keys(count),
        "language": population.languages(countries),
        "topic": population.topics(count),
    }  # fmt: skip


def firms(population: Population, groups: list[int], kind: str, **columns: Any) -> dict[str, Any]:
    """Add accounts of firms: members of a group share organisation, invoice and machines."""
    rng = population.rng
    count = sum(groups)
    group = np.repeat(np.arange(len(groups)), groups)
    firm_country = population.countries(len(groups))
    clouds, sizes = population.clouds(len(groups), rng.integers(2, 17, len(groups)))
    began = created(population, len(groups))[group] + rng.integers(0, 20 * DAY, count)
    began = np.minimum(began, (population.settings.days - 1) * DAY)
    domains = np.array([f"{population.name()}.{e}" for e in rng.choice(
        ["com", "io", "net", "co", "de", "ai", "org"], len(groups))], object)  # fmt: skip
    invoice = rng.random(len(groups)) < 0.6
    values: dict[str, Any] = {
        "key": population.keys(count),
        "org": population.keys(len(groups))[group],
        "created_s": began,
        "begin_s": began + rng.integers(60, 7200, count),
        "plan": np.where(invoice, 3, 2)[group],
        "kyc": np.where(invoice, 3, 2)[group],
        "verified": (invoice | (rng.random(len(groups)) < 0.3))[group],
        "email_domain": domains[group],
        "email_shape": population.mail(count)[1],
        "phone": population.keys(len(groups))[group],
        "payment": population.keys(len(groups))[group],
        "payment_type": np.where(invoice, 3, 1)[group],
        "signup_address": clouds[group],
        "gateway": rng.choice(5, len(groups), p=[0.45, 0.0, 0.2, 0.2, 0.15])[group],
        "withhold_text": (rng.random(len(groups)) < 0.08)[group],
        "country": firm_country[group],
        "kind": kind,
    }
    values.update(columns)
    index = population.accounts.append(count, **values)
    return {
        "account": index,
        "begin_s": values["begin_s"],
        "pool1": clouds[group], "size1": sizes[group],
        "style": population.keys(len(groups))[group],
        "language": population.languages(firm_country)[group],
        "topic": population.topics(len(groups))[group],
        "breadth": 1,
    }  # fmt: skip


def chat(population: Population, who: dict[str, Any], browser: NDArray[np.bool_]) -> dict[str, Any]:
    """The workload columns of people who type: hours, lengths, clients, settings."""
    rng = population.rng
    count = len(who["account"])
    country = population.accounts.columns()["country"][who["account"]]
    in_mu, in_sd, out_mu, out_sd = traffic.chat_lengths(rng, count)
    clients = [population.clients.choose(False, count) for _ in range(2)]
    browsers = [population.clients.choose(True, count) for _ in range(2)]
    temperature = rng.choice([np.nan, 0.0, 0.2, 0.5, 0.7, 1.0], count,
                             p=[0.4, 0.12, 0.1, 0.05, 0.23, 0.1])  # fmt: skip
    return {
        **who,
        "shape": AROUND,
        # Evenings for some, mornings for others.
        "centre_h": (population.noon(country) + rng.normal(3.0, 2.5, count)) % 24,
        "width_h": rng.uniform(2.0, 4.5, count),
        "weekend": rng.uniform(0.4, 1.1, count),
        "gap_s": rng.lognormal(np.log(100), 0.6, count),
        "gap_cv": rng.uniform(1.0, 1.8, count),
        "turns": 1 + rng.exponential(2.5, count),
        "in_mu": in_mu, "in_sd": in_sd, "out_mu": out_mu, "out_sd": out_sd,
        "client1": np.where(browser, browsers[0], clients[0]),
        "client2": np.where(browser, browsers[1], clients[1]),
        "second_client": rng.random(count) ** 3 * 0.5,
        "second": np.where(browser, rng.random(count) ** 2, rng.random(count) ** 4),
        "temperature": np.where(browser, np.nan, temperature),
        "max_tokens": np.where(browser, -1, rng.choice(
            [-1, 256, 512, 1000, 1024, 2048, 4096], count,
            p=[0.42, 0.06, 0.1, 0.12, 0.12, 0.1, 0.08])),
        "stream": np.where(browser, 1.0, rng.choice([0.0, 1.0, 0.5], count)),
        "system": np.where(browser, 0, np.where(rng.random(count) < 0.5,
                                                population.keys(count), 0)),
        "english": rng.uniform(0.1, 0.6, count),
        "body_chars": rng.lognormal(np.log(190), 0.9, count),
        "adopt_day": rng.exponential(18, count),
        "adopt_share": rng.uniform(0.2, 1.0, count),
        "model": rng.choice([0, 1, 2], count, p=[0.15, 0.4, 0.45]),
        "errors": 0.02,
    }  # fmt: skip


def oddities(population: Population, columns: dict[str, Any], share: float) -> None:
    """Give a few honest accounts what nobody else has: a client, settings, an opening.

    Without them every rare setting would be an operation's.
    """
    rng = population.rng
    count = len(columns["account"])
    for name, values in (
        ("temperature", np.round(rng.uniform(0.05, 1.3, count), 2)),
        ("top_p", np.round(rng.uniform(0.8, 0.99, count), 2)),
        ("max_tokens", rng.integers(3, 90, count) * 100),
    ):
        odd = rng.random(count) < share
        columns[name] = np.where(odd, values, columns.get(name, np.nan))
    for i in np.flatnonzero(rng.random(count) < share / 3):
        columns["client1"][i] = columns["client2"][i] = population.clients.add(
            f"{population.name()}/{rng.integers(0, 9)}.{rng.integers(0, 9)}",
            population.clients.fingerprint(),
        )
    first = np.zeros(count, np.int64)
    families = ("enterprise", "operation", "support", "operation")
    for i in np.flatnonzero(rng.random(count) < share / 2):
        first[i] = population.openings(families[i % 4], 1)
    columns["preamble"] = first
    columns["preamble_share"] = np.where(first > 0, rng.uniform(0.3, 1.0, count), 0.0)


def _hobbyists(population: Population, count: int) -> None:
    rng = population.rng
    who = people(population, count, "hobbyist")
    web = population.accounts.columns()["gateway"][who["account"]] == 1
    columns = chat(population, who, web)
    columns.update(rate=rng.lognormal(np.log(2.2), 0.8, count), active=rng.beta(1.3, 4, count),
                   mix=population.mixture(CURIOUS), breadth=5)  # fmt: skip
    _through_proxy(population, columns, share=0.03)
    population.workloads.append(count, **columns)


def _through_proxy(population: Population, columns: dict[str, Any], share: float) -> None:
    """Some honest people browse through the very proxies that operations rent."""
    rng = population.rng
    count = len(columns["account"])
    for i in np.flatnonzero(rng.random(count) < share):
        hub = population.proxy_hub(int(rng.integers(6)))
        columns["pool2"][i], columns["size2"][i] = hub.start, hub.size
        columns["second"][i] = 0.9


def _developers(population: Population, count: int) -> None:
    rng = population.rng
    who = people(population, count, "developer",
                 gateway=rng.choice(5, count, p=DEVELOPER_GATEWAYS))  # fmt: skip
    columns = chat(population, who, np.zeros(count, bool))
    columns.update(rate=rng.lognormal(np.log(5), 0.9, count), active=rng.beta(2, 3, count),
                   weekend=rng.uniform(0.1, 0.8, count), mix=population.mixture(BUILDING),
                   sessions=2.5, again=0.05, errors=0.04)  # fmt: skip
    _through_proxy(population, columns, share=0.02)
    oddities(population, columns, share=0.12)
    # Scripts run on rented machines.
    rented = np.flatnonzero(rng.random(count) < 0.2)
    starts, sizes = population.clouds(len(rented), 1)
    columns["pool2"][rented], columns["size2"][rented] = starts, sizes
    population.workloads.append(count, **columns)


def service(population: Population, who: dict[str, Any], mean: float) -> dict[str, Any]:
    """The workload columns of back ends: volumes, bursts and lengths as ServeGen's clients."""
    rng = population.rng
    count = len(who["account"])
    volumes, active = traffic.production_volumes(rng, count, mean)
    runs, run_s = traffic.sessions_and_runs(active)
    in_mu, in_sd, out_mu, out_sd = traffic.production_lengths(rng, count)
    rare = rng.random(count) < 0.3  # a client of their own making
    own = np.array([population.clients.add(f"{population.name()}-backend/{i % 7}.{i % 10}",
                                           population.clients.fingerprint())
                    for i in range(int(rare.sum()))], np.int64)  # fmt: skip
    clients = population.clients.choose(False, count)
    clients[rare] = own
    return {
        **who,
        "rate": volumes, "active": 1.0, "weekend": rng.uniform(0.5, 1.0, count),
        "dispersion": traffic.DAY_LOG_SPREAD, "shape": SERVICE, "sessions": runs, "run_s": run_s,
        "gap_cv": traffic.from_quantiles(traffic.ARRIVAL_CV, rng.random(count)),
        "turns": 1.0, "conversations": rng.random(count) < 0.25,
        "in_mu": in_mu, "in_sd": in_sd, "out_mu": out_mu, "out_sd": out_sd,
        "client1": clients, "client2": clients,
        "max_tokens": rng.choice([-1, 128, 256, 512, 1024, 2048, 4096], count),
        "temperature": rng.choice([np.nan, 0.0, 0.1, 0.3, 0.7, 1.0], count),
        "top_p": rng.choice([np.nan, 0.9, 0.95, 1.0], count, p=[0.7, 0.1, 0.1, 0.1]),
        "fidget": np.where(rng.random(count) < 0.7, 0.0, 0.1),
        "stream": rng.choice([0.0, 1.0], count, p=[0.7, 0.3]),
        "system": population.keys(count), "narrow": rng.integers(1, 4, count),
        "paraphrase": rng.beta(1, 3, count), "english": rng.uniform(0, 0.4, count),
        "body_chars": np.exp(in_mu) * rng.uniform(0.1, 1.0, count),
        "adopt_day": rng.exponential(40, count), "adopt_share": 1.0, "adopt_ramp": 1.0,
        "model": rng.choice([0, 1, 2], count), "again": 0.02,
        "errors": rng.choice([0.002, 0.01, 0.05], count), "heavy": True,
    }  # fmt: skip


def job_mixture(population: Population, job: str) -> int:
    """A mixture of one main job and a little of the rest."""
    return population.mixture({job: 90, "question": 5, "classification": 5})


def _production(population: Population, count: int) -> None:
    rng = population.rng
    who = firms(population, split_groups(rng, count, 1, 2), "production")
    columns = service(population, who, mean=24.0)
    jobs = [job_mixture(population, job) for job in JOBS]
    columns.update(mix=rng.choice(jobs, count), breadth=rng.integers(1, 6, count),
                   operation=rng.choice([0, 1, 2, 3], count, p=[0.8, 0.06, 0.06, 0.08])
                   )  # fmt: skip
    oddities(population, columns, share=0.3)
    population.workloads.append(count, **columns)


_SETTLERS: Final[dict[str, Callable[[Population, int], None]]] = {
    "hobbyist": _hobbyists, "developer": _developers, "production": _production,
}  # fmt: skip


def settler(kind: str) -> Callable[[Callable[[Population, int], None]], Any]:
    """Register the function that settles a kind of honest customer."""

    def register(function: Callable[[Population, int], None]) -> Any:
        _SETTLERS[kind] = function
        return function

    return register
