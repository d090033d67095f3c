"""A prompt's sketch in column expressions: figures, markers and keyed hashes.

The signature is a bottom-k sketch of hashed word shingles (Broder 1997, "On the resemblance and
containment of documents"; Cohen and Kaplan 2007, "Summarizing data using bottom-k sketches").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.catalog.sketch import (
    MARKERS,
    SCRIPTS,
    SHINGLE_WORDS,
    SIGNATURE_SIZE,
    SKETCH_CHARS,
    TEMPLATE_HEAD_WORDS,
    TEMPLATE_TAIL_WORDS,
    WORD_BUCKETS,
    WORD_LETTERS,
)

#: White space that is not one space already: replacing each single space by itself would cost as
#: much as all markers together.
_WIDE_SPACE = "[\t\r\n][ \t\r\n]*| [ \t\r\n]+"


def with_sketch(
    records: DataFrame, kept: Sequence[str], seed: int, engine: str = "sail"
) -> DataFrame:
    """The columns `kept` of the records, and the sketch of `prompt_text` and `response_text`.

    Each step is a projection of its own, so that an engine computes the masked text and its word
    hashes once and not once for each column that needs them.
    """
    front = F.lower(F.substring("prompt_text", 1, SKETCH_CHARS))
    masked = F.trim(F.regexp_replace(F.regexp_replace(front, "[0-9]+", "0"), _WIDE_SPACE, " "))
    return (
        records.withColumn("_front", front)
        .withColumn("_masked", F.nullif(masked, F.lit("")))
        .withColumn("_words", F.split("_masked", " "))
        .withColumn("_hashes", F.transform("_words", lambda word: F.xxhash64(word)))
        .select(
            *kept,
            F.length("prompt_text").cast("long").alias("prompt_chars"),
            _script().alias("prompt_script"),
            _markers(engine).alias("prompt_markers"),
            _keyed(seed, F.col("_masked")).alias("prompt_key"),
            _keyed(seed, F.substring_index("_masked", " ", TEMPLATE_HEAD_WORDS)).alias(
                "template_key"
            ),
            _keyed(seed, F.substring_index("_masked", " ", -TEMPLATE_TAIL_WORDS)).alias(
                "template_end_key"
            ),
            _signature(seed).alias("prompt_signature"),
            _words(seed).alias("prompt_words"),
            F.length("response_text").cast("long").alias("response_chars"),
        )
    )


def _keyed(seed: int, text: Column) -> Column:
    """A keyed 64-bit hash as 16 hexadecimal digits: equal texts can be told, not what they say."""
    hashed = F.lpad(F.lower(F.hex(F.xxhash64(F.lit(seed), text))), 16, "0")
    return F.when(text.isNotNull(), hashed)


def _script() -> Column:
    front = F.col("_front")
    script = F.lit("latin")
    for name, characters in reversed(SCRIPTS):
        script = F.when(front.rlike(characters), F.lit(name)).otherwise(script)
    # Most prompts are ASCII, most others Latin: neither pays for a search for each script.
    ascii_only = F.octet_length(front) == F.length(front)
    any_script = "[" + "".join(characters.strip("[]") for _, characters in SCRIPTS) + "]"
    latin = F.lit("latin")
    script = F.when(ascii_only, latin).when(~front.rlike(any_script), latin).otherwise(script)
    return F.when(F.col("prompt_text").isNotNull(), script)


def _markers(engine: str) -> Column:
    if engine == "spark":
        found: Column = F.arrow_udf(marker_bits, "int")(F.col("_front"))  # type: ignore[call-overload]
        return found
    bits = F.lit(0)
    for marker in MARKERS:
        bits = bits + F.when(F.col("_front").rlike(marker.pattern), 1 << marker.bit).otherwise(0)
    return F.when(F.col("prompt_text").isNotNull(), bits)


def marker_bits(fronts: pa.Array) -> pa.Array:
    """The markers of a batch of fronts, null for null.

    For Spark, whose own expressions search with Java's: it tries every branch of a pattern at every
    character, half a millisecond a prompt for all markers. Arrow's RE2 reads a text once, as
    Sail's does.
    """
    bits = np.zeros(len(fronts), np.int32)
    for marker in MARKERS:
        found = pc.match_substring_regex(fronts, pattern=marker.pattern).fill_null(False)
        bits |= found.to_numpy(zero_copy_only=False).astype(np.int32) << marker.bit
    return pa.array(bits, mask=fronts.is_null().to_numpy(zero_copy_only=False))


def _signature(seed: int) -> Column:
    """The smallest hashes of runs of SHINGLE_WORDS words; a shorter prompt is one shingle."""
    hashes = F.col("_hashes")
    count = F.size(hashes)
    runs = F.arrays_zip(
        *(F.slice(hashes, start + 1, F.greatest(count - SHINGLE_WORDS + 1, F.lit(1)))
          for start in range(SHINGLE_WORDS))
    )  # fmt: skip
    shingles = F.transform(runs, lambda run: F.xxhash64(F.lit(seed), run))
    smallest = F.slice(F.sort_array(F.array_distinct(shingles)), 1, SIGNATURE_SIZE)
    return F.when(F.col("_masked").isNotNull(), smallest)


def _words(seed: int) -> Column:
    """Which buckets the prompt's words fall into, a bit each: a bag of words, hashed (Weinberger
    et al. 2009), in which each word counts once."""
    long_enough = F.filter("_words", lambda word: F.length(word) >= WORD_LETTERS)
    one = F.lit(1).cast("long")

    def bit(word: Column) -> Column:
        bucket = F.pmod(F.xxhash64(F.lit(seed), word), F.lit(WORD_BUCKETS)).cast("int")
        return F.call_function("shiftleft", one, bucket)

    # All words are hashed at a time; only the bits are put together one after the other.
    return F.aggregate(
        F.transform(long_enough, bit),
        F.lit(0).cast("long"),
        lambda bits, other: bits.bitwiseOR(other),
    )
