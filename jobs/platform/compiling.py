"""Loops over numbers, compiled: the one place that knows Numba.

For what array operations do in many passes over memory, or not at all, and what an engine has no
operator for. A compiled function takes and gives NumPy arrays and numbers; it is compiled when it
is first called with their types, and kept beside its module (or in the user's cache folder, where
that can't be written) for the next process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(loop: Loop) -> Loop:
    """The function as machine code, which lets go of the interpreter while it runs.

    Sums stay in the order in which they are written, so that they are the same on every machine.
    """
    return cast(Loop, numba.njit(cache=True, nogil=True)(loop))
