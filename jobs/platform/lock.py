"""One writer at a time in a lake on this machine's disk; the kernel lets go when it is killed."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.platform.errors import LakeError

logger = logging.getLogger(__name__)


@contextmanager
def sole_writer(lake: Path) -> Iterator[None]:
    """Wait until nobody else writes to the lake, and keep others waiting until the end.

    Raises:
        LakeError: the lake can't be made or written.
    """
    path = lake / "_stillwatch" / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+")
    except OSError as error:
        raise LakeError(
            f"the lake {lake} can't be written: {error.strerror}; check its owner and mode"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            logger.warning("waiting for another run on this lake (process %s)", handle.read())
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield
