"""The sketch once more, in the engine's own column expressions: slow, and plain to read."""

from __future__ import annotations

from typing import Any

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


def sketches_by_columns(texts: DataFrame, seed: int) -> list[dict[str, Any]]:
    """Of rows (n, prompt_text) the columns of the sketch, in order of n."""
    front = F.lower(F.substring("prompt_text", 1, SKETCH_CHARS))
    masked = F.regexp_replace(F.regexp_replace(front, "[0-9]+", "0"), "[ \t\r\n]+", " ")
    key = F.lit(seed).cast("long")
    made = (
        texts.withColumn("front", front)
        .withColumn("masked", F.nullif(F.trim(masked), F.lit("")))
        .withColumn("words", F.split("masked", " "))
        .withColumn("hashes", F.transform("words", lambda word: F.xxhash64(word)))
        .select(
            "n",
            _script().alias("prompt_script"),
            _markers().alias("prompt_markers"),
            _keyed(key, F.col("masked")).alias("prompt_key"),
            _keyed(key, F.substring_index("masked", " ", TEMPLATE_HEAD_WORDS)).alias(
                "template_key"
            ),
            _keyed(key, F.substring_index("masked", " ", -TEMPLATE_TAIL_WORDS)).alias(
                "template_end_key"
            ),
            _signature(key).alias("prompt_signature"),
            _words(key).alias("prompt_words"),
        )
    )
    rows: list[dict[str, Any]] = made.toArrow().sort_by("n").to_pylist()
    return rows


def _keyed(key: Column, text: Column) -> Column:
    return F.when(text.isNotNull(), F.lpad(F.lower(F.hex(F.xxhash64(key, text))), 16, "0"))


def _script() -> Column:
    script = F.lit("latin")
    for name, characters in reversed(SCRIPTS):
        script = F.when(F.col("front").rlike(characters), F.lit(name)).otherwise(script)
    return F.when(F.col("front").isNotNull(), script)


def _markers() -> Column:
    bits = F.lit(0)
    for marker in MARKERS:
        bits = bits + F.when(F.col("front").rlike(marker.pattern), 1 << marker.bit).otherwise(0)
    return F.when(F.col("front").isNotNull(), bits)


def _signature(key: Column) -> Column:
    count = F.size("hashes")
    runs = F.arrays_zip(
        *(F.slice("hashes", start + 1, F.greatest(count - SHINGLE_WORDS + 1, F.lit(1)))
          for start in range(SHINGLE_WORDS))
    )  # fmt: skip
    shingles = F.transform(runs, lambda run: F.xxhash64(key, run))
    smallest = F.slice(F.sort_array(F.array_distinct(shingles)), 1, SIGNATURE_SIZE)
    return F.when(F.col("masked").isNotNull(), smallest)


def _words(key: Column) -> Column:
    long_enough = F.filter("words", lambda word: F.length(word) >= WORD_LETTERS)

    def bit(word: Column) -> Column:
        bucket = F.pmod(F.xxhash64(key, word), F.lit(WORD_BUCKETS)).cast("int")
        return F.call_function("shiftleft", F.lit(1).cast("long"), bucket)

    return F.aggregate(
        F.transform(long_enough, bit), F.lit(0).cast("long"),
        lambda bits, other: bits.bitwiseOR(other),
    )  # fmt: skip
