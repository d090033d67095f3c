"""Pairs of accounts bound by rare evidence of more than one kind.

Each proposed pair is weighed on everything the two share. What sharing says follows Fellegi and
Sunter (1969): the surprise, in nats, of meeting the token on a chance partner, here under the
configuration model (an account that went through many tokens shares one more easily). Rarity as
the weight of a shared token: Adamic and Adar (2003); networks of coordination from several kinds
of trace: Pacheco et al. (2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.comparing import Candidates, Rules, compare, go_together
from jobs.campaigns.evidence import KINDS, Evidence
from jobs.campaigns.lists import Lists
from jobs.campaigns.pairs import kind_caps, propose
from jobs.campaigns.synchrony import synchrony
from jobs.campaigns.threads import even_parts, in_threads
from jobs.campaigns.traces import ON_LIST, TELLING, ByToken, Traces, by_token
from jobs.catalog.policy import CampaignPolicy

Narrow = NDArray[np.int32]
Floats = NDArray[np.float64]

#: Pairs weighed at a time by one thread, of which few are kept.
_WEIGHED = 250_000

#: Levels of links: two kinds of trace that go together; content of a closed circle; a common list
#: alone. Groups are made of the firmest first.
FIRM, CIRCLE, LISTED = 0, 1, 2


@dataclass(frozen=True)
class Links:
    """Links as arrays, first < second (indices of accounts), in that order."""

    first: Narrow
    second: Narrow
    #: Nats of all axes, each capped.
    weight: Floats
    #: Axes of the policy that hold, a bit each, in their order.
    axes: NDArray[np.uint8]
    #: Kinds of which the two share anything telling, a bit each: KINDS in their order, and time.
    kinds: NDArray[np.uint32]
    #: What makes the link: FIRM, CIRCLE or LISTED.
    level: NDArray[np.int8]

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Links:
        """These links alone, or in this order."""
        return Links(*(getattr(self, array.name)[chosen] for array in fields(Links)))


def held(bits: NDArray[np.unsignedinteger], count: int) -> NDArray[np.bool_]:
    """Which of the lowest so many bits are set: links x bits."""
    return bits[:, None] & (1 << np.arange(count)).astype(bits.dtype) > 0


def find_links(evidence: Evidence, traces: Traces, lists: Lists, policy: CampaignPolicy) -> Links:
    """Propose pairs, weigh them, keep those that hold on enough axes."""
    rules = rules_of(policy, len(evidence.accounts))
    links, by_content = _before_hours(evidence, traces, lists, rules, policy)
    time = synchrony(evidence, links.first, links.second)
    weight = links.weight + np.minimum(time, rules.time_nats)
    np.maximum(weight, rules.link_nats, out=links.weight)
    holds = time >= policy.axis_nats
    links.axes[holds] |= 1 << [axis.name for axis in policy.axes].index("time")
    links.kinds[holds] |= 1 << len(KINDS)
    return links.where(by_content | (weight >= rules.link_nats))


def rules_of(policy: CampaignPolicy, accounts: int) -> Rules:
    """The policy's numbers for a night of so many accounts."""
    kinds = [[KINDS.index(kind) for kind, _ in axis.kinds if kind in KINDS] for axis in policy.axes]
    caps = {axis.name: axis.cap for axis in policy.axes}
    return Rules(
        kind_caps=kind_caps(policy),
        axis_kinds=np.concatenate([np.array(of, np.int64) for of in kinds]),
        axis_starts=np.cumsum([0, *(len(of) for of in kinds)]),
        axis_caps=np.array(list(caps.values())),
        work=list(caps).index("work"),
        axis_nats=policy.axis_nats,
        axes_needed=policy.axes_needed,
        link_nats=min(policy.link_nats, math.log(max(accounts, 1)) + 2.0),
        # Likeness in time confirms what two other axes suggest (of all pairs on one popular tool,
        # some are active together by chance), so it is compared only where it could still decide.
        time_nats=caps["time"],
        list_nats=policy.list_nats,
        lift=policy.lift,
        together_nats=policy.together_nats,
    )


def _before_hours(
    evidence: Evidence, traces: Traces, lists: Lists, rules: Rules, policy: CampaignPolicy
) -> tuple[Links, NDArray[np.bool_]]:
    """The pairs whose traces go together, or that work off one list, before their hours are
    compared, and which of them are linked by content alone."""
    pairs = propose(evidence, traces, policy)
    carriers = by_token(traces, TELLING | ON_LIST)

    def weigh(part: tuple[int, int]) -> tuple[Links, NDArray[np.bool_]]:
        found = compare(traces, lists, rules, pairs, *part)
        return _confirmed(found, carriers, len(evidence.accounts), rules)

    found = in_threads(weigh, even_parts(pairs.starts, _WEIGHED))
    by_content = np.concatenate([content for _, content in found])
    links = Links(*(
        np.concatenate([getattr(some, array.name) for some, _ in found])
        for array in fields(Links)
    ))  # fmt: skip
    order = np.argsort(links.first.astype(np.int64) << 32 | links.second)
    return links.where(order), by_content[order]


def _confirmed(
    found: Candidates, carriers: ByToken, accounts: int, rules: Rules
) -> tuple[Links, NDArray[np.bool_]]:
    firm = go_together(found, carriers, accounts, rules)
    by_content = found.one_list | found.circle
    level = np.where(firm, FIRM, np.where(found.circle, CIRCLE, LISTED)).astype(np.int8)
    holds = found.axes >= rules.axis_nats
    links = Links(
        found.first, found.second, found.axes.sum(axis=1),
        np.packbits(holds, axis=1, bitorder="little")[:, 0], found.kinds, level,
    )  # fmt: skip
    kept = firm | by_content
    return links.where(kept), by_content[kept]
