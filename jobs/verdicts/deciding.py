"""Deciding: a person's decision is checked, and written as a row of `decisions`."""

from __future__ import annotations

import datetime as dt
import unicodedata
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog import desk_tables as desk
from jobs.catalog.desk_tables import DECISIONS, ENFORCEMENT_MODE
from jobs.catalog.enforcement import LADDER, EnforcementPolicy
from jobs.catalog.policy import EVIDENCE_FAMILIES
from jobs.plain_text import plain
from jobs.platform.errors import StillwatchError
from jobs.platform.lake import Lake, arrow_schema
from jobs.platform.lock import sole_decider
from jobs.verdicts.in_force import latest_actions
from jobs.verdicts.standing import cleared_by, decisions_by, decisions_on, pending

#: Findings against an account, which an action goes with.
_AGAINST = ("distillation", "resale")
#: What may come of an appeal.
ANSWERS = (desk.OVERTURNED, desk.UPHELD)
#: Characters of a reason or a name that are kept: a page of text.
LONGEST_REASON = 2_000
#: Nights back in which the members of a campaign that is no longer seen are looked for.
_MEMBERS_NIGHTS = 60


class VerdictError(StillwatchError):
    """A decision that can't be taken; says why."""


class DecidedAlready(VerdictError):
    """Somebody else decided in the meantime."""

    def __init__(self, decision: Mapping[str, Any]) -> None:
        self.decision = dict(decision)
        super().__init__(
            f"{decision['subject']} was decided on since you looked: {decision['decided_by']} "
            f"said {decision['verdict']} at {decision['decided_at']:%Y-%m-%d %H:%M} UTC; look again"
        )


def record(
    lake: Lake,
    *,
    verdict: str,
    subject: str,
    by: str,
    reason: str,
    action: str | None = None,
    accounts: Collection[str] | None = None,
    also_cleared: bool = False,
    expires: dt.date | None = None,
    evidence: Sequence[str] | None = None,
    answers: str | None = None,
    seen: str | None = None,
    seen_night: dt.date | None = None,
    now: dt.datetime | None = None,
) -> dict[str, Any]:
    """Write a decision; returns its row.

    Args:
        verdict: one of `desk_tables.VERDICTS`.
        subject: a campaign or an account; of an approval or rejection that of the decision.
        by: who decides.
        reason: why; control characters are taken out.
        action: the rung to take, with a finding of distillation or resale.
        accounts: the members that it is about; by default all of the campaign's last night, of a
            finding against them without those whom people cleared.
        also_cleared: also those, where `accounts` names nobody.
        expires: last night on which it holds; a vetting needs one.
        evidence: families that a vetting covers; by default those that spoke against the accounts.
        answers: the decision that is approved, rejected, overturned or upheld.
        seen: the last decision on the subject, or on a member of it, that the person saw, empty
            for none: another one since then is refused.
        seen_night: the last scored night when they looked: once another was, members and evidence
            are others, and it is refused.
        now: the moment; by the clock unless given.

    Raises:
        DecidedAlready: somebody decided on the subject since `seen`.
        VerdictError: it can't be decided so, or not by this person; why.
    """
    by, reason = plain(by, 200), plain(reason, LONGEST_REASON, lines=True)
    if verdict not in desk.VERDICTS:
        raise VerdictError(f"{verdict!r} is no verdict: {', '.join(desk.VERDICTS)}")
    if not by or not reason:
        raise VerdictError("a decision needs who decides and a reason")
    _refuse_odd(verdict, action, expires, evidence, answers)
    policy = lake.settings.enforcement_policy
    with sole_decider(lake.settings.lake_root):
        first = next_night(lake)
        if seen_night is not None and seen_night != first - dt.timedelta(days=1):
            raise VerdictError(
                f"the night of {first - dt.timedelta(days=1)} was scored since you looked: members "
                "and evidence may be others; look again"
            )
        if expires is not None and expires < first:
            raise VerdictError(f"it would end on {expires}, before it counts: on {first} or later")
        members = members_of(lake, subject, first - dt.timedelta(days=1))
        earlier = decisions_on(lake, subject, members)
        last = earlier[-1] if earlier else None
        if seen is not None and last is not None and last["decision_id"] != seen:
            raise DecidedAlready(last)
        if verdict in (desk.APPROVED, desk.REJECTED):
            row = _second_word(lake, verdict, answers, by)
        else:
            if accounts is None and verdict in _AGAINST and not also_cleared:
                accounts = _not_cleared(lake, subject, members, first)
            row = _about(lake, subject, members, accounts, first - dt.timedelta(days=1), evidence)
            if verdict in ANSWERS:
                _refuse_own_appeals(earlier, [subject, *row["accounts"]], by)
            row["answers"] = _answered(earlier, answers)
            row["needs_approval"] = action == LADDER[-1] and _needs_two(lake, row, first, policy)
        row |= {
            "date": first,
            "decision_id": f"d-{uuid.uuid4().hex[:12]}",
            "decided_at": now or dt.datetime.now(dt.UTC),
            "decided_by": by,
            "verdict": verdict,
            "action": action,
            "expires": expires,
            "reason": reason,
            "policy_version": policy.version,
        }
        lake.append(DECISIONS.name, pa.Table.from_pylist([row], schema=arrow_schema(DECISIONS)))
    return row


