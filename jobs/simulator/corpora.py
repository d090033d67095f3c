"""Given prompts: lists of real text, dealt out to the accounts of a world.

Honest accounts take their own consecutive prompts of a list, each from a place of its own.
A campaign's list is its work list: every seat has a shard, disjoint from the others', and who
takes over a seat goes on with its shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.simulator.hashing import mix, pick
from jobs.simulator.population import Population
from jobs.simulator.prompts import Drawer
from jobs.simulator.settings import CampaignPlan


def corpus_of(plan: CampaignPlan) -> str:
    """The name of a campaign's list in `WorldSettings.text_corpora`."""
    return f"distillation:{plan.corpus or plan.tactic}"


def add_corpora(population: Population, plans: Sequence[CampaignPlan]) -> dict[str, Drawer]:
    """Put the lists that a world uses into its lexicon."""
    texts = population.settings.text_corpora or {}
    wanted = ["honest", "support_bot", *sorted({corpus_of(plan) for plan in plans})]
    return {name: population.grammar.add_corpus(texts[name]) for name in wanted if name in texts}


def deal_corpora(
    corpora: dict[str, Drawer],
    plans: Sequence[CampaignPlan],
    accounts: dict[str, NDArray[Any]],
    workloads: dict[str, NDArray[Any]],
) -> None:
    """Give each workload its stretch of its list: fills the columns `corpus_…`."""
    owner = workloads["account"]
    work = workloads["work"]
    honest = corpora.get("honest")
    support = corpora.get("support_bot", honest)
    bots = accounts["kind"][owner] == "support_bot"
    for drawer, chosen in ((honest, ~work & ~bots), (support, bots)):
        if drawer is not None:
            start = pick(mix(accounts["key"][owner[chosen]], 73), drawer.size)
            workloads["corpus_start"][chosen] = drawer.start
            workloads["corpus_size"][chosen] = drawer.size
            workloads["corpus_at"][chosen] = start
    for number, plan in enumerate(plans):
        drawer = corpora.get(corpus_of(plan))
        if drawer is None:
            continue
        # Where the list is shorter than the seats are many, some seats share a prompt.
        chosen = work & (accounts["campaign"][owner] == number)
        shards = min(plan.accounts, drawer.size)
        shard = accounts["seat"][owner[chosen]] % shards
        start = shard * drawer.size // shards
        size = (shard + 1) * drawer.size // shards - start
        workloads["corpus_start"][chosen] = drawer.start + start
        workloads["corpus_size"][chosen] = size
        # An account that works in two ways takes its shard's prompts from two places.
        rows = np.flatnonzero(chosen)
        second = np.ones(len(rows), bool)
        second[np.unique(owner[rows], return_index=True)[1]] = False
        workloads["corpus_at"][chosen] = np.where(second, size // 2, 0)
