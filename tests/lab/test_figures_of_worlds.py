"""What is said of a world, from its tables: rows that a reader can check, figures that follow."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from jobs.lab.metrics import WorldTables, judge, last_scores, nightly_pieces

#: Nights 1 to 4 of June; the first is before anything is judged.
N1, N2, N3, N4 = (dt.date(2026, 6, day) for day in range(1, 5))
#: Account -> class, kind, campaign.
PEOPLE = {
    "d1": ("distillation", None, "D00-template_farm"),
    "d2": ("distillation", None, "D00-template_farm"),
    "d3": ("distillation", None, "D00-template_farm"),
    "d4": ("distillation", None, "D00-template_farm"),
    "r1": ("resale", None, "R01"),
    "r2": ("resale", None, "R01"),
    "h1": ("benign", "hobbyist", None),
    "h2": ("benign", "hobbyist", None),
    "h3": ("benign", "classroom", None),
    "gone": ("benign", "classroom", None),
}


def frame(columns: str, *rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns.split())


def tables(**changes: pd.DataFrame) -> WorldTables:
    """d1 and d2 are found on the third night, d3 on the fourth, d4 never had a judged night."""
    accounts = frame(
        "account_id class kind campaign tactic",
        *((a, c, k, o, o and "template_farm") for a, (c, k, o) in PEOPLE.items()),
    )
    everyone = ("d1", "d2", "d3", "r1", "r2", "h1", "h2", "h3")
    given = {
        "accounts": accounts,
        "operations": frame(
            "campaign class tactic labelled",
            ("D00-template_farm", "distillation", "template_farm", False),
            ("R01", "resale", "resale", False),
        ),
        "exchanges": frame(
            "date account_id requests work_requests",
            *((N1, a, 5, 5) for a in ("d4", "gone", "d1")),
            *((night, a, 12, 10 if a[0] == "d" else 0)
              for night in (N2, N3, N4) for a in everyone),
        ),
        "segments": frame(
            "account_id plan signup_country date",
            *((a, "free", "DE", N1) for a in PEOPLE),
            ("h3", "enterprise", None, N4),
        ),
        "scores": frame(
            "date account_id distillation_score resale_score campaign_id",
            *((N2, a, 0.2, 0.1, None) for a in everyone),
            (N3, "d1", 0.95, 0.0, "c-1"), (N3, "d2", 0.95, 0.0, "c-1"),
            (N3, "r1", 0.6, 0.9, "c-2"), (N3, "h1", 0.7, 0.1, None),
            (N4, "d1", 0.99, 0.0, "c-1"), (N4, "d2", 0.8, 0.0, "c-1"),
            (N4, "d3", 0.3, 0.0, "c-3"), (N4, "r2", 0.5, 0.2, None), (N4, "h1", 0.1, 0.1, None),
        ),
        "actions": frame(
            "date account_id action",
            (N2, "d1", "watch"), (N3, "d1", "challenge"), (N3, "d2", "suspend"),
            (N4, "d3", "limit"), (N3, "h1", "limit"), (N4, "h1", "suspend"), (N4, "h2", "watch"),
            (N3, "r1", "review"), (N4, "r2", "limit"),
        ),
        "groups": frame(
            "date campaign_id kind",
            (N3, "c-1", "distillation"), (N3, "c-2", "resale"), (N4, "c-1", "distillation"),
            (N4, "c-3", "distillation"),
        ),
        "members": frame(
            "date campaign_id account_id",
            (N3, "c-1", "d1"), (N3, "c-1", "d2"), (N3, "c-2", "r1"),
            (N4, "c-1", "d1"), (N4, "c-1", "d2"), (N4, "c-1", "d4"), (N4, "c-1", "h2"),
            (N4, "c-3", "d3"),
        ),
    }  # fmt: skip
    return WorldTables(**(given | changes))


def rescored(account: str, score: float) -> pd.DataFrame:
    """account_scores in which the last night scores one more account."""
    columns = "date account_id distillation_score resale_score campaign_id"
    return pd.concat([tables().scores, frame(columns, (N4, account, score, 0.1, None))])


def test_accounts_are_judged_by_the_last_night_that_scored_them() -> None:
    rows = last_scores(tables()).set_index("account_id")
    assert rows["distillation_score"].to_dict() == {
        "d1": 0.99, "d2": 0.8, "d3": 0.3, "h1": 0.1, "h2": 0.2, "h3": 0.2, "r1": 0.6, "r2": 0.5,
    }  # fmt: skip


def test_an_account_with_traffic_that_nobody_scored_counts_as_missed() -> None:
    whole = tables()
    unscored = tables(scores=whole.scores[whole.scores["account_id"] != "d3"])
    assert judge(unscored)["guilty"] == 3
    assert last_scores(unscored).set_index("account_id").at["d3", "distillation_score"] == 0.0
    assert judge(unscored)["recall"]["0.001"] == pytest.approx(2 / 3)
    assert judge(whole)["recall"]["0.001"] == 1.0


def test_recall_of_the_world_and_of_each_night() -> None:
    figures = judge(tables())
    # All three are above the honest accounts at 0.2; resellers, at 0.5 and 0.6, bar nobody.
    assert (figures["accounts"], figures["guilty"]) == (8, 3)
    assert figures["recall"] == {"0.01": 1.0, "0.001": 1.0, "0.0001": 1.0}
    assert figures["threshold"] == 0.3
    # For precision they are accounts that don't distil: d3 comes after both.
    assert figures["pr_auc"] == pytest.approx(1 / 3 + 1 / 3 + 1 / 3 * 3 / 5)
    # An honest account at 0.6 bars d3.
    busy = rescored("h2", 0.6)
    assert judge(tables(scores=busy))["recall"]["0.001"] == pytest.approx(2 / 3)
    assert [(n["date"], n["accounts"], n["recall"]["0.001"]) for n in figures["nights"]] == [
        ("2026-06-02", 8, 0.0),  # all tie
        ("2026-06-03", 4, 1.0),
        ("2026-06-04", 5, 1.0),
    ]


def test_how_whole_how_pure_and_how_soon_a_campaign_was_found() -> None:
    (campaign,) = judge(tables())["campaigns"].values()
    assert campaign == {
        "tactic": "template_farm",
        "labelled": False,
        "accounts": 3,
        "recall": 1.0,
        "one_piece": pytest.approx(2 / 3),  # d1 and d2, of the three that the last night scored
        "purity": 0.75,  # h2 is in it; d4 is its own although it is gone
        "names": 1,
        "acted_on": 3,
        "exchanges": 90,
        # d1 and d2 on the second and third night, d3 on all: the action holds from the day after.
        "leaked_share": pytest.approx((20 + 20 + 30) / 90),
        "leaked_before_first_share": pytest.approx(60 / 90),
        "nights_to_action": 1,  # judging began on the second night, its first request came before
    }


def test_a_campaign_that_nobody_acted_on_leaks_everything() -> None:
    quiet = tables(actions=tables().actions.query("action == 'watch'"))
    (campaign,) = judge(quiet)["campaigns"].values()
    assert (campaign["leaked_share"], campaign["leaked_before_first_share"]) == (1.0, 1.0)
    assert campaign["nights_to_action"] is None


def test_each_name_that_a_campaign_bore_counts_where_the_piece_is_its_own() -> None:
    renamed = tables().members.replace({"campaign_id": {"c-1": "c-9"}})
    members = pd.concat([tables().members.query("date == @N3"), renamed.query("date == @N4")])
    (campaign,) = judge(tables(members=members))["campaigns"].values()
    assert campaign["names"] == 2
    # On the last night d1 and d2 are two among many: no piece of theirs.
    crowd = frame("date campaign_id account_id", *((N4, "c-9", f"x{n}") for n in range(9)))
    (campaign,) = judge(tables(members=pd.concat([members, crowd])))["campaigns"].values()
    assert (campaign["names"], campaign["purity"]) == (1, pytest.approx(3 / 13))


def test_without_a_detected_campaign_the_piece_is_empty_and_has_no_name() -> None:
    nobody = tables().members.iloc[:0]
    pieces = nightly_pieces(tables().scores, nobody, {"d1"})
    assert [(p["share"], p["purity"], p["name"]) for p in pieces] == [(0.0, 0.0, None)] * 3
    (campaign,) = judge(tables(members=nobody))["campaigns"].values()
    assert (campaign["one_piece"], campaign["names"]) == (0.0, 0)


def test_honest_customers_by_kind_country_and_plan() -> None:
    figures = judge(tables())
    kinds = figures["honest"]["kind"]
    assert {k: (v["accounts"], v["acted_on"], v["suspended"]) for k, v in kinds.items()} == {
        "classroom": (1, 0, 0),  # who left before the judged nights is not judged
        "hobbyist": (2, 1, 1),  # watching is no action
    }
    assert kinds["hobbyist"]["acted_on_share"] == 0.5
    assert kinds["hobbyist"]["acted_on_interval"] == (
        pytest.approx(0.0945, abs=1e-4), pytest.approx(0.9055, abs=1e-4),
    )  # fmt: skip
    # The last snapshot counts; a country that nobody knows is one of its own.
    assert {k: v["accounts"] for k, v in figures["honest"]["plan"].items()} == {
        "enterprise": 1, "free": 2,
    }  # fmt: skip
    assert {k: v["accounts"] for k, v in figures["honest"]["country"].items()} == {
        "DE": 2, "unknown": 1,
    }  # fmt: skip
    assert figures["honest_all"]["acted_on"] == 1


def test_resellers_taken_for_distillers() -> None:
    # r1 was acted on in a group of resale and r2, in none, for its distillation score; h2 at 0.7
    # puts the threshold above both.
    high = rescored("h2", 0.7)
    figures = judge(tables(scores=high))["resellers"]
    assert (figures["accounts"], figures["acted_on"]) == (2, 2)
    assert figures["taken_for_distillers"] == 1
    # In a group of kind distillation r1 is taken for one as well.
    groups = tables().groups.assign(kind="distillation")
    assert judge(tables(scores=high, groups=groups))["resellers"]["taken_for_distillers"] == 2
    # Without any action nobody is, but by a score at the threshold of 0.3.
    nothing = tables().actions.iloc[:0]
    quiet = judge(tables(scores=high, actions=nothing))["resellers"]
    assert (quiet["taken_for_distillers"], quiet["taken_share"]) == (0, 0.0)
    assert judge(tables(actions=nothing))["resellers"]["taken_for_distillers"] == 2
