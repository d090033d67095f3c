"""One campaign on a night: its past, what it asks for, and what binds it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desk.reading.store import Part, Store
from jobs.catalog.measures import INDICATORS
from jobs.catalog.sketch import MARKERS
from jobs.catalog.tables import TABLES

#: Nights that hours and shared tokens are read from at most, and the rows up to which.
RECENT_NIGHTS, RECENT_ROWS = 7, 12_000_000
#: Nights of a campaign's past that a picture shows.
PAST_NIGHTS = 60
#: Rows and columns up to which a picture stays readable.
MOST_TOKENS, MOST_COLUMNS, MOST_HOUR_ROWS = 24, 60, 60
#: Members that carry a token before it counts as shared.
_SHARED = 3
#: Figures of a group that people compare: declared columns of `campaigns`.
COMPARED = (
    "strangers", "hidden_place", "roster", "instruments", "untraceable", "own_template_requests",
    "same_settings", "conversation", "output_ratio", "daily_requests", "unevenness", "active_days",
    "start_together", "taken_over",
)  # fmt: skip
#: Score below which a group counts as one that nobody takes for an operation.
_UNSUSPECTED = 0.3
_IDENTITY = {
    i.kind: i.sql for i in INDICATORS if i.origin == "accounts" and i.sql.endswith("_token")
}
KIND_SAID = {i.kind: i.about.partition(" (")[0] for i in INDICATORS} | {
    "template": "prompt template"
}


@dataclass(frozen=True)
class Campaign:
    """Its row on the last night it was seen, up to the night asked for."""

    campaign_id: str
    date: dt.date
    kind: str
    first_seen: dt.date
    accounts: int
    requests: int
    output_tokens: int
    score: float
    resale_score: float
    summary: str
    evidence: list[str]
    reasons: list[str]
    figures: dict[str, float | None]


@dataclass(frozen=True)
class Past:
    date: dt.date
    accounts: int
    requests: int
    output_tokens: int
    score: float


@dataclass(frozen=True)
class Compared:
    """A figure of the campaign beside the median of like groups."""

    name: str
    about: str
    unit: str
    here: float | None
    others: float | None


@dataclass(frozen=True)
class LikeGroups:
    """Groups nobody takes for an operation, of half to twice the size where there are any."""

    groups: int
    nearest: bool
    least: int
    most: int
    figures: tuple[Compared, ...]


@dataclass(frozen=True)
class Asked:
    """Share of prompts with a marker, of members and of all accounts."""

    marker: str
    about: str
    members: float
    everyone: float


@dataclass(frozen=True)
class Template:
    key: str
    members: int
    carriers: int
    requests: int
    prompts: int
    markers: tuple[str, ...]


@dataclass(frozen=True)
class Shared:
    """A token that members share: how many of them, and how many accounts carry it at all."""

    kind: str
    token: str
    members: int
    carriers: int


@dataclass(frozen=True)
class Binding:
    """Shared tokens by groups of members, largest token first.

    `cells`: tokens x columns, share of the column's members that carry the token. A column is as
    many members as the next, in the order of what they carry.
    """

    tokens: tuple[Shared, ...]
    cells: NDArray[np.float64]
    members: int
    first: dt.date
    last: dt.date
    without: int
    sets: tuple[tuple[int, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Hours:
    """Mean requests of a member by hour of day: rows x 24; rows are members or bins of them."""

    cells: NDArray[np.float64]
    #: Mean over all active members, by hour.
    means: tuple[float, ...]
    accounts: int
    members: int
    first: dt.date
    last: dt.date


_COLUMNS = (
    "campaign_id", "date", "kind", "first_seen", "accounts", "requests", "output_tokens", "score",
    "resale_score", "summary", "evidence", "reasons",
)  # fmt: skip


def campaign(store: Store, night: dt.date, subject: str) -> Campaign | None:
    """None: no such campaign on any night up to this one."""
    rows = store.rows(
        "select * from campaigns where campaign_id = $subject order by date desc limit 1",
        {"campaigns": Part("campaigns", (*_COLUMNS, *COMPARED),
                           night - dt.timedelta(days=PAST_NIGHTS), night)},
        {"subject": subject},
    )  # fmt: skip
    if not rows:
        return None
    figures = {name: rows[0].pop(name) for name in COMPARED}
    return Campaign(**rows[0], figures=figures)


def past(store: Store, night: dt.date, subject: str) -> tuple[Past, ...]:
    columns = ("campaign_id", "date", "accounts", "requests", "output_tokens", "score")
    rows = store.rows(
        "select date, accounts, requests, output_tokens, score from campaigns "
        "where campaign_id = $subject order by date",
        {"campaigns": Part("campaigns", columns, night - dt.timedelta(days=PAST_NIGHTS), night)},
        {"subject": subject},
    )
    return tuple(Past(**row) for row in rows)


def like_groups(store: Store, of: Campaign) -> LikeGroups:
    medians = ", ".join(f"median({name}) as {name}" for name in COMPARED)
    (row,) = store.rows(
        f"""
        with others as (
            select *, accounts between $n / 2 and $n * 2 as like_size,
                abs(ln(accounts / $n)) as apart
            from campaigns
            where campaign_id <> $subject and kind in ('benign_group', 'unknown')
                and score < $unsuspected and resale_score < $unsuspected
        ), chosen as (
            select * from others order by not like_size, apart, campaign_id
            limit greatest(5, (select count(*) from others where like_size))
        )
        select count(*) as groups, coalesce(not bool_and(like_size), false) as nearest,
            coalesce(min(accounts), 0) as least, coalesce(max(accounts), 0) as most, {medians}
        from chosen""",
        {"campaigns": Part("campaigns", (*_COLUMNS, *COMPARED), of.date, of.date)},
        {"subject": of.campaign_id, "n": float(of.accounts), "unsuspected": _UNSUSPECTED},
    )
    declared = {column.name: column for column in TABLES["campaigns"].columns}
    return LikeGroups(
        row["groups"], row["nearest"], row["least"], row["most"],
        tuple(
            Compared(name, declared[name].about, declared[name].unit or "", of.figures[name],
                     row[name])
            for name in COMPARED
        ),
    )  # fmt: skip


#: Account ids of `members`, of the campaign `$subject`.
MEMBERS = "select account_id from members where campaign_id = $subject"


def members_on(night: dt.date) -> Part:
    return Part("campaign_members", ("campaign_id", "account_id"), night, night)


def asked(store: Store, of: Campaign) -> tuple[Asked, ...]:
    """What its prompts of the night ask for, the furthest from everybody's first."""
    sums = ", ".join(
        f"coalesce(sum(asks_{m.name}) filter (mine) / sum(prompts_known) filter (mine), 0) "
        f"as here_{m.name}, coalesce(sum(asks_{m.name}) / sum(prompts_known), 0) as all_{m.name}"
        for m in MARKERS
    )
    (row,) = store.rows(
        f"select {sums} from (select d.*, m.account_id is not null as mine from daily d "
        f"left join ({MEMBERS}) m using (account_id))",
        {
            "daily": Part("account_daily", ("account_id", "prompts_known",
                                            *(f"asks_{m.name}" for m in MARKERS)), of.date,
                          of.date),
            "members": members_on(of.date),
        },
        {"subject": of.campaign_id},
    )  # fmt: skip
    found = [
        Asked(m.name, m.about, float(row[f"here_{m.name}"]), float(row[f"all_{m.name}"]))
        for m in MARKERS
    ]
    return tuple(sorted(found, key=lambda a: (a.everyone - a.members, a.marker)))


