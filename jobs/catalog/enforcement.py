"""Reads the enforcement policy: one TOML file, checked as a whole before anything acts on it."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import tomllib
from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from jobs.catalog.limit_policy import LimitPolicy, Promise, faults

#: Actions in the contract's order, from the mildest to the hardest.
LADDER = ("watch", "limit", "challenge", "review", "suspend")
SHIPPED = Path(__file__).with_name("enforcement.toml")
POLICY_DECIDES, PERSON_DECIDES = "policy", "person"
#: A customer kind of its own beside the plans of the contract.
VERIFIED = "verified"
PLANS = ("free", "credits", "pay_as_you_go", "enterprise", VERIFIED)
KINDS = ("distillation", "resale", "benign_group", "unknown")


class PolicyFault(ValueError):
    """The file is no policy: which line, what is wrong, what to do."""


@dataclass(frozen=True)
class AllowListed:
    """An account or organization that a person vetted: nothing above `watch` until it expires."""

    subject: str
    reason: str
    owner: str
    expires: dt.date


@dataclass(frozen=True)
class Rung:
    """An action, and all that has to hold for it; enforcement.toml says what each means."""

    action: str
    floor: float
    false_positive_rate: float
    expires_days: int
    families: int = 2
    campaign_score: float = 0.0
    kinds: tuple[str, ...] = ()
    verified: bool = True
    decided_by: str = POLICY_DECIDES


@dataclass(frozen=True)
class Resale:
    watch_score: float
    review_score: float


@dataclass(frozen=True)
class Cap:
    actions: tuple[str, ...]
    accounts: int
    instead: str
    plans: tuple[str, ...] = ()

    @property
    def mildest(self) -> str:
        """Who had this or harder before is not new."""
        return min(self.actions, key=LADDER.index)


@dataclass(frozen=True)
class CoolDown:
    days: int


@dataclass(frozen=True)
class TwoPeople:
    verified_organization: bool
    accounts_over: int


@dataclass(frozen=True)
class Timing:
    actions: tuple[str, ...]
    hold_nights: int
    spread_nights: int


@dataclass(frozen=True)
class SecondReviews:
    #: Share of decided cases that come back blind, and of all that come, those with known answers.
    share: float = 0.0
    planted: float = 0.0


@dataclass(frozen=True)
class EnforcementPolicy:
    """What enforcement may do. `version` ends in eight digits of the file's SHA-256, so that two
    files of one name are told apart."""

    version: str
    label_confidence: float
    rungs: tuple[Rung, ...]
    resale: Resale
    cool_down: CoolDown
    two_people: TwoPeople
    timing: Timing
    limits: LimitPolicy
    promises: tuple[Promise, ...]
    caps: tuple[Cap, ...] = ()
    allow_list: tuple[AllowListed, ...] = ()
    second_reviews: SecondReviews = SecondReviews()
    #: The file as it was read.
    text: str = field(default="", repr=False)

    @property
    def families_needed(self) -> int:
        """Families that any action above `watch` needs at least."""
        return min(rung.families for rung in self.rungs[1:])

    def rung(self, action: str) -> Rung:
        return self.rungs[LADDER.index(action)]


def read_policy(path: Path) -> EnforcementPolicy:
    """The policy in a file.

    Raises:
        PolicyFault: it can't be read, or does not hold together; one line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PolicyFault(f"policy {path} can't be read: {why}") from None
    try:
        return parse_policy(text)
    except PolicyFault as fault:
        raise PolicyFault(f"policy {path} {fault}") from None


