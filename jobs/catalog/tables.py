"""Every table of the lake: columns, key, owner, retention, checks.

`promised` columns are those that others read (the contract); the rest may change with a release.
"""

from __future__ import annotations

from jobs.catalog import checks
from jobs.catalog.campaign_tables import (
    ACCOUNT_LINKS,
    CAMPAIGN_EVENTS,
    CAMPAIGN_MEMBERS,
    CAMPAIGNS,
    CORPORA,
)
from jobs.catalog.columns import (
    ACCOUNT,
    DATA_ENGINEERING,
    DATE_COLUMN,
    KEY_ID,
    MACHINE_LEARNING,
    SCORE,
    TRUST_AND_SAFETY,
)
from jobs.catalog.delivery_tables import DELIVERIES
from jobs.catalog.desk_tables import (
    CASE_EVENTS,
    CASES,
    DECISIONS,
    ENFORCEMENT_MODE,
    POLICIES,
)
from jobs.catalog.drift import DRIFT
from jobs.catalog.enforcement_tables import ENFORCEMENT_ACTIONS, THRESHOLDS
from jobs.catalog.features import FEATURES
from jobs.catalog.landing import ACCOUNTS, LABELS, REQUESTS, LandingColumn
from jobs.catalog.limit_tables import CAMPAIGN_BUDGETS, PLAN_USAGE, RATE_LIMITS
from jobs.catalog.measures import INDICATORS, MEASURES, TEMPLATE
from jobs.catalog.review_tables import BLIND_REVIEWS
from jobs.catalog.shadow_tables import SHADOW_ACTIONS, SHADOW_NIGHTS, SHADOW_SCORES
from jobs.catalog.sketch import SCRIPT_NAMES
from jobs.catalog.types import (
    BOOLEAN,
    DOUBLE,
    INT,
    LONG,
    LONGS,
    STRING,
    STRINGS,
    TIMESTAMP,
    Column,
    PersonalData,
    Table,
)


def _kept(column: LandingColumn, about: str | None = None) -> Column:
    """A landing column that goes into a table as it is."""
    personal: PersonalData = "pseudonym" if column.treatment == "identifier" else "none"
    return Column(column.name, column.type, about or column.about, unit=column.unit,
                  nullable=not column.required, minimum=column.minimum, maximum=column.maximum,
                  values=column.values, source=f"landing column {column.name}", personal=personal)


def _token(name: str, of: str, source: str) -> Column:
    return Column(name, STRING, f"Keyed token (HMAC-SHA256) of {of}.",
                  source=f"landing column {source}", personal="token")


_R = REQUESTS.column
_A = ACCOUNTS.column
_L = LABELS.column

REQUESTS_TABLE = Table(
    name="requests",
    about="One row for each request kept on the night it landed, free of personal data in clear.",
    owner=DATA_ENGINEERING,
    key=("date", "request_id"),
    retention_days=60,
    columns=(
        DATE_COLUMN,
        _kept(_R("request_id")),
        Column("event_time", TIMESTAMP, "When the request arrived.", unit="UTC", nullable=False,
               source="landing column timestamp"),
        _kept(_R("account_id")),
        *(_kept(_R(name)) for name in (
            "organization_id", "api_key_id", "channel", "operation", "request_model")),
        _token("address_token", "the client address", "client_address"),
        _token("network_token", "the client's /24 or /64 network", "client_address"),
        _kept(_R("client_asn")),
        _kept(_R("client_country")),
        Column("client", STRING, "Product name and version at the front of the user agent.",
               source="landing column user_agent"),
        _token("user_agent_token", "the user agent", "user_agent"),
        _token("tls_token", "the TLS client fingerprint", "tls_ja4"),
        *(_kept(_R(name)) for name in (
            "input_tokens", "output_tokens", "max_tokens", "temperature", "top_p",
            "choice_count", "logprobs", "stream", "tool_count", "tool_result_count",
            "conversation_id", "turn_index", "system_prompt_hash", "status_code",
            "finish_reason", "latency_ms")),
        Column("prompt_chars", LONG, "Length of the prompt.", unit="characters", minimum=0,
               source="landing column prompt_text"),
        Column("prompt_script", STRING, "Script of the prompt.", values=SCRIPT_NAMES,
               source="landing column prompt_text"),
        Column("prompt_markers", INT, "What the prompt asks for, a bit for each marker of "
               "catalog.sketch.", minimum=0, source="landing column prompt_text"),
        Column("prompt_key", STRING, "Keyed hash of the prompt's front, numbers masked.",
               source="landing column prompt_text", personal="token"),
        Column("template_key", STRING, "Keyed hash of the prompt's first words, numbers masked.",
               source="landing column prompt_text", personal="token"),
        Column("template_end_key", STRING, "Keyed hash of the front's last words, numbers "
               "masked.", source="landing column prompt_text", personal="token"),
        Column("prompt_signature", LONGS, "Bottom-k sketch of the prompt's word shingles, "
               "smallest first.", source="landing column prompt_text", personal="token"),
        Column("prompt_words", LONG, "Buckets of the prompt's words by a keyed hash, a bit each.",
               minimum=0, source="landing column prompt_text", personal="token"),
        Column("response_chars", LONG, "Length of the answer.", unit="characters", minimum=0,
               source="landing column response_text"),
        KEY_ID,
    ),
    checks=checks.REQUESTS_CHECKS,
)  # fmt: skip

