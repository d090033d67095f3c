"""What is known of an account or a campaign on a night, and from which rows.

Reads the lake without an engine and writes nothing. What a night did not know yet is left out, so
that the same night says the same later, and a second reviewer does not see the first verdict.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs import verdicts
from jobs.campaigns.words import figure_behind
from jobs.catalog.desk_tables import ACCOUNT_SUBJECT, CAMPAIGN_SUBJECT
from jobs.catalog.enforcement import LADDER, EnforcementPolicy, PolicyFault, parse_policy
from jobs.catalog.features import FEATURES
from jobs.catalog.figures import FIGURES, FIGURES_BY_NAME
from jobs.catalog.tables import TABLES
from jobs.explaining.ladder import RungState, Standing, rungs_of_account, rungs_of_campaign
from jobs.explaining.sharing import Link, Shared, links_of, shared_by
from jobs.limits import now
from jobs.plain_text import plain
from jobs.platform.errors import StillwatchError
from jobs.sentences import sentence_of

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

Row = dict[str, Any]
#: Members of a campaign that are listed: the firmest.
MEMBERS_SHOWN = 50
_IN_FORCE = ("action", "expires", "campaign_id", "mode", "policy_version", "decision_id")


class UnknownSubjectError(StillwatchError):
    """No table of the night knows it."""


@dataclass(frozen=True)
class Source:
    """A row, or rows, that something was read from: `key` names it within the night."""

    table: str
    night: dt.date
    key: str
    column: str | None = None


@dataclass(frozen=True)
class Reason:
    """A sentence, the figure behind it where it is one, and the rows it comes from."""

    sentence: str
    sources: list[Source]
    figure: float | None = None
    about: str | None = None


@dataclass(frozen=True)
class Explained:
    """All that is known of a subject on a night. Lists of rows are as their tables have them,
    oldest first, text made plain. `actions` are what nights wrote, `in_force` is what holds of
    them: of an account its action, of a campaign how many members are under which. `limits_now`
    are those after the last night and what people decided since; None where a night was asked
    for."""

    subject: str
    subject_kind: str
    night: dt.date
    about: Row
    scores: Row
    history: list[Row]
    reasons: list[Reason]
    evidence: list[str]
    unavailable: list[str]
    policy_version: str
    policy_is_the_nights: bool
    rungs: list[RungState]
    links: list[Link]
    shared: list[Shared]
    members: list[Row]
    actions: list[Row]
    in_force: list[Row]
    limits: list[Row]
    decisions: list[Row]
    events: list[Row] = field(default_factory=list)
    limits_now: list[Row] | None = None


def explain(lake: Lake, subject: str, date: dt.date | None = None) -> Explained:
    """What is known of an account or a campaign after a night, the last scored one by default.

    An earlier night, or the last one named, is told without the decisions made since.

    Raises:
        UnknownSubjectError: the lake knows no such subject by that night.
        StillwatchError: no night has been scored, or not that one.
    """
    night = scored_night(lake, date)
    # What was decided since the last night is known now; an earlier night did not know it.
    known_by = night if date is not None else night + dt.timedelta(days=1)
    holding = partial(verdicts.actions_in_force, lake, date)
    known = lake.rows("campaigns", None, night, only={"campaign_id": [subject]})
    if known.num_rows:
        told_of = _campaign(lake, subject, night, known, known_by, holding)
        return told_of if date is not None else _with_limits_now(lake, told_of, subject)
    accounts = lake.rows("accounts", None, night, only={"account_id": [subject]})
    scores = lake.rows("account_scores", None, night, only={"account_id": [subject]})
    if accounts.num_rows or scores.num_rows:
        told_of = _account(lake, subject, night, accounts, scores, known_by, holding)
        return told_of if date is not None else _with_limits_now(lake, told_of, subject)
    raise UnknownSubjectError(
        f"{plain(subject, 80)} is no account and no campaign that {lake.root} knows by {night}: "
        "check the id, or give an earlier --date"
    )


def _with_limits_now(lake: Lake, of: Explained, subject: str) -> Explained:
    """With the account's limits, or the campaign's budget, as gateways are given them now."""
    if not lake.exists("rate_limits"):
        return replace(of, limits_now=[])
    if of.subject_kind == ACCOUNT_SUBJECT:
        return replace(of, limits_now=told(now.in_force(lake, [subject]).accounts))
    members = verdicts.members_of(lake, subject, of.night)
    budgets = now.in_force(lake, members).campaigns
    own = [row for row in budgets if row["campaign_id"] == subject]
    return replace(of, limits_now=told(own))


def scored_night(lake: Lake, date: dt.date | None) -> dt.date:
    """The night asked for, or the last that was scored.

    Raises:
        StillwatchError: there is none, or not that one.
    """
    scored = lake.nights("account_scores")
    if not scored:
        raise StillwatchError(f"no night has been scored on {lake.root}: run one first")
    if date is not None and date not in scored:
        raise StillwatchError(f"{date} was not scored; the last night that was is {scored[-1]}")
    return date or scored[-1]


def policy_of(lake: Lake, night: dt.date) -> tuple[EnforcementPolicy, bool]:
    """The policy that decided a night, and True; the one in force now, and False, where the night
    kept none."""
    rows = rows_if_there(lake, "policies", night, night)
    if rows:
        try:
            return parse_policy(rows[-1]["text"]), True
        except PolicyFault:
            pass  # A later release may read files more strictly.
    return lake.settings.enforcement_policy, False


def rows_if_there(
    lake: Lake, table: str, first: dt.date | None, last: dt.date | None, **only: str
) -> list[Row]:
    """Rows as dictionaries, of a table that a lake of an earlier release may lack."""
    if table not in TABLES or not lake.exists(table):
        return []
    return lake.rows(table, first, last, only={c: [v] for c, v in only.items()}).to_pylist()


def decisions_by(
    lake: Lake, subject: str, last: dt.date, members: Collection[str] = ()
) -> list[Row]:
    """Decisions on a campaign, or a member of it, or an account, that count by a night."""
    rows = verdicts.decisions_on(lake, subject, members)
    return told([row for row in rows if row["date"] <= last])


def told(rows: pa.Table | list[Row]) -> list[Row]:
    """Rows with their texts made plain, oldest first."""
    listed = rows.to_pylist() if isinstance(rows, pa.Table) else rows
    made = [{name: _plain(value) for name, value in row.items()} for row in listed]
    return sorted(made, key=lambda row: row["date"])


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _account(
    lake: Lake,
    account: str,
    night: dt.date,
    snapshots: pa.Table,
    scores: pa.Table,
    known_by: dt.date,
    holding: Callable[[Collection[str]], pa.Table],
) -> Explained:
    only = {"account_id": [account]}
    about = told(snapshots)[-1] if snapshots.num_rows else {}
    score = next((r for r in told(scores) if r["date"] == night), {})
    actions = told(lake.rows("enforcement_actions", None, night, only=only))
    action = next((r for r in actions if r["date"] == night), {})
    group_id = score.get("campaign_id")
    group = (
        (told(lake.rows("campaigns", night, night, only={"campaign_id": [group_id]})) or [{}])[0]
        if group_id
        else {}
    )
    labels = told(lake.rows("labels", None, night, only=only))
    policy, the_nights = policy_of(lake, night)
    daily = lake.rows("account_daily", None, night, only=only,
                      columns=["date", "requests", "output_tokens"])  # fmt: skip
    sent = {row["date"]: row for row in daily.to_pylist()}
    acted = {row["date"]: row for row in actions}
    evidence = action.get("evidence") or score.get("evidence") or []
    held = told(holding([account]))
    return Explained(
        subject=plain(account),
        subject_kind=ACCOUNT_SUBJECT,
        night=night,
        about=_of_an_account(about),
        scores={k: score[k] for k in ("distillation_score", "resale_score", "campaign_id",
                                      "model_version") if k in score},
        history=[
            {
                "date": row["date"],
                "requests": sent.get(row["date"], {}).get("requests", 0),
                "output_tokens": sent.get(row["date"], {}).get("output_tokens", 0),
                "distillation_score": row["distillation_score"],
                "resale_score": row["resale_score"],
                "campaign_id": row["campaign_id"],
                "action": acted.get(row["date"], {}).get("action"),
                "proposed": acted.get(row["date"], {}).get("proposed"),
            }
            for row in told(scores)
        ],
        reasons=_reasons_of_account(lake, account, night, score, group, labels),
        evidence=evidence,
        unavailable=score.get("unavailable") or [],
        policy_version=policy.version,
        policy_is_the_nights=the_nights,
        rungs=rungs_of_account(
            policy,
            {r["action"]: r["score"] for r in rows_if_there(lake, "thresholds", night, night)},
            Standing(
                score["distillation_score"], score["resale_score"], frozenset(evidence),
                group.get("score"), group.get("kind"), bool(about.get("verified_organization")),
            ),
            about, labels, night, held[0]["action"] if held else None,
        ) if score else [],
        links=links_of(lake, account, night),
        shared=shared_by(lake, account, night),
        members=[],
        actions=actions,
        in_force=[{name: row[name] for name in _IN_FORCE} for row in held],
        limits=told(rows_if_there(lake, "rate_limits", None, night, account_id=account)),
        decisions=decisions_by(lake, account, known_by),
    )  # fmt: skip


def _of_an_account(row: Row) -> Row:
    """The record without its tokens."""
    tokens = {c.name for c in TABLES["accounts"].columns if c.personal == "token"}
    return {name: value for name, value in row.items() if name not in tokens | {"key_id"}}


def _reasons_of_account(
    lake: Lake, account: str, night: dt.date, score: Row, group: Row, labels: list[Row]
) -> list[Reason]:
    features = lake.rows("account_features", night, night, only={"account_id": [account]})
    said = _sentences(features)
    reasons = []
    for sentence in score.get("reasons") or []:
        if group and sentence in group["reasons"]:
            reasons.append(_reason_of_group(sentence, group, night))
        elif sentence in said:
            feature, value = said[sentence]
            days = [int(feature.name.rsplit("_", 1)[1][:-1])] if _windowed(feature.name) else []
            sources = [Source("account_features", night, account, feature.name)]
            sources += [
                Source("account_daily", night, f"{account}, {d} nights to {night}") for d in days
            ]
            reasons.append(Reason(sentence, sources, value, feature.about))
        else:
            reasons.append(Reason(sentence, [Source("account_scores", night, account, "reasons")]))
    reasons += [
        Reason(
            f"{row['source']} said {row['label']} on {row['labelled_at']:%Y-%m-%d}",
            [Source("labels", row["date"], account)],
            row["confidence"], "Confidence of the label.",
        )
        for row in labels
    ]  # fmt: skip
    return reasons


def _windowed(name: str) -> bool:
    last = name.rpartition("_")[2]
    return last.endswith("d") and last[:-1].isdigit()


def _sentences(features: pa.Table) -> dict[str, tuple[Any, float]]:
    """What each feature of an account's row would be said as: sentence -> feature, value."""
    if not features.num_rows:
        return {}
    said = {}
    for feature in FEATURES:
        if feature.reason and feature.name in features.column_names:
            words = sentence_of(feature.reason, feature.unit, features[feature.name])[0].as_py()
            if words is not None:
                said[plain(words)] = (feature, features[feature.name][0].as_py())
    return said


