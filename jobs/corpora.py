"""Which corpora are a group's prompts compared with?

`stillwatch corpus add` reads prompts from a file, sketches them with the installation's own key,
as ingest does with those that land, and writes one row of counts to the table `corpora`. Text is
read in place and never enters the lake.
Harm if it is never done: groups are compared with all accounts only, as before.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.campaigns.corpora import last_added
from jobs.catalog.campaign_tables import CORPORA
from jobs.catalog.landing import LandingColumn, Source
from jobs.catalog.measures import MEASURES, WORDS
from jobs.catalog.types import STRING
from jobs.night import open_lake
from jobs.platform.errors import StillwatchError
from jobs.platform.faults import readable_errors
from jobs.platform.keys import TokenKey, key_of_lake, load_key, require_key_of_lake
from jobs.platform.lake import Lake, arrow_schema
from jobs.platform.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from jobs.ingest.reading import LandingFile

#: Prompts under which a corpus says little: shares of 48 buckets are off by 5 % of a prompt each,
#: and a group is found near it, or far from it, by chance.
LEAST_PROMPTS = 100
_NAME = "[a-z0-9][a-z0-9._-]{0,63}"
_COLUMN = "[A-Za-z_][A-Za-z0-9_]{0,63}"
#: Columns that reading adds to those of the file.
_TAKEN = ("file_no", "line", "problem", "value", "unknown", "keys", "record")


@dataclass(frozen=True)
class Counted:
    """A corpus as counts: `words` are the prompts with a word of each bucket."""

    prompts: int
    blank: int
    words: list[int]


def add(
    settings: Settings, name: str, file: Path, kind: str, column: str, date: dt.date
) -> Counted:
    """Sketch the prompts of a file and write them as the corpus `name` of that day.

    The row of an earlier day stays, so that nights before this one, run again, write what they
    wrote.

    Raises:
        StillwatchError: in one line, which file, which line, what to do; nothing is written.
    """
    if not re.fullmatch(_NAME, name):
        raise StillwatchError(
            f"{name!r} can't name a corpus: take small letters, digits, dots, hyphens and "
            "underscores, 64 at most"
        )
    if not re.fullmatch(_COLUMN, column) or column in _TAKEN:
        raise StillwatchError(
            f"--column {column!r} can't be read: rename it in a copy of the file, to letters, "
            f"digits and underscores, and to none of {', '.join(_TAKEN)}"
        )
    read = described(file, column)
    key = load_key()
    with open_lake(settings) as lake:
        require_key_of_lake(settings.lake_root, key)
        counted = count(lake.session, settings.engine, read, column, key)
        if counted.prompts < LEAST_PROMPTS:
            raise StillwatchError(
                f"{file} holds too few prompts with text ({counted.prompts}): a corpus takes "
                f"{LEAST_PROMPTS} at least"
            )
        _write(lake, date, {"name": name, "kind": kind, "prompts": counted.prompts,
                            "words": counted.words, "key_id": key.id})  # fmt: skip
    return counted


def known(settings: Settings) -> list[dict[str, Any]]:
    """Rows of `corpora`, each corpus as it was last added, in order of name; `usable` says
    whether it was sketched with the lake's present key.

    Raises:
        StillwatchError: there is no such lake.
    """
    lake = Lake(settings)
    if not (settings.lake_root / "_stillwatch").is_folder():
        raise StillwatchError(f"{settings.lake} is no lake of Stillwatch: check --lake")
    if not lake.exists("corpora"):
        return []
    own = key_of_lake(settings.lake_root)
    return [row | {"usable": row["key_id"] == own} for row in last_added(lake).values()]


def count(
    session: SparkSession, engine: str, file: LandingFile, column: str, key: TokenKey
) -> Counted:
    """Sketch and count the prompts of one file, in the engine.

    Raises:
        StillwatchError: a line holds no prompt that can be read.
    """
    from pyspark.sql import functions as F

    from jobs.ingest.records import raw_texts
    from jobs.ingest.sketching import with_sketch

    if not file.row_groups and file.shape != "lines":
        return Counted(0, 0, [0] * len(WORDS))
    source = _source(column)
    texts = raw_texts(session, engine, source, [file], ["line", "problem", "value", column])
    assert texts is not None
    read = texts.select("line", _fault(column, file).alias("fault"), F.col(column).alias("prompt"))
    sketched = with_sketch(
        read.select(
            "line", "fault", F.nullif("prompt", F.lit("")).alias("prompt_text"),
            F.lit(None).cast("string").alias("response_text"),
        ),
        ["line", "fault"], key.sketch_seed,
    )  # fmt: skip
    measured = {measure.name: measure.sql for measure in MEASURES}
    totals = sketched.agg(
        F.count(F.lit(1)).alias("lines"),
        F.count("prompt_words").alias("prompts"),
        F.min(F.when(F.col("fault").isNotNull(), F.col("line"))).alias("first_fault"),
        *(F.expr(measured[name]).alias(name) for name in WORDS),
    )
    with readable_errors(f"the prompts of {file.path} can't be sketched"):
        (row,) = totals.toArrow().to_pylist()
    if row["first_fault"] is not None:
        raise StillwatchError(_said(read, file, row["first_fault"]))
    return Counted(
        row["prompts"], row["lines"] - row["prompts"], [int(row[name] or 0) for name in WORDS]
    )


def _source(column: str) -> Source:
    """The file as ingest's readers take one: a column of text and no more."""
    return Source(
        name="corpus", about="A prompt of a corpus.", key=(column,), event_column=column,
        oldest_days=None, duplicate_days=0,
        columns=(LandingColumn(column, STRING, "The prompt.", required=True),),
    )  # fmt: skip


