"""Answers of Sail whose bytes are no message of the protocol, as they were seen on loaded machines.

The bytes are spoilt on their way from gRPC to PySpark; everything else is real.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import pyarrow as pa
import pytest
from pyspark.errors.exceptions.connect import SparkConnectGrpcException

from jobs.platform.errors import LakeError
from jobs.platform.faults import readable_errors

#: What PySpark asks with, and what needs an answer to it.
ASKED = {
    "Config": lambda session: session.conf.get("spark.sql.session.timeZone"),
    "AnalyzePlan": lambda session: session.range(3).schema.simpleString(),
}


@pytest.fixture
def spoil(session, monkeypatch) -> Callable[[str, int], list[bytes]]:
    """`spoil("Config", 2)`: the next two answers to `Config` are unreadable; gives the answers."""

    def spoilt(name: str, times: int) -> list[bytes]:
        call = getattr(session.client._stub, name)
        read = call._response_deserializer
        met: list[bytes] = []

        def reads(answer: bytes) -> object:
            met.append(answer)
            # No field has the number 0.
            return read(b"\0" + answer if len(met) <= times else answer)

        monkeypatch.setattr(call, "_response_deserializer", reads)
        return met

    return spoilt


@pytest.mark.parametrize("name", ASKED)
def test_an_unreadable_answer_is_asked_for_again_and_said_in_one_line(session, spoil, caplog, name):
    expected = ASKED[name](session)
    met = spoil(name, 1)
    with caplog.at_level(logging.ERROR):
        assert ASKED[name](session) == expected
    assert len(met) == 2
    assert [(r.getMessage(), r.exc_info) for r in caplog.records] == [
        ("an answer of the engine can't be read", None)
    ]


def test_an_answer_that_stays_unreadable_is_an_error(session, spoil):
    met = spoil("Config", 100)
    with pytest.raises(SparkConnectGrpcException), pytest.warns(match="RETRIES_EXCEEDED"):
        session.conf.get("spark.sql.session.timeZone")
    assert len(met) == 4


def test_what_is_executed_is_not_executed_twice_but_goes_wrong_in_words(session, spoil, tmp_path):
    table = str(tmp_path / "table")
    met = spoil("ExecutePlan", 1)
    with (
        pytest.raises(LakeError, match=r"^rows: an answer .* run the same night again$"),
        readable_errors("rows"),
    ):
        session.createDataFrame(pa.table({"a": [1, 2]})).write.mode("append").parquet(table)
    assert len(met) == 1
    assert session.read.parquet(table).count() <= 2
