"""What stands of decisions on a night. Rows by hand, in and out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.catalog.desk_tables import DECISIONS
from jobs.catalog.enforcement import POLICY
from jobs.platform.lake import arrow_schema
from jobs.verdicts import labels_of, standing

MAY = 5


def day(n: int) -> dt.date:
    return dt.date(2026, MAY, n)


def row(name: str, on: int, verdict: str, *accounts: str, **more: object) -> dict[str, object]:
    return {
        "date": day(on), "decision_id": name, "verdict": verdict, "accounts": list(accounts),
        "decided_at": dt.datetime(2026, MAY, on, 9, tzinfo=dt.UTC), "decided_by": "ana",
        "subject_kind": "campaign", "subject": "c-1", "reason": "seen", "night": day(on - 1),
        "evidence": ["content", "time"], "campaigns": ["c-1"], "needs_approval": False,
        "policy_version": "p",
    } | more  # fmt: skip


def stands(*rows: dict[str, object], on: int = 20) -> dict[str, dict[str, object]]:
    decisions = pa.Table.from_pylist(list(rows), schema=arrow_schema(DECISIONS))
    found = standing(decisions, day(on), POLICY).to_pylist()
    return {entry["account_id"]: entry for entry in found}


def test_the_last_decision_about_each_account_stands() -> None:
    found = stands(
        row("d-1", 10, "distillation", "a", "b", action="suspend"),
        row("d-2", 12, "overturned", "b", answers="d-1"),
        row("d-3", 13, "upheld", "a", answers="d-1"),  # says nothing new of a
        row("d-4", 13, "appealed", "a"),
    )
    assert {name: entry["decision_id"] for name, entry in found.items()} == {
        "a": "d-1", "b": "d-2",
    }  # fmt: skip
    assert (found["a"]["action"], found["b"]["action"]) == ("suspend", None)


def test_a_decision_counts_from_its_night_on_and_its_action_as_long_as_the_rung() -> None:
    limited = row("d-1", 10, "distillation", "a", action="limit")  # 7 nights: 10 to 16
    assert stands(limited, on=9) == {}
    for night, action in ((10, "limit"), (16, "limit"), (17, None)):
        assert stands(limited, on=night)["a"]["action"] == action, night
    shorter = row("d-1", 10, "distillation", "a", action="limit", expires=day(11))
    assert stands(shorter, on=11)["a"]["holds_until"] == day(11)
    assert stands(shorter, on=12)["a"]["action"] is None


def test_what_needs_a_second_person_stands_once_that_person_approved() -> None:
    asked = row("d-1", 10, "distillation", "a", action="suspend", needs_approval=True)
    assert stands(asked) == {}
    assert stands(asked, row("d-2", 11, "rejected", answers="d-1")) == {}
    approved = stands(asked, row("d-2", 12, "approved", answers="d-1"))["a"]
    assert (approved["action"], approved["decided_on"]) == ("suspend", day(12))
    assert approved["confidence"] == 1.0
    assert stands(asked, row("d-2", 12, "approved", answers="d-1"), on=11) == {}


def test_a_vetting_ends_on_its_day_and_what_was_decided_before_stands_again() -> None:
    rows = [row("d-1", 8, "benign", "a"), row("d-2", 9, "vetted", "a", expires=day(15))]
    assert stands(*rows, on=15)["a"]["verdict"] == "vetted"
    assert stands(*rows, on=16)["a"]["verdict"] == "benign"


def test_an_action_that_a_vetting_lifted_does_not_come_back_when_the_vetting_ends() -> None:
    rows = [
        row("d-1", 8, "distillation", "a", "b", action="suspend"),
        row("d-2", 9, "vetted", "a", expires=day(15)),
    ]
    found = stands(*rows, on=16)
    assert (found["a"]["verdict"], found["a"]["action"]) == ("distillation", None)
    assert found["b"]["action"] == "suspend"
    again = row("d-3", 17, "distillation", "a", action="limit")
    assert stands(*rows, again, on=17)["a"]["action"] == "limit"


def test_a_vetting_does_not_make_what_was_cleared_count_again() -> None:
    rows = [
        row("d-1", 8, "benign", "a"),
        row("d-2", 9, "vetted", "a", expires=day(15), evidence=["identity"]),
    ]
    assert set(stands(*rows, on=10)["a"]["evidence"]) == {"content", "identity", "time"}
    assert set(stands(*rows, on=16)["a"]["evidence"]) == {"content", "time"}
    guilty = row("d-0", 7, "distillation", "b")
    rows = [guilty, row("d-2", 9, "vetted", "b", expires=day(15), evidence=["identity"])]
    assert stands(*rows, on=10)["b"]["evidence"] == ["identity"]


def test_decisions_make_labels_of_their_night_with_their_weight() -> None:
    decisions = pa.Table.from_pylist(
        [
            row("d-1", 10, "distillation", "guilty", "freed", action="suspend"),
            row("d-2", 11, "overturned", "freed", answers="d-1"),
            row("d-3", 11, "resale", "seller"),
            row("d-4", 11, "vetted", "heavy", expires=day(30)),
            # Decided long after the night, as where the past is worked through.
            row("d-5", 12, "benign", "late",
                decided_at=dt.datetime(2026, 11, 1, tzinfo=dt.UTC)),
        ],
        schema=arrow_schema(DECISIONS),
    )  # fmt: skip
    labels = labels_of(standing(decisions, day(20), POLICY)).to_pylist()
    said = {r["account_id"]: (r["label"], r["source"], r["confidence"], r["date"]) for r in labels}
    assert said == {
        "guilty": ("distillation", "confirmed_ban", 0.9, day(10)),
        "freed": ("benign", "appeal_upheld", 1.0, day(11)),
        "seller": ("resale", "analyst", 0.9, day(11)),
        "late": ("benign", "analyst", 0.9, day(12)),
    }
    at = {r["account_id"]: r["labelled_at"].replace(tzinfo=dt.UTC) for r in labels}
    assert at["late"] == dt.datetime(2026, 5, 12, 23, 59, 59, tzinfo=dt.UTC)
    assert at["guilty"] == dt.datetime(2026, 5, 10, 9, tzinfo=dt.UTC)
    names = {r["account_id"]: r["campaign"] for r in labels}
    assert (names["guilty"], names["freed"]) == ("c-1", None)


@pytest.mark.parametrize("night", [day(1), day(20)])
def test_without_decisions_nothing_stands(night: dt.date) -> None:
    assert standing(arrow_schema(DECISIONS).empty_table(), night, POLICY).num_rows == 0


_ACCOUNTS = st.lists(st.sampled_from("abcd"), max_size=4, unique=True)
_WORDS = st.lists(
    st.tuples(
        st.integers(2, 25), st.sampled_from(("distillation", "resale", "benign", "vetted",
                                             "overturned", "approved", "rejected")),
        _ACCOUNTS, st.sampled_from(("limit", "suspend", None)), st.booleans(),
        st.integers(1, 28), st.lists(st.sampled_from(("content", "time", "label")), unique=True),
        st.integers(0, 8),
    ),
    max_size=9,
)  # fmt: skip


@given(_WORDS)
@settings(max_examples=150)
def test_what_stands_of_an_account_is_its_last_word_whatever_else_was_decided(words: Any) -> None:
    """Against a reader that follows one account through its decisions in order, by plain rules."""
    rows = []
    for n, (on, verdict, accounts, action, two, until, evidence, answers) in enumerate(words):
        found = verdict in ("distillation", "resale")
        rows.append(row(
            f"d-{n}", on, verdict, *accounts, action=action if found else None,
            needs_approval=two and found, evidence=evidence,
            expires=day(until) if verdict == "vetted" else None,
            answers=f"d-{answers}" if verdict in ("approved", "rejected") else None,
        ))  # fmt: skip
    found = stands(*rows)
    for account in "abcd":
        assert _told(found.get(account)) == _followed(account, rows), account


def _told(entry: dict[str, Any] | None) -> Any:
    if entry is None:
        return None
    return entry["decision_id"], entry["ordered"], sorted(entry["evidence"])


def _followed(account: str, rows: list[dict[str, Any]], on: int = 20) -> Any:
    """(decision, ordered, evidence) that stands of one account, or None."""
    told = [r for r in rows if r["date"] <= day(on)]
    told.sort(key=lambda r: (r["decided_at"], r["decision_id"]))
    answers = {r["answers"]: r for r in told if r["verdict"] in ("approved", "rejected")}
    moments = []
    for entry in told:
        answer = answers.get(entry["decision_id"])
        approved = answer is not None and answer["verdict"] == "approved"
        if entry["verdict"] in ("approved", "rejected") or account not in entry["accounts"]:
            continue
        if entry["needs_approval"] and not approved:
            continue
        at = entry["decided_at"]
        if answer is not None:
            at = max(at, answer["decided_at"])
            asked = (entry["decided_at"], entry["decision_id"])
            given = (answer["decided_at"], answer["decision_id"])
            if approved and any(
                asked < (r["decided_at"], r["decision_id"]) <= given and account in r["accounts"]
                for r in told if r["verdict"] in ("benign", "overturned", "vetted")
            ):  # fmt: skip
                continue
        moments.append((at, entry["decision_id"], entry))
    moments.sort(key=lambda m: m[:2])
    finding = next((m for m in reversed(moments) if m[2]["verdict"] != "vetted"), None)
    vetting = next((m for m in reversed(moments) if m[2]["verdict"] == "vetted"), None)
    if vetting is not None and (finding is None or vetting[0] > finding[0]):
        if vetting[2]["expires"] >= day(on):
            seen = set(vetting[2]["evidence"])
            if finding is not None and finding[2]["verdict"] in ("benign", "overturned"):
                seen |= set(finding[2]["evidence"])
            return vetting[1], None, sorted(seen)
        if finding is None:
            return None
        return finding[1], None, sorted(finding[2]["evidence"])
    if finding is None:
        return None
    return finding[1], finding[2]["action"], sorted(finding[2]["evidence"])
