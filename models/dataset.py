"""The rows a model learns from, as they were known on one night, and where each comes from.

Positive and unlabelled data (Elkan and Noto 2008; Bekker and Davis 2020): people label what they
looked at, everything else is unlabelled. Labelled accounts come with the features of the night of
the evidence. Of the unlabelled, a fixed hash draws a sample that counts as benign with a low
weight; accounts that a campaign ties to a known distiller or reseller are neither, and stay out.

Two steps, so that a caller reads only the feature rows it needs: `plan_rows` names accounts and
nights, `build_training_set` joins the features on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from models.definitions import (
    BENIGN,
    FROM_LABELS,
    FROM_SIMULATION,
    FROM_UNLABELLED,
    Sampling,
)
from models.errors import ModelInputError
from models.labels import days, resolve_labels

#: What a row is, beside its features.
ROW_COLUMNS = pa.schema(
    [
        ("account_id", pa.string()),
        ("date", pa.date32()),  # the night whose features these are
        ("label", pa.string()),  # distillation, resale, benign
        ("group", pa.string()),  # never split over two parts
        ("campaign", pa.string()),  # its name where people or the campaign step gave one
        ("origin", pa.string()),  # labels, unlabelled, simulation
        ("known", pa.date32()),  # the night its label landed; the night itself if unlabelled
        ("weight", pa.float64()),  # how much it counts in fitting
        ("represents", pa.float64()),  # accounts of the lake it stands for, in calibration, metrics
    ]
)


@dataclass(frozen=True)
class RowPlan:
    """Accounts and nights wanted from the feature table, with all that is known beside features.

    `rows` has ROW_COLUMNS, one row an account and night; `counts` says what became of each label.
    """

    rows: pa.Table
    night: date
    counts: dict[str, int]

    @property
    def keys(self) -> pa.Table:
        """account_id, date: what to select from the feature table."""
        return self.rows.select(["account_id", "date"])


@dataclass(frozen=True)
class TrainingSet:
    """Rows (ROW_COLUMNS), features (float64, null: evidence unavailable) and segments (string)."""

    table: pa.Table
    features: tuple[str, ...]
    night: date
    counts: dict[str, int]
    segments: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.table.num_rows

    def column(self, name: str) -> np.ndarray:
        """A row column or segment as an object or float array of shape (rows,)."""
        return self.table[name].to_numpy()

    def is_labelled(self, label: str) -> np.ndarray:
        """(rows,) bool: people gave this label, as opposed to benign by assumption."""
        return (self.column("label") == label) & (self.column("origin") != FROM_UNLABELLED)

    @property
    def unlabelled(self) -> np.ndarray:
        """(rows,) bool."""
        return self.column("origin") == FROM_UNLABELLED

    def take(self, mask: np.ndarray) -> TrainingSet:
        """The rows where the (rows,) bool mask is true, in their order."""
        return replace(self, table=self.table.filter(pa.array(mask)))

    def fingerprint(self) -> str:
        """sha256 over every name and value: equal sets, and only those, have equal ones."""
        digest = hashlib.sha256()
        for name in self.table.column_names:
            column = self.table[name].combine_chunks()
            digest.update(f"{name}:{column.type};".encode())
            digest.update(np.packbits(pc.is_valid(column).to_numpy(zero_copy_only=False)).tobytes())
            if pa.types.is_string(column.type):
                texts = [(text or "").encode() for text in column.to_pylist()]
                digest.update(np.array([len(text) for text in texts], dtype="<i8").tobytes())
                digest.update(b"".join(texts))
            elif pa.types.is_date32(column.type):
                digest.update(column.cast(pa.int32()).to_numpy(zero_copy_only=False).tobytes())
            else:
                values = pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False)
                digest.update((values + 0.0).astype("<f8").tobytes())  # -0.0 is 0.0
        return digest.hexdigest()


def plan_rows(labels: pa.Table, presence: pa.Table, night: date, sampling: Sampling) -> RowPlan:
    """Choose accounts and nights for training, as known on `night`.

    Args:
        labels: as `resolve_labels` takes them.
        presence: account_id, date of every feature row, and campaign_id where the account was in a
            detected campaign that night. Rows after `night` are ignored.
        night: the night of training.
        sampling: which and how many.
    """
    # Of every account on every night there are many: they stay in Arrow, and only the rows of those
    # labelled and those drawn become a frame.
    seen = _until(presence, night)
    resolved = resolve_labels(labels, night)
    judged = _among(seen["account_id"], resolved["account_id"])
    seen_labelled = _frame(seen.filter(judged))
    known = resolved[resolved["account_id"].isin(seen_labelled["account_id"])]
    counts = {
        "labelled_accounts": len(resolved),
        "labelled_without_features": len(resolved) - len(known),
    }
    labelled = _evidence_rows(known, seen_labelled, night, sampling)
    labelled["group"], labelled["campaign"] = _groups_of_labelled(labelled)
    labelled["weight"] = _labelled_weights(labelled, sampling)
    labelled["represents"] = 1.0 / labelled.groupby("account_id")["account_id"].transform("size")
    labelled["origin"] = np.where(labelled["source"] == "simulation", FROM_SIMULATION, FROM_LABELS)
    drawn, more = _unlabelled_rows(seen.filter(pc.invert(judged)), labelled, night, sampling)
    rows = pd.concat([labelled, drawn], ignore_index=True)
    rows = rows.sort_values(["account_id", "day"], kind="stable")
    counts.update(more)
    for label, size in known["label"].value_counts().sort_index().items():
        counts[f"{label}_accounts"] = int(size)
    counts["rows"] = len(rows)
    return RowPlan(_row_table(rows), night, counts)


def build_training_set(
    plan: RowPlan,
    features: pa.Table,
    names: Sequence[str],
    segments: Sequence[str] = (),
) -> TrainingSet:
    """Join the planned rows with their features; planned rows without features are dropped.

    Args:
        plan: from `plan_rows`.
        features: account_id, date, every name (any numeric or boolean type) and segment (string);
            rows and columns that nobody asked for are ignored.
        names: feature columns, in the order the model will have them.
        segments: columns to break results down by.

    Raises:
        ModelInputError: a column is missing, or the feature rows repeat an account and night.
    """
    missing = [name for name in (*names, *segments) if name not in features.column_names]
    if missing:
        raise ModelInputError(
            f"the feature rows lack {', '.join(missing)}", "run the features step for those nights"
        )
    at = features.select(["account_id"]).append_column("date", features["date"].cast(pa.date32()))
    at = at.append_column("position", pa.array(np.arange(features.num_rows)))
    joined = plan.rows.join(at, ["account_id", "date"], join_type="inner")
    if joined.num_rows != joined.group_by(["account_id", "date"]).aggregate([]).num_rows:
        raise ModelInputError(
            "the feature rows hold an account twice in one night",
            "run the features step for that night again",
        )
    joined = joined.sort_by([("account_id", "ascending"), ("date", "ascending")])
    chosen = features.take(joined["position"].combine_chunks())
    table = joined.select(ROW_COLUMNS.names).cast(ROW_COLUMNS)
    for name in segments:
        table = table.append_column(name, chosen[name].cast(pa.string()))
    for name in names:
        table = table.append_column(name, as_evidence(chosen[name]))
    counts = {**plan.counts, "planned_rows_without_features": len(plan.rows) - table.num_rows}
    return TrainingSet(table.combine_chunks(), tuple(names), plan.night, counts, tuple(segments))


def concatenate(sets: dict[str, TrainingSet]) -> TrainingSet:
    """Several worlds as one set: each world's accounts and groups get its name before theirs."""
    first = next(iter(sets.values()))
    tables = []
    counts: dict[str, int] = {}
    for world, part in sets.items():
        if (part.features, part.segments) != (first.features, first.segments):
            raise ModelInputError(f"world {world} has other features than the first")
        table = part.table
        for name in ("account_id", "group", "campaign"):
            named = pc.binary_join_element_wise(pa.scalar(world), table[name], "/")
            table = table.set_column(table.column_names.index(name), name, named)
        tables.append(table)
        for key, value in part.counts.items():
            counts[key] = counts.get(key, 0) + value
    table = pa.concat_tables(tables).sort_by([("account_id", "ascending"), ("date", "ascending")])
    night = max(part.night for part in sets.values())
    return TrainingSet(table.combine_chunks(), first.features, night, counts, first.segments)