def _refuse_odd(
    verdict: str,
    action: str | None,
    expires: dt.date | None,
    evidence: Sequence[str] | None,
    answers: str | None,
) -> None:
    if action is not None and action not in LADDER:
        raise VerdictError(f"{action!r} is no action: {', '.join(LADDER)}")
    if action is not None and verdict not in _AGAINST:
        raise VerdictError(f"an action goes with distillation or resale, not with {verdict}")
    if verdict == desk.VETTED and expires is None:
        raise VerdictError("a vetting needs a date on which it ends: give it")
    strange = sorted(set(evidence or ()) - set(EVIDENCE_FAMILIES))
    if strange:
        raise VerdictError(
            f"{strange[0]!r} is no family of evidence: {', '.join(EVIDENCE_FAMILIES)}"
        )
    if verdict in (desk.APPROVED, desk.REJECTED) and not answers:
        raise VerdictError(f"say which decision is {verdict}")


def _about(
    lake: Lake,
    subject: str,
    members: list[str],
    chosen: Collection[str] | None,
    night: dt.date,
    evidence: Sequence[str] | None,
) -> dict[str, Any]:
    """What a decision is about: its accounts, and what was known of them on the night."""
    kind = desk.CAMPAIGN_SUBJECT if members else desk.ACCOUNT_SUBJECT
    if not members:
        members = [subject] if _is_account(lake, subject, night) else []
    if not members:
        raise VerdictError(f"there is no campaign or account {plain(subject, 80)!r} in the lake")
    strays = sorted(set(chosen or ()) - set(members))
    if strays:
        raise VerdictError(f"{plain(strays[0], 80)} is no member of {plain(subject, 80)}")
    accounts = sorted(chosen) if chosen is not None else members
    if not accounts:
        raise VerdictError("no account was chosen")
    columns = ["account_id", "campaign_id", "evidence"]
    scores = lake.rows("account_scores", night, night, [*columns, "model_version"])
    scores = scores.filter(pc.is_in(scores["account_id"], value_set=pa.array(accounts)))
    # What holds may be of a night long ago: who is suspended sends nothing, and no night scores it.
    acted = latest_actions(lake, night, accounts)
    against = {f for of in (scores, acted) for row in of["evidence"].to_pylist() for f in row or ()}
    campaigns = {c for of in (scores, acted) for c in of["campaign_id"].to_pylist() if c}
    behind = set(acted["decision_id"].to_pylist()) - {None}
    if behind:
        made = decisions_by(lake, None)
        made = made.filter(pc.is_in(made["decision_id"], value_set=pa.array(sorted(behind))))
        against |= {family for of in made["evidence"].to_pylist() for family in of}
        campaigns |= {campaign for of in made["campaigns"].to_pylist() for campaign in of}
    models = sorted(set(scores["model_version"].to_pylist()))
    return {
        "subject_kind": kind,
        "subject": subject,
        "accounts": accounts,
        "night": night,
        "evidence": sorted(evidence if evidence is not None else against),
        "campaigns": sorted(campaigns | ({subject} if kind == desk.CAMPAIGN_SUBJECT else set())),
        "model_version": models[-1] if models else None,
    }


