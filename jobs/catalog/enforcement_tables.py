"""The tables that `decide` writes: what to do about whom, and from which scores on."""

from __future__ import annotations

from jobs.catalog.columns import ACCOUNT, DATE_COLUMN, SCORE, TRUST_AND_SAFETY
from jobs.catalog.desk_tables import MODES
from jobs.catalog.enforcement import LADDER
from jobs.catalog.policy import EVIDENCE_FAMILIES
from jobs.catalog.types import DATE, DOUBLE, LONG, STRING, STRINGS, Column, Table

ENFORCEMENT_ACTIONS = Table(
    name="enforcement_actions",
    about="What enforcement should apply from this night on.",
    owner=TRUST_AND_SAFETY,
    key=("date", "account_id"),
    retention_days=730,
    columns=(
        DATE_COLUMN,
        ACCOUNT,
        Column("action", STRING, "The rung of the ladder.", nullable=False, promised=True,
               values=LADDER),
        Column("campaign_id", STRING, "Its campaign, null outside any.", promised=True),
        Column("reasons", STRINGS, "Plain sentences with figures, strongest first.",
               nullable=False, promised=True),
        Column("evidence", STRINGS, "Independent families of evidence, of "
               + ", ".join(EVIDENCE_FAMILIES) + ".", nullable=False, promised=True),
        Column("expires", DATE, "Last day on which the action holds.", nullable=False,
               promised=True),
        Column("policy_version", STRING, "The policy that decided.", nullable=False,
               promised=True),
        Column("mode", STRING, "What the night went by: observe: written to be looked at, "
               "nothing is to follow; enforce: to be carried out. A later change does not rewrite "
               "it: the last row of enforcement_mode says what holds now.", nullable=False,
               values=MODES),
        Column("proposed", STRING, "A harder rung whose needs hold, but a person has to decide, a "
               "cap is reached or it is held back; null for none.", values=LADDER),
        Column("held_since", DATE, "First night on which it was held back; null if it is not."),
        Column("held_until", DATE, "Night on which it comes into force if it is held back; null "
               "if it is not."),
        Column("decision_id", STRING, "The person's decision that it rests on, null where the "
               "policy decided."),
    ),
)  # fmt: skip

THRESHOLDS = Table(
    name="thresholds",
    about="From which distillation score on each action was possible on one night, and how many "
    "false positives are to be expected there. A unit is a campaign, or an account outside any.",
    owner=TRUST_AND_SAFETY,
    key=("date", "action"),
    retention_days=730,
    columns=(
        DATE_COLUMN,
        Column("action", STRING, "The rung of the ladder.", nullable=False, values=LADDER),
        Column("floor", DOUBLE, "The policy's lowest score for it.", unit="score", nullable=False,
               **SCORE),
        Column("false_positive_rate", DOUBLE, "The policy's highest share of honest units that "
               "may be met.", unit="share", nullable=False, minimum=0.0, maximum=1.0),
        Column("score", DOUBLE, "The threshold in force: at or above it. Null where no score is "
               "high enough.", **SCORE),
        Column("chosen_by", STRING, "What made it so high: the floor, the night's scores, or what "
               "people called benign.", nullable=False,
               values=("floor", "unlabelled", "benign")),
        Column("estimated_rate", DOUBLE, "Share of honest units that are at or above it, as the "
               "scores say.", unit="share", nullable=False, minimum=0.0, maximum=1.0),
        Column("accounts", LONG, "Accounts at or above it.", unit="accounts", nullable=False,
               minimum=0),
        Column("units", DOUBLE, "Units at or above it, an account of a campaign of n as 1/n.",
               unit="units", nullable=False, minimum=0.0),
        Column("expected_false", DOUBLE, "Of those units, how many are expected to be honest.",
               unit="units", nullable=False, minimum=0.0),
        Column("honest", DOUBLE, "Units expected to be honest, of all that were scored.",
               unit="units", nullable=False, minimum=0.0),
        Column("benign_known", LONG, "Scored units with an account that people called benign.",
               unit="units", nullable=False, minimum=0),
        Column("benign_above", LONG, "Of those, with such an account at or above it: as many as "
               "don't contradict the rate at the policy's confidence.",
               unit="units", nullable=False, minimum=0),
        Column("policy_version", STRING, "The policy in force.", nullable=False),
    ),
)  # fmt: skip
