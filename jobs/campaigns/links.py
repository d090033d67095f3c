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
from scipy import sparse

from jobs.campaigns.evidence import KINDS, Evidence
from jobs.campaigns.lists import (
    LISTED_CODES,
    Lists,
    closed_circle,
    common_list,
    lists_of,
    share_any,
    some_pieces,
)
from jobs.campaigns.pairs import in_common, in_parts, kind_caps, propose, some_entries
from jobs.campaigns.synchrony import synchrony
from jobs.catalog.policy import CampaignPolicy

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Kinds of which an account may carry very many, few of them typical of it.
_BY_USE = ("template", "template_end", "shingle", "settings", "client", "system_prompt")


#: Pairs weighed at a time, of which few are kept: what is known of all at once would be the
#: step's peak of memory.
_BLOCK = 500_000

#: Levels of links: two kinds of trace that go together; content of a closed circle; a common list
#: alone. Groups are made of the firmest first.
FIRM, CIRCLE, LISTED = 0, 1, 2


@dataclass(frozen=True)
class Links:
    """Links as arrays, first < second (indices of accounts), in that order."""

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    weight: Floats
    #: Nats of each axis of the policy, capped: links x axes.
    axes: Floats
    #: Whether the link shares anything telling of each kind: links x (KINDS + time).
    kinds: NDArray[np.bool_]
    #: What makes the link: FIRM, CIRCLE or LISTED.
    level: NDArray[np.int8]

    def where(self, chosen: NDArray[np.bool_]) -> Links:
        """These links alone."""
        return Links(
            self.first[chosen], self.second[chosen], self.weight[chosen], self.axes[chosen],
            self.kinds[chosen], self.level[chosen],
        )  # fmt: skip


def find_links(evidence: Evidence, policy: CampaignPolicy) -> Links:
    """Propose pairs, weigh them, keep those that hold on enough axes."""
    link_nats = min(policy.link_nats, math.log(max(len(evidence.accounts), 1)) + 2.0)
    weights = weights_of(evidence, policy)
    lists = lists_of(evidence, policy)
    closed = closed_circle(evidence, lists, policy)
    first, second = propose(
        evidence, weights.rarity, weights.busy, weights.use, lists.carried, closed, policy
    )
    couples = Couples(weights.use, lists.carried)
    found = []
    for at in range(0, max(len(first), 1), _BLOCK):
        a, b = (accounts[at : at + _BLOCK].astype(np.int64) for accounts in (first, second))
        pairs = _candidates(evidence, weights, lists, closed, a, b, link_nats, policy)
        found.append(_confirmed(evidence, lists, couples, pairs, policy))
    # Nothing of the pairs that came to nothing is needed for what follows.
    del weights, lists, closed, first, second, couples
    links = Links(*(
        np.concatenate([getattr(some, array.name) for some, _ in found])
        for array in fields(Links)
    ))  # fmt: skip
    by_content = np.concatenate([content for _, content in found])
    del found
    time = synchrony(evidence, links.first, links.second)
    time_at, time_cap = _axis(policy, "time")
    links.axes[:, time_at] = np.minimum(time, time_cap)
    links.kinds[:, -1] = time >= policy.axis_nats
    weight = links.axes.sum(axis=1)
    np.maximum(weight, link_nats, out=links.weight)
    return links.where(by_content | (weight >= link_nats))