@lru_cache(maxsize=8)
def parse_policy(text: str) -> EnforcementPolicy:
    """The policy in the text of a file; a PolicyFault begins with the line."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyFault(f"is not TOML: {error}") from None
    if "text" in given:
        raise _fault(text, ("text",), "no such setting: take it out")
    policy: EnforcementPolicy = _made(EnforcementPolicy, given, (), text)
    _hold_together(policy, text)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    values = {f.name: getattr(policy, f.name) for f in fields(policy)}
    return EnforcementPolicy(**{**values, "version": f"{policy.version}+{digest}", "text": text})


Where = tuple[str | int, ...]


def _made(kind: Any, given: dict[str, Any], where: Where, text: str) -> Any:
    """A dataclass from a table of the file: every setting known, of its type, none missing."""
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}
    for name in given:
        if name not in known:
            raise _fault(
                text, (*where, name), "no such setting: take it out, or see the shipped file"
            )
    values = {}
    for name, declared in known.items():
        if name in given:
            values[name] = _value(hints[name], given[name], (*where, name), text)
        elif declared.default is MISSING and declared.default_factory is MISSING:
            raise _fault(text, where, f"{name} is missing: give it")
    return kind(**values)


def _value(hint: Any, given: Any, where: Where, text: str) -> Any:
    if get_origin(hint) is tuple:
        (item, _) = get_args(hint)
        if not isinstance(given, list):
            raise _fault(text, where, f"{given!r} is no list: put it in [ ]")
        return tuple(_value(item, one, (*where, at), text) for at, one in enumerate(given))
    if hasattr(hint, "__dataclass_fields__"):
        if not isinstance(given, dict):
            raise _fault(
                text, where, f"{given!r} is no table: write [{where[-1]}] above its settings"
            )
        return _made(hint, given, where, text)
    if hint is float and isinstance(given, int) and not isinstance(given, bool):
        return float(given)
    wanted = hint if not isinstance(hint, UnionType) else get_args(hint)[0]
    if type(given) is not wanted:
        named = {str: "a text in quotes", float: "a number", int: "a whole number",
                 bool: "true or false", dt.date: "a date as 2027-01-31"}  # fmt: skip
        raise _fault(text, where, f"{given!r} is not {named[wanted]}")
    return given


def _hold_together(policy: EnforcementPolicy, text: str) -> None:
    """What no single setting shows."""

    def refuse_unless(holds: bool, where: Where, why: str) -> None:
        if not holds:
            raise _fault(text, where, why)

    names = tuple(rung.action for rung in policy.rungs)
    refuse_unless(
        names == LADDER, ("rungs",),
        f"the ladder is {', '.join(names) or 'empty'}; it has to be {', '.join(LADDER)}",
    )  # fmt: skip
    refuse_unless(bool(policy.version), ("version",), "a policy needs a version")
    refuse_unless(0.5 <= policy.label_confidence < 1.0, ("label_confidence",),
                  f"{policy.label_confidence:g} is no confidence: from 0.5 to below 1")  # fmt: skip
    for at, rung in enumerate(policy.rungs):
        here: Where = ("rungs", at)
        before = policy.rungs[max(at - 1, 0)]
        for name in ("floor", "false_positive_rate", "campaign_score"):
            value = getattr(rung, name)
            refuse_unless(0.0 <= value <= 1.0, (*here, name), f"{value:g} is not from 0 to 1")
        refuse_unless(
            rung.floor >= before.floor, (*here, "floor"),
            f"{rung.floor:g} is below {before.action}'s {before.floor:g}: floors rise",
        )  # fmt: skip
        refuse_unless(
            rung.false_positive_rate <= before.false_positive_rate, (*here, "false_positive_rate"),
            f"{rung.false_positive_rate:g} is over {before.action}'s "
            f"{before.false_positive_rate:g}: a harder action may not be wrong more often",
        )  # fmt: skip
        refuse_unless(
            rung.expires_days > 0, (*here, "expires_days"), "an action holds for a day or more"
        )
        refuse_unless(rung.families >= (0 if at == 0 else 2), (*here, "families"),
                      "nothing above watch is done on one clue: 2 or more")  # fmt: skip
        refuse_unless(set(rung.kinds) <= set(KINDS), (*here, "kinds"),
                      f"of {', '.join(KINDS)}")  # fmt: skip
        refuse_unless(rung.decided_by in (POLICY_DECIDES, PERSON_DECIDES), (*here, "decided_by"),
                      f"{rung.decided_by!r} is neither policy nor person")  # fmt: skip
    last = len(policy.rungs) - 1
    refuse_unless(policy.rungs[last].decided_by == PERSON_DECIDES, ("rungs", last, "decided_by"),
                  "nobody is suspended by a score alone: a person decides")  # fmt: skip
    for name in ("watch_score", "review_score"):
        value = getattr(policy.resale, name)
        refuse_unless(0.0 <= value <= 1.0, ("resale", name), f"{value:g} is not from 0 to 1")
    refuse_unless(
        policy.resale.watch_score <= policy.resale.review_score, ("resale", "review_score"),
        "a review takes a higher score than to be watched",
    )  # fmt: skip
    for at, cap in enumerate(policy.caps):
        here = ("caps", at)
        for name, actions in (("actions", cap.actions), ("instead", (cap.instead,))):
            refuse_unless(bool(actions) and set(actions) <= set(LADDER), (*here, name),
                          f"of {', '.join(LADDER)}")  # fmt: skip
        refuse_unless(cap.accounts >= 0, (*here, "accounts"), "no fewer than none")
        refuse_unless(set(cap.plans) <= set(PLANS), (*here, "plans"), f"of {', '.join(PLANS)}")
        refuse_unless(
            cap.instead not in cap.actions
            and (LADDER.index(cap.instead) < LADDER.index(cap.mildest) or cap.instead == "review"),
            (*here, "instead"), f"{cap.instead} is no milder than {cap.mildest}",
        )  # fmt: skip
    refuse_unless(policy.cool_down.days >= 0, ("cool_down", "days"), "no fewer than none")
    refuse_unless(policy.two_people.accounts_over >= 0, ("two_people", "accounts_over"),
                  "no fewer than none")  # fmt: skip
    refuse_unless(set(policy.timing.actions) <= set(LADDER), ("timing", "actions"),
                  f"of {', '.join(LADDER)}")  # fmt: skip
    for name in ("hold_nights", "spread_nights"):
        refuse_unless(getattr(policy.timing, name) >= 0, ("timing", name), "no fewer than none")
    for name in ("share", "planted"):
        value, most = getattr(policy.second_reviews, name), 1.0 if name == "share" else 0.9
        refuse_unless(0.0 <= value <= most, ("second_reviews", name),
                      f"{value:g} is not from 0 to {most:g}")  # fmt: skip
    for where, why in faults(policy.limits, policy.promises, LADDER, PLANS):
        raise _fault(text, where, why)
    for at, listed in enumerate(policy.allow_list):
        for name in ("subject", "reason", "owner"):
            refuse_unless(bool(getattr(listed, name).strip()), ("allow_list", at, name),
                          "say whom, why and who answers for it")  # fmt: skip


def _fault(text: str, where: Where, why: str) -> PolicyFault:
    name = (
        ".".join(f"{part}" if isinstance(part, str) else f"{part + 1}" for part in where)
        or "the file"
    )
    return PolicyFault(f"line {_line_of(text, where)}: {name}: {why}")


def _line_of(text: str, where: Where) -> int:
    """The line on which a setting stands, or else its table; 1 where neither is found."""
    table = where[0] if len(where) > 1 else None
    wanted = where[1] if len(where) > 1 and isinstance(where[1], int) else 0
    key = next((part for part in reversed(where) if isinstance(part, str)), "")
    inside, seen, start = table is None, -1, 1
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*\[\[?\s*([\w.]+)\s*\]\]?", line)
        if head:
            seen += head[1] == (table or key)
            inside = table is not None and head[1] == table and seen == wanted
            if head[1] == (table or key) and seen == wanted:
                start = number
        elif inside and re.match(rf"\s*{re.escape(key)}\s*=", line):
            return number
    return start


POLICY = read_policy(SHIPPED)
