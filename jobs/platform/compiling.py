"""Loops over numbers, compiled: the one place that knows Numba.

For what array operations do in many passes over memory, or not at all, and what an engine has no
operator for. A compiled function takes and gives NumPy arrays and numbers; it is compiled when it
is first called with their types, and kept beside its module (or in the user's cache folder, where
that can't be written) for the next process. Where neither can be written, as for a cluster's worker
without a home, each process compiles for itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
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
    compiled.

    Of processes that need a function at the same time one compiles it, and the others wait for
    what it keeps: a first night's steps, or a cluster's workers, would each take half a minute of
    a core."""

    _held: int | None = None

    def load_overload(self, signature: object, target_context: object) -> Any:
        found = super().load_overload(signature, target_context)
        if found is None and self._held is None:
            self._wait_for_others()
            found = super().load_overload(signature, target_context)
            if found is not None:
                self._let_others()
        return found

    def save_overload(self, signature: object, data: object) -> None:
        try:
            super().save_overload(signature, data)
        finally:
            self._let_others()

    def _wait_for_others(self) -> None:
        with suppress(OSError):  # it can't be written, or has no locks: each compiles for itself
            self._impl.locator.ensure_cache_path()
            lock = Path(self.cache_path, f"{self._impl.filename_base}.lock")
            self._held = os.open(lock, os.O_WRONLY | os.O_CREAT)
            fcntl.flock(self._held, fcntl.LOCK_EX)

    def _let_others(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

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
