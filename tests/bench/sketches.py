"""Signatures of prompts: ours, those of datasketch and rensa, and what each says of how alike two
prompts are.

All read the same file of prompts, cut them into the same shingles (the front of the text, lower
case, numbers masked, runs of three words), keep as many hashes and write one file. What differs:
ours keeps the smallest hashes of one function (bottom-k), the others the smallest of each of k
functions (MinHash); both estimate the Jaccard similarity, with about the same error. Theirs cut
the text in Python, since they take sets of words; `shingles` is that part alone. Ours is made in
the engine, with all of the sketch: only writing the rest of it is left out.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.catalog.sketch import SHINGLE_WORDS, SIGNATURE_SIZE, SKETCH_CHARS
from tests.bench.data import Data, make_day
from tests.bench.measure import Meter
from tests.bench.rollups import outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEED = 7
_BATCH = 20_000
_PAIRS = 4_000


def prompts(count: int) -> Data:
    """The first prompts of a simulated day, in one file."""
    return Data(f"prompts-{count}", count, "prompts", "sketches:make_prompts", {"count": count})


def make_prompts(folder: Path, meter: Meter, count: int) -> dict[str, Any]:
    """Simulate a day and keep the text of its Parquet gateways."""
    # About half of the requests come in Parquet with text.
    make_day(folder, meter, requests=4 * count, accounts=max(600, count // 25))
    tables = []
    for file in sorted((folder / "landing" / "requests").rglob("*.parquet")):
        if file.stem.endswith("-r"):  # records of a wrong type
            continue
        text = pq.read_table(file, columns=["prompt_text"])
        tables.append(text.filter(pc.is_valid(text["prompt_text"])))
    table = pa.concat_tables(tables)
    if len(table) < count:
        raise ValueError(f"{len(table):,} prompts in {folder.name}, {count:,} wanted")
    # Spread over the gateways and the hours.
    chosen = np.random.default_rng(_SEED).permutation(len(table))[:count]
    kept = table.take(pa.array(np.sort(chosen))).append_column("row", pa.array(np.arange(count)))
    pq.write_table(kept, folder / "prompts.parquet", row_group_size=50_000)
    shutil.rmtree(folder / "landing")
    chars = pc.utf8_length(kept["prompt_text"]).to_numpy()
    return {"prompts": count, "chars_mean": float(chars.mean()),
            "chars_median": float(np.median(chars)), "chars_longest": int(chars.max())}  # fmt: skip


def stillwatch(folder: Path, meter: Meter, whole: bool) -> dict[str, Any]:
    """`with_sketch` on the embedded engine: the whole sketch, or of it the signature alone."""
    from jobs.ingest.sketching import sketches, with_sketch
    from jobs.platform.session import engine_session
    from jobs.platform.settings import Settings

    out = outputs(folder, "stillwatch-whole" if whole else "stillwatch")
    # Imports what is compiled, as the others' imports do; the first time ever, compiles it.
    sketches(pa.array(["a prompt", "ein längerer"]), _SEED)
    with engine_session(Settings(lake=str(folder / "lake"))) as session:
        from pyspark.sql import functions as F

        with meter:
            texts = session.read.parquet(str(folder / "prompts.parquet"))
            # No responses here.
            texts = texts.withColumn("response_text", F.lit(None).cast("string"))
            sketched = with_sketch(texts, [] if whole else ["row"], _SEED)
            if not whole:
                sketched = sketched.select("row", "prompt_signature")
            sketched.write.mode("overwrite").parquet(str(out))
    return {}


def datasketch(folder: Path, meter: Meter) -> dict[str, Any]:
    """MinHash of datasketch, in bulk, with its own hash function (SHA-1)."""
    from datasketch import MinHash

    def signatures(batch: list[list[str]]) -> NDArray[np.uint64]:
        encoded = [[shingle.encode() for shingle in one] for one in batch]
        made = MinHash.bulk(encoded, num_perm=SIGNATURE_SIZE, seed=_SEED)
        return np.array([one.hashvalues for one in made], dtype=np.uint64)

    with meter:
        _write(folder, "datasketch", signatures)
    return {}


def datasketch_defaults(folder: Path, meter: Meter) -> dict[str, Any]:
    """MinHash of datasketch as its first example has it: 128 permutations, `update` by `update`."""
    from datasketch import MinHash

    def signatures(batch: list[list[str]]) -> NDArray[np.uint64]:
        kept = []
        for one in batch:
            made = MinHash()
            for shingle in one:
                made.update(shingle.encode())
            kept.append(made.hashvalues)
        return np.array(kept, dtype=np.uint64)

    with meter:
        _write(folder, "datasketch-defaults", signatures, 128)
    return {}


def rensa(folder: Path, meter: Meter) -> dict[str, Any]:
    """RMinHash of rensa (Rust), many prompts a call."""
    from rensa import RMinHash

    def signatures(batch: list[list[str]]) -> NDArray[np.uint64]:
        made = RMinHash.digest_matrix_from_token_sets(batch, SIGNATURE_SIZE, _SEED)
        return np.array(made.to_rows(), dtype=np.uint64)

    with meter:
        _write(folder, "rensa", signatures)
    return {}


def shingles_only(folder: Path, meter: Meter) -> dict[str, Any]:
    """What the two above do before they hash: read, cut, write how many shingles there are."""
    out = outputs(folder, "shingles")
    with meter:
        counts = [len(one) for batch in _batches(folder) for one in batch]
        pq.write_table(pa.table({"shingles": counts}), out / "signatures.parquet")
    return {"shingles": sum(counts)}


def agreement(folder: Path, meter: Meter) -> dict[str, Any]:
    """How far each one's estimate of similarity is from the exact one, over pairs of prompts:
    half of them any two, half two that begin alike."""
    with meter:
        texts = pq.read_table(folder / "prompts.parquet")["prompt_text"].to_pylist()
        sets = [frozenset(shingles(text)) for text in texts]
        first, second = _pairs(texts)
        exact = np.array([
            len(sets[a] & sets[b]) / max(len(sets[a] | sets[b]), 1)
            for a, b in zip(first, second, strict=True)
        ])  # fmt: skip
        errors = {}
        for who in ("datasketch", "rensa"):
            kept = np.array(_signatures(folder, who), dtype=np.uint64)
            errors[who] = _rms((kept[first] == kept[second]).mean(axis=1) - exact)
        ours = _ours(folder)
        estimates = np.array([
            _bottom_k(ours[a], ours[b]) for a, b in zip(first, second, strict=True)
        ])  # fmt: skip
        errors["stillwatch"] = _rms(estimates - exact)
    return {"pairs": len(first), "mean_similarity": float(exact.mean()), "error": errors}


def shingles(text: str) -> list[str]:
    """The distinct runs of words that a signature is made of, as `jobs/ingest/cutting.py` cuts
    them; a shorter prompt is one shingle."""
    front = re.sub("[0-9]+", "0", text[:SKETCH_CHARS].lower())
    words = re.sub("[ \t\r\n]+", " ", front).strip(" ").split(" ")
    runs = max(len(words) - SHINGLE_WORDS + 1, 1)
    return list({" ".join(words[at : at + SHINGLE_WORDS]) for at in range(runs)})


def _batches(folder: Path) -> Iterator[list[list[str]]]:
    for batch in pq.ParquetFile(folder / "prompts.parquet").iter_batches(_BATCH):
        yield [shingles(text) for text in batch.column("prompt_text").to_pylist()]


def _write(folder: Path, who: str, signatures: Any, size: int = SIGNATURE_SIZE) -> None:
    out = outputs(folder, who)
    kind = pa.list_(pa.uint64(), size)
    schema = pa.schema([("prompt_signature", kind)])
    with pq.ParquetWriter(out / "signatures.parquet", schema) as writer:
        for batch in _batches(folder):
            rows = pa.array(signatures(batch).ravel())
            kept = pa.FixedSizeListArray.from_arrays(rows, size)
            writer.write_table(pa.table([kept], schema=schema))


def _signatures(folder: Path, who: str) -> list[list[int]]:
    table = pq.read_table(folder / "written" / who / "signatures.parquet")
    kept: list[list[int]] = table["prompt_signature"].to_pylist()
    return kept


def _ours(folder: Path) -> list[list[int]]:
    """Signatures in the order of the prompts, which the engine need not keep."""
    table = pq.read_table(folder / "written" / "stillwatch").sort_by("row")
    kept: list[list[int]] = table["prompt_signature"].to_pylist()
    return kept


def _pairs(texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(_SEED)
    half = min(_PAIRS // 2, len(texts))
    order = np.argsort(np.array([text[:40] for text in texts]), kind="stable")
    alike = rng.integers(0, len(texts) - 1, half)
    first = np.r_[rng.integers(0, len(texts), half), order[alike]]
    second = np.r_[rng.integers(0, len(texts), half), order[alike + 1]]
    return first, second


def _bottom_k(one: list[int], other: list[int]) -> float:
    """Share of the smallest hashes of the union that both have (Cohen and Kaplan 2007)."""
    union = sorted({*one, *other})[:SIGNATURE_SIZE]
    return len({*one} & {*other} & {*union}) / max(len(union), 1)


def _rms(errors: NDArray[np.float64]) -> float:
    return float(np.sqrt((errors**2).mean()))
