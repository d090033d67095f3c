"""What each token says of each account that carries it, and what it may do for links.

An account's tokens stand in a row, in order, so that two accounts are compared by going through one
row and looking into the other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.evidence import KINDS, TEMPLATE, Evidence
from jobs.campaigns.threads import even_parts, in_threads
from jobs.catalog.measures import INDICATORS_BY_KIND
from jobs.catalog.policy import CampaignPolicy
from jobs.platform.compiling import compiled

Ints = NDArray[np.int64]
Narrow = NDArray[np.int32]
Floats = NDArray[np.float64]
Flags = NDArray[np.uint8]

#: Kinds of which an account may carry very many, few of them typical of it.
_BY_USE = ("template", "template_end", "shingle", "settings", "client", "system_prompt")
#: Kinds of which an operation has a list, and shares it out.
LISTED_CODES = tuple(KINDS.index(kind) for kind in ("template", "template_end", "shingle"))
_TEMPLATE = KINDS.index(TEMPLATE)

#: What an entry is: it tells of its account; it is content that may be of a work list, shared and
#: by few; it is of a closed circle.
TELLING, ON_LIST, OF_CIRCLE = 1, 2, 4

#: Entries worked on at a time by one thread.
ENTRIES = 1_000_000


class Traces(NamedTuple):
    """Accounts' rows of tokens, and what is known of both; arrays alone, for compiled loops."""

    #: Where the row of each account starts, and where the last one ends.
    starts: Ints
    #: Of each entry: its token, requests with it, and what it is (TELLING, ON_LIST, OF_CIRCLE).
    token: Narrow
    requests: Narrow
    flags: Flags
    #: Of each token: its kind, accounts that carry it, and -ln P(a chance partner carries it too),
    #: before what the accounts went through.
    kind: NDArray[np.int8]
    carriers: Ints
    rarity: Floats
    #: Half the logarithm of the different tokens that an account went through: accounts x kinds.
    busy: Floats
    #: Requests of each account.
    sent: Floats
    #: Pieces of content of a work list that an account carries, kind by kind: accounts x
    #: LISTED_CODES.
    pieces: Narrow
    #: Of each kind, whether a token counts by its share of an account's requests.
    by_use: NDArray[np.bool_]


def traces_of(evidence: Evidence, policy: CampaignPolicy) -> Traces:
    """Weigh each token for each account, and say what it may do.

    A partner chosen by chance carries the token with probability sqrt(d1 d2) n / E: n accounts
    with the token, E pairs of account and token of that kind, d tokens each of the two went
    through (the configuration model). A token counts by the square root of the geometric mean of
    its share in the two accounts' requests where accounts have very many of its kind.
    """
    incidences = np.maximum(evidence.variety.sum(axis=0), 1)
    carriers = evidence.token_accounts
    carried, accounts = evidence.carried, len(evidence.accounts)
    traces = Traces(
        starts=carried.indptr.astype(np.int64),
        token=carried.indices.astype(np.int32, copy=False),
        requests=carried.data.astype(np.int32, copy=False),
        flags=np.zeros(carried.nnz, np.uint8),
        kind=evidence.token_kind,
        carriers=carriers,
        rarity=np.log(incidences[evidence.token_kind] / np.maximum(carriers, 1)),
        busy=0.5 * np.log(np.maximum(evidence.variety, 1)),
        sent=np.maximum(evidence.sums["requests"], 1).astype(np.float64),
        pieces=np.zeros((accounts, len(LISTED_CODES)), np.int32),
        by_use=np.isin(KINDS, _BY_USE),
    )
    most = most_accounts(evidence, policy)
    in_threads(
        lambda part: _judge(traces, most, policy.token_nats, *part),
        even_parts(traces.starts, ENTRIES),
    )
    _mark_closed_circle(traces, evidence, policy)
    return traces


@compiled
def _judge(traces: Traces, most: Floats, token_nats: float, low: int, high: int) -> None:
    """Say of the entries of these accounts whether they tell, and whether they are of a list."""
    for account in range(low, high):
        for entry in range(traces.starts[account], traces.starts[account + 1]):
            token = traces.token[entry]
            kind = traces.kind[token]
            nats = traces.rarity[token] - 2.0 * traces.busy[account, kind]
            share = share_of(traces.by_use[kind], traces.requests[entry], traces.sent[account])
            if nats * np.sqrt(share) >= token_nats:
                traces.flags[entry] |= TELLING
            which = which_list(kind)
            if which >= 0 and traces.carriers[token] <= most[kind]:
                traces.flags[entry] |= ON_LIST
                traces.pieces[account, which] += 1


@compiled
def which_list(kind: int) -> int:
    """The place of a kind in LISTED_CODES; -1: not there."""
    for place in range(len(LISTED_CODES)):
        if LISTED_CODES[place] == kind:
            return place
    return -1