REQUEST_TEXT = Table(
    name="request_text",
    about="Text of prompts and answers, only where the setting keep_text says so, for days.",
    owner=DATA_ENGINEERING,
    key=("date", "request_id"),
    retention_days=7,
    columns=(
        DATE_COLUMN,
        _kept(_R("request_id")),
        Column("prompt_text", STRING, "The last user message.", personal="clear"),
        Column("response_text", STRING, "The answer.", personal="clear"),
    ),
)

ACCOUNTS_TABLE = Table(
    name="accounts",
    about="One row for each account on each day, free of personal data in clear.",
    owner=DATA_ENGINEERING,
    key=("date", "account_id"),
    retention_days=400,
    columns=(
        DATE_COLUMN,
        _kept(_A("account_id")),
        _kept(_A("organization_id")),
        _kept(_A("created_at")),
        *(_kept(_A(name)) for name in ("plan", "status", "kyc_level", "verified_organization")),
        Column("email_domain", STRING, "Domain of the e-mail address where at least "
               "10 accounts of the day use it.", source="landing column email_domain"),
        _token("email_domain_token", "the e-mail domain", "email_domain"),
        Column("email_local_shape", STRING, "Shape of the local part, letters a, digits 9.",
               source="landing column email_local_shape"),
        _token("phone_token", "the phone number's token", "phone_token"),
        _token("payment_token", "the payment instrument's token", "payment_fingerprint"),
        _kept(_A("payment_type")),
        _token("signup_address_token", "the address at sign-up", "signup_address"),
        _token("signup_network_token", "the /24 or /64 network at sign-up", "signup_address"),
        _kept(_A("signup_asn")),
        _kept(_A("signup_country")),
        Column("declared_use_chars", LONG, "Length of the declared use.", unit="characters",
               minimum=0, source="landing column declared_use"),
        KEY_ID,
    ),
    checks=checks.ACCOUNTS_CHECKS,
)  # fmt: skip

LABELS_TABLE = Table(
    name="labels",
    about="What people found out about accounts, in the night in which it arrived.",
    owner=TRUST_AND_SAFETY,
    key=("date", "account_id", "label", "labelled_at", "source"),
    retention_days=3650,
    columns=(DATE_COLUMN, *(_kept(column) for column in LABELS.columns)),
    checks=checks.LABELS_CHECKS,
)

QUARANTINE = Table(
    name="quarantine",
    about="Every record that was refused, with the reason.",
    owner=DATA_ENGINEERING,
    key=("date", "source", "file", "line"),
    retention_days=90,
    columns=(
        DATE_COLUMN,
        Column("source", STRING, "Kind of landing file.", nullable=False, promised=True,
               values=("requests", "accounts", "labels")),
        Column("file", STRING, "File, relative to the landing zone.", nullable=False,
               promised=True),
        Column("line", LONG, "Line, or row number in Parquet, from 1; 0 for a whole file.",
               nullable=False, minimum=0, promised=True),
        Column("reason", STRING, "What is wrong.", nullable=False, promised=True),
        Column("record", STRING, "The record, personal data masked.", promised=True),
    ),
)

