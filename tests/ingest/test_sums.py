"""Nothing that landed is lost without a trace, and what a source lacked is known."""

from __future__ import annotations

import gzip
import io
import tempfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landing_days import (
    ABSENT,
    NIGHT,
    LandingDays,
    account,
    ingest,
    label,
    lines_of,
    request,
    typed_table,
)

from jobs.ingest import reading
from jobs.platform.errors import LakeError
from jobs.platform.lake import Lake

# What a line of a file may be: its bytes, and whether it is kept, refused or no record at all.
KEPT, REFUSED, NOTHING = "kept", "refused", "nothing"
line = st.one_of(
    st.just(("good", KEPT)),
    st.sampled_from([
        (b"", NOTHING), (b"\r", NOTHING), (b" ", REFUSED), (b"{}", REFUSED), (b"{", REFUSED),
        (b"\xff\xfe", REFUSED), (b"[]", REFUSED), (b'{"a":' * 200, REFUSED),
        (b'{"request_id": "r1", "request_id": "r2"}', REFUSED),
    ]),
    st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"?")).filter(
        lambda b: b.strip(b"\r") and not b.startswith(b"\xef\xbb\xbf")
    ).map(lambda b: (b, REFUSED)),
)  # fmt: skip
file = st.tuples(
    st.lists(line, max_size=15),
    st.sampled_from(["jsonl", "jsonl.gz"]),
    st.booleans(),  # ends with a line feed
)


