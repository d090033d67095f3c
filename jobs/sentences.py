"""Figures in words: what a reason says of a column's value."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def sentence_of(template: str, unit: str, values: pa.ChunkedArray) -> pa.Array:
    """The reason's words with each value in its unit; nulls stay null."""
    before, _, after = template.partition("{value}")
    text = _in_words(values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values,
                     unit)  # fmt: skip
    joined = pc.binary_join_element_wise(before, text, after, "")
    # A sentence begins with a capital where it begins with a word.
    return pc.binary_join_element_wise(
        pc.utf8_upper(pc.utf8_slice_codeunits(joined, 0, 1)),
        pc.utf8_slice_codeunits(joined, 1),
        "",
    )


def _in_words(values: pa.Array, unit: str) -> pa.Array:
    if unit == "share":
        return pc.binary_join_element_wise(_number(pc.multiply(values, 100.0), 0), "%", "")
    if unit in ("ratio", "score"):
        return _number(values, 2)
    number = _number(values, 2 if unit.startswith(("ln ", "bits")) else 0)
    first, _, rest = unit.partition(" ")
    one = " ".join(filter(None, (first.removesuffix("s"), rest)))
    return pc.binary_join_element_wise(number, pc.if_else(pc.equal(number, "1"), one, unit), " ")


def _number(values: pa.Array, digits: int) -> pa.Array:
    """Rounded decimals as text, without the exponent that a cast of large doubles brings."""
    if digits == 0:
        return pc.round(values).cast(pa.int64(), safe=False).cast(pa.string())
    scaled = pc.round(pc.multiply(values, float(10**digits))).cast(pa.int64(), safe=False)
    sign = pc.if_else(pc.less(scaled, 0), "-", "")
    size = pc.abs(scaled)
    whole = pc.divide(size, 10**digits)
    rest = pc.subtract(size, pc.multiply(whole, 10**digits))
    padded = pc.utf8_lpad(rest.cast(pa.string()), digits, "0")
    return pc.binary_join_element_wise(
        sign, pc.binary_join_element_wise(whole.cast(pa.string()), padded, "."), ""
    )