def _confirmed(
    evidence: Evidence, lists: Lists, couples: Couples, pairs: Candidates, policy: CampaignPolicy
) -> tuple[Links, NDArray[np.bool_]]:
    """The pairs whose traces go together, or that work off one list, before their hours are
    compared (time and weight are left at zero), and which of them are linked by content alone."""
    # Of several pieces of content any may be the one that goes with the place: rare ones are too
    # few to tell, common ones are everybody's.
    alone = np.flatnonzero(pairs.hopeful & ~pairs.of_list)
    several = np.flatnonzero(pairs.hopeful & pairs.of_list)
    pieces = some_pieces(evidence, lists, pairs.first[several], pairs.second[several])
    tried = np.r_[alone, np.tile(several, len(pieces))]
    tokens = pairs.rarest[tried]
    tokens[len(alone) :, LISTED_CODES] = -1
    tokens[len(alone) :, LISTED_CODES[0]] = np.concatenate(pieces)
    holds = together(couples, pairs.kind_nats[tried], tokens, pairs.axes[tried], policy)
    firm = np.zeros(len(pairs.first), bool)
    firm[tried[holds]] = True
    by_content = pairs.one_list | pairs.circle
    level = np.where(firm, FIRM, np.where(pairs.circle, CIRCLE, LISTED)).astype(np.int8)
    kept = firm | by_content
    telling = pairs.kind_nats[kept] >= policy.axis_nats
    links = Links(
        pairs.first[kept].astype(np.int32),
        pairs.second[kept].astype(np.int32),
        np.zeros(len(telling)),
        pairs.axes[kept],
        np.column_stack([telling, np.zeros(len(telling), bool)]),
        level[kept],
    )
    return links, by_content[kept]


@dataclass(frozen=True)
class Candidates:
    """Pairs that may become links."""

    first: Ints
    second: Ints
    #: Nats that the two share, and the rarest token (-1: none): pairs x kinds both.
    kind_nats: Floats
    rarest: Ints
    #: Nats of each axis, time left at zero: pairs x axes.
    axes: Floats
    #: Whether the axis of work holds by several pieces of content and not by one.
    of_list: NDArray[np.bool_]
    #: Whether the two work off one list, or in one closed circle: a link by itself.
    one_list: NDArray[np.bool_]
    circle: NDArray[np.bool_]
    #: Whether two axes may make a link.
    hopeful: NDArray[np.bool_]


def _candidates(
    evidence: Evidence,
    weights: Weights,
    lists: Lists,
    closed: sparse.csr_matrix,
    first: Ints,
    second: Ints,
    link_nats: float,
    policy: CampaignPolicy,
) -> Candidates:
    """Weigh the proposed pairs and keep those that may become links."""
    kind_nats, rarest = weigh(evidence, weights, first, second, policy)
    axes = _by_axis(kind_nats, policy)
    listed, ratio = common_list(lists, first, second, policy)
    one_list = (listed >= policy.list_nats) & (ratio >= policy.lift)
    work_at, work_cap = _axis(policy, "work")
    circle = share_any(closed, first, second)
    listed[circle] = np.maximum(listed[circle], work_cap)
    of_list = listed > axes[:, work_at]
    axes[of_list, work_at] = np.minimum(listed[of_list], work_cap)
    kind_nats[of_list, LISTED_CODES[0]] = axes[of_list, work_at]
    # Likeness in time confirms what two other axes suggest (of all pairs on one popular tool, some
    # are active together by chance), so it is compared only where it could still decide.
    _, time_cap = _axis(policy, "time")
    hopeful = (axes.sum(axis=1) + time_cap >= link_nats) & (
        (axes >= policy.axis_nats).sum(axis=1) >= policy.axes_needed
    )
    kept = hopeful | one_list | circle
    return Candidates(
        first[kept], second[kept], kind_nats[kept], rarest[kept], axes[kept], of_list[kept],
        one_list[kept], circle[kept], hopeful[kept],
    )  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """What each token says of each account that carries it."""

    #: -ln P(a chance partner carries the token too), before what the accounts went through.
    rarity: Floats
    #: Half the logarithm of the different tokens an account went through: accounts x kinds.
    busy: Floats
    #: How typical the token is of the account: accounts x tokens, telling ones only.
    use: sparse.csr_matrix