LANDING_FILES = Table(
    name="landing_files",
    about="What each landing file brought: landed = kept + quarantined + duplicates.",
    owner=DATA_ENGINEERING,
    key=("date", "source", "file"),
    retention_days=400,
    columns=(
        DATE_COLUMN,
        Column("source", STRING, "Kind of landing file.", nullable=False),
        Column("file", STRING, "File, relative to the landing zone.", nullable=False),
        Column("format", STRING, "How the file is written.", nullable=False,
               values=("parquet", "jsonl", "jsonl.gz")),
        Column("bytes", LONG, "Size of the file.", unit="bytes", nullable=False, minimum=0),
        Column("landed", LONG, "Records in the file.", unit="records", nullable=False, minimum=0),
        Column("kept", LONG, "Records that went into the table.", unit="records",
               nullable=False, minimum=0),
        Column("quarantined", LONG, "Records refused.", unit="records", nullable=False,
               minimum=0),
        Column("duplicates", LONG, "Records that repeat a kept one.", unit="records",
               nullable=False, minimum=0),
    ),
    checks=checks.LANDING_FILES_CHECKS,
)  # fmt: skip

SOURCE_COLUMNS = Table(
    name="source_columns",
    about="How much of each landing column was there: what evidence a night can have.",
    owner=DATA_ENGINEERING,
    key=("date", "source", "column_name"),
    retention_days=400,
    columns=(
        DATE_COLUMN,
        Column("source", STRING, "Kind of landing file.", nullable=False),
        Column("column_name", STRING, "Landing column; for unknown ones a masked shape.",
               nullable=False),
        Column("declared", BOOLEAN, "Whether the contract knows the column.", nullable=False),
        Column("records", LONG, "Records kept.", unit="records", nullable=False, minimum=0),
        Column("present", LONG, "Records with a value (unknown columns: with the column).",
               unit="records", nullable=False, minimum=0),
        Column("available", BOOLEAN, "Whether evidence that needs the column can be had.",
               nullable=False),
    ),
)

ACCOUNT_DAILY = Table(
    name="account_daily",
    about="What each account did on one landing date, as measures that merge into windows.",
    owner=DATA_ENGINEERING,
    key=("date", "account_id"),
    retention_days=120,
    columns=(
        DATE_COLUMN,
        ACCOUNT,
        *(
            Column(m.name, m.type, m.about, unit=m.unit, nullable=False,
                   minimum=0 if m.type in (LONG, DOUBLE) else None, source=m.sql)
            for m in MEASURES
        ),
    ),
    checks=checks.ACCOUNT_DAILY_CHECKS,
)  # fmt: skip

ACCOUNT_INDICATORS = Table(
    name="account_indicators",
    about="Which address, network, client, settings … each account used on one landing date.",
    owner=DATA_ENGINEERING,
    key=("date", "account_id", "kind", "token"),
    retention_days=120,
    columns=(
        DATE_COLUMN,
        ACCOUNT,
        Column("kind", STRING, "Kind of indicator.", nullable=False,
               values=tuple(i.kind for i in INDICATORS if i.origin == "requests")),
        Column("token", STRING, "The thing itself, as a token.", nullable=False,
               personal="token"),
        Column("requests", LONG, "Requests with it.", unit="requests", nullable=False,
               minimum=1),
        Column("first_event", TIMESTAMP, "First request with it.", unit="UTC", nullable=False),
        Column("last_event", TIMESTAMP, "Last request with it.", unit="UTC", nullable=False),
    ),
)

