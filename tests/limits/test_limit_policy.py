"""The part of the policy file about limits: what does not hold together is said with its line."""

from __future__ import annotations

import pytest

from jobs.catalog.enforcement import SHIPPED, PolicyFault, parse_policy

TEXT = SHIPPED.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("steps = [1.0, 0.5, 0.25, 0.1]", "steps = [0.5, 1.0]", "limits.steps: from the loosest"),
        ("budget_steps = [0.5, 0.25, 0.1, 0.05]", "budget_steps = []", "one share or more"),
        ('actions = ["limit", "challenge", "review"]', 'actions = ["watch"]', "of limit, "),
        ("headroom = 1.5", "headroom = 0.5", "limits.headroom: 0.5 times is less"),
        ("least_days = 3", "least_days = 90", "of 45 days at most as many"),
        ("relax_nights = 2", "relax_nights = 0", "limits.relax_nights: 1 or more"),
        ('budget_counted_by = "shares"', 'budget_counted_by = "gateway"', "each account's promise"),
        ('plan = "free"', 'plan = "gratis"', "promises.1.plan: 'gratis' is no plan"),
        ('plan = "free"', 'plan = "credits"', "credits is promised twice"),
        ("requests_an_hour = 5\n", "requests_an_hour = 2\n", "a day has no less than an hour"),
        ("tokens_a_minute = 6_000", "tokens_a_minute = -1", "no fewer than none"),
    ],
)
def test_a_fault_is_said_with_its_line(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(PolicyFault) as caught:
        parse_policy(TEXT.replace(old, new, 1))
    assert said in str(caught.value)
    assert str(caught.value).startswith("line ") and "\n" not in str(caught.value)


def test_the_line_is_that_of_the_promise() -> None:
    wrong = TEXT.replace("requests_a_day = 15", "requests_a_day = -15")
    line = wrong.splitlines().index("requests_a_day = -15") + 1
    with pytest.raises(PolicyFault, match=f"^line {line}: promises.3.requests_a_day"):
        parse_policy(wrong)


def test_each_plan_is_promised_something() -> None:
    head, _, rest = TEXT.partition('[[promises]]\nplan = "enterprise"')
    _, _, tail = rest.partition("# Verified organizations")
    with pytest.raises(PolicyFault, match="none for enterprise"):
        parse_policy(f"{head}#{tail}")
