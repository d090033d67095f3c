"""The night's rollups as someone would write them by hand in SQL: what ours are held against.

Written from the data dictionary, not from the catalogue's SQL, so that equal tables say that both
are right. DuckDB and stock Spark run the same text but for two spellings. The same columns in the
same types, one table a query.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template


@dataclass(frozen=True)
class Dialect:
    """What the two spell differently."""

    day_of_week: str  # 1 is Monday
    #: The first of an array, null where it is empty.
    first_hash: str


DUCKDB = Dialect("isodow(event_time)", "prompt_signature[1]")
SPARK = Dialect("extract(dow_iso from event_time)", "get(prompt_signature, 0)")

MARKERS = (
    "reasoning", "rubric", "censor", "code", "tools", "agent", "multiple_choice", "translate",
    "role_play", "extraction", "synthesis", "maths",
)  # fmt: skip
_ASKS = ",\n  ".join(
    f"count(*) filter (where (prompt_markers & {1 << bit}) <> 0) as asks_{name}"
    for bit, name in enumerate(MARKERS)
)
WORD_BUCKETS = 48
_WORDS = ",\n  ".join(
    f"count(*) filter (where (prompt_words & {1 << bucket}) <> 0) as words_{bucket:02d}"
    for bucket in range(WORD_BUCKETS)
)
_HOURS = ",\n  ".join(
    f"count(*) filter (where hour = {hour}) as hour_{hour:02d}" for hour in range(24)
)

_ACCOUNT_DAILY = f"""
with r as (
  select *, hour(event_time) as hour, $day_of_week as day_of_week,
    ln(1e0 + input_tokens) as input_ln, ln(1e0 + output_tokens) as output_ln,
    ln(1e0 + prompt_chars) as prompt_ln
  from requests
)
select
  cast($date as date) as date, account_id,
  count(*) as requests,
  min(event_time) as first_event,
  max(event_time) as last_event,
  count(*) filter (where status_code >= 400) as errors,
  count(*) filter (where status_code = 429) as rate_limited,
  count(*) filter (where finish_reason = 'content_filter') as filtered,
  count(*) filter (where finish_reason = 'length') as truncated,
  cast(sum(input_tokens) as bigint) as input_tokens,
  cast(sum(output_tokens) as bigint) as output_tokens,
  sum(input_ln) as input_log,
  sum(input_ln * input_ln) as input_log_squared,
  sum(output_ln) as output_log,
  sum(output_ln * output_ln) as output_log_squared,
  count(max_tokens) as max_tokens_set,
  count(*) filter (where max_tokens >= 4000) as max_tokens_large,
  count(temperature) as temperature_set,
  count(*) filter (where temperature = 0) as temperature_zero,
  count(*) filter (where temperature >= 0.9) as temperature_high,
  count(top_p) as top_p_set,
  count(*) filter (where choice_count > 1) as several_choices,
  count(*) filter (where logprobs) as logprobs_asked,
  count(*) filter (where stream) as streamed,
  count(stream) as stream_known,
  count(*) filter (where tool_count > 0) as with_tools,
  cast(coalesce(sum(tool_result_count), 0) as bigint) as tool_results,
  count(turn_index) as turns_known,
  count(*) filter (where turn_index = 0) as first_turns,
  count(*) filter (where turn_index > 0) as later_turns,
  count(conversation_id) as in_conversation,
  count(system_prompt_hash) as with_system_prompt,
  count(*) filter (where operation = 'batch') as batched,
  count(*) filter (where channel = 'web') as on_web,
  count(address_token) as address_known,
  count(user_agent_token) as user_agent_known,
  cast(coalesce(sum(latency_ms), 0) as bigint) as latency_ms,
  count(prompt_chars) as prompts_known,
  cast(coalesce(sum(prompt_chars), 0) as bigint) as prompt_chars,
  coalesce(sum(prompt_ln), 0) as prompt_chars_log,
  coalesce(sum(prompt_ln * prompt_ln), 0) as prompt_chars_log_squared,
  count(*) filter (where prompt_script <> 'latin') as not_latin,
  count(*) filter (where day_of_week >= 6) as weekend,
  {_ASKS},
  count(prompt_words) as words_known,
  {_WORDS},
  {_HOURS}
