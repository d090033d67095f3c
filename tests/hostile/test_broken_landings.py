"""What a gateway, a disk or a stranger may put into the landing zone: a reason, or one line."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from landing_days import NIGHT, LandingDays, account, label, lines_of, request, typed_table

from jobs.catalog.tables import TABLES

GOOD = request(1)
FIELDS = lines_of([GOOD]).decode().strip()


def raw(**tokens: str) -> bytes:
    """A good record's line with some values replaced by raw JSON."""
    text = FIELDS
    for name, token in tokens.items():
        head, _, tail = text.partition(f'"{name}": ')
        value_end = tail.index(", ")
        text = head + f'"{name}": {token}' + tail[value_end:]
    return text.encode()


def test_no_landing_folder(stillwatch, tmp_path):
    ended = stillwatch("run", "ingest", "--date", "2026-05-03", "--landing", str(tmp_path / "no"))
    ended.is_refused_with("no landing folder at", str(tmp_path / "no"), "--landing")
    assert [name for name in TABLES if (ended.lake / name).exists()] in ([], ["run_log"])


def test_no_landing_setting(stillwatch, monkeypatch):
    monkeypatch.delenv("STILLWATCH_LANDING")
    stillwatch("night", "--date", "2026-05-03").is_refused_with("no landing folder", "--landing")


def test_nothing_landed_on_the_day(stillwatch, days):
    days.put("requests/a.jsonl", [GOOD])
    ended = stillwatch("night", "--date", "2026-05-04")
    ended.is_refused_with("nothing landed", "requests/date=2026-05-04")


def test_no_accounts_on_the_day(ingest_night, days):
    days.put("requests/a.jsonl", [GOOD])
    shutil.rmtree(days.root / "accounts")
    ended = ingest_night()
    ended.is_refused_with("nothing landed", "accounts/date=2026-05-03")
    assert not (ended.lake / "requests").exists()


@pytest.mark.parametrize("source", ["requests", "accounts"])
def test_an_empty_day(ingest_night, days, source):
    for file in days.folder(source).iterdir():
        file.unlink()
    days.put(f"{source}/notes.txt", b"x")
    ended = ingest_night()
    ended.is_refused_with("nothing landed: no .parquet, .jsonl", f"{source}/date=2026-05-03")
    assert not (ended.lake / "requests").exists()


def test_files_without_records_are_a_night_without_rows(ingest_night, days):
    shutil.rmtree(days.root)
    days.quiet()
    ended = ingest_night()
    ended.is_done()
    rows = {name: len(ended.ingested.rows(name)) for name in ("requests", "accounts", "labels",
            "quarantine", "landing_files")}  # fmt: skip
    assert rows == {"requests": 0, "accounts": 0, "labels": 0, "quarantine": 0,
                    "landing_files": 2}  # fmt: skip


def test_damaged_files_are_quarantined_and_the_rest_is_kept(ingest_night, days):
    table = typed_table("requests", [request(n) for n in range(2, 50)])
    parquet = io.BytesIO()
    pq.write_table(table, parquet)
    whole = gzip.compress(lines_of([request(n) for n in range(50, 900)]))
    days.put("requests/a.jsonl", [GOOD])
    days.put("requests/cut.parquet", parquet.getvalue()[:-100])
    days.put("requests/empty.parquet", b"")
    days.put("requests/text.parquet", b"PAR1 this is no Parquet PAR1")
    days.put("requests/cut.jsonl.gz", whole[:40])
    days.put("requests/text.jsonl.gz", FIELDS.encode())
    days.put("requests/latin.jsonl", '{"request_id": "Größe"}\n'.encode("latin-1"))
    days.put("requests/utf16.jsonl", FIELDS.encode("utf-16"))
    days.put("requests/picture.jsonl", bytes(range(256)) * 20)
    days.put("accounts/other.parquet", pa.table({"account_id": [[1], [2]], "created_at": [1, 2]}))
    ended = ingest_night()
    ended.is_done()
    assert set(ended.ingested.requests()) == {"r1"}
    by_file: dict[str, set[str]] = {}
    for (file, _), reason in ended.ingested.reasons().items():
        by_file.setdefault(file.removeprefix("requests/"), set()).add(reason)
    pictures = by_file.pop("picture.jsonl")
    assert by_file == {
        "cut.parquet": {"not readable as Parquet (ArrowInvalid): truncated or damaged"},
        "empty.parquet": {"not readable as Parquet (ArrowInvalid): empty"},
        "text.parquet": {by_file["text.parquet"].copy().pop()},
        "cut.jsonl.gz": {"truncated gzip: the rest of the file is missing"},
        "text.jsonl.gz": {"damaged gzip: the rest of the file can't be read"},
        "latin.jsonl": {"not UTF-8"},
        "utf16.jsonl": {"not UTF-8"},
        "accounts/other.parquet": {
            "account_id: not an identifier (letters, digits and ._:=/#|~- only, at most 200)"},
    }  # fmt: skip
    assert by_file["text.parquet"].pop().startswith("not readable as Parquet")
    assert pictures <= {"not UTF-8", "not a JSON object"}
    sums = [tuple(counts) for counts in ended.ingested.counts().values()]
    assert all(landed == kept + refused + doubled for landed, kept, refused, doubled in sums)


