"""Groups of accounts from millions of links: ours, SciPy's connected components, networkx.

Groups of 20 to 5,000 accounts, linked as `campaigns` proposes pairs (on each of ten shared tokens
a ring in an order of its own). Where no link leads from group to group, groups are the connected
components, and all must give the same. With links by chance between groups, components say
nothing, and only label propagation answers the question.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset  # the first reading would import it
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.catalog.policy import CAMPAIGN_POLICY
from tests.bench.data import Data
from tests.bench.measure import Meter
from tests.bench.rollups import outputs

Ints = NDArray[np.int64]
#: Tokens that the accounts of a group share.
_STEPS = 10
_SEED = 7


def graph(links: int, chance: float) -> Data:
    """A graph of about so many links, `chance` of them between groups."""
    name = f"graph-{links}" + (f"-chance-{chance:.0%}".rstrip("%") if chance else "")
    return Data(name, links, "links", "graph:make_graph", {"links": links, "chance": chance})


def make_graph(folder: Path, meter: Meter, links: int, chance: float) -> dict[str, Any]:
    """Write links (first, second, weight) and accounts (key, the group each is planted in)."""
    with meter:
        rng = np.random.default_rng(_SEED)
        accounts = max(int(links * (1 - chance)) // _STEPS, 40)
        sizes: list[int] = []
        while sum(sizes) < accounts:
            sizes.append(int(np.exp(rng.uniform(np.log(20), np.log(5_000)))))
        if sum(sizes) - sizes[-1] < accounts - 20:  # the last group, cut where accounts end
            sizes[-1] -= sum(sizes) - accounts
        else:
            sizes.pop()
            accounts = sum(sizes)
        group = np.repeat(np.arange(len(sizes)), sizes)
        start, size = np.searchsorted(group, group), np.bincount(group)[group]
        position = np.arange(accounts) - start
        ends = []
        for _ in range(_STEPS):  # each account once, in an order of its own, as on a shared token
            order = np.lexsort((rng.random(accounts), group))
            ends.append((order, order[start + (position + 1) % size]))
        stray = int(links * chance)
        ends.append((rng.integers(0, accounts, stray), rng.integers(0, accounts, stray)))
        a, b = (np.concatenate(side) for side in zip(*ends, strict=True))
        first, second = np.minimum(a, b), np.maximum(a, b)
        codes = np.unique((first * accounts + second)[first != second])
        first, second = codes // accounts, codes % accounts
        weight = np.where(group[first] == group[second], 14.0, 9.0) + rng.random(len(codes))
        pq.write_table(pa.table({"first": first, "second": second, "weight": weight}),
                       folder / "links.parquet")  # fmt: skip
        keys = rng.integers(-(2**63), 2**63 - 1, accounts)
        pq.write_table(pa.table({"key": keys, "planted": group}), folder / "accounts.parquet")
    return {"links": len(first), "accounts": accounts, "groups": len(sizes)}


class Parts:
    """Seconds of the parts of one piece of work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Any:
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


def stillwatch(folder: Path, meter: Meter) -> dict[str, Any]:
    """`find_groups` of the campaigns step."""
    from jobs.campaigns.groups import find_groups
    from jobs.campaigns.links import FIRM, Links

    def groups(first: Ints, second: Ints, weight: NDArray[np.float64], keys: Ints) -> list[Ints]:
        ends = first.astype(np.int32), second.astype(np.int32)
        count = len(first)
        links = Links(
            *ends, weight, np.zeros(count, np.uint8), np.zeros(count, np.uint32),
            np.full(count, FIRM, np.int8),
        )  # fmt: skip
        return find_groups(keys, links, CAMPAIGN_POLICY)

    return _measured(folder, meter, "stillwatch", groups)


