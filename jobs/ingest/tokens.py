"""Keyed tokens of texts, compiled: HMAC-SHA256 (RFC 2104, FIPS 180-4 and 198-1), cut to 128 bits
(NIST SP 800-107, 5.1).

An engine has no operator for it: put together from its hash of a text, a token takes two hashes of
two blocks, and texts of hexadecimal digits between them. Here what the key does to both hashes is
done once, and each text of a batch is hashed once, however often it comes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from jobs.platform.buffers import HEX, bytes_of, texts_of
from jobs.platform.compiling import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_BYTES = 64
_DIGEST_BYTES = 32
_TOKEN_BYTES = 16


def _root_bits(prime: int, root: int) -> int:
    """The first 32 bits behind the point of a root of a prime (FIPS 180-4, 4.2.2 and 5.3.3)."""
    wanted = prime << 32 * root
    low, high = 0, prime << 32
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**root <= wanted else (low, middle - 1)
    return low % 2**32


_PRIMES = [n for n in range(2, 312) if all(n % divisor for divisor in range(2, n))]
_ROUNDS = np.array([_root_bits(prime, 3) for prime in _PRIMES], np.uint32)
_FIRST_STATE = np.array([_root_bits(prime, 2) for prime in _PRIMES[:8]], np.uint32)


@compiled
def _rotated(value: np.uint32, bits: int) -> np.uint32:
    return np.uint32((value >> np.uint32(bits)) | (value << np.uint32(32 - bits)))


@compiled
def _compress(
    state: NDArray[np.uint32], data: NDArray[np.uint8], start: int, words: NDArray[np.uint32]
) -> None:
    """Take one block into the state (FIPS 180-4, 6.2.2); `words` (64) is room to work in."""
    for n in range(16):
        at = start + 4 * n
        words[n] = (
            np.uint32(data[at]) << np.uint32(24)
            | np.uint32(data[at + 1]) << np.uint32(16)
            | np.uint32(data[at + 2]) << np.uint32(8)
            | np.uint32(data[at + 3])
        )
    for n in range(16, 64):
        one, two = words[n - 15], words[n - 2]
        mixed = _rotated(one, 7) ^ _rotated(one, 18) ^ (one >> np.uint32(3))
        other = _rotated(two, 17) ^ _rotated(two, 19) ^ (two >> np.uint32(10))
        words[n] = np.uint32(words[n - 16] + mixed + words[n - 7] + other)
    a, b, c, d, e, f, g, h = state
    for n in range(64):
        choice = (e & f) ^ (~e & g)
        mixed = _rotated(e, 6) ^ _rotated(e, 11) ^ _rotated(e, 25)
        first = np.uint32(h + mixed + choice + _ROUNDS[n] + words[n])
        majority = (a & b) ^ (a & c) ^ (b & c)
        second = np.uint32((_rotated(a, 2) ^ _rotated(a, 13) ^ _rotated(a, 22)) + majority)
        h, g, f, e = g, f, e, np.uint32(d + first)
        d, c, b, a = c, b, a, np.uint32(first + second)
    for n, value in enumerate((a, b, c, d, e, f, g, h)):
        state[n] += value


@compiled
def _put_number(out: NDArray[np.uint8], at: int, value: int, size: int) -> None:
    """`size` bytes of a number, the greatest first."""
    for n in range(size):
        out[at + n] = (value >> (8 * (size - 1 - n))) & 255


@compiled
def _state_after(block: NDArray[np.uint8]) -> NDArray[np.uint32]:
    state = _FIRST_STATE.copy()
    _compress(state, block, 0, np.empty(64, np.uint32))
    return state


@compiled
def _codes(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    prefix: NDArray[np.uint8],
    inner: NDArray[np.uint32],
    outer: NDArray[np.uint32],
) -> NDArray[np.uint8]:
    """Hexadecimal digits (n, 32) of the codes of n texts, each behind the prefix. `inner` and
    `outer` are the states in which the key's two blocks leave the hash."""
    count = len(offsets) - 1
    longest = 0
    for n in range(count):
        longest = max(longest, offsets[n + 1] - offsets[n])
    digits = np.empty((count, 2 * _TOKEN_BYTES), np.uint8)
    message = np.empty(longest + len(prefix) + 2 * _BLOCK_BYTES, np.uint8)
    message[: len(prefix)] = prefix
    digest = np.zeros(_BLOCK_BYTES, np.uint8)
    digest[_DIGEST_BYTES] = 0x80
    _put_number(digest, _BLOCK_BYTES - 8, 8 * (_BLOCK_BYTES + _DIGEST_BYTES), 8)
    words = np.empty(64, np.uint32)
    for n in range(count):
        size = len(prefix)
        for at in range(offsets[n], offsets[n + 1]):
            message[size] = data[at]
            size += 1
        # A bit, zeros, and the length in bits make the last block whole (FIPS 180-4, 5.1.1).
        whole = (size + 8) // _BLOCK_BYTES * _BLOCK_BYTES + _BLOCK_BYTES
        message[size] = 0x80
        message[size + 1 : whole - 8] = 0
        _put_number(message, whole - 8, 8 * (_BLOCK_BYTES + size), 8)
        state = inner.copy()
        for start in range(0, whole, _BLOCK_BYTES):
            _compress(state, message, start, words)
        for word in range(8):
            _put_number(digest, 4 * word, int(state[word]), 4)
        state = outer.copy()
        _compress(state, digest, 0, words)
        for digit in range(2 * _TOKEN_BYTES):
            nibble = state[digit // 8] >> np.uint32(28 - 4 * (digit % 8))
            digits[n, digit] = HEX[nibble & np.uint32(15)]
    return digits


def tokens(texts: pa.Array, secret: bytes, kind: str) -> pa.Array:
    """The token of `kind:text` for each text as 32 hexadecimal digits, null for null."""
    # RFC 2104: a key longer than a block is hashed first; keys here are 32 bytes or more.
    if len(secret) > _BLOCK_BYTES:
        secret = hashlib.sha256(secret).digest()
    padded = np.frombuffer(secret.ljust(_BLOCK_BYTES, b"\0"), np.uint8)
    inner, outer = (_state_after(padded ^ np.uint8(pad)) for pad in (0x36, 0x5C))
    encoded = texts.dictionary_encode()
    data, offsets = bytes_of(encoded.dictionary)
    prefix = np.frombuffer(f"{kind}:".encode(), np.uint8)
    return texts_of(_codes(data, offsets, prefix, inner, outer)).take(encoded.indices)
