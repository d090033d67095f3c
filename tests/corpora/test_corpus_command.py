"""`stillwatch corpus`: prompts of a file as counts, and files that hold none."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import corpora
from jobs.catalog.measures import WORDS
from jobs.platform.errors import StillwatchError
from jobs.platform.keys import TokenKey
from jobs.platform.lake import Lake
from jobs.platform.settings import Settings
from tests.desk.serving import command_here

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

KEY = TokenKey(bytes(range(32)))
PROMPTS = ["Who painted the ceiling?", "  ", "", "Who   PAINTED the 12 ceilings?"]


def counted(session: SparkSession, path: Path, column: str = "prompt") -> corpora.Counted:
    return corpora.count(session, "sail", corpora.described(path, column), column, KEY)


def lines(path: Path, rows: list[Any]) -> Path:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def test_each_format_gives_the_same_counts(session: SparkSession, tmp_path: Path) -> None:
    rows = [{"prompt": prompt, "answer": 3} for prompt in PROMPTS]
    plain = counted(session, lines(tmp_path / "a.jsonl", rows))
    assert (plain.prompts, plain.blank) == (2, 2)
    # painted and ceiling, painted and ceilings; "who" and "the" are too short to count.
    assert sum(plain.words) <= 4 and max(plain.words) == 2 and len(plain.words) == len(WORDS)
    assert counted(session, lines(tmp_path / "a.jsonl.gz", rows)) == plain
    pq.write_table(pa.table({"text": PROMPTS}), tmp_path / "a.parquet")
    assert counted(session, tmp_path / "a.parquet", "text") == plain


def test_words_are_counted_as_those_that_land(session: SparkSession, tmp_path: Path) -> None:
    from pyspark.sql import functions as F

    from jobs.ingest.sketching import with_sketch

    texts = [f"word{letter} about something else entirely" for letter in "abcdefgh"]
    landed = session.createDataFrame([(t, "") for t in texts], "prompt_text string, response_text "
                                     "string")  # fmt: skip
    bits = with_sketch(landed, [], KEY.sketch_seed).select(F.col("prompt_words")).toArrow()
    by_hand = [sum(b >> n & 1 for b in bits["prompt_words"].to_pylist()) for n in range(len(WORDS))]
    path = lines(tmp_path / "a.jsonl", [{"prompt": text} for text in texts])
    assert counted(session, path).words == by_hand


def raw(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data) and None


def table(**columns: Any) -> Callable[[Path], None]:
    return lambda path: pq.write_table(pa.table(columns), path)


GOOD = b'{"prompt": "one"}\n'


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        ("a.jsonl", raw(GOOD + b"{broken\n"), "line 2: not a JSON object; mend the line"),
        ("a.jsonl", raw(GOOD + b"[1]\n"), "line 2: not a JSON object"),
        ("a.jsonl", raw(GOOD + b'\n{"text": "two"}\n'), "line 3: it has no prompt; name the"),
        ("a.jsonl", raw(GOOD + b'{"prompt": "\xff"}\n'), "line 2: not UTF-8"),
        ("a.jsonl", raw(GOOD + b'{"prompt": null}\n'), "line 2: its prompt is no text"),
        ("a.jsonl", raw(GOOD + b'{"prompt": ["a"]}\n'), "line 2: its prompt is no text"),
        ("a.jsonl", raw(GOOD + b'{"prompt":\t{"a": 1}}\n'), "line 2: its prompt is no text"),
        ("a.jsonl", raw(GOOD[:-1] + GOOD), "line 1: "),
        ("a.jsonl", raw(b'{"prompt": "a", "prompt": "b"}\n'), "line 1: the same key twice"),
        ("a.jsonl.gz", raw(gzip.compress(GOOD * 9)[:-9]), "truncated gzip"),
        ("a.jsonl.gz", raw(GOOD), "damaged gzip"),
        ("a.parquet", raw(b"PAR1"), "can't be read as Parquet"),
        ("a.parquet", table(text=["a"]), "has no column prompt; it has text: name the"),
        ("a.parquet", table(prompt=[1]), "column prompt holds int64, not text"),
        ("a.parquet", table(prompt=["a", None]), "row 2: its prompt is no text"),
        ("a.txt", raw(GOOD), "is no .parquet, .jsonl, .jsonl.gz file"),
        ("a.jsonl", lambda path: None, "can't be read (No such file or directory)"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_corpus_is_refused_in_one_line(
    session: SparkSession, tmp_path: Path, name: str, write: Callable[[Path], None], said: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(StillwatchError) as refused:
        counted(session, tmp_path / name)
    assert said in str(refused.value) and "\n" not in str(refused.value)
    assert str(tmp_path / name) in str(refused.value)


@pytest.mark.parametrize("rows", [[], [{"prompt": ""}]])
def test_a_file_without_prompts_counts_none(
    session: SparkSession, tmp_path: Path, rows: list[Any]
) -> None:
    assert counted(session, lines(tmp_path / "a.jsonl", rows)).prompts == 0
    pq.write_table(pa.table({"prompt": pa.array([], pa.string())}), tmp_path / "a.parquet")
    assert counted(session, tmp_path / "a.parquet").prompts == 0


def command(lake: Path, *arguments: str, key: str = "3d" * 32) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", "corpus", *arguments, "--lake", str(lake)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "STILLWATCH_TOKEN_KEY": key},
    )  # fmt: skip


def test_a_corpus_is_added_listed_and_replaced_and_no_text_stays(
    session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def shared(_: object) -> Iterator[object]:
        yield session

    monkeypatch.setattr("jobs.night.engine_session", shared)
    lake = tmp_path / "lake"

    def here(*arguments: str, key: str = "3d" * 32) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("STILLWATCH_TOKEN_KEY", key)
        return command_here("corpus", *arguments, "--lake", str(lake))

    secret = [{"q": f"Mysterious question {n} about zanzibar"} for n in range(120)]
    first = lines(tmp_path / "first.jsonl", secret)
    second = lines(tmp_path / "second.jsonl", secret[:100])
    few = lines(tmp_path / "few.jsonl", secret[:99])
    add = ("--kind", "teaching", "--column", "q", "--date")
    assert "is no lake" in here("list").stderr
    # Once as its users start it, with an engine of its own.
    done = command(lake, "add", "own.set", str(first), *add, "2026-05-01")
    assert done.stdout == "own.set: 120 prompts, teaching, from the night of 2026-05-01 on\n"
    assert here("add", "own.set", str(second), *add, "2026-05-01").returncode == 0
    assert here("list").stdout == "own.set: 100 prompts, teaching, since 2026-05-01\n"
    refused = here("add", "own.set", str(few), *add, "2026-05-01")
    assert refused.returncode == 1
    assert refused.stderr == (
        f"stillwatch: {few} holds too few prompts with text (99): a corpus takes 100 at least\n"
    )
    other = here("add", "more", str(first), *add, "2026-05-02", key="4e" * 32)
    assert "this lake's tokens were made with key" in other.stderr
    assert "can't name a corpus" in here("add", "A B", str(first), *add, "2026-05-02").stderr
    assert here("add", "more", str(first), *add, "2026-05-01").returncode == 0
    settings = Settings(lake=str(lake))
    assert [(row["name"], row["prompts"], row["usable"]) for row in corpora.known(settings)] == [
        ("more", 120, True), ("own.set", 100, True)
    ]  # fmt: skip
    assert Lake(settings).count("corpora", dt.date(2026, 5, 1)) == 2
    stored = b"".join(path.read_bytes() for path in lake.rglob("*") if path.is_file())
    assert b"anzibar" not in stored and b"ysterious" not in stored