def _not_cleared(lake: Lake, subject: str, members: list[str], first: dt.date) -> list[str] | None:
    """A campaign's members but those whom people cleared: "all" does not mean these; None of no
    campaign."""
    cleared = set(cleared_by(lake, members, first)) if members else set()
    left = [name for name in members if name not in cleared]
    if members and not left:
        raise VerdictError(
            f"people cleared all {len(members)} members of {plain(subject, 80)}: say that these "
            "are meant too, or name some"
        )
    return left if cleared else None


def members_of(lake: Lake, campaign: str, night: dt.date) -> list[str]:
    """A campaign's members on the last night up to `night` on which it was seen, none of no
    campaign."""
    first = night - dt.timedelta(days=_MEMBERS_NIGHTS)
    for day in reversed([n for n in lake.nights("campaign_members") if first <= n <= night]):
        rows = lake.rows("campaign_members", day, day, ["account_id", "campaign_id"])
        rows = rows.filter(pc.equal(rows["campaign_id"], campaign))
        if rows.num_rows:
            return sorted(rows["account_id"].to_pylist())
    return []


def _is_account(lake: Lake, name: str, night: dt.date) -> bool:
    for table in ("accounts", "account_scores"):
        known = lake.rows(table, night, night, ["account_id"])["account_id"]
        if pc.any(pc.equal(known, name)).as_py():
            return True
    # Gone from the snapshots since, as who was suspended may be: it can appeal all the same.
    return latest_actions(lake, night, [name]).num_rows > 0


def _answered(earlier: list[dict[str, Any]], answers: str | None) -> str | None:
    if answers is not None and answers not in {row["decision_id"] for row in earlier}:
        raise VerdictError(f"there is no decision {plain(answers, 80)!r} on this subject")
    return answers


def _needs_two(
    lake: Lake, row: Mapping[str, Any], first: dt.date, policy: EnforcementPolicy
) -> bool:  # fmt: skip
    together = {*row["accounts"], *_suspended_by_one(lake, row["campaigns"], first, policy)}
    if len(together) > policy.two_people.accounts_over:
        return True
    return policy.two_people.verified_organization and _any_verified(lake, row)


def _suspended_by_one(
    lake: Lake, campaigns: Collection[str], first: dt.date, policy: EnforcementPolicy
) -> set[str]:
    """Accounts of the campaigns that were suspended lately without a second person: an operation
    in parts is the same operation."""
    since = first - dt.timedelta(days=policy.rung(LADDER[-1]).expires_days)
    rows = decisions_by(lake, None)
    rows = rows.filter(
        pc.and_(pc.equal(rows["action"], LADDER[-1]), pc.invert(rows["needs_approval"]))
    ).filter(pc.field("date") > pc.scalar(since))
    return {
        account
        for row in rows.select(["accounts", "campaigns"]).to_pylist()
        if set(row["campaigns"]) & set(campaigns)
        for account in row["accounts"]
    }


def _any_verified(lake: Lake, row: Mapping[str, Any]) -> bool:
    """Whether any of the accounts is a verified organization's, as the last night says that has
    the account: a snapshot may be late."""
    unknown = set(row["accounts"])
    first = row["night"] - dt.timedelta(days=_MEMBERS_NIGHTS)
    for day in reversed([n for n in lake.nights("accounts") if first <= n <= row["night"]]):
        people = lake.rows("accounts", day, day, ["account_id", "verified_organization"])
        own = people.filter(pc.is_in(people["account_id"], value_set=pa.array(sorted(unknown))))
        if pc.any(own["verified_organization"]).as_py():
            return True
        unknown -= set(own["account_id"].to_pylist())
        if not unknown:
            break
    return False


