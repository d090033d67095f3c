"""Ranges of accounts or pairs, worked on by a few threads.

Compiled loops and array operations let go of the interpreter, so that threads are enough.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Part = TypeVar("Part")
Result = TypeVar("Result")

THREADS = min(os.cpu_count() or 1, 4)


def in_threads(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """What the work gives for each part, in their order."""
    if len(parts) < 2:  # not worth a thread
        return [work(part) for part in parts]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, parts))


def even_parts(upto: NDArray[np.int64], most: int) -> list[tuple[int, int]]:
    """Ranges of rows, of about so many entries each; `upto` says how many stand before each row,
    and after the last."""
    marks = np.arange(most, int(upto[-1]), most)
    edges = np.unique(np.r_[0, np.searchsorted(upto, marks), len(upto) - 1])
    # No rows are one range, without any.
    return [(int(low), int(high)) for low, high in pairwise(edges)] or [(0, 0)]
