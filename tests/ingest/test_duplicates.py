"""Which records repeat another: within a file, across files, and across the nights before."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landing_days import NIGHT, LandingDays, account, ingest, label, request
from pyspark.sql import functions as F

from jobs.catalog.landing import REQUESTS
from jobs.ingest.duplicates import without_duplicates
from jobs.ingest.treatment import key_hash
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from jobs.platform.storage import Place

DAYS = [NIGHT - dt.timedelta(days=n) for n in range(5)]


def test_the_first_of_equal_ids_is_kept(session, tmp_path):
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/a.jsonl", [request(1, output_tokens=1), request(2), request(1)])
    landing.put("requests/b.parquet", [request(3), request(2), request(1)])
    landing.put("accounts/a.jsonl", [account(1, plan="free"), account(1, plan="enterprise")])
    done = ingest(session, landing.root, tmp_path / "lake")
    assert done.requests()["r1"]["output_tokens"] == 1
    assert done.counts() == {
        "requests/a.jsonl": (3, 2, 0, 1),
        "requests/b.parquet": (3, 1, 0, 2),
        "accounts/a.jsonl": (2, 1, 0, 1),
    }
    assert [row["plan"] for row in done.rows("accounts")] == ["free"]


def test_a_refused_record_takes_no_other_s_place(session, tmp_path):
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/a.jsonl", [request(1, input_tokens=-1), request(1), request(1)])
    done = ingest(session, landing.root, tmp_path / "lake")
    assert done.counts() == {"requests/a.jsonl": (3, 1, 1, 1)}
    assert set(done.requests()) == {"r1"}


def test_requests_are_compared_with_three_nights_labels_with_all(session, tmp_path):
    landing = LandingDays(tmp_path / "landing")
    lake = tmp_path / "lake"
    for n, date in enumerate(reversed(DAYS)):
        landing.quiet(date)
        time = f"{date.isoformat()}T01:00:00Z"
        landing.put("requests/a.jsonl", [request("every", timestamp=time),
                                         request(f"of{n}", timestamp=time)], date)  # fmt: skip
        landing.put("accounts/a.jsonl", [account(1)], date)
        landing.put("labels/a.jsonl", [label(1, labelled_at="2026-04-01T00:00:00Z"),
                                       label(n, labelled_at=time)], date)  # fmt: skip
        done = ingest(session, landing.root, lake, date)
    kept = [set(done.requests(date)) for date in reversed(DAYS)]
    # Kept on the first night; a duplicate on three; then no night in reach holds it.
    assert kept == [{"revery", "rof0"}, {"rof1"}, {"rof2"}, {"rof3"}, {"revery", "rof4"}]
    assert [len(done.rows("labels", date)) for date in reversed(DAYS)] == [2, 1, 1, 1, 1]
    assert [len(done.rows("accounts", date)) for date in DAYS] == [1] * 5
    # An old night again compares with the nights before it, not with those after.
    ingest(session, landing.root, lake, DAYS[3])
    assert [set(done.requests(date)) for date in reversed(DAYS)] == kept


def test_a_whole_day_that_arrives_twice_counts_once(session, tmp_path):
    landing = LandingDays(tmp_path / "landing")
    landing.quiet()
    records = [request(n) for n in range(500)]
    landing.put("requests/a.parquet", records)
    landing.put("requests/b.jsonl.gz", records)
    done = ingest(session, landing.root, tmp_path / "lake")
    assert done.counts() == {
        "requests/a.parquet": (500, 500, 0, 0), "requests/b.jsonl.gz": (500, 0, 0, 500),
    }  # fmt: skip
    assert len(done.requests()) == 500


ids = st.integers(0, 12)
days_of_files = st.lists(
    st.lists(st.lists(ids, max_size=8), min_size=1, max_size=3), min_size=5, max_size=5
)


@given(days_of_files)
@settings(max_examples=8,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_as_a_naive_reader_would(session, tmp_path, fill, days):
    """Five nights of files of ids against a list of what each night kept."""
    root = Path(tempfile.mkdtemp(dir=tmp_path))
    lake = Lake(Settings(lake=str(root / "lake")), session)
    kept: list[set[str]] = []
    for files, date in zip(days, reversed(DAYS), strict=True):
        records = [(file_no, line, f"r{n}") for file_no, file in enumerate(files)
                   for line, n in enumerate(file, start=1)]  # fmt: skip
        seen = set().union(*kept[-3:])
        doubled = set()
        for file_no, line, name in records:
            if name in seen:
                doubled.add((file_no, line))
            seen.add(name)
        kept.append({name for file_no, line, name in records if (file_no, line) not in doubled})
        frame = session.createDataFrame(records, "file_no int, line long, request_id string")
        # Records come from an engine in any order.
        frame = frame.orderBy(F.xxhash64("request_id", "line")).withColumn(
            "key_hash", key_hash(REQUESTS)
        )
        found, places = without_duplicates(lake, REQUESTS, frame, date, Place(str(root)))
        assert {(row["file_no"], row["line"]) for row in places.to_pylist()} == doubled
        ids_found = found.select("request_id").toArrow()["request_id"].to_pylist()
        assert sorted(ids_found) == sorted(kept[-1])
        fill(lake, "requests", date, [{"request_id": name} for name in sorted(kept[-1])])


def test_unequal_ids_of_one_hash_are_no_duplicates(session, tmp_path):
    frame = session.createDataFrame(
        [(0, 1, "a", 7), (0, 2, "b", 7), (0, 3, "a", 7)],
        "file_no int, line long, request_id string, key_hash long",
    )
    lake = Lake(Settings(lake=str(tmp_path / "lake")), session)
    found, places = without_duplicates(lake, REQUESTS, frame, NIGHT, Place(str(tmp_path)))
    assert places.to_pylist() == [{"file_no": 0, "line": 3}]
    assert found.count() == 2
