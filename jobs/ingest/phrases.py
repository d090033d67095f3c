"""What a few regular expressions have in common: the phrases that their matches are or begin with.

Most branches of the markers' patterns are a handful of fixed phrases (`step[- ]by[- ]step` is
four), and a text with one of these has the marker. The others begin with fixed phrases, and only a
text with one of those has to be searched with the expression itself. All phrases of all patterns
are looked for at once, by the automaton of Aho and Corasick (1975), byte by byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Phrase:
    """How a match of a branch can begin: `whole` if the match is no more than this, `open` if it
    is known how it goes on."""

    text: str
    whole: bool = True
    open: bool = True

    def then(self, following: Phrase) -> Phrase:
        if not self.open:
            return Phrase(self.text, False, False)
        return Phrase(self.text + following.text, self.whole and following.whole, following.open)


def branches(pattern: str) -> list[tuple[str, list[Phrase]]]:
    """The alternatives of a pattern, each with the phrases that its matches begin with.

    Reads the expressions of `jobs.catalog.sketch`: characters, classes, groups, alternatives, `.`,
    `^` and `?`, `+` and `{...}` behind them.

    Raises:
        ValueError: the pattern has more than that.
    """
    reader = _Reader(pattern)
    found = []
    while True:
        start = reader.at
        phrases = reader.branch(outermost=True)
        found.append((pattern[start : reader.at], phrases))
        if not reader.took("|"):
            break
    if reader.at < len(pattern):
        raise ValueError(f"{pattern!r} has what is not read here at {reader.at}")
    return found


class _Reader:
    """A recursive descent over one pattern; `at` is where it stands."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.at = 0

    def took(self, character: str) -> bool:
        found = self._pattern.startswith(character, self.at)
        self.at += len(character) if found else 0
        return found

    def branch(self, outermost: bool = False) -> list[Phrase]:
        phrases = [Phrase("")]
        while self.at < len(self._pattern) and self._pattern[self.at] not in "|)":
            piece = self._repeated(self._piece(), outermost)
            phrases = list(dict.fromkeys(a.then(b) for a in phrases for b in piece))
        return phrases

    def _repeated(self, piece: list[Phrase], outermost: bool) -> list[Phrase]:
        if self.took("?"):
            return [*piece, Phrase("")]
        if self.took("+"):
            # A search is content with the first of them where nothing has to follow.
            if outermost and (self.at == len(self._pattern) or self._pattern[self.at] == "|"):
                return piece
            return [Phrase(one.text, False, False) for one in piece]
        if self.took("{"):
            self.at = self._pattern.index("}", self.at) + 1
            return [Phrase("", False, False)]
        return piece

    def _piece(self) -> list[Phrase]:
        character = self._pattern[self.at]
        if self.took("("):
            phrases = self.branch()
            while self.took("|"):
                phrases += self.branch()
            if not self.took(")"):
                raise ValueError(f"{self._pattern!r} has a group without an end")
            return phrases
        if self.took("["):
            return [Phrase(one) for one in self._of_class()]
        self.at += 1
        if character == ".":
            return [Phrase("", False, False)]
        if character == "^":
            return [Phrase("", False)]
        if character in "\\*$+?{":
            raise ValueError(f"{self._pattern!r} has a {character} that is not read here")
        return [Phrase(character)]

    def _of_class(self) -> list[str]:
        end = self._pattern.index("]", self.at)
        inside = self._pattern[self.at : end].replace("\\\\", "\\")
        self.at = end + 1
        if inside.startswith("^"):
            raise ValueError(f"{self._pattern!r} has a class of all but some characters")
        characters: list[str] = []
        at = 0
        while at < len(inside):
            if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
                characters += map(chr, range(ord(inside[at]), ord(inside[at + 2]) + 1))
                at += 3
            else:
                characters.append(inside[at])
                at += 1
        return characters


@dataclass(frozen=True)
class Automaton:
    """States of the search for many phrases, over the bytes of UTF-8. State 0 is the beginning.

    `classes` (256) has the class of each byte, `moves` the state that follows `state` by a byte of
    `kind` at `(state << shift) + kind`, `found` the bits of the phrases that end in each state.
    """

    classes: NDArray[np.uint8]
    moves: NDArray[np.uint16]
    found: NDArray[np.uint32]
    shift: int


def automaton(phrases: Sequence[tuple[str, int]]) -> Automaton:
    """The automaton that finds these phrases, each with the bits that it stands for.

    Raises:
        ValueError: they have more than 65,536 beginnings.
    """
    used = sorted({byte for text, _ in phrases for byte in text.encode()})
    classes = np.zeros(256, np.uint8)
    classes[used] = np.arange(1, len(used) + 1)
    children: list[dict[int, int]] = [{}]
    bits = [0]
    for text, bit in phrases:
        state = 0
        for byte in text.encode():
            if byte not in children[state]:
                children[state][byte] = len(children)
                children.append({})
                bits.append(0)
            state = children[state][byte]
        bits[state] |= bit
    if len(children) > 2**16:
        raise ValueError(f"{len(children):,} states are too many for 16 bits")
    shift = len(used).bit_length()
    moves = np.zeros((len(children), 1 << shift), np.uint16)
    # Breadth first: where a phrase goes on no longer, the longest of its ends that begins another.
    fallback = [0] * len(children)
    waiting = [0]
    for state in waiting:
        moves[state] = moves[fallback[state]]
        bits[state] |= bits[fallback[state]]
        for byte, child in children[state].items():
            fallback[child] = int(moves[fallback[state], classes[byte]]) if state else 0
            moves[state, classes[byte]] = child
            waiting.append(child)
    return Automaton(classes, moves.ravel(), np.array(bits, np.uint32), shift)
