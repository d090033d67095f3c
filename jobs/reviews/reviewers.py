"""Second reviews: decided cases go blind to another reviewer, cases with known answers among them.

Which cases come is worked out from hashes, so that a draw can be made again and nobody chooses. No
row says whether a case was decided before or its answer is known: the report finds that out by
working the draw out again. Answers decide nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.catalog.desk_tables import ACCOUNT_SUBJECT, APPEALED, CAMPAIGN_SUBJECT, FINDINGS
from jobs.catalog.review_tables import ANSWERED, BLIND_REVIEWS, DRAWN
from jobs.explaining.explain import rows_if_there, scored_night
from jobs.plain_text import plain
from jobs.platform.errors import StillwatchError
from jobs.platform.lake import arrow_schema
from jobs.platform.lock import sole_decider
from jobs.reviews.intervals import Share, share_of

if TYPE_CHECKING:
    from jobs.catalog.enforcement import SecondReviews
    from jobs.platform.lake import Lake

Row = dict[str, Any]

#: Who said so knew more than a reviewer sees; simulated worlds label by their truth.
KNOWN_SOURCES = ("confirmed_ban", "appeal_upheld", "partner_intelligence", "simulation")
#: How sure such a label has to be, where it says.
KNOWN_CONFIDENCE = 0.9
#: Characters of a reason that are kept: a page of text.
LONGEST_REASON = 2_000
#: Cases that two reviewers must both have judged before kappa is worked out.
KAPPA_CASES = 10
NO_CAMPAIGN = "account"


class ReviewError(StillwatchError):
    """An answer that can't be taken: which, and why."""


@dataclass(frozen=True)
class Agreement:
    """How often a reviewer's second verdict was the first one's, on one kind of case."""

    reviewer: str
    kind: str
    agreed: Share


@dataclass(frozen=True)
class Accuracy:
    """How often a reviewer was right on cases whose answer is known."""

    reviewer: str
    kind: str
    right: Share


@dataclass(frozen=True)
class Pair:
    """Two reviewers on the cases that both judged; kappa (Cohen 1960) null where it says nothing:
    too few cases, or both gave all of them one verdict."""

    reviewers: tuple[str, str]
    agreed: Share
    kappa: float | None


@dataclass(frozen=True)
class ReviewersReport:
    first: dt.date | None
    last: dt.date | None
    drawn: int
    answered: int
    agreed: Share
    right: Share
    agreement: list[Agreement]
    accuracy: list[Accuracy]
    pairs: list[Pair]


@dataclass(frozen=True)
class _Candidate:
    """A case that may be drawn: `origin` names the decision or label that it comes from."""

    origin: str
    subject_kind: str
    subject: str
    night: dt.date
    verdict: str
    by: str | None
    known_from: dt.date


def draw(lake: Lake, date: dt.date | None = None) -> int:
    """Draw the cases of a night, the last scored one by default; returns how many are new.

    Drawn again, the same night draws the same, and what is drawn already, on any night, stays as
    it is. A case goes to a reviewer who has decided something by then, and not this case; while
    there is no second one nothing is drawn, and nothing but who decided is read.
    """
    if len(_deciders(_decisions(lake, date))) < 2:
        return 0
    night = scored_night(lake, date)
    policy = lake.settings.enforcement_policy.second_reviews
    # A night and a command may draw at once: what is drawn is looked up and added to as one.
    with sole_decider(lake.settings.lake_root):
        rows = _drawn(lake, night, policy, _reviews(lake, None))
        if rows:
            lake.append("blind_reviews", pa.Table.from_pylist(rows, arrow_schema(BLIND_REVIEWS)))
    return len(rows)


def drawn_for(lake: Lake, reviewer: str) -> list[Row]:
    """Open reviews of one reviewer, oldest first: review_id, date, subject_kind, subject, night.

    What to look at is the subject as of `night`: `stillwatch explain SUBJECT --date NIGHT`.
    """
    rows = _reviews(lake, None)
    done = {r["review_id"] for r in rows if r["event"] == ANSWERED}
    told = ("review_id", "date", "subject_kind", "subject", "night")
    waiting = [
        {name: row[name] for name in told} for row in rows
        if row["event"] == DRAWN and row["reviewer"] == reviewer and row["review_id"] not in done
    ]  # fmt: skip
    return sorted(waiting, key=lambda row: (row["date"], row["review_id"]))


