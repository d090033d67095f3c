"""The tables that `limits` writes: what accounts may send, and what campaigns may send together."""

from __future__ import annotations

from jobs.catalog.columns import ACCOUNT, DATE_COLUMN, TRUST_AND_SAFETY
from jobs.catalog.desk_tables import MODES
from jobs.catalog.limit_policy import GATEWAY, SHARES
from jobs.catalog.sketch import MARKERS
from jobs.catalog.types import BOOLEAN, DATE, DOUBLE, LONG, STRING, Column, Table

#: The capability of a limit on all that an account sends.
ALL = "all"
CAPABILITIES = (ALL, *(marker.name for marker in MARKERS))
#: Where what is usual for an account was taken from.
OWN_HISTORY, PLAN_HISTORY = "own", "plan"

#: Units of requests and of tokens, from the shortest to the longest window.
REQUEST_LIMITS = ("requests_a_minute", "requests_an_hour", "requests_a_day")
TOKEN_LIMITS = ("tokens_a_minute", "tokens_an_hour", "tokens_a_day")
#: What is usual on a busy day; limits follow from it.
USUAL = ("usual_requests_a_day", "usual_requests_an_hour", "usual_tokens_a_day")


def _limit(name: str) -> Column:
    what, _, rest = name.partition("_")
    return Column(name, LONG, f"{what.capitalize()} {rest.replace('_', ' ')} at most"
                  + (", read and written." if what == "tokens" else "."),
                  unit=what, nullable=False, minimum=1)  # fmt: skip


_STEP = Column(
    "step",
    LONG,
    "How tight, from 1: a step of the policy.",
    unit="steps",
    nullable=False,
    minimum=1,
)
_RENEWED_NIGHTS = Column("renewed_nights", LONG, "Nights with renewed evidence since it last "
                         "changed its step.", unit="nights", nullable=False, minimum=0)  # fmt: skip
_QUIET_NIGHTS = Column("quiet_nights", LONG, "Nights without renewed evidence, up to this one.",
                       unit="nights", nullable=False, minimum=0)  # fmt: skip
_MODE = Column("mode", STRING, "What the night went by: observe: written to be looked at; "
               "enforce: to be carried out. A later change does not rewrite it: the last row of "
               "enforcement_mode says what holds now.",
               nullable=False, values=MODES)  # fmt: skip
_POLICY = Column("policy_version", STRING, "The policy in force.", nullable=False)

RATE_LIMITS = Table(
    name="rate_limits",
    about="What each limited account may send from this night on: a row for all that it sends, and "
    "one for the capability that the evidence is about.",
    owner=TRUST_AND_SAFETY,
    key=("date", "account_id", "capability"),
    retention_days=730,
    columns=(
        DATE_COLUMN,
        ACCOUNT,
        Column("capability", STRING, "What requests ask for; all: every request.", nullable=False,
               values=CAPABILITIES),
        *(_limit(name) for name in (*REQUEST_LIMITS, *TOKEN_LIMITS)),
        Column("reason", STRING, "Why so much, in words.", nullable=False),
        _STEP,
        _RENEWED_NIGHTS,
        _QUIET_NIGHTS,
        Column("expires", DATE, "Last day on which it holds unless a night renews it.",
               nullable=False),
        Column("campaign_id", STRING, "Its campaign, null outside any."),
        Column("plan", STRING, "The plan whose promise holds.", nullable=False),
        Column("since", DATE, "First evidence that is known: what lies before may be honest.",
               nullable=False),
        Column("history", STRING, "own: its own days before the evidence; plan: honest accounts of "
               "its plan, since it has too few.", nullable=False,
               values=(OWN_HISTORY, PLAN_HISTORY)),
        Column("usual_requests_a_day", DOUBLE, "A busy day of that history.", unit="requests",
               nullable=False, minimum=0.0),
        Column("usual_requests_an_hour", DOUBLE, "The busiest hour of such a day.",
               unit="requests", nullable=False, minimum=0.0),
        Column("usual_tokens_a_day", DOUBLE, "Tokens of such a day.", unit="tokens",
               nullable=False, minimum=0.0),
        Column("by_budget", BOOLEAN, "Whether the share of its campaign's budget made it lower.",
               nullable=False),
        _MODE,
        _POLICY,
        Column("decision_id", STRING, "The person's decision that it rests on, null where the "
               "policy decided."),
    ),
)  # fmt: skip

CAMPAIGN_BUDGETS = Table(
    name="campaign_budgets",
    about="What the limited accounts of a campaign may send together from this night on.",
    owner=TRUST_AND_SAFETY,
    key=("date", "campaign_id"),
    retention_days=730,
    columns=(
        DATE_COLUMN,
        Column("campaign_id", STRING, "The campaign.", nullable=False),
        Column("accounts", LONG, "Limited accounts that share it.", unit="accounts",
               nullable=False, minimum=1),
        Column("requests_a_day", LONG, "Requests a day at most, all of them together.",
               unit="requests", nullable=False, minimum=1),
        Column("tokens_a_day", LONG, "Tokens a day at most, read and written.", unit="tokens",
               nullable=False, minimum=1),
        Column("counted_by", STRING, "shares: each account has its share as its own limit; "
               "gateway: the gateway counts the campaign's requests together.", nullable=False,
               values=(SHARES, GATEWAY)),
        _STEP,
        _RENEWED_NIGHTS,
        _QUIET_NIGHTS,
        Column("since", DATE, "First night of the budget.", nullable=False),
        Column("usual_requests_a_day", DOUBLE, "What these accounts sent a day before that.",
               unit="requests", nullable=False, minimum=0.0),
        Column("usual_tokens_a_day", DOUBLE, "Tokens of such a day.", unit="tokens",
               nullable=False, minimum=0.0),
        Column("promised_requests_a_day", LONG, "What their plans promise and their own history "
               "keeps, together: no budget is lower.", unit="requests", nullable=False, minimum=0),
        _MODE,
        _POLICY,
    ),
)  # fmt: skip

PLAN_USAGE = Table(
    name="plan_usage",
    about="What honest accounts of each plan sent in the last days: the history of limited accounts"
    " that have too little of their own, also of those that people limit after the night.",
    owner=TRUST_AND_SAFETY,
    key=("date", "plan"),
    retention_days=730,
    columns=(
        DATE_COLUMN,
        Column("plan", STRING, "What the accounts pay by.", nullable=False),
        Column("accounts", LONG, "Accounts that sent anything and that no action holds on.",
               unit="accounts", nullable=False, minimum=1),
        Column(USUAL[0], DOUBLE, "Requests of a busy day of one of them.", unit="requests",
               nullable=False, minimum=0.0),
        Column(USUAL[1], DOUBLE, "The busiest hour of such a day.", unit="requests",
               nullable=False, minimum=0.0),
        Column(USUAL[2], DOUBLE, "Tokens of such a day, read and written.", unit="tokens",
               nullable=False, minimum=0.0),
        *(
            Column(f"asks_{marker.name}", DOUBLE, "Share of their requests with a known prompt "
                   f"that have the marker {marker.name}, null where none is known.", unit="share",
                   minimum=0.0, maximum=1.0)
            for marker in MARKERS
        ),
    ),
)  # fmt: skip
