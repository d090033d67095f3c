"""account_features: literal nights in, literal features out; nothing later, nothing invented."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from jobs import features
from jobs.catalog.features import FEATURES, FEATURES_BY_NAME
from jobs.catalog.landing import REQUESTS

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

Fill = Callable[..., int]


def before(night: dt.date, days: int) -> dt.date:
    return night - dt.timedelta(days=days)


def at(night: dt.date, hour: int) -> dt.datetime:
    return dt.datetime.combine(night, dt.time(hour), dt.UTC)


def day(night: dt.date, account: str, requests: int, **measures: Any) -> dict[str, Any]:
    """A row of account_daily whose hours add up."""
    return {"account_id": account, "requests": requests, "hour_09": requests,
            "first_event": at(night, 9), "last_event": at(night, 9), **measures}  # fmt: skip


def used(account: str, kind: str, token: str, requests: int) -> dict[str, Any]:
    return {"account_id": account, "kind": kind, "token": token, "requests": requests}


def made(lake: Lake, night: dt.date) -> dict[str, dict[str, Any]]:
    features.run(lake, night)
    rows = lake.rows("account_features", night, night).to_pylist()
    found = {row["account_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def close(found: dict[str, Any], expected: dict[str, float | None]) -> None:
    for name, value in expected.items():
        got = found[name]
        same = got is None if value is None else math.isclose(got, value, rel_tol=1e-9)
        assert same, f"{name} is {got}, wanted {value}"


def test_literal_nights(lake: Lake, night: dt.date, fill: Fill) -> None:
    week, month = before(night, 6), before(night, 27)
    fill(lake, "account_daily", night, [day(night, "a", 4, errors=1, output_tokens=40),
                                        day(night, "b", 1)])  # fmt: skip
    # The first day of the 7-day window counts in it; the first of the 28 days in that one only;
    # the day before that one in neither.
    fill(lake, "account_daily", week, [day(week, "a", 6, errors=1)])
    fill(lake, "account_daily", month, [day(month, "a", 10)])
    fill(lake, "account_daily", before(night, 28), [day(before(night, 28), "a", 100),
                                                    day(before(night, 28), "gone", 5)])  # fmt: skip
    fill(lake, "account_indicators", night, [
        used("a", "address", "ip1", 3), used("a", "address", "ip2", 1),
        # b shares ip1 with a.
        used("b", "address", "ip1", 1),
        used("b", "address", "ip3", 1),
    ])  # fmt: skip
    fill(lake, "account_indicators", week, [used("a", "address", "ip3", 1)])
    fill(lake, "accounts", night, [
        {"account_id": "a", "created_at": at(before(night, 10), 23), "plan": "free",
         "payment_token": "card", "kyc_level": 2, "payment_type": "prepaid",
         "signup_country": "DE"},
        # Not active, but it shares the card.
        {"account_id": "idle", "created_at": at(before(night, 10), 0), "payment_token": "card"},
    ])  # fmt: skip
    found = made(lake, night)
    a, b = found["a"], found["b"]
    assert "idle" not in found, "an account without traffic has no row"
    assert (a["active"], a["plan"], a["country"]) == (True, "free", "DE")
    assert found["gone"]["active"] is False
    close(a, {
        "requests_7d": 10.0, "requests_28d": 20.0, "requests_45d": 120.0,
        "error_share_7d": 0.2, "error_share_28d": 0.1,
        # ip1 (2 accounts) carries 3 of 5; ip2 and ip3 carry less than a quarter each.
        "address_fan_7d": 2.0,
        "address_shared_share_7d": (3 + 1) / 10,
        "address_variety_7d": 3 / 10,
        "payment_fan": 2.0, "account_age_days": 10.0, "kyc_level": 2.0, "prepaid_or_crypto": 1.0,
        # In no campaign: zero, since every campaign is known.
        "campaign_accounts": 0.0, "campaign_score": 0.0,
    })  # fmt: skip
    close(found["gone"], {"requests_28d": 0.0, "requests_45d": 5.0, "error_share_28d": None})
    close(b, {
        "address_shared_share_7d": 2.0,  # the rollup's rows decide, here two of one request
        # No record of the account: what it says is unknown, not zero.
        "payment_fan": None, "account_age_days": None, "kyc_level": None,
    })  # fmt: skip


def test_templates_shared_by_some_and_by_too_many(
    lake: Lake, night: dt.date, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "COMMON_TEMPLATE_ACCOUNTS", 2)
    fill(lake, "account_daily", night, [day(night, a, 10, prompts_known=10) for a in "abc"])

    def sent(account: str, template: str, requests: int, prompts: int) -> dict[str, Any]:
        return {"account_id": account, "template_key": template, "requests": requests,
                "prompts": prompts}  # fmt: skip

    fill(lake, "account_templates", night, [
        sent("a", "shared", 6, 3), sent("b", "shared", 10, 10),
        # Used by all three, which is more than COMMON_TEMPLATE_ACCOUNTS: a common phrase.
        sent("a", "hello", 4, 1), sent("b", "hello", 1, 1), sent("c", "hello", 10, 1),
    ])  # fmt: skip
    found = made(lake, night)
    close(found["a"], {
        "template_concentration_7d": 0.6, "template_variety_7d": 0.2,
        "prompt_repeat_share_7d": 1 - 4 / 10, "template_shared_share_7d": 0.6,
        "template_fan_7d": 2.0,
    })  # fmt: skip
    close(found["c"], {"template_shared_share_7d": 0.0, "template_fan_7d": None})


def test_campaign_of_the_account(lake: Lake, night: dt.date, fill: Fill) -> None:
    fill(lake, "account_daily", night, [day(night, "a", 1)])
    fill(lake, "campaigns", night, [
        {"campaign_id": "c1", "accounts": 12, "score": 0.75},
    ])  # fmt: skip
    fill(lake, "campaign_members", night, [
        {"campaign_id": "c1", "account_id": "a", "strength": 0.5},
    ])  # fmt: skip
    close(made(lake, night)["a"], {
        "campaign_accounts": 12.0, "campaign_score": 0.75, "campaign_strength": 0.5,
    })  # fmt: skip


def columns(lacking: str) -> list[dict[str, Any]]:
    return [
        {"source": "requests", "column_name": column.name, "declared": True, "records": 5,
         "present": 0 if column.name == lacking else 5, "available": column.name != lacking}
        for column in REQUESTS.columns
    ]  # fmt: skip


def test_a_feature_that_needs_an_unavailable_column_is_null_not_zero(
    lake: Lake, night: dt.date, fill: Fill
) -> None:
    fill(lake, "account_daily", night, [day(night, "a", 5)])
    fill(lake, "source_columns", night, columns(lacking="temperature"))
    without = made(lake, night)["a"]
    fill(lake, "source_columns", night, columns(lacking=""))
    with_it = made(lake, night)["a"]
    needing = {f.name for f in FEATURES if "temperature" in f.needs}
    assert "temperature_zero_share_7d" in needing
    assert {without[name] for name in needing} == {None}
    assert with_it["temperature_zero_share_7d"] == 0.0
    others = set(FEATURES_BY_NAME) - needing
    assert {n: without[n] for n in others} == {n: with_it[n] for n in others}


def test_a_column_that_nothing_declares_hides_no_feature(
    lake: Lake, night: dt.date, fill: Fill
) -> None:
    fill(lake, "source_columns", night, [
        {"source": "requests", "column_name": "temperature", "declared": False, "records": 5,
         "present": 0, "available": False},
        # A source that brought nothing says nothing about its columns.
        {"source": "labels", "column_name": "confidence", "declared": True, "records": 0,
         "present": 0, "available": False},
    ])  # fmt: skip
    assert features.unavailable_columns(lake, night) == frozenset()


def test_later_nights_are_never_read(lake: Lake, night: dt.date, fill: Fill) -> None:
    def rows(date: dt.date, requests: int) -> None:
        fill(lake, "account_daily", date, [day(date, "a", requests, prompts_known=requests)])
        fill(lake, "account_indicators", date, [used("a", "address", f"ip{requests}", requests)])
        fill(lake, "account_templates", date, [
            {"account_id": "a", "template_key": f"t{requests}", "requests": requests,
             "prompts": requests}])  # fmt: skip
        fill(lake, "accounts", date, [
            {"account_id": "a", "created_at": at(before(night, 9), 0), "kyc_level": requests % 4,
             "payment_token": f"card{requests}"}])  # fmt: skip
        fill(lake, "campaigns", date, [
            {"campaign_id": "c", "accounts": 2 + requests, "score": 0.01 * requests}])  # fmt: skip
        fill(lake, "campaign_members", date, [{"campaign_id": "c", "account_id": "a"}])

    rows(night, 3)
    alone = made(lake, night)
    tomorrow = before(night, -1)
    rows(tomorrow, 50)
    fill(lake, "source_columns", tomorrow, columns(lacking="temperature"))
    assert made(lake, night) == alone
    assert made(lake, tomorrow) != alone
