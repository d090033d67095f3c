"""Grey resellers: what shares an operation's infrastructure and is none."""

from __future__ import annotations

import numpy as np

from jobs.simulator.campaigns import Operation
from jobs.simulator.honest import BUILDING, CURIOUS, chat, split_groups
from jobs.simulator.population import DAY, Population


def settle_reseller(population: Population, count: int, number: int) -> Operation:
    """A grey reseller: a pool of accounts behind one relay, and behind it real people.

    It shares cards, phones, exits and a client as a campaign does, but its prompts, languages,
    hours and settings are those of its many customers, and its accounts differ in load.
    """
    rng = population.rng
    settings = population.settings
    begin = np.where(rng.random(count) < 0.8, -rng.integers(5, 60, count),
                     rng.integers(0, max(1, settings.days - 2), count)) * DAY  # fmt: skip
    countries = population.countries(count)
    domains, shapes = population.mail(count)
    cards, phones = population.keys(max(1, count // 7)), population.keys(max(1, count // 5))
    home, size = population.homes(countries)
    mail = f"{population.name()}.shop"
    index = population.accounts.append(
        count, key=population.keys(count), created_s=begin - rng.integers(600, 3 * DAY, count),
        begin_s=begin, plan=rng.choice([1, 2], count), kyc=2,
        email_domain=np.where(rng.random(count) < 0.4, mail, domains), email_shape=shapes,
        phone=phones[rng.integers(0, len(phones), count)],
        payment=cards[rng.integers(0, len(cards), count)],
        payment_type=rng.choice([1, 2, 4], count, p=[0.3, 0.5, 0.2]),
        signup_address=home + rng.integers(0, 2**31, count) % size,
        gateway=rng.choice(5, count, p=[0.7, 0.0, 0.05, 0.05, 0.2]), country=countries,
        class_="resale", kind="reseller", campaign=number, role="pool",
    )  # fmt: skip
    hub = population.proxy_hub(int(rng.integers(6)))
    relays = population.clouds(1, max(3, count // 6))
    relay = [
        population.clients.add(f"{population.name()}-relay/1.{i}", population.clients.fingerprint())
        for i in range(2)
    ]
    who = {
        "account": index, "pool1": relays[0][0], "size1": relays[1][0], "pool2": hub.start,
        "size2": hub.size, "style": population.keys(count),
        "language": rng.choice(population.languages(population.countries(400)), count),
        "topic": population.topics(count),
    }  # fmt: skip
    for part in split_groups(rng, 100, 40, 60):  # two crowds of customers, each with its mixture
        columns = chat(population, who, np.zeros(count, bool))
        mix = population.mixture(CURIOUS if part % 2 else {**CURIOUS, **BUILDING})
        columns.update(
            rate=rng.lognormal(np.log(30), 0.8, count) * part / 100, mix=mix, breadth=20,
            paraphrase=1.0, rotate=True, second=0.25, fidget=0.6, english=0.4, sessions=10.0,
            client1=rng.choice(relay, count), client2=rng.choice(relay, count),
            second_client=0.2, width_h=5.0, system=0, begin_s=begin,
        )  # fmt: skip
        population.workloads.append(count, **columns)
    return Operation(f"R{number:02d}-reseller", "resale", "reseller", -60, None, True,
                     f"resale-{population.name()}")  # fmt: skip