def templates(store: Store, of: Campaign) -> tuple[Template, ...]:
    """Templates that most of its requests are on, and how many accounts have them at all."""
    first = store.recent("account_templates", of.date, RECENT_NIGHTS, RECENT_ROWS)
    rows = store.rows(
        f"""
        with mine as (
            select template_key as key, count(distinct account_id) as members,
                sum(requests)::bigint as requests, sum(prompts)::bigint as prompts,
                bit_or(markers) as markers
            from templates semi join ({MEMBERS}) using (account_id) group by 1
            having members >= 2 order by requests desc, key limit 12
        )
        select mine.*, (select count(distinct account_id) from again where template_key = key)
            as carriers from mine order by requests desc, key""",
        {
            "templates": Part("account_templates", ("account_id", "template_key", "requests",
                                                    "prompts", "markers"), first, of.date),
            "again": Part("account_templates", ("account_id", "template_key"), first, of.date),
            "members": members_on(of.date),
        },
        {"subject": of.campaign_id},
    )  # fmt: skip
    return tuple(
        Template(**row | {"markers": tuple(m.name for m in MARKERS
                                           if row["markers"] & (1 << m.bit))})
        for row in rows
    )  # fmt: skip


#: What each account carries: kind and token, from requests, from prompts, from its record.
CARRIED = """
    select account_id, kind, token from indicators
        where kind in ('address', 'network', 'client', 'settings', 'system_prompt', 'template_end')
    union all select account_id, 'template', template_key from templates
    """ + " ".join(
    f"union all select account_id, '{kind}', {column} from accounts where {column} is not null"
    for kind, column in _IDENTITY.items()
)


