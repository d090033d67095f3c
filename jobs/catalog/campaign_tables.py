"""Tables of coordinated accounts: links, groups, members, what happens to groups, and corpora that
what they ask is compared with."""

from __future__ import annotations

from jobs.catalog import checks
from jobs.catalog.columns import ACCOUNT, DATE_COLUMN, KEY_ID, SCORE, TRUST_AND_SAFETY
from jobs.catalog.events import EVENTS
from jobs.catalog.figures import FIGURES
from jobs.catalog.sketch import WORD_BUCKETS
from jobs.catalog.types import DATE, DOUBLE, LONG, LONGS, STRING, STRINGS, Column, Table

ACCOUNT_LINKS = Table(
    name="account_links",
    about="Pairs of accounts bound by rare shared evidence of more than one kind.",
    owner=TRUST_AND_SAFETY,
    key=("date", "account_a", "account_b"),
    retention_days=60,
    columns=(
        DATE_COLUMN,
        Column(
            "account_a",
            STRING,
            "The account whose id sorts first.",
            nullable=False,
            personal="pseudonym",
        ),
        Column("account_b", STRING, "The other account.", nullable=False, personal="pseudonym"),
        Column(
            "weight",
            DOUBLE,
            "Surprise of what the two share.",
            unit="nats",
            nullable=False,
            minimum=0,
        ),
        Column(
            "kinds",
            STRINGS,
            "Kinds of indicator they share, in order of the alphabet.",
            nullable=False,
        ),
        Column("families", STRINGS, "Families of evidence of these kinds.", nullable=False),
    ),
)

CAMPAIGNS = Table(
    name="campaigns",
    about="One coordinated group of accounts on one night.",
    owner=TRUST_AND_SAFETY,
    key=("date", "campaign_id"),
    retention_days=730,
    columns=(
        DATE_COLUMN,
        Column("campaign_id", STRING, "Its name, the same every night it lives on.",
               nullable=False, promised=True),
        Column("kind", STRING, "What the group is taken to be.", nullable=False, promised=True,
               values=("distillation", "resale", "benign_group", "unknown")),
        Column("first_seen", DATE, "First night of the group.", nullable=False, promised=True),
        Column("accounts", LONG, "Members.", unit="accounts", nullable=False, minimum=2,
               promised=True),
        Column("requests", LONG, "Members' requests on the night's landing date.",
               unit="requests", nullable=False, minimum=0, promised=True),
        Column("output_tokens", LONG, "Tokens written for members on that date.",
               unit="tokens", nullable=False, minimum=0, promised=True),
        Column("score", DOUBLE, "How sure it is that the group distils.", nullable=False,
               promised=True, **SCORE),
        Column("summary", STRING, "The group in one sentence.", nullable=False, promised=True),
        Column("evidence", STRINGS, "Families of evidence that bind it.", nullable=False),
        Column("reasons", STRINGS, "What binds it, strongest first.", nullable=False),
        Column("resale_score", DOUBLE, "How sure it is that the group resells.", nullable=False,
               **SCORE),
        *(Column(f.name, DOUBLE, f.about, unit=f.unit) for f in FIGURES),
    ),
    checks=checks.CAMPAIGNS_CHECKS,
)  # fmt: skip

CAMPAIGN_MEMBERS = Table(
    name="campaign_members",
    about="Who belongs to which campaign on one night.",
    owner=TRUST_AND_SAFETY,
    key=("date", "account_id"),
    retention_days=730,
    columns=(
        DATE_COLUMN,
        Column("campaign_id", STRING, "The campaign.", nullable=False, promised=True),
        ACCOUNT,
        Column("joined", DATE, "First night in this campaign.", nullable=False, promised=True),
        Column("strength", DOUBLE, "How firmly it belongs.", nullable=False, promised=True,
               **SCORE),
    ),
    checks=checks.CAMPAIGN_MEMBERS_CHECKS,
)  # fmt: skip

CAMPAIGN_EVENTS = Table(
    name="campaign_events",
    about="What happened to campaigns since the last night that had any, an event a row; a night "
    "on which nothing did has none.",
    owner=TRUST_AND_SAFETY,
    # A name begins or ends once a night, and with one other campaign: that which it shares most
    # accounts with.
    key=("date", "campaign_id", "event"),
    retention_days=730,
    columns=(
        DATE_COLUMN,
        Column("campaign_id", STRING, "The campaign that it happened to.", nullable=False),
        Column("event", STRING, "What happened. "
               + " ".join(f"{event.name}: {event.about}." for event in EVENTS),
               nullable=False, values=tuple(event.name for event in EVENTS)),
        Column("other_campaign_id", STRING, "The campaign that it merged into or split from, null "
               "for other events."),
        Column("accounts", LONG, "Accounts that the event is about. "
               + " ".join(f"{event.name}: {event.accounts}." for event in EVENTS),
               unit="accounts", nullable=False, minimum=1),
    ),
    checks=checks.CAMPAIGN_EVENTS_CHECKS,
)  # fmt: skip

#: Published sets that models are taught with; what people ask by themselves.
CORPUS_KINDS = ("teaching", "ordinary")

CORPORA = Table(
    name="corpora",
    about="Public prompts that groups are compared with, a corpus a row, as counts; filled by "
    "`stillwatch corpus add`.",
    owner=TRUST_AND_SAFETY,
    key=("date", "name"),
    retention_days=3650,
    columns=(
        Column("date", DATE, "Day on which it was added: it counts from this night on, until "
               "the same name is added again.", nullable=False),
        Column("name", STRING, "What people call it.", nullable=False),
        Column("kind", STRING, "Whether models are taught with it, or people ask it.",
               nullable=False, values=CORPUS_KINDS),
        Column("prompts", LONG, "Prompts with text.", unit="prompts", nullable=False, minimum=2),
        Column("words", LONGS, f"Prompts with a word of each of {WORD_BUCKETS} buckets.",
               nullable=False),
        KEY_ID,
    ),
)  # fmt: skip
