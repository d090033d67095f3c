"""Phrases of a pattern: what has one has the pattern; what has none of its beginnings has not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.catalog.sketch import MARKERS
from jobs.ingest.phrases import automaton, branches

ALL = [(marker, text, phrases) for marker in MARKERS for text, phrases in branches(marker.pattern)]


def found_in(text: str, phrases: list[tuple[str, int]]) -> int:
    machine = automaton(phrases)
    state, bits = 0, 0
    for byte in text.encode():
        state = int(machine.moves[(state << machine.shift) + int(machine.classes[byte])])
        bits |= int(machine.found[state])
    return bits


@pytest.mark.parametrize(("pattern", "wanted"), [
    ("ab", [("ab", True)]),
    ("a(b|c)d?", [("abd", True), ("ab", True), ("acd", True), ("ac", True)]),
    ("[a-c]", [("a", True), ("b", True), ("c", True)]),
    ("[- ]x[).]", [("-x)", True), ("-x.", True), (" x)", True), (" x.", True)]),
    ("a [0-1]+", [("a 0", True), ("a 1", True)]),  # one is enough for a search
    ("a[0-1]+b", [("a0", False), ("a1", False)]),
    ("ab.{0,40}cd", [("ab", False)]),
    ("(^| )a", [("a", False), (" a", True)]),
    ("(a|b.c)d", [("ad", True), ("b", False)]),
    (r"[\\]frac", [("\\frac", True)]),
])  # fmt: skip
def test_what_a_match_is_or_begins_with(pattern, wanted):
    ((text, phrases),) = branches(pattern)
    assert text == pattern
    assert [(one.text, one.whole) for one in phrases] == wanted


def test_branches_are_the_alternatives_outside_groups():
    assert [text for text, _ in branches("a(b|c)|d|[|]e")] == ["a(b|c)", "d", "[|]e"]


@pytest.mark.parametrize("pattern", ["a*", "a$", r"\d", "[^a]", "(a", "a)b"])
def test_what_is_not_read_is_refused(pattern):
    with pytest.raises(ValueError, match=re.escape(repr(pattern))):
        branches(pattern)


def test_every_phrase_of_a_marker_has_it():
    for marker, text, phrases in ALL:
        for phrase in phrases:
            if phrase.whole:
                assert re.search(text, phrase.text), (marker.name, phrase)


PIECES = st.sampled_from(sorted({word for _, _, phrases in ALL for one in phrases
                                 for word in re.split("(?<= )", one.text)}))  # fmt: skip


@given(text=st.lists(st.one_of(PIECES, st.sampled_from(" \nab1.():")), max_size=12).map("".join))
def test_what_has_no_beginning_of_a_pattern_has_no_match(text):
    for marker, branch, phrases in ALL:
        if not any(one.text in text for one in phrases):
            assert not re.search(branch, text), marker.name


@given(
    phrases=st.lists(st.text("abé推", min_size=1, max_size=5), min_size=1, max_size=12),
    text=st.text("abcé推理", max_size=60),
)
def test_the_automaton_finds_what_a_search_for_each_finds(phrases, text):
    wanted = sum({1 << n for n, phrase in enumerate(phrases) if phrase in text})
    assert found_in(text, [(phrase, 1 << n) for n, phrase in enumerate(phrases)]) == wanted
