"""A batch of prompts into the numbers of their sketches, a byte at a time, compiled.

Texts are the bytes of UTF-8 in one buffer, text n from `offsets[n]` up to `offsets[n + 1]`.
`jobs/ingest/sketching.py` says what each number means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jobs.catalog.sketch import (
    SHINGLE_WORDS,
    SIGNATURE_SIZE,
    SKETCH_CHARS,
    TEMPLATE_HEAD_WORDS,
    TEMPLATE_TAIL_WORDS,
    WORD_BUCKETS,
    WORD_LETTERS,
)
from jobs.platform.buffers import HEX
from jobs.platform.compiling import compiled
from jobs.platform.hashing import FIRST_SEED, hash_of_bytes, hash_of_number, two_hashes_of_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Bytes of a front at most: four a character, and one more where a capital has a dot (U+0130).
_FRONT_BYTES = 4 * SKETCH_CHARS
_LINE_FEED = 10
_LARGEST = np.iinfo(np.int64).max
#: Of each byte whether it is white space or a digit, and what stands for it in a masked text.
_OTHER, _SPACE, _DIGIT = 0, 1, 2
_KINDS = np.zeros(256, np.uint8)
_KINDS[list(b" \t\r\n")] = _SPACE
_KINDS[list(b"0123456789")] = _DIGIT
_SHOWN = np.where(_KINDS == _SPACE, 32, np.where(_KINDS == _DIGIT, 48, np.arange(256)))
_SHOWN = _SHOWN.astype(np.uint8)


@compiled
def fronts(
    data: NDArray[np.uint8], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where the first SKETCH_CHARS characters of each text end, and whether all are ASCII."""
    count = len(offsets) - 1
    ends = np.empty(count, np.int64)
    plain = np.empty(count, np.bool_)
    for n in range(count):
        start = offsets[n]
        end = min(offsets[n + 1], start + SKETCH_CHARS)
        bits = np.uint8(0)
        for byte in data[start:end]:
            bits |= byte
        plain[n] = bits < 128
        if bits >= 128:
            characters = 0
            at = start
            while at < offsets[n + 1]:
                if data[at] & 0xC0 != 0x80:
                    characters += 1
                    if characters > SKETCH_CHARS:
                        break
                at += 1
            end = at
        ends[n] = end
    return ends, plain


@compiled
def joined(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    ends: NDArray[np.int64],
    plain: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """The fronts that are not plain, one after another, with a line feed behind each."""
    size = 0
    for n in range(len(ends)):
        if not plain[n]:
            size += ends[n] - offsets[n] + 1
    out = np.empty(size, np.uint8)
    at = 0
    for n in range(len(ends)):
        if plain[n]:
            continue
        for place in range(offsets[n], ends[n]):
            out[at] = data[place]
            at += 1
        out[at] = _LINE_FEED
        at += 1
    return out


@compiled
def in_lower_case(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    ends: NDArray[np.int64],
    plain: NDArray[np.bool_],
    lowered: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """All fronts in lower case, and their offsets: plain ones from `data`, the others from what
    `joined` made of them, lower case by now. A letter may have changed its length, but no line
    feed comes or goes."""
    count = len(ends)
    size = len(lowered)
    for n in range(count):
        if plain[n]:
            size += ends[n] - offsets[n]
    out = np.empty(size, np.uint8)
    bounds = np.empty(count + 1, np.int32)
    at = 0
    taken = 0
    bounds[0] = 0
    for n in range(count):
        start, length = offsets[n], ends[n] - offsets[n]
        if plain[n]:
            # Of slices, whose places can't be negative, the compiler takes many bytes at a time.
            source, target = data[start : ends[n]], out[at : at + length]
            for place in range(length):
                byte = source[place]
                target[place] = byte + 32 if 65 <= byte <= 90 else byte
            at += length
        else:
            lines = 1
            for place in range(start, ends[n]):
                lines += data[place] == _LINE_FEED
            while True:
                byte = lowered[taken]
                taken += 1
                lines -= byte == _LINE_FEED
                if lines == 0:
                    break
                out[at] = byte
                at += 1
        bounds[n + 1] = at
    return out[:at], bounds


@compiled
def _put_hex(out: NDArray[np.uint8], value: np.uint64) -> None:
    for digit in range(16):
        out[digit] = HEX[(value >> np.uint64(60 - 4 * digit)) & np.uint64(15)]


@compiled
def _add_smallest(smallest: NDArray[np.int64], kept: int, value: int) -> int:
    """Insert a value among the `kept` smallest different ones, in order; how many they are then.
    What is not kept is `_LARGEST`."""
    if value >= smallest[SIGNATURE_SIZE - 1] and kept == SIGNATURE_SIZE:
        return kept
    repeated = False
    for place in range(kept):
        repeated |= smallest[place] == value
    if repeated:
        return kept
    for place in range(SIGNATURE_SIZE):
        other = smallest[place]
        smallest[place] = min(value, other)
        value = max(value, other)
    return min(kept + 1, SIGNATURE_SIZE)


@compiled
def _masked(
    front: NDArray[np.uint8],
    search: tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint32]],
    shift: np.uint64,
    out: NDArray[np.uint8],
    ends: NDArray[np.uint64],
) -> tuple[int, np.uint32]:
    """Mask a front into `out`, words parted by one space, and put where each word ends into `ends`;
    gives the number of words and what the automaton found."""
    classes, moves, found = search
    state = np.uint64(0)
    bits = np.uint32(0)
    size = np.uint64(0)
    words = np.uint64(0)
    # White space at the front is like what repeats white space. No step depends on a branch:
    # where words end can't be foreseen.
    before = np.uint8(_SPACE)
    for byte in front:
        state = np.uint64(moves[(state << shift) + np.uint64(classes[byte])])
        bits |= found[state]
        kind = _KINDS[byte]
        new = (kind != before) | (kind == _OTHER)
        out[size] = _SHOWN[byte]
        ends[words] = size
        words += np.uint64(new & (kind == _SPACE))
        size += np.uint64(new)
        before = kind
    ends[words] = size
    words += np.uint64(before != _SPACE)
    return int(np.int64(words)), bits


