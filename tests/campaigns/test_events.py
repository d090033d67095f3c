"""What happens to campaigns: told from names and members, written by the step, read by people."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.campaigns import run
from jobs.campaigns.events import Event, what_happened
from jobs.campaigns.identity import match_names
from jobs.catalog.events import EVENTS
from jobs.catalog.policy import CAMPAIGN_POLICY
from jobs.platform.lake import Lake
from jobs.reports import happened
from tests.campaigns.conftest import spread
from tests.campaigns.test_identity import BORN, DAY, earlier
from tests.campaigns.test_step import FIRST, named, night

Fill = Callable[..., int]


def told(groups: list[str], before: dict[str, str], absent: str = "",
         stopped: dict[str, int] | None = None) -> list[Event]:  # fmt: skip
    """Events of a night on which these are the groups. `before` has earlier names with their
    members; those of `absent` were not borne on the last night."""
    known = earlier(**before)
    last = Counter(m.campaign_id for m in known.values())
    for name in absent.split():
        del last[name]
    policy = CAMPAIGN_POLICY
    names = match_names(DAY, [spread(g) for g in groups], known, BORN, policy.same_share)
    # A new name is a hash: here it is called by its first member.
    called = {n.campaign_id: f"new {spread(g)[0]}"
              for n, g in zip(names, groups, strict=True) if n.new}  # fmt: skip
    return [
        Event(called.get(e.campaign_id, e.campaign_id), e.event, e.other_campaign_id, e.accounts)
        for e in what_happened(names, last, stopped or {}, policy)
    ]


def test_a_name_that_lives_on_is_no_event() -> None:
    assert told(["a1..a9"], {"old": "a1..a5"}) == []


def test_a_new_name_was_founded() -> None:
    assert told(["b1..b5"], {}) == [Event("new b01", "founded", None, 5)]


def test_of_a_merge_the_name_that_ended_says_into_which() -> None:
    assert told(["a1..a5 b1..b8"], {"old": "a1..a6", "new": "b1..b8"}) == [
        Event("c-old", "merged", "c-new", 5)
    ]


def test_too_few_members_in_another_campaign_are_no_merge() -> None:
    assert told(["a1 b1..b8"], {"old": "a1..a6", "new": "b1..b8"}) == [
        Event("c-old", "gone", None, 6)
    ]


def test_a_name_that_ended_in_two_campaigns_merged_into_the_one_with_more_of_it() -> None:
    before = {"old": "a1..a7", "one": "b1..b9", "two": "d1..d9"}
    assert told(["a1..a3 b1..b9", "a4..a7 d1..d9"], before) == [
        Event("c-old", "merged", "c-two", 4)
    ]


def test_of_a_split_the_new_name_says_from_which() -> None:
    assert told(["a1..a3 x1", "a4..a9"], {"old": "a1..a9"}) == [
        Event("new a01", "split", "c-old", 3)
    ]


def test_too_few_members_of_another_campaign_are_no_split() -> None:
    assert told(["a9 b1..b20", "a1..a8"], {"old": "a1..a9"}) == [
        Event("new a09", "founded", None, 21)
    ]


def test_a_name_that_nobody_bears_is_gone_once() -> None:
    assert told([], {"old": "a1..a6"}) == [Event("c-old", "gone", None, 6)]
    assert told([], {"old": "a1..a6"}, absent="c-old") == []  # it was told on an earlier night


def test_a_name_that_was_absent_returned() -> None:
    assert told(["a1..a6"], {"old": "a1..a6"}, absent="c-old") == [
        Event("c-old", "returned", None, 6)
    ]


def test_an_absent_name_whose_members_another_takes_up_ended_before() -> None:
    assert told(["a1..a5 b1..b8"], {"old": "a1..a6", "new": "b1..b8"}, absent="c-old") == []


def test_replaced_are_as_many_as_stopped_and_came_anew() -> None:
    grown = ["a5..a9 x1..x6"]
    assert told(grown, {"old": "a1..a9"}, stopped={"c-old": 4}) == [
        Event("c-old", "replaced", None, 4)
    ]
    assert told(grown, {"old": "a1..a9"}, stopped={"c-old": 3}) == []  # fewer than make a group
    assert told(grown, {"old": "a1..a9"}) == []  # it grew
    # Who comes from another campaign replaces nobody.
    assert told(["a1..a9 b1..b5"], {"old": "a1..a9", "new": "b1..b5"}, stopped={"c-old": 5}) == [
        Event("c-new", "merged", "c-old", 5)
    ]


# The step


def operation(who: str, tag: str) -> str:
    """One work list, one program and one purse, of these accounts only."""
    return "".join(f"{who} | {kind} | {tag} {kind}\n" for kind in ("template", "client", "payment"))


def live(lake: Lake, fill: Fill, nights: list[str], since: int = 0) -> list[dt.date]:
    """Run the step on one night after the other; `since` says how many there were before."""
    dates = [FIRST + dt.timedelta(days=since + number) for number in range(len(nights))]
    for date, text in zip(dates, nights, strict=True):
        # What was shared on nights before would hold for four weeks.
        for table in ("account_daily", "account_indicators", "account_templates"):
            fill(lake, table, date - dt.timedelta(days=1), [])
        night(lake, fill, date, text)
        run(lake, date)
    return dates


def chronicle(lake: Lake, dates: list[dt.date]) -> list[list[tuple[str, str, str | None, int]]]:
    """Events of each night, campaigns called by the first member that they were founded with."""
    called: dict[str, str] = {}
    for date in dates:
        for campaign, members in named(lake, date).items():
            called.setdefault(campaign, min(members))
    return [
        [
            (row["event"], called[row["campaign_id"]],
             called.get(row["other_campaign_id"]), row["accounts"])
            for row in sorted(lake.rows("campaign_events", date, date).to_pylist(),
                              key=lambda row: called[row["campaign_id"]])
        ]
        for date in dates
    ]  # fmt: skip


FIRST_AND_SECOND = operation("a1..a6", "first") + operation("b1..b4", "second")
PARTED = operation("a1..a9", "first") + operation("a10..a12 b1..b4", "third")
LIFE = [
    FIRST_AND_SECOND,
    operation("a1..a12", "first") + operation("b1..b4", "second"),
    # The second's accounts are set to work on the first's list.
    operation("a1..a12 b1..b4", "first"),
    # Then, with three others, on a list of their own.
    PARTED,
    # The first pauses.
    operation("a10..a12 b1..b4", "third"),
    PARTED,
]


@pytest.fixture(scope="module")
def four_nights(new_lake: Callable[[], Lake], fill: Fill) -> tuple[Path, list[dt.date]]:
    lake = new_lake()
    dates = live(lake, fill, LIFE[:4])
    return Path(lake.settings.lake), dates


@pytest.fixture
def lived(
    copy_of: Callable[[Path], Lake], four_nights: tuple[Path, list[dt.date]]
) -> tuple[Lake, list[dt.date]]:
    """A lake of the first four nights of `LIFE`, of the test's own."""
    written, dates = four_nights
    return copy_of(written), dates