def scipy_components(folder: Path, meter: Meter) -> dict[str, Any]:
    """`connected_components` of SciPy: compiled, reads every link once or twice, weighs nothing."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    def groups(first: Ints, second: Ints, weight: NDArray[np.float64], keys: Ints) -> list[Ints]:
        shape = (len(keys), len(keys))
        graph = sparse.csr_matrix((weight, (first, second)), shape=shape)
        _, labels = connected_components(graph, directed=False)
        order = np.argsort(labels, kind="stable")
        ends = np.flatnonzero(np.diff(labels[order])) + 1
        return list(np.split(order, ends))

    return _measured(folder, meter, "scipy", groups)


def networkx_components(folder: Path, meter: Meter) -> dict[str, Any]:
    """`connected_components` of networkx, in Python."""
    import networkx as nx

    return _by_networkx(folder, meter, "networkx-components", nx.connected_components)


def networkx_labels(folder: Path, meter: Meter) -> dict[str, Any]:
    """Label propagation of networkx on weights (`asyn_lpa_communities`), seeded."""
    import networkx as nx

    def communities(graph: Any) -> Iterable[set[int]]:
        found: Iterable[set[int]] = nx.community.asyn_lpa_communities(
            graph, weight="weight", seed=_SEED
        )
        return found

    return _by_networkx(folder, meter, "networkx-labels", communities)


def _by_networkx(
    folder: Path, meter: Meter, who: str, find: Callable[[Any], Iterable[set[int]]]
) -> dict[str, Any]:
    import networkx as nx

    def groups(first: Ints, second: Ints, weight: NDArray[np.float64], keys: Ints) -> list[Ints]:
        graph = nx.Graph()
        graph.add_weighted_edges_from(
            zip(first.tolist(), second.tolist(), weight.tolist(), strict=True)
        )
        return [np.array(sorted(members), np.int64) for members in find(graph)]

    return _measured(folder, meter, who, groups)


def _measured(
    folder: Path, meter: Meter, who: str, groups: Callable[..., list[Ints]]
) -> dict[str, Any]:
    """From the files of links and accounts to a file of members; seconds of each part."""
    out = outputs(folder, who)
    parts = Parts()
    with meter:
        with parts.part("read"):
            links = pq.read_table(folder / "links.parquet")
            first, second, weight = (
                links[name].to_numpy() for name in ("first", "second", "weight")
            )
            keys = pq.read_table(folder / "accounts.parquet", columns=["key"])["key"].to_numpy()
        with parts.part("find"):
            found = groups(first, second, weight, keys)
        with parts.part("write"):
            found = [g for g in found if len(g) >= CAMPAIGN_POLICY.group_accounts]
            found.sort(key=lambda members: int(members[0]))
            label = np.repeat(np.arange(len(found)), [len(members) for members in found])
            members = np.concatenate(found) if found else np.zeros(0, np.int64)
            pq.write_table(pa.table({"account": members, "group": label}), out / "members.parquet")
    return {"parts": parts.seconds, "groups": len(found)}


def same_groups(folder: Path, meter: Meter, whom: list[str]) -> dict[str, Any]:
    """Accounts whose group is another than the planted one, by who found it: 0 says that all give
    the same groups. With links by chance, how well the planted groups are found."""
    with meter:
        planted = pq.read_table(folder / "accounts.parquet")["planted"].to_numpy()
        whole = np.bincount(planted)
        differing, purity, in_one_piece = {}, {}, {}
        for who in whom:
            table = pq.read_table(folder / "written" / who / "members.parquet")
            members, group = table["account"].to_numpy(), table["group"].to_numpy()
            pairs, counts = np.unique(
                np.stack([group, planted[members]]), axis=1, return_counts=True
            )
            size = np.bincount(group, minlength=1)
            same = (counts == size[pairs[0]]) & (counts == whole[pairs[1]])
            differing[who] = int(len(planted) - counts[same].sum())
            largest = np.zeros(len(size), np.int64)
            np.maximum.at(largest, pairs[0], counts)
            pieces = np.zeros(len(whole), np.int64)
            np.maximum.at(pieces, pairs[1], counts)
            purity[who] = float(largest.sum() / max(len(members), 1))
            in_one_piece[who] = float(pieces.sum() / len(planted))
    return {"differing": differing, "purity": purity, "in_one_piece": in_one_piece}
