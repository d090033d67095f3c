"""Distillation campaigns: who works for an operation, from where, when and on what.

A campaign takes seats; when the account on a seat is banned, or its turn on a rolling roster
ends, the next account takes over the seat and its part of the work list.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from jobs.simulator.honest import (
    BUILDING,
    CURIOUS,
    DEVELOPER_GATEWAYS,
    PRIVATE_KYC,
    PRIVATE_PAYMENTS,
    PRIVATE_PLANS,
    chat,
)
from jobs.simulator.infrastructure import CLOUDS, HOME_NETWORKS, PROXIES
from jobs.simulator.lookalikes import harness_lengths
from jobs.simulator.population import (
    AROUND,
    DAY,
    FOREVER,
    HARNESS_GATEWAYS,
    HARNESS_VERSIONS,
    SHIFT,
    WORKLOAD_FIELDS,
    Ints,
    Population,
)
from jobs.simulator.settings import CampaignPlan, WorldSettings
from jobs.simulator.tactics import CATALOGUE, WORKING_SHARE, Tactic, share_of_seats

LENDERS_LOG_SPREAD: Final = 0.9  # of developers' volumes, who lend in proportion


@dataclass(frozen=True)
class Operation:
    """One operation as the truth knows it; `known_as` is what analysts call it."""

    name: str
    class_: str
    tactic: str
    start_day: int
    end_day: int | None
    labelled: bool
    known_as: str


@dataclass(frozen=True)
class Tenure:
    """Who sits where and when: one element an account."""

    seat: Ints
    begin_s: Ints
    end_s: Ints
    suspended: NDArray[np.bool_]
    previous: Ints  # position of the account whose seat it took, or -1


def default_plans(settings: WorldSettings, rng: np.random.Generator) -> list[CampaignPlan]:
    """Lay out the tactics: the first three fifths early and labelled, the rest after all labels."""
    if settings.campaigns is not None:
        return list(settings.campaigns)
    tactics = settings.tactics
    if not tactics or settings.distillation_share == 0:
        return []
    total = max(len(tactics) * 3, round(settings.accounts * settings.distillation_share))
    weight = rng.uniform(0.5, 1.6, len(tactics))
    sizes = np.maximum(3, np.round(total * weight / weight.sum())).astype(int)
    early = len(tactics) - (2 if len(tactics) >= 4 else len(tactics) // 2)
    plans = []
    for i, tactic in enumerate(tactics):
        if i < early:
            start = int(rng.integers(-12, 1)) + round(i * settings.label_horizon / 5)
        else:
            start = settings.label_horizon + 2 * (i - early) + 1
        start = min(start, settings.days - 1)
        plans.append(CampaignPlan(tactic, int(sizes[i]), start, labelled=i < early))
    return plans


def tenures(
    rng: np.random.Generator, plan: CampaignPlan, tactic: Tactic, settings: WorldSettings
) -> Tenure:
    """Decide who holds each seat when: arrivals, bans, rolling rosters, replacements."""
    rows: list[tuple[int, int, int, bool, int]] = []
    last = (settings.days if plan.end_day is None else plan.end_day) * DAY
    horizon = settings.label_horizon * DAY
    start = plan.start_day * DAY
    for seat in range(plan.accounts):
        # Seats fill within two days; a first look by analysts takes three.
        begin = start + int(rng.uniform(0, min(1.5, 0.5 * (settings.days - plan.start_day))) * DAY)
        previous = -1
        while begin < last:
            end, suspended = FOREVER, False
            if tactic.life_days > 0:
                end = begin + int(rng.uniform(0.6, 1.4) * tactic.life_days * DAY)
            if plan.labelled and tactic.ban_rate > 0:
                # Nobody is found out before there is work to be found.
                asleep = int(tactic.sleep_days * DAY)
                found = max(begin + asleep, start + asleep + 3 * DAY, 0)
                ban = found + int(rng.exponential(1 / tactic.ban_rate) * DAY)
                if ban < min(end, horizon):
                    end, suspended = ban, True
            if plan.end_day is not None and end > last:
                end, suspended = last, False
            rows.append((seat, begin, end, suspended, previous))
            previous = len(rows) - 1
            begin = end + int(rng.exponential(tactic.replace_after_s)) + 60
    table = np.array(rows, np.int64).reshape(-1, 5)
    return Tenure(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(bool), table[:, 4])


def settle_campaign(population: Population, plan: CampaignPlan, number: int) -> Operation:
    """Settle one campaign's accounts and workloads; return it as the truth knows it."""
    rng = population.rng
    tactic = dataclasses.replace(CATALOGUE[plan.tactic], **plan.changes)  # type: ignore[arg-type]
    tenure = tenures(rng, plan, tactic, population.settings)
    count = len(tenure.seat)
    index = _accounts(population, plan, tactic, tenure, number)
    who = _networks(population, tactic, index, tenure)
    work = _work(population, tactic, who, tenure, plan.accounts)
    begin, end = tenure.begin_s, np.full(count, FOREVER)
    if tactic.sleep_days > 0:
        asleep = {} if tactic.clean_cover else dict(work)
        begin = tenure.begin_s + int(tactic.sleep_days * DAY)
        if tactic.sleep_spread > 0:
            less = tactic.sleep_days * tactic.sleep_spread * rng.random(count)
            begin = begin - (less * DAY).astype(np.int64)
        end = begin
        asleep.update(_clothes(population, who, tactic), rate=4.0, begin_s=tenure.begin_s,
                      end_s=end, work=False)  # fmt: skip
        population.workloads.append(count, **asleep)
    population.accounts.columns()["work_s"][index] = begin
    lent = tenure.seat < share_of_seats(tactic.lent_share, plan.accounts)
    volume = np.ones(count)
    if lent.any():
        volume[lent] = _settle_lenders(population, tactic, index[lent])
    if tactic.load_spread > 0:
        volume = volume * rng.lognormal(-0.5 * tactic.load_spread**2, tactic.load_spread, count)
    # Part of the work may be phrased as customers phrase theirs.
    parts = [(tactic.template_share, True), (1 - tactic.template_share, False)]
    for share, own_phrasing in parts:
        if share <= 0:
            continue
        part = dict(work)
        part.update(
            begin_s=begin,
            work=True,
            rate=tactic.requests_per_day * (1 - tactic.cover_share) * share * volume,
        )
        if not own_phrasing:
            part.update(narrow=0, paraphrase=1.0, preamble_share=0.0, closing=0,
                        style=population.keys(count))  # fmt: skip
        population.workloads.append(count, **part)
    if tactic.cover_share > 0:
        cover = {} if tactic.clean_cover else dict(work)
        # A lent account has its owner's traffic already.
        cover.update(_clothes(population, who, tactic), begin_s=begin, work=False,
                     rate=tactic.requests_per_day * tactic.cover_share * ~lent)  # fmt: skip
        population.workloads.append(count, **cover)
    return Operation(
        f"D{number:02d}-{plan.tactic}", "distillation", plan.tactic, plan.start_day, plan.end_day,
        plan.labelled, f"op-{population.name()}-{population.name()}",
    )  # fmt: skip


