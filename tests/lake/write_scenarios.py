"""What a write must do on every engine: the same scenarios for Sail (tests/lake) and Apache Spark
(tests/spark), where the engines themselves differ without saying so.

Each takes an empty lake and asserts.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from jobs.platform.errors import LakeError
from jobs.platform.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NIGHT = dt.date(2026, 5, 3)
BEFORE = NIGHT - dt.timedelta(days=1)
MEMBER = "'c1' as campaign_id, date'2026-05-01' as joined, 1.0D as strength"


def members(lake: Lake, *ids: str, columns: str = MEMBER) -> DataFrame:
    values = ", ".join("('" + name.replace("'", "\\'") + "')" for name in ids)
    return lake.session.sql(f"select account_id, {columns} from values {values} as t(account_id)")


def landed(lake: Lake) -> list[tuple[dt.date, str]]:
    rows = lake.rows("campaign_members", columns=["date", "account_id"]).to_pylist()
    return sorted((row["date"], row["account_id"]) for row in rows)


def refused(call: Callable[[], object], said: str) -> str:
    try:
        call()
    except LakeError as error:
        assert said in str(error), error
        assert "\n" not in str(error)
        return str(error)
    raise AssertionError(f"it was written; it should have been refused with {said!r}")


def rows_of_another_night_never_land(lake: Lake) -> None:
    dated = MEMBER + ", case account_id when 'out' then date'2026-05-02' else date'2026-05-03' end"
    frame = members(lake, "in", "out", columns=f"{dated} as date")
    assert lake.write_night("campaign_members", NIGHT, frame) == 1
    assert landed(lake) == [(NIGHT, "in")]


def other_nights_stay(lake: Lake) -> None:
    lake.write_night("campaign_members", BEFORE, members(lake, "a", "b"))
    lake.write_night("campaign_members", NIGHT, members(lake, "a", "c"))
    assert lake.write_night("campaign_members", NIGHT, members(lake, "d")) == 1
    assert landed(lake) == [(BEFORE, "a"), (BEFORE, "b"), (NIGHT, "d")]


def who_writes_alone_sees_what_it_wrote(lake: Lake) -> None:
    with lake.as_sole_writer():
        assert lake.write_night("campaign_members", NIGHT, members(lake, "a")) == 1
        assert landed(lake) == [(NIGHT, "a")]
        assert lake.write_night("campaign_members", NIGHT, members(lake, "b", "c")) == 2
        assert landed(lake) == [(NIGHT, "b"), (NIGHT, "c")]


def an_engines_setting_for_dynamic_overwrite_changes_nothing(lake: Lake) -> None:
    lake.session.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    try:
        other_nights_stay(lake)
    finally:
        lake.session.conf.unset("spark.sql.sources.partitionOverwriteMode")


def the_same_night_twice_is_written_once(lake: Lake) -> None:
    for _ in range(2):
        lake.write_night("campaign_members", NIGHT, members(lake, "a", "b"))
    assert landed(lake) == [(NIGHT, "a"), (NIGHT, "b")]


def a_column_that_the_table_lacks_never_reaches_it(lake: Lake) -> None:
    frame = members(lake, "a", columns=MEMBER + ", 'x' as extra")
    lake.write_night("campaign_members", NIGHT, frame)
    assert "extra" not in lake.rows("campaign_members").column_names


def a_column_that_the_job_did_not_make_is_an_error(lake: Lake) -> None:
    frame = members(lake, "a").drop("strength")
    refused(lambda: lake.write_night("campaign_members", NIGHT, frame), "strength")
    assert landed(lake) == []


def columns_go_by_name_and_are_cast(lake: Lake) -> None:
    shuffled = "1 as strength, '2026-05-01' as joined, 7 as campaign_id"
    lake.write_night("campaign_members", NIGHT, members(lake, "a", columns=shuffled))
    row = lake.rows("campaign_members").to_pylist()[0]
    assert (row["strength"], row["joined"], row["campaign_id"]) == (1.0, dt.date(2026, 5, 1), "7")


def a_value_that_can_not_be_cast_is_an_error(lake: Lake) -> None:
    wrong = "'c1' as campaign_id, date'2026-05-01' as joined, 'much' as strength"
    frame = members(lake, "a", columns=wrong)
    refused(lambda: lake.write_night("campaign_members", NIGHT, frame), "can't be written")
    assert landed(lake) == []


def what_a_column_forbids_is_refused_and_the_night_stays(lake: Lake) -> None:
    lake.write_night("campaign_members", NIGHT, members(lake, "a"))
    for wrong in (
        MEMBER.replace("1.0D", "1.5D"),
        MEMBER.replace("1.0D", "cast('NaN' as double)"),
        MEMBER.replace("1.0D", "cast(null as double)"),
        MEMBER.replace("'c1'", "cast(null as string)"),
    ):
        frame = members(lake, "b", columns=wrong)
        refused(lambda frame=frame: lake.write_night("campaign_members", NIGHT, frame),
                "a row breaks what the catalogue declares")  # fmt: skip
    nameless = members(lake, "b").selectExpr(
        "cast(null as string) as account_id", "campaign_id", "joined", "strength")  # fmt: skip
    refused(lambda: lake.write_night("campaign_members", NIGHT, nameless),
            "a row breaks what the catalogue declares")  # fmt: skip
    assert landed(lake) == [(NIGHT, "a")]


def an_empty_frame_empties_the_night(lake: Lake) -> None:
    lake.write_night("campaign_members", BEFORE, members(lake, "a"))
    lake.write_night("campaign_members", NIGHT, members(lake, "a"))
    empty = members(lake, "a").where("false")
    assert lake.write_night("campaign_members", NIGHT, empty) == 0
    assert landed(lake) == [(BEFORE, "a")]


def engine_and_delta_rs_read_what_the_other_wrote(lake: Lake) -> None:
    lake.write_night("campaign_members", NIGHT, members(lake, 'it\'s "a"'))
    lake.replace_night("campaign_members", BEFORE, lake.rows("campaign_members").drop(["date"]))
    frame = lake.read("campaign_members", BEFORE, NIGHT)
    found = sorted((row.date, row.account_id) for row in frame.collect())
    assert found == [(BEFORE, 'it\'s "a"'), (NIGHT, 'it\'s "a"')]
    assert lake.night("campaign_members", BEFORE).count() == 1


def writers_at_the_same_time_lose_nothing(lake: Lake) -> None:
    """A write arrives whole, or is refused in a line that says what to do."""
    lake.create("campaign_members")
    nights = [NIGHT + dt.timedelta(days=n) for n in range(4)]
    failed: dict[dt.date, LakeError] = {}

    def write(date: dt.date) -> None:
        try:
            lake.write_night("campaign_members", date, members(lake, "a", "b"))
        except LakeError as error:
            failed[date] = error

    threads = [threading.Thread(target=write, args=(date,)) for date in nights]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert landed(lake) == [(date, name) for date in nights if date not in failed for name in "ab"]
    for error in failed.values():
        assert "something else wrote to it at the same time" in str(error)
    for date in failed:
        write(date)
    assert landed(lake) == [(date, name) for date in nights for name in "ab"]


SCENARIOS: tuple[Callable[[Lake], None], ...] = (
    rows_of_another_night_never_land,
    other_nights_stay,
    who_writes_alone_sees_what_it_wrote,
    an_engines_setting_for_dynamic_overwrite_changes_nothing,
    the_same_night_twice_is_written_once,
    a_column_that_the_table_lacks_never_reaches_it,
    a_column_that_the_job_did_not_make_is_an_error,
    columns_go_by_name_and_are_cast,
    a_value_that_can_not_be_cast_is_an_error,
    what_a_column_forbids_is_refused_and_the_night_stays,
    an_empty_frame_empties_the_night,
    engine_and_delta_rs_read_what_the_other_wrote,
    writers_at_the_same_time_lose_nothing,
)
