"""The tables of the morning desk: what waits for a person, what people decided, and under which
policy and mode enforcement works."""

from __future__ import annotations

from jobs.catalog.columns import DATE_COLUMN, SCORE, TRUST_AND_SAFETY
from jobs.catalog.enforcement import LADDER
from jobs.catalog.types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    STRINGS,
    TIMESTAMP,
    Column,
    Table,
)

#: What people find out about accounts.
FINDINGS = ("distillation", "resale", "benign")
#: What else they decide: that an account is what it says it is; about an appeal; about a decision
#: that needs a second person.
VETTED, APPEALED, OVERTURNED, UPHELD = "vetted", "appealed", "overturned", "upheld"
APPROVED, REJECTED = "approved", "rejected"
VERDICTS = (*FINDINGS, VETTED, APPEALED, OVERTURNED, UPHELD, APPROVED, REJECTED)

OBSERVE, ENFORCE = "observe", "enforce"
MODES = (OBSERVE, ENFORCE)

#: What a case or a decision is about.
CAMPAIGN_SUBJECT, ACCOUNT_SUBJECT = "campaign", "account"
SUBJECT_KINDS = (CAMPAIGN_SUBJECT, ACCOUNT_SUBJECT)

#: Days for which what people decided is kept: an account comes back after years.
_DECISIONS_KEPT = 3650

_SUBJECT_KIND = Column("subject_kind", STRING, "What it is about.", nullable=False,
                       values=SUBJECT_KINDS)  # fmt: skip

DECISIONS = Table(
    name="decisions",
    about="What people decided, a decision a row; never changed, only answered by a later one.",
    owner=TRUST_AND_SAFETY,
    key=("date", "decision_id"),
    retention_days=_DECISIONS_KEPT,
    append_only=True,
    columns=(
        Column("date", DATE, "First night on which it counts: the one after the last that was "
               "scored when it was made.", nullable=False),
        Column("decision_id", STRING, "Its name, unique.", nullable=False),
        Column("decided_at", TIMESTAMP, "When they decided.", unit="UTC", nullable=False),
        Column("decided_by", STRING, "Who: the name with which they sign in.", nullable=False,
               personal="pseudonym"),
        Column("verdict", STRING, "What. distillation, resale, benign: what the accounts do. "
               "vetted: what they do is known and allowed, within `evidence`. appealed: a customer "
               "contests an action. overturned, upheld: what came of that. approved, rejected: a "
               "second person's word on a decision that needs one.", nullable=False,
               values=VERDICTS),
        _SUBJECT_KIND,
        Column("subject", STRING, "The campaign or the account.", nullable=False),
        Column("accounts", STRINGS, "The accounts that it holds for: members may join later.",
               nullable=False, personal="pseudonym"),
        Column("action", STRING, "The rung to take, null for none.", values=LADDER),
        Column("expires", DATE, "Last night on which it holds; null: the action as long as its "
               "rung, a finding until a later one."),
        Column("reason", STRING, "Why, in their words.", nullable=False),
        Column("night", DATE, "The night whose evidence they saw.", nullable=False),
        Column("evidence", STRINGS, "Families of evidence that they saw, or vetted.",
               nullable=False),
        Column("campaigns", STRINGS, "Campaigns that the accounts were in on that night.",
               nullable=False),
        Column("answers", STRING, "The decision that this one approves, rejects, overturns or "
               "upholds; null for none."),
        Column("needs_approval", BOOLEAN, "Whether it counts only once a second person has "
               "approved it.", nullable=False),
        Column("policy_version", STRING, "The policy in force.", nullable=False),
        Column("model_version", STRING, "The model whose scores they saw, null for none."),
    ),
)  # fmt: skip

CASES = Table(
    name="cases",
    about="What waits for a person's decision after a night: a campaign, or an account that is in "
    "none, with accounts that nobody has decided on.",
    owner=TRUST_AND_SAFETY,
    key=("date", "subject"),
    retention_days=730,
    columns=(
        DATE_COLUMN,
        _SUBJECT_KIND,
        Column("subject", STRING, "The campaign or the account.", nullable=False),
        Column("kind", STRING, "What the campaign is taken to be; null for an account."),
        Column("score", DOUBLE, "The campaign's score, or the account's.", nullable=False,
               **SCORE),
        Column("opened", DATE, "First of the nights on which it has waited since.",
               nullable=False),
        Column("state", STRING, "new: not there the night before; grown: more accounts than then; "
               "open: as before.", nullable=False, values=("new", "grown", "open")),
        Column("accounts", LONG, "Accounts to decide on.", unit="accounts", nullable=False,
               minimum=1),
        Column("requests_at_stake", LONG, "What these accounts sent on the night.",
               unit="requests", nullable=False, minimum=0),
        Column("proposed", STRING, "The hardest action that the policy proposes for any of them.",
               nullable=False, values=LADDER),
        Column("evidence", STRINGS, "Families of evidence against any of them.", nullable=False),
        Column("summary", STRING, "The campaign in one sentence, or the account's first reason.",
               nullable=False),
    ),
)  # fmt: skip

CASE_EVENTS = Table(
    name="case_events",
    about="Who works on which case: claims and releases, an event a row.",
    owner=TRUST_AND_SAFETY,
    key=("date", "event_id"),
    retention_days=730,
    append_only=True,
    columns=(
        Column("date", DATE, "Day on which it happened, UTC.", nullable=False),
        Column("event_id", STRING, "Its name, unique.", nullable=False),
        Column("at", TIMESTAMP, "When it happened.", unit="UTC", nullable=False),
        Column("by", STRING, "Who did it: the name with which they sign in.", nullable=False,
               personal="pseudonym"),
        Column("subject", STRING, "The case: its campaign or account.", nullable=False),
        Column("event", STRING, "claimed: they work on it; released: they don't any more; "
               "second_look: they ask for another pair of eyes.", nullable=False,
               values=("claimed", "released", "second_look")),
        Column("note", STRING, "What they want to tell others."),
    ),
)  # fmt: skip

POLICIES = Table(
    name="policies",
    about="The enforcement policy of each night, as its file had it: what an action's "
    "policy_version names.",
    owner=TRUST_AND_SAFETY,
    key=("date", "version"),
    retention_days=_DECISIONS_KEPT,
    columns=(
        DATE_COLUMN,
        Column("version", STRING, "The name in the file and its hash.", nullable=False),
        Column("text", STRING, "The file, word for word.", nullable=False),
    ),
)

ENFORCEMENT_MODE = Table(
    name="enforcement_mode",
    about="Whether actions are to be carried out, or only observed, a change a row. Without any, "
    "they are observed.",
    owner=TRUST_AND_SAFETY,
    key=("date", "changed_at"),
    retention_days=_DECISIONS_KEPT,
    append_only=True,
    columns=(
        Column("date", DATE, "First night on which it counts: the one after the last that was "
               "scored when it was changed.", nullable=False),
        Column("changed_at", TIMESTAMP, "When it was changed.", unit="UTC", nullable=False),
        Column("changed_by", STRING, "Who did it: the name with which they sign in.",
               nullable=False, personal="pseudonym"),
        Column("mode", STRING, "observe: actions are written and nothing follows; enforce: they "
               "go out to gateways and other systems.", nullable=False, values=MODES),
        Column("reason", STRING, "Why, in their words.", nullable=False),
    ),
)  # fmt: skip
