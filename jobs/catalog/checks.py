"""What must hold of a night's tables, beyond what each column declares, and what happens if not.

`stop` ends the night before anything downstream is published; `warn` is written down and shown.
A check in SQL gives the rows that break it, their key first, in an order of its own, so that
both engines name the same example. In it `{batch}` is the checked table's night, `{accounts}`
the night of another table, `{accounts:7}` its last 7 nights, this one included, and `{date}` the
night's date. What it selects is shown to people: keys and counts, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.catalog.events import EVENTS
from jobs.catalog.policy import SCORING
from jobs.catalog.types import Check, Severity

#: Nights, the scored one included, in which traffic makes an account one to score.
SCORED_DAYS = SCORING.window_days
#: The expectation class of checks in SQL.
SQL = "UnexpectedRowsExpectation"
#: Which tables each step validates, in this order.
CHECKED: dict[str, tuple[str, ...]] = {
    "check_landed": ("landing_files", "requests", "accounts", "labels"),
    "check_scored": (
        "account_daily", "account_features", "campaigns", "campaign_members", "campaign_events",
        "account_scores", "drift",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class CheckPolicy:
    """Every tuned number of the checks, with its reason."""

    #: Share of a source's records refused. A gateway's own dirt is some tenths of a percent; at
    #: 2 % something changed. At 30 % what is left no longer stands for the day's traffic, and
    #: scores drawn from it would act on some accounts and miss others by accident.
    refused_warn: float = 0.02
    refused_stop: float = 0.30
    #: Fewer records than this of a source say nothing about shares: labels come by the dozen.
    share_records: int = 100
    #: Share of records that repeat one already kept. Retries make a few percent; a tenth is a
    #: replayed file.
    duplicates_warn: float = 0.10
    #: A source's night against the median of its nights before. A weekend may halve the traffic
    #: of a service for firms, and a launch may double it; beyond that a gateway is missing, or
    #: delivers twice.
    volume_low: float = 0.4
    volume_high: float = 2.5
    #: An account snapshot does not shrink or grow by a fifth in a night.
    snapshot_low: float = 0.8
    snapshot_high: float = 1.25
    #: Nights that the median looks back on, two weeks of weekdays, and nights it needs.
    volume_nights: int = 14
    volume_nights_needed: int = 5
    #: Share of requests from before the previous day: beyond a fifth a gateway is catching up,
    #: and windows by landing date are skewed.
    late_warn: float = 0.20
    #: Accounts at or over this score, against the median of the nights before: more than three
    #: times as many, and a few, is a new campaign at best and a broken feature at worst.
    shift_score: float = 0.80
    shift_factor: float = 3.0
    shift_accounts: int = 50
    #: Scores that are all the same say that the model saw no features; under this many accounts
    #: it can happen honestly.
    same_score_accounts: int = 100
    #: Population stability index (Siddiqi 2006: over 0.25 the population has changed), beyond what
    #: chance gives.
    drift_psi: float = 0.25
    #: Share of accounts that lack a value, beyond those that did on the nights before. One large
    #: group without a figure is 2 % of accounts; a lost column takes it from all groups.
    drift_missing: float = 0.05
    #: Accounts that drift is judged by: of 500 in 17 bins chance makes an index of 0.06, and one
    #: time in a thousand of 0.16, which is still well under 0.25 more than expected.
    drift_accounts: int = 500
    #: Nights before that a feature is judged by: on a new lake windows fill up and all features
    #: move. For a score, nights of its model: one that serves for a week is to be judged too.
    drift_nights_needed: int = 12
    drift_score_nights_needed: int = 3


CHECK_POLICY = CheckPolicy()
_P = CHECK_POLICY


def rows(minimum: int, severity: Severity = "stop") -> Check:
    return Check(
        "ExpectTableRowCountToBeBetween",
        (("min_value", minimum),),
        f"at least {minimum:,} row{'s' if minimum > 1 else ''}",
        severity,
    )


def mostly_present(column: str, share: float) -> Check:
    return Check(
        "ExpectColumnValuesToNotBeNull",
        (("column", column), ("mostly", share)),
        f"{column} is there in {share:.0%} of rows",
        "warn",
    )


def none_of(about: str, query: str, severity: Severity = "stop", counts: str = "rows") -> Check:
    """No row may come out of `query`; `about` says what holds then."""
    arguments = (("unexpected_rows_query", " ".join(query.split())),)
    return Check(SQL, arguments, about, severity, counts)


def unique(*columns: str) -> Check:
    """No two rows of the night have the same values. Rows are grouped by a hash of 64 bits, and
    told apart by their values only where hashes meet: 8,000,000 ids then take 0.6 GB and 4.0 s on
    Sail, grouped by themselves 1.6 GB and 3.2 s."""
    names = ", ".join(columns)
    pairs = " and ".join(f"b.{column} = d.{column}" for column in columns)
    return none_of(
        f"{names} {'is' if len(columns) == 1 else 'together are'} unique",
        f"""select {", ".join(f"b.{column}" for column in columns)} from {{batch}} b
        left semi join (
            select {names} from {{batch}} c
            left semi join (
                select xxhash64({names}) as hash from {{batch}}
                group by xxhash64({names}) having count(*) > 1
            ) h on xxhash64({", ".join(f"c.{column}" for column in columns)}) = h.hash
            group by {names} having count(*) > 1
        ) d on {pairs} order by {", ".join(f"b.{column}" for column in columns)}""",
    )


def never_over(smaller: str, larger: str, *key: str) -> Check:
    names = ", ".join(key)
    return none_of(
        f"{smaller} is never over {larger}",
        f"select {names} from {{batch}} where {smaller} > {larger} order by {names}",
    )


def known(column: str, table: str, about: str, severity: Severity = "stop") -> Check:
    """Every value of `column` is one of `table` on the same night."""
    return none_of(
        about,
        f"""select b.{column} from {{batch}} b left anti join {{{table}}} t
        on b.{column} = t.{column} where b.{column} is not null order by b.{column}""",
        severity,
    )


def _refused(share: float, severity: Severity) -> Check:
    return none_of(
        f"at most {share:.0%} of a source's records are refused",
        f"""select source, refused, landed from (
            select source, sum(quarantined) as refused, sum(landed) as landed
            from {{batch}} group by source
        ) s where landed >= {_P.share_records} and refused > {share}D * landed order by source""",
        severity,
        "sources",
    )


def _usual_volume(source: str, low: float, high: float) -> Check:
    return none_of(
        f"{source} landed are {low:g} to {high:g} times those of the median night before",
        f"""select u.source, coalesce(n.landed, 0) as landed, cast(u.usual as bigint) as usual
        from (
            select source, percentile(landed, 0.5) as usual from (
                select date, source, sum(landed) as landed
                from {{landing_files:{_P.volume_nights + 1}}}
                where date < {{date}} and source = '{source}' group by date, source
            ) nights group by source having count(*) >= {_P.volume_nights_needed}
        ) u left join (
            select source, sum(landed) as landed from {{batch}} group by source
        ) n on u.source = n.source
        where coalesce(n.landed, 0) < {low}D * u.usual or n.landed > {high}D * u.usual
        order by u.source""",
        "warn",
        "sources",
    )


def _accounted(column: str, about: str, tables: dict[str, str]) -> Check:
    """The sum of a column of landing_files by source is the number of rows that `tables` hold,
    given as the SQL that counts them by source."""
    counts = " union all ".join(tables.values())
    return none_of(
        about,
        f"""select source, {column}, in_table from (
            select coalesce(f.source, t.source) as source, coalesce(f.{column}, 0) as {column},
            coalesce(t.in_table, 0) as in_table
            from (select source, sum({column}) as {column} from {{batch}} group by source) f
            full outer join ({counts}) t on f.source = t.source
        ) s where {column} <> in_table order by source""",
        counts="sources",
    )


LANDING_FILES_CHECKS: tuple[Check, ...] = (
    rows(1),
    none_of("landed = kept + quarantined + duplicates in each file",
            """select source, file from {batch}
            where landed <> kept + quarantined + duplicates order by source, file"""),
    _accounted("kept", "records counted as kept are the rows that the tables hold", {
        source: f"select '{source}' as source, count(*) as in_table from {{{source}}}"
        for source in ("requests", "accounts", "labels")
    }),
    _accounted("quarantined", "records counted as refused are the rows in quarantine", {
        "quarantine": "select source, count(*) as in_table from {quarantine} group by source",
    }),
    _refused(_P.refused_stop, "stop"),
    _refused(_P.refused_warn, "warn"),
    none_of("no file is refused as a whole",
            """select source, file from {batch} where quarantined > 0 and quarantined = landed
            order by source, file""", "warn"),
    none_of(f"at most {_P.duplicates_warn:.0%} of a source's records repeat others",
            f"""select source, repeated, landed from (
                select source, sum(duplicates) as repeated, sum(landed) as landed
                from {{batch}} group by source
            ) s where landed >= {_P.share_records} and repeated > {_P.duplicates_warn}D * landed
            order by source""", "warn", "sources"),
    _usual_volume("requests", _P.volume_low, _P.volume_high),
    _usual_volume("accounts", _P.snapshot_low, _P.snapshot_high),
)  # fmt: skip

REQUESTS_CHECKS: tuple[Check, ...] = (
    rows(1),
    rows(100, "warn"),
    unique("request_id"),
    known("account_id", "accounts", "every request's account is in the accounts snapshot",
          "warn"),
    mostly_present("prompt_chars", 0.5),
    mostly_present("address_token", 0.5),
    none_of(f"at most {_P.late_warn:.0%} of requests are from before the previous day",
            f"""select late, requests from (
                select sum(case when to_date(event_time) < date_sub({{date}}, 1) then 1 else 0 end)
                as late, count(*) as requests from {{batch}}
            ) s where late > {_P.late_warn}D * requests order by late""", "warn", "counts"),
)  # fmt: skip

ACCOUNTS_CHECKS: tuple[Check, ...] = (
    rows(1), unique("account_id"), mostly_present("status", 0.9),
)  # fmt: skip

LABELS_CHECKS: tuple[Check, ...] = (
    known("account_id", "accounts", "every label's account is in the accounts snapshot", "warn"),
    none_of("no account gets two different labels in one night",
            """select account_id from {batch} group by account_id having count(distinct label) > 1
            order by account_id""", "warn", "accounts"),
)  # fmt: skip

ACCOUNT_DAILY_CHECKS: tuple[Check, ...] = (
    rows(1),
    unique("account_id"),
    never_over("errors", "requests", "account_id"),
    none_of("requests rolled up are the requests kept",
            """select kept, rolled_up from (
                select coalesce(sum(kept), 0) as kept from {landing_files}
                where source = 'requests'
            ) f cross join (select coalesce(sum(requests), 0) as rolled_up from {batch}) d
            where kept <> rolled_up order by kept""", counts="sums"),
)  # fmt: skip

ACCOUNT_FEATURES_CHECKS: tuple[Check, ...] = (rows(1), unique("account_id"))

CAMPAIGNS_CHECKS: tuple[Check, ...] = (
    unique("campaign_id"),
    none_of("accounts is the number of its members",
            """select c.campaign_id from {batch} c left join (
                select campaign_id, count(*) as members from {campaign_members}
                group by campaign_id
            ) m on c.campaign_id = m.campaign_id
            where c.accounts <> coalesce(m.members, 0) order by c.campaign_id"""),
    none_of("first_seen is not after the night",
            "select campaign_id from {batch} where first_seen > {date} order by campaign_id"),
)  # fmt: skip

CAMPAIGN_MEMBERS_CHECKS: tuple[Check, ...] = (
    unique("account_id"),
    known("campaign_id", "campaigns", "every member's campaign exists"),
)  # fmt: skip

_ENDS, _OTHER = (
    ", ".join(f"'{event.name}'" for event in EVENTS if getattr(event, trait))
    for trait in ("ends", "other")
)
# A chronicle for people, on which nothing acts: a night stops for a broken key only.
CAMPAIGN_EVENTS_CHECKS: tuple[Check, ...] = (
    unique("campaign_id", "event"),
    none_of("campaigns that ended are not there, and all others are",
            f"""select e.campaign_id, e.event from {{batch}} e
            left join {{campaigns}} c on e.campaign_id = c.campaign_id
            where (e.event in ({_ENDS})) = (c.campaign_id is not null)
            order by e.campaign_id, e.event""", "warn"),
    none_of("the other campaign of a merge or split is there, and no other event has one",
            f"""select e.campaign_id, e.event from {{batch}} e
            left join {{campaigns}} c on e.other_campaign_id = c.campaign_id
            where case when e.event in ({_OTHER})
            then c.campaign_id is null or e.other_campaign_id = e.campaign_id
            else e.other_campaign_id is not null end
            order by e.campaign_id, e.event""", "warn"),
    none_of("campaigns first seen on the night, and no others, are founded or split",
            """select c.campaign_id from {campaigns} c left join (
                select distinct campaign_id from {batch} where event in ('founded', 'split')
            ) e on c.campaign_id = e.campaign_id
            where (c.first_seen = {date}) <> (e.campaign_id is not null)
            order by c.campaign_id""", "warn", "campaigns"),
)  # fmt: skip

ACCOUNT_SCORES_CHECKS: tuple[Check, ...] = (
    rows(1),
    unique("account_id"),
    none_of(f"every account with traffic in {SCORED_DAYS} nights is scored",
            f"""select distinct d.account_id from {{account_daily:{SCORED_DAYS}}} d
            left anti join {{batch}} s on d.account_id = s.account_id order by d.account_id""",
            counts="accounts"),
    none_of(f"only accounts with traffic in {SCORED_DAYS} nights are scored",
            f"""select s.account_id from {{batch}} s
            left anti join {{account_daily:{SCORED_DAYS}}} d on s.account_id = d.account_id
            order by s.account_id""", "warn"),
    none_of("campaign_id is that of the account's membership",
            """select s.account_id from {batch} s left join {campaign_members} m
            on s.account_id = m.account_id
            where not (s.campaign_id <=> m.campaign_id) order by s.account_id"""),
    none_of("scores tell accounts apart",
            f"""select accounts, scores from (
                select count(*) as accounts, count(distinct distillation_score) as scores
                from {{batch}}
            ) s where accounts >= {_P.same_score_accounts} and scores = 1 order by accounts""",
            "warn", "counts"),
    none_of(f"accounts that score {_P.shift_score:g} or more are at most {_P.shift_factor:g} "
            f"times the median night before and {_P.shift_accounts} more",
            f"""select n.accounts, cast(u.usual as bigint) as usual from (
                select count(*) as accounts from {{batch}}
                where distillation_score >= {_P.shift_score}D
            ) n cross join (
                select percentile(accounts, 0.5) as usual, count(*) as nights from (
                    select date, sum(case when distillation_score >= {_P.shift_score}D then 1
                    else 0 end) as accounts
                    from {{account_scores:{SCORED_DAYS + 1}}} where date < {{date}} group by date
                ) nights
            ) u where u.nights >= {_P.volume_nights_needed}
            and n.accounts > {_P.shift_factor}D * u.usual + {_P.shift_accounts}
            order by n.accounts""", "warn", "counts"),
)  # fmt: skip

_DRIFT_JUDGED = (
    f"accounts >= {_P.drift_accounts} and reference_nights >= case when model_version is null "
    f"then {_P.drift_nights_needed} else {_P.drift_score_nights_needed} end"
)

DRIFT_CHECKS: tuple[Check, ...] = (
    none_of(f"features and scores are distributed as on the nights before: psi at most "
            f"{_P.drift_psi:g} over psi_expected",
            f"""select name, psi, psi_expected from {{batch}} where {_DRIFT_JUDGED}
            and psi > psi_expected + {_P.drift_psi}D order by psi desc, name""", "warn", "names"),
    none_of(f"features are there as on the nights before: missing for at most "
            f"{_P.drift_missing:.0%} of accounts more",
            f"""select name, missing, reference_missing from {{batch}} where {_DRIFT_JUDGED}
            and missing > reference_missing + {_P.drift_missing}D order by name""", "warn",
            "names"),
)  # fmt: skip
