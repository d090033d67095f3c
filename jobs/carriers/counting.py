"""Loops over who carries which token: entries of token and account, how many carry each, and what
an account's entries come to.

Tokens and accounts are 64-bit hashes, so their own bits choose buckets and places in hash tables
(open addressing, linear probing: Knuth 1973, 6.4). Sums and counts are whole numbers: they depend
neither on the order of rows nor on that of buckets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.platform.compiling import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]

#: Columns of what an account's entries come to, of each of two windows.
TOTAL, TOKENS, SHARED, PROMPTS, SOME, SOME_FAN, LARGEST = range(7)
#: A shared token counts as an account's own when this share of its requests carries it, so that
#: one request through a friend's network makes nobody a neighbour.
OWN_SHARE = 0.25
#: An account's entries with most requests that are kept: all its own are among so many.
KEPT = int(1 / OWN_SHARE)
COLUMNS = LARGEST + 2 * KEPT
#: Rows of a bucket: its hash tables stay in a core's cache.
_BUCKET_ROWS = 8_192


class Entries(NamedTuple):
    """Distinct pairs of a token and an account, and the tokens."""

    #: Of each entry: its token (a place in `tokens`) and its account.
    token: Places
    account: Ints
    #: Requests in the recent days and in the whole window, prompts in both: entries x 4.
    sums: Ints
    #: Of each token: itself, and its accounts in the recent days and in the whole window.
    tokens: Ints
    accounts: Ints


def entries_of(
    token: Ints,
    account: Ints,
    requests: Ints,
    prompts: Ints,
    recent: NDArray[np.bool_],
    part_bits: int,
) -> Entries:
    """Add up rows by token and account.

    Args:
        token, account: hashes of each row.
        requests, prompts: of each row; requests are 1 or more.
        recent: whether the row is of the recent days.
        part_bits: high bits of the token that all rows have in common.
    """
    bits = max(1, (len(token) // _BUCKET_ROWS).bit_length())
    return Entries(*_added_up(token, account, requests, prompts, recent, part_bits, bits))


@compiled
def _added_up(
    token: Ints,
    account: Ints,
    requests: Ints,
    prompts: Ints,
    recent: NDArray[np.bool_],
    part_bits: int,
    bits: int,
) -> tuple[Places, Ints, Ints, Ints, Ints]:
    order, start = _by_bucket(token, part_bits, bits)
    rows = len(token)
    of_token = np.empty(rows, np.int32)
    carrier = np.empty(rows, np.int64)
    sums = np.zeros((rows, 4), np.int64)
    tokens = np.empty(rows, np.int64)
    accounts = np.zeros((rows, 2), np.int64)
    size = slots_for(np.diff(start).max())
    token_slots, entry_slots = np.empty(size, np.int32), np.empty(size, np.int32)
    known, entries = 0, 0
    for bucket in range(len(start) - 1):
        size = slots_for(start[bucket + 1] - start[bucket])
        by_token, by_entry = token_slots[:size], entry_slots[:size]
        by_token[:] = -1
        by_entry[:] = -1
        first = entries
        for at in range(start[bucket], start[bucket + 1]):
            row = order[at]
            slot = _slot_of(token[row], by_token, tokens)
            if by_token[slot] < 0:
                by_token[slot] = known
                tokens[known] = token[row]
                known += 1
            number = by_token[slot]
            slot = (token[row] ^ account[row]) & (size - 1)
            while by_entry[slot] >= 0 and (
                of_token[by_entry[slot]] != number or carrier[by_entry[slot]] != account[row]
            ):
                slot = (slot + 1) & (size - 1)
            if by_entry[slot] < 0:
                by_entry[slot] = entries
                of_token[entries] = number
                carrier[entries] = account[row]
                entries += 1
            entry = by_entry[slot]
            if recent[row]:
                sums[entry, 0] += requests[row]
                sums[entry, 2] += prompts[row]
            sums[entry, 1] += requests[row]
            sums[entry, 3] += prompts[row]
        for entry in range(first, entries):
            accounts[of_token[entry], 0] += sums[entry, 0] > 0
            accounts[of_token[entry], 1] += 1
    return of_token[:entries], carrier[:entries], sums[:entries], tokens[:known], accounts[:known]


@compiled
def _by_bucket(token: Ints, part_bits: int, bits: int) -> tuple[Places, Ints]:
    """Rows in order of the token's bits below the part's, and where each bucket starts."""
    start = np.zeros((1 << bits) + 1, np.int64)
    for row in range(len(token)):
        start[_bucket_of(token[row], part_bits, bits) + 1] += 1
    start = np.cumsum(start)
    following = start.copy()
    order = np.empty(len(token), np.int32)
    for row in range(len(token)):
        bucket = _bucket_of(token[row], part_bits, bits)
        order[following[bucket]] = row
        following[bucket] += 1
    return order, start


@compiled
def _bucket_of(token: int, part_bits: int, bits: int) -> Any:
    return np.int64((np.uint64(token) << np.uint64(part_bits)) >> np.uint64(64 - bits))


@compiled
def slots_for(keys: int) -> int:
    """A power of two, twice as many as keys or more."""
    size = 2
    while size < 2 * keys:
        size *= 2
    return size


@compiled
def _slot_of(key: int, slots: Places, keys: Ints) -> Any:
    """The slot that has the key's place, or a free one."""
    slot = key & (len(slots) - 1)
    while slots[slot] >= 0 and keys[slots[slot]] != key:
        slot = (slot + 1) & (len(slots) - 1)
    return slot