ACCOUNT_TEMPLATES = Table(
    name="account_templates",
    about="Which prompt templates each account used on one landing date.",
    owner=DATA_ENGINEERING,
    key=("date", "account_id", "template_key"),
    retention_days=120,
    columns=(
        DATE_COLUMN,
        ACCOUNT,
        Column("template_key", STRING, "Keyed hash of the template.", nullable=False,
               personal="token"),
        Column("requests", LONG, "Requests with it.", unit="requests", nullable=False,
               minimum=1),
        Column("prompts", LONG, "Distinct prompts of it.", unit="prompts", nullable=False,
               minimum=1),
        Column("output_tokens", LONG, "Tokens written for it.", unit="tokens", nullable=False,
               minimum=0),
        Column("markers", INT, "What its prompts ask for, bits of catalog.sketch.",
               nullable=False, minimum=0),
        Column("first_event", TIMESTAMP, "First request with it.", unit="UTC", nullable=False),
        Column("last_event", TIMESTAMP, "Last request with it.", unit="UTC", nullable=False),
    ),
)

ACCOUNT_TOKENS = Table(
    name="account_tokens",
    about="What each account used on one landing date, in numbers: the rows of account_indicators "
    "and account_templates as windows read them back, in order of kind and token.",
    owner=DATA_ENGINEERING,
    key=("date", "kind", "token", "account"),
    retention_days=120,
    columns=(
        DATE_COLUMN,
        Column("kind", STRING, "Kind of indicator, or a template.", nullable=False,
               values=(*(i.kind for i in INDICATORS if i.origin == "requests"), TEMPLATE)),
        Column("token", LONG, "64-bit hash of the token or the template's key.", nullable=False,
               personal="token"),
        Column("account", LONG, "64-bit hash of the account id.", nullable=False,
               personal="pseudonym"),
        Column("requests", LONG, "Requests with it.", unit="requests", nullable=False, minimum=1),
        Column("prompts", LONG, "Distinct prompts of a template; 0 of other kinds.",
               unit="prompts", nullable=False, minimum=0),
    ),
    # A reader leaves out what it does not need by row groups, and an engine makes them as large as
    # a file: some 200,000 rows, in Sail's words and in Spark's.
    write_options=(("target_file_size", "3000000"), ("maxRecordsPerFile", "200000")),
)

ACCOUNT_FEATURES = Table(
    name="account_features",
    about="What the classifier reads: one row for each account with traffic in 45 days.",
    owner=MACHINE_LEARNING,
    key=("date", "account_id"),
    retention_days=400,
    columns=(
        DATE_COLUMN,
        ACCOUNT,
        Column("plan", STRING, "What the account pays by (for reports by segment)."),
        Column("country", STRING, "Country at sign-up (for reports by segment)."),
        Column("active", BOOLEAN, "Whether it sent requests on this landing date.",
               nullable=False),
        *(Column(f.name, DOUBLE, f.about, unit=f.unit, source=f.sql) for f in FEATURES),
    ),
    checks=checks.ACCOUNT_FEATURES_CHECKS,
)

ACCOUNT_SCORES = Table(
    name="account_scores",
    about="One row for each account with traffic in the scored window (7 days), one night.",
    owner=TRUST_AND_SAFETY,
    key=("date", "account_id"),
    retention_days=400,
    columns=(
        DATE_COLUMN,
        ACCOUNT,
        Column("distillation_score", DOUBLE, "Calibrated probability that the account distils.",
               nullable=False, promised=True, **SCORE),
        Column("resale_score", DOUBLE, "Calibrated probability that the account resells.",
               nullable=False, promised=True, **SCORE),
        Column("campaign_id", STRING, "Its campaign, null outside any.", promised=True),
        Column("reasons", STRINGS, "Plain sentences with figures, strongest first.",
               nullable=False, promised=True),
        Column("model_version", STRING, "The registered model that scored it.", nullable=False,
               promised=True),
        Column("evidence", STRINGS, "Families of evidence that speak for the score.",
               nullable=False),
        Column("unavailable", STRINGS, "Families of evidence that the night can't have.",
               nullable=False),
    ),
    checks=checks.ACCOUNT_SCORES_CHECKS,
)  # fmt: skip

