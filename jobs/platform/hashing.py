"""The 64-bit hash of both engines' `xxhash64`, compiled: XXH64 (Collet 2014), as Spark chains it.

The hash of several values is the hash of the last, seeded with that of those before it; the first
is seeded with 42, and a null leaves the hash as it is. Numbers are `uint64` throughout: an index
that can't be negative costs no test, and products wrap as the method wants them to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jobs.platform.buffers import bytes_of
from jobs.platform.compiling import compiled

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

#: What both engines seed the first value of a chain with.
FIRST_SEED = np.uint64(42)
_PRIME_1 = np.uint64(0x9E3779B185EBCA87)
_PRIME_2 = np.uint64(0xC2B2AE3D27D4EB4F)
_PRIME_3 = np.uint64(0x165667B19E3779F9)
_PRIME_4 = np.uint64(0x85EBCA77C2B2AE63)
_PRIME_5 = np.uint64(0x27D4EB2F165667C5)
_STRIPE = np.uint64(32)


@compiled
def _rotated(value: np.uint64, bits: int) -> np.uint64:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@compiled
def _round(value: np.uint64, lane: np.uint64) -> np.uint64:
    return _rotated(value + lane * _PRIME_2, 31) * _PRIME_1


@compiled
def _merged(value: np.uint64, lane: np.uint64) -> np.uint64:
    return (value ^ _round(np.uint64(0), lane)) * _PRIME_1 + _PRIME_4


@compiled
def _mixed(value: np.uint64) -> np.uint64:
    value ^= value >> np.uint64(33)
    value *= _PRIME_2
    value ^= value >> np.uint64(29)
    value *= _PRIME_3
    return value ^ (value >> np.uint64(32))


@compiled
def _four(data: NDArray[np.uint8], at: np.uint64) -> np.uint64:
    """Four bytes, least first; written out, they become one load."""
    return (
        np.uint64(data[at])
        | np.uint64(data[at + np.uint64(1)]) << np.uint64(8)
        | np.uint64(data[at + np.uint64(2)]) << np.uint64(16)
        | np.uint64(data[at + np.uint64(3)]) << np.uint64(24)
    )


@compiled
def _eight(data: NDArray[np.uint8], at: np.uint64) -> np.uint64:
    return _four(data, at) | _four(data, at + np.uint64(4)) << np.uint64(32)


@compiled
def _with_eight(hashed: np.uint64, lane: np.uint64) -> np.uint64:
    return _rotated(hashed ^ _round(np.uint64(0), lane), 27) * _PRIME_1 + _PRIME_4


@compiled
def _with_four(hashed: np.uint64, lane: np.uint64) -> np.uint64:
    return _rotated(hashed ^ lane * _PRIME_1, 23) * _PRIME_2 + _PRIME_3


@compiled
def _with_one(hashed: np.uint64, byte: np.uint8) -> np.uint64:
    return _rotated(hashed ^ np.uint64(byte) * _PRIME_5, 11) * _PRIME_1


@compiled
def hash_of_number(value: np.uint64, seed: np.uint64) -> np.uint64:
    """The hash of a BIGINT (its two's complement)."""
    return _mixed(_with_eight(seed + _PRIME_5 + np.uint64(8), value))


@compiled
def hash_of_bytes(
    data: NDArray[np.uint8], start: np.uint64, end: np.uint64, seed: np.uint64
) -> np.uint64:
    """The hash of the bytes from `start` up to `end`, as of a STRING or BINARY."""
    at = start
    if end - start >= _STRIPE:
        first = seed + _PRIME_1 + _PRIME_2
        second = seed + _PRIME_2
        third = seed
        fourth = seed - _PRIME_1
        while at + _STRIPE <= end:
            first = _round(first, _eight(data, at))
            second = _round(second, _eight(data, at + np.uint64(8)))
            third = _round(third, _eight(data, at + np.uint64(16)))
            fourth = _round(fourth, _eight(data, at + np.uint64(24)))
            at += _STRIPE
        hashed = (
            _rotated(first, 1) + _rotated(second, 7) + _rotated(third, 12) + _rotated(fourth, 18)
        )
        hashed = _merged(_merged(_merged(_merged(hashed, first), second), third), fourth)
    else:
        hashed = seed + _PRIME_5
    hashed += end - start
    while at + np.uint64(8) <= end:
        hashed = _with_eight(hashed, _eight(data, at))
        at += np.uint64(8)
    if at + np.uint64(4) <= end:
        hashed = _with_four(hashed, _four(data, at))
        at += np.uint64(4)
    while at < end:
        hashed = _with_one(hashed, data[at])
        at += np.uint64(1)
    return _mixed(hashed)


@compiled
def two_hashes_of_bytes(
    data: NDArray[np.uint8], start: np.uint64, end: np.uint64, one: np.uint64, other: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """The hashes of the same bytes with two seeds: what lies in a word's way is its length, which
    no processor foresees, and both go that way at once."""
    if end - start >= _STRIPE:
        return hash_of_bytes(data, start, end, one), hash_of_bytes(data, start, end, other)
    at = start
    first = one + _PRIME_5 + (end - start)
    second = other + _PRIME_5 + (end - start)
    while at + np.uint64(8) <= end:
        lane = _eight(data, at)
        first, second = _with_eight(first, lane), _with_eight(second, lane)
        at += np.uint64(8)
    if at + np.uint64(4) <= end:
        half = _four(data, at)
        first, second = _with_four(first, half), _with_four(second, half)
        at += np.uint64(4)
    while at < end:
        first, second = _with_one(first, data[at]), _with_one(second, data[at])
        at += np.uint64(1)
    return _mixed(first), _mixed(second)


def hashes_of(texts: pa.Array) -> NDArray[np.int64]:
    """The hash of each of n texts, none of which is null, as the engines' BIGINT: n."""
    return _hashes(*bytes_of(texts))


@compiled
def _hashes(data: NDArray[np.uint8], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    hashed = np.empty(len(bounds) - 1, np.int64)
    for at in range(len(hashed)):
        start, end = np.uint64(bounds[at]), np.uint64(bounds[at + 1])
        hashed[at] = np.int64(hash_of_bytes(data, start, end, FIRST_SEED))
    return hashed
