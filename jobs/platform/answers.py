"""What to do about an answer of Sail's that PySpark can't read: ask for it again."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import grpc
from pyspark.sql.connect.client.retries import RetryPolicy


class AskAgain(RetryPolicy):
    """Asks three times more when the bytes of an answer are no message of the protocol.

    That was seen on loaded machines, of answers of some hundred bytes (docs/stack.md). Settings and
    plans may be asked for at will. What is executed is answered in a stream, and Sail forgets what
    it executes when its stream ends: that goes wrong as before, and so does the night's step.
    """

    def __init__(self) -> None:
        super().__init__(max_retries=3, initial_backoff=50, backoff_multiplier=4.0)

    def can_retry(self, exception: BaseException) -> bool:
        return (
            isinstance(exception, grpc.RpcError)
            and exception.code() is grpc.StatusCode.INTERNAL
            and exception.details() == "Exception deserializing response!"
            and not isinstance(exception, Iterator)
        )


def in_one_line(record: logging.LogRecord) -> bool:
    """A filter for what gRPC logs about such an answer: it would print a traceback."""
    if record.getMessage() == "Exception deserializing message!":
        record.msg, record.exc_info = "an answer of the engine can't be read", None
    return True
