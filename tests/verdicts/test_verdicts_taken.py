"""Taking decisions: what is written, what is refused, and two people at once."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from jobs import verdicts
from jobs.catalog.enforcement import POLICY
from jobs.verdicts import DecidedAlready, VerdictError, record

NIGHT = dt.date(2026, 5, 20)
NEXT = dt.date(2026, 5, 21)


@pytest.fixture
def lake(bare_lake, fill):
    """A campaign of three, one of them a verified organization's, and an account on its own."""
    members = [{"account_id": name, "campaign_id": "c-1"} for name in ("a", "b", "firm")]
    scores = [
        *(m | {"evidence": ["content", "time"], "model_version": "7"} for m in members),
        {"account_id": "alone", "evidence": ["identity"], "model_version": "7"},
    ]
    fill(bare_lake, "account_scores", NIGHT, scores)
    fill(bare_lake, "campaign_members", NIGHT, members)
    fill(bare_lake, "accounts", NIGHT, [
        {"account_id": name, "verified_organization": name == "firm"}
        for name in ("a", "b", "firm", "alone", "quiet")
    ])  # fmt: skip
    fill(bare_lake, "enforcement_actions", NIGHT, [
        {"account_id": "a", "action": "limit", "campaign_id": "c-1", "expires": NEXT,
         "evidence": ["content", "label"]},
        {"account_id": "alone", "action": "review", "expires": NEXT},
    ])  # fmt: skip
    return bare_lake


def say(lake, verdict, subject="c-1", by="ana", **more):
    return record(lake, verdict=verdict, subject=subject, by=by, reason="as seen", **more)


def test_a_decision_on_a_campaign_is_about_its_members_and_what_was_known(lake):
    made = say(lake, "distillation", action="limit")
    (row,) = lake.rows("decisions").to_pylist()
    assert row["accounts"] == ["a", "b", "firm"]
    assert (row["date"], row["night"], row["subject_kind"]) == (NEXT, NIGHT, "campaign")
    assert row["evidence"] == ["content", "label", "time"]
    assert (row["campaigns"], row["model_version"]) == (["c-1"], "7")
    assert row["policy_version"] == POLICY.version
    assert row["decision_id"] == made["decision_id"] and not row["needs_approval"]
    assert say(lake, "benign", "quiet")["accounts"] == ["quiet"]  # sent nothing that night


