"""One writer at a time in a lake in an object store: a lease on one small object.

The object is made by a put that fails where it is there, and kept by its holder, who writes it
anew every BEAT_SECONDS under the condition that it is still the holder's. Who waits takes it over
when it has not changed for LEASE_SECONDS by the waiter's own clock, so that clocks of machines
are never compared and a killed run blocks no longer than that. (Gray and Cheriton, 1989.)

It is needed although Delta finds out about two writers by itself: what Apache Spark commits to a
store is no conditional put, and of two commits at once one would be gone without a word.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jobs.platform import storage
from jobs.platform.errors import LakeError

#: A run may stand still for this long, as while one call holds the interpreter, and keep its lease.
LEASE_SECONDS = 300.0
BEAT_SECONDS = 20.0
#: How often a waiting run looks.
LOOK_SECONDS = 5.0
logger = logging.getLogger(__name__)


@contextmanager
def held(lake: storage.Place, name: str = "lease") -> Iterator[None]:
    """Wait for the lake's lease of that name, and keep it until the end.

    Raises:
        LakeError: the store can't be written, or somebody else took the lease over because this
            process, or its way to the store, stood still for too long.
    """
    lease = _Lease(lake, name)
    with _readable(lake):
        lease.take()
    beat = threading.Thread(target=lease.keep, daemon=True)
    beat.start()
    try:
        yield
    except KeyboardInterrupt:
        if lease.lost.is_set():
            raise LakeError(
                f"another run took over the lake {lake} while this one stood still; run the same "
                "night again"
            ) from None
        raise
    finally:
        lease.over.set()
        beat.join()
        with _readable(lake):
            lease.give_back()


class _Lease:
    def __init__(self, lake: storage.Place, name: str) -> None:
        bucket, _, folder = (
            (lake / "_stillwatch" / name).address.removeprefix(storage.STORE).partition("/")
        )
        self._object = {"Bucket": bucket, "Key": folder}
        self._holder = {
            "holder": uuid.uuid4().hex,
            "process": f"{socket.gethostname()} {os.getpid()}",
        }
        self._beats = 0
        self._tag = ""
        self._client = _client()
        self.lost = threading.Event()
        self.over = threading.Event()

    def take(self) -> None:
        """Make the object, or wait until it is gone or nobody writes it any more."""
        seen, since = "", time.monotonic()
        while not self._put(IfNoneMatch="*"):
            tag, holder = self._look()
            if tag != seen:
                if not seen and tag:
                    logger.warning("waiting for another run on this lake (%s)", holder)
                seen, since = tag, time.monotonic()
            elif tag and time.monotonic() - since >= LEASE_SECONDS and self._put(IfMatch=tag):
                return
            if tag:
                time.sleep(LOOK_SECONDS)

    def keep(self) -> None:
        """Write the object anew until it is over; end the run where that can't be done."""
        renewed = time.monotonic()
        while not self.over.wait(BEAT_SECONDS):
            try:
                mine = self._put(IfMatch=self._tag)
            except Exception:
                # The store may be back before anybody else thinks that this run is dead.
                mine = time.monotonic() - renewed < LEASE_SECONDS / 2
            else:
                renewed = time.monotonic()
            if not mine:
                self.lost.set()
                # A signal, since the main thread mostly waits for an engine.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return

    def give_back(self) -> None:
        if not self.lost.is_set():
            self._client.delete_object(**self._object)

    def _put(self, **condition: str) -> bool:
        """Write the object if the condition holds; whether it did."""
        from botocore.exceptions import ClientError

        self._beats += 1
        body = json.dumps({**self._holder, "beat": self._beats}).encode()
        try:
            self._tag = self._client.put_object(**self._object, Body=body, **condition)["ETag"]
        except ClientError as refused:
            # 409: two conditional writes at the same moment; 404: gone before it could be replaced.
            if _status(refused) in (404, 409, 412) and _code(refused) != "NoSuchBucket":
                return False
            raise
        return True

    def _look(self) -> tuple[str, str]:
        """The object's tag and its holder's process; empty where it is gone."""
        from botocore.exceptions import ClientError

        try:
            found = self._client.get_object(**self._object)
        except ClientError as refused:
            if _code(refused) == "NoSuchKey":
                return "", ""
            raise
        try:
            process = str(json.loads(found["Body"].read())["process"])
        except (ValueError, KeyError):
            process = "unknown"
        return str(found["ETag"]), process


def _client() -> Any:
    import boto3
    from botocore.config import Config

    # A store of one's own seldom has a name for each bucket.
    style = {"addressing_style": "path"} if storage.endpoint() else {}
    return boto3.client(
        "s3",
        endpoint_url=storage.endpoint() or None,
        region_name=storage.region() or "us-east-1",
        config=Config(s3=style, connect_timeout=10, read_timeout=30, retries={"max_attempts": 3}),
    )


def _code(refused: Any) -> str:
    return str(refused.response.get("Error", {}).get("Code", ""))


def _status(refused: Any) -> int:
    return int(refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def _readable(lake: storage.Place) -> Iterator[None]:
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        match error:
            case NoCredentialsError() | PartialCredentialsError():
                why = "no credentials: set the AWS_ variables or give the machine a role"
            case ConnectionError():
                why = "the object store does not answer: check AWS_ENDPOINT_URL"
            case ClientError() if _code(error) == "NoSuchBucket":
                why = "there is no such bucket"
            case ClientError() if _status(error) in (401, 403):
                why = "the object store refuses: check the AWS_ variables or the machine's role"
            case ClientError():
                why = f"the object store says {_code(error)}"
            case _:
                why = type(error).__name__
        raise LakeError(f"the lake {lake} can't be written: {why}") from error
