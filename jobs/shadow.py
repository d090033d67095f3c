"""What would a second policy, or a challenger model, have done tonight?

Where a setting names a shadow: reads the night as `score` and `decide` do, and the shadow's own
actions of the nights before. Writes shadow_nights (which policy and model), shadow_scores and
shadow_actions, which nothing follows. A shadow that can't be made is a warning and a row of
shadow_nights that says why: the policy in force matters more. Where none is set, nothing is done.
Harm if late: none; the comparison lacks a night.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from jobs import decide, score, thresholds
from jobs.catalog.enforcement import EnforcementPolicy, PolicyFault, read_policy
from jobs.catalog.shadow_tables import SHADOW_ACTIONS, SHADOW_NIGHTS, SHADOW_SCORES
from jobs.catalog.types import Table
from jobs.platform.errors import SettingsError, StillwatchError
from jobs.platform.lake import arrow_schema
from models.decisions import challenger_as_of, version_number
from models.definitions import BENIGN, MODEL_NAME
from models.errors import ModelError

if TYPE_CHECKING:
    from jobs.platform.lake import Lake
    from models.classifier import Classifier

logger = logging.getLogger(__name__)
#: Value of the setting for the newest model that was tried and does not serve.
CHALLENGER = "challenger"
#: On most nights of a lake whose last model was promoted: nothing to warn of.
NO_CHALLENGER = "no model challenges the one that scores"
_TABLES = (SHADOW_NIGHTS, SHADOW_SCORES, SHADOW_ACTIONS)


def run(lake: Lake, date: dt.date) -> None:
    settings = lake.settings
    if not settings.shadow_policy and not settings.shadow_model:
        _clear(lake, date, _TABLES)
        return
    row: dict[str, Any] = dict.fromkeys(SHADOW_NIGHTS.column_names) | {"date": date}
    try:
        policy = shadow_policy(lake)
        model = shadow_model(lake, date)
        if settings.shadow_policy is None and model is None:
            _clear(lake, date, (SHADOW_SCORES, SHADOW_ACTIONS))
            row["fault"] = NO_CHALLENGER
        else:
            _decide(lake, date, policy, model)
            row |= {"policy_version": policy.version, "policy_text": policy.text,
                    "model_version": model[0] if model else None}  # fmt: skip
    except (StillwatchError, ModelError) as error:
        logger.warning("no shadow on %s, the night goes on without it: %s", date, error)
        _clear(lake, date, (SHADOW_SCORES, SHADOW_ACTIONS))
        row["fault"] = str(error)[:500]
    rows = pa.Table.from_pylist([row], schema=arrow_schema(SHADOW_NIGHTS))
    lake.replace_night(SHADOW_NIGHTS.name, date, rows)


def _clear(lake: Lake, date: dt.date, tables: Iterable[Table]) -> None:
    """No rows of the night; an earlier run of it may have left some."""
    for table in tables:
        lake.create(table.name)
        if date in lake.nights(table.name):
            lake.replace_night(table.name, date, arrow_schema(table).empty_table())


def shadow_policy(lake: Lake) -> EnforcementPolicy:
    """The policy that the shadow decides by: its own, or that in force.

    Raises:
        SettingsError: the file can't be read or is no policy.
    """
    file = lake.settings.shadow_policy
    if file is None:
        return lake.settings.enforcement_policy
    try:
        return read_policy(Path(file))
    except PolicyFault as fault:
        raise SettingsError(f"STILLWATCH_SHADOW_POLICY: {fault}") from None


def shadow_model(lake: Lake, date: dt.date) -> tuple[str, Classifier] | None:
    """(version, classifier) that the setting names; None without one, or where none challenges.

    Raises:
        SettingsError: the setting is no version.
        ModelError: the registry lacks it, or can't be read.
    """
    wanted = lake.settings.shadow_model
    if wanted is None:
        return None
    if wanted == CHALLENGER:
        # As the decisions of the night have it, so that a night run again scores with the same.
        challenger = challenger_as_of(lake.rows("model_decisions").to_pylist(), date)
        if challenger is None:
            return None
        wanted = challenger
    try:
        number = version_number(wanted)
    except ModelError:
        raise SettingsError(
            f"STILLWATCH_SHADOW_MODEL is {wanted!r}; it takes {CHALLENGER}, or a version as 3 or "
            f"{MODEL_NAME}/3"
        ) from None
    registry = score.model_registry(lake.settings)
    return registry.get(number).model_version, registry.load(number)


def _decide(
    lake: Lake, date: dt.date, policy: EnforcementPolicy, model: tuple[str, Classifier] | None
) -> None:
    """Write the shadow's night."""
    if model is None:
        scored = "account_scores"
        lake.replace_night(SHADOW_SCORES.name, date, arrow_schema(SHADOW_SCORES).empty_table())
    else:
        scored = SHADOW_SCORES.name
        lake.write_night(scored, date, score.scored_by(lake, date, *model))
    scores = lake.night(scored, date)
    if model is not None:
        # Reasons are for people, and nobody is told of a shadow.
        scores = scores.withColumn("reasons", F.array().cast("array<string>"))
    said = decide.latest_labels(lake, date)
    benign = said.filter(pc.equal(said["said"], BENIGN))["account_id"]
    stored = lake.rows(scored, date, date, [*thresholds.SCORED, "model_version"])
    found = thresholds.found_by(thresholds.expected_of(stored, benign), policy)
    earlier = lake.read(SHADOW_ACTIONS.name, decide.oldest(date, policy),
                        date - dt.timedelta(days=1))  # fmt: skip
    actions = decide.decided_by(
        lake, date, policy, scores, earlier, said,
        {action: threshold.score for action, threshold in found.items()},
    )  # fmt: skip
    by_model = stored.select(["account_id", "model_version"])
    # A list can't be carried through a join of Arrow's.
    own = [name for name in actions.column_names if name in SHADOW_ACTIONS.column_names]
    lake.replace_night(SHADOW_ACTIONS.name, date, actions.select(own).join(by_model, "account_id"))
