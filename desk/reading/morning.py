"""What changed on a night, and how the night itself went."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from desk.reading.store import Part, Store
from jobs.catalog.checks import CHECK_POLICY
from jobs.catalog.enforcement import LADDER
from jobs.verdicts import CLEARING

#: Nights back from which an action may still hold: no rung or decision is given for longer.
HELD_NIGHTS = 60
#: A campaign has grown once it has so many accounts more, and such a share of what it had.
GROWN_ACCOUNTS, GROWN_SHARE = 3, 0.05
#: Rows of one kind that the page shows; the rest are counted.
MOST_ROWS = 100
#: Days after its night on which a decision of the morning counts first.
_NEXT = dt.timedelta(days=1)


@dataclass(frozen=True)
class Event:
    """What happened to a campaign since the night before; `before` is its size then."""

    event: str
    campaign_id: str
    other: str | None
    accounts: int
    before: int | None
    kind: str | None
    score: float | None
    requests: int | None


@dataclass(frozen=True)
class RungCount:
    """Accounts under an action after the night, and how that came about."""

    action: str
    in_force: int
    before: int
    taken: int
    expired: int
    lifted: int

    @property
    def moved(self) -> int:
        """Accounts that were under it before and are under another action now."""
        return self.before + self.taken - self.expired - self.lifted - self.in_force


@dataclass(frozen=True)
class Step:
    step: str
    outcome: str
    seconds: float
    message: str | None


@dataclass(frozen=True)
class FailedCheck:
    step: str
    table: str
    expectation: str
    severity: str
    unexpected: int


@dataclass(frozen=True)
class Raised:
    """A threshold above the policy's floor; `score` None: no score is high enough."""

    action: str
    floor: float
    score: float | None
    chosen_by: str


@dataclass(frozen=True)
class Drifted:
    name: str
    psi: float
    expected: float


@dataclass(frozen=True)
class Morning:
    night: dt.date
    before: dt.date | None
    accounts: int
    campaigns: int
    distillation: int
    requests: int
    events: tuple[Event, ...]
    event_counts: dict[str, int]
    rungs: tuple[RungCount, ...]
    steps: tuple[Step, ...]
    checks: tuple[FailedCheck, ...]
    checks_held: int
    raised: tuple[Raised, ...]
    drifted: tuple[Drifted, ...]

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)


READ = (
    "account_scores", "campaigns", "campaign_events", "enforcement_actions", "decisions",
    "run_log", "check_results", "thresholds", "drift",
)  # fmt: skip


def morning(store: Store, night: dt.date) -> Morning:
    """The night beside the last one before it that was scored."""
    earlier = [n for n in store.nights("account_scores") if n < night]
    before = earlier[-1] if earlier else None
    (scored,) = store.rows(
        "select count(*) as accounts from scores",
        {"scores": Part("account_scores", ("date",), night, night)},
    )
    (groups,) = store.rows(
        "select count(*) as campaigns, count(*) filter (kind = 'distillation') as distillation, "
        "coalesce(sum(requests), 0)::bigint as requests from campaigns",
        {"campaigns": Part("campaigns", ("kind", "requests"), night, night)},
    )
    events, counts = _events(store, night, before)
    checks = store.rows(
        "select step, table_name as \"table\", expectation, severity, unexpected, passed "
        "from checks order by severity, step, expectation",
        {"checks": Part("check_results", ("step", "table_name", "expectation", "severity",
                                          "unexpected", "passed"), night, night)},
    )  # fmt: skip
    broken = [row for row in checks if not row["passed"]]
    return Morning(
        night, before, scored["accounts"], **groups, events=events, event_counts=counts,
        rungs=_rungs(store, night, before),
        steps=tuple(Step(**row) for row in store.rows(_STEPS, {
            "log": Part("run_log", ("step", "outcome", "seconds", "message", "started_at"), night,
                        night)})),
        checks=tuple(
            FailedCheck(**{k: v for k, v in row.items() if k != "passed"})
            for row in broken[:MOST_ROWS]
        ),
        checks_held=len(checks) - len(broken),
        raised=tuple(Raised(**row) for row in store.rows(_RAISED, {
            "thresholds": Part("thresholds", ("action", "floor", "score", "chosen_by"), night,
                               night)})),
        drifted=tuple(Drifted(**row) for row in store.rows(_DRIFTED, {
            "drift": Part("drift", ("name", "psi", "psi_expected"), night, night)},
            {"over": CHECK_POLICY.drift_psi, "most": MOST_ROWS})),
    )  # fmt: skip


