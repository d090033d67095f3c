"""Networks, addresses and clients that accounts share, honestly or not.

Autonomous system numbers are public facts; the addresses under them are invented prefixes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Country -> autonomous systems of home providers, then of mobile carriers (who share addresses
# between many customers), both as numbers.
HOME_NETWORKS: Final = {
    "US": (7922, 7018, 701, 20115, 22773), "GB": (2856, 5089, 5607), "DE": (3320, 6805, 3209),
    "FR": (3215, 12322, 15557), "ES": (3352, 12479, 6739), "IN": (9829, 24560, 45609),
    "BR": (28573, 18881, 27699), "JP": (4713, 17676, 2516), "CN": (4134, 4837, 4812),
    "CA": (577, 812, 6327), "MX": (8151, 13999), "PL": (5617, 12741), "NL": (1136, 33915),
    "VN": (7552, 18403), "ID": (7713, 23693), "SG": (9506, 4773), "AU": (1221, 4804),
}  # fmt: skip
CARRIER_NETWORKS: Final = {
    "US": (21928, 20057, 6167), "GB": (25135, 12576), "DE": (12638,), "FR": (51207,),
    "ES": (12430,), "IN": (55836, 45271), "BR": (26599,), "JP": (9605,), "CN": (9808,),
    "CA": (36692,), "MX": (28403,), "PL": (8374,), "NL": (15480,), "VN": (24086,), "ID": (4761,),
    "SG": (3758,), "AU": (133612,),
}  # fmt: skip
COUNTRY_WEIGHTS: Final = {
    "US": 30, "GB": 7, "DE": 7, "FR": 6, "ES": 5, "IN": 12, "BR": 5, "JP": 4, "CN": 3, "CA": 4,
    "MX": 3, "PL": 2, "NL": 2, "VN": 3, "ID": 3, "SG": 2, "AU": 2,
}  # fmt: skip
LANGUAGE_OF: Final = {"DE": "de", "FR": "fr", "ES": "es", "MX": "es", "CN": "zh"}
# Hours ahead of UTC, one for each country (its most populous zone, summer).
HOURS_AHEAD: Final = {
    "US": -5, "GB": 1, "DE": 2, "FR": 2, "ES": 2, "IN": 5.5, "BR": -3, "JP": 9, "CN": 8, "CA": -4,
    "MX": -6, "PL": 2, "NL": 2, "VN": 7, "ID": 7, "SG": 8, "AU": 10,
}  # fmt: skip
CLOUDS: Final = {
    16509: "US", 14618: "US", 396982: "US", 8075: "US", 16276: "FR", 24940: "DE", 14061: "US",
    63949: "US", 45102: "SG", 132203: "SG", 20473: "US", 31898: "US",
}  # fmt: skip
CLOUD_WEIGHTS: Final = (30, 8, 16, 16, 6, 7, 6, 3, 3, 2, 2, 1)
PROXIES: Final = {9009: "GB", 60068: "GB", 212238: "US", 62240: "NL", 206092: "GB", 136787: "SG"}
UNIVERSITIES: Final = (
    (3, "US"), (11, "US"), (52, "US"), (87, "US"), (786, "GB"), (680, "DE"), (2200, "FR"),
    (766, "ES"), (4538, "CN"), (2907, "JP"), (1103, "NL"), (8501, "PL"), (55847, "IN"),
)  # fmt: skip


@dataclass(frozen=True)
class Pool:
    """A run of the address table that somebody draws from."""

    start: int
    size: int


class Addresses:
    """The table of client addresses: text, network number and country of each."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._text: list[str] = []
        self._asn: list[int] = []
        self._country: list[str] = []
        self._prefixes: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._text)

    def _prefix(self, asn: int) -> int:
        """A /16 of a network; large networks own several."""
        owned = self._prefixes.setdefault(asn, [])
        if not owned:
            for _ in range(int(self._rng.integers(2, 7))):
                first = int(self._rng.integers(23, 223))
                while first in (127, 100, 169, 172, 192, 198, 203):  # ranges with reserved parts
                    first = int(self._rng.integers(23, 223))
                owned.append(first << 24 | int(self._rng.integers(0, 256)) << 16)
        return owned[int(self._rng.integers(len(owned)))]

    def pool(self, asn: int, country: str, size: int, subnets: int | None = None) -> Pool:
        """Add addresses of one network, spread over all its space or over a few /24s."""
        start = len(self._text)
        rng = self._rng
        if subnets:
            base = [self._prefix(asn) | int(rng.integers(256)) << 8 for _ in range(subnets)]
            values = [base[i % subnets] | int(rng.integers(1, 255)) for i in range(size)]
        else:
            values = [self._prefix(asn) | int(v) for v in rng.integers(257, 65_000, size)]
        self._text += [f"{v >> 24}.{v >> 16 & 255}.{v >> 8 & 255}.{v & 255}" for v in values]
        self._asn += [asn] * size
        self._country += [country] * size
        return Pool(start, size)

    def home6(self, asn: int, country: str, size: int) -> Pool:
        """Add IPv6 addresses of one home: one /64, several interfaces."""
        start = len(self._text)
        rng = self._rng
        a, b, c = (int(v) for v in rng.integers(1, 65_535, 3))
        # Global unicast space, its second group standing for the provider.
        prefix = f"{0x2400 + asn % 0x800:x}:{a:x}:{b:x}:{c:x}"
        for low in rng.integers(1, 65_535, (size, 4)):
            self._text.append(f"{prefix}:{low[0]:x}:{low[1]:x}:{low[2]:x}:{low[3]:x}")
        self._asn += [asn] * size
        self._country += [country] * size
        return Pool(start, size)

    def spread(self, networks: list[tuple[int, str]], size: int) -> Pool:
        """Add addresses that lie in many networks, as the exits of a proxy service do."""
        start = len(self._text)
        for i in self._rng.integers(0, len(networks), size):
            self.pool(*networks[int(i)], 1)
        return Pool(start, size)

    def tables(self) -> tuple[list[str], NDArray[np.int64], list[str]]:
        """Texts, network numbers and countries, by index."""
        return self._text, np.array(self._asn, np.int64), self._country


