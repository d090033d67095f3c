"""Distillation campaigns: one tactic is a set of habits, and every habit is a number to turn.

The tactics are those of public reports of real operations: many accounts at about 26 requests a
day, hydra networks behind proxies with work mixed into customers' traffic, synchronised shards,
shared payment, narrow templates, rewriting for a censor, agentic work, and moving to a new model
within a day. A campaign takes seats; when the account on a seat is banned, or its turn on a
rolling roster ends, the next account takes over the seat and its part of the work list.
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
    split_groups,
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
from jobs.simulator.settings import TACTICS, CampaignPlan, WorldSettings

TEACHING: Final = {"reasoning": 34, "rubric_grading": 22, "judged_pair": 14, "maths": 15,
                   "coding": 15}  # fmt: skip
WORKING_SHARE: Final = 0.97  # of weekdays on which an account of an operation works
LENDERS_LOG_SPREAD: Final = 0.9  # of developers' volumes, who lend in proportion
AGENTIC: Final = {"agentic": 38, "coding": 27, "tool_use": 25, "debugging": 10}
CENSOR: Final = {"censor_rewrite": 70, "translation": 15, "classification": 15}
BROAD: Final = {"reasoning": 14, "coding": 18, "maths": 12, "question": 16, "role_play": 10,
                "extraction": 8, "translation": 8, "summary": 8, "multiple_choice": 6}  # fmt: skip


@dataclass(frozen=True)
class Tactic:
    """The habits of an operation. Times in hours (UTC) or seconds, shares from 0 to 1."""

    requests_per_day: float = 26.0  # an account and day; reported: 26
    even: bool = True  # load spread evenly over accounts by a scheduler
    dispersion: float = 0.12
    cover_share: float = 0.0  # of an account's requests: ordinary customers' traffic
    clean_cover: bool = False  # which has nothing of the work's openings, tools and settings
    lent_share: float = 0.0  # of seats: an honest customer's account, lent while in use
    ban_rate: float = 0.03  # of accounts a day, once a labelled campaign is being looked into
    replace_after_s: float = 3_600.0  # until the next account takes over a banned one's seat
    life_days: float = 0.0  # rolling roster: days until an account hands over; 0: never
    sleep_days: float = 0.0  # days of harmless use before the work begins
    sleep_spread: float = 0.0  # up to this share of them less, each account its own
    aged_share: float = 0.1  # of accounts: bought, signed up long ago
    signup_burst_s: float = 6 * 3_600.0  # sign-ups of one wave fall within
    # Networks: homes (one each), residential (exits in many homes), proxy, cloud.
    network: str = "residential"
    exits_per_account: float = 2.5
    own_exit_share: float = 0.0  # of seats: one address of a home, which nobody else uses
    roster: int = 6  # machines behind the exits
    leak_share: float = 0.02  # of sessions that show a machine of the roster
    # Identity.
    accounts_per_card: float = 1.0
    accounts_per_phone: float = 1.0
    own_instrument_share: float = 0.0  # of seats: a card and a phone of their own
    mail_domains: int = 0  # throw-away domains; 0: free mail
    same_shape: bool = False  # of the mail address's local part
    prepaid: float = 0.3
    plan: int = 1
    customers_plans: bool = False  # plans, verification and gateways as private customers'
    # Client and settings: of its own making, or like customers'.
    clients: int = 2  # rare clients; 0: popular ones, as customers have
    own_settings: bool = True
    own_lengths: bool = True
    max_tokens: int = 4096
    harness_share: float = 0.0  # of seats: through the most popular agent harness, as it is
    # Content.
    mix: dict[str, float] = dataclasses.field(default_factory=lambda: dict(BROAD))
    narrow: int = 2  # templates a capability; 0: all
    paraphrase: float = 0.25
    synonyms: float = 0.0  # share of the words that have a synonym: it stands in their place
    languages: tuple[str, ...] = ("en",)
    translated: float = 0.0  # share of work prompts dealt over all the world's languages
    openings: int = 3  # shared openings
    opening_share: float = 0.8  # of work prompts behind one of them
    closing_share: float = 0.3
    template_share: float = 1.0  # of work prompts in the operation's phrasing, not customers'
    tools: int = 0
    body_chars: float = 260.0
    # Time.
    shift_start_h: float = 2.0
    shift_h: float = 9.0  # 24: round the clock
    shifts: int = 1  # groups of accounts that work one after another
    synchronised: bool = False  # sessions of a shift start together
    jitter_s: float = 120.0
    synchrony: float = 1.0  # share of a synchronised operation's sessions that start together
    zone_spread_h: float = 0.0  # over which accounts' shifts are spread; 24: round the world
    sessions: float = 4.0
    customers_hours: bool = False  # each account has hours of its own
    weekend: float = 0.95
    # The new model.
    migrate_share: float = 0.3
    migrate_days: float = 1.0

    @property
    def work_a_day(self) -> float:
        """Work requests an account and day, weekends included, while the account works."""
        week = (5 + 2 * self.weekend) / 7
        return self.requests_per_day * (1 - self.cover_share) * WORKING_SHARE * week

    def card_count(self, accounts: int, own: int) -> int:
        """Payment instruments of so many accounts, `own` of which have one of their own."""
        return own + max(min(1, accounts - own), round((accounts - own) / self.accounts_per_card))

    def phone_count(self, accounts: int, own: int) -> int:
        """As `card_count`, for phone numbers."""
        return own + max(min(1, accounts - own), round((accounts - own) / self.accounts_per_phone))

    def exit_count(self, seats: int) -> int:
        """Addresses behind so many seats, exits of their own aside."""
        return max(2, round(seats * self.exits_per_account))


CATALOGUE: Final[dict[str, Tactic]] = {
    "hydra_proxies": Tactic(
        network="residential", cover_share=0.5, ban_rate=0.05, replace_after_s=900.0,
        aged_share=0.25, leak_share=0.04, mail_domains=4, exits_per_account=3.0, shift_h=24.0,
        opening_share=0.6,
    ),
    "synchronized_shards": Tactic(
        network="cloud", synchronised=True, shifts=2, jitter_s=90.0, dispersion=0.05, roster=12,
        accounts_per_card=3.0, openings=2, shift_h=8.0, ban_rate=0.02, paraphrase=0.5,
    ),
    "shared_payment": Tactic(
        network="proxy", accounts_per_card=9.0, accounts_per_phone=6.0, mail_domains=2,
        same_shape=True, prepaid=0.8, signup_burst_s=2 * 3_600.0, aged_share=0.0, even=False,
        dispersion=0.5, narrow=3, paraphrase=0.5, opening_share=0.3, clients=3,
    ),
    "template_farm": Tactic(
        network="proxy", mix=dict(TEACHING), narrow=1, paraphrase=0.0, openings=4,
        opening_share=1.0, closing_share=0.8, body_chars=420.0, shift_h=14.0,
    ),
    "censor_rewrite": Tactic(
        network="residential", mix=dict(CENSOR), languages=("zh", "en"), narrow=2, paraphrase=0.2,
        shift_start_h=1.0, accounts_per_phone=3.0, opening_share=0.5, body_chars=380.0,
    ),
    "agentic_tools": Tactic(
        network="cloud", mix=dict(AGENTIC), tools=11, roster=20, clients=1, narrow=2,
        paraphrase=0.3, openings=3, sessions=3.0, shift_h=24.0, accounts_per_card=2.0,
        body_chars=500.0, max_tokens=16_384, migrate_share=0.6,
    ),
    "model_migration": Tactic(
        network="residential", migrate_share=0.85, migrate_days=0.5, shift_h=16.0,
        accounts_per_card=1.5, paraphrase=0.6, opening_share=0.4, narrow=0, clients=1,
    ),
    "customer_clothes": Tactic(
        network="homes", even=False, dispersion=0.5, clients=0, own_settings=False,
        own_lengths=False, leak_share=0.05, narrow=1, paraphrase=0.3, opening_share=0.0,
        closing_share=0.0, template_share=0.35, customers_hours=True, weekend=0.8,
        aged_share=0.5, signup_burst_s=12 * DAY, prepaid=0.1, plan=2, migrate_share=0.2,
        migrate_days=8.0, cover_share=0.15, mix={**BUILDING, "reasoning": 12, "maths": 8},
    ),
}  # fmt: skip
assert set(CATALOGUE) == set(TACTICS)


def share_of_seats(share: float, seats: int) -> int:
    """How many seats a share of them is; they are the first ones."""
    return round(share * seats)


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
        dispersion=tactic.dispersion, weekend=tactic.weekend, active=WORKING_SHARE, errors=0.01,
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
