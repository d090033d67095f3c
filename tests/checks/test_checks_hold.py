"""Each declared check: a night on which it holds, a change that breaks it, what it then says."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from nights import NIGHT, Night, alter, drifted, good_night, landing_file, refused

from jobs.catalog.checks import CHECKED
from jobs.catalog.tables import TABLES
from jobs.platform.expectations import NightValidator, Outcome, column_checks
from jobs.platform.lake import Lake

Change = Callable[[Night], object]


def outcomes(lake: Lake, *names: str) -> list[Outcome]:
    with NightValidator(lake, NIGHT) as validator:
        return [o for name in names for o in validator.validate(name).outcomes]


def test_on_a_good_night_every_check_of_both_steps_holds(good: Lake, fill) -> None:
    alter(good, fill, good_night(), before=6)
    names = [name for names in CHECKED.values() for name in names]
    found = outcomes(good, *names)
    assert [o for o in found if not o.passed] == []
    assert [(o.table, o.expectation) for o in found] == [
        (name, check.about) for name in names for check in TABLES[name].checks
    ]
    assert {o.table: o.rows for o in found}["requests"] == 240


def change(table: str, row: int, **values: object) -> Change:
    return lambda night: night[table][row].update(values)


def drop(table: str, row: int) -> Change:
    return lambda night: night[table].pop(row)


def again(table: str, row: int) -> Change:
    return lambda night: night[table].append(dict(night[table][row]))


def empty(table: str) -> Change:
    return lambda night: night[table].clear()


def scale(source: int, landed: int) -> Change:
    def apply(night: Night) -> None:
        name = night["landing_files"][source]["source"]
        night["landing_files"][source] = landing_file(name, landed)

    return apply


def event(campaign: str, name: str, other: str | None = None) -> Change:
    """One more event of the night."""
    row = {"campaign_id": campaign, "event": name, "other_campaign_id": other, "accounts": 4}
    return lambda night: night["campaign_events"].append(row)


def every(table: str, **values: object) -> Change:
    return lambda night: [row.update(values) for row in night[table]]


#: (table, check, severity, how often, example, change)
BROKEN: tuple[tuple[str, str, str, int, str, Change], ...] = (
    ("landing_files", "landed = kept", "stop", 1,
     "source=accounts, file=accounts/date=2026-05-03/x.parquet",
     change("landing_files", 1, landed=121)),
    ("landing_files", "counted as kept are the rows", "stop", 1,
     "source=requests, kept=240, in_table=239", drop("requests", 5)),
    ("landing_files", "counted as kept are the rows", "stop", 1,
     "source=labels, kept=0, in_table=1", drop("landing_files", 2)),
    ("landing_files", "counted as refused are the rows", "stop", 1,
     "source=requests, quarantined=0, in_table=1",
     lambda night: night["quarantine"].append({"source": "requests", "file": "f", "line": 1})),
    ("landing_files", "at most 30% of a source's records are refused", "stop", 1,
     "source=requests, refused=110, landed=350", lambda night: refused(night, 110)),
    ("landing_files", "at most 2% of a source's records are refused", "warn", 1,
     "source=requests, refused=6, landed=246", lambda night: refused(night, 6)),
    ("landing_files", "no file is refused as a whole", "warn", 1, "source=requests, file=bad",
     lambda night: (night["landing_files"].append({**landing_file("requests", 0, 1),
                                                   "file": "bad"}),
                    night["quarantine"].append({"source": "requests", "file": "bad",
                                                "line": 0}))),
    ("landing_files", "records repeat others", "warn", 1,
     "source=requests, repeated=30, landed=270",
     change("landing_files", 0, landed=270, duplicates=30)),
    ("landing_files", "requests landed are", "warn", 1, "source=requests, landed=90, usual=240",
     scale(0, 90)),
    ("landing_files", "requests landed are", "warn", 1, "source=requests, landed=700, usual=240",
     scale(0, 700)),
    ("landing_files", "requests landed are", "warn", 1, "source=requests, landed=0, usual=240",
     drop("landing_files", 0)),
    ("landing_files", "accounts landed are", "warn", 1, "source=accounts, landed=90, usual=120",
     scale(1, 90)),
    ("landing_files", "at least 1 row", "stop", 0, "observed=0", empty("landing_files")),
    ("requests", "at least 1 row", "stop", 0, "observed=0", empty("requests")),
    ("requests", "at least 100 rows", "warn", 0, "observed=40",
     lambda night: night["requests"].__delitem__(slice(40, None))),
    ("requests", "request_id is unique", "stop", 2, "request_id=r0007", again("requests", 7)),
    ("requests", "every request's account", "warn", 2, "account_id=a003", drop("accounts", 3)),
    ("requests", "prompt_chars is there", "warn", 240, "request_id=r0000",
     every("requests", prompt_chars=None)),
    ("requests", "before the previous day", "warn", 1, "late=240, requests=240",
     every("requests", event_time=dt.datetime(2026, 5, 1, 23))),
    ("accounts", "account_id is unique", "stop", 2, "account_id=a002", again("accounts", 2)),
    ("accounts", "status is there in 90%", "warn", 120, "account_id=a000",
     every("accounts", status=None)),
    ("labels", "every label's account", "warn", 1, "account_id=stranger",
     change("labels", 0, account_id="stranger")),
    ("labels", "no account gets two different labels", "warn", 1, "account_id=a000",
     lambda night: night["labels"].append({"account_id": "a000", "label": "resale"})),
    ("account_daily", "account_id is unique", "stop", 2, "account_id=a001",
     again("account_daily", 1)),
    ("account_daily", "errors is never over requests", "stop", 1, "account_id=a004",
     change("account_daily", 4, errors=3)),
    ("account_daily", "requests rolled up are the requests kept", "stop", 1,
     "kept=240, rolled_up=238", drop("account_daily", 0)),
    ("account_features", "account_id is unique", "stop", 2, "account_id=a009",
     again("account_features", 9)),
    ("campaigns", "campaign_id is unique", "stop", 2, "campaign_id=c1", again("campaigns", 0)),
    ("campaigns", "accounts is the number of its members", "stop", 1, "campaign_id=c1",
     drop("campaign_members", 0)),
    ("campaigns", "first_seen is not after", "stop", 1, "campaign_id=c1",
     change("campaigns", 0, first_seen=NIGHT.replace(day=4))),
    ("campaign_members", "account_id is unique", "stop", 2, "account_id=a001",
     again("campaign_members", 1)),
    ("campaign_members", "every member's campaign exists", "stop", 1, "campaign_id=c9",
     change("campaign_members", 1, campaign_id="c9")),
    ("campaign_events", "campaign_id, event together are unique", "stop", 2,
     "campaign_id=c1, event=founded", again("campaign_events", 0)),
    ("campaign_events", "campaigns that ended are not there", "warn", 1,
     "campaign_id=c1, event=gone", event("c1", "gone")),
    ("campaign_events", "campaigns that ended are not there", "warn", 1,
     "campaign_id=c9, event=returned", event("c9", "returned")),
    ("campaign_events", "the other campaign of a merge or split", "warn", 1,
     "campaign_id=c8, event=merged", event("c8", "merged", "c9")),
    ("campaign_events", "the other campaign of a merge or split", "warn", 1,
     "campaign_id=c1, event=returned", event("c1", "returned", "c1")),
    ("campaign_events", "campaigns first seen on the night", "warn", 1, "campaign_id=c1",
     drop("campaign_events", 0)),
    ("campaign_events", "campaigns first seen on the night", "warn", 1, "campaign_id=c1",
     change("campaigns", 0, first_seen=NIGHT.replace(day=2))),
    ("account_scores", "every account with traffic", "stop", 1, "account_id=a050",
     drop("account_scores", 50)),
    ("account_scores", "only accounts with traffic", "warn", 1, "account_id=a120",
     lambda night: night["account_scores"].append({"account_id": "a120"})),
    ("account_scores", "campaign_id is that of", "stop", 1, "account_id=a001",
     change("account_scores", 1, campaign_id=None)),
    ("account_scores", "scores tell accounts apart", "warn", 1, "accounts=120, scores=1",
     every("account_scores", distillation_score=0.5)),
    ("account_scores", "that score 0.8 or more", "warn", 1, "accounts=120, usual=0",
     every("account_scores", distillation_score=0.9)),
    ("drift", "are distributed as on the nights before", "warn", 2,
     "name=campaign_strength, psi=1.5, psi_expected=0.05",
     lambda night: (night["drift"][1].update(psi=1.5), night["drift"][2].update(psi=0.31))),
    ("drift", "are there as on the nights before", "warn", 1,
     "name=campaign_score, missing=0.16, reference_missing=0.1",
     change("drift", 0, missing=0.16)),
)  # fmt: skip


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case[0]}-{case[1]}"[:60])
def test_a_broken_night_is_found(
    case: tuple[str, str, str, int, str, Change], good: Lake, fill
) -> None:
    table, said, severity, unexpected, example, apply = case
    night = good_night()
    apply(night)
    past = 6 if "landed are" in said or "score 0.8" in said else 0
    alter(good, fill, night, before=past)
    (found,) = [o for o in outcomes(good, table) if re.search(re.escape(said), o.expectation)]
    assert (found.passed, found.severity, found.unexpected, found.example) == (
        False, severity, unexpected, example)  # fmt: skip


def test_every_declared_check_has_a_night_that_breaks_it() -> None:
    untried = [
        (name, check.about)
        for names in CHECKED.values() for name in names for check in TABLES[name].checks
        if not any(table == name and said in check.about for table, said, *_ in BROKEN)
    ]  # fmt: skip
    # The same few checks are on several tables; one table each is enough of these.
    assert {about for _, about in untried} <= {
        "at least 1 row", "account_id is unique", "address_token is there in 50% of rows",
    }  # fmt: skip


def test_shares_are_left_alone_where_records_are_few(good: Lake, fill) -> None:
    night = good_night()
    refused(night, 5, "labels")
    alter(good, fill, night)
    assert [o.expectation for o in outcomes(good, "landing_files") if not o.passed] == []


def test_volume_is_not_judged_before_there_are_nights_to_judge_by(good: Lake, fill) -> None:
    night = good_night()
    scale(0, 9)(night)
    alter(good, fill, night, before=4)
    (found,) = [
        o for o in outcomes(good, "landing_files") if o.expectation.startswith("requests landed")
    ]
    assert found.passed


@pytest.mark.parametrize(
    ("row", "passed"),
    [
        (drifted("campaign_score", 12, psi=9.0), False),
        (drifted("campaign_score", 11, psi=9.0), True),
        (drifted("campaign_score", 12, psi=0.3), True),
        (drifted("campaign_score", 12, psi=0.6, psi_expected=0.4), True),
        (drifted("campaign_score", 12, psi=9.0, accounts=499), True),
        # A model of one week is judged too, and not on its first nights.
        (drifted("resale_score", 3, psi=9.0, model_version="m/1"), False),
        (drifted("resale_score", 2, psi=9.0, model_version="m/1"), True),
        (drifted("resale_score", 0, psi=None, psi_expected=None, reference_missing=None,
                 model_version="m/1"), True),
    ],
)  # fmt: skip
def test_drift_is_judged_where_there_is_enough_to_judge_by(row, passed, lake: Lake, fill) -> None:
    fill(lake, "drift", NIGHT, [row])
    (found,) = [o for o in outcomes(lake, "drift") if "distributed as" in o.expectation]
    assert found.passed == passed


def test_more_rows_than_are_fetched_are_counted(good: Lake, fill) -> None:
    night = good_night()
    night["accounts"].clear()
    alter(good, fill, night)
    (found,) = [o for o in outcomes(good, "requests") if "every request's" in o.expectation]
    assert (found.unexpected, found.example) == (240, "account_id=a000")


def test_traffic_of_six_nights_ago_still_asks_for_a_score(good: Lake, fill) -> None:
    fill(good, "account_daily", NIGHT - dt.timedelta(days=6), [{"account_id": "b6"}])
    fill(good, "account_daily", NIGHT - dt.timedelta(days=7), [{"account_id": "b7"}])
    failed = [o for o in outcomes(good, "account_scores") if not o.passed]
    assert [(o.unexpected, o.example) for o in failed] == [(1, "account_id=b6")]


def test_an_example_is_one_line_of_bounded_length(good: Lake, fill) -> None:
    night = good_night()
    night["labels"][0]["account_id"] = "a\nb\t" + "c" * 500
    alter(good, fill, night)
    (found,) = [o for o in outcomes(good, "labels") if not o.passed]
    assert found.example is not None
    assert found.example.isprintable()
    assert len(found.example) == 200


def test_what_delta_guarantees_is_not_validated_again(lake: Lake) -> None:
    for names in CHECKED.values():
        for name in names:
            assert column_checks(TABLES[name], lake.guarantees(name)) == ()


def test_what_delta_does_not_guarantee_is_validated() -> None:
    said = [check.about for check in column_checks(TABLES["account_scores"], ())]
    assert "distillation_score is from 0 to 1" in said
    assert "account_id is there" in said
    assert "kind is one of distillation, resale, benign_group, unknown" in [
        check.about for check in column_checks(TABLES["campaigns"], ())]  # fmt: skip
