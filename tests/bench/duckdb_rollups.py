"""The night's rollups as someone would write them by hand in DuckDB: what ours are held against.

Written from the data dictionary, not from the catalogue's SQL, so that equal tables say that both
are right. The same columns in the same types, one Parquet file a table.
"""

from __future__ import annotations

import time
from pathlib import Path

import duckdb

_MARKERS = (
    "reasoning", "rubric", "censor", "code", "tools", "agent", "multiple_choice", "translate",
    "role_play", "extraction", "synthesis", "maths",
)  # fmt: skip
_ASKS = ",\n  ".join(
    f"count(*) filter (where prompt_markers & {1 << bit} <> 0) as asks_{name}"
    for bit, name in enumerate(_MARKERS)
)
_HOURS = ",\n  ".join(
    f"count(*) filter (where hour = {hour}) as hour_{hour:02d}" for hour in range(24)
)
_WORDS = ",\n  ".join(
    f"count(*) filter (where prompt_words & {1 << bucket} <> 0) as words_{bucket:02d}"
    for bucket in range(48)
)

ACCOUNT_DAILY = f"""
with r as (
  select *, hour(event_time) as hour, isodow(event_time) as day_of_week,
    ln(1.0 + input_tokens) as input_ln, ln(1.0 + output_tokens) as output_ln,
    ln(1.0 + prompt_chars) as prompt_ln
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
  sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens,
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
  coalesce(sum(tool_result_count), 0)::bigint as tool_results,
  count(turn_index) as turns_known,
  count(*) filter (where turn_index = 0) as first_turns,
  count(*) filter (where turn_index > 0) as later_turns,
  count(conversation_id) as in_conversation,
  count(system_prompt_hash) as with_system_prompt,
  count(*) filter (where operation = 'batch') as batched,
  count(*) filter (where channel = 'web') as on_web,
  count(address_token) as address_known,
  count(user_agent_token) as user_agent_known,
  coalesce(sum(latency_ms), 0)::bigint as latency_ms,
  count(prompt_chars) as prompts_known,
  coalesce(sum(prompt_chars), 0)::bigint as prompt_chars,
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


def _indicator(kind: str, token: str, where: str) -> str:
    return f"""
select cast($date as date) as date, account_id, '{kind}' as kind, {token} as token,
  count(*) as requests, min(event_time) as first_event, max(event_time) as last_event
from requests where {where} group by account_id, {token}
"""


#: DuckDB has no XXH64, so the token of the sampling settings is a hash of its own: the same
#: groups under other names.
ACCOUNT_INDICATORS = "union all".join((
    _indicator("address", "address_token", "address_token is not null"),
    _indicator("network", "network_token", "network_token is not null"),
    _indicator(
        "client",
        "coalesce(user_agent_token, '-') || '/' || coalesce(tls_token, '-')",
        "user_agent_token is not null or tls_token is not null",
    ),
    _indicator(
        "settings",
        "hash(temperature, top_p, max_tokens, choice_count, logprobs, stream, tool_count)"
        "::varchar",
        "true",
    ),
    _indicator("system_prompt", "system_prompt_hash", "system_prompt_hash is not null"),
    _indicator("template_end", "template_end_key", "template_end_key is not null"),
    # The signature is sorted, smallest first.
    _indicator("shingle", "prompt_signature[1]::varchar", "prompt_signature[1] is not null"),
    _indicator("model", "request_model", "request_model is not null"),
))  # fmt: skip

ACCOUNT_TEMPLATES = """
with prompts as (
  select account_id, template_key, prompt_key, count(*) as requests,
    sum(output_tokens) as output_tokens, bit_or(prompt_markers) as markers,
    min(event_time) as first_event, max(event_time) as last_event
  from requests where template_key is not null
  group by all
)
select cast($date as date) as date, account_id, template_key,
  sum(requests)::bigint as requests, count(*) as prompts,
  sum(output_tokens)::bigint as output_tokens, bit_or(markers)::int as markers,
  min(first_event) as first_event, max(last_event) as last_event
from prompts
group by account_id, template_key
"""

ROLLUPS = {
    "account_daily": ACCOUNT_DAILY,
    "account_indicators": ACCOUNT_INDICATORS,
    "account_templates": ACCOUNT_TEMPLATES,
}


def write_rollups(files: list[str], out: Path, date: str) -> dict[str, float]:
    """Read the files of `requests`, write a Parquet file a table; seconds of each."""
    out.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'; set preserve_insertion_order = false")
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    connection.execute(f"create view requests as select * from read_parquet([{listed}])")
    seconds = {}
    for name, query in ROLLUPS.items():
        started = time.perf_counter()
        target = str(out / f"{name}.parquet").replace("'", "''")
        sql = query.replace("$date", f"'{date}'")
        connection.execute(f"copy ({sql}) to '{target}' (format parquet)")
        seconds[name] = time.perf_counter() - started
    return seconds
