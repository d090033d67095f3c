"""One list of work: many rare pieces of content that two accounts have in common.

Each piece may say little; that there are several says much. Where an operation cuts a list into
shards, or mixes it into customers' traffic, no single piece tells, the list does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from jobs.campaigns.evidence import KINDS, TEMPLATE, Evidence
from jobs.campaigns.pairs import in_common, in_parts, most_accounts, some_entries
from jobs.catalog.policy import CampaignPolicy

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Kinds of which an operation has a list, and shares it out.
LISTED_CODES = [KINDS.index(kind) for kind in ("template", "template_end", "shingle")]
#: Pieces that any two accounts have in common by chance, at least: people copy each other.
_LEAST_CHANCE = 0.05


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
    content = np.isin(evidence.token_kind, LISTED_CODES)
    rare = content & (
        evidence.token_accounts <= most_accounts(evidence, policy)[evidence.token_kind]
    )
    carried = some_entries(evidence.carried, rare[evidence.carried.indices])
    # Bytes: rows are copied for each pair that is compared, and that is half of the comparing.
    carried.data = np.ones(carried.nnz, np.int8)
    size = np.zeros((len(evidence.accounts), len(KINDS)), np.int64)
    of_kind = evidence.token_kind[carried.indices]
    for code in LISTED_CODES:
        upto = np.r_[0, np.cumsum(of_kind == code)]
        size[:, code] = np.diff(upto[carried.indptr])
    carriers = np.bincount(carried.indices, minlength=carried.shape[1]).astype(np.float64)
    meetings = carriers * np.maximum(carriers - 1, 0)
    return Lists(
        carried,
        evidence.token_kind,
        size,
        meetings,
        np.bincount(evidence.token_kind, weights=meetings, minlength=len(KINDS)).astype(float),
        np.maximum(size.sum(axis=0).astype(np.float64), 1.0),
    )


def closed_circle(evidence: Evidence, lists: Lists, policy: CampaignPolicy) -> sparse.csr_matrix:
    """Accounts whose prompts are mostly each other's: what each shares, as accounts x tokens.

    Where each item of a large list is sent a few times, by any of many accounts, two of them have
    too little in common to tell. But nearly all that each of them sends, others of them have sent
    too, and hardly anyone else, while people who copy from one public source send most of what
    they send alone, and share the rest with all others who copy from it. What is left when
    accounts and content are taken away by turns until that holds of all (as in the cores of
    Seidman 1983, and the blocks that fraud leaves in a bipartite graph: FRAUDAR, Hooi et al. 2016).
    """
    template = KINDS.index(TEMPLATE)
    of_templates = (evidence.token_kind == template)[lists.carried.indices]
    carried = some_entries(lists.carried, of_templates).astype(np.float64)
    carriers = np.asarray(carried.sum(axis=0)).ravel()
    sent = evidence.variety[:, template]
    inside = np.ones(len(evidence.accounts), bool)
    while True:
        held = inside.astype(np.float64) @ carried
        closed = (held >= 2) & (held >= policy.circle_exclusive * carriers)
        theirs = carried @ closed.astype(np.float64)
        stays = (
            inside & (theirs >= policy.circle_pieces) & (theirs >= policy.circle_share * sent)
        )  # fmt: skip
        if (stays == inside).all():
            break
        inside = stays
    stays = np.repeat(inside, np.diff(carried.indptr))
    return some_entries(carried, stays & closed[carried.indices])


def share_any(carried: sparse.csr_matrix, first: Ints, second: Ints) -> NDArray[np.bool_]:
    """Whether the two accounts of each pair carry a token in common."""
    shared = np.zeros(len(first), bool)
    carries = np.diff(carried.indptr) > 0
    both = np.flatnonzero(carries[first] & carries[second])

    def look(part: slice) -> None:
        pairs = both[part]
        common, _ = in_common(carried, first[pairs], second[pairs])
        shared[pairs] = np.diff(common.indptr) > 0

    in_parts(look, len(both))
    return shared


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

    def compare(part: slice) -> None:
        at, a, b = part.start, first[part], second[part]
        both, pair = in_common(lists.carried, a, b)
        kind = lists.token_kind[both.indices]
        for code in LISTED_CODES:
            of_kind = kind == code
            shared = np.bincount(pair[of_kind], minlength=len(a)).astype(np.float64)
            under_test = np.bincount(
                pair[of_kind], weights=lists.meetings[both.indices[of_kind]], minlength=len(a)
            ).astype(np.float64)
            sizes: Ints = lists.size[a, code] * lists.size[b, code]
            surprise, ratio = _surprise(lists, code, shared, under_test, sizes, policy)
            better = at + np.flatnonzero(surprise > nats[at : at + len(a)])
            nats[better], times[better] = surprise[better - at], ratio[better - at]

    in_parts(compare, len(first))
    return nats, times


def list_in_common(
    lists: Lists, by_token: sparse.csc_matrix, sample: Ints, policy: CampaignPolicy
) -> Callable[[Ints], Floats]:
    """`common_list` of many accounts with a few: a function of accounts that gives nats, accounts x
    `sample`. `by_token` is `lists.carried` by column.

    Products of matrices count what is shared for all at once.
    """
    held = lists.carried[sample]
    met, place = np.unique(held.indices, return_inverse=True)
    theirs = sparse.csr_matrix((np.ones(len(place)), place, held.indptr), (len(sample), len(met)))
    ours = by_token[:, met].tocsr().astype(np.float64)
    kind, meetings = lists.token_kind[met], lists.meetings[met]

    def of(accounts: Ints) -> Floats:
        rows, nats = ours[accounts], np.zeros((len(accounts), len(sample)))
        for code in LISTED_CODES:
            carried = theirs.multiply(kind == code).tocsr()
            shared = (rows @ carried.T).toarray()
            under_test = (rows @ carried.multiply(meetings).tocsr().T).toarray()
            sizes = np.outer(lists.size[accounts, code], lists.size[sample, code])
            surprise, _ = _surprise(lists, code, shared, under_test, sizes, policy)
            np.maximum(nats, surprise, out=nats)
        return nats

    return of


def _surprise(
    lists: Lists,
    code: int,
    shared: Floats,
    under_test: Floats,
    sizes: Ints,
    policy: CampaignPolicy,
) -> tuple[Floats, Floats]:
    """Surprise in nats (none below `list_tokens` pieces or chance), and times as many as by chance,
    of so many shared pieces of one kind; `sizes` is the product of both accounts'."""
    rest = np.maximum(lists.kind_meetings[code] - under_test, 0.0)
    chance = np.maximum(sizes * rest / lists.incidences[code] ** 2, _LEAST_CHANCE)
    ratio = shared / chance
    enough = (shared >= policy.list_tokens) & (ratio > 1.0)
    surprise = shared * np.log(np.maximum(ratio, 1.0)) - shared + chance
    return np.where(enough, surprise, 0.0), ratio


def some_pieces(
    evidence: Evidence, lists: Lists, first: Ints, second: Ints
) -> tuple[Ints, Ints, Ints]:
    """Of the content that each pair shares, the piece that fewest accounts have, the middle one
    and the one that most have (-1: none)."""
    found = np.full((3, len(first)), -1, np.int64)

    def pick(part: slice) -> None:
        at, a, b = part.start, first[part], second[part]
        both, pair = in_common(lists.carried, a, b)
        token = both.indices.astype(np.int64)
        token = token[np.lexsort((token, evidence.token_accounts[token], pair))]
        shared = np.diff(both.indptr)
        some = np.flatnonzero(shared)
        for row, place in enumerate((shared * 0, shared // 2, shared - 1)):
            found[row, at + some] = token[both.indptr[some] + place[some]]

    in_parts(pick, len(first))
    return found[0], found[1], found[2]
