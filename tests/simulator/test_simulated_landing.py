"""What lands: the contract's columns and types, all formats, dirt as counted, no truth."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from landing_reader import (
    CONTRACT,
    WORDS,
    Simulated,
    audit,
    fits,
    moment,
    partitions,
    records,
    verdict,
)

from jobs.simulator import FORMATS, WorldSettings, simulate

KINDS = {
    "string": pa.string(),
    "int": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


@pytest.mark.parametrize("source", ["requests", "accounts"])
def test_all_formats_land_side_by_side_each_day(simulated: Simulated, source: str) -> None:
    days = partitions(simulated.landing, source)
    start = simulated.settings.start
    assert [day for day, _ in days] == [start + timedelta(days=i) for i in range(7)]
    for _, folder in days:
        names = [path.name for path in folder.iterdir()]
        for ending in FORMATS:
            assert any(name.endswith(f".{ending}") for name in names), (folder, ending)


@pytest.mark.parametrize("source", list(CONTRACT))
def test_parquet_has_the_contracts_columns_types_and_order(
    simulated: Simulated, source: str
) -> None:
    checked = 0
    for path in sorted((simulated.landing / source).rglob("*.parquet")):
        if path.stem.endswith("-r"):  # the files whose types are wrong on purpose
            continue
        schema = pq.read_schema(path)
        known = [name for name in schema.names if name in CONTRACT[source]]
        assert known == [name for name in CONTRACT[source] if name in known]
        for name in known:
            assert schema.field(name).type == KINDS[CONTRACT[source][name][0]], (path, name)
        checked += 1
    assert checked


@pytest.mark.parametrize("source", list(CONTRACT))
def test_kept_records_follow_the_contract(simulated: Simulated, source: str) -> None:
    seen: Counter[str] = Counter()
    for _, folder in partitions(simulated.landing, source):
        for _, record in records(folder):
            if record is None or verdict(record, source) != "kept":
                continue
            seen.update(list(record))
            for name, words in WORDS.items():
                if name in record and name in CONTRACT[source]:
                    assert record[name] in words
            for name, (kind, _) in CONTRACT[source].items():
                if kind == "int" and name in record and fits(record[name], kind):
                    assert record[name] >= 0
    assert set(CONTRACT[source]) <= set(seen), "a column of the contract never lands"


def test_gateways_lack_what_real_ones_lack(simulated: Simulated) -> None:
    columns: dict[str, set[str]] = defaultdict(set)
    for _, folder in partitions(simulated.landing, "requests"):
        for name, record in records(folder):
            columns[name.split("-")[0]] |= set(record or {})
    address = {"client_address", "client_asn", "user_agent", "tls_ja4"}
    assert not columns["harbor"] & address
    assert not columns["summit"] & {"conversation_id", "turn_index"}
    assert not columns["transit"] & {"organization_id", "api_key_id", "system_prompt_hash"}
    assert address <= columns["edge"]
    assert columns["transit"] - set(CONTRACT["requests"]) == {"otel_scope"}


def test_one_cloud_writes_addresses_as_tokens(simulated: Simulated) -> None:
    for _, folder in partitions(simulated.landing, "requests"):
        for path in folder.glob("*.parquet"):
            tokens = pc.starts_with(pq.read_table(path)["client_address"], "tok_")
            assert pc.all(tokens).as_py() is path.name.startswith("summit")


@pytest.mark.parametrize("source", ["requests", "accounts"])
def test_dirt_counts_match_what_can_be_counted_in_the_files(
    simulated: Simulated, source: str
) -> None:
    stated = [row for row in simulated.known("dirt").to_pylist() if row["source"] == source]
    counted = audit(simulated.landing, source)
    assert [row["date"] for row in stated] == [row["date"] for row in counted]
    names = ["landed", "kept", "malformed", "wrong_type", "missing_required", "out_of_range"]
    names += ["duplicates_within_day", "duplicates_across_days", "late"]
    for said, found in zip(stated, counted, strict=True):
        assert {n: said[n] for n in names} == {n: found.get(n, 0) for n in names}
    total = {name: sum(row.get(name, 0) for row in counted) for name in names}
    wanted = names[2:] if source == "requests" else ["malformed", "duplicates_within_day"]
    assert all(total[name] > 0 for name in wanted), total


def test_late_records_come_one_to_three_days_late(simulated: Simulated) -> None:
    lags: Counter[int] = Counter()
    for day, folder in partitions(simulated.landing, "requests"):
        for _, record in records(folder):
            if verdict(record, "requests") == "kept" and record is not None:
                lags[(day - moment(record["timestamp"]).date()).days] += 1
    assert set(lags) == {0, 1, 2, 3}
    assert lags[0] > 20 * sum(count for lag, count in lags.items() if lag)


def test_snapshots_are_full_and_status_follows_bans(simulated: Simulated) -> None:
    suspended: Counter[str] = Counter()
    before: set[str] = set()
    for day, folder in partitions(simulated.landing, "accounts"):
        today = {}
        for _, record in records(folder):
            if verdict(record, "accounts") == "kept" and record is not None:
                today[record["account_id"]] = record
        assert before <= set(today), "an account vanished from the snapshot"
        before = set(today)
        assert all(moment(r["created_at"]).date() <= day for r in today.values())
        suspended[str(day)] = sum(r["status"] == "suspended" for r in today.values())
    assert list(suspended.values()) == sorted(suspended.values())
    assert suspended[max(suspended)] > 0


def test_no_record_tells_the_truth(simulated: Simulated) -> None:
    """Neither names of the truth nor orderings give a campaign away."""
    campaigns = simulated.known("campaigns").to_pylist()
    telling = {row["campaign"].lower() for row in campaigns} | {row["tactic"] for row in campaigns}
    telling |= {"hobbyist", "look-alike", "lookalike", "simulat", "honest", "founder"}
    for source in ("requests", "accounts", "labels"):
        for _, folder in partitions(simulated.landing, source):
            for name, record in records(folder):
                text = f"{name} {record}".lower() if source != "requests" else ""
                if source == "requests" and record:
                    text = " ".join(str(v) for k, v in record.items() if "text" not in k).lower()
                assert not any(word in text for word in telling), (name, text[:300])


def test_members_of_a_campaign_are_spread_over_the_files(simulated: Simulated) -> None:
    accounts = simulated.known("accounts").to_pylist()
    members = {r["account_id"] for r in accounts if r["class"] == "distillation"}
    _, folder = partitions(simulated.landing, "accounts")[-1]
    ids = [r["account_id"] for name, r in records(folder) if r and "account_id" in r]
    flags = [account in members for account in ids]
    runs = 1 + sum(a != b for a, b in pairwise(flags))
    share = sum(flags) / len(flags)
    assert runs > 0.7 * 2 * share * (1 - share) * len(flags)  # as many as chance makes


def test_truth_counts_the_kept_requests(simulated: Simulated) -> None:
    exchanges = simulated.known("exchanges")
    kept = sum(r["kept"] for r in simulated.known("dirt").to_pylist() if r["source"] == "requests")
    assert pc.sum(exchanges["requests"]).as_py() == kept == simulated.summary.requests
    seen: Counter[tuple[str, str]] = Counter()
    keys = set()
    for day, folder in partitions(simulated.landing, "requests"):
        for _, record in records(folder):
            if verdict(record, "requests") != "kept" or record is None:
                continue
            if record["request_id"] not in keys:
                keys.add(record["request_id"])
                seen[str(day), record["account_id"]] += 1
    stated = {(str(r["date"]), r["account_id"]): r["requests"] for r in exchanges.to_pylist()}
    assert stated == dict(seen)


def test_without_dirt_or_text_everything_is_kept(tmp_path) -> None:
    settings = WorldSettings(days=2, accounts=120, dirt=False, text=False, formats=("parquet",))
    simulate(tmp_path / "l", tmp_path / "t", settings)
    assert {p.suffix for p in (tmp_path / "l").rglob("*.*")} == {".parquet"}
    for row in audit(tmp_path / "l", "requests"):
        assert row["landed"] == row["kept"]
        assert row.get("late", 0) == 0
    for path in (tmp_path / "l" / "requests").rglob("*.parquet"):
        assert "prompt_text" not in pq.read_schema(path).names


def test_a_second_world_does_not_go_into_the_same_folder(tmp_path) -> None:
    settings = WorldSettings(days=1, accounts=60)
    simulate(tmp_path / "l", tmp_path / "t", settings)
    with pytest.raises(FileExistsError, match="holds a landing already"):
        simulate(tmp_path / "l", tmp_path / "t", settings)
