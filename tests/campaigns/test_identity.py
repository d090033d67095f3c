"""Names: through growth, bans, replacement, merges and splits, and the same when made again."""

from __future__ import annotations

import datetime as dt

from jobs.campaigns.identity import Membership, Name, match_names, new_name
from tests.campaigns.conftest import spread

DAY = dt.date(2026, 5, 20)
BEFORE = dt.date(2026, 5, 19)
FOUNDED = dt.date(2026, 5, 10)
BORN = {"c-old": FOUNDED, "c-new": BEFORE, "c-one": FOUNDED, "c-two": FOUNDED}


def earlier(**groups: str) -> dict[str, Membership]:
    return {
        account: Membership(f"c-{name}", FOUNDED)
        for name, who in groups.items()
        for account in spread(who)
    }


def names(groups: list[str], before: dict[str, Membership]) -> list[Name]:
    return match_names(DAY, [spread(g) for g in groups], before, BORN, same_share=0.2)


def test_a_name_survives_growth_and_says_who_joined_when() -> None:
    (name,) = names(["a1..a9"], earlier(old="a1..a5"))
    assert (name.campaign_id, name.first_seen) == ("c-old", FOUNDED)
    assert name.joined == (FOUNDED,) * 5 + (DAY,) * 4


def test_a_name_survives_the_ban_and_replacement_of_most() -> None:
    (name,) = names(["a7..a9 b1..b6"], earlier(old="a1..a9"))  # six of nine replaced
    assert name.campaign_id == "c-old"


def test_of_a_merge_the_larger_part_gives_the_name() -> None:
    (name,) = names(["a1..a5 b1..b8"], earlier(old="a1..a5", new="b1..b8"))
    assert name.campaign_id == "c-new"
    assert name.joined == (DAY,) * 5 + (FOUNDED,) * 8  # the smaller part joins it today


def test_of_a_split_the_larger_piece_keeps_the_name() -> None:
    small, large = names(["a1..a3", "a4..a9"], earlier(old="a1..a9"))
    assert large.campaign_id == "c-old"
    assert small.campaign_id not in BORN and small.first_seen == DAY


def test_ties_go_to_the_older_then_to_the_smaller_name() -> None:
    (name,) = names(["a1..a3 b1..b3"], earlier(old="a1..a3", new="b1..b3"))
    assert name.campaign_id == "c-old"
    (name,) = names(["a1..a3 b1..b3"], earlier(two="a1..a3", one="b1..b3"))
    assert name.campaign_id == "c-one"


def test_one_common_account_of_many_is_not_the_same_group() -> None:
    (name,) = names(["a9 b1..b20"], earlier(old="a1..a9"))
    assert name.campaign_id not in BORN


def test_a_new_name_follows_from_night_and_founders() -> None:
    assert new_name(DAY, ["b", "a"]) == new_name(DAY, ["a", "b"])
    assert len({new_name(DAY, ["a", "b"]), new_name(BEFORE, ["a", "b"]),
                new_name(DAY, ["a", "c"])}) == 3  # fmt: skip
