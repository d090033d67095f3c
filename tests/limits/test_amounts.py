"""How much: steps, promises, own history, budgets and shares, by figures that can be checked."""

from __future__ import annotations

import dataclasses
import itertools

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.catalog.enforcement import POLICY
from jobs.catalog.limit_tables import REQUEST_LIMITS, TOKEN_LIMITS
from jobs.limits import amounts

LIMITS = POLICY.limits
PLANS = ("free", "credits", "pay_as_you_go", "enterprise", "a plan of their own", None)


def promised(plan: str | None = "credits", verified: bool = False, rows: int = 1) -> pd.DataFrame:
    return amounts.promised(pd.Series([plan] * rows), pd.Series([verified] * rows), POLICY.promises)


def nights(renewed: str, policy=LIMITS) -> list[int]:  # type: ignore[no-untyped-def]
    """Steps over nights of which each renews the evidence (r) or does not (q)."""
    last = {"step": None, "renewed_nights": None, "quiet_nights": None}
    steps = []
    for night in renewed:
        after = amounts.stepped(
            pd.DataFrame([last]), pd.Series([night == "r"], dtype="boolean"), len(policy.steps),
            policy,
        )  # fmt: skip
        last = after.iloc[0].to_dict()
        steps.append(int(last["step"]))
        if not steps[-1]:
            break
    return steps


def test_limits_tighten_a_step_a_night_and_relax_a_step_after_two() -> None:
    assert nights("rrrrrr") == [1, 2, 3, 4, 4, 4]
    assert nights("rrr" + "qqqqqq") == [1, 2, 3, 3, 2, 2, 1, 1, 0]
    assert nights("rr" + "qrq") == [1, 2, 2, 3, 3]


def test_the_policy_says_after_how_many_nights() -> None:
    slow = dataclasses.replace(LIMITS, tighten_nights=3, relax_nights=1)
    assert nights("rrrrrrr" + "q", slow) == [1, 1, 1, 2, 2, 2, 3, 2]


def test_what_a_person_decided_keeps_its_step() -> None:
    before = pd.DataFrame([{"step": 2, "renewed_nights": 0, "quiet_nights": 1}])
    after = amounts.stepped(before, pd.Series([None], dtype="boolean"), 4, LIMITS)
    assert after.iloc[0].to_dict() == {"step": 2, "renewed_nights": 0, "quiet_nights": 1}


def test_a_policy_with_fewer_steps_takes_its_tightest() -> None:
    before = pd.DataFrame([{"step": 4, "renewed_nights": 0, "quiet_nights": 0}] * 3)
    after = amounts.stepped(before, pd.Series([True, False, None], dtype="boolean"), 2, LIMITS)
    assert after["step"].tolist() == [2, 2, 2]


@given(st.lists(st.sampled_from("rq"), min_size=1, max_size=40))
def test_steps_move_one_at_a_time_and_stay_among_the_declared(pattern: list[str]) -> None:
    steps = nights("r" + "".join(pattern))
    assert all(0 <= step <= len(LIMITS.steps) for step in steps)
    assert all(abs(b - a) <= 1 for a, b in itertools.pairwise(steps))


def test_a_verified_organization_has_the_better_promise_and_an_unknown_plan_the_least() -> None:
    assert promised("credits", verified=True)["requests_a_day"].item() == 2_000
    assert promised("credits", verified=True)["plan"].item() == "verified"
    assert promised("a plan of their own")["plan"].item() == "free"
    assert promised(None)["plan"].item() == "free"


def account(step: int, history: str, day: float, hour: float = 5.0, tokens: float = 9e4):  # type: ignore[no-untyped-def]
    return pd.DataFrame([{
        "step": step, "history": history, "usual_requests_a_day": day,
        "usual_requests_an_hour": hour, "usual_tokens_a_day": tokens,
    }])  # fmt: skip


@pytest.mark.parametrize(
    ("step", "history", "day", "allowed"),
    [
        (1, "plan", 40.0, 60),  # 1.5 busy days
        (2, "plan", 40.0, 30),
        (4, "plan", 40.0, 10),  # 6 by its step; the promise of credits
        (4, "own", 40.0, 50),  # 1.25 times what it did before the evidence
        (1, "own", 40.0, 60),
    ],
)
def test_limits_follow_history_down_to_the_promise(
    step: int, history: str, day: float, allowed: int
) -> None:
    limits, _ = amounts.own_limits(account(step, history, day), promised(), LIMITS)
    assert limits["requests_a_day"].item() == allowed