from r
group by account_id
"""

_COUNTED = "count(*) as requests, min(event_time) as first_event, max(event_time) as last_event"
_MERGED = (
    "cast(sum(requests) as bigint) as requests, min(first_event) as first_event, "
    "max(last_event) as last_event"
)


def _indicator(kind: str, token: str, where: str) -> str:
    return f"""
select cast($date as date) as date, account_id, '{kind}' as kind, {token} as token, {_COUNTED}
from requests where {where} group by account_id, {token}
"""


#: There are few settings: grouped by themselves first, so that their words are made once each.
_SETTINGS = f"""
select cast($date as date) as date, account_id, 'settings' as kind, token, {_MERGED}
from (
  select account_id, requests, first_event, last_event, nullif(concat_ws(' ',
    'temperature=' || cast(cast(floor(temperature * 1000 + 0.5e0) as bigint) as string),
    'top_p=' || cast(cast(floor(top_p * 1000 + 0.5e0) as bigint) as string),
    'max_tokens=' || cast(max_tokens as string),
    'choices=' || cast(choice_count as string),
    'logprobs=' || cast(logprobs as string),
    'stream=' || cast(stream as string),
    'tools=' || cast(tool_count as string)), '') as token
  from (
    select account_id, temperature, top_p, max_tokens, choice_count, logprobs, stream, tool_count,
      {_COUNTED}
    from requests group by account_id, temperature, top_p, max_tokens, choice_count, logprobs,
      stream, tool_count
  ) as combinations
) as named
where token is not null group by account_id, token
"""

_ACCOUNT_INDICATORS = "union all".join((
    _indicator("address", "address_token", "address_token is not null"),
    _indicator("network", "network_token", "network_token is not null"),
    _indicator(
        "client",
        "coalesce(user_agent_token, '-') || '/' || coalesce(tls_token, '-')",
        "user_agent_token is not null or tls_token is not null",
    ),
    _SETTINGS,
    _indicator("system_prompt", "system_prompt_hash", "system_prompt_hash is not null"),
    _indicator("template_end", "template_end_key", "template_end_key is not null"),
    # The signature is sorted, smallest first.
    _indicator("shingle", "cast($first_hash as string)", "$first_hash is not null"),
    _indicator("model", "request_model", "request_model is not null"),
))  # fmt: skip

_ACCOUNT_TEMPLATES = """
with prompts as (
  select account_id, template_key, prompt_key, count(*) as requests,
    sum(output_tokens) as output_tokens, bit_or(prompt_markers) as markers,
    min(event_time) as first_event, max(event_time) as last_event
  from requests where template_key is not null
  group by account_id, template_key, prompt_key
)
select cast($date as date) as date, account_id, template_key,
  cast(sum(requests) as bigint) as requests, count(*) as prompts,
  cast(sum(output_tokens) as bigint) as output_tokens, cast(bit_or(markers) as int) as markers,
  min(first_event) as first_event, max(last_event) as last_event
from prompts
group by account_id, template_key
"""

#: What the three read of `requests`.
COLUMNS = (
    "account_id", "event_time", "status_code", "finish_reason", "input_tokens", "output_tokens",
    "max_tokens", "temperature", "top_p", "choice_count", "logprobs", "stream", "tool_count",
    "tool_result_count", "turn_index", "conversation_id", "system_prompt_hash", "operation",
    "channel", "address_token", "network_token", "user_agent_token", "tls_token", "latency_ms",
    "prompt_chars", "prompt_script", "prompt_markers", "prompt_words", "prompt_key", "template_key",
    "template_end_key", "prompt_signature", "request_model",
)  # fmt: skip
TABLES = ("account_daily", "account_indicators", "account_templates")


def queries(dialect: Dialect, date: str) -> dict[str, str]:
    """The query that gives each table, from a view `requests`."""
    texts = (_ACCOUNT_DAILY, _ACCOUNT_INDICATORS, _ACCOUNT_TEMPLATES)
    return {
        name: Template(text).substitute(
            date=f"'{date}'", day_of_week=dialect.day_of_week, first_hash=dialect.first_hash
        )
        for name, text in zip(TABLES, texts, strict=True)
    }