def _settle_lenders(population: Population, tactic: Tactic, index: Ints) -> NDArray[np.float64]:
    """Settle the lenders' own traffic; returns each one's volume beside the mean.

    A lender goes on as the developer it is, from its own home with its own client. It lends in
    proportion to what it uses, so that `cover_share` of the account's traffic stays its own.
    """
    rng = population.rng
    count = len(index)
    countries = population.accounts.columns()["country"][index]
    home, size = population.homes(countries)
    mobile, mobile_size = population.carriers(countries)
    who = {
        "account": index, "pool1": home, "size1": size, "pool2": mobile, "size2": mobile_size,
        "style": population.keys(count), "language": population.languages(countries),
        "topic": population.topics(count),
    }  # fmt: skip
    volume: NDArray[np.float64] = rng.lognormal(
        -0.5 * LENDERS_LOG_SPREAD**2, LENDERS_LOG_SPREAD, count
    )
    if tactic.cover_share > 0:
        columns = chat(population, who, np.zeros(count, bool))
        columns.update(rate=tactic.requests_per_day * tactic.cover_share * volume, sessions=2.5,
                       mix=population.mixture(BUILDING), again=0.05, errors=0.04)  # fmt: skip
        population.workloads.append(count, **columns)
    return volume


def _private(population: Population, tenure: Tenure, lent: NDArray[np.bool_]) -> dict[str, Any]:
    """Identities of private customers; who lends its account has had it for long."""
    rng = population.rng
    count = len(lent)
    plan = rng.choice([0, 1, 2], count, p=PRIVATE_PLANS)
    kyc = rng.choice([0, 1, 2, 3], count, p=PRIVATE_KYC)
    paying = plan > 0
    age = ((rng.exponential(220, count) + 1) * DAY).astype(np.int64)
    numbers: dict[str, Any] = {
        "plan": plan,
        "kyc": kyc,
        "phone": np.where(kyc >= 2, population.keys(count), 0),
        "payment": np.where(paying, population.keys(count), 0),
        "payment_type": np.where(paying, rng.choice([1, 2, 4], count, p=PRIVATE_PAYMENTS), 0),
        "gateway": rng.choice(5, count, p=DEVELOPER_GATEWAYS),
    }
    if lent.any():
        numbers["email_domain"], numbers["email_shape"] = population.mail(count)
        numbers["created_s"] = tenure.begin_s - age
        numbers["begin_s"] = numbers["created_s"] + 3_600
    return numbers


