"""Groups: compared with a plain reference on random graphs, and repeatable."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.campaigns.groups import core_members, find_groups, graph_of, merge, propagate, strengths
from jobs.campaigns.links import FIRM, LISTED, Links
from jobs.catalog.policy import CAMPAIGN_POLICY
from tests.campaigns.conftest import links_between

LOOSE = dataclasses.replace(CAMPAIGN_POLICY, group_accounts=2, member_links=1, member_share=0.0)


def links_of(
    edges: dict[tuple[int, int], float], listed: frozenset[tuple[int, int]] = frozenset()
) -> Links:
    pairs = sorted(edges)
    return links_between(
        [a for a, _ in pairs],
        [b for _, b in pairs],
        weight=[edges[pair] for pair in pairs],
        level=[LISTED if pair in listed else FIRM for pair in pairs],
    )


def keys_of(count: int) -> np.ndarray:
    return (np.arange(count, dtype=np.int64) * 0x9E3779B97F4A7C1) % 2**62


def everyone(count: int) -> np.ndarray:
    return np.ones(count, bool)


def clique(members: range, weight: float) -> dict[tuple[int, int], float]:
    return {(a, b): weight for a in members for b in members if a < b}


def components(count: int, edges: list[tuple[int, int]]) -> list[int]:
    """Plain union-find: the smallest member stands for its component."""
    root = list(range(count))

    def find(a: int) -> int:
        while root[a] != a:
            a = root[a]
        return a

    for a, b in edges:
        low, high = sorted((find(a), find(b)))
        root[high] = low
    return [find(a) for a in range(count)]


def heaviest_label(edges: dict[tuple[int, int], float], labels: list[int], node: int) -> int:
    """One step of label propagation, written plainly."""
    total: dict[int, float] = {}
    for (a, b), weight in edges.items():
        if node in (a, b):
            label = labels[b if a == node else a]
            total[label] = total.get(label, 0.0) + weight
    if not total:
        return labels[node]
    most = max(round(w, 9) for w in total.values())
    best = [label for label, w in total.items() if round(w, 9) == most]
    return labels[node] if labels[node] in best else min(best)


graphs = st.integers(2, 24).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.dictionaries(
            st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] < e[1]),
            st.integers(8, 30).map(float),
            max_size=60,
        ),
    )
)


@settings(max_examples=60)
@given(graphs)
def test_no_group_reaches_beyond_a_component(graph: tuple[int, dict]) -> None:
    count, edges = graph
    component = components(count, list(edges))
    links = links_of(edges)
    groups = find_groups(keys_of(count), links, LOOSE)
    seen = [a for group in groups for a in group]
    assert len(seen) == len(set(seen))
    for group in groups:
        assert len({component[a] for a in group}) == 1


@settings(max_examples=60)
@given(graphs)
def test_settled_labels_are_those_of_the_plain_rule(graph: tuple[int, dict]) -> None:
    count, edges = graph
    for rounds in (0, 20):
        graph = graph_of(links_of(edges), everyone(count))
        labels = propagate(graph, keys_of(count), rounds).tolist()
        for node in range(count):
            assert heaviest_label(edges, labels, node) == labels[node]


def test_two_cliques_with_a_bridge_are_two_groups() -> None:
    edges = clique(range(8), 12.0) | clique(range(8, 16), 12.0) | {(7, 8): 12.0}
    groups = find_groups(keys_of(16), links_of(edges), CAMPAIGN_POLICY)
    assert [group.tolist() for group in groups] == [list(range(8)), list(range(8, 16))]


def test_an_account_with_one_link_is_no_member() -> None:
    edges = clique(range(6), 12.0) | {(0, 6): 12.0}
    groups = find_groups(keys_of(7), links_of(edges), CAMPAIGN_POLICY)
    assert [group.tolist() for group in groups] == [list(range(6))]


def test_a_ring_of_a_thousand_settles_as_one_group() -> None:
    count = 1_000
    shuffled = np.random.default_rng(3)
    edges = {}
    for _ in range(3):  # three tokens, a ring each
        ring = shuffled.permutation(count).tolist()
        for at in range(count):
            for step in range(1, CAMPAIGN_POLICY.ring + 1):
                low, high = sorted((ring[at], ring[(at + step) % count]))
                edges[low, high] = 10.0
    groups = find_groups(keys_of(count), links_of(edges), CAMPAIGN_POLICY)
    assert max(len(group) for group in groups) >= 0.9 * count


def test_merging_keeps_what_hardly_touches_apart() -> None:
    edges = clique(range(5), 10.0) | clique(range(5, 10), 10.0) | {(0, 5): 9.0}
    graph = graph_of(links_of(edges), everyone(10))
    labels = np.repeat(np.array([0, 5], np.int32), 5)
    assert merge(graph, labels).tolist() == labels.tolist()


def test_merging_joins_halves_of_one_group() -> None:
    graph = graph_of(links_of(clique(range(10), 10.0)), everyone(10))
    assert len(set(merge(graph, np.repeat(np.array([0, 5], np.int32), 5)))) == 1


def test_strength_is_the_share_of_a_members_links_inside() -> None:
    graph = graph_of(links_of(clique(range(5), 10.0) | {(0, 5): 40.0}), everyone(6))
    (strong,) = strengths(graph, [np.arange(5)])
    assert strong.tolist() == [0.5, 1.0, 1.0, 1.0, 1.0]


def test_no_links_make_no_groups() -> None:
    empty = graph_of(links_of({}), everyone(3))
    assert core_members(empty, np.arange(3, dtype=np.int32), CAMPAIGN_POLICY) == []
    assert find_groups(keys_of(3), links_of({}), CAMPAIGN_POLICY) == []


def test_a_bystander_of_a_firm_group_is_no_member() -> None:
    # Nine accounts bound all round; a tenth shares one thing with two of them.
    pairs = [(a, b) for a in range(9) for b in range(a + 1, 9)]
    edges = dict.fromkeys(pairs, 12.0) | {(0, 9): 7.0, (1, 9): 7.0}
    keys = np.arange(10, dtype=np.int64) * 7_919
    (group,) = find_groups(keys, links_of(edges), CAMPAIGN_POLICY)
    assert group.tolist() == list(range(9))


def test_what_many_copy_from_one_place_does_not_swallow_an_operation() -> None:
    operation, crowd = clique(range(8), 12.0), range(8, 40)
    copied = {(a, b): 10.0 for a in range(40) for b in crowd if a < b}
    lists = frozenset(copied)
    found = find_groups(keys_of(40), links_of(operation | copied, lists), CAMPAIGN_POLICY)
    assert [group.tolist() for group in found] == [list(range(8)), list(crowd)]
    # Where nothing tells the two kinds of links apart, all are one group.
    (all_in_one,) = find_groups(keys_of(40), links_of(operation | copied), CAMPAIGN_POLICY)
    assert len(all_in_one) == 40


def test_a_list_alone_gathers_a_group_where_nothing_else_does() -> None:
    edges = clique(range(6), 10.0)
    found = find_groups(keys_of(6), links_of(edges, frozenset(edges)), CAMPAIGN_POLICY)
    assert [group.tolist() for group in found] == [list(range(6))]
