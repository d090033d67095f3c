"""The tables of the shadow: what a second policy or model would have done."""

from __future__ import annotations

from jobs.catalog.columns import ACCOUNT, DATE_COLUMN, SCORE, TRUST_AND_SAFETY
from jobs.catalog.enforcement import LADDER
from jobs.catalog.types import DATE, DOUBLE, STRING, STRINGS, Column, Table

#: Days for which a shadow is kept: two seasons, to compare it with what was done.
_KEPT = 180

SHADOW_NIGHTS = Table(
    name="shadow_nights",
    about="Which policy and model the shadow of a night had, or why there was none; no row where "
    "none is set.",
    owner=TRUST_AND_SAFETY,
    key=("date",),
    retention_days=_KEPT,
    columns=(
        DATE_COLUMN,
        Column("policy_version", STRING, "The policy that decided, null where there was none."),
        Column("policy_text", STRING, "Its file."),
        Column("model_version", STRING, "The shadow model, null where it decided on the scores of "
               "the model in force."),
        Column("fault", STRING, "Why the shadow could not be made, null if it was."),
    ),
)  # fmt: skip

SHADOW_SCORES = Table(
    name="shadow_scores",
    about="Scores of the shadow model, an account a row; no rows where none is set.",
    owner=TRUST_AND_SAFETY,
    key=("date", "account_id"),
    retention_days=_KEPT,
    columns=(
        DATE_COLUMN,
        ACCOUNT,
        Column("model_version", STRING, "The shadow model.", nullable=False),
        Column("distillation_score", DOUBLE, "Calibrated probability that the account distils.",
               nullable=False, **SCORE),
        Column("resale_score", DOUBLE, "Calibrated probability that the account resells.",
               nullable=False, **SCORE),
        Column("campaign_id", STRING, "Its campaign, null outside any."),
        Column("evidence", STRINGS, "Families of evidence that speak for the score.",
               nullable=False),
    ),
)  # fmt: skip

SHADOW_ACTIONS = Table(
    name="shadow_actions",
    about="What the shadow policy, or the policy in force on the shadow model's scores, would have "
    "had done; nothing follows from it.",
    owner=TRUST_AND_SAFETY,
    key=("date", "account_id"),
    retention_days=_KEPT,
    columns=(
        DATE_COLUMN,
        ACCOUNT,
        Column("action", STRING, "The rung of the ladder.", nullable=False, values=LADDER),
        Column("proposed", STRING, "A harder rung whose needs hold, but a person has to decide, a "
               "cap is reached or it is held back; null for none.", values=LADDER),
        Column("campaign_id", STRING, "Its campaign, null outside any."),
        Column("policy_version", STRING, "The policy that decided.", nullable=False),
        Column("model_version", STRING, "The model whose score it decided on, null for an account "
               "without one."),
        Column("expires", DATE, "Last day on which the action would hold.", nullable=False),
        Column("held_since", DATE, "First night on which it was held back; null if it is not."),
        Column("held_until", DATE, "Night on which it comes into force if it is held back; null "
               "if it is not."),
    ),
)  # fmt: skip