_LIBRARIES: Final = (
    ("modelkit-python/{v}", 14), ("modelkit-node/{v}", 9), ("python-httpx/0.{v}", 8),
    ("python-requests/2.{v}", 8), ("axios/1.{v}", 6), ("okhttp/4.{v}", 5),
    ("Go-http-client/2.{v}", 4), ("curl/8.{v}", 3), ("chainlink-py/{v}", 6),
    ("modelkit-java/{v}", 4), ("node-fetch/3.{v}", 3), ("reqwest/0.{v}", 2), ("aiohttp/3.{v}", 4),
    ("modelkit-go/{v}", 2), ("notebook-helper/{v}", 2),
)  # fmt: skip
_BROWSERS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/{v}.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS {v}_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android {v}; Mobile) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/135.0.0.0 Mobile Safari/537.36",
)
_ZIPF: Final = 1.1  # popularity of client versions, by rank


class Clients:
    """The table of client programs: user agent and TLS fingerprint (JA4) of each."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.user_agents: list[str] = []
        self.ja4: list[str] = []
        self.library = self._popular(
            [(name, weight) for name, weight in _LIBRARIES], versions=7, fingerprints=2
        )
        self.browser = self._popular([(name, 3) for name in _BROWSERS], versions=6, fingerprints=2)

    def fingerprint(self, browser: bool = False) -> str:
        """A JA4 of its own: protocol part, then hashes of ciphers and of extensions."""
        rng = self._rng
        ciphers, extensions = int(rng.integers(9, 60)), int(rng.integers(7, 19))
        raw = rng.bytes(12).hex()
        end = "h2" if browser or rng.random() < 0.6 else "h1"
        return f"t13d{ciphers:02d}{extensions:02d}{end}_{raw[:12]}_{raw[12:]}"

    def add(self, user_agent: str, ja4: str) -> int:
        """Add one client and return its index."""
        self.user_agents.append(user_agent)
        self.ja4.append(ja4)
        return len(self.user_agents) - 1

    def _popular(
        self, names: list[tuple[str, int]], versions: int, fingerprints: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Add the versions of well-known programs; return them with their popularity."""
        index: list[int] = []
        weight: list[float] = []
        for name, popularity in names:
            prints = [self.fingerprint("Mozilla" in name) for _ in range(fingerprints)]
            high = 136 if "Chrome/{v}" in name else 20
            for rank in range(versions):
                version = str(high - rank) if "Mozilla" in name else f"{28 - 3 * rank}.{rank}"
                index.append(self.add(name.format(v=version), prints[rank % fingerprints]))
                weight.append(popularity / (rank + 1) ** _ZIPF)
        share = np.array(weight) / np.sum(weight)
        return np.array(index, np.int64), share

    def choose(self, browser: bool, count: int) -> NDArray[np.int64]:
        """Choose well-known clients by popularity."""
        index, share = self.browser if browser else self.library
        return self._rng.choice(index, count, p=share)