@compiled
def share_of(by_use: bool, requests: int, sent: float) -> float:
    """Share of an account's requests that a token is typical of; 1 of kinds with few tokens."""
    return min(requests / sent, 1.0) if by_use else 1.0


def _mark_closed_circle(traces: Traces, evidence: Evidence, policy: CampaignPolicy) -> None:
    """Flag the entries of accounts whose prompts are mostly each other's.

    Where each item of a large list is sent a few times, by any of many accounts, two of them have
    too little in common to tell. But nearly all that each of them sends, others of them have sent
    too, and hardly anyone else, while people who copy from one public source send most of what
    they send alone, and share the rest with all others who copy from it. What is left when
    accounts and content are taken away by turns until that holds of all (as in the cores of
    Seidman 1983, and the blocks that fraud leaves in a bipartite graph: FRAUDAR, Hooi et al. 2016).
    """
    sent = evidence.variety[:, _TEMPLATE]
    # A share of what it sent, but so many different prompts at least.
    needed = np.maximum(policy.circle_share * sent, policy.circle_pieces)
    _close(traces, needed, policy.circle_exclusive)


@compiled
def _close(traces: Traces, needed: Floats, exclusive: float) -> None:
    # Tokens are numbered kind by kind, templates last.
    first = int(np.searchsorted(traces.kind, _TEMPLATE))
    starts = np.empty(len(needed), np.int64)
    for account in range(len(needed)):
        row = traces.starts[account], traces.starts[account + 1]
        starts[account] = seek(traces.token, row[0], row[1], first)
    inside = np.ones(len(needed), np.bool_)
    held = np.zeros(len(traces.kind), np.int32)
    settled = False
    while not settled:
        held[:] = 0
        for account in range(len(inside)):
            if inside[account]:
                for entry in range(starts[account], traces.starts[account + 1]):
                    held[traces.token[entry]] += 1
        settled = True
        for account in range(len(inside)):
            if inside[account]:
                theirs = 0
                for entry in range(starts[account], traces.starts[account + 1]):
                    token = traces.token[entry]
                    listed = traces.flags[entry] & ON_LIST != 0
                    theirs += listed and _closed(held[token], exclusive, traces.carriers[token])
                if theirs < needed[account]:
                    inside[account] = settled = False
    for account in range(len(inside)):
        if inside[account]:
            for entry in range(starts[account], traces.starts[account + 1]):
                token = traces.token[entry]
                listed = traces.flags[entry] & ON_LIST != 0
                if listed and _closed(held[token], exclusive, traces.carriers[token]):
                    traces.flags[entry] |= OF_CIRCLE


@compiled
def _closed(held: int, exclusive: float, carriers: int) -> bool:
    """Whether several accounts inside hold a prompt, and few others do."""
    return held >= 2 and held >= exclusive * carriers


class ByToken(NamedTuple):
    """The accounts that carry each token, in order."""

    starts: Ints
    account: Narrow


@compiled
def by_token(traces: Traces, flags: int) -> ByToken:
    """Of each token the accounts with an entry of one of these flags."""
    starts = np.zeros(len(traces.kind) + 1, np.int64)
    for entry in range(len(traces.token)):
        if traces.flags[entry] & flags:
            starts[traces.token[entry] + 1] += 1
    starts = np.cumsum(starts)
    free = starts[:-1].copy()
    carriers = np.empty(starts[-1], np.int32)
    for account in range(len(traces.sent)):
        for entry in range(traces.starts[account], traces.starts[account + 1]):
            if traces.flags[entry] & flags:
                token = traces.token[entry]
                carriers[free[token]] = account
                free[token] += 1
    return ByToken(starts, carriers)


@compiled
def seek(row: Narrow, start: int, stop: int, wanted: int) -> int:
    """The first place from `start` on whose number is `wanted` or more, else `stop`, in strides
    that double (Bentley and Yao 1976): cheap where the next is near."""
    stride = 1
    while start + stride < stop and row[start + stride] < wanted:
        start += stride
        stride *= 2
    stop = min(start + stride, stop)
    while start < stop:
        middle = (start + stop) // 2
        if row[middle] < wanted:
            start = middle + 1
        else:
            stop = middle
    return start


def most_accounts(evidence: Evidence, policy: CampaignPolicy) -> Floats:
    """Accounts above which a token of each kind proposes nothing."""
    return np.maximum(declared_caps(), policy.hub_share * len(evidence.accounts))


def declared_caps() -> Floats:
    """Accounts above which a token of each kind is a hub: a gateway, a popular client."""
    # A template has no indicator of its own, and may be as popular as its ending.
    ending = INDICATORS_BY_KIND["template_end"].link_cap
    return np.array([
        INDICATORS_BY_KIND[kind].link_cap if kind in INDICATORS_BY_KIND else ending
        for kind in KINDS
    ], float)  # fmt: skip
