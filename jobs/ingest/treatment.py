"""What becomes of each landing column: tokens, shapes, a sketch, or the value as it is."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.catalog.landing import LandingColumn, Source
from jobs.ingest import privacy, sketching
from jobs.platform.keys import TokenKey
from jobs.platform.settings import Settings

#: An e-mail domain is written in clear only where this many accounts of a day use it: fewer may
#: be one person's own.
COMMON_DOMAIN_ACCOUNTS = 10
#: A name that the domain name system could hold; its last part has a letter, as no address has.
_DOMAIN = "^[a-z0-9-]{1,63}([.][a-z0-9-]{1,63}){0,3}[.][a-z][a-z0-9-]{1,62}$"
#: Unknown columns are named where the name is a plain word; another is shown by its shape.
_PLAIN_NAME = "^[a-z][a-z_]{0,39}$"
_SHOWN_NAME_CHARS = 40


def treated(
    frame: DataFrame,
    source: Source,
    key: TokenKey,
    domains: list[str],
    settings: Settings,
) -> DataFrame:
    """Personal data into tokens and text into a sketch; a refused record keeps only its mask.

    Adds `key_hash`, the hash of the source's key, and leaves out what no table holds.
    """
    valid = F.col("problem").isNull()
    addresses = [c.name for c in source.columns if c.treatment == "address"]
    if addresses:
        # A projection of its own: three tokens are made of it, and written into each of them it
        # would double what an engine has to plan.
        frame = frame.withColumns(
            {name: F.when(valid, privacy.canonical_address(F.col(name))) for name in addresses}
        )
    named: list[tuple[str, Column]] = [
        (name, F.col(name)) for name in ("file_no", "line", "problem", "masked")
    ]
    named.append(("unknown", F.transform("unknown", _shown)))
    named.append(("key_hash", key_hash(source)))
    for column in source.columns:
        named += _treatment(column, F.when(valid, F.col(column.name)), key, domains, source)
    records = frame.select(*(value.alias(name) for name, value in named))
    if source.name != "requests":
        return records
    texts = ("prompt_text", "response_text")
    kept = [name for name, _ in named if settings.keep_text or name not in texts]
    return sketching.with_sketch(records, kept, key.sketch_seed)


def key_hash(source: Source) -> Column:
    """One number for a record's key: equal keys have equal ones, unequal keys rarely."""
    return F.xxhash64(*(F.col(name).cast("string") for name in source.key))


def _treatment(
    column: LandingColumn, value: Column, key: TokenKey, domains: list[str], source: Source
) -> list[tuple[str, Column]]:
    name = column.name
    match column.treatment:
        case "address":
            stem = "signup_" if name.startswith("signup") else ""
            address = F.col(name)
            return [
                (f"{stem}address_token", privacy.token(key, "address", address)),
                (f"{stem}network_token", privacy.token(key, "network", privacy.network(address))),
            ]
        case "token":
            stem = {"tls_ja4": "tls", "payment_fingerprint": "payment"}.get(
                name, name.removesuffix("_token")
            )
            return [(f"{stem}_token", privacy.token(key, stem, value))]
        case "user_agent":
            return [
                ("client", privacy.product(value)),
                ("user_agent_token", privacy.token(key, "user_agent", value)),
            ]
        case "email_domain":
            domain = F.lower(value)
            return [
                (name, F.when(domain.isin(domains), domain)),
                ("email_domain_token", privacy.token(key, "email_domain", domain)),
            ]
        case "shape":
            return [(name, F.substring(privacy.shape(value), 1, 64))]
        case "length":
            # A response's length is part of the sketch; what an account declared is not text to
            # look into.
            if source.name == "requests":
                return [(name, value)]
            length = F.coalesce(F.length(value), F.lit(0)).cast("long")
            none = F.lower(value) == "none"
            return [(f"{name}_chars", F.when(none, F.lit(0)).otherwise(length))]
        case _:
            renamed = "event_time" if source.name == "requests" and name == "timestamp" else name
            if name.endswith("_country"):
                value = F.upper(value)
            return [(renamed, value)]


def holder(column: LandingColumn) -> Column:
    """The treated column that has a value where the landing column had one."""
    names = {
        "timestamp": "event_time", "client_address": "address_token",
        "user_agent": "user_agent_token", "tls_ja4": "tls_token", "prompt_text": "prompt_chars",
        "response_text": "response_chars", "email_domain": "email_domain_token",
        "payment_fingerprint": "payment_token", "signup_address": "signup_address_token",
    }  # fmt: skip
    if column.name == "declared_use":
        return F.nullif(F.col("declared_use_chars"), F.lit(0))
    return F.col(names.get(column.name, column.name))


def common_domains(accounts: DataFrame) -> list[str]:
    """E-mail domains that many accounts of the day use, of account_id and email_domain as text.

    An account that landed three times is one account: counting records would show the domain of
    a person.
    """
    found = (
        accounts.select("account_id", F.lower("email_domain").alias("domain"))
        .where(F.col("domain").rlike(_DOMAIN))
        .groupBy("domain")
        .agg(F.count_distinct("account_id").alias("accounts"))
        .where(F.col("accounts") >= COMMON_DOMAIN_ACCOUNTS)
        .orderBy("domain")
        .toArrow()
    )
    return [str(domain) for domain in found["domain"].to_pylist()]


def _shown(name: Column) -> Column:
    """The name of an unknown column, which may be personal data as any value may."""
    shape = F.substring(privacy.shape(name), 1, _SHOWN_NAME_CHARS)
    return F.when(name.rlike(_PLAIN_NAME), name).otherwise(shape)


def shown_name(name: str) -> str:
    """The same for a name in this process."""
    import re

    if re.fullmatch(_PLAIN_NAME.strip("^$"), name):
        return name
    return privacy.shape_of(name)[:_SHOWN_NAME_CHARS]
