"""How long do groups take on a graph of millions of links? `python -m tests.bench.graph`.

Groups of 20 to 5,000 accounts, linked as `campaigns` proposes pairs (on each of ten shared tokens
a ring in an order of its own), and links between groups by chance. Beside it, in turn and on the
same links: the connected components of SciPy, compiled code that reads every link once or twice and
weighs nothing.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from scipy.sparse.csgraph import connected_components

from jobs.campaigns.groups import find_groups, graph_of
from jobs.campaigns.links import FIRM, Links
from jobs.catalog.policy import CAMPAIGN_POLICY

#: Tokens that the accounts of a group share, and share of all links that are chance.
_STEPS = 10
_CHANCE = 0.1


def graph(links: int, seed: int = 7) -> tuple[Links, np.ndarray, np.ndarray]:
    """The links, a key for each account, and the group each is planted in."""
    rng = np.random.default_rng(seed)
    accounts = int(links * (1 - _CHANCE)) // _STEPS
    sizes = []
    while sum(sizes) < accounts:
        sizes.append(int(np.exp(rng.uniform(np.log(20), np.log(5_000)))))
    group = np.repeat(np.arange(len(sizes)), sizes)[:accounts]
    start = np.searchsorted(group, group)
    size = np.bincount(group)[group]
    position = np.arange(accounts) - start
    ends = []
    for _ in range(_STEPS):  # each account once, in an order of its own, as on a shared token
        order = np.lexsort((rng.random(accounts), group))
        ends.append((order, order[start + (position + 1) % size]))
    chance = int(links * _CHANCE)
    ends.append((rng.integers(0, accounts, chance), rng.integers(0, accounts, chance)))
    a, b = (np.concatenate(side) for side in zip(*ends, strict=True))
    first, second = np.minimum(a, b), np.maximum(a, b)
    codes = np.unique((first * accounts + second)[first != second])
    first, second = codes // accounts, codes % accounts
    weight = np.where(group[first] == group[second], 14.0, 9.0) + rng.random(len(codes))
    blank = np.zeros((len(codes), 1))
    made = Links(first, second, weight, blank, blank.astype(bool),
                 np.full(len(codes), FIRM, np.int8))  # fmt: skip
    return made, rng.integers(-(2**63), 2**63 - 1, accounts), group


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.graph", description=__doc__)
    parser.add_argument("--links", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    links, keys, planted = graph(given.links)
    ours, theirs = [], []
    for _ in range(given.repeats):
        began = time.perf_counter()
        groups = find_groups(keys, links, CAMPAIGN_POLICY)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        connected_components(graph_of(links, len(keys)), directed=False)
        theirs.append(time.perf_counter() - began)
    whole = np.bincount(planted)
    placed = sum(len(members) for members in groups)
    pure, best = 0, np.zeros(len(whole))
    for members in groups:
        counts = np.bincount(planted[members], minlength=len(whole))
        pure += int(counts.max())
        best = np.maximum(best, counts)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{len(links.first):,} links of {len(keys):,} accounts in {len(whole):,} planted groups: "
        f"{min(ours):.1f} s for {len(groups):,} groups, {min(theirs):.1f} s for connected "
        f"components (ratio {min(ours) / min(theirs):.1f}); peak {peak:.1f} GB; "
        f"{pure / max(placed, 1):.1%} of members stand with their own, "
        f"{best.sum() / len(planted):.1%} of accounts in their group's largest piece"
    )


if __name__ == "__main__":
    main()
