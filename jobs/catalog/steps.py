"""The steps of a night in the order in which they run, with what each reads and writes.

The command, the run log, the DAGs and the architecture page all follow this list.
"""

from __future__ import annotations

from jobs.catalog.types import Step

STEPS: tuple[Step, ...] = (
    Step(
        name="ingest",
        entry="jobs.ingest:run",
        about="Check every landed record, split it into kept, quarantined and duplicate, and "
        "turn personal data into tokens and prompts into sketches.",
        # Of the nights that a record could repeat.
        reads=("requests", "labels"),
        writes=(
            "requests", "request_text", "accounts", "labels", "quarantine", "landing_files",
            "source_columns",
        ),
        timeout_minutes=180,
    ),
    Step(
        name="check_landed",
        entry="jobs.checks:check_landed",
        about="Validate what landed with Great Expectations; a failed stop check ends the night.",
        reads=("requests", "accounts", "labels", "landing_files", "quarantine"),
        writes=("check_results",),
        after=("ingest",),
    ),
    Step(
        name="rollup",
        entry="jobs.rollup:run",
        about="Aggregate the day's requests into daily rollups that windows are merged from.",
        reads=("requests",),
        writes=("account_daily", "account_indicators", "account_templates", "account_tokens"),
        after=("check_landed",),
        timeout_minutes=180,
    ),
    Step(
        name="campaigns",
        entry="jobs.campaigns:run",
        about="Link accounts that share rare evidence, group them, keep each group's name, and say "
        "what happened to it.",
        # Its own tables of the nights before: names live on.
        reads=("account_tokens", "account_daily", "accounts", "labels", "decisions",
               "corpora", "campaigns", "campaign_members", "campaign_events"),
        writes=("account_links", "campaigns", "campaign_members", "campaign_events"),
        after=("rollup",),
    ),
    Step(
        name="features",
        entry="jobs.features:run",
        about="Merge rollups into 1-, 7-, 28- and 45-day windows and derive the features.",
        reads=(
            "account_daily", "account_tokens", "accounts", "campaigns", "campaign_members",
            "source_columns",
        ),
        writes=("account_features",),
        after=("campaigns",),
    ),
    Step(
        name="train",
        entry="jobs.train:run",
        about="Train and register a challenger when the policy says that training is due.",
        reads=("account_features", "campaign_members", "labels", "decisions",
               "model_decisions"),
        writes=("model_decisions",),
        after=("features",),
        timeout_minutes=240,
    ),
    Step(
        name="score",
        entry="jobs.score:run",
        about="Score the night's accounts with the champion, say why in words, and measure drift.",
        # Drift of the nights before.
        reads=("account_features", "campaigns", "campaign_members", "model_decisions",
               "source_columns", "drift"),
        writes=("account_scores", "drift"),
        after=("train",),
    ),
    Step(
        name="check_scored",
        entry="jobs.checks:check_scored",
        about="Validate scores and campaigns before anything acts on them.",
        reads=("account_daily", "account_features", "campaigns", "campaign_members",
               "campaign_events", "account_scores", "drift", "landing_files"),
        writes=("check_results",),
        after=("score",),
    ),
    Step(
        name="decide",
        entry="jobs.decide:run",
        about="Turn scores and people's decisions into actions under the policy: thresholds at its "
        "false positive rates, evidence, allow-list, caps, expiry.",
        reads=("account_scores", "campaigns", "campaign_members", "accounts", "labels", "decisions",
               "enforcement_mode", "enforcement_actions"),
        writes=("thresholds", "policies", "enforcement_actions"),
        after=("check_scored",),
    ),
    Step(
        name="limits",
        entry="jobs.limits:run",
        about="Say what limited accounts, and campaigns as a whole, may send: from their own "
        "history and the plan's promise, a step tighter or looser than the night before.",
        # Its own tables of the night before: which step each was at.
        reads=("enforcement_actions", "decisions", "account_scores", "account_daily", "accounts",
               "campaigns", "campaign_members", "rate_limits", "campaign_budgets"),
        writes=("plan_usage", "rate_limits", "campaign_budgets"),
        after=("decide",),
    ),
    Step(
        name="cases",
        entry="jobs.cases:run",
        about="Gather what waits for a person: an operation is one case, not 300 accounts. Draw "
        "decided cases to be judged again, blind.",
        # Cases of the night before: since when each has waited. Reviews of any: what is drawn.
        reads=("enforcement_actions", "campaigns", "account_scores", "account_daily", "decisions",
               "labels", "cases", "blind_reviews"),
        writes=("cases", "blind_reviews"),
        after=("limits",),
    ),
    Step(
        name="shadow",
        entry="jobs.shadow:run",
        about="Have a second policy or a challenger decide as well, for comparison alone; nothing "
        "where none is set.",
        # Its own actions of the nights before: caps, holds and what has not expired.
        reads=("account_features", "campaigns", "campaign_members", "source_columns",
               "model_decisions", "account_scores", "accounts", "labels", "decisions",
               "shadow_scores", "shadow_actions"),
        writes=("shadow_nights", "shadow_scores", "shadow_actions"),
        after=("cases",),
    ),
)  # fmt: skip

#: Tables that people fill, by a command or at the desk, and no step of a night.
FILLED_BY_HAND: tuple[str, ...] = (
    "corpora", "decisions", "case_events", "enforcement_mode", "deliveries",
)  # fmt: skip

#: The command's exit status when a check stops the night: the data is at fault, and to try again
#: changes nothing. Any other fault is 1.
STOPPED_EXIT_CODE = 3

STEP_NAMES: tuple[str, ...] = tuple(step.name for step in STEPS)


def step(name: str) -> Step:
    """The step of that name; KeyError says which there are."""
    for candidate in STEPS:
        if candidate.name == name:
            return candidate
    raise KeyError(f"no step {name!r}; there are {', '.join(STEP_NAMES)}")
