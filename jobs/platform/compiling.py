"""Loops over numbers, compiled: the one place that knows Numba.

For what array operations do in many passes over memory, or not at all, and what an engine has no
operator for. A compiled function takes and gives NumPy arrays and numbers; it is compiled when it
is first called with their types, and kept beside its module (or in the user's cache folder, where
that can't be written) for the next process. Where neither can be written, as for a cluster's worker
without a home, each process compiles for itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.caching import FunctionCache

Loop = TypeVar("Loop", bound=Callable[..., object])

#: What each compiled function consists of, by the function.
_CONTENTS: dict[FunctionType, str] = {}


def compiled(loop: Loop) -> Loop:
    """The function as machine code, which lets go of the interpreter while it runs.

    Sums stay in the order in which they are written, so that they are the same on every machine.
    """
    function = cast(FunctionType, loop)
    _CONTENTS[function] = _contents(function)
    made: Any = numba.njit(nogil=True)(function)
    with suppress(RuntimeError):  # there is no folder that can be written
        made._cache = _Kept(function)
    return cast(Loop, made)


class _Kept(FunctionCache):
    """Machine code on disk, by all that went into it. Numba itself looks at the function and its
    own file alone: constants and functions of other modules would stay as they were when it was
    compiled."""

    def _index_key(self, signature: object, codegen: object) -> tuple[object, ...]:
        return (*super()._index_key(signature, codegen), _CONTENTS[self._py_func])


def _contents(function: FunctionType) -> str:
    """A digest of a function's code, of the constants of modules that it names and of the compiled
    functions that it calls."""
    code = function.__code__
    digest = hashlib.sha256(code.co_code + repr(code.co_consts).encode())
    for name in code.co_names:
        digest.update(f"{name}={_said(function.__globals__.get(name))};".encode())
    return digest.hexdigest()


def _said(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    if isinstance(value, (bool, int, float, str, tuple, np.generic)):
        return repr(value)
    return _CONTENTS.get(cast(FunctionType, getattr(value, "py_func", None)), "")