def test_members_of_a_campaign_that_is_gone_are_those_of_its_last_night(lake, fill):
    fill(lake, "account_scores", NEXT, [{"account_id": "alone"}])
    fill(lake, "campaign_members", NEXT, [{"account_id": "x", "campaign_id": "c-2"}])
    assert say(lake, "benign")["accounts"] == ["a", "b", "firm"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"verdict": "guilty"}, "'guilty' is no verdict"),
        ({"verdict": "benign", "reason": " \u202e"}, "needs who decides and a reason"),
        ({"verdict": "benign", "by": ""}, "needs who decides and a reason"),
        ({"verdict": "benign", "action": "limit"}, "not with benign"),
        ({"verdict": "distillation", "action": "ban"}, "'ban' is no action"),
        ({"verdict": "vetted"}, "a vetting needs a date"),
        ({"verdict": "vetted", "expires": NIGHT}, "it would end on 2026-05-20, before it counts"),
        ({"verdict": "distillation", "action": "suspend", "expires": NIGHT}, "before it counts"),
        ({"verdict": "vetted", "expires": NEXT, "evidence": ["odour"]}, "no family of evidence"),
        ({"verdict": "benign", "subject": "nobody"}, "no campaign or account 'nobody'"),
        ({"verdict": "benign", "accounts": ["alone"]}, "alone is no member of c-1"),
        ({"verdict": "benign", "accounts": []}, "no account was chosen"),
        ({"verdict": "overturned", "answers": "d-x"}, "no decision 'd-x' on this subject"),
        ({"verdict": "approved"}, "say which decision is approved"),
        ({"verdict": "approved", "answers": "d-x"}, "waits for nobody's approval"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(lake, asked, said):
    full = {"subject": "c-1", "by": "ana", "reason": "as seen"} | asked
    with pytest.raises(VerdictError) as caught:
        record(lake, **full)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert verdicts.decisions_by(lake, None).num_rows == 0


def test_nothing_can_be_decided_before_a_night_was_scored(bare_lake):
    with pytest.raises(VerdictError, match="no night has been scored"):
        say(bare_lake, "benign")


def test_suspending_a_verified_organization_takes_two_people(lake):
    assert not say(lake, "distillation", action="suspend", accounts=["a"])["needs_approval"]
    asked = say(lake, "distillation", action="suspend")
    assert asked["needs_approval"]
    assert [row["decision_id"] for row in verdicts.pending(lake)] == [asked["decision_id"]]
    with pytest.raises(VerdictError, match="another person has to say approved"):
        say(lake, "approved", answers=asked["decision_id"])
    assert "firm" not in in_force(lake)
    say(lake, "approved", by="ben", answers=asked["decision_id"])
    assert verdicts.pending(lake) == []
    assert in_force(lake)["firm"] == "suspend"
    with pytest.raises(VerdictError, match="waits for nobody's approval"):
        say(lake, "rejected", by="cyn", answers=asked["decision_id"])


def in_force(lake):
    return {r["account_id"]: r["action"] for r in verdicts.actions_in_force(lake).to_pylist()}


def test_what_was_decided_since_the_night_holds_at_once(lake):
    assert in_force(lake) == {"a": "limit", "alone": "review"}
    say(lake, "overturned", "a")
    say(lake, "distillation", "b", action="challenge")
    say(lake, "distillation", "alone")  # found out, nothing ordered: what holds goes on
    assert in_force(lake) == {"b": "challenge", "alone": "review"}
    left = verdicts.actions_in_force(lake, NIGHT).to_pylist()  # as the night left it
    assert {r["account_id"]: r["action"] for r in left} == {"a": "limit", "alone": "review"}


def test_an_action_holds_until_it_expires_or_a_later_night_says_otherwise(lake, fill):
    fill(lake, "account_scores", NEXT, [{"account_id": "a"}])
    fill(lake, "enforcement_actions", NEXT, [
        {"account_id": "alone", "action": "watch", "expires": NEXT}])  # fmt: skip
    assert in_force(lake) == {"a": "limit", "alone": "watch"}
    later = NEXT + dt.timedelta(days=1)
    fill(lake, "account_scores", later, [{"account_id": "a"}])
    assert in_force(lake) == {}


def test_of_two_people_who_decide_at_once_one_is_told(lake):
    told, made = [], []

    def decide(by):
        try:
            made.append(say(lake, "benign", by=by, seen="")["decided_by"])
        except DecidedAlready as late:
            told.append(str(late))

    people = [threading.Thread(target=decide, args=(name,)) for name in ("ana", "ben")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert len(made) == 1 and len(told) == 1
    assert f"{made[0]} said benign" in told[0]
    (row,) = lake.rows("decisions").to_pylist()
    again = say(lake, "benign", by="cyn", seen=row["decision_id"])  # saw the first one
    assert again["decision_id"] in {r["decision_id"] for r in verdicts.decisions_on(lake, "b")}


def test_the_mode_is_observe_until_somebody_says_otherwise(lake):
    assert (verdicts.mode_on(lake, NEXT), verdicts.enforcing(lake)) == ("observe", False)
    verdicts.set_mode(lake, "enforce", "ana", "agreed")
    assert (verdicts.mode_on(lake, NIGHT), verdicts.mode_on(lake, NEXT)) == ("observe", "enforce")
    assert verdicts.enforcing(lake)
    assert {r["mode"] for r in verdicts.actions_in_force(lake).to_pylist()} == {"enforce"}
    verdicts.set_mode(lake, "observe", "ben", "a feature broke")
    assert not verdicts.enforcing(lake)
    with pytest.raises(VerdictError, match="'on' is no mode: observe or enforce"):
        verdicts.set_mode(lake, "on", "ana", "x")
    with pytest.raises(VerdictError, match="who changes it and a reason"):
        verdicts.set_mode(lake, "enforce", "ana", "\x00")


def test_a_reason_is_kept_without_what_deceives_the_eye(lake):
    reason = " a\x00b\u202ec\u200bd\n  e " + "x" * 1_000_000
    kept = record(lake, verdict="benign", subject="alone", by="ana\n\u202e", reason=reason)
    assert kept["reason"].startswith("abcd\ne xx") and len(kept["reason"]) == 2_000
    assert kept["decided_by"] == "ana"


@pytest.fixture
def operation(bare_lake, fill):
    """A campaign of 60: more than one person may suspend (50)."""
    members = [{"account_id": f"m{n:02}", "campaign_id": "c-9"} for n in range(60)]
    fill(bare_lake, "account_scores", NIGHT, [m | {"evidence": ["time"]} for m in members])
    fill(bare_lake, "campaign_members", NIGHT, members)
    fill(bare_lake, "accounts", NIGHT, [
        {"account_id": m["account_id"], "verified_organization": False} for m in members
    ])  # fmt: skip
    return bare_lake


def test_an_operation_is_not_suspended_by_one_person_part_by_part(operation):
    names = [f"m{n:02}" for n in range(60)]
    suspend = {"verdict": "distillation", "action": "suspend", "subject": "c-9"}
    assert not say(operation, **suspend, accounts=names[:40])["needs_approval"]
    assert not say(operation, **suspend, accounts=names[:40])["needs_approval"]  # the same again
    assert not say(operation, **{**suspend, "subject": "m40"})["needs_approval"]
    rest = say(operation, **suspend, accounts=names[41:])
    assert rest["needs_approval"]
    one = {name: value for name, value in suspend.items() if name != "subject"}
    for name in names[41:50]:
        assert not say(operation, subject=name, **one)["needs_approval"], name
    assert say(operation, subject="m50", **one)["needs_approval"]
    # What two people agreed on counts no more.
    say(operation, "approved", by="ben", answers=rest["decision_id"])
    assert len(in_force(operation)) == 60


def test_an_organization_that_nobody_knows_takes_two_people(lake, fill):
    fill(lake, "account_scores", NEXT, [{"account_id": "a"}, {"account_id": "firm"}])
    # The night's accounts did not arrive: whether it is verified stands on the night before.
    assert say(lake, "distillation", "firm", action="suspend")["needs_approval"]
    assert not say(lake, "distillation", "a", action="suspend")["needs_approval"]


def test_who_was_cleared_while_a_decision_waited_stays_cleared_when_it_is_approved(lake):
    asked = say(lake, "distillation", action="suspend")
    say(lake, "overturned", "a", by="ben")
    say(lake, "approved", by="cyn", answers=asked["decision_id"])
    assert in_force(lake) == {"alone": "review", "b": "suspend", "firm": "suspend"}


def test_nobody_is_a_second_person_under_another_spelling(lake):
    asked = say(lake, "distillation", action="suspend")
    for by in ("Ana", "ANA", "oidc:ana", "ａna"):
        with pytest.raises(VerdictError, match="another person has to say approved"):
            say(lake, "approved", by=by, answers=asked["decision_id"])


def test_all_members_are_those_of_the_night_that_the_person_saw(lake, fill):
    fill(lake, "account_scores", NEXT, [{"account_id": "alone"}])
    fill(lake, "campaign_members", NEXT, [
        {"account_id": name, "campaign_id": "c-1"} for name in ("a", "alone", "b", "firm")
    ])  # fmt: skip
    with pytest.raises(VerdictError, match="night of 2026-05-21 was scored since you looked"):
        say(lake, "distillation", action="limit", seen_night=NIGHT)
    assert say(lake, "distillation", action="limit", seen_night=NEXT)["night"] == NEXT


def test_an_appeal_of_who_sends_nothing_any_more_is_about_what_it_was_suspended_for(lake, fill):
    made = say(lake, "distillation", "b", action="suspend")
    for day in (NEXT, NEXT + dt.timedelta(days=1)):
        fill(lake, "account_scores", day, [{"account_id": "alone"}])
        fill(lake, "accounts", day, [{"account_id": "alone"}])
        fill(lake, "enforcement_actions", day, [
            {"account_id": "b", "action": "suspend", "campaign_id": None, "evidence": [],
             "expires": day + dt.timedelta(days=9), "decision_id": made["decision_id"]}
        ])  # fmt: skip
    won = say(lake, "overturned", "b", by="ben", answers=made["decision_id"])
    assert (won["campaigns"], won["evidence"]) == (["c-1"], ["content", "time"])


def test_nobody_answers_an_appeal_against_their_own_decision(lake):
    held = say(lake, "distillation", "firm", action="suspend")
    say(lake, "approved", "firm", by="ben", answers=held["decision_id"])
    appeal = say(lake, "appealed", "firm", by="cem")
    for by, verdict in (("ana", "upheld"), ("oidc:Ana", "overturned"), ("ben", "upheld")):
        with pytest.raises(VerdictError, match="another person has to answer the appeal"):
            say(lake, verdict, "firm", by=by, answers=appeal["decision_id"])
    assert [r["verdict"] for r in verdicts.decisions_on(lake, "firm")][-1] == "appealed"
    # Whoever only wrote the appeal down took no part in what it contests.
    say(lake, "overturned", "firm", by="cem", answers=appeal["decision_id"])


def test_an_own_error_that_nobody_contests_may_be_undone(lake):
    say(lake, "distillation", "alone", action="limit")
    say(lake, "overturned", "alone")
    # Nor is a later appeal theirs alone to leave: it is answered, and what they decide then is new.
    say(lake, "appealed", "alone", by="ben")
    with pytest.raises(VerdictError, match="ana took part"):
        say(lake, "upheld", "alone")
    say(lake, "upheld", "alone", by="ben")
    say(lake, "overturned", "alone")


def test_what_was_ordered_since_names_the_campaign_and_the_reasons_before(lake, fill):
    fill(lake, "enforcement_actions", NIGHT, [
        {"account_id": "a", "action": "limit", "campaign_id": "c-old", "expires": NEXT,
         "reasons": ["one list", "one card"]},
        {"account_id": "alone", "action": "review", "expires": NEXT, "reasons": ["odd hours"]},
    ])  # fmt: skip
    say(lake, "distillation", action="challenge", accounts=["a", "b"])
    say(lake, "resale", "alone", action="limit")
    found = {row["account_id"]: row for row in verdicts.actions_in_force(lake).to_pylist()}
    said = "A person looked at the evidence and decided this, from the night of 2026-05-21."
    assert {name: (row["campaign_id"], row["reasons"]) for name, row in found.items()} == {
        "a": ("c-old", [said, "one list", "one card"]), "b": ("c-1", [said]),
        "alone": (None, [said, "odd hours"]),
    }  # fmt: skip


def test_what_is_in_force_on_some_accounts_is_the_same_as_among_all(lake):
    say(lake, "distillation", action="challenge", accounts=["a", "b"])
    say(lake, "benign", "alone")
    whole = verdicts.actions_in_force(lake).to_pylist()
    assert [row["account_id"] for row in whole] == ["a", "b"]
    for asked in (["b", "alone"], ["a"], ["alone"], []):
        some = verdicts.actions_in_force(lake, accounts=asked).to_pylist()
        assert some == [row for row in whole if row["account_id"] in asked], asked


def test_who_was_cleared_is_not_among_all_members_unless_named(lake):
    say(lake, "distillation", action="limit")
    say(lake, "appealed", "b", by="cem")
    say(lake, "overturned", "b", by="ben")
    again = say(lake, "distillation", action="challenge")
    assert again["accounts"] == ["a", "firm"]
    assert in_force(lake) == {"a": "challenge", "alone": "review", "firm": "challenge"}
    assert say(lake, "resale")["accounts"] == ["a", "firm"]  # nor without an action
    named = say(lake, "distillation", action="limit", accounts=["b"])
    assert named["accounts"] == ["b"] and in_force(lake)["b"] == "limit"
    assert say(lake, "benign")["accounts"] == ["a", "b", "firm"]
    with pytest.raises(VerdictError, match="people cleared all 3 members"):
        say(lake, "distillation", action="limit")
    assert len(say(lake, "distillation", action="limit", also_cleared=True)["accounts"]) == 3


def test_a_decision_on_a_member_since_the_person_looked_is_news_of_the_campaign(lake):
    first = say(lake, "distillation", action="limit", seen="")
    say(lake, "benign", "a", by="ben", seen=first["decision_id"])
    with pytest.raises(DecidedAlready, match="ben said benign"):
        say(lake, "distillation", action="challenge", seen=first["decision_id"])
    assert [r["verdict"] for r in verdicts.decisions_on(lake, "c-1", ["a", "b", "firm"])] == [
        "distillation", "benign",
    ]  # fmt: skip


def test_an_own_decision_is_not_judged_in_a_roundabout_way(lake):
    say(lake, "appealed", "a", by="cem")
    say(lake, "distillation", action="limit")
    ways = ({"subject": "a"}, {"accounts": ["a"]}, {"subject": "a", "by": "oidc:oidc:ana"})
    for way in ways:
        with pytest.raises(VerdictError, match="another person has to answer the appeal"):
            say(lake, "overturned", **way)
    say(lake, "upheld", "a", by="ben")
    say(lake, "appealed", "a", by="cem")
    with pytest.raises(VerdictError, match="ben took part"):
        say(lake, "upheld", "a", by="ben")
    # An answer by way of the campaign answers it too.
    say(lake, "overturned", by="dora", accounts=["a"])
    assert verdicts.open_appeals(verdicts.decisions_on(lake, "a")) == {}


def test_the_mode_of_a_lake_without_a_night_is_a_slip(bare_lake):
    with pytest.raises(VerdictError, match="no night has been scored"):
        verdicts.set_mode(bare_lake, "observe", "ana", "stop everything")
    assert not bare_lake.exists("enforcement_mode")