def _reason_of_group(sentence: str, group: Row, night: dt.date) -> Reason:
    name = group["campaign_id"]
    figure = figure_behind(sentence)
    sources = [Source("campaigns", night, name, figure or "reasons")]
    if figure is not None:
        return Reason(sentence, sources, group[figure], FIGURES_BY_NAME[figure].about)
    if sentence.startswith("people labelled"):
        sources.append(Source("labels", night, f"members of {name}, up to {night}"))
    elif "share" in sentence or "sent the same" in sentence:
        sources.append(Source("account_links", night, f"pairs of members of {name}"))
    return Reason(sentence, sources)


def _campaign(
    lake: Lake,
    campaign: str,
    asked: dt.date,
    known: pa.Table,
    known_by: dt.date,
    holding: Callable[[Collection[str]], pa.Table],
) -> Explained:
    nights = told(known)
    group, night = nights[-1], nights[-1]["date"]
    members = lake.rows("campaign_members", night, night, only={"campaign_id": [campaign]})
    ids = set(members["account_id"].to_pylist())
    scores = _of_members(lake, "account_scores", night, ids)
    actions = _of_members(lake, "enforcement_actions", night, ids)
    policy, the_nights = policy_of(lake, night)
    scored = {r["account_id"]: r for r in scores}
    held = holding(ids)
    acted = dict(zip(held["account_id"].to_pylist(), held["action"].to_pylist(), strict=True))
    under = Counter(acted.values())
    firmest = sorted(told(members), key=lambda row: (-row["strength"], row["account_id"]))
    return Explained(
        subject=plain(campaign),
        subject_kind=CAMPAIGN_SUBJECT,
        night=night,
        about={
            **{k: group[k] for k in ("kind", "summary", "first_seen", "accounts", "requests",
                                     "output_tokens")},
            "last_seen": night,
            "gone": night < asked,
            "figures": {
                f.name: {"value": group[f.name], "unit": f.unit, "about": f.about}
                for f in FIGURES if group[f.name] is not None
            },
        },
        scores={k: group[k] for k in ("score", "resale_score")},
        history=[
            {k: row[k] for k in ("date", "kind", "score", "resale_score", "accounts", "requests",
                                 "output_tokens")}
            for row in nights
        ],
        reasons=[_reason_of_group(sentence, group, night) for sentence in group["reasons"]],
        evidence=group["evidence"],
        unavailable=[],
        policy_version=policy.version,
        policy_is_the_nights=the_nights,
        rungs=rungs_of_campaign(policy, group, actions, under),
        links=links_of(lake, None, night, ids),
        shared=shared_by(lake, None, night, ids),
        members=[
            {
                **{k: row[k] for k in ("account_id", "joined", "strength")},
                "distillation_score": scored.get(row["account_id"], {}).get("distillation_score"),
                "in_force": acted.get(row["account_id"]),
            }
            for row in firmest[:MEMBERS_SHOWN]
        ],
        actions=_counted(lake, campaign, asked),
        in_force=[
            {"action": action, "accounts": under[action]}
            for action in reversed(LADDER) if under[action]
        ],
        limits=told(rows_if_there(lake, "campaign_budgets", None, asked, campaign_id=campaign)),
        decisions=decisions_by(lake, campaign, known_by, ids),
        events=told(
            [
                *rows_if_there(lake, "campaign_events", None, asked, campaign_id=campaign),
                *rows_if_there(lake, "campaign_events", None, asked, other_campaign_id=campaign),
            ]
        ),
    )  # fmt: skip


def _of_members(lake: Lake, table: str, night: dt.date, ids: set[str]) -> list[Row]:
    rows = lake.rows(table, night, night, only={"account_id": ids}) if ids else None
    return told(rows) if rows is not None else []


def _counted(lake: Lake, campaign: str, night: dt.date) -> list[Row]:
    """How many of its accounts had which action on each night."""
    rows = lake.rows("enforcement_actions", None, night, only={"campaign_id": [campaign]})
    if not rows.num_rows:
        return []
    names = [c for c in ("date", "action", "proposed") if c in rows.column_names]
    counted = rows.group_by(names).aggregate([("account_id", "count")]).to_pylist()
    return sorted(
        ({**{n: r[n] for n in names}, "accounts": r["account_id_count"]} for r in counted),
        key=lambda row: (row["date"], row["action"], row["proposed"] or ""),
    )