@given(st.lists(file, min_size=2, max_size=8))
@settings(max_examples=6,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_every_line_of_dirty_files_is_kept_refused_or_doubled(session, tmp_path, files):
    root = Path(tempfile.mkdtemp(dir=tmp_path))
    landing = LandingDays(root / "landing").quiet()
    wanted, number, refused = {}, 0, 0
    for n, (lines, ending, ended) in enumerate(files):
        content = []
        for text, _ in lines:
            number += text == "good"
            content.append(lines_of([request(number)])[:-1] if text == "good" else text)
        data = b"\n".join(content) + (b"\n" if ended else b"")
        name = f"requests/{n}.{ending}"
        landing.put(name, gzip.compress(data) if ending.endswith("gz") else data)
        kinds = [kind for _, kind in lines]
        good, bad = kinds.count(KEPT), kinds.count(REFUSED)
        refused += bad
        wanted[name] = (good + bad, good, bad, 0)
    done = ingest(session, landing.root, root / "lake")
    assert done.counts() == wanted
    assert len(done.rows("quarantine")) == refused
    assert len(done.rows("requests")) == number


def test_a_damaged_file_keeps_what_stands_before_the_damage(session, tmp_path):
    records = [request(n, prompt_text=f"{n} " * 50) for n in range(2000)]
    whole = gzip.compress(lines_of(records), mtime=0)
    cut = whole[: len(whole) // 2]
    readable = zlib.decompressobj(wbits=31).decompress(cut).count(b"\n")
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/cut.jsonl.gz", cut)
    landing.put("requests/none.jsonl.gz", b"no gzip at all")
    landing.put("requests/two.jsonl.gz", gzip.compress(lines_of([request("m1")]))
                + gzip.compress(lines_of([request("m2")])))  # fmt: skip
    landing.put("requests/void.jsonl.gz", b"")
    done = ingest(session, landing.root, tmp_path / "lake")
    assert readable > 100
    assert done.counts() == {
        "requests/cut.jsonl.gz": (readable + 1, readable, 1, 0),
        "requests/none.jsonl.gz": (1, 0, 1, 0),
        "requests/two.jsonl.gz": (2, 2, 0, 0),
        "requests/void.jsonl.gz": (0, 0, 0, 0),
    }
    assert done.reasons() == {
        ("requests/cut.jsonl.gz", readable + 1): "truncated gzip: the rest of the file is missing",
        ("requests/none.jsonl.gz", 1): "damaged gzip: the rest of the file can't be read",
    }


def test_lines_longer_than_a_chunk_and_than_the_limit(session, tmp_path, monkeypatch):
    """The same file cut into chunks of every awkward size gives the same lines."""
    monkeypatch.setattr(reading, "MAX_RECORD_BYTES", 3000)
    long = lines_of([request("long", prompt_text="x" * 5000)])
    data = (lines_of([request(1)]) + long + lines_of([request(2, prompt_text="y" * 2000)])
            + b"\n" + long + lines_of([request(3)]) + long[:-1])  # fmt: skip
    over = "line of over 3,000 bytes"
    for size in (7, 1000, 4096, 10**6):
        monkeypatch.setattr(reading, "CHUNK_BYTES", size)
        root = tmp_path / str(size)
        landing = LandingDays(root / "landing").quiet()
        landing.put("requests/x.jsonl", data)
        done = ingest(session, landing.root, root / "lake")
        assert set(done.requests()) == {"r1", "r2", "r3"}
        assert {k[1]: v for k, v in done.reasons().items()} == {2: over, 5: over, 7: over}


def damaged(table: pa.Table) -> bytes:
    """Parquet with ten row groups, the pages of the seventh overwritten."""
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=table.num_rows // 10, compression="none",
                   use_dictionary=False)  # fmt: skip
    data = bytearray(sink.getvalue())
    column = pq.ParquetFile(io.BytesIO(sink.getvalue())).metadata.row_group(6).column(0)
    start = column.data_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    return bytes(data)


def test_rows_of_a_damaged_parquet_file_are_all_accounted_for(session, tmp_path):
    table = typed_table("requests", [request(n) for n in range(100)])
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/a.parquet", damaged(table))
    landing.put("requests/b.parquet", pq_bytes(table)[:-40])
    landing.put("requests/c.parquet", b"")
    landing.put("requests/d.parquet", table.slice(0, 0))
    done = ingest(session, landing.root, tmp_path / "lake")
    landed, kept, refused, doubled = done.counts()["requests/a.parquet"]
    assert (landed, doubled) == (100, 0)
    assert kept + refused == 100
    lines = {line: reason for (file, line), reason in done.reasons().items() if "/a." in file}
    assert lines == dict.fromkeys(range(61, 71), "damaged Parquet: the row can't be read")
    assert set(done.requests()) == {f"r{n}" for n in range(100) if not 60 <= n < 70}
    assert done.counts()["requests/b.parquet"] == (1, 0, 1, 0)
    assert done.reasons()["requests/b.parquet", 0].startswith("not readable as Parquet")
    assert done.reasons()["requests/c.parquet", 0].endswith("empty")
    assert done.counts()["requests/d.parquet"] == (0, 0, 0, 0)


def pq_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_a_table_that_holds_another_number_ends_the_night(session, tmp_path, monkeypatch):
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/x.jsonl", [request(1), request(2)])
    count = Lake.count
    monkeypatch.setattr(Lake, "count", lambda self, name, date: count(self, name, date)
                        - (name == "requests"))  # fmt: skip
    with pytest.raises(LakeError, match="2 records were counted and the table holds 1"):
        ingest(session, landing.root, tmp_path / "lake")


def columns_of(done, source: str) -> dict[str, dict]:
    return {row["column_name"]: row for row in done.rows("source_columns")
            if row["source"] == source}  # fmt: skip


def test_a_column_that_is_absent_or_empty_everywhere_is_unavailable(session, tmp_path):
    """As a cloud's log has them: no address, no user agent; others in some records."""
    missing = dict.fromkeys(("client_address", "user_agent"), ABSENT) | {"tls_ja4": None}
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/a.jsonl", [request(1, **missing), request(2, **missing, channel=None)])
    landing.put("requests/b.parquet", [request(3, **missing, conversation_id=ABSENT)])
    landing.put("requests/c.jsonl", [request(4, status_code=1)])  # refused, has an address
    landing.put("accounts/a.jsonl", [account(1, declared_use="none"), account(2)])
    done = ingest(session, landing.root, tmp_path / "lake")
    found = columns_of(done, "requests")
    assert len(found) == 31
    assert {name for name, row in found.items() if not row["available"]} == {
        "client_address", "user_agent", "tls_ja4"}  # fmt: skip
    assert {row["records"] for row in found.values()} == {3}
    present = {name: found[name]["present"] for name in (
        "channel", "conversation_id", "prompt_text", "tls_ja4", "timestamp")}  # fmt: skip
    assert present == {"channel": 2, "conversation_id": 2, "prompt_text": 3, "tls_ja4": 0,
                       "timestamp": 3}  # fmt: skip
    assert columns_of(done, "accounts")["declared_use"]["present"] == 1
    labels = columns_of(done, "labels")
    assert {(row["records"], row["available"]) for row in labels.values()} == {(0, False)}


def test_unknown_columns_are_counted_and_kept_out(session, tmp_path):
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/a.jsonl", [
        request(1, region="eu", **{"Jane Doe 1990": 1}), request(2, region=None), request(3),
        request(4, region="eu", status_code=1),
    ])  # fmt: skip
    landing.put("labels/a.jsonl", [label(1, note="x")])
    table = pa.table({"account_id": ["a1"], "created_at": ["2026-01-01T00:00:00Z"],
                      "region": ["eu"], "jane@example.org": [1]})  # fmt: skip
    landing.put("accounts/a.parquet", table)
    done = ingest(session, landing.root, tmp_path / "lake")
    found = {
        (row["source"], row["column_name"]): row["present"]
        for row in done.rows("source_columns") if not row["declared"]
    }  # fmt: skip
    assert found == {
        ("requests", "region"): 2, ("requests", "aaaa aaa 9999"): 1, ("labels", "note"): 1,
        ("accounts", "region"): 1, ("accounts", "aaaa@aaaaaaa.aaa"): 1,
    }  # fmt: skip
    assert "region" not in done.requests()["r1"]


def test_text_is_kept_only_where_the_setting_says_so(session, tmp_path):
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/a.jsonl", [request(1), request(2, status_code=1), request(1)])
    without = ingest(session, landing.root, tmp_path / "without")
    kept = ingest(session, landing.root, tmp_path / "with", keep_text=True)
    assert not DeltaTable.is_deltatable(str(without.root / "request_text"))
    assert kept.rows("request_text") == [{
        "date": NIGHT, "request_id": "r1", "prompt_text": request(1)["prompt_text"],
        "response_text": request(1)["response_text"],
    }]  # fmt: skip
    assert kept.rows("requests") == without.rows("requests")
    # Turned off again, the night's text goes with the night's next run.
    ingest(session, landing.root, tmp_path / "with")
    assert kept.rows("request_text") == []