def carried_parts(store: Store, night: dt.date) -> tuple[dict[str, Part], dt.date]:
    """What `CARRIED` reads, and the first of its nights."""
    first = max(
        store.recent("account_indicators", night, RECENT_NIGHTS, RECENT_ROWS),
        store.recent("account_templates", night, RECENT_NIGHTS, RECENT_ROWS),
    )
    return {
        "indicators": Part("account_indicators", ("account_id", "kind", "token"), first, night),
        "templates": Part("account_templates", ("account_id", "template_key"), first, night),
        "accounts": Part("accounts", ("account_id", *_IDENTITY.values()), night, night),
    }, first


def binding(store: Store, of: Campaign) -> Binding:
    """Tokens that members share and who carries them, by what they say of the group: carriers that
    are members, over all carriers, times members."""
    parts, first = carried_parts(store, of.date)
    found = store.arrays(
        f"""
        with mine as materialized ({MEMBERS}),
        held as materialized (
            select distinct account_id, kind, token from ({CARRIED})
            semi join mine using (account_id)
        ), often as materialized (
            select kind, token, count(*) as members from held group by 1, 2
            having members >= $shared
        ), carriers as (
            select kind, token, count(distinct account_id) as carriers from ({CARRIED})
            semi join often using (kind, token) group by 1, 2
        ), top as (
            select *, row_number() over (
                order by members * members / carriers desc, members desc, kind, token) - 1 as place
            from often join carriers using (kind, token)
            qualify place < $most
        )
        select place, kind, token, members, carriers, account_id
        from top join held using (kind, token) order by place, account_id""",
        {**parts, "members": members_on(of.date)},
        {"subject": of.campaign_id, "shared": _SHARED, "most": MOST_TOKENS},
    )
    place = found["place"].astype(np.int64)
    starts = np.flatnonzero(np.diff(place, prepend=-1) > 0)
    tokens = tuple(
        Shared(str(found["kind"][at]), str(found["token"][at]), int(found["members"][at]),
               int(found["carriers"][at]))
        for at in starts
    )  # fmt: skip
    ids, row = np.unique(found["account_id"].astype(str), return_inverse=True)
    carries = np.zeros((len(tokens), len(ids)), bool)
    carries[place, row] = True
    # The token that most members carry comes first, so that the picture reads from the left.
    order = np.argsort([-token.members for token in tokens], kind="stable")
    tokens = tuple(tokens[at] for at in order)
    carries = carries[order] if len(tokens) else carries
    carries = carries[:, np.lexsort(~carries[::-1])] if len(tokens) else carries
    pieces = np.array_split(np.arange(len(ids)), min(MOST_COLUMNS, max(len(ids), 1)))
    cells = np.array([carries[:, piece].mean(axis=1) for piece in pieces if len(piece)])
    return Binding(
        tokens, cells.T if len(cells) else np.zeros((len(tokens), 0)), of.accounts, first, of.date,
        max(of.accounts - len(ids), 0), _sets(carries),
    )  # fmt: skip


def _sets(carries: NDArray[np.bool_]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """The commonest sets of the first eight tokens: members, and places of the tokens."""
    if not carries.size:
        return ()
    patterns, counts = np.unique(carries[:8], axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:12]
    return tuple(
        (int(counts[at]), tuple(int(p) for p in np.flatnonzero(patterns[:, at]))) for at in order
    )


def hours(store: Store, of: Campaign) -> Hours:
    """Its members by their busiest hour, each with its requests by hour of day."""
    first = store.recent("account_daily", of.date, RECENT_NIGHTS, RECENT_ROWS)
    names = [f"hour_{hour:02d}" for hour in range(24)]
    found = store.arrays(
        f"select account_id, {', '.join(f'sum({n})::double as {n}' for n in names)} from daily "
        f"semi join ({MEMBERS}) using (account_id) group by account_id order by account_id",
        {"daily": Part("account_daily", ("account_id", *names), first, of.date),
         "members": members_on(of.date)},
        {"subject": of.campaign_id},
    )  # fmt: skip
    cells = np.stack([found[name] for name in names], axis=1)
    total = cells.sum(axis=1)
    # The middle of a day that goes round: by the angle of the mean of its hours on a circle.
    angle = np.exp(2j * np.pi * (np.arange(24) + 0.5) / 24)
    middle = np.angle(cells @ angle) % (2 * np.pi)
    cells = cells[np.lexsort((-total, middle.round(3)))]
    pieces = np.array_split(np.arange(len(cells)), min(MOST_HOUR_ROWS, max(len(cells), 1)))
    binned = [cells[piece].mean(axis=0) for piece in pieces if len(piece)]
    means = cells.mean(axis=0) if len(cells) else np.zeros(24)
    return Hours(
        np.array(binned).reshape(-1, 24),
        tuple(float(m) for m in means),
        len(cells),
        of.accounts,
        first,
        of.date,
    )
