"""Cells and lines of hostile text: nothing runs, nothing breaks out, and every value comes back."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata

import pyarrow as pa
import pytest
from hostile_texts import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.outputs.formats import json_lines
from jobs.outputs.text import csv_head, csv_lines, csv_value, plain_texts, text_bytes
from jobs.plain_text import plain

FORMULA = "=+-@＝＋－＠﹦﹢﹣﹫"


def as_csv(texts: list[str]) -> tuple[bytes, list[list[str]]]:
    batch = pa.record_batch({
        "text": pa.array(texts, pa.string()),
        "list": pa.array([[text, None] for text in texts], pa.list_(pa.string())),
    })  # fmt: skip
    raw = csv_head(batch.schema.names) + bytes(text_bytes(csv_lines(batch)))
    return raw, list(csv.reader(io.StringIO(raw.decode(), newline=""), strict=True))[1:]


def begins_formula(cell: str) -> bool:
    """Whether a spreadsheet that drops white space and quotes before it sees a formula."""
    bare = cell.lstrip(' "\u00a0\u3000\t\r\n')
    return bare[:1] != "" and bare[0] in FORMULA


class TestCsv:
    @pytest.mark.parametrize("text", HOSTILE)
    def test_no_cell_begins_a_formula_for_either_separator(self, text):
        raw, (cells,) = as_csv([text])
        assert not any(begins_formula(cell) for cell in cells)
        for separator in ";\t":
            pieces = raw.decode().splitlines()[1].split(separator)
            assert not any(begins_formula(piece) for piece in pieces[1:])

    @pytest.mark.parametrize("text", HOSTILE)
    def test_no_cell_holds_a_control_or_direction_character(self, text):
        raw, _ = as_csv([text])
        body = raw.decode().replace("\r\n", "")
        assert [c for c in body if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")] == []
        assert len(raw.decode().splitlines()) == 2

    def test_every_value_comes_back(self):
        _, rows = as_csv(list(HOSTILE))
        assert [csv_value(cell) for cell, _ in rows] == list(HOSTILE)
        assert [json.loads(cell) for _, cell in rows] == [[text, None] for text in HOSTILE]

    @settings(max_examples=150)
    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
    def test_any_value_comes_back(self, texts):
        _, rows = as_csv(texts)
        assert [csv_value(cell) for cell, _ in rows] == texts
        assert [json.loads(cell)[0] for _, cell in rows] == texts
        assert not any(begins_formula(cell) for row in rows for cell in row)

    def test_records_are_those_of_rfc_4180(self):
        batch = pa.record_batch({
            "text": pa.array(['a "b", c', None, ""]), "number": pa.array([1.5, -2.0, None]),
            "date": pa.array([0, None, 1], pa.date32()),
        })  # fmt: skip
        assert bytes(text_bytes(csv_lines(batch))) == (
            b'"a ""b"", c",1.5,"1970-01-01"\r\n,-2,\r\n"",,"1970-01-02"\r\n'
        )


class TestJsonLines:
    def test_each_record_is_one_line_and_unchanged(self):
        batch = pa.record_batch({
            "text": pa.array([*HOSTILE, None]),
            "list": pa.array([*([text, None] for text in HOSTILE), None]),
            "number": pa.array([float("nan"), 0.1, *[1e20] * (len(HOSTILE) - 1)]),
            "yes": pa.array([True] * (len(HOSTILE) + 1)),
            "at": pa.array([1_500_000] * (len(HOSTILE) + 1), pa.timestamp("us", "UTC")),
        })  # fmt: skip
        lines = bytes(text_bytes(json_lines(batch))).decode().splitlines()
        read = [json.loads(line) for line in lines]
        assert [row["text"] for row in read] == [*HOSTILE, None]
        assert [row["list"] for row in read] == [*([text, None] for text in HOSTILE), None]
        assert [row["number"] for row in read[:3]] == [None, 0.1, 1e20]
        assert (read[0]["yes"], read[0]["at"]) == (True, "1970-01-01T00:00:01.500000Z")
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u202e]", "".join(lines))

    def test_slices_and_nulls_between_lists_keep_their_rows(self):
        lists = pa.array([["gone"], None, ["a", "b"], [], ["c"]], pa.list_(pa.string()))
        batch = pa.record_batch({"list": lists.slice(1)})
        assert bytes(text_bytes(json_lines(batch))) == (
            b'{"list":null}\n{"list":["a","b"]}\n{"list":[]}\n{"list":["c"]}\n'
        )


def test_text_for_people_is_short_and_on_one_line():
    assert plain("a\u202eb\r\n\x1b[2Jc", 20) == "ab [2Jc"
    assert plain("x" * 1_000_000, 10) == "x" * 9 + "…"
    column = plain_texts(pa.array(["a\u202eb\r\n\x1bc", "y" * 100_000]), 10)
    assert column.to_pylist() == ["ab c", "y" * 9 + "…"]