def weights_of(evidence: Evidence, policy: CampaignPolicy) -> Weights:
    """Weigh each token for each account, and forget those that could never matter.

    A partner chosen by chance carries the token with probability sqrt(d1 d2) n / E: n accounts
    with the token, E pairs of account and token of that kind, d tokens each of the two went
    through. A token counts by the square root of the geometric mean of its share in the two
    accounts' requests where accounts have very many of its kind.
    """
    incidences = np.maximum(evidence.variety.sum(axis=0), 1)
    rarity = np.log(incidences[evidence.token_kind] / np.maximum(evidence.token_accounts, 1))
    busy = 0.5 * np.log(np.maximum(evidence.variety, 1))
    carried = evidence.carried
    by_use = np.isin(np.arange(len(KINDS)), [KINDS.index(kind) for kind in _BY_USE])
    requests = np.maximum(evidence.sums["requests"], 1).astype(np.float64)
    telling = np.zeros(carried.nnz, bool)
    weight = np.zeros(carried.nnz)

    def judge(accounts: slice) -> None:
        part = slice(*carried.indptr[[accounts.start, min(accounts.stop, carried.shape[0])]])
        count = np.diff(carried.indptr[accounts.start : accounts.stop + 1])
        row = np.repeat(np.arange(accounts.start, accounts.start + len(count)), count)
        token = carried.indices[part]
        kind = evidence.token_kind[token].astype(np.int64)
        share = np.where(by_use[kind], np.minimum(carried.data[part] / requests[row], 1.0), 1.0)
        alike = (rarity[token] - 2.0 * busy[row, kind]) * np.sqrt(share)
        telling[part] = alike >= policy.token_nats
        weight[part] = np.sqrt(np.sqrt(share))

    in_parts(judge, carried.shape[0])
    use = some_entries(
        sparse.csr_matrix((weight, carried.indices, carried.indptr), carried.shape), telling
    )
    return Weights(rarity, busy, use)


def _axis(policy: CampaignPolicy, name: str) -> tuple[int, float]:
    """Place and cap of an axis."""
    return next((at, axis.cap) for at, axis in enumerate(policy.axes) if axis.name == name)


def weigh(
    evidence: Evidence, weights: Weights, first: Ints, second: Ints, policy: CampaignPolicy
) -> tuple[Floats, Ints]:
    """Surprise of what each pair shares, in nats, by kind and capped, and the rarest token of
    each kind (-1: none): pairs x kinds both."""
    kinds = len(KINDS)
    caps = kind_caps(policy)
    nats = np.zeros((len(first), kinds))
    rarest = np.full((len(first), kinds), -1, np.int64)

    def add_up(part: slice) -> None:
        at, a, b = part.start, first[part], second[part]
        both, pair = in_common(weights.use, a, b)
        if not both.nnz:
            return
        token = both.indices.astype(np.int64)
        kind = evidence.token_kind[token].astype(np.int64)
        value = weights.rarity[token] - weights.busy[a[pair], kind] - weights.busy[b[pair], kind]
        value = np.maximum(value, 0.0) * both.data
        # Tokens are numbered kind by kind, so what a pair shares of one kind stands together.
        run = pair * kinds + kind
        starts = np.flatnonzero(np.r_[True, run[1:] != run[:-1]])
        length = np.diff(np.r_[starts, len(run)])
        highest = np.maximum.reduceat(value, starts)
        candidates = np.where(value == np.repeat(highest, length), token, len(weights.rarity))
        pair, kind = at + pair[starts], kind[starts]
        nats[pair, kind] = np.minimum(np.add.reduceat(value, starts), caps[kind])
        rarest[pair, kind] = np.minimum.reduceat(candidates, starts)

    in_parts(add_up, len(first))
    return nats, rarest