def test_two_columns_of_one_name(ingest_night, days):
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["request_id", "request_id"])
    days.put("requests/a.parquet", table)
    ended = ingest_night()
    ended.is_done()
    assert ended.ingested.reasons() == {
        ("requests/a.parquet", 0): "not readable as Parquet: two columns have the same name"
    }


def test_a_line_of_50_megabytes(ingest_night, days):
    long = lines_of([request("long", prompt_text="x" * 50_000_000)])
    days.put("requests/a.jsonl", lines_of([GOOD]) + long + lines_of([request(2)]))
    days.put("requests/b.jsonl.gz", gzip.compress(long + lines_of([request(3)]), 1))
    ended = ingest_night()
    ended.is_done()
    assert set(ended.ingested.requests()) == {"r1", "r2", "r3"}
    over = "line of over 16,777,216 bytes"
    assert ended.ingested.reasons() == {
        ("requests/a.jsonl", 2): over, ("requests/b.jsonl.gz", 1): over,
    }  # fmt: skip
    assert {row["record"] for row in ended.ingested.rows("quarantine")} == {None}


def test_a_long_line_within_the_limit_is_a_record(ingest_night, days):
    days.put("requests/a.jsonl", [request(1, prompt_text="word " * 3_000_000)])
    ended = ingest_night()
    ended.is_done()
    assert ended.ingested.requests()["r1"]["prompt_chars"] == 15_000_000


def test_json_nested_a_hundred_thousand_deep(ingest_night, days):
    n = 100_000
    days.put("requests/a.jsonl", b"\n".join([
        b"[" * n, b'{"a":' * n, b'{"a":' * n + b"1" + b"}" * n,
        raw(prompt_text=(b"[" * n + b"]" * n).decode()), FIELDS.encode(),
    ]))  # fmt: skip
    ended = ingest_night()
    ended.is_done()
    assert set(ended.ingested.requests()) == {"r1"}
    assert ended.ingested.reasons() == {
        ("requests/a.jsonl", line): "not a JSON object" for line in range(1, 5)
    }


NUMBERS = {
    "null": "missing", "-1": "outside", "-0": None, "1e2": None,
    "9223372036854775807": "not a whole number", "9223372036854775808": "not a whole number",
    "-9223372036854775808": "not a whole number", "1" + "0" * 400: "can be read",
    "1e400": "can be read", "-1e400": "can be read", "NaN": "not a JSON object",
    "Infinity": "not a JSON object", "-Infinity": "not a JSON object", "1.": "not a JSON object",
    "0x10": "not a JSON object", "01": "not a JSON object", '"NaN"': "not a whole number",
    '""': "missing", "[]": "not a whole number", "{}": "not a whole number",
    "true": "not a whole number", "100000001": "outside", "5.0": None,
}  # fmt: skip


def test_absurd_numbers_in_json(ingest_night, days):
    days.put("requests/a.jsonl", b"\n".join(
        raw(request_id=f'"n{n}"', input_tokens=token) for n, token in enumerate(NUMBERS)
    ))  # fmt: skip
    ended = ingest_night()
    ended.is_done()
    reasons = ended.ingested.reasons()
    found = {token: reasons.get(("requests/a.jsonl", n)) for n, token in enumerate(NUMBERS, 1)}
    wrong = {token: (found[token], wanted) for token, wanted in NUMBERS.items()
             if (wanted is None) != (found[token] is None) or (wanted or "") not in
             (found[token] or "")}  # fmt: skip
    assert wrong == {}
    kept = sorted(row["input_tokens"] for row in ended.ingested.requests().values())
    assert kept == [0, 5, 100]


def test_absurd_numbers_in_parquet(ingest_night, days):
    rows = [request(n, temperature=value) for n, value in enumerate(
        [float("nan"), float("inf"), float("-inf"), 1e308, -0.0, 5e-324])]  # fmt: skip
    days.put("requests/a.parquet", rows)
    days.put("requests/b.parquet", pa.table({
        **{name: [value] * 2 for name, value in request(1).items()},
        "request_id": ["u0", "u1"],
        "input_tokens": pa.array([2**63, 2**64 - 1], pa.uint64()),
    }))  # fmt: skip
    ended = ingest_night()
    ended.is_done()
    assert set(ended.ingested.requests()) == {"r4", "r5"}
    assert {line for (file, line) in ended.ingested.reasons() if "b." in file} == {1, 2}