@compiled
def figures(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int32],
    plain: NDArray[np.bool_],
    search: tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint32]],
    shift: int,
    seed: np.uint64,
) -> tuple[
    NDArray[np.int32], NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.uint32]
]:
    """Of each front in lower case: how many hashes its signature has, three keys in hexadecimal
    digits (3, n, 16), the signature (n, SIGNATURE_SIZE), the words' buckets, and what the
    automaton found. `seed` is the hash of the key's seed. A front without words has no hashes."""
    count = len(offsets) - 1
    kept = np.zeros(count, np.int32)
    keys = np.zeros((3, count, 16), np.uint8)
    signatures = np.full((count, SIGNATURE_SIZE), _LARGEST, np.int64)
    buckets = np.zeros(count, np.int64)
    phrases = np.empty(count, np.uint32)
    masked = np.empty(_FRONT_BYTES, np.uint8)
    ends = np.empty(SKETCH_CHARS + 2, np.uint64)
    hashes = np.empty(SKETCH_CHARS, np.uint64)
    for n in range(count):
        front = data[offsets[n] : offsets[n + 1]]
        words, phrases[n] = _masked(front, search, np.uint64(shift), masked, ends)
        if words == 0:
            continue
        bag = 0
        start = np.uint64(0)
        for word in range(words):
            end = ends[word]
            hashes[word], keyed = two_hashes_of_bytes(masked, start, end, FIRST_SEED, seed)
            letters = end - start
            if not plain[n]:
                letters = np.uint64(0)
                for at in range(start, end):
                    letters += masked[at] & 0xC0 != 0x80
            bag |= int(letters >= WORD_LETTERS) << int(np.int64(keyed) % WORD_BUCKETS)
            start = end + np.uint64(1)
        buckets[n] = bag
        smallest = signatures[n]
        run = min(words, SHINGLE_WORDS)
        for first in range(words - run + 1):
            shingle = seed
            for word in range(first, first + run):
                shingle = hash_of_number(hashes[word], shingle)
            kept[n] = _add_smallest(smallest, kept[n], int(np.int64(shingle)))
        begin, last = np.uint64(0), ends[words - 1]
        head = ends[min(words, TEMPLATE_HEAD_WORDS) - 1]
        before_tail = words - TEMPLATE_TAIL_WORDS - 1
        tail = ends[before_tail] + np.uint64(1) if before_tail >= 0 else begin
        _put_hex(keys[0, n], hash_of_bytes(masked, begin, last, seed))
        _put_hex(keys[1, n], hash_of_bytes(masked, begin, head, seed))
        _put_hex(keys[2, n], hash_of_bytes(masked, tail, last, seed))
    return kept, keys, signatures, buckets, phrases