CHECK_RESULTS = Table(
    name="check_results",
    about="What each expectation found on one night.",
    owner=DATA_ENGINEERING,
    key=("date", "step", "table_name", "expectation"),
    retention_days=400,
    columns=(
        DATE_COLUMN,
        Column("step", STRING, "Step that checked.", nullable=False),
        Column("table_name", STRING, "Table that was checked.", nullable=False),
        Column("expectation", STRING, "What was expected.", nullable=False),
        Column("severity", STRING, "Whether a failure stops the night.", nullable=False,
               values=("stop", "warn")),
        Column("passed", BOOLEAN, "Whether it held.", nullable=False),
        Column("rows", LONG, "Rows that were checked.", unit="rows", nullable=False, minimum=0),
        Column("unexpected", LONG, "Rows on which it did not hold.", unit="rows",
               nullable=False, minimum=0),
        Column("example", STRING, "Key of one such row, or what was observed."),
    ),
)

MODEL_DECISIONS = Table(
    name="model_decisions",
    about="Which model scores from which night on, and why: trainings, promotions, rollbacks.",
    owner=MACHINE_LEARNING,
    key=("date", "sequence"),
    retention_days=3650,
    append_only=True,
    columns=(
        DATE_COLUMN,
        Column("sequence", LONG, "Order of decisions over all nights.", nullable=False,
               minimum=1),
        Column("decision", STRING, "What was decided.", nullable=False,
               values=("adopt_prior", "promote", "keep", "skip", "rollback", "promote_by_hand")),
        Column("champion_version", STRING, "The model that scores from this night on."),
        Column("challenger_version", STRING, "The model that was tried."),
        Column("fingerprint", STRING, "SHA-256 of the training set."),
        Column("run_id", STRING, "The MLflow run."),
        Column("reason", STRING, "Why, in one sentence.", nullable=False),
        Column("figures", STRING, "Metrics behind it, JSON.", nullable=False),
    ),
)

RUN_LOG = Table(
    name="run_log",
    about="Every step of every night: when, how long, how many rows, which versions.",
    owner=DATA_ENGINEERING,
    key=("date", "run_id", "step"),
    retention_days=400,
    append_only=True,
    columns=(
        DATE_COLUMN,
        Column("run_id", STRING, "The run the step belongs to.", nullable=False),
        Column("step", STRING, "The step.", nullable=False),
        Column("engine", STRING, "What ran it.", nullable=False, values=("sail", "spark")),
        Column("started_at", TIMESTAMP, "When it started.", unit="UTC", nullable=False),
        Column("seconds", DOUBLE, "How long it took.", unit="seconds", nullable=False,
               minimum=0),
        Column("outcome", STRING, "How it ended.", nullable=False,
               values=("done", "failed", "skipped")),
        Column("message", STRING, "What there is to know about it."),
        Column("rows_written", STRING, "Rows written to each table, JSON.", nullable=False),
        Column("versions_read", STRING, "Delta version of each table read, JSON.",
               nullable=False),
        Column("versions_written", STRING, "Delta version of each table written, JSON.",
               nullable=False),
    ),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        REQUESTS_TABLE, REQUEST_TEXT, ACCOUNTS_TABLE, LABELS_TABLE, QUARANTINE, LANDING_FILES,
        SOURCE_COLUMNS, ACCOUNT_DAILY, ACCOUNT_INDICATORS, ACCOUNT_TEMPLATES,
        ACCOUNT_TOKENS, ACCOUNT_LINKS,
        CAMPAIGNS, CAMPAIGN_MEMBERS, CAMPAIGN_EVENTS, CORPORA,
        ACCOUNT_FEATURES, ACCOUNT_SCORES,
        DRIFT,
        THRESHOLDS, ENFORCEMENT_ACTIONS, CASES, DECISIONS, CASE_EVENTS, POLICIES, ENFORCEMENT_MODE,
        DELIVERIES,
        BLIND_REVIEWS,
        SHADOW_NIGHTS, SHADOW_SCORES, SHADOW_ACTIONS,
        THRESHOLDS, ENFORCEMENT_ACTIONS, RATE_LIMITS, CAMPAIGN_BUDGETS, PLAN_USAGE,
        CASES, DECISIONS, CASE_EVENTS, POLICIES, ENFORCEMENT_MODE,
        CHECK_RESULTS, MODEL_DECISIONS, RUN_LOG,
    )
}  # fmt: skip
