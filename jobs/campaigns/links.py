"""Pairs of accounts bound by rare evidence of more than one kind.

Pairs are proposed on each rare token between neighbours on a ring of the accounts that carry it,
in an order of its own for each token: the union of such rings is an expander, so a group hangs
together at a cost linear in its size, where all pairs would be quadratic. Each proposed pair is
then weighed on everything the two share.

What sharing says follows Fellegi and Sunter (1969): the surprise, in nats, of meeting the token
on a chance partner, here under the configuration model (an account that went through many tokens
shares one more easily). Rarity as the weight of a shared token: Adamic and Adar (2003); networks
of coordination from several kinds of trace: Pacheco et al. (2021); synchrony as evidence: Cao et
al. (SynchroTrap, 2014), here judged against pairs drawn by chance from the same population.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from jobs.campaigns.evidence import KINDS, Evidence
from jobs.catalog.measures import INDICATORS_BY_KIND
from jobs.catalog.policy import CampaignPolicy

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Pairs weighed at a time: bounds memory to some 100 MB.
_CHUNK = 50_000
#: Kinds of which an account may carry very many, few of them typical of it.
_BY_USE = ("template", "template_end", "shingle", "settings", "client", "system_prompt")
#: Kinds of which an operation has a list, and shares it out.
_LISTED_CODES = [KINDS.index(kind) for kind in ("template", "template_end", "shingle")]
#: Pieces that any two accounts have in common by chance, at least: people copy each other.
_LEAST_CHANCE = 0.05
#: Accounts and neighbours of the sample that says how alike two strangers' hours are.
_STRANGERS = 4_000
_STRANGER_STEPS = 8
#: Requests under which an account's hours say nothing.
_TIMED_REQUESTS = 20


@dataclass(frozen=True)
class Links:
    """Links as arrays, first < second (indices of accounts), in that order."""

    first: Ints
    second: Ints
    weight: Floats
    #: Nats of each axis of the policy, capped: links x axes.
    axes: Floats
    #: Whether the link shares anything telling of each kind: links x (KINDS + time).
    kinds: NDArray[np.bool_]


def find_links(evidence: Evidence, policy: CampaignPolicy) -> Links:
    """Propose pairs, weigh them, keep those that hold on enough axes."""
    link_nats = min(policy.link_nats, math.log(max(len(evidence.accounts), 1)) + 2.0)
    weights = weights_of(evidence, policy)
    lists = lists_of(evidence, policy)
    first, second = propose(evidence, weights, lists, policy)
    kind_nats, rarest = weigh(evidence, weights, first, second, policy)
    axes = _by_axis(kind_nats, policy)
    listed, ratio = common_list(lists, first, second, policy)
    one_list = (listed >= policy.list_nats) & (ratio >= policy.lift)
    work_at, work_cap = _axis(policy, "work")
    more = listed > axes[:, work_at]
    axes[more, work_at] = np.minimum(listed[more], work_cap)
    kind_nats[more, _LISTED_CODES[0]] = axes[more, work_at]
    # Likeness in time confirms what two other axes suggest (of all pairs on one popular tool, some
    # are active together by chance), so it is compared only where it could still decide.
    time_at, time_cap = _axis(policy, "time")
    hopeful = (axes.sum(axis=1) + time_cap >= link_nats) & (
        (axes >= policy.axis_nats).sum(axis=1) >= policy.axes_needed
    )
    # A common list needs no confirmation, and has no single token that could be looked up.
    hopeful &= ~one_list
    carried = ((weights.use + lists.carried) > 0).tocsr()
    # Of several pieces of content any may be the one that goes with the place: rare ones are too
    # few to tell, common ones are everybody's.
    alone, several = np.flatnonzero(hopeful & ~more), np.flatnonzero(hopeful & more)
    pieces = some_pieces(evidence, lists, first[several], second[several])
    tried = np.r_[alone, np.tile(several, len(pieces))]
    tokens = rarest[tried]
    tokens[len(alone) :, _LISTED_CODES] = -1
    tokens[len(alone) :, _LISTED_CODES[0]] = np.concatenate(pieces)
    holds = together(carried, kind_nats[tried], tokens, axes[tried], policy)
    hopeful = one_list.copy()
    hopeful[tried[holds]] = True
    first, second, kind_nats, axes, one_list = (
        first[hopeful], second[hopeful], kind_nats[hopeful], axes[hopeful], one_list[hopeful]
    )  # fmt: skip
    time = synchrony(evidence, first, second)
    axes[:, time_at] = np.minimum(time, time_cap)
    weight = np.where(one_list, np.maximum(axes.sum(axis=1), link_nats), axes.sum(axis=1))
    kept = weight >= link_nats
    telling = np.column_stack([kind_nats >= policy.axis_nats, time >= policy.axis_nats])
    return Links(first[kept], second[kept], weight[kept], axes[kept], telling[kept])


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
    row = np.repeat(np.arange(carried.shape[0]), np.diff(carried.indptr))
    kind = evidence.token_kind[carried.indices].astype(np.int64)
    by_use = np.isin(np.arange(len(KINDS)), [KINDS.index(kind) for kind in _BY_USE])
    requests = np.maximum(evidence.sums["requests"], 1).astype(np.float64)
    share = np.where(by_use[kind], np.minimum(carried.data / requests[row], 1.0), 1.0)
    alike = (rarity[carried.indices] - 2.0 * busy[row, kind]) * np.sqrt(share)
    telling = alike >= policy.token_nats
    use = sparse.csr_matrix(
        (np.sqrt(np.sqrt(share[telling])), (row[telling], carried.indices[telling])),
        shape=carried.shape,
    )
    use.sort_indices()
    return Weights(rarity, busy, use)


@dataclass(frozen=True)
class Lists:
    """The rare content that accounts carry, each token once, however seldom it was sent."""

    #: Accounts x tokens, ones; hubs and content of one account alone are empty columns.
    carried: sparse.csr_matrix
    token_kind: NDArray[np.int8]
    #: How many such tokens of each kind an account carries: accounts x kinds.
    size: Ints
    #: Ordered pairs of accounts that meet on each token, and on all of a kind; all incidences of
    #: a kind.
    meetings: Floats
    kind_meetings: Floats
    incidences: Floats


def lists_of(evidence: Evidence, policy: CampaignPolicy) -> Lists:
    """Content that may be of a work list: shared, and by few."""
    content = np.isin(evidence.token_kind, _LISTED_CODES)
    rare = content & (evidence.token_accounts <= _caps(evidence, policy)[evidence.token_kind])
    keep = rare[evidence.carried.indices]
    row = np.repeat(np.arange(len(evidence.accounts)), np.diff(evidence.carried.indptr))[keep]
    column = evidence.carried.indices[keep]
    carried = sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=evidence.carried.shape)
    carried.sort_indices()
    kind = evidence.token_kind[column].astype(np.int64)
    size = np.zeros((len(evidence.accounts), len(KINDS)), np.int64)
    np.add.at(size, (row, kind), 1)
    carriers = np.bincount(column, minlength=evidence.carried.shape[1]).astype(np.float64)
    meetings = carriers * np.maximum(carriers - 1, 0)
    return Lists(
        carried,
        evidence.token_kind,
        size,
        meetings,
        np.bincount(evidence.token_kind, weights=meetings, minlength=len(KINDS)).astype(float),
        np.maximum(size.sum(axis=0).astype(np.float64), 1.0),
    )


def common_list(
    lists: Lists, first: Ints, second: Ints, policy: CampaignPolicy
) -> tuple[Floats, Floats]:
    """How many different rare pieces of content each pair shares: one list of work.

    Returns for each pair the surprise in nats, and how many times as many as by chance.

    Two accounts with r and s such pieces have r s c in common by chance (c: how often two drawn
    pieces are one; the configuration model again), and k of them are a surprise of
    k ln(k / rsc) - k + rsc nats (a Poisson tail, Chernoff's bound). The pieces under test are left
    out of c, or a large operation would pass for what everybody does. Each piece may be a small
    part of what an account sends: work mixed into a customer's traffic is still one list.
    """
    nats, times = np.zeros(len(first)), np.zeros(len(first))
    for at in range(0, len(first), _CHUNK):
        a, b = first[at : at + _CHUNK], second[at : at + _CHUNK]
        both = lists.carried[a].multiply(lists.carried[b]).tocsr()
        pair = np.repeat(np.arange(len(a)), np.diff(both.indptr))
        kind = lists.token_kind[both.indices]
        for code in _LISTED_CODES:
            of_kind = kind == code
            shared = np.bincount(pair[of_kind], minlength=len(a)).astype(np.float64)
            under_test = np.bincount(
                pair[of_kind], weights=lists.meetings[both.indices[of_kind]], minlength=len(a)
            )
            rest = np.maximum(lists.kind_meetings[code] - under_test, 0.0)
            chance = lists.size[a, code] * lists.size[b, code] * rest / lists.incidences[code] ** 2
            chance = np.maximum(chance, _LEAST_CHANCE)
            ratio = shared / chance
            enough = (shared >= policy.list_tokens) & (ratio > 1.0)
            surprise = shared * np.log(np.maximum(ratio, 1.0)) - shared + chance
            better = at + np.flatnonzero(enough & (surprise > nats[at : at + len(a)]))
            nats[better], times[better] = surprise[better - at], ratio[better - at]
    return nats, times


def some_pieces(
    evidence: Evidence, lists: Lists, first: Ints, second: Ints
) -> tuple[Ints, Ints, Ints]:
    """Of the content that each pair shares, the piece that fewest accounts have, the middle one
    and the one that most have (-1: none)."""
    found = np.full((3, len(first)), -1, np.int64)
    for at in range(0, len(first), _CHUNK):
        a, b = first[at : at + _CHUNK], second[at : at + _CHUNK]
        both = lists.carried[a].multiply(lists.carried[b]).tocsr()
        token = both.indices.astype(np.int64)
        pair = np.repeat(np.arange(len(a)), np.diff(both.indptr))
        token = token[np.lexsort((token, evidence.token_accounts[token], pair))]
        shared = np.diff(both.indptr)
        some = np.flatnonzero(shared)
        for row, place in enumerate((shared * 0, shared // 2, shared - 1)):
            found[row, at + some] = token[both.indptr[some] + place[some]]
    return found[0], found[1], found[2]


def _axis(policy: CampaignPolicy, name: str) -> tuple[int, float]:
    """Place and cap of an axis."""
    return next((at, axis.cap) for at, axis in enumerate(policy.axes) if axis.name == name)


def _caps(evidence: Evidence, policy: CampaignPolicy) -> Floats:
    """Accounts above which a token of each kind proposes nothing."""
    return np.maximum(_declared_caps(), policy.hub_share * len(evidence.accounts))


def _declared_caps() -> Floats:
    """Accounts above which a token of each kind is a hub: a gateway, a popular client."""
    # A template has no indicator of its own, and may be as popular as its ending.
    ending = INDICATORS_BY_KIND["template_end"].link_cap
    return np.array([
        INDICATORS_BY_KIND[kind].link_cap if kind in INDICATORS_BY_KIND else ending
        for kind in KINDS
    ], float)  # fmt: skip


def propose(
    evidence: Evidence, weights: Weights, lists: Lists, policy: CampaignPolicy
) -> tuple[Ints, Ints]:
    """Pairs worth weighing: ring neighbours on every token that is no hub.

    On a token that tells much by itself, the ring is in an order of the token's own. On content
    that only counts as one piece of a list, all rings are in one order: accounts with one list
    then meet the same neighbours again and again, and only who meets often enough is weighed.
    """
    usable = evidence.token_accounts <= _caps(evidence, policy)[evidence.token_kind]
    few = _declared_caps()[evidence.token_kind]
    accounts = len(evidence.accounts)
    spread = spread_keys(evidence.account_keys)
    pairs = []
    for matrix, own_order in ((weights.use, True), (lists.carried, False)):
        by_token = matrix.tocsc()
        by_token.sort_indices()
        token = np.repeat(np.arange(by_token.shape[1]), np.diff(by_token.indptr))
        account = by_token.indices.astype(np.int64)
        keep = usable[token]
        token, account = token[keep], account[keep]
        place = spread[account]
        if own_order:
            place = spread_keys(
                evidence.account_keys[account] ^ spread_keys(evidence.token_hash[token])
            )
        # Many stand on a gateway, and few of them together: fewer neighbours keep those who do
        # connected, as they meet on more than one.
        hub = evidence.token_accounts[token] > few[token]
        steps = np.where(hub, policy.hub_ring, policy.ring)
        met, times = _ring(token, account, place, accounts, steps)
        pairs.append(met if own_order else met[times >= policy.list_tokens])
    both = np.sort(np.concatenate(pairs))
    found = both[np.r_[True, both[1:] != both[:-1]][: len(both)]]
    return found // accounts, found % accounts


def _ring(token: Ints, account: Ints, place: Ints, accounts: int, steps: Ints) -> tuple[Ints, Ints]:
    """Neighbours of each token's carriers in order of `place`, up to so many steps away, as
    low * accounts + high, and on how many tokens they are neighbours."""
    if not len(token):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.lexsort((place, token))
    token, account, steps = token[order], account[order], steps[order]
    starts = np.flatnonzero(np.r_[True, token[1:] != token[:-1]])
    size = np.diff(np.r_[starts, len(token)])
    start_of, size_of = np.repeat(starts, size), np.repeat(size, size)
    position = np.arange(len(token)) - start_of
    codes = []
    for step in range(1, int(steps.max()) + 1):
        # Beyond half way round, the ring only meets the same pairs from the other side.
        turn = (2 * step <= size_of) & (step <= steps)
        a = account[turn]
        b = account[(start_of + (position + step) % size_of)[turn]]
        codes.append(np.minimum(a, b) * accounts + np.maximum(a, b))
    pairs = np.sort(np.concatenate(codes))
    heads = np.flatnonzero(np.r_[True, pairs[1:] != pairs[:-1]])
    return pairs[heads], np.diff(np.r_[heads, len(pairs)])


def weigh(
    evidence: Evidence, weights: Weights, first: Ints, second: Ints, policy: CampaignPolicy
) -> tuple[Floats, Ints]:
    """Surprise of what each pair shares, in nats, by kind and capped, and the rarest token of
    each kind (-1: none): pairs x kinds both."""
    kinds = len(KINDS)
    caps = np.zeros(kinds)
    for axis in policy.axes:
        for kind_name, cap in axis.kinds:
            if kind_name in KINDS:
                caps[KINDS.index(kind_name)] = cap
    nats = np.zeros((len(first), kinds))
    rarest = np.full((len(first), kinds), -1, np.int64)
    for at in range(0, len(first), _CHUNK):
        a, b = first[at : at + _CHUNK], second[at : at + _CHUNK]
        both = weights.use[a].multiply(weights.use[b]).tocsr()
        if not both.nnz:
            continue
        both.sort_indices()
        token = both.indices.astype(np.int64)
        pair = np.repeat(np.arange(len(a)), np.diff(both.indptr))
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
    return nats, rarest


def together(
    carried: sparse.csr_matrix,
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
    accounts, tokens = carried.shape
    carriers = np.bincount(carried.indices, minlength=tokens)
    row, other = np.nonzero(
        (axes >= policy.axis_nats) & (np.arange(len(policy.axes)) != strongest[:, None])
    )
    one, two = best[row, strongest[row]], best[row, other]
    swap = carriers[two] < carriers[one]
    one, two = np.where(swap, two, one), np.where(swap, one, two)
    codes, place = np.unique(one * tokens + two, return_inverse=True)
    one, two = codes // tokens, codes % tokens
    both = _carry_both(carried, one, two)
    expected = carriers[one] * carriers[two] / accounts
    ratio = both / np.maximum(expected, 1e-12)
    surprise = np.where(ratio > 1.0, both * np.log(np.maximum(ratio, 1e-12)) - both + expected, 0.0)
    needed = min(policy.together_nats, 2.0 * math.log(max(accounts, 2)))
    holds = (ratio >= policy.lift) & (surprise >= needed)
    lifted = np.zeros(len(axes), bool)
    lifted[row[holds[place]]] = True
    return lifted


def _carry_both(use: sparse.csr_matrix, one: Ints, two: Ints) -> Ints:
    """Accounts that carry both tokens of each couple; `one` is the rarer of the two."""
    by_token = use.tocsc()
    by_token.sort_indices()
    incidence = np.repeat(np.arange(by_token.shape[1]), np.diff(by_token.indptr))
    codes = incidence * use.shape[0] + by_token.indices  # ascending: token, then account
    both = np.zeros(len(one), np.int64)
    size = np.diff(by_token.indptr)[one]
    for at in range(0, len(one), _CHUNK):
        part = slice(at, at + _CHUNK)
        length = size[part]
        couple = np.repeat(np.arange(len(length)), length)
        within = np.arange(len(couple)) - np.repeat(np.cumsum(length) - length, length)
        account = by_token.indices[by_token.indptr[one[part]][couple] + within]
        wanted = two[part][couple] * use.shape[0] + account
        found = codes[np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)] == wanted
        both[part] = np.bincount(couple[found], minlength=len(length))
    return both


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


def synchrony(evidence: Evidence, first: Ints, second: Ints) -> Floats:
    """Nats of likeness in time beyond what hour of the day and weekday explain.

    Each account's requests by day and hour are compared with what its own hours of the day (its
    time zone) and the population's weekdays would make of them; the likeness of two accounts is
    the cosine of what is left, and its surprise -ln(share of chance pairs that are as alike).
    """
    weekdays = np.arange(evidence.days) % 7
    daily = np.asarray(evidence.hours.sum(axis=0)).reshape(evidence.days, 24).sum(axis=1)
    by_weekday = np.array([daily[weekdays == d].sum() for d in range(7)])
    count = np.bincount(weekdays, minlength=7)
    profile = (by_weekday / np.maximum(count, 1))[weekdays]
    profile = profile / max(profile.sum(), 1e-12)

    timed = evidence.sums["requests"] >= _TIMED_REQUESTS
    nats = np.zeros(len(first))
    usable = np.flatnonzero(timed[first] & timed[second])
    strangers = np.flatnonzero(timed)
    strangers = strangers[np.argsort(spread_keys(evidence.account_keys[strangers]), kind="stable")]
    strangers = strangers[:_STRANGERS]
    if not len(usable) or len(strangers) < 50:
        return nats
    left = _residuals(evidence, strangers, profile)
    chance = np.concatenate(
        [(left * np.roll(left, step, axis=0)).sum(axis=1) for step in range(1, _STRANGER_STEPS + 1)]
    )
    chance.sort()
    needed, place = np.unique(np.r_[first[usable], second[usable]], return_inverse=True)
    left = _residuals(evidence, needed, profile)
    a, b = place[: len(usable)], place[len(usable) :]
    for at in range(0, len(usable), _CHUNK):
        part = slice(at, at + _CHUNK)
        alike = np.einsum("ij,ij->i", left[a[part]], left[b[part]], dtype=np.float64)
        as_alike = len(chance) - np.searchsorted(chance, alike, side="left")
        nats[usable[part]] = -np.log((as_alike + 1.0) / (len(chance) + 1.0))
    return nats


def _residuals(evidence: Evidence, accounts: Ints, weekday_profile: Floats) -> NDArray[np.float32]:
    busy = evidence.hours[accounts].toarray().reshape(len(accounts), evidence.days, 24)
    own_hours = busy.sum(axis=1)
    expected = weekday_profile[None, :, None] * own_hours[:, None, :]
    # Square roots even out the noise of counts.
    left = (np.sqrt(busy) - np.sqrt(expected)).reshape(len(accounts), -1)
    length = np.sqrt(np.einsum("ij,ij->i", left, left))
    return (left / np.maximum(length, 1e-9)[:, None]).astype(np.float32)


def spread_keys(keys: Ints) -> Ints:
    """Spread 64-bit keys (the finalizer of SplitMix64, Steele et al. 2014)."""
    z = keys.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))).astype(np.int64)
