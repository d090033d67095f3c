"""What the API gateway drops into the landing zone, column by column, and what ingest does to it.

The contract is the gateway's and fixed. A value that breaks its declaration sends its record to
quarantine with the reason; `treatment` says what becomes of a value that personal data may hide in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jobs.catalog.types import BOOLEAN, DOUBLE, LONG, STRING, TIMESTAMP, ColumnType

#: Pseudonymous identifiers. No white space, quotes, `@` or `+`, so that an e-mail address or a
#: phone number can't pass for one.
IDENTIFIER = "^[A-Za-z0-9_][A-Za-z0-9._:=/#|~-]{0,199}$"
#: What an identifier or a name may not look like, written out in full: `..`, IPv4 and IPv6 with
#: or without port or prefix, digits in groups as telephone and card numbers have them, and 13 to
#: 16 digits as card issuers give them out. Other bare digits may be anybody's account numbers.
IDENTIFIER_REFUSED = (
    "[.][.]|^[0-9]{1,3}([.][0-9]{1,3}){3}([:/].*)?$|"
    "^[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}(:?[0-9]{1,3}([.][0-9]{1,3}){3})?(/[0-9]{1,3})?$|"
    "^[0-9]{1,4}([ .-][0-9]{2,6}){2,4}$|"
    "^(4[0-9]{12}([0-9]{3})?|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}|6[05][0-9]{14})$"
)
MODEL_NAME = "^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}(@[0-9A-Za-z-]{1,32})?$"
CAMPAIGN_NAME = "^[A-Za-z0-9_][A-Za-z0-9 ._:=/#|~()-]{0,199}$"
COUNTRY = "^[A-Za-z]{2}$"
JA4 = "^[A-Za-z0-9_]{1,64}$"

Treatment = Literal[
    "keep",  # the value as it is, once its declaration has been checked
    "identifier",  # a pseudonym: kept, refused when shaped like personal data
    "address",  # an address becomes two tokens: itself and its network
    "token",  # a keyed token
    "user_agent",  # the product's name in clear, the whole as a token
    "email_domain",  # in clear when many accounts share it, always as a token
    "shape",  # letters become a, digits 9
    "sketch",  # text: a sketch, see catalog.sketch
    "length",  # text: only how long it was
]


@dataclass(frozen=True)
class LandingColumn:
    name: str
    type: ColumnType
    about: str
    required: bool = False
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    treatment: Treatment = "keep"


@dataclass(frozen=True)
class Source:
    """One kind of landing file. `event_column` must fall between `oldest_days` before the landing
    date and the end of that date (`oldest_days` None: any time since 2000)."""

    name: str
    about: str
    key: tuple[str, ...]
    event_column: str
    oldest_days: int | None
    #: Days before the landing date in which the same key makes a record a duplicate;
    #: None: all of them; 0: only the day itself.
    duplicate_days: int | None
    columns: tuple[LandingColumn, ...]

    def column(self, name: str) -> LandingColumn:
        return next(column for column in self.columns if column.name == name)


#: A gateway's clock may run ahead of the lake's by this much at midnight.
CLOCK_SKEW_MINUTES = 5
#: A record longer than this is refused unread: the longest prompts of today's models have some
#: 4 MB, and one line must never decide how much memory a night needs.
MAX_RECORD_BYTES = 16 * 1024 * 1024

TOKENS_LIMIT = 100_000_000

REQUESTS = Source(
    name="requests",
    about="One API request.",
    key=("request_id",),
    event_column="timestamp",
    oldest_days=3,
    duplicate_days=3,
    columns=(
        LandingColumn("request_id", STRING, "Unique; the same id again is the same request.",
                      required=True, pattern=IDENTIFIER, treatment="identifier"),
        LandingColumn("timestamp", TIMESTAMP, "When the request arrived.", required=True),
        LandingColumn("account_id", STRING, "The billed account.", required=True,
                      pattern=IDENTIFIER, treatment="identifier"),
        LandingColumn("organization_id", STRING, "The account's organization.",
                      pattern=IDENTIFIER, treatment="identifier"),
        LandingColumn("api_key_id", STRING, "Which of the account's keys was used.",
                      pattern=IDENTIFIER, treatment="identifier"),
        LandingColumn("channel", STRING, "How the request reached the API.",
                      values=("first_party", "cloud", "partner", "web")),
        LandingColumn("operation", STRING, "What was asked for.",
                      values=("chat", "text_completion", "batch", "embeddings")),
        LandingColumn("request_model", STRING, "The model that was asked for.", required=True,
                      pattern=MODEL_NAME),
        LandingColumn("client_address", STRING, "IPv4 or IPv6 in clear, or a gateway's token.",
                      treatment="address"),
        LandingColumn("client_asn", LONG, "Autonomous system number.", minimum=0,
                      maximum=4_294_967_295),
        LandingColumn("client_country", STRING, "ISO 3166-1 alpha-2.", pattern=COUNTRY),
        LandingColumn("user_agent", STRING, "As the client sent it.", treatment="user_agent"),
        LandingColumn("tls_ja4", STRING, "TLS client fingerprint.", treatment="token"),
        LandingColumn("input_tokens", LONG, "Tokens read.", required=True, unit="tokens",
                      minimum=0, maximum=TOKENS_LIMIT),
        LandingColumn("output_tokens", LONG, "Tokens written.", required=True, unit="tokens",
                      minimum=0, maximum=TOKENS_LIMIT),
        LandingColumn("max_tokens", LONG, "The request's own limit on output.", unit="tokens",
                      minimum=0, maximum=TOKENS_LIMIT),
        LandingColumn("temperature", DOUBLE, "Sampling temperature.", minimum=0, maximum=10),
        LandingColumn("top_p", DOUBLE, "Nucleus sampling.", minimum=0, maximum=1),
        LandingColumn("choice_count", LONG, "Completions asked for.", minimum=0, maximum=10_000),
        LandingColumn("logprobs", BOOLEAN, "Whether log probabilities were asked for."),
        LandingColumn("stream", BOOLEAN, "Whether the answer was streamed."),
        LandingColumn("tool_count", LONG, "Tools offered.", minimum=0, maximum=100_000),
        LandingColumn("tool_result_count", LONG, "Tool results sent back.", minimum=0,
                      maximum=100_000),
        LandingColumn("conversation_id", STRING, "The conversation the request belongs to.",
                      pattern=IDENTIFIER, treatment="identifier"),
        LandingColumn("turn_index", LONG, "0 for a conversation's first user message.", minimum=0,
                      maximum=1_000_000),
        LandingColumn("system_prompt_hash", STRING, "The gateway's hash of the system prompt.",
                      pattern=IDENTIFIER, treatment="identifier"),
        LandingColumn("status_code", LONG, "HTTP status.", required=True, minimum=100,
                      maximum=599),
        LandingColumn("finish_reason", STRING, "Why the answer ended.",
                      values=("stop", "length", "tool_calls", "content_filter")),
        LandingColumn("latency_ms", LONG, "Time to answer.", unit="milliseconds", minimum=0,
                      maximum=86_400_000),
        LandingColumn("prompt_text", STRING, "The last user message.", treatment="sketch"),
        LandingColumn("response_text", STRING, "The answer.", treatment="length"),
    ),
)  # fmt: skip

ACCOUNTS = Source(
    name="accounts",
    about="One account on one day: a full snapshot.",
    key=("account_id",),
    event_column="created_at",
    oldest_days=None,
    duplicate_days=0,
    columns=(
        LandingColumn("account_id", STRING, "The billed account.", required=True,
                      pattern=IDENTIFIER, treatment="identifier"),
        LandingColumn("organization_id", STRING, "The account's organization.",
                      pattern=IDENTIFIER, treatment="identifier"),
        LandingColumn("created_at", TIMESTAMP, "When the account was opened.", required=True),
        LandingColumn("plan", STRING, "What the account pays by.",
                      values=("free", "credits", "pay_as_you_go", "enterprise")),
        LandingColumn("status", STRING, "Whether the account may send requests.",
                      values=("active", "suspended", "closed")),
        LandingColumn("kyc_level", LONG, "0 none, 1 e-mail, 2 phone, 3 document or contract.",
                      minimum=0, maximum=3),
        LandingColumn("verified_organization", BOOLEAN, "Whether a person checked the firm."),
        LandingColumn("email_domain", STRING, "Domain of the e-mail address.",
                      treatment="email_domain"),
        LandingColumn("email_local_shape", STRING, "Shape of the local part (`aaaa99`).",
                      treatment="shape"),
        LandingColumn("phone_token", STRING, "Token of the phone number.", treatment="token"),
        LandingColumn("payment_fingerprint", STRING, "Token of the payment instrument.",
                      treatment="token"),
        LandingColumn("payment_type", STRING, "Kind of payment instrument.",
                      values=("none", "card", "prepaid", "invoice", "crypto")),
        LandingColumn("signup_address", STRING, "Address at sign-up.", treatment="address"),
        LandingColumn("signup_asn", LONG, "Autonomous system number at sign-up.", minimum=0,
                      maximum=4_294_967_295),
        LandingColumn("signup_country", STRING, "ISO 3166-1 alpha-2.", pattern=COUNTRY),
        LandingColumn("declared_use", STRING, "What the account said it is for.",
                      treatment="length"),
    ),
)  # fmt: skip

LABELS = Source(
    name="labels",
    about="What people found out about an account.",
    key=("account_id", "label", "labelled_at", "source"),
    event_column="labelled_at",
    oldest_days=None,
    duplicate_days=None,
    columns=(
        LandingColumn("account_id", STRING, "The account.", required=True, pattern=IDENTIFIER,
                      treatment="identifier"),
        LandingColumn("label", STRING, "What the account was found to do.", required=True,
                      values=("distillation", "resale", "benign")),
        LandingColumn("labelled_at", TIMESTAMP, "When it was found.", required=True),
        LandingColumn("source", STRING, "Who found it.", required=True,
                      values=("analyst", "confirmed_ban", "appeal_upheld", "partner_intelligence",
                              "simulation")),
        LandingColumn("campaign", STRING, "A name for the operation, where known.",
                      pattern=CAMPAIGN_NAME, treatment="identifier"),
        LandingColumn("confidence", DOUBLE, "How sure they are.", minimum=0, maximum=1),
    ),
)  # fmt: skip

SOURCES: dict[str, Source] = {source.name: source for source in (REQUESTS, ACCOUNTS, LABELS)}
#: A night without one of these can't be told from a broken gateway; labels come when they come.
REQUIRED_SOURCES = ("requests", "accounts")
