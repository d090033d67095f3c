"""A prompt's sketch: figures, markers and keyed hashes, made a batch at a time.

The front of a text in lower case, its numbers masked and its white space collapsed, is cut into
words. The keys are hashes of all of them, of the first and of the last ones. The signature is a
bottom-k sketch of hashed word shingles (Broder 1997, "On the resemblance and containment of
documents"; Cohen and Kaplan 2007, "Summarizing data using bottom-k sketches"). The words' buckets
are a bag of words, hashed (Weinberger et al. 2009), in which each word counts once.

Hashes are the engines' own `xxhash64`, chained as `xxhash64(seed, ...)` chains them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_type

from jobs.catalog.sketch import MARKERS, SCRIPTS, SIGNATURE_SIZE
from jobs.ingest.phrases import Automaton, automaton, branches
from jobs.platform.buffers import bytes_of, texts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SKETCH = pa.struct([
    ("script", pa.string()), ("markers", pa.int32()), ("key", pa.string()),
    ("template_key", pa.string()), ("template_end_key", pa.string()),
    ("signature", pa.list_(pa.int64())), ("words", pa.int64()),
])  # fmt: skip
#: Above the bit of a marker, the bit of what one of its expressions could begin with.
_OPENINGS = len(MARKERS)


def with_sketch(records: DataFrame, kept: Sequence[str], seed: int) -> DataFrame:
    """The columns `kept` of the records, and the sketch of `prompt_text` and `response_text`."""
    made = records.withColumn("_sketch", _sketch_column(seed, F.col("prompt_text")))
    return made.select(
        *kept,
        F.length("prompt_text").cast("long").alias("prompt_chars"),
        *(
            F.col(f"_sketch.{name}").alias(f"prompt_{name}")
            for name in ("script", "markers", "key")
        ),
        F.col("_sketch.template_key").alias("template_key"),
        F.col("_sketch.template_end_key").alias("template_end_key"),
        F.col("_sketch.signature").alias("prompt_signature"),
        F.col("_sketch.words").alias("prompt_words"),
        F.length("response_text").cast("long").alias("response_chars"),
    )


def _sketch_column(seed: int, text: Column) -> Column:
    def sketch(texts: pa.Array) -> pa.Array:
        return sketches(texts, seed)

    made: Column = F.arrow_udf(sketch, from_arrow_type(_SKETCH))(text)  # type: ignore[call-overload]
    return made


def sketches(texts: pa.Array, seed: int) -> pa.Array:
    """The sketches of a batch of texts, as structs of `script`, `markers`, `key`, `template_key`,
    `template_end_key`, `signature` and `words`; null in each for null, and but for script and
    markers also for a text without a word. `seed` is a signed number of 64 bits."""
    from jobs.ingest import cutting
    from jobs.platform.hashing import FIRST_SEED, hash_of_number

    data, offsets = bytes_of(texts)
    ends, plain = cutting.fronts(data, offsets)
    lowered = np.zeros(0, np.uint8)
    if not plain.all():
        # The rules for other letters are long (one depends on the letters around it), and Python
        # has them; no rule looks across a line feed.
        others = cutting.joined(data, offsets, ends, plain).tobytes()
        lowered = np.frombuffer(bytearray(others.decode().lower().encode()), np.uint8)
    front, bounds = cutting.in_lower_case(data, offsets, ends, plain, lowered)
    search = _search()
    hashed_seed = np.uint64(hash_of_number(np.uint64(seed % 2**64), FIRST_SEED))
    kept, keys, signatures, buckets, phrases = cutting.figures(
        front,
        bounds,
        plain,
        (search.classes, search.moves, search.found),
        search.shift,
        hashed_seed,
    )
    fronts = pa.StringArray.from_buffers(len(texts), pa.py_buffer(bounds), pa.py_buffer(front))
    missing = texts.is_null().to_numpy(zero_copy_only=False)
    wordless = kept == 0
    scripts = _scripts(fronts, plain, missing)
    columns = [
        scripts,
        pa.array(_markers(fronts, phrases), mask=missing),
        *(texts_of(digits, wordless) for digits in keys),
        _lists(signatures, kept),
        pa.array(buckets, mask=wordless),
    ]
    return pa.StructArray.from_arrays(columns, fields=list(_SKETCH))


def _lists(rows: NDArray[np.int64], kept: NDArray[np.int32]) -> pa.Array:
    """The first so many values of each row as a list, null for none."""
    values = rows[np.arange(SIGNATURE_SIZE) < kept[:, None]]
    bounds = np.concatenate(([0], np.cumsum(kept))).astype(np.int32)
    return pa.ListArray.from_arrays(bounds, values, mask=pa.array(kept == 0))


def _scripts(fronts: pa.Array, plain: NDArray[np.bool_], missing: NDArray[np.bool_]) -> pa.Array:
    """Which of SCRIPTS the fronts are in; those that are ASCII are not looked at."""
    names = np.full(len(fronts), len(SCRIPTS), np.int8)
    others = np.flatnonzero(~plain)
    if len(others):
        texts = fronts.take(pa.array(others))
        for number, (_, characters) in reversed([*enumerate(SCRIPTS)]):
            found = pc.match_substring_regex(texts, pattern=characters)
            names[others[found.to_numpy(zero_copy_only=False)]] = number
    latin = pa.array([*(name for name, _ in SCRIPTS), "latin"])
    return latin.take(pa.array(names, mask=missing))


@cache
def _search() -> Automaton:
    """Looks for what the markers' branches are, or begin with."""
    phrases = []
    for marker in MARKERS:
        for _, found in branches(marker.pattern):
            for phrase in found:
                bit = marker.bit if phrase.whole else _OPENINGS + marker.bit
                phrases.append((phrase.text, 1 << bit))
    return automaton(phrases)


@cache
def _unfinished() -> list[tuple[int, str]]:
    """Of each marker's pattern the branches that are not phrases, with the marker's bit."""
    found = []
    for marker in MARKERS:
        rest = [text for text, phrases in branches(marker.pattern)
                if not all(phrase.whole for phrase in phrases)]  # fmt: skip
        if rest:
            found.append((marker.bit, "|".join(rest)))
    return found


def _markers(fronts: pa.Array, phrases: NDArray[np.uint32]) -> NDArray[np.int32]:
    """The markers' bits. A front that has only what a branch begins with is searched for it."""
    bits = (phrases & ((1 << _OPENINGS) - 1)).astype(np.int32)
    for bit, pattern in _unfinished():
        opened = phrases >> (_OPENINGS + bit) & 1
        rows = np.flatnonzero(opened & ~(phrases >> bit))
        if len(rows):
            found = pc.match_substring_regex(fronts.take(pa.array(rows)), pattern=pattern)
            bits[rows] |= found.to_numpy(zero_copy_only=False).astype(np.int32) << bit
    return bits