def open_appeals(decisions: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Appeals that nobody has answered, by subject; of decisions in order, oldest first."""
    waiting: dict[str, Mapping[str, Any]] = {}
    for row in decisions:
        if row["verdict"] == desk.APPEALED:
            waiting.setdefault(row["subject"], row)
        elif row["verdict"] in ANSWERS:
            for subject in (row["subject"], *row["accounts"]):
                waiting.pop(subject, None)
    return waiting


def may_not_answer(decisions: Sequence[Mapping[str, Any]], subject: str, by: str) -> str | None:
    """The person's name where they can't answer the subject's open appeal, since they took,
    approved or upheld a decision on it; None where they can, or none is open.

    What customers are told (`jobs.explaining.appeals`) is that somebody else examines it. An error
    of one's own that nobody contests yet, everyone may undo.

    Args:
        decisions: all on the subject, oldest first.
        subject: the account.
        by: who would answer.
    """
    if subject not in open_appeals(decisions):
        return None
    # Also after it: what is decided meanwhile is contested as well.
    took = (row["decided_by"] for row in decisions
            if row["verdict"] in (*desk.FINDINGS, desk.APPROVED, desk.UPHELD)
            and subject in (row["subject"], *row["accounts"]))  # fmt: skip
    return next((name for name in took if same_person(name, by)), None)


def _refuse_own_appeals(
    decisions: Sequence[Mapping[str, Any]], subjects: Collection[str], by: str
) -> None:
    """Of all that a decision answers, whether it names it or its campaign."""
    for subject in sorted(open_appeals(decisions).keys() & set(subjects)):
        if maker := may_not_answer(decisions, subject, by):
            raise VerdictError(
                f"{maker} took part in the decision that {plain(subject, 80)} contests: "
                "another person has to answer the appeal"
            )


def same_person(one: str, other: str) -> bool:
    """Whether two names may be one person's: the command takes any spelling, and who signs in both
    ways has one name with `oidc:` before it and one without."""

    def bare(name: str) -> str:
        plainer = unicodedata.normalize("NFKC", name).casefold().strip()
        while plainer.startswith("oidc:"):
            plainer = plainer.removeprefix("oidc:").strip()
        return plainer

    return bare(one) == bare(other)


def _second_word(lake: Lake, verdict: str, answers: str | None, by: str) -> dict[str, Any]:
    waiting = {row["decision_id"]: row for row in pending(lake)}
    first = waiting.get(answers or "")
    if first is None:
        raise VerdictError(f"decision {plain(answers or '', 80)!r} waits for nobody's approval")
    if same_person(first["decided_by"], by):
        raise VerdictError(f"{by} took this decision: another person has to say {verdict}")
    kept = ("subject_kind", "subject", "accounts", "night", "evidence", "campaigns",
            "model_version")  # fmt: skip
    return {name: first[name] for name in kept} | {"answers": answers, "needs_approval": False}


def set_mode(
    lake: Lake, mode: str, by: str, reason: str, now: dt.datetime | None = None
) -> dict[str, Any]:
    """Say from the next night on whether actions are carried out; returns the row.

    Raises:
        VerdictError: it is no mode, nobody says who and why, or no night has been scored there.
    """
    by, reason = plain(by, 200), plain(reason, LONGEST_REASON, lines=True)
    if mode not in desk.MODES:
        raise VerdictError(f"{mode!r} is no mode: {' or '.join(desk.MODES)}")
    if not by or not reason:
        raise VerdictError("a change of mode needs who changes it and a reason")
    row = {
        # Of a lake without a night this would be a slip in its name, and would stop nothing.
        "date": next_night(lake),
        "changed_at": now or dt.datetime.now(dt.UTC),
        "changed_by": by, "mode": mode, "reason": reason,
    }  # fmt: skip
    with sole_decider(lake.settings.lake_root):
        schema = arrow_schema(ENFORCEMENT_MODE)
        lake.append(ENFORCEMENT_MODE.name, pa.Table.from_pylist([row], schema=schema))
    return row


def next_night(lake: Lake) -> dt.date:
    """The night from which a decision that is made now counts.

    Raises:
        VerdictError: no night has been scored: there is nothing to decide on.
    """
    scored = lake.nights("account_scores")
    if not scored:
        raise VerdictError(f"no night has been scored on {lake.root}: run one first")
    return scored[-1] + dt.timedelta(days=1)