def joined(one: TrainingSet, other: TrainingSet) -> TrainingSet:
    """The rows of both, which have no account and night in common; night and counts of the first.

    Raises:
        ModelInputError: they have other columns.
    """
    if one.table.column_names != other.table.column_names:
        raise ModelInputError("the two sets of rows have other columns")
    table = pa.concat_tables([one.table, other.table])
    table = table.sort_by([("account_id", "ascending"), ("date", "ascending")])
    return replace(one, table=table.combine_chunks())


def as_evidence(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A feature column as float64; what is not a finite number is null: evidence unavailable."""
    numbers = column.cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))


def lots(names: np.ndarray) -> np.ndarray:
    """A fixed number in [0, 1) for each of (n,) strings: the same today and tomorrow."""
    # 53 bits are what a double holds, so that the largest stays below 1.
    return (_hashes(names) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _hashes(names: np.ndarray) -> np.ndarray:
    return pd.util.hash_array(np.asarray(names, dtype=object), categorize=False).astype(np.uint64)


def _until(presence: pa.Table, night: date) -> pa.Table:
    """account_id, day (days since 1970) and campaign_id of each account and night seen by then."""
    seen = presence.select(["account_id"])
    seen = seen.append_column("day", presence["date"].cast(pa.date32()).cast(pa.int32()))
    campaign = (
        presence["campaign_id"]
        if "campaign_id" in presence.column_names
        else pa.nulls(presence.num_rows, pa.string())
    )
    seen = seen.append_column("campaign_id", campaign)
    return seen.filter(pc.less_equal(seen["day"], days(night)))


def _among(column: pa.ChunkedArray, wanted: Sequence[object] | np.ndarray) -> pa.ChunkedArray:
    """Which values of the column are wanted ones, as booleans; null is none."""
    return pc.is_in(column, value_set=pa.array(wanted, column.type))


def _frame(seen: pa.Table) -> pd.DataFrame:
    """One row an account and night, in that order; of two campaigns the first by name."""
    frame = pd.DataFrame(
        {
            "account_id": seen["account_id"].to_numpy(),
            "day": seen["day"].to_numpy().astype(np.int64),
            "campaign_id": seen["campaign_id"].to_pandas().to_numpy(dtype=object, na_value=None),
        }
    )
    frame = frame.sort_values(["account_id", "day", "campaign_id"], kind="stable")
    return frame.drop_duplicates(["account_id", "day"]).reset_index(drop=True)


def _evidence_rows(
    known: pd.DataFrame, seen: pd.DataFrame, night: date, sampling: Sampling
) -> pd.DataFrame:
    """The labelled accounts' nights: the latest at or before the label, and some before it.

    An account seen only after it was labelled (the lake began later) has its first night instead.
    """
    pairs = seen.merge(known, on="account_id", how="inner")
    limit = np.minimum(pairs["labelled_on"], days(night))
    before = pairs[pairs["day"] <= limit]
    evidence = before.groupby("account_id")["day"].max()
    later = pairs[~pairs["account_id"].isin(evidence.index)]
    evidence = pd.concat([evidence, later.groupby("account_id")["day"].min()])
    pairs["evidence"] = pairs["account_id"].map(evidence)
    chosen = []
    for nights in sampling.evidence_nights_before:
        old = pairs[pairs["day"] <= pairs["evidence"] - nights]
        chosen.append(old.loc[old.groupby("account_id")["day"].idxmax()])
    rows = pd.concat(chosen).drop_duplicates(["account_id", "day"])
    return rows.sort_values(["account_id", "day"], kind="stable").reset_index(drop=True)


def _groups_of_labelled(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """(group, campaign) of each row: people's name, else that of the detected campaign, else none.

    A detected campaign in which people named accounts takes the name most of them have.
    """
    named = rows[(rows["campaign"] != "") & rows["campaign_id"].notna()]
    votes = named.groupby(["campaign_id", "campaign"]).size().reset_index(name="votes")
    votes = votes.sort_values(["campaign_id", "votes", "campaign"], ascending=[True, False, True])
    name_of = votes.drop_duplicates("campaign_id").set_index("campaign_id")["campaign"]
    detected = rows["campaign_id"].map(name_of).fillna(rows["campaign_id"])
    # One account, one group: its last night decides, when it moved between detected campaigns.
    detected = detected.groupby(rows["account_id"]).transform("last")
    campaign = rows["campaign"].where(rows["campaign"] != "", detected)
    campaign = campaign.astype(object).where(campaign.notna(), None)
    group = campaign.where(campaign.notna(), "account:" + rows["account_id"])
    return group, campaign


def _labelled_weights(rows: pd.DataFrame, sampling: Sampling) -> pd.Series:
    """Confidence, shared by the account's nights, damped by the campaign's size."""
    confidence = rows["confidence"].fillna(1.0).clip(lower=sampling.least_confidence)
    nights = rows.groupby("account_id")["day"].transform("size")
    weight = confidence / nights
    # Positives without a campaign's name may well be one operation: together they count as one.
    alone = rows["campaign"].isna()
    together = rows["group"].where(~alone | (rows["label"] == BENIGN), "unnamed")
    size = weight.groupby([together, rows["label"]]).transform("sum").clip(lower=1.0)
    return weight * size ** (sampling.campaign_exponent - 1.0)


def _unlabelled_rows(
    seen: pa.Table, labelled: pd.DataFrame, night: date, sampling: Sampling
) -> tuple[pd.DataFrame, dict[str, int]]:
    """One night each of a fixed sample of unlabelled accounts, of which `seen` has all nights."""
    guilty = labelled[labelled["label"] != BENIGN]["campaign_id"].dropna().unique()
    tied = seen.filter(_among(seen["campaign_id"], guilty))["account_id"].unique()
    counts = {"tied_to_labelled_campaign": len(tied)}
    rest = seen.filter(pc.invert(_among(seen["account_id"], tied)))
    names = rest["account_id"].unique()
    accounts = len(names)
    share = min(1.0, sampling.unlabelled_accounts / max(accounts, 1))
    lucky = names.filter(pa.array(lots(names.to_numpy(zero_copy_only=False)) < share))
    # Windows fill up over a lake's first weeks. Were the unlabelled seen only on the last night,
    # a short history would look like guilt; so they are drawn from the nights of the evidence.
    nights = np.union1d(labelled["day"].unique(), [days(night)])
    drawn = _frame(
        rest.filter(pc.and_(_among(rest["account_id"], lucky), _among(rest["day"], nights)))
    )
    drawn["lot"] = _mixed(_hashes(drawn["account_id"].to_numpy()), drawn["day"].to_numpy())
    drawn = drawn.sort_values(["account_id", "lot"], kind="stable").drop_duplicates("account_id")
    counts["unlabelled_accounts"] = accounts
    counts["unlabelled_drawn"] = len(drawn)
    drawn["label"] = BENIGN
    drawn["origin"] = FROM_UNLABELLED
    drawn["weight"] = sampling.unlabelled_weight
    drawn["represents"] = accounts / max(len(drawn), 1)
    drawn["campaign"] = drawn["campaign_id"]
    drawn["group"] = drawn["campaign_id"].where(
        drawn["campaign_id"].notna(), "account:" + drawn["account_id"]
    )
    drawn["known_on"] = days(night)
    return drawn.drop(columns="lot"), counts


def _mixed(identity: np.ndarray, day: np.ndarray) -> np.ndarray:
    """One 64-bit number an account and day (the splitmix64 finaliser)."""
    with np.errstate(over="ignore"):
        x = identity + day.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def _row_table(rows: pd.DataFrame) -> pa.Table:
    def dates(name: str) -> pa.Array:
        return pa.array(rows[name].to_numpy(np.int32), pa.int32()).cast(pa.date32())

    columns = {
        "account_id": pa.array(rows["account_id"], pa.string()),
        "date": dates("day"),
        "label": pa.array(rows["label"], pa.string()),
        "group": pa.array(rows["group"], pa.string()),
        "campaign": pa.array(rows["campaign"].astype(object), pa.string(), from_pandas=True),
        "origin": pa.array(rows["origin"], pa.string()),
        "known": dates("known_on"),
        "weight": pa.array(rows["weight"].to_numpy(np.float64)),
        "represents": pa.array(rows["represents"].to_numpy(np.float64)),
    }
    return pa.table(columns, schema=ROW_COLUMNS)
