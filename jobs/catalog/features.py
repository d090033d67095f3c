"""The features of the classifier: what each is, how it is computed, why it counts, how it is said.

To add a feature, add a `Feature` here and a row to its test; the Delta column, the expectation,
the model's signature, the reason sentence and the data dictionary follow. `sql` is an expression
that both engines read alike over these names, `{w}` standing for a window in days:

- `<measure>_{w}d`: a measure of `catalog.measures`, merged over the window;
- `<kind>_tokens_{w}d`, `<kind>_fan_{w}d`, `<kind>_share_{w}d` for each request indicator: how many
  tokens of that kind the account used, how many accounts used the token that it shares with the
  fewest others (over a quarter of its requests), and the share of its requests that carry tokens
  used by two or more accounts;
- `<kind>_fan` for each account indicator: how many accounts carry the same token;
- `template_*_{w}d`: what `account_templates` merges to (see `TEMPLATE_STATISTICS`);
- the columns of `accounts` (as of the night), and `campaign_*` of the night's campaigns.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.catalog.figures import FIGURES_BY_NAME
from jobs.catalog.measures import FEATURE_WINDOWS, INDICATORS, WINDOWS
from jobs.catalog.policy import CAMPAIGN_POLICY
from jobs.catalog.sketch import MARKERS
from jobs.catalog.types import Family

#: Statistics of an account's templates over a window, made by `jobs.features`.
TEMPLATE_STATISTICS: tuple[tuple[str, str], ...] = (
    ("template_count", "Distinct prompt templates."),
    ("template_top", "Requests of the most used template."),
    ("template_prompts", "Distinct prompts, day by day."),
    ("template_shared", "Requests on templates that 2 to 1,000 accounts use."),
    ("template_fan", "Accounts on the least common shared template."),
)


@dataclass(frozen=True)
class Feature:
    """One column of `account_features`: a double, null where its evidence is missing.

    `monotone` is the sign that the classifier's distillation output is held to (0: none).
    `reason` is a sentence; `{value}` is the figure, already in words of `unit`. Empty: the
    feature is never named as a reason.
    """

    name: str
    sql: str
    about: str
    unit: str
    family: Family
    reason: str
    needs: tuple[str, ...] = ()
    monotone: int = 0
    #: Whether the classifier reads it. What holds for a group and for no honest group carries
    #: over to the next operation; habits of single accounts (volume, hours, lengths) are the last
    #: operation's, and tell customers like it. Those are for analysts and for drift.
    learned: bool = False
    #: The output of the classifier that starts from this feature's own log-odds: a probability
    #: that a judgement in the open came to. Trees learn what it misses.
    judges: str = ""


def _windowed(
    name: str,
    sql: str,
    about: str,
    unit: str,
    family: Family,
    reason: str,
    needs: tuple[str, ...] = (),
    windows: tuple[int, ...] = FEATURE_WINDOWS,
    monotone: int = 0,
) -> tuple[Feature, ...]:
    """The same feature over several windows."""
    return tuple(
        Feature(
            name=f"{name}_{days}d",
            sql=sql.replace("{w}", str(days)),
            about=f"{about} ({'the night' if days == 1 else f'{days} days'})",
            unit=unit,
            family=family,
            reason=reason
            and reason + (" on the last day" if days == 1 else f" in the last {days} days"),
            needs=needs,
            monotone=monotone,
        )
        for days in windows
    )


def _share(part: str, whole: str = "requests") -> str:
    return f"{part}_{{w}}d / nullif(cast({whole}_{{w}}d as double), 0.0D)"


def _spread(log_sum: str, log_squared: str, count: str = "requests") -> str:
    """Standard deviation of a logarithm from its sums: a scale-free measure of how much lengths
    vary (0 for lengths that never change). Null under two values."""
    n = f"cast({count}_{{w}}d as double)"
    variance = f"({log_squared}_{{w}}d - {log_sum}_{{w}}d * {log_sum}_{{w}}d / {n}) / ({n} - 1.0D)"
    # Cancellation leaves noise of some 1e-7 where lengths never change; below 1e-5 it is zero.
    return (
        f"case when {count}_{{w}}d >= 2 then "
        f"case when {variance} > 0.00001D then sqrt({variance}) else 0.0D end end"
    )


def _hour_entropy() -> str:
    """Shannon entropy of the 24 hour counts, in bits: 0 in one hour, 4.58 spread evenly."""
    terms = " + ".join(
        f"case when hour_{h:02d}_{{w}}d > 0 then (hour_{h:02d}_{{w}}d / cast(requests_{{w}}d as "
        f"double)) * ln(hour_{h:02d}_{{w}}d / cast(requests_{{w}}d as double)) else 0.0D end"
        for h in range(24)
    )
    return f"case when requests_{{w}}d >= 10 then -({terms}) / ln(2.0D) end"


def _night_share() -> str:
    hours = " + ".join(f"hour_{h:02d}_{{w}}d" for h in range(6))
    return f"({hours}) / nullif(cast(requests_{{w}}d as double), 0.0D)"


_REQUEST_KINDS = tuple(i for i in INDICATORS if i.origin == "requests" and i.kind != "model")
_ACCOUNT_KINDS = tuple(i for i in INDICATORS if i.origin == "accounts")

#: What is ordinary of each figure that the policy weighs for distillation, and the direction in
#: which it weighs it: an account without a campaign is ordinary. Of a figure that is weighed twice
#: the first term counts, hence the reversed order.
_WEIGHED: dict[str, tuple[str, int]] = {
    term.figure: (f"{term.ordinary}D", 1 if term.nats * (term.telling - term.ordinary) > 0 else -1)
    for term in reversed(CAMPAIGN_POLICY.terms)
}

#: What a campaign's score counts for an account: all where it belongs by half or more.
_FIRMLY = "least(1.0D, 0.2D + 1.6D * coalesce(campaign_strength, 0.0D))"

FEATURES: tuple[Feature, ...] = (
    # Volume and rhythm
    *_windowed("requests", "cast(requests_{w}d as double)", "Requests.", "requests", "behaviour",
               "{value}", windows=WINDOWS),
    *_windowed("requests_per_active_day", "requests_{w}d / "
               "nullif(cast(active_days_{w}d as double), 0.0D)",
               "Requests a day on days with any.", "requests a day", "behaviour",
               "{value} with any"),
    *_windowed("active_day_share", "active_days_{w}d / {w}.0D", "Share of days with traffic.",
               "share", "time", "traffic on {value} of days"),
    *_windowed("load_evenness", "case when active_days_{w}d >= 3 then "
               "requests_{w}d / (active_days_{w}d * cast(requests_max_day_{w}d as double)) end",
               "Mean day over busiest day: 1 when load is spread evenly.", "share", "time",
               "an average day carries {value} of the busiest day's load"),
    *_windowed("hour_entropy", _hour_entropy(), "Entropy of the hours of the day.", "bits", "time",
               "requests spread over the hours of the day with an entropy of {value}"),
    *_windowed("night_share", _night_share(), "Share of requests from 00:00 to 05:59 UTC.",
               "share", "time", "{value} of requests came from 00:00 to 05:59 UTC"),
    *_windowed("weekend_share", _share("weekend"), "Share of requests at the weekend.", "share",
               "time", "{value} of requests came at the weekend"),
    # Use of the API
    *_windowed("error_share", _share("errors"), "Share of requests that failed.", "share",
               "behaviour", "{value} of requests failed"),
    *_windowed("rate_limited_share", _share("rate_limited"), "Share refused by rate limits.",
               "share", "behaviour", "{value} of requests met a rate limit"),
    *_windowed("filtered_share", _share("filtered"), "Share ended by a content filter.", "share",
               "behaviour", "{value} of answers were ended by a content filter",
               ("finish_reason",)),
    *_windowed("truncated_share", _share("truncated"), "Share ended by the length limit.",
               "share", "behaviour", "{value} of answers ran into their length limit",
               ("finish_reason",)),
    *_windowed("output_tokens_mean", "output_tokens_{w}d / nullif(cast(requests_{w}d as double), "
               "0.0D)", "Mean output.", "tokens", "behaviour",
               "{value} written for each request"),
    *_windowed("output_per_input", "output_tokens_{w}d / nullif(cast(input_tokens_{w}d as double), "
               "0.0D)", "Output over input tokens.", "ratio", "behaviour",
               "{value} tokens written for each token read"),
    *_windowed("input_spread", _spread("input_log", "input_log_squared"),
               "Spread of input lengths (standard deviation of ln).", "ln tokens", "behaviour",
               "input lengths vary with a standard deviation of {value}"),
    *_windowed("output_spread", _spread("output_log", "output_log_squared"),
               "Spread of output lengths (standard deviation of ln).", "ln tokens", "behaviour",
               "output lengths vary with a standard deviation of {value}"),
    *_windowed("max_tokens_large_share", _share("max_tokens_large"),
               "Share that allow 4,000 tokens or more.", "share", "behaviour",
               "{value} of requests allow 4,000 tokens or more", ("max_tokens",)),
    *_windowed("temperature_zero_share", _share("temperature_zero"), "Share at temperature 0.",
               "share", "behaviour", "{value} of requests at temperature 0", ("temperature",)),
    *_windowed("temperature_high_share", _share("temperature_high"),
               "Share at temperature 0.9 or more.", "share", "behaviour",
               "{value} of requests at temperature 0.9 or more", ("temperature",)),
    *_windowed("several_choices_share", _share("several_choices"),
               "Share that ask for several completions.", "share", "behaviour",
               "{value} of requests ask for several completions", ("choice_count",)),
    *_windowed("logprobs_share", _share("logprobs_asked"), "Share that ask for log probabilities.",
               "share", "behaviour", "{value} of requests ask for log probabilities",
               ("logprobs",)),
    *_windowed("stream_share", _share("streamed", "stream_known"), "Share streamed.", "share",
               "behaviour", "{value} of requests were streamed", ("stream",)),
    *_windowed("tools_share", _share("with_tools"), "Share that offer tools.", "share",
               "behaviour", "{value} of requests offer tools", ("tool_count",)),
    *_windowed("later_turn_share", _share("later_turns", "turns_known"),
               "Share that go on with a conversation.", "share", "behaviour",
               "{value} of requests go on with a conversation", ("turn_index",)),
    *_windowed("system_prompt_share", _share("with_system_prompt"), "Share with a system prompt.",
               "share", "behaviour", "{value} of requests carry a system prompt",
               ("system_prompt_hash",)),
    *_windowed("web_share", _share("on_web"), "Share by the web interface.", "share", "behaviour",
               "{value} of requests came by the web interface", ("channel",)),
    *_windowed("batch_share", _share("batched"), "Share of batch requests.", "share", "behaviour",
               "{value} of requests were batch requests", ("operation",)),
    *_windowed("models", "cast(model_tokens_{w}d as double)", "Models used.", "models",
               "behaviour", "{value} used"),
    # Content
    *_windowed("prompt_spread", _spread("prompt_chars_log", "prompt_chars_log_squared",
                                        "prompts_known"),
               "Spread of prompt lengths (standard deviation of ln).", "ln characters", "content",
               "prompt lengths vary with a standard deviation of {value}", ("prompt_text",)),
    *_windowed("not_latin_share", _share("not_latin", "prompts_known"),
               "Share of prompts in another script than Latin.", "share", "content",
               "{value} of prompts are not in Latin script", ("prompt_text",)),
    *(
        feature
        for marker in MARKERS
        for feature in _windowed(
            f"asks_{marker.name}_share", _share(f"asks_{marker.name}", "prompts_known"),
            f"Share of prompts of which each {marker.about}.", "share", "content",
            f"{{value}} of prompts: each {marker.about}", ("prompt_text",))
    ),
    *_windowed("template_concentration", "template_top_{w}d / nullif(cast(prompts_known_{w}d as "
               "double), 0.0D)", "Share of prompts on the most used template.", "share",
               "content", "{value} of prompts follow one template", ("prompt_text",)),
    *_windowed("template_variety", "template_count_{w}d / nullif(cast(prompts_known_{w}d as "
               "double), 0.0D)", "Templates for each prompt.", "ratio", "content",
               "{value} templates for each prompt", ("prompt_text",)),
    *_windowed("prompt_repeat_share", "1.0D - template_prompts_{w}d / "
               "nullif(cast(prompts_known_{w}d as double), 0.0D)",
               "Share of prompts that repeat one of the same day.", "share", "content",
               "{value} of prompts repeat another word for word", ("prompt_text",)),
    *_windowed("template_shared_share", _share("template_shared", "prompts_known"),
               "Share of prompts on templates that 2 to 1,000 accounts use.", "share", "content",
               "{value} of prompts follow templates that other accounts use too",
               ("prompt_text",)),
    *_windowed("template_fan", "cast(template_fan_{w}d as double)",
               "Accounts on the least common shared template.", "accounts", "content",
               "{value} sent the same prompt template", ("prompt_text",)),
    # What the account shares with others
    *(
        feature
        for indicator in _REQUEST_KINDS
        for feature in (
            *_windowed(f"{indicator.kind}_fan", f"cast({indicator.kind}_fan_{{w}}d as double)",
                       f"Accounts on the least common {indicator.about} that a quarter of its "
                       "requests carry.", "accounts", indicator.family,
                       f"{{value}} use the same {indicator.about}", indicator.needs,
                       windows=indicator.windows),
            *_windowed(f"{indicator.kind}_shared_share", _share(f"{indicator.kind}_share"),
                       f"Share of requests with a {indicator.about} of 2 or more accounts.",
                       "share", indicator.family,
                       f"{{value}} of requests carry a {indicator.about} that others use",
                       indicator.needs, windows=indicator.windows),
            *_windowed(f"{indicator.kind}_variety", f"{indicator.kind}_tokens_{{w}}d / "
                       "nullif(cast(requests_{w}d as double), 0.0D)",
                       f"Distinct values of {indicator.about} for each request.", "ratio",
                       indicator.family,
                       f"{{value}} different values of {indicator.about} for each request",
                       indicator.needs, windows=indicator.windows),
        )
    ),
    *(
        Feature(f"{indicator.kind}_fan", f"cast({indicator.kind}_fan as double)",
                f"Accounts with the same {indicator.about}.", "accounts", indicator.family,
                f"{{value}} have the same {indicator.about}", indicator.needs)
        for indicator in _ACCOUNT_KINDS
    ),
    # The account
    Feature("account_age_days", "datediff(date, to_date(created_at))", "Age of the account.",
            "days", "identity", "the account is {value} old"),
    Feature("kyc_level", "cast(kyc_level as double)", "Verification level.", "level", "identity",
            "", ("kyc_level",)),
    Feature("verified_organization", "case when verified_organization then 1.0D "
            "when not verified_organization then 0.0D end", "1 for a verified organization.",
            "flag", "identity", "", ("verified_organization",)),
    Feature("prepaid_or_crypto", "case when payment_type in ('prepaid', 'crypto') then 1.0D "
            "when payment_type is not null then 0.0D end",
            "1 for a prepaid card or a crypto currency.", "flag", "identity", "",
            ("payment_type",)),
    Feature("on_invoice", "case when payment_type = 'invoice' then 1.0D "
            "when payment_type is not null then 0.0D end", "1 where the account pays by invoice.",
            "flag", "identity", "", ("payment_type",)),
    Feature("declared", "case when declared_use_chars > 0 then 1.0D else 0.0D end",
            "1 where the account declared its use.", "flag", "identity", ""),
    # The campaign: what the classifier learns from
    Feature("campaign_accounts", "cast(coalesce(campaign_accounts, 0) as double)",
            "Accounts in its campaign, 0 without one.", "accounts", "infrastructure",
            "it belongs to a group of {value}", learned=True),
    Feature("campaign_score", f"coalesce(campaign_score, 0.0D) * {_FIRMLY}",
            "Score of its campaign, less for an account that hardly belongs.", "score",
            "infrastructure", "its group scores {value}", monotone=1, learned=True,
            judges="distillation"),
    Feature("campaign_resale_score", f"coalesce(campaign_resale_score, 0.0D) * {_FIRMLY}",
            "Resale score of its campaign, less for an account that hardly belongs.", "score",
            "infrastructure", "", learned=True, judges="resale"),
    Feature("campaign_strength", "coalesce(campaign_strength, 0.0D)",
            "How firmly it belongs to its campaign.", "score", "infrastructure", "", monotone=1,
            learned=True),
    *(
        Feature(f"campaign_{name}", f"case when campaign_accounts is null then {ordinary} "
                f"else campaign_{name} end",
                f"Of its campaign: {FIGURES_BY_NAME[name].about}", FIGURES_BY_NAME[name].unit,
                FIGURES_BY_NAME[name].family, "", monotone=direction, learned=True)
        for name, (ordinary, direction) in _WEIGHED.items()
        # How many accounts it has is a feature already.
        if name in FIGURES_BY_NAME
    ),
)  # fmt: skip

#: What the classifier reads.
LEARNED: tuple[Feature, ...] = tuple(feature for feature in FEATURES if feature.learned)
#: What a prior from simulated worlds reads: the judgements and how firmly an account belongs. On
#: the figures behind them it would learn the simulator.
JUDGEMENTS: tuple[Feature, ...] = tuple(
    feature for feature in LEARNED if feature.judges or feature.name == "campaign_strength"
)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
FEATURES_BY_NAME: dict[str, Feature] = {feature.name: feature for feature in FEATURES}
