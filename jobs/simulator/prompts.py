"""The grammar that writes prompts, a million at a time.

A prompt is a row of pieces: an opening, the parts of a template, a run of body units and a
closing. Each piece is an index into one lexicon of strings, and which piece is taken follows
from a hash of the prompt's `key`, so the same key is the same text and a work list is a range of
keys. Everything is index arithmetic on arrays; Arrow joins the pieces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs.simulator import words
from jobs.simulator.hashing import mix, pick, unit
from jobs.simulator.templates import CAPABILITIES, CLOSINGS, ENGLISH_TEMPLATES, PREAMBLES
from jobs.simulator.thesaurus import substitute
from jobs.simulator.tongues import TONGUE_TEMPLATES, TONGUES

LANGUAGES: Final = ("en", "de", "es", "fr", "zh")
TOPIC_COUNT: Final = len(words.TOPICS)
UNIT_CHARS: Final = 76  # mean characters of one body unit, English prose
HEAD_CHARS: Final = 110  # mean characters of a template without body
_TONGUE_NAMES: Final = ["German", "Spanish", "French", "Chinese", "English", "Italian", "Polish"]
_FIELDS: Final = words.split_words(
    "name date amount currency address reference status due_date supplier quantity colour weight "
    "contact region priority category serial_number signature"
)
_SLOT, _HABIT, _OWN = 0, 1, 2
_BODIES: Final = {"BODY": "prose", "CODE": "code", "RECORDS": "records"}
_TOKEN = re.compile(r"\{(\w+)\}|\(([^()]*\|[^()]*)\)")
_CHUNK_ROWS: Final = 20_000  # keeps index arrays of one chunk within a few megabytes


@dataclass(frozen=True)
class Drawer:
    """A run of the lexicon: `size` pieces from `start`; per topic the run moves by `stride`."""

    start: int
    size: int
    stride: int = 0


@dataclass(frozen=True)
class PromptRows:
    """What decides the text of prompts, one element a prompt."""

    key: NDArray[np.uint64]
    style: NDArray[np.uint64]  # the account's habits: phrasing and own names
    template: NDArray[np.int64]
    topic: NDArray[np.int64]
    paraphrase: NDArray[np.float32]  # share of prompts that leave the habit, 0 to 1
    synonyms: NDArray[np.float32]  # share of words chosen among their synonyms, 0 to 1
    units: NDArray[np.int64]  # body units
    preamble: NDArray[np.int64]  # lexicon index; 0 is the empty string
    closing: NDArray[np.int64]

    def slice(self, rows: slice | NDArray[np.int64]) -> PromptRows:
        """Return some of the rows."""
        return PromptRows(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


class Grammar:
    """Lexicon and compiled templates of one world."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 0x9A])
        self._pieces: list[str] = [""]
        self._lexicon: dict[bool, pa.Array] = {}
        self._drawers: dict[tuple[str, str], Drawer] = {}
        self._fill_drawers()
        self._compile()
        self._own_start = len(self._pieces)  # what a world adds comes after this
        self._common: dict[bool, pa.Array] = {}  # the lexicon before it, as arrays
        self._given = Drawer(0, 0)  # prompts of corpora, one run of the lexicon
        self._given_chars: list[int] = []

    @classmethod
    def of(cls, seed: int) -> Grammar:
        """The grammar of a seed, to which one world adds its own openings and corpora.

        What all worlds of the seed have in common is made once in a process: that takes longer
        than the rest of a small world.
        """
        common = _common_to_worlds(seed)
        own = copy(common)
        own._pieces, own._lexicon, own._given_chars = common._pieces.copy(), {}, []
        return own

    # ------------------------------------------------------------------ lexicon

    def add(self, text: str) -> int:
        """Put one string into the lexicon and return its index."""
        self._pieces.append(text)
        self._lexicon.clear()
        return len(self._pieces) - 1

    def add_corpus(self, texts: Sequence[str]) -> Drawer:
        """Put given prompts into the lexicon, one piece each; all corpora before `add`."""
        start = len(self._pieces)
        if self._given.size and start != self._given.start + self._given.size:
            raise ValueError("corpora are added one after another, before any opening")
        # Lone surrogates, which some collections hold, are no text that a file can keep.
        self._pieces += [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        self._given_chars += [len(text) for text in texts]
        size = self._given.size + len(texts)
        self._given = Drawer(self._given.start if self._given.size else start, size)
        self._lexicon.clear()
        return Drawer(start, len(texts))

    def given_chars(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Characters of prompts of corpora, by their place in the lexicon."""
        chars: NDArray[np.float64] = np.array(self._given_chars, np.float64)
        return chars[index - self._given.start]

    def _drawer(self, lang: str, name: str, pieces: Sequence[str], topics: int = 1) -> None:
        size = len(pieces) // topics
        stride = size if topics > 1 else 0
        self._drawers[lang, name] = Drawer(len(self._pieces), size, stride)
        self._pieces.extend(pieces)

    def _choose(self, options: Sequence[str], count: int) -> list[str]:
        return [options[i] for i in self._rng.integers(0, len(options), count)]

    def _names(self, count: int) -> list[str]:
        ends = np.cumsum(self._rng.integers(2, 5, count)).tolist()
        syllables = self._choose(words.SYLLABLES, ends[-1])
        return ["".join(syllables[first:end]) for first, end in pairwise([0, *ends])]

    def _fill_drawers(self) -> None:
        rng = self._rng
        numbers = [str(n) for n in range(2, 400)]
        numbers += [str(n) for n in rng.integers(1000, 99_999, 600)]
        names = self._names(6000)
        verbs = ["get", "load", "parse", "build", "make", "sync", "apply", "check", "merge", "emit"]
        idents = [
            f"{v}_{a}_{b}"
            for v, a, b in zip(
                self._choose(verbs, 3000), self._names(3000), self._names(3000), strict=True
            )
        ]
        maths = [
            p.format(a=a, b=b)
            for p in words.MATHS_OBJECTS
            for a in range(2, 10)
            for b in (2, 3, 5, 7)
        ]
        errors = [e.format(n) for e in words.ERRORS for n in self._choose(numbers, 30)]
        issues = [i.format(n=n) for i in words.SUPPORT_ISSUES for n in self._choose(numbers, 40)]
        for lang in LANGUAGES:
            self._drawer(lang, "num", numbers)
            self._drawer(lang, "own", [n.capitalize() for n in names])
        for name, pieces in {
            "ident": idents,
            "maths": maths,
            "error": errors,
            "issue": issues,
            "program": words.PROGRAMMING,
            "task": words.CODE_TASKS,
            "person": words.PEOPLE,
            "format": words.FORMATS,
            "tone": words.TONES,
            "persona": words.PERSONAS,
            "criterion": words.CRITERIA,
            "tool": words.TOOLS,
            "tongue": _TONGUE_NAMES,
            "field": _FIELDS,
            "modal": words.MODALS,
            "verb": words.VERBS,
            "adjunct": words.ADJUNCTS,
        }.items():
            self._drawer("en", name, pieces)
        self._fill_english_bodies(idents, numbers, names)
        for lang in TONGUES:
            self._fill_tongue(lang)

    def _fill_english_bodies(self, idents: list[str], numbers: list[str], names: list[str]) -> None:
        phrases: list[str] = []
        subjects: list[str] = []
        predicates: list[str] = []
        for nouns in words.TOPICS.values():
            local = [f"{a} {n}" for a in words.ADJECTIVES for n in nouns] + nouns
            phrases += self._choose(local, 400)
            subjects += [f" The {np_}" for np_ in self._choose(local, 500)]
            tails = zip(
                self._choose(words.MODALS, 2000),
                self._choose(words.VERBS, 2000),
                self._choose(local, 2000),
                self._choose(words.ADJUNCTS, 2000),
                strict=True,
            )
            predicates += [f" {m} {v} the {o} {a}." for m, v, o, a in tails]
        self._drawer("en", "np", phrases, TOPIC_COUNT)
        self._drawer("en", "prose0", subjects, TOPIC_COUNT)
        self._drawer("en", "prose1", predicates, TOPIC_COUNT)
        starts = [
            "    {} = ",
            "    if {}: ",
            "    return {}, ",
            "for {} in ",
            "    assert {} == ",
            "const {} = ",
            "  let {} = ",
            "    # {} -> ",
            "    await {}; ",
            "def {}(): ",
        ]
        self._drawer(
            "en", "code0", [s.format(i) for s in starts for i in self._choose(idents, 200)]
        )
        ends = ["\n", ";\n", "  # todo\n", "\n\n", ",\n", " + 1\n", " or None\n"]
        calls = zip(
            self._choose(idents, 4000),
            self._choose(names, 4000),
            self._choose(numbers, 4000),
            self._choose(ends, 4000),
            strict=True,
        )
        self._drawer("en", "code1", [f"{f}({a}, {n}){e}" for f, a, n, e in calls])
        fields = [f"\n{f}: " for f in _FIELDS] + [f"; {f} = " for f in _FIELDS]
        self._drawer("en", "records0", fields)
        ends = ["", ",", " (see below)", " approx.", " EUR", " kg", " -"]
        values = zip(
            self._choose(names, 4000),
            self._choose(numbers, 4000),
            self._choose(ends, 4000),
            strict=True,
        )
        self._drawer("en", "records1", [f"{a.capitalize()} {n}{e}" for a, n, e in values])

    def _fill_tongue(self, lang: str) -> None:
        tongue = TONGUES[lang]
        gap, stop = tongue.gap, tongue.stop.strip()
        phrases: list[str] = []
        subjects: list[str] = []
        predicates: list[str] = []
        for topic in range(TOPIC_COUNT):
            # A dozen nouns a topic, so that topics overlap a little as they do in life.
            nouns = [tongue.nouns[(3 * topic + i) % len(tongue.nouns)] for i in range(12)]
            local = [
                tongue.noun_phrase.format(adjective=a, noun=n)
                for a in tongue.adjectives
                for n in nouns
            ]
            phrases += self._choose(local, 240)
            subjects += [gap + p[0].upper() + p[1:] for p in self._choose(local, 300)]
            tails = zip(
                self._choose(tongue.verbs, 800),
                self._choose(local, 800),
                self._choose(tongue.adjuncts, 800),
                strict=True,
            )
            predicates += [f"{gap}{v}{gap}{o}{gap}{a}{stop}" for v, o, a in tails]
        self._drawer(lang, "np", phrases, TOPIC_COUNT)
        self._drawer(lang, "verb", tongue.verbs)
        self._drawer(lang, "adjunct", tongue.adjuncts)
        self._drawer(lang, "prose0", subjects, TOPIC_COUNT)
        self._drawer(lang, "prose1", predicates, TOPIC_COUNT)

    # ---------------------------------------------------------------- templates

    def _parts(self, template: str, lang: str) -> list[tuple[Drawer, int] | str]:
        """Split a template into drawers; a body stays a string, its name."""
        parts: list[tuple[Drawer, int] | str] = []
        end = 0
        for match in _TOKEN.finditer(template):
            if match.start() > end:
                parts.append((Drawer(self.add(template[end : match.start()]), 1), _SLOT))
            end = match.end()
            slot, branches = match.groups()
            if slot in _BODIES:
                parts.append(_BODIES[slot])
            elif slot:
                parts.append((self._drawers[lang, slot], _OWN if slot == "own" else _SLOT))
            else:
                options = branches.split("|")
                if "{" in branches:
                    raise ValueError(f"a paraphrase can't hold a slot: ({branches})")
                first = len(self._pieces)
                self._pieces.extend(options)
                parts.append((Drawer(first, len(options)), _HABIT))
        if end < len(template):
            parts.append((Drawer(self.add(template[end:]), 1), _SLOT))
        return parts

    def _compile(self) -> None:
        """Turn every template into rows of index tables, in the order capability, language."""
        compiled: list[tuple[list[tuple[Drawer, int] | str], str]] = []
        shape = (len(CAPABILITIES), len(LANGUAGES))
        self.first_template = np.zeros(shape, np.int64)
        self.template_count = np.zeros(shape, np.int64)
        self.template_names: list[str] = []
        for c, capability in enumerate(CAPABILITIES):
            for g, lang in enumerate(LANGUAGES):
                texts = (ENGLISH_TEMPLATES if lang == "en" else TONGUE_TEMPLATES[lang]).get(
                    capability
                )
                if texts is None:  # asked in English
                    self.first_template[c, g] = self.first_template[c, 0]
                    self.template_count[c, g] = self.template_count[c, 0]
                    continue
                self.first_template[c, g] = len(compiled)
                self.template_count[c, g] = len(texts)
                for i, text in enumerate(texts):
                    compiled.append((self._parts(text, lang), lang))
                    self.template_names.append(f"{capability}/{lang}/{i}")
        # The last one has no parts: what is written is the opening alone, a given prompt.
        self.given_template = len(compiled)
        compiled.append(([], "en"))
        self.template_names.append("given/en/0")
        width = max(len(parts) for parts, _ in compiled) + 2
        size = (len(compiled), width + 2)  # the last two columns are the body's unit
        self._start = np.zeros(size, np.int64)
        self._size = np.ones(size, np.int64)
        self._stride = np.zeros(size, np.int64)
        self._kind = np.zeros(size, np.int8)
        self._total = np.zeros(len(compiled), np.int64)
        self._head = np.zeros(len(compiled), np.int64)
        self.has_body = np.zeros(len(compiled), bool)
        self._width = width
        for t, (parts, lang) in enumerate(compiled):
            column = 1  # column 0 is the opening
            self._head[t] = 1
            for part in parts:
                if isinstance(part, str):
                    self._head[t] = column
                    self.has_body[t] = True
                    body_lang = lang if part == "prose" else "en"
                    for i in range(2):
                        self._set(t, width + i, self._drawers[body_lang, f"{part}{i}"], _SLOT)
                    continue
                self._set(t, column, *part)
                column += 1
            self._total[t] = column + 1  # and the closing

    def _set(self, template: int, column: int, drawer: Drawer, kind: int) -> None:
        self._start[template, column] = drawer.start
        self._size[template, column] = drawer.size
        self._stride[template, column] = drawer.stride
        self._kind[template, column] = kind

    def name(self, rng: np.random.Generator) -> str:
        """Make up a name of two or three syllables."""
        count = int(rng.integers(2, 4))
        chosen = rng.integers(0, len(words.SYLLABLES), count)
        return "".join(words.SYLLABLES[int(i)] for i in chosen)

    def compose(self, family: str, topic: int, rng: np.random.Generator) -> str:
        """Write one opening of a family (or one closing) to be added to the lexicon."""
        options = CLOSINGS if family == "closing" else PREAMBLES[family]
        text = options[int(rng.integers(len(options)))]
        out = []
        for part in self._parts(text, "en"):
            if isinstance(part, str):
                continue
            drawer, _ = part
            out.append(
                self._pieces[drawer.start + drawer.stride * topic + int(rng.integers(drawer.size))]
            )
        return "".join(out)

    # ----------------------------------------------------------------- writing

    def choose_templates(
        self,
        key: NDArray[np.uint64],
        style: NDArray[np.uint64],
        capability: NDArray[np.int64],
        language: NDArray[np.int64],
        narrow: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Choose a template a row; `narrow` > 0 keeps to that many of them, by style."""
        count = self.template_count[capability, language]
        free = pick(mix(key, 11), count)
        habit = mix(style + pick(mix(key, 12), np.maximum(narrow, 1)).astype(np.uint64), 13)
        chosen = np.where(narrow > 0, pick(mix(habit, capability.astype(np.uint64)), count), free)
        return self.first_template[capability, language] + chosen

    def _lexicon_array(self, escaped: bool) -> pa.Array:
        if escaped not in self._common:
            self._common[escaped] = _array(self._pieces[: self._own_start], escaped)
        if escaped not in self._lexicon:
            own = _array(self._pieces[self._own_start :], escaped)
            self._lexicon[escaped] = pa.concat_arrays([self._common[escaped], own])
        return self._lexicon[escaped]

    def write(self, rows: PromptRows, escaped: bool) -> pa.ChunkedArray:
        """Write the prompts; `escaped` gives them as they stand inside a JSON string."""
        lexicon = self._lexicon_array(escaped)
        count = len(rows.key)
        chunks = [
            self._write_chunk(rows.slice(slice(at, at + _CHUNK_ROWS)), lexicon)
            for at in range(0, count, _CHUNK_ROWS)
        ]
        return pa.chunked_array(chunks, pa.string())

    def _write_chunk(self, rows: PromptRows, lexicon: pa.Array) -> pa.Array:
        template = rows.template
        units = np.where(self.has_body[template], rows.units, 0)
        total = self._total[template]
        offsets = np.zeros(len(total) + 1, np.int64)
        np.cumsum(total + 2 * units, out=offsets[1:])
        head = self._head[template]
        index = np.empty(offsets[-1], np.int64)
        self._place_parts(rows, index, offsets[:-1], total, head, units)
        self._place_bodies(rows, index, offsets[:-1] + head, units)
        index[offsets[:-1]] = rows.preamble
        index[offsets[1:] - 1] = rows.closing
        pieces = lexicon.take(pa.array(index))
        lists = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pieces)
        texts = pc.binary_join(lists, "")
        swaps = np.flatnonzero(rows.synonyms > 0)
        if len(swaps) == 0:
            return texts
        said = substitute(texts.take(pa.array(swaps)), rows.key[swaps], rows.synonyms[swaps])
        place = np.arange(len(texts))
        place[swaps] = len(texts) + np.arange(len(swaps))
        return pa.concat_arrays([texts, said]).take(pa.array(place))

    def _place_parts(
        self,
        rows: PromptRows,
        index: NDArray[np.int64],
        first: NDArray[np.int64],
        total: NDArray[np.int64],
        head: NDArray[np.int64],
        units: NDArray[np.int64],
    ) -> None:
        """Choose the pieces of the templates' own parts."""
        owner = np.repeat(np.arange(len(total)), total)
        column = np.arange(len(owner)) - (np.cumsum(total) - total)[owner]
        place = first[owner] + column + np.where(column >= head[owner], 2 * units[owner], 0)
        flat = rows.template[owner] * self._start.shape[1] + column
        kind = self._kind.ravel()[flat]
        # A habit and an own name follow the account; all else follows the prompt.
        own = kind == _OWN
        habit = (kind == _HABIT) & (unit(mix(rows.key, 21)) >= rows.paraphrase)[owner]
        seed = np.where(habit | own, rows.style[owner], rows.key[owner])
        # An account has three names of its own and uses one a prompt.
        name = mix(rows.key, 22) % np.uint64(3)
        salt = np.where(own, name[owner], (column + 100).astype(np.uint64))
        start = self._start.ravel()[flat] + self._stride.ravel()[flat] * rows.topic[owner]
        index[place] = start + pick(mix(seed, salt), self._size.ravel()[flat])

    def _place_bodies(
        self,
        rows: PromptRows,
        index: NDArray[np.int64],
        first: NDArray[np.int64],
        units: NDArray[np.int64],
    ) -> None:
        """Choose the two pieces of each body unit, both from one hash."""
        owner = np.repeat(np.arange(len(units)), units)
        at = np.arange(len(owner)) - (np.cumsum(units) - units)[owner]
        hashed = mix(rows.key[owner], (at + 1000).astype(np.uint64))
        place = first[owner] + 2 * at
        for i, part in enumerate((hashed, hashed << np.uint64(32))):
            column = self._width + i
            start = self._start[rows.template, column]
            start = start + self._stride[rows.template, column] * rows.topic
            size = self._size[rows.template, column]
            index[place + i] = start[owner] + pick(part, size[owner])


@lru_cache(maxsize=2)
def _common_to_worlds(seed: int) -> Grammar:
    return Grammar(seed)


def _array(pieces: Sequence[str], escaped: bool) -> pa.Array:
    """Pieces as an array; `escaped` as they stand inside a JSON string."""
    if escaped:
        pieces = [json.dumps(piece, ensure_ascii=False)[1:-1] for piece in pieces]
    return pa.array(pieces, pa.string())
