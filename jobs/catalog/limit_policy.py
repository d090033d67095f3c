"""The part of the enforcement policy that says how rate limits follow from history; the shipped
enforcement.toml says what each setting means and why it is so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

#: Who counts a campaign's budget: each account has its share of it, or the gateway counts the
#: campaign's requests together.
SHARES, GATEWAY = "shares", "gateway"
UNITS = ("minute", "hour", "day")


@dataclass(frozen=True)
class Promise:
    """What customers of a plan are promised: requests and tokens (read and written)."""

    plan: str
    requests_a_minute: int
    requests_an_hour: int
    requests_a_day: int
    tokens_a_minute: int
    tokens_an_hour: int
    tokens_a_day: int


@dataclass(frozen=True)
class LimitPolicy:
    actions: tuple[str, ...]
    below_promise: bool
    history_days: int
    guard_days: int
    least_days: int
    quantile: float
    headroom: float
    history_floor: float
    plan_days: int
    steps: tuple[float, ...]
    tighten_nights: int
    relax_nights: int
    busiest_minutes: int
    capability_share: float
    capability_lift: float
    budget_accounts: int
    budget_days: int
    budget_steps: tuple[float, ...]
    budget_counted_by: str


Fault = tuple[tuple[str | int, ...], str]


def faults(
    limits: LimitPolicy,
    promises: Sequence[Promise],
    ladder: Sequence[str],
    plans: Sequence[str],
) -> Iterator[Fault]:
    """What does not hold together: where it stands in the file, and why."""
    milder = set(ladder[1:-1])
    if not set(limits.actions) <= milder:
        yield ("limits", "actions"), f"of {', '.join(ladder[1:-1])}: others limit nobody"
    for name in ("history_days", "least_days", "plan_days", "tighten_nights", "relax_nights",
                 "budget_days"):  # fmt: skip
        if getattr(limits, name) < 1:
            yield ("limits", name), "1 or more"
    if limits.guard_days < 0:
        yield ("limits", "guard_days"), "no fewer than none"
    if limits.least_days > limits.history_days:
        yield ("limits", "least_days"), f"of {limits.history_days} days at most as many"
    for name in ("quantile", "capability_share"):
        if not 0.0 < getattr(limits, name) <= 1.0:
            yield ("limits", name), f"{getattr(limits, name):g} is not over 0 and up to 1"
    if limits.headroom < 1.0:
        yield ("limits", "headroom"), f"{limits.headroom:g} times is less than the history: 1 or up"
    if not 0.0 <= limits.history_floor <= limits.headroom:
        yield ("limits", "history_floor"), f"from 0 to the headroom of {limits.headroom:g}"
    if limits.capability_lift < 1.0:
        yield ("limits", "capability_lift"), "1 or more times what honest customers ask"
    if limits.budget_accounts < 2:
        yield ("limits", "budget_accounts"), "a budget is shared: 2 or more"
    if not 1 <= limits.busiest_minutes <= 60:
        yield ("limits", "busiest_minutes"), "of an hour: from 1 to 60"
    for name in ("steps", "budget_steps"):
        shares = getattr(limits, name)
        if not shares or not all(0.0 < share <= 1.0 for share in shares):
            yield ("limits", name), "one share or more, each over 0 and up to 1"
        elif list(shares) != sorted(shares, reverse=True):
            yield ("limits", name), "from the loosest to the tightest: shares never rise"
    if limits.budget_counted_by not in (SHARES, GATEWAY):
        yield ("limits", "budget_counted_by"), f"{SHARES} or {GATEWAY}"
    elif limits.budget_counted_by == GATEWAY and not limits.below_promise:
        yield (
            ("limits", "budget_counted_by"),
            "one counter for a campaign can't keep each account's promise: "
            "shares, or below_promise = true",
        )
    yield from _promises(promises, plans)


def _promises(promises: Sequence[Promise], plans: Sequence[str]) -> Iterator[Fault]:
    named = [promise.plan for promise in promises]
    for at, promise in enumerate(promises):
        if promise.plan not in plans:
            yield ("promises", at, "plan"), f"{promise.plan!r} is no plan: {', '.join(plans)}"
        elif promise.plan in named[:at]:
            yield ("promises", at, "plan"), f"{promise.plan} is promised twice: once"
        for name in (f.name for f in fields(promise) if f.name != "plan"):
            if getattr(promise, name) < 0:
                yield ("promises", at, name), "no fewer than none"
        for what in ("requests", "tokens"):
            minute, hour, day = (
                getattr(promise, f"{what}_{'an' if unit == 'hour' else 'a'}_{unit}")
                for unit in UNITS
            )
            if not minute <= hour <= day:
                yield (
                    ("promises", at, f"{what}_a_day"),
                    "a day has no less than an hour, an hour no less than a minute",
                )
    missing = [plan for plan in plans if plan not in named]
    if missing:
        yield ("promises",), f"none for {', '.join(missing)}: say what it is, 0 for nothing"
