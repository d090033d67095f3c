"""One list of work: many rare pieces of content that two accounts have in common.

Each piece may say little; that there are several says much. Where an operation cuts a list into
shards, or mixes it into customers' traffic, no single piece tells, the list does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.campaigns.threads import in_threads
from jobs.campaigns.traces import LISTED_CODES, ON_LIST, Traces, seek, which_list
from jobs.carriers.counting import slots_for
from jobs.catalog.policy import CampaignPolicy
from jobs.platform.compiling import compiled

Ints = NDArray[np.int64]
Narrow = NDArray[np.int32]
Floats = NDArray[np.float64]

#: Pieces that any two accounts have in common by chance, at least: people copy each other.
_LEAST_CHANCE = 0.05
#: Accounts compared with a sample at a time by one thread.
_COMPARED = 2_000


class Lists(NamedTuple):
    """All content that may be of work lists, each of LISTED_CODES for itself."""

    #: Ordered pairs of accounts that meet on a piece, and how often an account has one.
    meetings: Floats
    incidences: Floats
    #: Pieces that two accounts must have in common before that says anything.
    least: int


def lists_of(traces: Traces, policy: CampaignPolicy) -> Lists:
    """How much of each kind of content there is."""
    listed = np.zeros(len(traces.kind), bool)
    listed[traces.token[traces.flags & ON_LIST != 0]] = True
    meetings = np.where(listed, traces.carriers * (traces.carriers - 1.0), 0.0)
    return Lists(
        np.array([meetings[traces.kind == code].sum() for code in LISTED_CODES]),
        np.maximum(traces.pieces.sum(axis=0, dtype=np.float64), 1.0),
        policy.list_tokens,
    )


@compiled
def surprise(
    meetings: float, incidences: float, shared: int, under_test: float, one: int, other: int
) -> tuple[float, float]:
    """Surprise in nats (none below chance), and times as many as by chance, of so many shared
    pieces of one kind, by accounts that carry `one` and `other` such pieces.

    Two accounts with r and s such pieces have r s c in common by chance (c: how often two drawn
    pieces are one; the configuration model again), and k of them are a surprise of
    k ln(k / rsc) - k + rsc nats (a Poisson tail, Chernoff's bound). Meetings on the pieces `under
    test` are left out of c, or a large operation would pass for what everybody does. Each piece may
    be a small part of what an account sends: work mixed into a customer's traffic is still one
    list.
    """
    rest = max(meetings - under_test, 0.0)
    sizes = float(one) * float(other)
    chance = max(sizes * rest / incidences**2, _LEAST_CHANCE)
    ratio = shared / chance
    if ratio <= 1.0:
        return 0.0, ratio
    return shared * np.log(ratio) - shared + chance, ratio


class Sample(NamedTuple):
    """Some accounts, and the pieces of content that they hold, ascending: where the holders of each
    start, and the holders, by their place among the accounts."""

    accounts: Ints
    pieces: Narrow
    starts: Ints
    holder: Ints


def sample_of(traces: Traces, accounts: Ints) -> Sample:
    """The accounts with what they hold of work lists."""
    rows = [
        entries[traces.flags[entries] & ON_LIST != 0]
        for entries in (np.arange(*traces.starts[[one, one + 1]]) for one in accounts)
    ]
    tokens = traces.token[np.concatenate(rows)]
    holder = np.repeat(np.arange(len(accounts)), [len(row) for row in rows])
    pieces, starts = np.unique(np.sort(tokens), return_index=True)
    starts = np.r_[starts, len(tokens)]
    return Sample(accounts, pieces, starts, holder[np.argsort(tokens, kind="stable")])


def list_in_common(traces: Traces, lists: Lists, accounts: Ints, sample: Sample) -> Floats:
    """Nats that each account's list has in common with that of each of a sample, kind by kind the
    most: accounts x the sample's."""
    parts = [accounts[at : at + _COMPARED] for at in range(0, len(accounts), _COMPARED)]
    nats = in_threads(lambda some: _in_common(traces, lists, some, sample), parts)
    return np.concatenate([np.empty((0, len(sample.accounts))), *nats])


@compiled
def _in_common(traces: Traces, lists: Lists, accounts: Ints, sample: Sample) -> Floats:
    pieces, starts, holder = sample.pieces, sample.starts, sample.holder
    sampled = len(sample.accounts)
    nats = np.zeros((len(accounts), sampled))
    shared = np.empty((len(LISTED_CODES), sampled), np.int64)
    under_test = np.empty((len(LISTED_CODES), sampled))
    # Few of an account's tokens are a sample's: most are told by their lowest bits.
    mask = slots_for(8 * len(pieces)) - 1
    seen = np.zeros(mask + 1, np.bool_)
    for at in range(len(pieces)):
        seen[pieces[at] & mask] = True
    for row in range(len(accounts)):
        account = accounts[row]
        shared[:], under_test[:] = 0, 0.0
        piece = 0
        for entry in range(traces.starts[account], traces.starts[account + 1]):
            token = traces.token[entry]
            if not seen[token & mask] or traces.flags[entry] & ON_LIST == 0:
                continue
            piece = seek(pieces, piece, len(pieces), token)
            if piece == len(pieces):
                break
            if pieces[piece] != token:
                continue
            which = which_list(traces.kind[token])
            for at in holder[starts[piece] : starts[piece + 1]]:
                shared[which, at] += 1
                under_test[which, at] += traces.carriers[token] * (traces.carriers[token] - 1.0)
        for which in range(len(LISTED_CODES)):
            one = traces.pieces[account, which]
            for at in range(sampled):
                other = traces.pieces[sample.accounts[at], which]
                if shared[which, at] >= lists.least:
                    found, _ = surprise(
                        lists.meetings[which], lists.incidences[which], shared[which, at],
                        under_test[which, at], one, other,
                    )  # fmt: skip
                    nats[row, at] = max(nats[row, at], found)
    return nats
