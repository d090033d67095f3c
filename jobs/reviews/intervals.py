"""Shares of counts, with how far they may be from the truth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """`part` of `whole`, with its 95 % interval after Wilson (1927), which holds for few and for
    none; without any, everything is possible and the share is null."""

    part: int
    whole: int
    share: float | None
    low: float
    high: float

    def __str__(self) -> str:
        if self.share is None:
            return "none of 0"
        between = f"{self.low:.0%} to {self.high:.0%}"
        return f"{self.part:,} of {self.whole:,} = {self.share:.0%} ({between})"


def share_of(part: int, whole: int) -> Share:
    if whole == 0:
        return Share(0, 0, None, 0.0, 1.0)
    from scipy.stats import binomtest

    between = binomtest(part, whole).proportion_ci(confidence_level=0.95, method="wilson")
    return Share(part, whole, part / whole, float(between.low), float(between.high))
