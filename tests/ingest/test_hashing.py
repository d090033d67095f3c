"""The compiled hash is the engine's `xxhash64`, of whatever bytes, however long."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.platform.hashing import (
    FIRST_SEED,
    hash_of_bytes,
    hash_of_number,
    two_hashes_of_bytes,
)

NUMBERS = st.integers(-(2**63), 2**63 - 1)
#: Each length up to some stripes of 32 bytes, and what is beside them.
BYTES = st.integers(0, 100).flatmap(lambda length: st.binary(min_size=length, max_size=length))


def by_engine(session, rows: list[tuple[int, bytes]]) -> list[dict]:
    frame = session.createDataFrame(
        [(n, *row) for n, row in enumerate(rows)], "n int, number long, bytes binary"
    )
    hashed = frame.select(
        "n",
        F.xxhash64("number").alias("number"),
        F.xxhash64("bytes").alias("bytes"),
        F.xxhash64("number", "bytes").alias("both"),
    )
    return hashed.toArrow().sort_by("n").to_pylist()


def signed(value: int) -> int:
    return int(np.uint64(value).astype(np.int64))


@settings(max_examples=20)
@given(rows=st.lists(st.tuples(NUMBERS, BYTES), min_size=10, max_size=30))
def test_hashes_are_the_engines(session, rows):
    for (number, data), wanted in zip(rows, by_engine(session, rows), strict=True):
        before = b"before"  # bytes that are no part of it
        held = np.frombuffer(before + data + b"behind", np.uint8)
        start, end = np.uint64(len(before)), np.uint64(len(before) + len(data))
        of_number = np.uint64(hash_of_number(np.uint64(number % 2**64), FIRST_SEED))
        of_bytes = hash_of_bytes(held, start, end, FIRST_SEED)
        both = hash_of_bytes(held, start, end, of_number)
        assert signed(of_number) == wanted["number"]
        assert signed(of_bytes) == wanted["bytes"]
        assert signed(both) == wanted["both"]
        assert two_hashes_of_bytes(held, start, end, FIRST_SEED, of_number) == (of_bytes, both)


def test_every_length_up_to_three_stripes(session):
    draw = np.random.default_rng(3)
    rows = [(0, draw.bytes(length)) for length in range(97)]
    for (_, data), wanted in zip(rows, by_engine(session, rows), strict=True):
        held = np.frombuffer(data or b"\0", np.uint8)
        end = np.uint64(len(data))
        assert signed(hash_of_bytes(held, np.uint64(0), end, FIRST_SEED)) == wanted["bytes"]
