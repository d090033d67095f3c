"""What hiding costs an operation: against the accounts that are really drawn."""

from __future__ import annotations

import numpy as np
import pytest
from adversary_worlds import ACCOUNTS, members, work_of, world_of

from jobs.simulator import ADVERSARIES
from jobs.simulator.population import DAY


@pytest.mark.parametrize("name", ADVERSARIES)
def test_the_price_is_that_of_the_accounts_drawn(name: str) -> None:
    for strength in (0.0, 1.0):
        price = ADVERSARIES[name].price(strength)
        assert set(price) == {"accounts", "cards", "addresses", "account_days"}
        world = world_of(name, strength, days=9, start_day=-2)
        a, mine = world.accounts, members(world)
        work, account_days = 0, 0.0
        for day in range(1, 8):  # a week
            work += len(work_of(world, day))
            span = np.minimum(a["end_s"][mine], (day + 1) * DAY)
            span = span - np.maximum(a["work_s"][mine], day * DAY)
            account_days += float(np.clip(span / DAY, 0, 1).sum())
        asleep = price["account_days"] / (1e6 * account_days / work) - 1
        habits = ADVERSARIES[name].habits(strength)
        expected = habits.sleep_days * (1 - habits.sleep_spread / 2) / 45
        # Volumes that differ much: sixty of them are not yet their mean.
        uneven = habits.lent_share or habits.load_spread
        assert asleep == pytest.approx(expected, abs=0.35 if uneven else 0.1)
        paid = mine[a["seat"][mine] >= round(habits.lent_share * ACCOUNTS)]
        cards = len(np.unique(a["payment"][paid][a["payment"][paid] > 0]))
        assert price["cards"] / price["accounts"] == pytest.approx(cards / len(mine), abs=0.15)


def test_hiding_costs() -> None:
    price = {
        name: (ADVERSARIES[name].price(0.0), ADVERSARIES[name].price(1.0)) for name in ADVERSARIES
    }
    for name, what, times in (
        ("low_and_slow", "accounts", 26 / 3),
        ("mixing", "accounts", 0.95 / 0.05),
        ("one_card", "cards", 9.0),
        ("rolling_roster", "accounts", 45 / 3.5),
        ("sleepers", "account_days", (45 + 21 * 0.75) / 45),
    ):
        first, last = price[name]
        assert last[what] / first[what] == pytest.approx(times, rel=0.05), name
    assert price["residential"][1]["addresses"] == price["residential"][1]["accounts"]
    assert price["mixing"][1]["cards"] == 0  # lenders pay for themselves
    # The operation that was reported: 26 requests an account a day, 1 million in 45 days.
    assert price["template_farm"][0]["accounts"] == pytest.approx(1e6 / 26 / 45, rel=0.1)
