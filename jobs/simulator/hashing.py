"""Deterministic pseudo-random numbers from keys, and identifiers made of them.

A value that must be the same wherever it is asked for (a prompt's words, an account's address of
the day) follows from a hash of what it belongs to; everything else comes from seeded generators.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_HEX = np.frombuffer("".join(f"{i:02x}" for i in range(256)).encode(), np.uint8).reshape(256, 2)


def mix(key: NDArray[np.uint64], salt: NDArray[np.uint64] | int) -> NDArray[np.uint64]:
    """Hash keys with a salt (the finaliser of SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = key + (np.asarray(salt).astype(np.uint64) + np.uint64(1)) * _GOLDEN
        x ^= x >> np.uint64(30)
        x *= _FIRST
        x ^= x >> np.uint64(27)
        x *= _SECOND
        x ^= x >> np.uint64(31)
    return x


def unit(hashed: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Turn hashes into numbers in [0, 1)."""
    return (hashed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def pick(hashed: NDArray[np.uint64], size: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Turn hashes into numbers in [0, size)."""
    wide = np.asarray(size).astype(np.uint64)
    return (((hashed >> np.uint64(32)) * wide) >> np.uint64(32)).astype(np.int64)


def gauss(hashed: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Turn hashes into nearly normal numbers: four uniform 16-bit parts, summed and scaled."""
    total = np.zeros(hashed.shape)
    for shift in (0, 16, 32, 48):
        total += ((hashed >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float64)
    return (total / 65_536 - 2.0) * np.sqrt(3.0)


def key_of(*parts: Any) -> np.uint64:
    """Hash a few small integers or words into one key."""
    value = np.zeros(1, np.uint64)
    for part in parts:
        number = int.from_bytes(part.encode()[:8], "big") if isinstance(part, str) else int(part)
        value = mix(value, np.array([number & 0xFFFFFFFFFFFFFFFF], np.uint64))
    return np.uint64(value[0])


def identifiers(prefix: str, *keys: NDArray[np.uint64]) -> pa.Array:
    """Write each row as `prefix` and the hexadecimal digits of its keys, all of one length."""
    rows = len(keys[0])
    head = np.frombuffer(prefix.encode(), np.uint8)
    text = np.empty((rows, len(head) + 16 * len(keys)), np.uint8)
    text[:, : len(head)] = head
    for i, key in enumerate(keys):
        raw = np.ascontiguousarray(key, ">u8").view(np.uint8).reshape(rows, 8)
        at = len(head) + 16 * i
        text[:, at : at + 16] = _HEX[raw].reshape(rows, 16)
    return fixed_width_strings(text)


def fixed_width_strings(text: NDArray[np.uint8]) -> pa.Array:
    """Make an Arrow string array of rows of bytes that all have one length."""
    rows, width = text.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    if width == 0 or rows == 0:
        return pa.array([""] * rows, pa.string())
    data = np.ascontiguousarray(text)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(data))
