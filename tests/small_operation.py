"""A lake of three nights: one operation of ten accounts among 1,000 that do nothing."""

from __future__ import annotations

import datetime as dt

from jobs import decide
from jobs.catalog.enforcement import POLICY, parse_policy

NIGHTS = [dt.date(2026, 5, 20), dt.date(2026, 5, 21), dt.date(2026, 5, 22)]
#: Of one campaign: reviewed, challenged, limited; each sends 10 requests a night.
OPERATION = {"r1": 0.95, "r2": 0.95, "c1": 0.85, "c2": 0.85, "l1": 0.65, "l2": 0.65}
COUNTRIES = {"r1": "US", "r2": "US", "c1": "DE", "c2": "DE", "l1": "FR", "l2": "IN"}


def changed(*changes):
    """The shipped policy with texts of its file replaced."""
    text = POLICY.text
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_policy(text)


#: `limit` from 0.70 on.
STRICTER = changed(("floor = 0.60", "floor = 0.70"))
#: Two new actions a night, from `limit` on.
CAPPED = changed((
    'actions = ["challenge"]\naccounts = 5000\ninstead = "limit"',
    'actions = ["limit", "challenge", "review"]\naccounts = 2\ninstead = "watch"',
))  # fmt: skip


def build(lake, fill):
    """Fill the lake, and have `decide` make of it what it does under the shipped policy."""
    quiet = [{"account_id": f"q{n}", "distillation_score": 0.0} for n in range(1_000)]
    for date in NIGHTS:
        fill(lake, "account_scores", date, [
            *quiet,
            *({"account_id": name, "distillation_score": score, "campaign_id": "one",
               "evidence": ["infrastructure", "content"], "model_version": "m/1"}
              for name, score in OPERATION.items()),
        ])  # fmt: skip
        fill(lake, "campaigns", date, [{"campaign_id": "one", "kind": "distillation",
                                        "score": 0.5}])  # fmt: skip
        fill(lake, "accounts", date, [
            {"account_id": name, "plan": "credits", "signup_country": country,
             "organization_id": f"org-{country}", "verified_organization": country == "IN"}
            for name, country in COUNTRIES.items()
        ])  # fmt: skip
        fill(lake, "account_daily", date, [{"account_id": name, "requests": 10}
                                           for name in OPERATION])  # fmt: skip
        decide.run(lake, date)
