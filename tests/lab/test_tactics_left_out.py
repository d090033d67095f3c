"""A prior that never saw a tactic: blind to what only that tactic shows, not to what is judged."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.catalog.features import JUDGEMENTS
from jobs.lab.metrics import WorldTables
from jobs.lab.nights import WHOLE
from jobs.lab.tactics import leave_each_out, read_rows
from models.dataset import ROW_COLUMNS, TrainingSet

NIGHT = dt.date(2026, 6, 21)
NAMES = tuple(feature.name for feature in JUDGEMENTS)
#: What each tactic shows: the judgement of its groups, or something that trees must learn.
SHOWS = {"loud": "campaign_score", "odd": "campaign_strength"}


def people(seed: int) -> tuple[pd.DataFrame, pa.Table]:
    """Who is who, and their features: 300 honest accounts, 60 of each tactic."""
    rng = np.random.default_rng(seed)
    tactics = [None] * 300 + [tactic for tactic in SHOWS for _ in range(60)]
    names = [f"{tactic or 'honest'}-{n}" for n, tactic in enumerate(tactics)]
    columns = {name: rng.uniform(0, 0.1, len(names)) for name in NAMES}
    for tactic, feature in SHOWS.items():
        columns[feature][[t == tactic for t in tactics]] += 0.85
    known = pd.DataFrame({
        "account_id": names,
        "class": ["distillation" if t else "benign" for t in tactics],
        "campaign": [f"D{list(SHOWS).index(t):02d}-{t}" if t else None for t in tactics],
        "tactic": tactics,
    })  # fmt: skip
    features = {n: pa.array(columns[n]) for n in NAMES}
    return known, pa.table({"account_id": names} | features)


def prior_rows(seed: int) -> TrainingSet:
    known, features = people(seed)
    n = len(known)
    rows = {
        "account_id": known["account_id"], "date": [NIGHT] * n, "label": known["class"],
        "group": known["campaign"].fillna(known["account_id"]), "campaign": known["campaign"],
        "origin": ["simulation"] * n, "known": [NIGHT] * n, "weight": [1.0] * n,
        "represents": [1.0] * n,
    }  # fmt: skip
    table = pa.table({f.name: pa.array(rows[f.name], f.type) for f in ROW_COLUMNS})
    for name in NAMES:
        table = table.append_column(name, features[name])
    return TrainingSet(table, NAMES, NIGHT, {"rows": n})


def test_a_tactic_that_never_was_seen_is_missed_unless_it_is_judged(tmp_path: Path) -> None:
    known, features = people(9)
    (tmp_path / WHOLE).mkdir()
    pq.write_table(features, tmp_path / WHOLE / "features.parquet")
    pq.write_table(pa.table({"account_id": pa.array([], pa.string())}),
                   tmp_path / WHOLE / "members.parquet")  # fmt: skip
    none = pd.DataFrame()
    operations = pd.DataFrame({"class": ["distillation"] * 2 + ["resale"],
                               "tactic": ["loud", "odd", "resale"]})  # fmt: skip
    tables = WorldTables(known, operations, none, none, none, none, none, none)
    rows = {str(seed): prior_rows(seed) for seed in (1, 2)}
    loud, odd = leave_each_out(tmp_path, tables, rows, lambda _: None)
    for figures, tactic in ((loud, "loud"), (odd, "odd")):
        assert (figures["tactic"], figures["accounts"]) == (tactic, 60)
        assert (figures["rows_left_out"], figures["distillers_left"]) == (120, 120)
    assert odd["unseen"] < 0.6
    # A head starts from the judgement: what it says holds for tactics that no tree has met.
    assert loud["seen"] > 0.95 and loud["unseen"] > 0.95


def test_rows_that_were_kept_are_the_rows_that_were_made(tmp_path: Path) -> None:
    made = prior_rows(3)
    pq.write_table(made.table, tmp_path / "rows.parquet")
    about = {"counts": made.counts, "segments": made.segments, "night": str(made.night)}
    (tmp_path / "about.json").write_text(json.dumps(about), encoding="utf-8")
    read = read_rows(tmp_path)
    assert read.fingerprint() == made.fingerprint()
    assert (read.features, read.night, read.counts) == (made.features, made.night, made.counts)
