"""Into how many pieces a cluster cuts the work: from the bytes of the day, not from a constant.

A cluster's engine needs an upper bound of pieces before it knows what a stage will write; adaptive
execution then joins those that turn out small. The engine in this process needs none: there a
piece is a core, and all pieces are in memory together, so a night that is too large for it is
worked through in parts, one after another. docs/scale.md has the arithmetic.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

#: What one task of a cluster should hold: quick to do again, and small beside an executor's
#: memory when it is unpacked. infra/spark/spark-defaults.conf joins pieces up to the same size.
PIECE_BYTES = 64 * 1024 * 1024
#: Bytes of a shuffle for each byte that a step reads from compressed files, at most.
SHUFFLED_PER_READ = 4
#: Every task that writes a shuffle leaves a block for each piece: past this many, blocks are too
#: small to fetch and too many to keep track of, and pieces grow instead, which spill to disk.
MOST_PIECES = 20_000
#: Landing bytes that one task reads: packed lines take ten times their size to unpack.
READING_BYTES = 32 * 1024 * 1024
#: Tasks that read files at a time on one machine: more than one a core, since files differ in
#: size.
TASKS_PER_CORE = 2
#: Requests that the engine in this process groups at once: some 200 bytes each, and up to as much
#: again that its allocator keeps from the part before.
GROUPED_REQUESTS = 16_000_000
#: Rows of a window's tokens that are counted at once, by each core: some 100 bytes each.
COUNTED_ROWS = 8_000_000
#: Rows of a night's tokens that are put in order at once: some 100 bytes each.
ORDERED_ROWS = 4_000_000
#: Memory from which on a night is worked through in parts of the sizes above; with less of it,
#: parts are smaller and more, so that the night goes through files instead of ending.
PLENTY_BYTES = 16 * 2**30
#: Files of a table that Spark on one machine is given by name, at most: it looks at each of them.
MOST_FILES = 1_000
#: Of the machine's memory, what Spark's Java may use on one machine: the rest is Python's, which
#: reads the landing files, groups and trains, and the system's.
DRIVER_SHARE = 4
#: Below the first it does not start a night; above the second its pointers double.
LEAST_DRIVER_GIB, MOST_DRIVER_GIB = 2, 31


def memory_bytes() -> int:
    """Memory that this process may use: the machine's, or less where a control group says so."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *group_limits()])


def group_limits(
    groups: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")
) -> Iterator[int]:
    """Limits of memory, in bytes, of the control groups that this process is in (cgroups(7)), of
    both versions: a container's, a pod's, a service's."""
    lines = groups.read_text().splitlines() if groups.exists() else []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, name = mounted, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = mounted / "memory", "memory.limit_in_bytes"
        else:
            continue
        # Inside a container the path may be the host's, which is not there; the root is its own.
        own = root / path.strip("/")
        for folder in {own, *own.parents, root}:
            limit = folder / name
            if (
                folder.is_relative_to(root)
                and limit.exists()
                and limit.read_text().strip() != "max"
            ):
                yield int(limit.read_text())


def driver_memory() -> str:
    """Spark's heap on one machine, in its own words: a share of its memory."""
    share = memory_bytes() // 2**30 // DRIVER_SHARE
    return f"{min(MOST_DRIVER_GIB, max(LEAST_DRIVER_GIB, share))}g"


def shuffle_pieces(read_bytes: int) -> int:
    """Pieces of a shuffle for a step that reads so many bytes; never fewer than cores here."""
    wanted = -(-read_bytes * SHUFFLED_PER_READ // PIECE_BYTES)
    return min(MOST_PIECES, max(_cores(), wanted))


def reading_tasks(units: int, landed_bytes: int, engine: str) -> int:
    """Tasks to read a day's files in.

    Each task holds a batch of every operator and its own open file. The engine in this process
    runs all of them at once, so there memory follows their number, which must not follow the day;
    a cluster runs as many as it has cores, and the others wait.
    """
    here = TASKS_PER_CORE * _cores()
    wanted = here if engine == "sail" else max(here, -(-landed_bytes // READING_BYTES))
    return min(units, wanted)


def parts(rows: int, at_once: int, engine: str) -> int:
    """Parts to work through so many rows in, one after another. A cluster needs one: its
    pieces wait for each other, and spill."""
    return max(1, -(-rows // fitting(at_once))) if engine == "sail" else 1


def fitting(at_once: int) -> int:
    """How many of the rows of the sizes above this process takes on at once, with the memory that
    it has."""
    return max(1, at_once * min(memory_bytes(), PLENTY_BYTES) // PLENTY_BYTES)


def counting_tasks(units: int, engine: str) -> int:
    """Tasks to count a window in: as many as have a core here, where all of them run at once."""
    return min(units, _cores()) if engine == "sail" else units


def _cores() -> int:
    return os.cpu_count() or 1
