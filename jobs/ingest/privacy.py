"""Personal data into tokens, shapes and masks, in columns.

Tokens have the kind of thing in what is hashed, so that equal texts of two kinds give unequal
tokens.
"""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.catalog.landing import Source
from jobs.catalog.types import STRING
from jobs.ingest.validation import GATEWAY_TOKEN, IPV4
from jobs.platform.keys import TokenKey

MASK_CHARS = 400


def token(key: TokenKey, kind: str, text: Column) -> Column:
    """HMAC-SHA256 of `kind:text` as 32 hexadecimal digits, null for null."""
    secret = key.secret

    def tokens_of(texts: pa.Array) -> pa.Array:
        from jobs.ingest.tokens import tokens

        return tokens(texts, secret, kind)

    made: Column = F.arrow_udf(tokens_of, "string")(text)  # type: ignore[call-overload]
    return made


def canonical_address(address: Column) -> Column:
    """One spelling for one address: IPv6 in eight hextets without leading zeros, lower case."""
    lower = F.lower(address)
    mapped = F.regexp_replace(lower, "^::ffff:([0-9.]+)$", "$1")
    return (
        F.when(address.rlike(GATEWAY_TOKEN), address)
        .when(mapped.rlike(IPV4), mapped)
        .otherwise(F.array_join(_hextets(lower), ":"))
    )


def _hextets(address: Column) -> Column:
    """The eight hextets of an IPv6 address (RFC 4291, 2.2), leading zeros left out."""
    # Sail's `split` takes no result of `substring_index`, so both sides are cut by expression.
    left = F.split(F.regexp_replace(address, "::.*$", ""), ":")
    right = F.split(F.regexp_replace(address, "^.*::", ""), ":")
    short = address.contains("::")
    head = F.filter(left, lambda part: part != "")
    tail = F.filter(right, lambda part: part != "")
    zeros = F.array_repeat(F.lit("0"), F.greatest(8 - F.size(head) - F.size(tail), F.lit(0)))
    full = F.when(short, F.concat(head, zeros, tail)).otherwise(F.split(address, ":"))
    return F.transform(full, lambda part: F.regexp_replace(part, "^0+([0-9a-f])", "$1"))


def network(address: Column) -> Column:
    """The /24 of a canonical IPv4 address, the /64 of an IPv6 one, null for a gateway's token."""
    return (
        F.when(address.rlike(GATEWAY_TOKEN), F.lit(None))
        .when(address.contains(":"), F.concat(F.substring_index(address, ":", 4), F.lit("::/64")))
        .otherwise(F.concat(F.substring_index(address, ".", 3), F.lit(".0/24")))
    )


def product(user_agent: Column) -> Column:
    """`name/version` at the front of a user agent (RFC 9110, 10.1.5), null where it has none.

    Versions longer than numbers of four digits are left out: a telephone number is no version.
    """
    found = F.regexp_extract(
        user_agent, "^([A-Za-z][A-Za-z_-]{0,39}/[0-9]{1,4}([.][0-9]{1,4}){0,3})( |$)", 1
    )
    return F.nullif(found, F.lit(""))


def shape(text: Column) -> Column:
    """Letters become a, digits 9, whatever is not ASCII x; punctuation stays."""
    return F.regexp_replace(
        F.regexp_replace(F.regexp_replace(text, "[A-Za-z]", "a"), "[0-9]", "9"), "[^ -~]", "x"
    )


def shape_of(text: str) -> str:
    """The same for a text in this process."""
    return "".join(
        "a" if c.isascii() and c.isalpha() else "9" if c.isascii() and c.isdigit()
        else c if " " <= c <= "~" else "x" for c in text
    )  # fmt: skip


#: Values that name nobody, in columns that are not text: short numbers, true, false, times.
_TELLS_NOTHING = (
    "^(-?[0-9]{1,6}|-?[0-9]{1,3}[.][0-9]{1,3}|true|false|"
    "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?Z?)$"
)
_SHOWN_CHARS = 40


def masked_record(source: Source, texts: dict[str, Column]) -> Column:
    """The record's values by name: declared words, short numbers and times as they are, anything
    else as its shape, cut."""
    # One expression over an array, not one for each column: it stands in every plan of a night.
    words = sorted({word for column in source.columns for word in column.values})
    values = F.array(
        *(
            F.struct(
                F.lit(column.name).alias("name"),
                texts[column.name].alias("text"),
                F.lit(column.type == STRING).alias("is_text"),
            )
            for column in source.columns
        )
    )

    def masked(value: Column) -> Column:
        text = value["text"]
        tells_nothing = text.isin(*words) | (~value["is_text"] & text.rlike(_TELLS_NOTHING))
        # Cut first: a value may have megabytes.
        shown = F.when(tells_nothing, text).otherwise(shape(F.substring(text, 1, _SHOWN_CHARS)))
        return F.concat(value["name"], F.lit("="), shown)

    return F.array_join(F.transform(values, masked), ", ")


def masked_line(line: Column) -> Column:
    """A line that could not be read as a record: its shape, cut."""
    return shape(F.regexp_replace(F.substring(line, 1, MASK_CHARS), "[\r\n]+$", ""))
