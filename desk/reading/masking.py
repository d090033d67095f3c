"""How much of a token people see: enough to tell two apart, too little to copy."""

from __future__ import annotations

from desk.rendering import shown

_LETTERS = 6
#: Kinds whose token is made of words that are nobody's.
_IN_WORDS = frozenset({"settings"})


def masked(kind: str, token: str) -> str:
    """The first letters of a token; sampling settings in full, cut at 34 letters."""
    if kind in _IN_WORDS:
        return shown(token, 34)
    return shown(token, _LETTERS + 1)
