"""What an engine, delta-rs or an object store says when something is wrong, in words for whoever
runs the command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from jobs.platform.errors import LakeError


@contextmanager
def readable_errors(what: str) -> Iterator[None]:
    """Turn what an engine or delta-rs raises into one line."""
    try:
        yield
    except LakeError:
        raise
    except Exception as error:
        raise readable(error, what) from error


_KNOWN_FAULTS = (
    ("loading credentials|InvalidAccessKeyId|SignatureDoesNotMatch|403 Forbidden",
     "the object store refuses: check the AWS_ variables or the machine's role"),
    ("NoSuchBucket", "there is no such bucket"),
    ("error sending request|Connection refused|ConnectException|connection error",
     "the object store does not answer: check AWS_ENDPOINT_URL"),
    ("No space left|os error 28|StorageFull", "no space left on the device; free some and run "
     "the same night again"),
    ("Permission denied|Read-only file system|os error 13|os error 30|AccessDenied",
     "it may not be written to; check its owner and mode"),
    ("CHECK constraint|Check constraint|DELTA_VIOLATE_CONSTRAINT|declared_[0-9a-f]{8}|Invariant|"
     "NOT NULL|failed validation check",
     "a row breaks what the catalogue declares"),
    ("ConcurrentAppend|ConcurrentModification|concurrent|CommitFailed|Failed to commit",
     "something else wrote to it at the same time; run the same night again"),
    ("Exception deserializing response",
     "an answer of the engine can't be read; run the same night again"),
)  # fmt: skip


def readable(error: Exception, what: str) -> LakeError:
    """What went wrong, in one line that begins with `what`."""
    text = " ".join(str(error).split())
    for pattern, said in _KNOWN_FAULTS:
        if re.search(pattern, text):
            return LakeError(f"{what}: {said}")
    return LakeError(f"{what}: {type(error).__name__}: {text[:200]}")