def _fault(column: str, file: LandingFile) -> Any:
    """What is wrong with a line, null where it holds a prompt."""
    from pyspark.sql import functions as F

    problem, prompt = F.col("problem"), F.col(column)
    no_text = F.lit(f"its {column} is no text")
    if file.shape != "lines":
        return F.coalesce("problem", F.when(prompt.isNull(), no_text))
    keys = F.json_object_keys("value")
    # JSON that is no text would be read as its own source.
    nested = F.col("value").rlike(f'"{column}"[ \t]*:[ \t]*[\\[{{]')
    return (
        F.when(keys.isNull(), problem)
        .when(~F.array_contains(keys, column),
              F.lit(f"it has no {column}; name the prompt's key with --column"))
        .when(prompt.isNull() | nested, no_text)
        .otherwise(problem)
    )  # fmt: skip


def _said(read: DataFrame, file: LandingFile, line: int) -> str:
    from pyspark.sql import functions as F

    with readable_errors(f"{file.path} can't be read"):
        found = read.where(F.col("line") == line).select("fault").limit(1).toArrow()
    fault = found["fault"][0].as_py()
    what = "line" if file.shape == "lines" else "row"
    return (
        f"{file.path}, {what} {line}: {fault}; mend the {what} or leave it out, nothing was added"
    )


def described(path: Path, column: str) -> LandingFile:
    """The file as ingest's readers take one.

    Raises:
        StillwatchError: it is not there, of another format, or without the column.
    """
    from jobs.ingest.reading import FORMATS, LandingFile

    suffix = next((s for s in FORMATS if path.name.endswith(s)), None)
    if suffix is None:
        raise StillwatchError(f"{path} is no {', '.join(FORMATS)} file: name it by what it is")
    try:
        path.open("rb").close()
    except OSError as error:
        raise StillwatchError(f"{path} can't be read ({error.strerror}): check the path") from error
    where, size = str(path.absolute()), path.stat().st_size
    if suffix != ".parquet":
        return LandingFile(0, where, path.name, FORMATS[suffix], size, "lines")
    try:
        with pq.ParquetFile(path) as file:
            schema, rows, groups = file.schema_arrow, file.metadata.num_rows, file.num_row_groups
    except (pa.ArrowException, OSError) as error:
        raise StillwatchError(f"{path} can't be read as Parquet: it is damaged or empty") from error
    if schema.names.count(column) != 1:
        raise StillwatchError(
            f"{path} has no column {column}; it has {', '.join(schema.names)[:200]}: name the "
            "prompt's column with --column"
        )
    held = schema.field(column).type
    if not (pa.types.is_string(held) or pa.types.is_large_string(held)):
        raise StillwatchError(f"{path}: column {column} holds {held}, not text: name another")
    return LandingFile(
        0, where, path.name, "parquet", size, "untyped", rows=rows,
        row_groups=((0, groups, 0),) if rows else (),
    )  # fmt: skip


def _write(lake: Lake, date: dt.date, row: dict[str, Any]) -> None:
    """Put the row among those of its day, in place of one of the same name."""
    others = lake.rows("corpora", date, date).to_pylist()
    rows = [*(other for other in others if other["name"] != row["name"]), row | {"date": date}]
    rows.sort(key=lambda of: str(of["name"]))
    lake.replace_night("corpora", date, pa.Table.from_pylist(rows, schema=arrow_schema(CORPORA)))