def test_below_the_promise_only_where_the_policy_says_so() -> None:
    lower = dataclasses.replace(LIMITS, below_promise=True)
    limits, _ = amounts.own_limits(account(4, "plan", 40.0), promised(), lower)
    assert limits["requests_a_day"].item() == 6


@given(
    plan=st.sampled_from(PLANS),
    verified=st.booleans(),
    step=st.integers(1, len(LIMITS.steps)),
    history=st.sampled_from(["own", "plan"]),
    day=st.floats(0, 1e6),
    hour=st.floats(0, 1e5),
    tokens=st.floats(0, 1e10),
    share=st.floats(0, 1),
)
def test_no_limit_is_below_the_promise(
    plan: str | None, verified: bool, step: int, history: str, day: float, hour: float,
    tokens: float, share: float,
) -> None:  # fmt: skip
    promise = promised(plan, verified)
    one = account(step, history, day, hour, tokens)
    own, _ = amounts.own_limits(one, promise, LIMITS)
    all_six = amounts.by_window(
        own[["requests_a_day", "tokens_a_day"]], own["requests_an_hour"], promise, LIMITS
    )
    narrow = amounts.narrowed(one, all_six, promise, pd.Series([share]), LIMITS)
    for limits in (all_six, narrow):
        assert (limits >= promise[list(limits.columns)]).all(axis=None)
        assert (limits >= 1).all(axis=None)
        for names in (REQUEST_LIMITS, TOKEN_LIMITS):
            assert limits[list(names)].iloc[0].is_monotonic_increasing
    assert (narrow <= all_six).all(axis=None)


def test_a_budget_is_a_share_of_what_the_campaign_sent_and_no_less_than_its_floors() -> None:
    campaigns = pd.DataFrame({
        "step": [1, 2, 4], "usual_requests_a_day": [1000.0] * 3, "usual_tokens_a_day": [1e6] * 3,
    })  # fmt: skip
    floors = pd.DataFrame({"requests_a_day": [100] * 3, "tokens_a_day": [10_000] * 3})
    found = amounts.budgets(campaigns, floors, LIMITS)
    assert found["requests_a_day"].tolist() == [500, 250, 100]
    assert found["tokens_a_day"].tolist() == [500_000, 250_000, 50_000]


def test_a_budget_of_a_whole_number_is_not_rounded_below_it() -> None:
    policy = dataclasses.replace(LIMITS, budget_steps=(0.57,))
    campaigns = pd.DataFrame({
        "step": [1], "usual_requests_a_day": [100.0], "usual_tokens_a_day": [0.0],
    })  # fmt: skip
    floors = pd.DataFrame({"requests_a_day": [5], "tokens_a_day": [5]})
    # In doubles 0.57 * 100 is 56.99…; who sent no token has the floors.
    assert amounts.budgets(campaigns, floors, policy).iloc[0].tolist() == [57, 5]


def test_a_budget_is_shared_in_proportion_above_the_floors() -> None:
    found = amounts.shares(
        pd.Series([104, 104, 104]), pd.Series([10, 10, 20]), pd.Series([20, 20, 80]),
        pd.Series(["c", "c", "c"]),
    )  # fmt: skip
    # 64 are left over the floors, a sixth for each of the first two: 10.7, never rounded up.
    assert found.tolist() == [20, 20, 62]


@given(
    st.lists(
        st.tuples(
            st.integers(1, 10_000), st.integers(0, 100_000), st.sampled_from(["a", "b", "c"])
        ),
        min_size=1,
        max_size=60,
    ),
    st.floats(0, 1e7),
    st.integers(1, len(LIMITS.budget_steps)),
)
def test_shares_never_add_up_to_more_than_the_budget(
    accounts: list[tuple[int, int, str]], usual: float, step: int
) -> None:
    rows = pd.DataFrame(accounts, columns=["floor", "more", "campaign"])
    floors = rows.groupby("campaign")["floor"].sum()
    campaigns = pd.DataFrame(
        {"step": step, "usual_requests_a_day": usual, "usual_tokens_a_day": 0.0}, index=floors.index
    )
    both = pd.DataFrame({"requests_a_day": floors, "tokens_a_day": floors})
    budget = amounts.budgets(campaigns, both, LIMITS)["requests_a_day"]
    found = amounts.shares(
        rows["campaign"].map(budget), rows["floor"], rows["floor"] + rows["more"], rows["campaign"]
    )
    assert (found.groupby(rows["campaign"]).sum() <= budget).all()
    assert (found >= rows["floor"]).all()
