"""Tactics: one tactic is a set of habits, and every habit is a number to turn.

The tactics are those of public reports of real operations: many accounts at about 26 requests a
day, hydra networks behind proxies with work mixed into customers' traffic, synchronised shards,
shared payment, narrow templates, rewriting for a censor, agentic work, and moving to a new model
within a day.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from jobs.simulator.honest import BUILDING
from jobs.simulator.population import DAY
from jobs.simulator.settings import TACTICS

TEACHING: Final = {"reasoning": 34, "rubric_grading": 22, "judged_pair": 14, "maths": 15,
                   "coding": 15}  # fmt: skip
WORKING_SHARE: Final = 0.97  # of weekdays on which an account of an operation works
AGENTIC: Final = {"agentic": 38, "coding": 27, "tool_use": 25, "debugging": 10}
CENSOR: Final = {"censor_rewrite": 70, "translation": 15, "classification": 15}
BROAD: Final = {"reasoning": 14, "coding": 18, "maths": 12, "question": 16, "role_play": 10,
                "extraction": 8, "translation": 8, "summary": 8, "multiple_choice": 6}  # fmt: skip


@dataclass(frozen=True)
class Tactic:
    """The habits of an operation. Times in hours (UTC) or seconds, shares from 0 to 1."""

    requests_per_day: float = 26.0  # an account and day; reported: 26
    even: bool = True  # load spread evenly over accounts by a scheduler
    dispersion: float = 0.12
    load_spread: float = 0.0  # of accounts' volumes beside the mean: sigma of a log-normal
    days_off: float = 0.0  # share of days on which an account rests, each its own
    cover_share: float = 0.0  # of an account's requests: ordinary customers' traffic
    clean_cover: bool = False  # which has nothing of the work's openings, tools and settings
    lent_share: float = 0.0  # of seats: an honest customer's account, lent while in use
    ban_rate: float = 0.03  # of accounts a day, once a labelled campaign is being looked into
    replace_after_s: float = 3_600.0  # until the next account takes over a banned one's seat
    life_days: float = 0.0  # rolling roster: days until an account hands over; 0: never
    sleep_days: float = 0.0  # days of harmless use before the work begins
    sleep_spread: float = 0.0  # up to this share of them less, each account its own
    aged_share: float = 0.1  # of accounts: bought, signed up long ago
    signup_burst_s: float = 6 * 3_600.0  # sign-ups of one wave fall within
    # Networks: homes (one each), residential (exits in many homes), proxy, cloud.
    network: str = "residential"
    exits_per_account: float = 2.5
    own_exit_share: float = 0.0  # of seats: one address of a home, which nobody else uses
    roster: int = 6  # machines behind the exits
    leak_share: float = 0.02  # of sessions that show a machine of the roster
    # Identity.
    accounts_per_card: float = 1.0
    accounts_per_phone: float = 1.0
    own_instrument_share: float = 0.0  # of seats: a card and a phone of their own
    mail_domains: int = 0  # throw-away domains; 0: free mail
    same_shape: bool = False  # of the mail address's local part
    prepaid: float = 0.3
    plan: int = 1
    customers_plans: bool = False  # plans, verification and gateways as private customers'
    # Client and settings: of its own making, or like customers'.
    clients: int = 2  # rare clients; 0: popular ones, as customers have
    own_settings: bool = True
    own_lengths: bool = True
    max_tokens: int = 4096
    harness_share: float = 0.0  # of seats: through the most popular agent harness, as it is
    # Content.
    mix: dict[str, float] = dataclasses.field(default_factory=lambda: dict(BROAD))
    narrow: int = 2  # templates a capability; 0: all
    paraphrase: float = 0.25
    synonyms: float = 0.0  # share of the words that have synonyms: one of them, by chance
    languages: tuple[str, ...] = ("en",)
    translated: float = 0.0  # share of work prompts dealt over all the world's languages
    openings: int = 3  # shared openings
    opening_share: float = 0.8  # of work prompts behind one of them
    closing_share: float = 0.3
    template_share: float = 1.0  # of work prompts in the operation's phrasing, not customers'
    tools: int = 0
    body_chars: float = 260.0
    # Time.
    shift_start_h: float = 2.0
    shift_h: float = 9.0  # 24: round the clock
    shifts: int = 1  # groups of accounts that work one after another
    synchronised: bool = False  # sessions of a shift start together
    jitter_s: float = 120.0
    synchrony: float = 1.0  # share of a synchronised operation's sessions that start together
    zone_spread_h: float = 0.0  # over which accounts' shifts are spread; 24: round the world
    sessions: float = 4.0
    customers_hours: bool = False  # each account has hours of its own
    weekend: float = 0.95
    # The new model.
    migrate_share: float = 0.3
    migrate_days: float = 1.0

    @property
    def work_a_day(self) -> float:
        """Work requests an account and day, weekends included, while the account works."""
        week = (5 + 2 * self.weekend) / 7
        at_work = WORKING_SHARE * (1 - self.days_off)
        return self.requests_per_day * (1 - self.cover_share) * at_work * week

    def card_count(self, accounts: int, own: int) -> int:
        """Payment instruments of so many accounts, `own` of which have one of their own."""
        return own + max(min(1, accounts - own), round((accounts - own) / self.accounts_per_card))

    def phone_count(self, accounts: int, own: int) -> int:
        """As `card_count`, for phone numbers."""
        return own + max(min(1, accounts - own), round((accounts - own) / self.accounts_per_phone))

    def exit_count(self, seats: int) -> int:
        """Addresses behind so many seats, exits of their own aside."""
        return max(2, round(seats * self.exits_per_account))


CATALOGUE: Final[dict[str, Tactic]] = {
    "hydra_proxies": Tactic(
        network="residential", cover_share=0.5, ban_rate=0.05, replace_after_s=900.0,
        aged_share=0.25, leak_share=0.04, mail_domains=4, exits_per_account=3.0, shift_h=24.0,
        opening_share=0.6,
    ),
    "synchronized_shards": Tactic(
        network="cloud", synchronised=True, shifts=2, jitter_s=90.0, dispersion=0.05, roster=12,
        accounts_per_card=3.0, openings=2, shift_h=8.0, ban_rate=0.02, paraphrase=0.5,
    ),
    "shared_payment": Tactic(
        network="proxy", accounts_per_card=9.0, accounts_per_phone=6.0, mail_domains=2,
        same_shape=True, prepaid=0.8, signup_burst_s=2 * 3_600.0, aged_share=0.0, even=False,
        dispersion=0.5, narrow=3, paraphrase=0.5, opening_share=0.3, clients=3,
    ),
    "template_farm": Tactic(
        network="proxy", mix=dict(TEACHING), narrow=1, paraphrase=0.0, openings=4,
        opening_share=1.0, closing_share=0.8, body_chars=420.0, shift_h=14.0,
    ),
    "censor_rewrite": Tactic(
        network="residential", mix=dict(CENSOR), languages=("zh", "en"), narrow=2, paraphrase=0.2,
        shift_start_h=1.0, accounts_per_phone=3.0, opening_share=0.5, body_chars=380.0,
    ),
    "agentic_tools": Tactic(
        network="cloud", mix=dict(AGENTIC), tools=11, roster=20, clients=1, narrow=2,
        paraphrase=0.3, openings=3, sessions=3.0, shift_h=24.0, accounts_per_card=2.0,
        body_chars=500.0, max_tokens=16_384, migrate_share=0.6,
    ),
    "model_migration": Tactic(
        network="residential", migrate_share=0.85, migrate_days=0.5, shift_h=16.0,
        accounts_per_card=1.5, paraphrase=0.6, opening_share=0.4, narrow=0, clients=1,
    ),
    "customer_clothes": Tactic(
        network="homes", even=False, dispersion=0.5, clients=0, own_settings=False,
        own_lengths=False, leak_share=0.05, narrow=1, paraphrase=0.3, opening_share=0.0,
        closing_share=0.0, template_share=0.35, customers_hours=True, weekend=0.8,
        aged_share=0.5, signup_burst_s=12 * DAY, prepaid=0.1, plan=2, migrate_share=0.2,
        migrate_days=8.0, cover_share=0.15, mix={**BUILDING, "reasoning": 12, "maths": 8},
    ),
}  # fmt: skip
assert set(CATALOGUE) == set(TACTICS)


def share_of_seats(share: float, seats: int) -> int:
    """How many seats a share of them is; they are the first ones."""
    return round(share * seats)