def _accounts(
    population: Population, plan: CampaignPlan, tactic: Tactic, tenure: Tenure, number: int
) -> Ints:
    """Identities: sign-up waves, cards, phones and mail addresses as the tactic has them."""
    rng = population.rng
    count = len(tenure.seat)
    first = tenure.previous < 0
    lead = np.where(first, tactic.signup_burst_s, 3 * tactic.signup_burst_s)
    created = tenure.begin_s - (rng.random(count) * lead).astype(np.int64) - 600
    # The first wave signs up in one go, the day before.
    wave = plan.start_day * DAY - 6 * 3_600 - (rng.random(count) * tactic.signup_burst_s)
    created = np.where(first, wave.astype(np.int64), created)
    aged = rng.random(count) < tactic.aged_share
    created = np.where(
        aged, created - (rng.exponential(200, count) * DAY).astype(np.int64), created
    )
    domains, shapes = population.mail(count)
    if tactic.mail_domains:
        own = np.array([f"{population.name()}.{e}" for e in rng.choice(
            ["xyz", "top", "site", "online"], tactic.mail_domains)], object)  # fmt: skip
        domains = np.where(rng.random(count) < 0.7, rng.choice(own, count), domains)
    if tactic.same_shape:
        shapes = np.where(rng.random(count) < 0.85, "aaaaaaa9999", shapes)
    countries = population.countries(count)
    own = tenure.seat < share_of_seats(tactic.own_instrument_share, plan.accounts)
    phones = population.keys(max(1, tactic.phone_count(count, int(own.sum())) - int(own.sum())))
    cards = population.keys(max(1, tactic.card_count(count, int(own.sum())) - int(own.sum())))
    kyc = np.where(rng.random(count) < 0.8, 2, 1)
    start, size = population.homes(countries)
    numbers: dict[str, Any] = {
        "key": population.keys(count),
        "created_s": created,
        "begin_s": tenure.begin_s,
        "end_s": tenure.end_s,
        "suspended": tenure.suspended,
        "plan": np.where(rng.random(count) < 0.85, tactic.plan, 2),
        "kyc": kyc,
        "email_domain": domains,
        "email_shape": shapes,
        "phone": np.where(kyc >= 2, phones[rng.permutation(count) % len(phones)], 0),
        "payment": cards[rng.permutation(count) % len(cards)],
        "payment_type": np.where(rng.random(count) < tactic.prepaid, 2, 1),
        "signup_address": start + rng.integers(0, 2**31, count) % size,
        "gateway": rng.choice(5, count, p=[0.66, 0.0, 0.06, 0.1, 0.18]),
        "country": countries,
        "class_": "distillation",
        "kind": "campaign",
        "campaign": number,
        "role": np.where(first, "founder", "replacement"),
    }
    if own.any():
        numbers["payment"] = np.where(own, population.keys(count), numbers["payment"])
        numbers["phone"] = np.where(own & (kyc >= 2), population.keys(count), numbers["phone"])
    if tactic.harness_share > 0:
        behind = tenure.seat < share_of_seats(tactic.harness_share, plan.accounts)
        gateway = rng.choice(5, count, p=HARNESS_GATEWAYS)
        numbers["gateway"] = np.where(behind, gateway, numbers["gateway"])
    lent = tenure.seat < share_of_seats(tactic.lent_share, plan.accounts)
    if lent.any() or tactic.customers_plans:
        for name, values in _private(population, tenure, lent).items():
            chosen = lent | (tactic.customers_plans and name not in ("created_s", "begin_s"))
            numbers[name] = np.where(chosen, values, numbers[name])
    index = population.accounts.append(count, seat=tenure.seat, **numbers)
    replaces = population.accounts.columns()["replaces"]
    replaces[index] = np.where(first, -1, index[tenure.previous])
    return index


