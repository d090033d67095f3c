"""Work in parts, where a night does not fit into memory at once.

What the parts make goes through files in the lake's folder `_staging`; the table is then written
from them in one commit, as it is when the night is one part.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.platform.faults import readable_errors
from jobs.platform.storage import Place, engine_address

if TYPE_CHECKING:
    from jobs.platform.lake import Lake


def part_of(column: str, parts: int) -> Column:
    """The part, from 0, that a row belongs to: the same for the same value of the column."""
    return F.pmod(F.xxhash64(column), F.lit(parts)).cast("int")


class Parts:
    """Files of one step that are gone when it ends: `with Parts(lake, "rollup") as parts: ...`."""

    def __init__(self, lake: Lake, step: str) -> None:
        self._lake = lake
        self._folder = lake.settings.lake_root / "_staging" / step
        self._used = False

    def __enter__(self) -> Parts:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._used:
            self._folder.remove_folder()

    def gathered(self, name: str, frames: Sequence[DataFrame]) -> DataFrame:
        """The rows of all frames, each worked out by itself; the frame itself where it is one."""
        if len(frames) == 1:
            return frames[0]
        folder = self._fresh(name)
        for part, frame in enumerate(frames):
            with self._readable(name):
                frame.write.mode("overwrite").parquet(
                    self._address(folder / f"part={part}"), compression="snappy"
                )
        kept = [place for part in range(len(frames))
                if _holds_rows(place := folder / f"part={part}")]  # fmt: skip
        return self._read(*kept) if kept else frames[0].limit(0)

    def _fresh(self, name: str) -> Place:
        if not self._used:
            # A run that was killed leaves its own behind.
            self._folder.remove_folder()
            self._used = True
        return self._folder / name

    def _read(self, *places: Place) -> DataFrame:
        return self._lake.session.read.parquet(*(self._address(place) for place in places))

    def _address(self, place: Place) -> str:
        return engine_address(place.address, self._lake.settings.engine)

    def _readable(self, name: str) -> AbstractContextManager[None]:
        return readable_errors(f"{name} can't be staged in {self._lake.root}")


def _holds_rows(place: Place) -> bool:
    """Whether an engine wrote files there; Sail writes none for no rows."""
    return place.is_folder() and any(e.place.name.endswith(".parquet") for e in place.entries())
