"""What is counted of an account's day, and how days merge into windows.

A measure is an aggregate over one account's requests of one landing date, in SQL that both
engines read alike. Measures merge by sum, minimum or maximum, so that any window is a merge of
days and no window reads requests again. Indicators are the things accounts can share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jobs.catalog.sketch import MARKERS, WORD_BUCKETS
from jobs.catalog.types import DOUBLE, LONG, TIMESTAMP, ColumnType, Family

#: Days of each window, the night's own landing date included.
WINDOWS: tuple[int, ...] = (1, 7, 28, 45)
LONGEST_WINDOW = max(WINDOWS)
#: Those over which most features are taken, and what accounts share is counted.
FEATURE_WINDOWS: tuple[int, ...] = (7, 28)


@dataclass(frozen=True)
class Measure:
    name: str
    sql: str
    about: str
    unit: str = "requests"
    type: ColumnType = LONG
    merge: Literal["sum", "min", "max"] = "sum"


def _counted(name: str, condition: str, about: str) -> Measure:
    return Measure(name, f"sum(case when {condition} then 1 else 0 end)", about)


#: Measures of how many prompts have a word of each bucket.
WORDS: tuple[str, ...] = tuple(f"words_{bucket:02d}" for bucket in range(WORD_BUCKETS))

MEASURES: tuple[Measure, ...] = (
    Measure("requests", "count(*)", "Requests."),
    Measure("first_event", "min(event_time)", "First request.", "UTC", TIMESTAMP, "min"),
    Measure("last_event", "max(event_time)", "Last request.", "UTC", TIMESTAMP, "max"),
    _counted("errors", "status_code >= 400", "Requests that failed."),
    _counted("rate_limited", "status_code = 429", "Requests refused by a rate limit."),
    _counted("filtered", "finish_reason = 'content_filter'", "Answers ended by a content filter."),
    _counted("truncated", "finish_reason = 'length'", "Answers ended by their length limit."),
    Measure("input_tokens", "sum(input_tokens)", "Tokens read.", "tokens"),
    Measure("output_tokens", "sum(output_tokens)", "Tokens written.", "tokens"),
    Measure("input_log", "sum(ln(1.0D + input_tokens))", "Sum of ln(1 + input tokens).",
            "ln tokens", DOUBLE),
    Measure("input_log_squared", "sum(ln(1.0D + input_tokens) * ln(1.0D + input_tokens))",
            "Sum of squares of ln(1 + input tokens).", "ln tokens squared", DOUBLE),
    Measure("output_log", "sum(ln(1.0D + output_tokens))", "Sum of ln(1 + output tokens).",
            "ln tokens", DOUBLE),
    Measure("output_log_squared", "sum(ln(1.0D + output_tokens) * ln(1.0D + output_tokens))",
            "Sum of squares of ln(1 + output tokens).", "ln tokens squared", DOUBLE),
    _counted("max_tokens_set", "max_tokens is not null", "Requests that limit their output."),
    _counted("max_tokens_large", "max_tokens >= 4000", "Requests that allow 4,000 tokens or more."),
    _counted("temperature_set", "temperature is not null", "Requests that set a temperature."),
    _counted("temperature_zero", "temperature = 0", "Requests at temperature 0."),
    _counted("temperature_high", "temperature >= 0.9", "Requests at temperature 0.9 or more."),
    _counted("top_p_set", "top_p is not null", "Requests that set top_p."),
    _counted("several_choices", "choice_count > 1", "Requests for more than one completion."),
    _counted("logprobs_asked", "logprobs", "Requests for log probabilities."),
    _counted("streamed", "stream", "Streamed requests."),
    _counted("stream_known", "stream is not null", "Requests that say whether they streamed."),
    _counted("with_tools", "tool_count > 0", "Requests that offer tools."),
    Measure("tool_results", "coalesce(sum(tool_result_count), 0)", "Tool results sent back.",
            "results"),
    _counted("turns_known", "turn_index is not null", "Requests that say their turn."),
    _counted("first_turns", "turn_index = 0", "Requests that open a conversation."),
    _counted("later_turns", "turn_index > 0", "Requests that go on with a conversation."),
    _counted("in_conversation", "conversation_id is not null", "Requests with a conversation."),
    _counted("with_system_prompt", "system_prompt_hash is not null",
             "Requests with a system prompt."),
    _counted("batched", "operation = 'batch'", "Batch requests."),
    _counted("on_web", "channel = 'web'", "Requests by the web interface."),
    _counted("address_known", "address_token is not null", "Requests with a client address."),
    _counted("user_agent_known", "user_agent_token is not null", "Requests with a user agent."),
    Measure("latency_ms", "coalesce(sum(latency_ms), 0)", "Time to answer.", "milliseconds"),
    _counted("prompts_known", "prompt_chars is not null", "Requests with prompt text."),
    Measure("prompt_chars", "coalesce(sum(prompt_chars), 0)", "Length of prompts.", "characters"),
    Measure("prompt_chars_log", "coalesce(sum(ln(1.0D + prompt_chars)), 0.0D)",
            "Sum of ln(1 + prompt characters).", "ln characters", DOUBLE),
    Measure("prompt_chars_log_squared",
            "coalesce(sum(ln(1.0D + prompt_chars) * ln(1.0D + prompt_chars)), 0.0D)",
            "Sum of squares of ln(1 + prompt characters).", "ln characters squared", DOUBLE),
    _counted("not_latin", "prompt_script <> 'latin'", "Prompts in another script than Latin."),
    _counted("weekend", "dayofweek(event_time) in (1, 7)", "Requests on Saturday or Sunday."),
    *(
        _counted(f"asks_{marker.name}", f"(prompt_markers & {1 << marker.bit}) <> 0",
                 f"Prompts of which each {marker.about}.")
        for marker in MARKERS
    ),
    _counted("words_known", "prompt_words is not null", "Prompts of which the words are known."),
    *(
        _counted(words, f"(prompt_words & {1 << bucket}) <> 0",
                 f"Prompts with a word of bucket {bucket}.")
        for bucket, words in enumerate(WORDS)
    ),
    *(
        _counted(f"hour_{hour:02d}", f"hour(event_time) = {hour}",
                 f"Requests from {hour:02d}:00 to {hour:02d}:59 UTC.")
        for hour in range(24)
    ),
)  # fmt: skip

MEASURE_NAMES: tuple[str, ...] = tuple(measure.name for measure in MEASURES)


@dataclass(frozen=True)
class Indicator:
    """A thing that two accounts may share, from a request or from an account's record.

    `sql` gives the token as a string, null where there is none. `needs` are the landing columns
    without which the indicator can't be had. `family` is that of the axis of
    `policy.CampaignPolicy` which has the kind: one thing must not count as two. `link_cap` is the
    number of accounts above which a token says too little to link two of them (a carrier's
    gateway, a popular client). `made_of` are the columns of `requests` that make the token, where
    there are few combinations of them: requests are grouped by these first, and the token is made
    for each group, not each request. `memory_days` is how far back it is read: a kind of which
    nearly every request brings a new token is as long as the request log itself, and an operation
    repeats its own within days.
    """

    kind: str
    origin: Literal["requests", "accounts"]
    sql: str
    family: Family
    needs: tuple[str, ...]
    about: str
    link_cap: int
    made_of: tuple[str, ...] = ()
    memory_days: int = max(FEATURE_WINDOWS)

    @property
    def windows(self) -> tuple[int, ...]:
        """Windows of features that it is remembered for."""
        return tuple(days for days in FEATURE_WINDOWS if days <= self.memory_days)


INDICATORS: tuple[Indicator, ...] = (
    Indicator("address", "requests", "address_token", "infrastructure", ("client_address",),
              "client address", 60),
    Indicator("network", "requests", "network_token", "infrastructure", ("client_address",),
              "client network (/24 or /64)", 80),
    Indicator("client", "requests",
              "case when user_agent_token is not null or tls_token is not null then "
              "concat(coalesce(user_agent_token, '-'), '/', coalesce(tls_token, '-')) end",
              "behaviour", ("user_agent", "tls_ja4"),
              "client build (user agent and TLS fingerprint)", 400,
              ("user_agent_token", "tls_token")),
    # In words and not as a hash: people can read it, and Sail's xxhash64 ends the query where all
    # its arguments are one value for a whole batch. Thousandths, since the engines write small
    # doubles differently.
    Indicator("settings", "requests",
              "nullif(concat_ws(' ', "
              "concat('temperature=', cast(floor(temperature * 1000 + 0.5D) as string)), "
              "concat('top_p=', cast(floor(top_p * 1000 + 0.5D) as string)), "
              "concat('max_tokens=', cast(max_tokens as string)), "
              "concat('choices=', cast(choice_count as string)), "
              "concat('logprobs=', cast(logprobs as string)), "
              "concat('stream=', cast(stream as string)), "
              "concat('tools=', cast(tool_count as string))), '')",
              "behaviour", ("temperature", "max_tokens"), "sampling settings", 400,
              ("temperature", "top_p", "max_tokens", "choice_count", "logprobs", "stream",
               "tool_count")),
    Indicator("system_prompt", "requests", "system_prompt_hash", "behaviour",
              ("system_prompt_hash",), "system prompt", 400),
    Indicator("template_end", "requests", "template_end_key", "content", ("prompt_text",),
              "prompt ending", 400, memory_days=7),
    # The signature is sorted: its first hash is its smallest.
    Indicator("shingle", "requests", "cast(get(prompt_signature, 0) as string)", "content",
              ("prompt_text",), "rare phrase", 400, memory_days=7),
    Indicator("model", "requests", "request_model", "behaviour", ("request_model",), "model", 0),
    Indicator("organization", "accounts", "organization_id", "identity", ("organization_id",),
              "organization", 0),
    Indicator("payment", "accounts", "payment_token", "identity", ("payment_fingerprint",),
              "payment instrument", 100),
    Indicator("phone", "accounts", "phone_token", "identity", ("phone_token",), "phone number",
              100),
    Indicator("signup_address", "accounts", "signup_address_token", "infrastructure",
              ("signup_address",), "sign-up address", 60),
    Indicator("signup_network", "accounts", "signup_network_token", "infrastructure",
              ("signup_address",), "sign-up network", 80),
    Indicator("email_domain", "accounts", "email_domain_token", "identity", ("email_domain",),
              "e-mail domain", 60),
    Indicator("signup_hour", "accounts",
              "concat(date_format(date_trunc('hour', created_at), 'yyyy-MM-dd HH'), '/', "
              "coalesce(email_domain_token, '-'), '/', coalesce(email_local_shape, '-'))",
              "identity", ("created_at", "email_local_shape"),
              "hour of sign-up with the same form of e-mail address", 100),
)  # fmt: skip

#: The kind of prompt templates where they stand among indicators; they have a rollup of their own.
TEMPLATE = "template"

INDICATORS_BY_KIND: dict[str, Indicator] = {indicator.kind: indicator for indicator in INDICATORS}
