"""One writer at a time in a lake.

On this machine's disk by a lock that the kernel lets go when its holder is killed; in an object
store by a lease (jobs/platform/lease.py).
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.platform.errors import LakeError
from jobs.platform.storage import Place

logger = logging.getLogger(__name__)


@contextmanager
def sole_writer(lake: Place) -> Iterator[None]:
    """Wait until nobody else writes to the lake, and keep others waiting until the end.

    Raises:
        LakeError: the lake can't be made or written.
    """
    with _held(lake, "lock", "lease"):
        yield


@contextmanager
def sole_decider(lake: Place) -> Iterator[None]:
    """Wait until no other person's decision is being written, and keep others waiting until the
    end. It is apart from `sole_writer`, so that people decide while a night runs: no step of a
    night writes to their tables but the draw of second reviews, which takes this one for it.

    Raises:
        LakeError: the lake can't be made or written.
    """
    with _held(lake, "desk.lock", "desk.lease"):
        yield


@contextmanager
def _held(lake: Place, file: str, leased: str) -> Iterator[None]:
    if lake.in_store:
        from jobs.platform import lease

        with lease.held(lake, leased):
            yield
        return
    path = Path(lake.address) / "_stillwatch" / file
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