class Numbering:
    """Numbers for account hashes, from 0, in the order in which they were first given."""

    def __init__(self, accounts: Ints | None = None) -> None:
        self._slots: Places = np.full(2, -1, np.int32)
        self._accounts: Ints = np.empty(1, np.int64)
        self._count = 0
        if accounts is not None:
            self.number(np.array(accounts))

    def number(self, accounts: Ints) -> Places:
        """The number of each account; those that are new get one."""
        numbers, self._slots, self._accounts, self._count = _numbered(
            accounts, self._slots, self._accounts, self._count
        )
        return numbers

    def find(self, accounts: Ints) -> Places:
        """The number of each account, -1 where it has none; may be called by several threads."""
        return _found(accounts, self._slots, self._accounts)

    @property
    def accounts(self) -> Ints:
        """All accounts by number."""
        return self._accounts[: self._count]


@compiled
def _numbered(
    wanted: Ints, slots: Places, known: Ints, count: int
) -> tuple[Places, Places, Ints, int]:
    numbers = np.empty(len(wanted), np.int32)
    for at in range(len(wanted)):
        slot = _slot_of(wanted[at], slots, known)
        if slots[slot] < 0:
            if count == len(known):
                larger = np.empty(2 * count, np.int64)
                larger[:count] = known
                known = larger
                slots = np.full(4 * count, -1, np.int32)
                for number in range(count):
                    slots[_slot_of(known[number], slots, known)] = number
                slot = _slot_of(wanted[at], slots, known)
            slots[slot] = count
            known[count] = wanted[at]
            count += 1
        numbers[at] = slots[slot]
    return numbers, slots, known, count


@compiled
def _found(wanted: Ints, slots: Places, known: Ints) -> Places:
    numbers = np.empty(len(wanted), np.int32)
    for at in range(len(wanted)):
        numbers[at] = slots[_slot_of(wanted[at], slots, known)]
    return numbers


@compiled
def add_to_accounts(
    token: Places, account: Places, sums: Ints, accounts: Ints, most: int, figures: Ints
) -> None:
    """Add entries to what their accounts' come to.

    Args:
        token, sums, accounts: as in `Entries`.
        account: number of each entry's account.
        most: accounts on a token above which it is a common one.
        figures: accounts x 2 windows x COLUMNS, added to. TOTAL: requests. TOKENS: tokens used.
            SHARED: requests on tokens of more than one account. PROMPTS: prompts. SOME: requests
            on tokens that are shared and not common, SOME_FAN the fewest accounts on one (0: none).
            From LARGEST on: requests of the KEPT entries with most, then accounts on their tokens.
    """
    for entry in range(len(token)):
        for window in range(2):
            requests = sums[entry, window]
            if requests == 0:
                continue
            fan = accounts[token[entry], window]
            of = figures[account[entry], window]
            of[TOTAL] += requests
            of[TOKENS] += 1
            of[PROMPTS] += sums[entry, 2 + window]
            if fan > 1:
                of[SHARED] += requests
                if fan <= most:
                    of[SOME] += requests
                    if of[SOME_FAN] == 0 or fan < of[SOME_FAN]:
                        of[SOME_FAN] = fan
            least = LARGEST
            for kept in range(LARGEST + 1, LARGEST + KEPT):
                if of[kept] < of[least]:
                    least = kept
            if requests > of[least]:
                of[least] = requests
                of[least + KEPT] = fan


@compiled
def rows_of_accounts(
    account: Places, column: Places, first: Places, second: Places, accounts: int, columns: int
) -> tuple[Places, Places, Places, Places]:
    """Entries as rows of a sparse matrix (CSR), columns ascending: where rows start, the columns,
    and two values of each.

    Two stable counting sorts, by column and by account.
    """
    by_column = _sorted_by(column, np.arange(len(column), dtype=np.int32), columns)[0]
    order, start = _sorted_by(account, by_column, accounts)
    return start, column[order], first[order], second[order]


@compiled
def _sorted_by(key: Places, order: Places, keys: int) -> tuple[Places, Places]:
    start = np.zeros(keys + 1, np.int32)
    for at in range(len(key)):
        start[key[at] + 1] += 1
    for at in range(keys):
        start[at + 1] += start[at]
    following = start.copy()
    found = np.empty(len(key), np.int32)
    for at in order:
        found[following[key[at]]] = at
        following[key[at]] += 1
    return found, start