def answer(
    lake: Lake,
    review_id: str,
    by: str,
    verdict: str,
    reason: str,
    now: dt.datetime | None = None,
) -> Row:
    """Write down a reviewer's verdict on a case that was drawn for them; returns the row.

    Raises:
        ReviewError: no such review for them, answered already, no such verdict, or no reason.
    """
    if verdict not in FINDINGS:
        raise ReviewError(f"{plain(verdict, 40)} is no verdict: one of {', '.join(FINDINGS)}")
    if not plain(reason):
        raise ReviewError("an answer needs a reason: say in a sentence why")
    # A form sent twice at once must not be two answers.
    with sole_decider(lake.settings.lake_root):
        rows = [
            r for r in _reviews(lake, None) if r["review_id"] == review_id and r["reviewer"] == by
        ]
        if not rows:
            raise ReviewError(
                f"{plain(by, 40)} has no review {plain(review_id, 40)}: look at what waits for them"
            )
        if any(row["event"] == ANSWERED for row in rows):
            raise ReviewError(f"review {plain(review_id, 40)} is answered already: answers stay")
        row = rows[0] | {
            "event": ANSWERED, "at": now or dt.datetime.now(dt.UTC), "verdict": verdict,
            "reason": plain(reason, LONGEST_REASON, lines=True),
        }  # fmt: skip
        lake.append("blind_reviews", pa.Table.from_pylist([row], arrow_schema(BLIND_REVIEWS)))
    return row


def reviewers_report(lake: Lake, first: dt.date | None, last: dt.date | None) -> ReviewersReport:
    """Agreement and accuracy of the reviews that were drawn on the nights from `first` to `last`.

    Few cases are shown with their interval, not left out.
    """
    rows = [r for r in _reviews(lake, last) if first is None or r["date"] >= first]
    drawn = {r["review_id"]: r for r in rows if r["event"] == DRAWN}
    answers: dict[str, Row] = {}
    for row in sorted((r for r in rows if r["event"] == ANSWERED), key=lambda r: r["at"]):
        answers.setdefault(row["review_id"], row)
    decided = _decided(_decisions(lake, last))
    # Of a case that was planted no more is to be found out than that.
    known = _known(lake, last, {r["subject"] for r in drawn.values()}) if answers else []
    reviewers = {row["reviewer"] for row in drawn.values()}
    first_said = {_review_id(c, name): c for name in reviewers for c in decided}
    truth = {_review_id(c, name): c for name in reviewers for c in known}
    kinds = _kinds(lake, list(drawn.values()))
    agreement: dict[tuple[str, str], list[bool]] = defaultdict(list)
    accuracy: dict[tuple[str, str], list[bool]] = defaultdict(list)
    verdicts: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for name, row in answers.items():
        if name not in drawn:
            continue
        of = (row["reviewer"], kinds[name])
        if name in first_said:
            earlier = first_said[name]
            agreement[of].append(row["verdict"] == earlier.verdict)
            said = sorted([(str(earlier.by), earlier.verdict), (row["reviewer"], row["verdict"])])
            verdicts[said[0][0], said[1][0]].append((said[0][1], said[1][1]))
        elif name in truth:
            accuracy[of].append(row["verdict"] == truth[name].verdict)
    nights = [row["date"] for row in drawn.values()]
    return ReviewersReport(
        first=first or min(nights, default=None),
        last=last or max(nights, default=None),
        drawn=len(drawn),
        answered=sum(name in drawn for name in answers),
        agreed=_share([hit for hits in agreement.values() for hit in hits]),
        right=_share([hit for hits in accuracy.values() for hit in hits]),
        agreement=[Agreement(*of, _share(hits)) for of, hits in sorted(agreement.items())],
        accuracy=[Accuracy(*of, _share(hits)) for of, hits in sorted(accuracy.items())],
        pairs=[
            Pair(names, _share([a == b for a, b in said]), _kappa(said))
            for names, said in sorted(verdicts.items())
        ],
    )


def _decisions(lake: Lake, last: dt.date | None) -> list[Row]:
    return rows_if_there(lake, "decisions", None, last)


def _reviews(lake: Lake, last: dt.date | None) -> list[Row]:
    return rows_if_there(lake, "blind_reviews", None, last)


def _deciders(decisions: list[Row]) -> list[str]:
    """Who has decided something: writing down what a customer says is none."""
    return sorted({row["decided_by"] for row in decisions if row["verdict"] != APPEALED})


def _drawn(lake: Lake, night: dt.date, policy: SecondReviews, before: list[Row]) -> list[Row]:
    decisions = _decisions(lake, night)
    decided = _decided(decisions)
    known: list[_Candidate] | None = None
    reviewers = _deciders(decisions)
    taken = {row["review_id"] for row in before}
    #: What a reviewer has judged, or was given to judge, is not given to them again.
    met: dict[str, set[str]] = defaultdict(set)
    for row in decisions:
        met[row["decided_by"]] |= {row["subject"], *row["accounts"]}
    for row in before:
        met[row["reviewer"]].add(row["subject"])
    # A night drawn again: what a later one gave to somebody who is new since stays given.
    ever = {*reviewers, *(row["reviewer"] for row in before)}
    given_origins = {c.origin for c in decided if any(_review_id(c, r) in taken for r in ever)}
    odds = policy.planted / (1.0 - policy.planted)
    rows = []
    for case in sorted(decided, key=lambda c: c.origin):
        if case.origin in given_origins or _uniform("share", case.origin) >= policy.share:
            continue
        able = [r for r in reviewers if r != case.by and case.subject not in met[r]]
        if not able:
            continue
        reviewer = max(able, key=lambda r: _uniform("to", case.origin, r))
        met[reviewer].add(case.subject)
        rows.append(_draw_row(case, reviewer, night))
        planted = int(odds) + (_uniform("planted", case.origin) < odds % 1.0)
        if known is None:
            # Looks accounts up on all nights: not for a night that draws nothing.
            known = _known(lake, night)
        order = sorted(known, key=lambda c: _uniform("known", c.origin, reviewer))
        for other in [c for c in order if c.subject not in met[reviewer]][:planted]:
            met[reviewer].add(other.subject)
            rows.append(_draw_row(other, reviewer, night))
    # Not in the order in which they were found, which pairs each planted case with a decided one.
    return sorted(rows, key=lambda row: str(row["review_id"]))


