"""The tables a world is made of: accounts, and what each of them does (workloads).

An account has one workload or several: a developer's own questions, an operation's work, the
ordinary traffic an operation hides it in. Each day is drawn from workloads alone, so a new
behaviour is a new row, not a new loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from jobs.simulator.infrastructure import (
    CARRIER_NETWORKS,
    CLOUD_WEIGHTS,
    CLOUDS,
    COUNTRY_WEIGHTS,
    HOME_NETWORKS,
    HOURS_AHEAD,
    LANGUAGE_OF,
    PROXIES,
    UNIVERSITIES,
    Addresses,
    Clients,
    Pool,
)
from jobs.simulator.prompts import LANGUAGES, TOPIC_COUNT, Grammar
from jobs.simulator.settings import WorldSettings
from jobs.simulator.templates import CAPABILITIES

Ints = NDArray[np.int64]
DAY: Final = 86_400
FOREVER: Final = 10**12  # seconds; an account that is never closed
GATEWAYS: Final = ("edge", "console", "harbor", "summit", "transit")
CHANNELS: Final = ("first_party", "web", "cloud", "cloud", "partner")
MODELS: Final = ("atlas-2-mini", "atlas-3-mini", "atlas-3-large", "atlas-embed-1", "atlas-4")
NEW_MODEL: Final = MODELS.index("atlas-4")
OPERATIONS: Final = ("chat", "text_completion", "batch", "embeddings")
PLANS: Final = ("free", "credits", "pay_as_you_go", "enterprise")
PAYMENTS: Final = ("none", "card", "prepaid", "invoice", "crypto")
# Times of day: around an hour, within a shift, or as a service's hours go.
AROUND, SHIFT, SERVICE = 0, 1, 2
FREE_MAIL: Final = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "proton.me", "gmx.de",
                    "qq.com", "163.com", "orange.fr", "mail.com")  # fmt: skip
FREE_MAIL_WEIGHTS: Final = (46, 16, 9, 8, 6, 4, 4, 3, 2, 2)
EMAIL_SHAPES: Final = ("aaaaa.aaaaaa", "aaaaaaaa", "aaaaaa99", "a.aaaaaaa", "aaaa.aaaaa99",
                       "aaaaaaaaaa", "aaaa9999", "aaa", "aaaaaaa9", "aaaaaa_aaaa")  # fmt: skip

ACCOUNT_FIELDS: Final[dict[str, tuple[Any, Any]]] = {
    "key": (np.uint64, 0),  # the identifier follows from it
    "org": (np.uint64, 0),  # 0: none
    "created_s": (np.int64, 0),  # seconds since the world's start
    "begin_s": (np.int64, -FOREVER),  # first and last moment it may send
    "end_s": (np.int64, FOREVER),
    "suspended": (np.bool_, False),  # at end_s: suspended, else closed
    "plan": (np.int64, 2),
    "kyc": (np.int64, 1),
    "verified": (np.bool_, False),
    "email_domain": (object, None),
    "email_shape": (object, None),
    "phone": (np.uint64, 0),
    "payment": (np.uint64, 0),
    "payment_type": (np.int64, 0),
    "signup_address": (np.int64, -1),
    "declared_use": (object, None),
    "gateway": (np.int64, 0),
    "withhold_text": (np.bool_, False),
    "country": (object, "US"),
    "class_": (object, "benign"),
    "kind": (object, ""),
    "campaign": (np.int64, -1),  # index into World.campaigns; resale operations stand there too
    "role": (object, ""),
    "replaces": (np.int64, -1),
    "work_s": (np.int64, -FOREVER),  # when its work for an operation begins
    "seat": (np.int64, -1),  # of its campaign: its part of the work list
}
WORKLOAD_FIELDS: Final[dict[str, tuple[Any, Any]]] = {
    "account": (np.int64, 0),
    "work": (np.bool_, False),  # distillation work, as opposed to what hides it
    "begin_s": (np.int64, -FOREVER),
    "end_s": (np.int64, FOREVER),
    "rate": (np.float64, 1.0),  # mean requests on an active day
    "active": (np.float64, 1.0),  # share of weekdays with any traffic
    "weekend": (np.float64, 0.6),  # factor of that share on Saturday and Sunday
    "dispersion": (np.float64, 0.6),  # coefficient of variation of the daily rate
    "even": (np.bool_, False),  # a scheduler fills a quota: no chance in the count
    "shape": (np.int64, AROUND),
    "centre_h": (np.float64, 14.0),  # UTC hour; the shift's start for SHIFT
    "width_h": (np.float64, 4.0),  # spread; the shift's length for SHIFT
    "sync_group": (np.int64, -1),  # workloads of a group start their sessions together
    "jitter_s": (np.float64, 0.0),
    "synchrony": (np.float64, 1.0),  # share of sessions that keep to the group's timetable
    "sessions": (np.float64, 1.5),  # a day
    "run_s": (np.float64, 0.0),  # seconds a session lasts; 0: gap_s decides
    "gap_s": (np.float64, 90.0),
    "gap_cv": (np.float64, 1.3),
    "turns": (np.float64, 3.0),  # a conversation
    "conversations": (np.bool_, True),
    "in_mu": (np.float64, 6.0),
    "in_sd": (np.float64, 0.7),
    "out_mu": (np.float64, 5.0),
    "out_sd": (np.float64, 0.7),
    "max_tokens": (np.int64, -1),
    "temperature": (np.float64, np.nan),
    "top_p": (np.float64, np.nan),
    "choices": (np.int64, 1),
    "fidget": (np.float64, 0.05),  # share of requests with other settings
    "stream": (np.float64, 0.7),
    "logprobs": (np.float64, 0.0),
    "tools": (np.int64, 0),
    "pool1": (np.int64, 0),
    "size1": (np.int64, 1),
    "pool2": (np.int64, 0),
    "size2": (np.int64, 1),
    "second": (np.float64, 0.0),  # share of sessions through the second pool
    "rotate": (np.bool_, False),  # another address each request
    "client1": (np.int64, 0),
    "client2": (np.int64, 0),
    "second_client": (np.float64, 0.0),
    "mix": (np.int64, 0),  # row of World.mixes
    "narrow": (np.int64, 0),  # templates a capability is asked with; 0: all
    "paraphrase": (np.float64, 0.6),
    "synonyms": (np.float64, 0.0),  # share of words chosen anew among their synonyms
    "style": (np.uint64, 0),
    "topic": (np.int64, 0),
    "breadth": (np.int64, 3),  # topics it comes back to
    "language": (np.int64, 0),
    "english": (np.float64, 0.3),  # share of prompts in English all the same
    "translated": (np.float64, 0.0),  # share of prompts dealt over all the world's languages
    "preamble": (np.int64, 0),
    "preamble_count": (np.int64, 1),
    "preamble_share": (np.float64, 0.0),
    "closing": (np.int64, 0),
    "list_key": (np.uint64, 0),  # prompts come from a list of list_size; 0: always new
    "list_size": (np.int64, 0),
    # A list of real prompts: it takes `corpus_size` of them in turn, from `corpus_start` on,
    # starting at `corpus_at`; 0: the grammar writes its prompts.
    "corpus_start": (np.int64, 0),
    "corpus_size": (np.int64, 0),
    "corpus_at": (np.int64, 0),
    "body_chars": (np.float64, 250.0),
    "again": (np.float64, 0.01),  # share of requests that repeat the one before
    "model": (np.int64, 2),
    "adopt_day": (np.float64, 1e9),  # days after its launch until it tries the new model
    "adopt_ramp": (np.float64, 5.0),
    "adopt_share": (np.float64, 0.6),
    "system": (np.uint64, 0),  # 0: no system prompt
    "operation": (np.int64, 0),
    "errors": (np.float64, 0.015),
    "heavy": (np.bool_, False),  # scaled first when a world is told its volume
}


@dataclass(frozen=True)
class Harness:
    """An agent harness that many people run: what its requests have in common, by version."""

    clients: Ints
    opening: int  # of its first version, in the lexicon
    system: NDArray[np.uint64]

    def columns(self, version: Ints) -> dict[str, Any]:
        """The workload columns of somebody who runs a version of it."""
        return {
            "client1": self.clients[version], "client2": self.clients[version],
            "tools": np.array([9, 9, 8])[version], "temperature": 0.0, "top_p": np.nan,
            "max_tokens": 8192, "fidget": 0.0, "stream": 1.0, "system": self.system[version],
            "preamble": self.opening + version, "preamble_count": 1, "preamble_share": 0.35,
            "gap_s": 25.0, "turns": 12.0, "conversations": True,
        }  # fmt: skip


HARNESS_VERSIONS: Final = (0.6, 0.3, 0.1)  # how many of a harness' users run each version
HARNESS_GATEWAYS: Final = (0.6, 0.0, 0.12, 0.13, 0.15)  # through which they come, as GATEWAYS


class Table:
    """Columns that grow by blocks: a value for all rows of a block, or one a row."""

    def __init__(self, fields: dict[str, tuple[Any, Any]]) -> None:
        self._fields = fields
        self._blocks: dict[str, list[NDArray[Any]]] = {name: [] for name in fields}
        self.rows = 0

    def append(self, count: int, **values: Any) -> Ints:
        """Add rows and return their indexes; a column not given takes its default."""
        unknown = set(values) - set(self._fields)
        if unknown:
            raise KeyError(f"no such column: {sorted(unknown)}")
        for name, (dtype, default) in self._fields.items():
            value = values.get(name, default)
            block = np.empty(count, dtype)
            block[:] = value
            self._blocks[name].append(block)
        self.rows += count
        return np.arange(self.rows - count, self.rows)

    def columns(self) -> dict[str, NDArray[Any]]:
        """All rows, column by column."""
        merged = {}
        for name, (dtype, _) in self._fields.items():
            blocks = self._blocks[name]
            merged[name] = np.concatenate(blocks) if blocks else np.empty(0, dtype)
            self._blocks[name] = [merged[name]]
        return merged


@dataclass
class Population:
    """A world while it is being settled: tables, shared networks, clients, grammar."""

    settings: WorldSettings
    rng: np.random.Generator = field(init=False)
    accounts: Table = field(default_factory=lambda: Table(ACCOUNT_FIELDS))
    workloads: Table = field(default_factory=lambda: Table(WORKLOAD_FIELDS))

    def __post_init__(self) -> None:
        seed = self.settings.seed
        self.rng = np.random.default_rng([seed, 0x01])
        self.addresses = Addresses(np.random.default_rng([seed, 0x02]))
        self.clients = Clients(np.random.default_rng([seed, 0x03]))
        self.grammar = Grammar.of(seed)
        self.mixes: list[NDArray[np.float64]] = []
        self._shared: dict[tuple[str, int], Pool] = {}
        self._harnesses: dict[int, Harness] = {}
        self._names = np.random.default_rng([seed, 0x04])

    # ------------------------------------------------------------------ places

    def keys(self, count: int) -> NDArray[np.uint64]:
        """Random keys, never 0."""
        return self.rng.integers(1, 2**63, count).astype(np.uint64)

    def countries(self, count: int) -> NDArray[Any]:
        """Countries of customers, by their weight."""
        weight = np.array(list(COUNTRY_WEIGHTS.values()), float)
        return self.rng.choice(
            np.array(list(COUNTRY_WEIGHTS), object), count, p=weight / weight.sum()
        )

    def homes(self, countries: NDArray[Any]) -> tuple[Ints, Ints]:
        """A home connection each: one to four IPv4 leases, or one IPv6 /64."""
        starts, sizes = np.empty(len(countries), np.int64), np.empty(len(countries), np.int64)
        leases = self.rng.choice([1, 2, 3, 4], len(countries), p=[0.45, 0.3, 0.15, 0.1])
        sixth = self.rng.random(len(countries)) < 0.25
        choice = self.rng.random(len(countries))
        for i, country in enumerate(countries):
            networks = HOME_NETWORKS[country]
            asn = networks[int(len(networks) * choice[i] ** 1.7)]  # the first are the largest
            if sixth[i]:
                pool = self.addresses.home6(asn, country, 6)
            else:
                pool = self.addresses.pool(asn, country, int(leases[i]))
            starts[i], sizes[i] = pool.start, pool.size
        return starts, sizes

    def _hub(self, kind: str, number: int, make: Any) -> Pool:
        pool = self._shared.get((kind, number))
        if pool is None:
            pool = self._shared[kind, number] = make()
        return pool

    def carriers(self, countries: NDArray[Any]) -> tuple[Ints, Ints]:
        """The shared addresses of a mobile carrier of each country."""
        pools = []
        for country, draw in zip(countries, self.rng.random(len(countries)), strict=True):
            networks = CARRIER_NETWORKS[country]
            asn = networks[int(len(networks) * draw)]
            pools.append(
                self._hub("carrier", asn, lambda a=asn, c=country: self.addresses.pool(a, c, 24, 3))
            )
        return np.array([p.start for p in pools]), np.array([p.size for p in pools])

    def proxy_hub(self, number: int) -> Pool:
        """Exits of one commercial proxy service, which honest people use as well."""
        asn = list(PROXIES)[number % len(PROXIES)]
        return self._hub("proxy", asn, lambda: self.addresses.pool(asn, PROXIES[asn], 240, 12))

    def harness(self, number: int = 0) -> Harness:
        """One popular open-source agent harness; 0 is the most popular one."""
        if number not in self._harnesses:
            fingerprint, name = self.clients.fingerprint(), self.name()
            self._harnesses[number] = Harness(
                clients=np.array(
                    [self.clients.add(f"{name}-agent/2.{v}", fingerprint) for v in range(3)]
                ),
                opening=self.openings("harness", 3),
                system=self.keys(3),
            )
        return self._harnesses[number]

    def university(self, number: int) -> tuple[Pool, str]:
        """A campus network and its country."""
        asn, country = UNIVERSITIES[number % len(UNIVERSITIES)]
        return self._hub("campus", asn, lambda: self.addresses.pool(asn, country, 40, 3)), country

    def clouds(self, tenants: int, size: Ints | int) -> tuple[Ints, Ints]:
        """Machines of tenants of public clouds, each with addresses of its own."""
        networks = np.array(list(CLOUDS))
        share = np.array(CLOUD_WEIGHTS) / sum(CLOUD_WEIGHTS)
        starts, sizes = np.empty(tenants, np.int64), np.broadcast_to(size, tenants).copy()
        for i, asn in enumerate(self.rng.choice(networks, tenants, p=share)):
            country = CLOUDS[int(asn)]
            starts[i] = self.addresses.pool(int(asn), country, int(sizes[i])).start
        return starts, sizes

    # ------------------------------------------------------------------ people

    def name(self) -> str:
        """A name for a firm, a tool or a model, of the grammar's syllables."""
        return self.grammar.name(self._names)

    def mail(self, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Free mail domains and shapes of local parts."""
        weight = np.array(FREE_MAIL_WEIGHTS, float)
        domains = self.rng.choice(np.array(FREE_MAIL, object), count, p=weight / weight.sum())
        return domains, self.rng.choice(np.array(EMAIL_SHAPES, object), count)

    def languages(self, countries: NDArray[Any]) -> Ints:
        """The language people of a country prompt in, where the world speaks it."""
        spoken = self.settings.languages
        codes = [LANGUAGE_OF.get(country, "en") for country in countries]
        fallback = LANGUAGES.index(spoken[0]) if "en" not in spoken else 0
        return np.array([LANGUAGES.index(c) if c in spoken else fallback for c in codes], np.int64)

    def noon(self, countries: NDArray[Any]) -> NDArray[np.float64]:
        """UTC hour of local noon."""
        return np.array([(12.0 - HOURS_AHEAD[country]) % 24 for country in countries])

    def mixture(self, weights: Mapping[str, float]) -> int:
        """Register a mixture of capabilities and return its row."""
        allowed = self.settings.capabilities
        row = np.array(
            [weights.get(c, 0.0) if allowed is None or c in allowed else 0.0 for c in CAPABILITIES]
        )
        if row.sum() == 0:  # the world asks for families this kind does not know
            row = np.array([1.0 if c in (allowed or ()) else 0.0 for c in CAPABILITIES])
        if row.sum() == 0:
            raise ValueError(f"unknown capability among {allowed}: choose of {CAPABILITIES}")
        self.mixes.append(row / row.sum())
        return len(self.mixes) - 1

    def topics(self, count: int) -> Ints:
        """A field of interest each; some are more popular."""
        return (self.rng.random(count) ** 1.4 * TOPIC_COUNT).astype(np.int64)

    def openings(self, family: str, count: int, topic: int | None = None) -> int:
        """Write `count` openings of a family and return the first one's index in the lexicon."""
        rng = self.rng
        texts = [
            self.grammar.compose(
                family, int(rng.integers(TOPIC_COUNT)) if topic is None else topic, rng
            )
            for _ in range(count)
        ]
        first, *_ = [self.grammar.add(text) for text in texts]
        return first