def _networks(
    population: Population, tactic: Tactic, index: Ints, tenure: Tenure
) -> dict[str, Any]:
    """Where requests come from: exits of the tactic's kind, now and then the roster itself."""
    rng = population.rng
    count = len(index)
    countries = population.accounts.columns()["country"][index]
    seats = int(tenure.seat.max()) + 1
    own = tenure.seat < share_of_seats(tactic.own_exit_share, seats)
    exits = tactic.exit_count(seats - share_of_seats(tactic.own_exit_share, seats))
    if tactic.network == "homes":
        start, size = population.homes(countries)
    elif tactic.network == "cloud":
        # A few tenants, between whom the accounts are dealt out.
        tenants = max(2, tactic.roster // 4)
        starts, sizes = population.clouds(tenants, max(2, exits // tenants))
        deal = tenure.seat % tenants
        start, size = starts[deal], sizes[deal]
    else:
        if tactic.network == "residential":
            networks = [(asn, c) for c, owned in HOME_NETWORKS.items() for asn in owned]
        else:
            networks = list(PROXIES.items())
        pool = population.addresses.spread(networks, exits)
        start, size = np.full(count, pool.start), np.full(count, pool.size)
    machines = population.addresses.pool(
        int(rng.choice(list(CLOUDS))), "US", max(1, tactic.roster), 2
    )
    if tactic.network == "proxy":  # a rented proxy is shared with honest people
        hub = population.proxy_hub(int(rng.integers(6)))
        start = np.where(tenure.seat % 3 == 0, hub.start, start)
        size = np.where(tenure.seat % 3 == 0, hub.size, size)
    if own.any():
        start = np.where(own, population.homes(countries)[0], start)
        size = np.where(own, 1, size)
    return {
        "account": index,
        "pool1": start, "size1": size,
        # Who has an exit of its own never shows a machine of the roster.
        "pool2": np.where(own, start, machines.start), "size2": np.where(own, 1, machines.size),
        "second": tactic.leak_share,
        "style": population.keys(count),
        "language": population.languages(countries),
        "topic": population.topics(count),
    }  # fmt: skip


def _clothes(population: Population, who: dict[str, Any], tactic: Tactic) -> dict[str, Any]:
    """What an ordinary customer's traffic looks like, sent from the operation's exits."""
    count = len(who["account"])
    columns = chat(population, who, np.zeros(count, bool))
    columns.update(second=tactic.leak_share, mix=population.mixture({**CURIOUS, "coding": 20}),
                   breadth=3, paraphrase=1.0, dispersion=0.6)  # fmt: skip
    return columns


def _work(
    population: Population, tactic: Tactic, who: dict[str, Any], tenure: Tenure, seats: int
) -> dict[str, Any]:
    """The columns of the distillation work itself."""
    rng = population.rng
    count = len(who["account"])
    columns = chat(population, who, np.zeros(count, bool))
    lengths = {name: columns[name] for name in ("in_sd", "out_sd")}
    key = population.keys(1)[0]  # the operation's one phrasing, shared by all accounts
    spoken = population.settings.languages
    tongues = [i for i, lang in enumerate(("en", "de", "es", "fr", "zh"))
               if lang in tactic.languages and lang in spoken] or [0]  # fmt: skip
    openings = max(1, tactic.openings)
    columns.update(
        mix=population.mixture(tactic.mix), narrow=tactic.narrow, breadth=20, topic=0,
        paraphrase=tactic.paraphrase, body_chars=tactic.body_chars, again=0.002,
        conversations=rng.random(count) < 0.5, turns=1.0, even=tactic.even,
        dispersion=tactic.dispersion, weekend=tactic.weekend, errors=0.01,
        active=WORKING_SHARE * (1 - tactic.days_off),
        synonyms=tactic.synonyms, translated=tactic.translated,
        language=rng.choice(tongues, count), english=0.2 if tongues != [0] else 0.0,
        preamble=population.openings("operation", openings), preamble_count=openings,
        preamble_share=tactic.opening_share, tools=tactic.tools, sessions=tactic.sessions,
        closing=population.openings("closing", 1), adopt_day=0.0, adopt_ramp=tactic.migrate_days,
        adopt_share=tactic.migrate_share, model=2, rotate=tactic.network != "homes",
    )  # fmt: skip
    if rng.random() >= tactic.closing_share:
        columns["closing"] = 0
    columns["style"] = np.full(count, key) if tactic.paraphrase < 1 else columns["style"]
    if tactic.clients:
        roster = np.array([
            population.clients.add(
                f"{population.name()}/{rng.integers(1, 4)}.{rng.integers(0, 9)}"
                if rng.random() < 0.5
                else population.clients.user_agents[int(population.clients.choose(False, 1)[0])],
                population.clients.fingerprint(),
            )
            for _ in range(tactic.clients)
        ])  # fmt: skip
        columns.update(client1=rng.choice(roster, count), client2=rng.choice(roster, count))
    if tactic.own_settings:
        columns.update(
            temperature=round(float(rng.uniform(0.55, 1.1)), 2),
            top_p=float(rng.choice([np.nan, 0.92, 0.97, 0.98])), max_tokens=tactic.max_tokens,
            fidget=0.01, stream=0.0, system=population.keys(1)[0],
        )  # fmt: skip
    if tactic.own_lengths:
        columns.update(in_mu=6.0, in_sd=0.45, out_mu=6.9, out_sd=0.5)
    if tactic.harness_share > 0:
        behind = tenure.seat < share_of_seats(tactic.harness_share, seats)
        version = rng.choice(len(HARNESS_VERSIONS), count, p=HARNESS_VERSIONS)
        copied = {**population.harness().columns(version), **lengths,
                  **harness_lengths(rng, count)}  # fmt: skip
        for name, values in copied.items():
            kept = columns.get(name, WORKLOAD_FIELDS[name][1])
            columns[name] = np.where(behind, values, kept)
    if not tactic.customers_hours:
        group = tenure.seat % max(1, tactic.shifts)
        start = (tactic.shift_start_h + group * tactic.shift_h) % 24
        if tactic.zone_spread_h > 0:
            start = (start + tactic.zone_spread_h * rng.random(count)) % 24
        columns.update(shape=SHIFT, centre_h=start, width_h=tactic.shift_h)
        columns["gap_s"] = columns["gap_s"] if tactic.harness_share > 0 else 70.0
        if tactic.synchronised:
            # Group numbers only need to differ between operations and shifts.
            columns.update(sync_group=(int(key) % 2**40) * 8 + group, jitter_s=tactic.jitter_s,
                           synchrony=tactic.synchrony)  # fmt: skip
    else:
        columns.update(shape=AROUND)
    return columns
