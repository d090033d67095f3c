"""Leave one tactic out: can a prior find a tactic that it has never seen?

The worlds of `jobs.prior` are run once. For each tactic, its accounts are taken out of their rows
and a prior is fitted on what is left; all priors score the same night of a world in which every
tactic is at work and nothing is labelled. Only the classifier is blind to the tactic: terms of the
campaign policy were chosen by people who had read of all of them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from jobs.catalog.features import JUDGEMENTS
from jobs.lab.ablation import rescored
from jobs.lab.metrics import WorldTables, ranking_figures
from jobs.lab.nights import code_fingerprint, read_last_night
from jobs.prior import POLICY, START, TRAINING_WORLDS, PriorWorld, training_rows
from models.classifier import Classifier
from models.dataset import TrainingSet, concatenate
from models.definitions import DISTILLATION
from models.prior import at_prevalence
from models.train import fit


def finish_rows(world: PriorWorld, kept: Path, say: Callable[[str], None]) -> Path:
    """The prior's rows of one of its worlds, from an earlier run of the same code or made now."""
    folder = kept / f"prior-{world.seed}-{code_fingerprint()[:12]}"
    if (folder / "about.json").exists():
        return folder
    os.environ["STILLWATCH_TOKEN_KEY"] = "5e" * 32  # as `stillwatch prior` has it
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scratch = folder / "scratch"
    rows = training_rows(world, scratch, say)
    shutil.rmtree(scratch)
    pq.write_table(rows.table, folder / "rows.parquet")
    about = {"counts": rows.counts, "segments": rows.segments, "night": str(rows.night)}
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def read_rows(folder: Path) -> TrainingSet:
    """What `finish_rows` kept."""
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    table = pq.read_table(folder / "rows.parquet")
    night = type(START).fromisoformat(about["night"])
    return TrainingSet(
        table, tuple(f.name for f in JUDGEMENTS), night, about["counts"], tuple(about["segments"])
    )


def without_tactic(rows: TrainingSet, tactic: str) -> TrainingSet:
    """The rows but for accounts of campaigns of one tactic, which are named `…-<tactic>`."""
    names = [str(name) for name in rows.column("campaign")]
    theirs = np.array([name.endswith(f"-{tactic}") for name in names], dtype=bool)
    return rows.take(~theirs)


def prior_of(rows: TrainingSet) -> Classifier:
    """A prior fitted on these rows as the committed one is."""
    return at_prevalence(fit(rows, JUDGEMENTS, POLICY), POLICY.prior_prevalence)


def leave_each_out(
    folder: Path, tables: WorldTables, rows: Mapping[str, TrainingSet], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """For each tactic of the world: its recall under the prior that saw all, and under its own.

    Args:
        folder: the finished world.
        tables: its tables.
        rows: seed -> rows of that world of the prior.
        say: progress.
    """
    together = concatenate(dict(rows))
    features, _ = read_last_night(folder)
    seen = prior_of(together)
    out = []
    for tactic in sorted(tables.operations.query("`class` == 'distillation'")["tactic"].unique()):
        left = without_tactic(together, tactic)
        say(f"tactics: a prior without {tactic}")
        blind = prior_of(left)
        figures: dict[str, Any] = {
            "tactic": tactic,
            "rows_left_out": int(len(together) - len(left)),
            "distillers_left": int(left.is_labelled(DISTILLATION).sum()),
        }
        for name, classifier in (("seen", seen), ("unseen", blind)):
            judged = rescored(classifier, features, tables.accounts)
            level = ranking_figures(judged)["threshold"]
            mine = judged.loc[judged["tactic"] == tactic, "distillation_score"]
            # No threshold: no distiller is above the honest accounts that may be met.
            figures[name] = float((mine >= level).mean()) if level is not None else 0.0
            figures["accounts"] = len(mine)
        out.append(figures)
    return out


__all__ = [
    "TRAINING_WORLDS", "finish_rows", "leave_each_out", "prior_of", "read_rows", "without_tactic",
]  # fmt: skip
