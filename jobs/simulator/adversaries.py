"""Adversaries: operations that hide on purpose, each by one means that can be turned up.

A tactic (`tactics.CATALOGUE`) is how an operation works; an adversary turns the numbers of one
tactic to stay unseen, by a strength from 0 (the tactic hides nothing by this means) to 1 (all that
the means can do). What else the tactic shows is left as it is, so that a detector is asked one
question at a time: what does it still see when this one trace is gone?

Hiding costs. `Adversary.price` says what a million exchanges cost an operation in accounts, cards,
addresses and days of accounts, from the numbers that its accounts are drawn with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from jobs.simulator.honest import PRIVATE_PLANS
from jobs.simulator.settings import TACTICS, CampaignPlan
from jobs.simulator.tactics import CATALOGUE, Tactic, share_of_seats

Changes = dict[str, object]

OPERATION_DAYS: Final = 45  # of the largest operation that was reported; what a price is for
SMALLEST_OPERATION: Final = 5  # accounts, at full strength of splitting
_EXCHANGES: Final = 1_000_000


def _none(_: float) -> Changes:
    return {}


@dataclass(frozen=True)
class Adversary:
    """One way to stay unseen.

    Attributes:
        name: its key in `ADVERSARIES`.
        about: what the operation does, with the public source of the means where there is one.
        tactic: whose habits it has but for what it turns.
        middle: the strength, 0 to 1, at which detection is judged.
        turn: strength -> the fields of the tactic that change.
        splits: whether strength splits the accounts into many operations.
    """

    name: str
    about: str
    tactic: str
    middle: float = 0.5
    turn: Callable[[float], Changes] = field(default=_none, repr=False)
    splits: bool = False

    def habits(self, strength: float) -> Tactic:
        """The tactic with its numbers turned to a strength from 0 to 1."""
        if not 0 <= strength <= 1:
            raise ValueError(f"a strength must lie between 0 and 1, not {strength}")
        changes: dict[str, Any] = self.turn(strength)
        return dataclasses.replace(CATALOGUE[self.tactic], **changes)

    def plans(
        self, strength: float, accounts: int, start_day: int, labelled: bool
    ) -> list[CampaignPlan]:
        """The campaigns of the operation, or of the operations that it was split into.

        Args:
            strength: 0 to 1.
            accounts: at work at a time, over all plans; replacements come on top.
            start_day: day on which the work begins, in days since the world's start. Accounts
                that sleep first are there before it.
            labelled: whether analysts look into it.
        """
        habits = self.habits(strength)
        count = 1
        if self.splits:
            count = max(1, round((accounts / SMALLEST_OPERATION) ** strength))
        sizes = np.diff(np.arange(count + 1) * accounts // count)
        start = start_day - round(habits.sleep_days)
        changes = self.turn(strength)
        return [
            CampaignPlan(self.tactic, int(size), start, labelled, changes=dict(changes))
            for size in sizes
        ]

    def price(self, strength: float) -> dict[str, float]:
        """What a million exchanges cost an operation of `OPERATION_DAYS` days of work.

        An exchange is a request of the work; what hides it is not counted. Bans are not part of
        the price: they are what a detector adds to it.

        Returns:
            `accounts` opened or borrowed, `cards` (payment instruments), `addresses` (exits and
            the machines behind them) and `account_days` (days on which an account is held, asleep
            or at work), for a million exchanges. Cards and homes of lenders are their own.
        """
        habits = self.habits(strength)
        seats = int(np.ceil(_EXCHANGES / (habits.work_a_day * OPERATION_DAYS)))
        plans = self.plans(strength, seats, 0, labelled=False)
        asleep = habits.sleep_days * (1 - habits.sleep_spread / 2)
        lives = 1.0  # accounts one after another on a seat
        if habits.life_days > 0:
            # An account that lives shorter than it sleeps never works.
            lives = max(1.0, OPERATION_DAYS / max(habits.life_days - asleep, 1e-9))
        cards = addresses = 0.0
        for plan in plans:
            lent = share_of_seats(habits.lent_share, plan.accounts)
            own = max(share_of_seats(habits.own_instrument_share, plan.accounts) - lent, 0)
            opened = round((plan.accounts - lent) * lives)
            if habits.customers_plans:  # some customers use what is free
                cards += opened * (1 - PRIVATE_PLANS[0])
            else:
                cards += habits.card_count(opened, round(own * lives))
            homes = share_of_seats(habits.own_exit_share, plan.accounts)
            if habits.network == "homes":
                homes = plan.accounts
            elif homes < plan.accounts:
                addresses += habits.exit_count(plan.accounts - homes)
            addresses += homes * lives
            if habits.own_exit_share < 1:
                addresses += habits.roster
        taken = seats * habits.work_a_day * OPERATION_DAYS / _EXCHANGES
        return {
            "accounts": seats * lives / taken,
            "cards": cards / taken,
            "addresses": addresses / taken,
            "account_days": seats * (OPERATION_DAYS + lives * asleep) / taken,
        }


def _between(strength: float, first: float, last: float) -> float:
    """From `first` at 0 to `last` at 1, in equal steps of ratio."""
    return float(first * (last / first) ** strength)


def _jitter(strength: float) -> Changes:
    tactic = CATALOGUE["synchronized_shards"]
    return {
        "synchronised": strength < 1,
        "synchrony": 1 - strength,
        "jitter_s": _between(strength, tactic.jitter_s, 3_600.0),
        "shift_h": tactic.shift_h + strength * (24 - tactic.shift_h),
    }


def _time_zones(strength: float) -> Changes:
    # All shifts of the tactic would cover the clock already: one, and it moves round the world.
    return {"shifts": 1, "zone_spread_h": 24 * strength}


def _paraphrase_grammar(strength: float) -> Changes:
    tactic = CATALOGUE["template_farm"]
    return {
        "paraphrase": strength,
        "narrow": tactic.narrow + round(5 * strength),
        "opening_share": tactic.opening_share * (1 - strength),
        "closing_share": tactic.closing_share * (1 - strength),
    }


def _paraphrase_language(strength: float) -> Changes:
    # Tasks that people ask for in every language; others are asked in English.
    mix = {"reasoning": 60, "summary": 15, "translation": 15, "question": 10}
    return {
        "mix": mix,
        "translated": strength,
        "opening_share": CATALOGUE["template_farm"].opening_share * (1 - strength),
        "closing_share": 0.0,
    }


def _residential(strength: float) -> Changes:
    return {"network": "residential", "exits_per_account": 0.5, "own_exit_share": strength}


def _mixing(strength: float) -> Changes:
    return {"cover_share": 0.05 + 0.9 * strength, "clean_cover": True, "lent_share": strength}


def _rolling_roster(strength: float) -> Changes:
    if strength == 0:
        return {"life_days": 0.0}
    # Lives lie within 0.6 to 1.4 of the mean: at full strength, 2 to 5 days.
    return {"life_days": _between(strength, 28.0, 3.5), "replace_after_s": 900.0}


def _low_and_slow(strength: float) -> Changes:
    tactic = CATALOGUE["hydra_proxies"]
    rate = _between(strength, tactic.requests_per_day, 3.0)
    sessions = 1 + (tactic.sessions - 1) * rate / tactic.requests_per_day
    return {"requests_per_day": rate, "sessions": sessions, "cover_share": 0.0}


def _sleepers(strength: float) -> Changes:
    return {"sleep_days": 21 * strength, "sleep_spread": 0.5, "clean_cover": True}


# What an operation can copy of its customers, in the order in which it is copied: settings,
# lengths, clients, hours, plans. `tactics.CATALOGUE` has the first four.
_CLOTHES: Final[tuple[tuple[str, ...], ...]] = (
    ("own_settings",),
    ("own_lengths",),
    ("clients",),
    ("customers_hours", "weekend", "even", "dispersion"),
    ("customers_plans",),
)


def _customer_clothes(strength: float) -> Changes:
    copied = round(strength * len(_CLOTHES))
    plain = Tactic()
    changes: Changes = {name: getattr(plain, name) for names in _CLOTHES[copied:] for name in names}
    if copied == len(_CLOTHES):
        changes["customers_plans"] = True
    return changes


def _human_pace(strength: float) -> Changes:
    # At full strength as uneven, and as often at rest, as private developers are.
    tactic = CATALOGUE["hydra_proxies"]
    return {
        "even": strength == 0,
        "load_spread": 1.0 * strength,
        "days_off": 0.5 * strength,
        "dispersion": tactic.dispersion + 0.5 * strength,
        "weekend": tactic.weekend - 0.35 * strength,
    }


_ALL: Final = (
    Adversary(
        "jitter",
        "spreads its sessions until none start together; synchrony is what SynchroTrap "
        "(Cao et al., CCS 2014) finds",
        "synchronized_shards",
        turn=_jitter,
    ),
    Adversary(
        "time_zones",
        "deals its shifts over the world's time zones, so that each account has hours of its own",
        "synchronized_shards",
        turn=_time_zones,
    ),
    Adversary(
        "paraphrase_grammar",
        "phrases each prompt anew, in other templates and without shared openings; a paraphrase "
        "evades detection by text (Krishna et al., NeurIPS 2023)",
        "template_farm",
        turn=_paraphrase_grammar,
    ),
    Adversary(
        "paraphrase_synonym",
        "swaps words for synonyms, one by one, so that no two prompts of a template read alike "
        "(TextFooler, Jin et al., AAAI 2020)",
        "template_farm",
        turn=lambda strength: {"synonyms": strength},
    ),
    Adversary(
        "paraphrase_language",
        "deals its work list over several languages, so that a template is no longer one text",
        "template_farm",
        turn=_paraphrase_language,
    ),
    Adversary(
        "residential",
        "gives each account a household's address of its own, rented from a residential proxy "
        "service (Mi et al., IEEE S&P 2019), until no network is shared",
        "template_farm",
        turn=_residential,
    ),
    Adversary(
        "one_card",
        "pays with one card and verifies one phone for each account, as account merchants do in "
        "bulk (Thomas et al., USENIX Security 2013)",
        "shared_payment",
        turn=lambda strength: {"own_instrument_share": strength},
    ),
    Adversary(
        "mixing",
        "hides its work in ordinary customers' traffic, its own relays' and that of honest "
        "customers who lend it a share of their account; camouflage as in FRAUDAR (Hooi et al., "
        "KDD 2016)",
        "hydra_proxies",
        turn=_mixing,
    ),
    Adversary(
        "rolling_roster",
        "retires each account after a few days, before its history tells, and goes on with a new "
        "one",
        "template_farm",
        middle=1.0,
        turn=_rolling_roster,
    ),
    Adversary(
        "low_and_slow",
        "asks ever less of each account, down to three requests a day",
        "hydra_proxies",
        turn=_low_and_slow,
    ),
    Adversary(
        "sleepers",
        "lets its accounts behave like customers' for up to three weeks before they work; aged "
        "accounts fetch a price for it (Thomas et al., USENIX Security 2013)",
        "template_farm",
        turn=_sleepers,
    ),
    Adversary(
        "human_pace",
        "gives up its pace: accounts differ in their load as customers do, and have days off",
        "hydra_proxies",
        turn=_human_pace,
    ),
    Adversary(
        "many_small",
        "splits its accounts into many small operations that share nothing; a small Sybil group "
        "is what detectors let pass (SybilGuard, Yu et al., SIGCOMM 2006)",
        "synchronized_shards",
        splits=True,
    ),
    Adversary(
        "agent_harness",
        "runs behind one popular open-source agent harness, with its client, system prompt, "
        "settings and tools; only what it asks, and how, is its own",
        "agentic_tools",
        middle=1.0,
        turn=lambda strength: {"harness_share": strength},
    ),
    Adversary(
        "customer_clothes",
        "copies honest customers' settings, lengths, clients, hours and plans, one after another; "
        "mimicry as of Wagner and Soto (CCS 2002). At 0.8 it is the tactic of that name",
        "customer_clothes",
        middle=0.8,
        turn=_customer_clothes,
    ),
)
_TACTICS: Final = tuple(
    Adversary(tactic, f"the tactic {tactic} as it is; strength changes nothing", tactic)
    for tactic in TACTICS
    if tactic != "customer_clothes"
)
ADVERSARIES: Final[dict[str, Adversary]] = {a.name: a for a in (*_ALL, *_TACTICS)}
