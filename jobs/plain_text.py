"""Text of others as people may see it: ids, reasons and notes come from whoever wrote them."""

from __future__ import annotations

import unicodedata

#: Unicode's categories of what moves the cursor, ends a line, changes the direction of text or is
#: not seen: control, format (bidirectional marks, zero width), surrogate, private use, and line and
#: paragraph separators.
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
CUT = "…"
MOST = 500


def plain(text: object, most: int = MOST, *, lines: bool = False) -> str:
    """At most `most` characters without what changes how they are shown or read; on one line, but
    where `lines` are to stay."""
    # A text of a megabyte need not be walked through to be cut short.
    given = str(text)[: 4 * most]
    parts = given.splitlines() if lines else [given]
    spaced = "\n".join(" ".join(part.split()) for part in parts)
    kept = "".join(c for c in spaced if c == "\n" or unicodedata.category(c) not in UNSEEN).strip()
    return kept if len(kept) <= most else kept[: most - 1] + CUT


def masked(token: object) -> str:
    """A token so that two are told apart, and none can be looked up by it."""
    return plain(token, 64)[:6] + CUT