def test_the_life_of_campaigns_on_a_lake(lived: tuple[Lake, list[dt.date]], fill: Fill) -> None:
    lake, dates = lived
    dates = dates + live(lake, fill, LIFE[4:], since=4)
    assert chronicle(lake, dates) == [
        [("founded", "a01", None, 6), ("founded", "b01", None, 4)],
        [],
        [("merged", "b01", "a01", 4)],
        [("split", "a10", "a01", 7)],
        [("gone", "a01", None, 9)],
        [("returned", "a01", None, 9)],
    ]


def test_an_old_night_again_reads_nothing_later(
    lived: tuple[Lake, list[dt.date]], fill: Fill
) -> None:
    lake, dates = lived
    before = chronicle(lake, dates)
    for date, text in zip(dates[1:3], LIFE[1:3], strict=True):
        night(lake, fill, date, text)
        run(lake, date)
        for table in ("account_daily", "account_indicators", "account_templates"):
            fill(lake, table, date, [])
    assert chronicle(lake, dates) == before


def test_a_night_on_which_all_are_gone_is_the_one_that_is_compared_with(
    lake: Lake, fill: Fill
) -> None:
    nobody = "n1..n9 | address | gateway"
    dates = live(lake, fill, [FIRST_AND_SECOND, nobody, nobody, FIRST_AND_SECOND])
    assert chronicle(lake, dates)[1:] == [
        [("gone", "a01", None, 6), ("gone", "b01", None, 4)],
        [],
        [("returned", "a01", None, 6), ("returned", "b01", None, 4)],
    ]


def test_accounts_that_were_stopped_and_replaced_are_counted(lake: Lake, fill: Fill) -> None:
    dates = [FIRST + dt.timedelta(days=number) for number in range(3)]
    for date, who, gone in zip(
        dates, ("a1..a6", "a1..a12", "a1..a16"), ("", "a1..a5", "a1..a5"), strict=True
    ):
        night(lake, fill, date, operation(who, "first"), gone=gone)
        run(lake, date)
    assert chronicle(lake, dates)[1:] == [
        [("replaced", "a01", None, 5)],
        [],  # four more came, but who had stopped by the night before is told of already
    ]


# The report


def test_the_report_tells_a_few_of_each_event_in_sentences(bare_lake: Lake, fill: Fill) -> None:
    fill(
        bare_lake,
        "campaign_events",
        FIRST,
        [{"campaign_id": f"c{n}", "event": "founded", "accounts": 1_000 * n} for n in range(1, 6)]
        + [{"campaign_id": "c9", "event": "merged", "other_campaign_id": "c8", "accounts": 7}],
    )
    assert happened(bare_lake, FIRST) == [
        f"What happened to campaigns on {FIRST}: 1 merged, 5 founded",
        "  c9 merged into c8, with 7 of its accounts",
        "  c5 was founded with 5,000 accounts",
        "  c4 was founded with 4,000 accounts",
        "  c3 was founded with 3,000 accounts",
        "  and 2 more founded, in the table campaign_events",
    ]
    assert happened(bare_lake, DAY) == [f"What happened to campaigns on {DAY}: nothing"]


def test_every_event_has_a_sentence_with_what_it_is_about() -> None:
    for event in EVENTS:
        said = event.sentence.format(campaign="c1", other="c2", accounts="7")
        assert "c1" in said and "7" in said and ("c2" in said) == event.other