@pytest.mark.parametrize("rows_of_their_own", [False, True])
def test_times_far_away_and_in_other_zones(ingest_night, days, monkeypatch, rows_of_their_own):
    if rows_of_their_own:
        monkeypatch.setattr("jobs.ingest.records.TYPED_ROWS", 0)
    far = [dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, tzinfo=dt.UTC),
           dt.datetime(2026, 5, 3, 12, tzinfo=dt.UTC)]  # fmt: skip
    table = typed_table("requests", [request(n) for n in range(3)])
    at = table.schema.get_field_index("timestamp")
    micro = pa.array(far, pa.timestamp("us", tz="UTC"))
    days.put("requests/a.parquet", table.set_column(at, "timestamp", micro))
    seconds = pa.array([-(2**40), 2**40, 1777809600], pa.timestamp("s"))
    tokyo = pa.array([dt.datetime(2026, 5, 3, 21)] * 3, pa.timestamp("us")).cast(
        pa.timestamp("us", tz="Asia/Tokyo"))  # fmt: skip
    ids = [pa.array([f"{name}{n}" for n in range(3)]) for name in "st"]
    for name, column, id_column in (("b", seconds, ids[0]), ("c", tokyo, ids[1])):
        changed = table.set_column(at, "timestamp", column)
        days.put(f"requests/{name}.parquet", changed.set_column(0, "request_id", id_column))
    ended = ingest_night()
    ended.is_done()
    kept = ended.ingested.requests()
    assert set(kept) == {"r2", "s2", "t0", "t1", "t2"}
    # An instant is the instant that it is, in whatever zone a file would show it.
    assert kept["t0"]["event_time"] == dt.datetime(2026, 5, 3, 21, tzinfo=dt.UTC)
    assert kept["s2"]["event_time"] == dt.datetime(2026, 5, 3, 12, tzinfo=dt.UTC)
    assert all(reason.startswith("timestamp: ") for reason in ended.ingested.reasons().values())


def test_doubled_keys_accounts_and_ids_of_strangers(ingest_night, days):
    twice = b'{"account_id": "someone_else", ' + FIELDS.encode()[1:]
    ids = ['"it\'s"', '"a\\nb"', '"\\"q\\""', '"x/../../../etc/passwd"', '"../../tables"',
           '"%2e%2e%2fetc"', '"C:\\\\Windows"']  # fmt: skip
    days.put("requests/a.jsonl", b"\n".join([twice, *(raw(request_id=name) for name in ids)]))
    days.put("requests/b.jsonl", b"\n".join(
        raw(request_id=f'"b{n}"', account_id=name) for n, name in enumerate(ids)))  # fmt: skip
    days.put("accounts/b.jsonl", [account(1, plan="free"), account(2), account(2, status="closed")])
    ended = ingest_night()
    ended.is_done()
    reasons = ended.ingested.reasons()
    assert reasons.pop(("requests/a.jsonl", 1)) == "the same key twice in a JSON object"
    assert len(reasons) == 14
    assert all(("not an identifier" in said or "shaped like" in said) for said in reasons.values())
    assert ended.ingested.counts()["accounts/b.jsonl"] == (3, 1, 0, 2)
    assert {row["account_id"]: row["plan"] for row in ended.ingested.rows("accounts")} == {
        "a1": "pay_as_you_go", "a2": "pay_as_you_go"}  # fmt: skip
    inside = {path.name for path in ended.lake.parent.iterdir()}
    assert inside == {"landing", "lake"}


def test_labels_that_contradict_and_of_unknown_accounts_are_kept(ingest_night, days):
    days.put("labels/a.jsonl", [
        label(1, label="benign"), label(1, label="distillation"),
        label(1, label="benign", source="appeal_upheld"),
        label("stranger", label="resale"), label(1, label="benign"),
    ])  # fmt: skip
    ended = ingest_night()
    ended.is_done()
    assert len(ended.ingested.rows("labels")) == 4
    assert ended.ingested.reasons() == {}


def test_what_is_no_landing_file_is_left_alone_and_said(ingest_night, days, caplog):
    days.put("requests/a.jsonl", [GOOD])
    for name in ("b.csv", "c.jsonl.tmp", ".hidden.jsonl", "_SUCCESS"):
        days.put(f"requests/{name}", b"x")
    (days.folder("requests") / "d.parquet").mkdir()
    (days.folder("requests") / "e.jsonl").symlink_to("/nonexistent")
    ended = ingest_night()
    ended.is_done()
    assert set(ended.ingested.counts()) == {"requests/a.jsonl", "accounts/a.jsonl"}
    assert "left alone 4 things" in caplog.text


def test_a_file_that_may_not_be_read_is_quarantined_whole(ingest_night, days, monkeypatch):
    from pathlib import Path

    days.put("requests/a.jsonl", [GOOD])
    days.put("requests/b.jsonl", [request(2)])
    opened = Path.open

    def refusing(self, *arguments, **named):
        if self.name == "b.jsonl":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", refusing)
    ended = ingest_night()
    ended.is_done()
    assert ended.ingested.reasons() == {
        ("requests/b.jsonl", 0): "can't be opened (Permission denied)"
    }


def test_a_date_that_is_none(stillwatch, days: LandingDays):
    for date in ("2026-13-01", "yesterday", "../../etc"):
        ended = stillwatch("run", "ingest", "--date", date)
        assert ended.code == 2
        assert not any("Traceback" in line for line in ended.said)
    assert days.folder("requests", NIGHT).exists()
