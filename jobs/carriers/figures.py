"""What each account's tokens of a kind come to: the figures that features are made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.carriers import counting
from jobs.carriers.reading import Rows, Window
from jobs.catalog.measures import FEATURE_WINDOWS

#: Of each of FEATURE_WINDOWS: `tokens` used; `fan`, the fewest accounts on a token of the account's
#: own; `share`, requests on tokens of several accounts, null without a token; `top`, requests of
#: the most used token; `prompts`; `some`, requests on tokens of several accounts that are not
#: common; `some_fan`, the fewest accounts on one of those.
FIGURES = tuple(
    f"{figure}_{days}d"
    for days in FEATURE_WINDOWS
    for figure in ("tokens", "fan", "share", "top", "prompts", "some", "some_fan")
)


def figures_of(
    window: Window, kinds: tuple[str, ...], common: int
) -> Iterator[tuple[str, NDArray[np.int64], list[pa.Array]]]:
    """What all accounts' tokens come to: kind, accounts' hashes, and FIGURES in their order.

    Args:
        kinds: a group of `Window.together`.
        common: accounts on a token above which it is a common one.
    """
    tallies = {kind: _Tally() for kind in kinds}
    for part in window.parts(kinds):
        for kind, rows in window.read(part).items():
            tallies[kind].add(rows, part.bits, common)
    for kind, tally in tallies.items():
        yield kind, tally.numbering.accounts, tally.figures()


class _Tally:
    """What accounts' tokens of a kind come to, part after part."""

    def __init__(self) -> None:
        self.numbering = counting.Numbering()
        self._sums = np.zeros((0, len(FEATURE_WINDOWS), counting.COLUMNS), np.int64)

    def add(self, rows: Rows, part_bits: int, common: int) -> None:
        entries = counting.entries_of(*rows, part_bits)
        account = self.numbering.number(entries.account)
        fresh = len(self.numbering.accounts) - len(self._sums)
        self._sums = np.concatenate(
            [self._sums, np.zeros((fresh, *self._sums.shape[1:]), np.int64)]
        )
        counting.add_to_accounts(
            entries.token, account, entries.sums, entries.accounts, common, self._sums
        )

    def figures(self) -> list[pa.Array]:
        """FIGURES, in their order."""
        kept = counting.LARGEST + np.arange(counting.KEPT)
        made: list[pa.Array] = []
        for window in range(len(FEATURE_WINDOWS)):
            sums = self._sums[:, window]
            largest, fans = sums[:, kept], sums[:, kept + counting.KEPT]
            own = (largest > 0) & (largest >= counting.OWN_SHARE * sums[:, [counting.TOTAL]])
            fan = np.where(own, fans, np.iinfo(np.int64).max).min(axis=1)
            tokens, some_fan = sums[:, counting.TOKENS], sums[:, counting.SOME_FAN]
            made += [
                pa.array(tokens),
                pa.array(fan, mask=~own.any(axis=1)),
                pa.array(sums[:, counting.SHARED], mask=tokens == 0),
                pa.array(largest.max(axis=1)),
                pa.array(sums[:, counting.PROMPTS]),
                pa.array(sums[:, counting.SOME]),
                pa.array(some_fan, mask=some_fan == 0),
            ]
        return made
