"""Text of others as people may see it: ids, reasons and notes come from whoever wrote them."""

from __future__ import annotations

import unicodedata

#: Control, format (bidirectional marks, zero width), surrogate, private use, unassigned, and line
#: and paragraph separators.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
MOST = 500


def plain(text: object, most: int = MOST) -> str:
    """One line of at most `most` characters, without what changes how a line is shown or read."""
    # A text of a megabyte need not be walked through to be cut short.
    kept = "".join(" " if unicodedata.category(c) in _UNSEEN else c for c in str(text)[: 4 * most])
    line = " ".join(kept.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def masked(token: object) -> str:
    """A token so that two are told apart, and none can be looked up by it."""
    return plain(token, 64)[:6] + "…"
