"""Texts of Arrow arrays as the buffers that compiled loops read, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The characters of hexadecimal digits, by their value.
HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


def bytes_of(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The UTF-8 of n texts, one after another, and n + 1 places where each begins and ends; a null
    has no bytes."""
    if not pa.types.is_string(texts.type):
        texts = texts.cast(pa.string())
    _, offsets, data = texts.buffers()
    if offsets is None:
        return np.frombuffer(b"", np.uint8), np.zeros(1, np.int64)
    bounds = np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * 4)
    return np.frombuffer(data or b"", np.uint8), bounds.astype(np.int64)


def texts_of(characters: NDArray[np.uint8], missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """Rows of ASCII characters (n, width) as texts, null where `missing`."""
    count, width = characters.shape
    bounds = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    bitmap = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.StringArray.from_buffers(
        count, pa.py_buffer(bounds), pa.py_buffer(characters), bitmap
    )