def _draw_row(case: _Candidate, reviewer: str, night: dt.date) -> Row:
    return {
        "date": night, "review_id": _review_id(case, reviewer), "event": DRAWN,
        "reviewer": reviewer, "subject_kind": case.subject_kind, "subject": case.subject,
        "night": case.night, "at": None, "verdict": None, "reason": None,
    }  # fmt: skip


def _review_id(case: _Candidate, reviewer: str) -> str:
    return "r-" + _digest("review", case.origin, reviewer)[:16]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _uniform(*parts: str) -> float:
    """The same number from 0 to 1 for the same parts."""
    return int(_digest(*parts)[:13], 16) / 16**13


def _decided(rows: list[Row]) -> list[_Candidate]:
    """Cases that people decided, of rows of decisions that count by a night."""
    rejected, open_ = set(), set()
    for row in rows:
        if row["verdict"] == "rejected":
            rejected.add(row["answers"])
        elif row["verdict"] == "approved":
            open_.add(row["answers"])
    return [
        _Candidate(row["decision_id"], row["subject_kind"], row["subject"], row["night"],
                   row["verdict"], row["decided_by"], row["date"])
        for row in rows
        if row["verdict"] in FINDINGS and row["decision_id"] not in rejected
        and (not row["needs_approval"] or row["decision_id"] in open_)
    ]  # fmt: skip


def _known(lake: Lake, night: dt.date | None, among: set[str] | None = None) -> list[_Candidate]:
    """Accounts, all or some, of which the answer is known by a night, each as of the last night on
    which it was scored before anybody said what it is."""
    said: dict[str, list[Row]] = defaultdict(list)
    for row in rows_if_there(lake, "labels", None, night):
        if among is None or row["account_id"] in among:
            said[row["account_id"]].append(row)
    labels = {
        account: rows for account, rows in said.items()
        if any(map(_sure, rows)) and len({row["label"] for row in rows}) == 1
    }  # fmt: skip
    scored: dict[str, list[dt.date]] = defaultdict(list)
    if labels:
        scores = lake.rows("account_scores", None, night, ["date", "account_id", "evidence"],
                           only={"account_id": set(labels)})  # fmt: skip
        for row in scores.to_pylist():
            # Without evidence there is nothing to judge, and the answer would be given away.
            if row["evidence"]:
                scored[row["account_id"]].append(row["date"])
    known = []
    for account, rows in labels.items():
        sure = [row for row in rows if _sure(row)]
        unheard = min(row["date"] for row in rows)
        nights = [n for n in scored[account] if n < unheard]
        if nights:
            origin = f"{account}\x1e{sure[0]['label']}"
            known.append(
                _Candidate(origin, ACCOUNT_SUBJECT, account, max(nights), sure[0]["label"], None,
                           min(row["date"] for row in sure))
            )  # fmt: skip
    return known


def _sure(label: Row) -> bool:
    sure: bool = label["confidence"] is None or label["confidence"] >= KNOWN_CONFIDENCE
    return label["source"] in KNOWN_SOURCES and sure


def _kinds(lake: Lake, drawn: list[Row]) -> dict[str, str]:
    """What each case's campaign was taken to be on its night; `account` for one in none."""
    kinds: dict[str, str] = {}
    for night in sorted({row["night"] for row in drawn}):
        rows = [row for row in drawn if row["night"] == night]
        accounts = {r["subject"] for r in rows if r["subject_kind"] == ACCOUNT_SUBJECT}
        group: dict[str, str] = {}
        if accounts:
            members = lake.rows("campaign_members", night, night, only={"account_id": accounts})
            group = {m["account_id"]: m["campaign_id"] for m in members.to_pylist()}
        names = {r["subject"] for r in rows if r["subject_kind"] == CAMPAIGN_SUBJECT}
        names |= set(group.values())
        kind: dict[str, str] = {}
        if names:
            campaigns = lake.rows("campaigns", night, night, only={"campaign_id": names})
            kind = {c["campaign_id"]: c["kind"] for c in campaigns.to_pylist()}
        for row in rows:
            name = str(group.get(row["subject"], row["subject"]))
            kinds[row["review_id"]] = kind.get(name, NO_CAMPAIGN)
    return kinds


def _share(hits: list[bool]) -> Share:
    return share_of(sum(hits), len(hits))


def _kappa(said: list[tuple[str, str]]) -> float | None:
    if len(said) < KAPPA_CASES or len({verdict for pair in said for verdict in pair}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score([a for a, _ in said], [b for _, b in said]))