_STEPS = """
select step, arg_max(outcome, started_at) as outcome, arg_max(seconds, started_at) as seconds,
    arg_max(message, started_at) as message
from log group by step order by max(started_at)"""
_RAISED = """
select action, floor, score, chosen_by from thresholds where score is null or score > floor
order by floor"""
_DRIFTED = """
select name, psi, psi_expected as expected from drift where psi > psi_expected + $over
order by psi desc, name limit $most"""
_EVENTS = """
with happened as (
    select event, campaign_id, other_campaign_id as other, accounts from events
    union all
    select 'grown', now.campaign_id, null, now.accounts
    from now join earlier using (campaign_id)
    where now.accounts - earlier.accounts >= greatest($accounts, $share * earlier.accounts)
)
select event, campaign_id, other, h.accounts, earlier.accounts as before,
    coalesce(now.kind, earlier.kind) as kind, coalesce(now.score, earlier.score) as score,
    now.requests
from happened h left join now using (campaign_id) left join earlier using (campaign_id)
order by coalesce(now.score, earlier.score, 0) >= 0.3 desc,
    coalesce(now.requests, 0) desc, campaign_id, event"""


def _events(
    store: Store, night: dt.date, before: dt.date | None
) -> tuple[tuple[Event, ...], dict[str, int]]:
    columns = ("campaign_id", "kind", "score", "accounts", "requests")
    day = before or night - _NEXT
    rows = store.rows(
        _EVENTS,
        {
            "events": Part("campaign_events", ("event", "campaign_id", "other_campaign_id",
                                               "accounts"), night, night),
            "now": Part("campaigns", columns, night, night),
            "earlier": Part("campaigns", columns, day, day),
        },
        {"accounts": GROWN_ACCOUNTS, "share": GROWN_SHARE},
    )  # fmt: skip
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["event"]] = counts.get(row["event"], 0) + 1
    return tuple(Event(**row) for row in rows[:MOST_ROWS]), counts


#: The account's last row up to a night holds until it expires; what people lifted since is gone.
_RUNGS = """
with last_now as (
    select account_id, arg_max(action, date) as action, arg_max(expires, date) as expires
    from actions group by account_id
), last_before as (
    select account_id, arg_max(action, date) as action, arg_max(expires, date) as expires
    from actions where date <= $before group by account_id
), lifted as (
    select distinct unnest(accounts) as account_id from decisions
    where list_contains($clearing, verdict) and not needs_approval
), both_nights as (
    select account_id, l.account_id is not null as is_lifted,
        case when n.expires >= $night and l.account_id is null then n.action end as now,
        case when b.expires >= $before then b.action end as before
    from last_now n full join last_before b using (account_id)
        left join lifted l using (account_id)
)
select action, count(*) filter (now = action) as in_force,
    count(*) filter (before = action) as before,
    count(*) filter (now = action and before is distinct from action) as taken,
    count(*) filter (before = action and now is null and not is_lifted) as expired,
    count(*) filter (before = action and is_lifted) as lifted
from both_nights, (select unnest($ladder) as action) group by action"""


def _rungs(store: Store, night: dt.date, before: dt.date | None) -> tuple[RungCount, ...]:
    rows = store.rows(
        _RUNGS,
        {
            "actions": Part("enforcement_actions", ("account_id", "action", "expires", "date"),
                            night - dt.timedelta(days=HELD_NIGHTS), night),
            "decisions": Part("decisions", ("verdict", "accounts", "needs_approval"), night,
                              night + _NEXT),
        },
        {"night": night, "before": before or night - _NEXT, "ladder": list(LADDER),
         "clearing": list(CLEARING)},
    )  # fmt: skip
    found = {row["action"]: row for row in rows}
    return tuple(
        RungCount(**(found.get(action) or {"action": action, "in_force": 0, "before": 0,
                                           "taken": 0, "expired": 0, "lifted": 0}))
        for action in LADDER
    )  # fmt: skip


def cases_of(store: Store, night: dt.date) -> list[dict[str, Any]]:
    """Rows of `cases`, the most exchanges at stake first."""
    return store.rows(
        "select * from cases order by requests_at_stake desc, score desc, subject",
        {"cases": Part("cases", ("subject_kind", "subject", "kind", "score", "opened", "state",
                                 "accounts", "requests_at_stake", "proposed", "evidence",
                                 "summary"), night, night)},
    )  # fmt: skip
