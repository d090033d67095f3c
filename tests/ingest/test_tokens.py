"""A token is the HMAC-SHA256 that the standard library makes, cut to half."""

from __future__ import annotations

import hashlib
import hmac

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.ingest.tokens import tokens


def by_the_library(texts: list[str | None], secret: bytes, kind: str) -> list[str | None]:
    return [
        None if text is None
        else hmac.new(secret, f"{kind}:{text}".encode(), hashlib.sha256).hexdigest()[:32]
        for text in texts
    ]  # fmt: skip


@given(
    texts=st.lists(st.one_of(st.none(), st.text(max_size=80)), max_size=20),
    secret=st.binary(min_size=32, max_size=130),
    kind=st.sampled_from(["address", "tls", "user_agent"]),
)
def test_tokens_are_the_standard_librarys(texts, secret, kind):
    found = tokens(pa.array(texts, pa.string()), secret, kind)
    assert found.to_pylist() == by_the_library(texts, secret, kind)


def test_every_length_about_the_ends_of_blocks():
    texts: list[str | None] = ["x" * length for length in range(200)]
    found = tokens(pa.array(texts), b"k" * 32, "kind")
    assert found.to_pylist() == by_the_library(texts, b"k" * 32, "kind")


@pytest.mark.parametrize("texts", [[], [None], ["one", None, "one", "two", "one"]])
def test_repeats_and_nothing(texts):
    found = tokens(pa.array(texts, pa.string()), b"k" * 32, "kind")
    assert found.type == pa.string()
    assert found.to_pylist() == by_the_library(texts, b"k" * 32, "kind")
