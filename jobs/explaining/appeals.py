"""What an appeals desk needs of one action on one account: a statement of reasons that can be
sent, the same in the fields of the DSA Transparency Database, and the record for the reviewer.

The statement is made of sentences declared here and of the account's own dates, counts and request
ids. No sentence of the lake goes into it: those name detectors' figures and other customers.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs import verdicts
from jobs.catalog.desk_tables import APPEALED, ENFORCE, OVERTURNED, UPHELD
from jobs.catalog.dsa import FULLY, PARTIALLY
from jobs.explaining.contested import actions_on
from jobs.explaining.explain import Explained, decisions_by, explain, rows_if_there
from jobs.plain_text import plain
from jobs.platform.errors import StillwatchError

if TYPE_CHECKING:
    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings

Row = dict[str, Any]

#: Nights of requests that a statement is about: the longest that evidence is drawn from.
PERIOD_NIGHTS = 28
#: Request ids that it names, and nights that they are looked up in.
REQUESTS_NAMED = 5
#: What a request's id has to look like to be printed: it comes from outside.
_REQUEST_ID = re.compile(r"[A-Za-z0-9_:-]{4,80}")
#: Shorter ids of others would be found in any text.
_SHORTEST_ID = 6

#: What each family of evidence says to the customer.
FOUND: dict[str, str] = {
    "infrastructure": "Its requests come from networks or machines that {others} use as well.",
    "identity": "Details that were given at sign-up or for payment, or the time and form of the "
    "sign-up, are those of {others}.",
    "time": "It sends its requests at the same times as {others}, or as evenly over the day as a "
    "program that works off a list.",
    "content": "Its prompts follow the same templates, or are parts of the same list, as those of "
    "{others}, or ask for answers in the form in which models are trained.",
    "behaviour": "It uses the service with the same programs and settings as {others}, or in the "
    "manner of a program that collects answers.",
    "lineage": "It took up the work of accounts that had been stopped before.",
    "label": "People who examined the matter came to the same result.",
}
PURPOSE = {
    "distillation": "We take its requests to be part of a systematic collection of our models' "
    "answers to train another model.",
    "resale": "We take its requests to be those of others to whom access is passed on or sold.",
}
FOLLOWS = {
    "watch": "Nothing is restricted.",
    "limit": "The number of requests and tokens that the account can use is limited.",
    "challenge": "The account has to show who it is before it can go on.",
    "review": "Nothing is restricted so far. A person examines the account.",
    "suspend": "The account is suspended: its requests are refused.",
}
_NO_CONTACT = "[contact of the appeals desk: set STILLWATCH_APPEALS_CONTACT]"
_NO_GROUND = "[clause of the terms: set STILLWATCH_APPEALS_GROUND]"


@dataclass(frozen=True)
class NamedRequest:
    request_id: str
    at: dt.datetime


@dataclass(frozen=True)
class Statement:
    """What is told to the customer; `text` is what can be sent."""

    account_id: str
    action: str
    found: list[str]
    first: dt.date
    last: dt.date
    requests: int
    days: int
    named: list[NamedRequest]
    follows: str
    applied: dt.date
    until: dt.date
    by_person: bool
    ground: str
    redress: list[str]

    @property
    def text(self) -> str:
        named = [f"  {r.request_id}  {r.at:%Y-%m-%d %H:%M} UTC" for r in self.named]
        return "\n".join([
            f"Statement of reasons for account {self.account_id}",
            "",
            "What was found",
            *(f"- {line}" for line in self.found),
            "",
            "On which requests",
            f"{self.requests:,} requests of the account on {self.days} days from {self.first} to "
            f"{self.last} (days of arrival, UTC).",
            *(["Among them:", *named] if named else
              ["Their ids are no longer stored with us in a form that can be named here."]),
            "",
            "What follows",
            f"{self.follows} It holds from {self.applied} until {self.until}, both included, "
            "unless it is renewed or lifted before.",
            "",
            "How it was decided",
            "The requests were detected by automated means. "
            + ("A person took the decision, with the help of automated means." if self.by_person
               else "The decision was taken by automated means; no person took part in it. You "
               "may ask that a person examines it."),
            "",
            "Ground",
            self.ground,
            "",
            "How to contest it",
            *(f"- {line}" for line in self.redress),
        ])  # fmt: skip


@dataclass(frozen=True)
class Appeal:
    """All three parts; `restriction` is None where nothing was restricted, so that the database
    takes no statement. `cautions` are for the desk, before anything is sent."""

    statement: Statement
    restriction: Row | None
    record: Explained
    earlier_appeals: list[Row]
    policy_version: str
    policy_text: str | None
    cautions: list[str]

    def as_row(self) -> Row:
        """For --json."""
        return {
            "statement": {**asdict(self.statement), "text": self.statement.text},
            "transparency_database": self.restriction,
            "reviewer": {
                "record": asdict(self.record),
                "earlier_appeals": self.earlier_appeals,
                "policy_version": self.policy_version,
                "policy_text": self.policy_text,
                "cautions": self.cautions,
            },
        }


def appeal_of(lake: Lake, account: str, action_date: dt.date | None = None) -> Appeal:
    """The statement, its fields and the record for an action: the one on `action_date`, or the
    last above `watch`, whether it holds still or was lifted.

    Args:
        lake: where.
        account: its id.
        action_date: the night that wrote it down; of what people ordered in the morning, the night
            before it or the one from which it counts.

    Raises:
        StillwatchError: the account had no such action.
    """
    actions, holds = actions_on(lake, account)
    at = _chosen(actions, account, action_date)
    action = actions[at]
    every = decisions_by(lake, account, dt.date.max)
    record = replace(explain(lake, account, action["date"]), decisions=every)
    lifted = holds is None or holds["action"] != action["action"]
    verdict = next((row["verdict"] for row in every
                    if row["decision_id"] == action["decision_id"]), None)  # fmt: skip
    statement = _statement(lake, account, actions, at, verdict)
    policy = rows_if_there(lake, "policies", action["date"], action["date"],
                           version=action["policy_version"])  # fmt: skip
    return Appeal(
        statement,
        _restriction(lake, statement, action, record),
        record,
        [row for row in every if row["verdict"] in (APPEALED, OVERTURNED, UPHELD)],
        plain(action["policy_version"]),
        policy[0]["text"] if policy else None,
        _cautions(action, statement, lake.settings, bool(policy), lifted),
    )


def record_appeal(lake: Lake, account: str, by: str, reason: str) -> Row:
    """Write down that the account contests what was done: a decision `appealed`."""
    row: Row = verdicts.record(lake, verdict=APPEALED, subject=account, by=by, reason=reason)
    return row


def _chosen(actions: list[Row], account: str, date: dt.date | None) -> int:
    wanted = [
        at for at, row in enumerate(actions)
        if (row["date"] == date if date else row["action"] != "watch")
    ] or [
        at for at, row in enumerate(actions) if date and row.get("decided_on") == date
    ]  # fmt: skip
    if not wanted:
        when = f"on {date}" if date else "above watch on any night"
        raise StillwatchError(
            f"account {plain(account, 80)} has no action {when}: there is nothing to state reasons "
            "for; see `stillwatch explain`"
        )
    return wanted[-1]


def _statement(
    lake: Lake, account: str, actions: list[Row], at: int, verdict: str | None
) -> Statement:  # fmt: skip
    action = actions[at]
    began = at
    while began and actions[began - 1]["action"] == action["action"] and (
        actions[began - 1]["expires"] >= actions[began]["date"]
    ):  # fmt: skip
        began -= 1
    # Renewed night by night on who sends nothing any more: then it is about what came before it.
    for until in (action["date"], actions[began]["date"]):
        first = until - dt.timedelta(days=PERIOD_NIGHTS - 1)
        daily = lake.rows("account_daily", first, until, ["date", "requests"],
                          only={"account_id": [account]})  # fmt: skip
        sent = sorted((row["date"], row["requests"]) for row in daily.to_pylist())
        if sent:
            break
    nights = [night for night, _ in sent]
    settings = lake.settings
    return Statement(
        account_id=plain(account, 80),
        action=action["action"],
        found=_found(lake, account, action, verdict),
        first=nights[0] if nights else first,
        last=nights[-1] if nights else action["date"],
        requests=sum(requests for _, requests in sent),
        days=len(nights),
        named=_named(lake, account, action, nights),
        follows=FOLLOWS[action["action"]],
        # An action written after a night holds from the next day on.
        applied=actions[began]["date"] + dt.timedelta(days=1),
        until=action["expires"],
        by_person=action.get("decision_id") is not None,
        ground=plain(settings.appeals_ground or _NO_GROUND),
        redress=[
            f"Write to {plain(settings.appeals_contact or _NO_CONTACT)} and say why you think that "
            "it is wrong. A person who did not take the decision examines the complaint.",
            "You may turn to a certified out-of-court dispute settlement body, where one is "
            "competent (Regulation (EU) 2022/2065, article 21).",
            "You may go to court.",
        ],
    )


def _found(lake: Lake, account: str, action: Row, verdict: str | None) -> list[str]:
    night = action["date"]
    only = {"account_id": [account]}
    scores = lake.rows("account_scores", night, night, only=only).to_pylist()
    group: list[Row] = []
    if action["campaign_id"] is not None:
        group = lake.rows("campaigns", night, night,
                          only={"campaign_id": [action["campaign_id"]]}).to_pylist()  # fmt: skip
    accounts = group[0]["accounts"] if group else 0
    others = "many other accounts" if accounts > 10 else "several other accounts"
    resells = (group and group[0]["kind"] == "resale") or (
        scores and scores[0]["resale_score"] > scores[0]["distillation_score"]
    )
    if verdict in ("distillation", "resale"):
        # A person said which; the night may not know, or think otherwise.
        resells = verdict == "resale"
    said = [FOUND[family].format(others=others) for family in FOUND if family in action["evidence"]]
    return [*said, PURPOSE["resale" if resells else "distillation"]]


def _named(lake: Lake, account: str, action: Row, nights: list[dt.date]) -> list[NamedRequest]:
    """Some of the account's own requests, spread over the nights on which it sent any."""
    stored = set(lake.nights("requests"))
    nights = [night for night in nights if night in stored]
    step = max((len(nights) - 1) / max(REQUESTS_NAMED - 1, 1), 1.0)
    chosen = sorted({nights[min(round(i * step), len(nights) - 1)]
                     for i in range(min(REQUESTS_NAMED, len(nights)))})  # fmt: skip
    foreign = _ids_of_others(lake, account, action) if chosen else None
    named = []
    for night in chosen:
        rows = lake.rows("requests", night, night, ["request_id", "event_time"],
                         only={"account_id": [account]})  # fmt: skip
        rows = rows.sort_by([("event_time", "ascending"), ("request_id", "ascending")])
        middle = rows.slice(max(rows.num_rows // 2 - 10, 0), 20).to_pylist()
        middle = middle[len(middle) // 2 :] + middle[: len(middle) // 2]
        for row in middle:
            own = row["request_id"]
            if _REQUEST_ID.fullmatch(own) and not _contains_any(own, foreign):
                named.append(NamedRequest(own, row["event_time"]))
                break
    return named


def _ids_of_others(lake: Lake, account: str, action: Row) -> pa.Array:
    """Accounts, campaigns and tokens of the night, which no request's id may give away."""
    night, only = action["date"], {"account_id": [account]}
    accounts = lake.rows("accounts", night, night, ["account_id"])["account_id"]
    members = lake.rows("campaign_members", night, night, ["account_id"])["account_id"]
    campaigns = lake.rows("campaigns", None, night, ["campaign_id"])["campaign_id"]
    first = night - dt.timedelta(days=PERIOD_NIGHTS - 1)
    tokens = lake.rows("account_indicators", first, night, ["token"], only=only)["token"]
    templates = lake.rows("account_templates", first, night, ["template_key"], only=only)
    every = [accounts, members, campaigns, tokens, templates["template_key"]]
    record = lake.rows("accounts", night, night, only=only)
    every += [record[c] for c in record.column_names if c.endswith("_token")]
    values = pa.chunked_array([chunk for column in every for chunk in column.chunks], pa.string())
    values = pc.unique(pc.drop_null(values))
    long_enough = pc.greater_equal(pc.utf8_length(values), _SHORTEST_ID)
    return values.filter(pc.and_(long_enough, pc.not_equal(values, account)))


def _contains_any(text: str, ids: pa.Array | None) -> bool:
    """Whether one of the ids is a part of the text: its parts of the ids' lengths are looked up,
    since the text is short and the ids are many."""
    if ids is None or not len(ids):
        return False
    lengths = pc.unique(pc.utf8_length(ids)).to_pylist()
    parts = {text[at : at + n] for n in lengths for at in range(len(text) - n + 1)}
    if not parts:
        return False
    return bool(pc.any(pc.is_in(pa.array(sorted(parts), pa.string()), ids)).as_py())


def _restriction(lake: Lake, statement: Statement, action: Row, record: Explained) -> Row | None:
    """The fields of the database, None where nothing was restricted; without any id."""
    suspended = statement.action == "suspend"
    if not suspended and statement.action not in ("limit", "challenge"):
        return None
    told = rows_if_there(lake, "labels", None, action["date"], account_id=action["account_id"])
    business = record.about.get("verified_organization") or record.about.get("plan") == "enterprise"
    found = " ".join(statement.found)
    facts = (
        f"{statement.requests:,} requests of the account on {statement.days} days from "
        f"{statement.first} to {statement.last}. {found}"
    )
    until = "end_date_account_restriction" if suspended else "end_date_service_restriction"
    return {
        "decision_visibility": None,
        "decision_monetary": None,
        "decision_provision": None if suspended else "DECISION_PROVISION_PARTIAL_SUSPENSION",
        "decision_account": "DECISION_ACCOUNT_SUSPENDED" if suspended else None,
        "account_type": "ACCOUNT_TYPE_BUSINESS" if business else None,
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": plain(statement.ground, 500),
        "incompatible_content_explanation": plain(statement.found[-1], 2000),
        "incompatible_content_illegal": "No",
        "content_type": ["CONTENT_TYPE_TEXT"],
        "category": "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
        "content_date": statement.first.isoformat(),
        "application_date": statement.applied.isoformat(),
        until: statement.until.isoformat(),
        "decision_facts": plain(facts, 5000),
        "source_type": "SOURCE_TYPE_OTHER_NOTIFICATION"
        if any(row["source"] == "partner_intelligence" for row in told)
        else "SOURCE_VOLUNTARY",
        "automated_detection": "Yes",
        "automated_decision": PARTIALLY if statement.by_person else FULLY,
        "puid": _unique(action, statement),
    }


def _unique(action: Row, statement: Statement) -> str:
    """The same for the same action, and no id of anybody."""
    named = f"{action['account_id']}\n{statement.action}\n{statement.applied}"
    return "stillwatch-" + hashlib.sha256(named.encode()).hexdigest()[:32]


def _cautions(
    action: Row, statement: Statement, settings: Settings, policy_kept: bool, lifted: bool
) -> list[str]:
    said = []
    if action.get("mode") != ENFORCE:
        said.append("The night only observed: nothing was carried out, so nothing is to be sent.")
    if lifted:
        said.append("It holds no more: it was lifted, replaced or has expired.")
    if action["action"] in ("watch", "review"):
        said.append(f"`{action['action']}` restricts nothing: no statement is due.")
    if settings.appeals_contact is None:
        said.append("STILLWATCH_APPEALS_CONTACT is not set: the statement lacks a contact.")
    if settings.appeals_ground is None:
        said.append("STILLWATCH_APPEALS_GROUND is not set: the statement lacks its ground.")
    if not statement.named:
        said.append("No request is named: none is stored any more, or none has an id to print.")
    if not set(FOUND) & set(action["evidence"]):
        said.append("No family of evidence is on record: the statement says no reason.")
    if not policy_kept:
        said.append("The text of the policy that decided was not kept on that night.")
    return said