def together(
    couples: Couples,
    kind_nats: Floats,
    rarest: Ints,
    axes: Floats,
    policy: CampaignPolicy,
) -> NDArray[np.bool_]:
    """Whether what a pair shares on two axes goes together in others too, beyond chance.

    Behind a carrier's gateway some customers have the same client: place and tool, shared and
    unrelated. Among the carriers of an operation's template nearly all have its client. So the
    strongest token of the strongest axis is compared with that of each other axis: the accounts
    that carry both against the product of their frequencies (a Poisson tail, Chernoff's bound).
    """
    strongest = np.argmax(axes, axis=1)
    best = np.full(axes.shape, -1, np.int64)
    for at, axis in enumerate(policy.axes):
        of_axis = [KINDS.index(kind) for kind, _ in axis.kinds if kind in KINDS]
        if of_axis:
            top = np.argmax(kind_nats[:, of_axis], axis=1)
            best[:, at] = rarest[:, of_axis][np.arange(len(axes)), top]
    row, other = np.nonzero(
        (axes >= policy.axis_nats) & (np.arange(len(policy.axes)) != strongest[:, None])
    )
    one, two = best[row, strongest[row]], best[row, other]
    both = couples.carry_both(one, two)
    expected = couples.carriers[one] * couples.carriers[two] / couples.accounts
    ratio = both / np.maximum(expected, 1e-12)
    surprise = np.where(ratio > 1.0, both * np.log(np.maximum(ratio, 1e-12)) - both + expected, 0.0)
    needed = min(policy.together_nats, 2.0 * math.log(max(couples.accounts, 2)))
    holds = (ratio >= policy.lift) & (surprise >= needed)
    lifted = np.zeros(len(axes), bool)
    lifted[row[holds]] = True
    return lifted


class Couples:
    """How many accounts carry both of two tokens; what was counted once is remembered."""

    def __init__(self, use: sparse.csr_matrix, listed: sparse.csr_matrix) -> None:
        carried = (use.astype(bool) + listed.astype(bool)).tocsc()
        carried.sort_indices()
        self.accounts, self._tokens = carried.shape
        self._carried = carried
        self.carriers = np.diff(carried.indptr).astype(np.int64)
        token = np.repeat(np.arange(self._tokens), self.carriers)
        self._incidences = token * self.accounts + carried.indices  # ascending
        self._known = np.zeros(0, np.int64)
        self._both = np.zeros(0, np.int64)

    def carry_both(self, one: Ints, two: Ints) -> Ints:
        """Accounts that carry both tokens of each couple."""
        swap = self.carriers[two] < self.carriers[one]  # the rarer one first
        one, two = np.where(swap, two, one), np.where(swap, one, two)
        codes, place = np.unique(one * self._tokens + two, return_inverse=True)
        new = codes[~_among(codes, self._known)]
        at = np.searchsorted(self._known, new)
        self._both = np.insert(self._both, at, self._count(new))
        self._known = np.insert(self._known, at, new)
        both: Ints = self._both[np.searchsorted(self._known, codes)][place]
        return both

    def _count(self, couples: Ints) -> Ints:
        one, two = couples // self._tokens, couples % self._tokens
        # Side by side those that are looked up in one place: a table of hundreds of millions
        # does not fit a processor's memory.
        order = np.argsort(two, kind="stable")
        one, two = one[order], two[order]
        both = np.zeros(len(couples), np.int64)

        def look_up(part: slice) -> None:
            length = self.carriers[one[part]]
            couple = np.repeat(np.arange(len(length)), length)
            within = np.arange(len(couple)) - np.repeat(np.cumsum(length) - length, length)
            account = self._carried.indices[self._carried.indptr[one[part]][couple] + within]
            found = _among(two[part][couple] * self.accounts + account, self._incidences)
            both[order[part]] = np.bincount(couple[found], minlength=len(length))

        in_parts(look_up, len(couples))
        return both


def _among(wanted: Ints, known: Ints) -> NDArray[np.bool_]:
    """Which are in `known`, which is in order."""
    if not len(known):
        return np.zeros(len(wanted), bool)
    found: NDArray[np.bool_] = (
        known[np.minimum(np.searchsorted(known, wanted), len(known) - 1)] == wanted
    )
    return found


def _by_axis(kind_nats: Floats, policy: CampaignPolicy) -> Floats:
    """Nats of each axis: its strongest kind and half of the others, as one cause makes several.

    Time is left at zero.
    """
    columns = []
    for axis in policy.axes:
        if axis.name == "time":
            columns.append(np.zeros(len(kind_nats)))
            continue
        of = kind_nats[:, [KINDS.index(kind) for kind, _ in axis.kinds]]
        strongest = of.max(axis=1)
        columns.append(np.minimum(strongest + 0.5 * (of.sum(axis=1) - strongest), axis.cap))
    return np.column_stack(columns)
