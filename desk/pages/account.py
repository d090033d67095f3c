"""An account: its past beside its plan, why, the rows behind it, and a what-if."""

from __future__ import annotations

import datetime as dt
import re

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from desk.asked import lake_of, settings_of
from desk.charts import pictures
from desk.page import READ, Page
from desk.reading.account import ROW_TABLES, ROWS_A_PAGE, Account
from desk.reading.campaign import KIND_SAID
from desk.reading.limits import given
from desk.reading.masking import masked
from desk.reading.of_request import night_or_404, page_of, reader_of
from desk.reading.reader import LakeReader
from desk.rendering import render, shown
from jobs import verdicts
from jobs.catalog.enforcement import KINDS
from jobs.catalog.policy import EVIDENCE_FAMILIES
from jobs.catalog.tables import TABLES
from jobs.explaining.ladder import Standing, what_if

#: The table that has the rows behind a sentence, by what the sentence speaks of, first hit wins.
_BEHIND = (
    (r"labell?ed", "labels"),
    (r"linked", "account_links"),
    (r"template", "account_templates"),
    (r"sign(ed)?[ -]up|signup|payment|card|phone|e-mail|organization|opened", "accounts"),
    (r"address|network|client|settings|system prompt|ending|phrase|machines", "account_indicators"),
    (r"group|campaign|accounts|members", "campaign_members"),
    (r"hour|day|night|requests|tokens", "account_daily"),
)
_ELSE = "account_features"


def _account(request: Request) -> tuple[LakeReader, dt.date, Account]:
    night, subject = night_or_404(request), request.path_params["subject"]
    reader = reader_of(request)
    found = reader.account(night, subject) if len(subject) <= 512 else None
    if found is None:
        raise HTTPException(404, "No account of that id was there on the night.")
    return reader, night, found


def behind(reason: str) -> str:
    """The table whose rows of the account stand behind a reason."""
    text = reason[:400].lower()
    return next((table for words, table in _BEHIND if re.search(words, text)), _ELSE)


def _asked_standing(request: Request, of: Account) -> Standing:
    """What the what-if form says; the account's own where it says nothing that can be."""
    given = request.query_params

    def share(name: str, otherwise: float) -> float:
        try:
            value = float(given.get(name, ""))
        except ValueError:
            return otherwise
        return value if 0.0 <= value <= 1.0 else otherwise

    asked = given.get("if") == "1"
    families = set(given.getlist("family")) & set(EVIDENCE_FAMILIES) if asked else of.evidence
    kind = given.get("kind", of.campaign_kind or "")
    return Standing(
        share("score", of.score or 0.0), share("resale_score", of.resale_score or 0.0),
        frozenset(families), share("campaign_score", of.campaign_score or 0.0),
        kind if kind in KINDS else None,
        given.get("verified") == "1" if asked else of.verified,
    )  # fmt: skip


def account(request: Request) -> Response:
    reader, night, of = _account(request)
    policy, thresholds = settings_of(request).enforcement_policy, reader.thresholds(night)
    as_it_is = Standing(of.score or 0.0, of.resale_score or 0.0, frozenset(of.evidence),
                        of.campaign_score, of.campaign_kind, of.verified)  # fmt: skip
    standing = _asked_standing(request, of)
    carried, first = reader.carried(night, of.account_id)
    decisions = verdicts.decisions_on(lake_of(request), of.account_id)
    limited = given(reader.store, lake_of(request), night, of.account_id)
    actions = reader.actions(night, of.account_id)
    holds = verdicts.actions_in_force(lake_of(request), accounts=[of.account_id]).to_pylist()
    # What the nights wrote and still holds by itself, so that people must have ended it.
    ended = bool(actions) and not holds and actions[0].expires >= night
    return render(
        request, "account.html", subject=of.account_id, of=of, night=night,
        past=reader.account_past(night, of), carried=carried, carried_first=first,
        reasons=[(reason, behind(reason)) for reason in of.reasons],
        actions=actions, holds=holds[0] if holds else None, ended=ended, row_tables=ROW_TABLES,
        decisions=decisions, limits=limited.rows, lifted=limited.lifted,
        limits_changed=limited.changed,
        asking=request.query_params.get("if") == "1", standing=standing,
        answer=what_if(policy, thresholds, standing), now=what_if(policy, thresholds, as_it_is),
        families=EVIDENCE_FAMILIES, kinds=KINDS, policy=policy, masked=masked,
        kind_said=KIND_SAID,
    )  # fmt: skip


def picture(request: Request) -> Response:
    reader, night, of = _account(request)
    svg = reader.store.remember(
        ("picture", night, of.account_id), ("account_daily", "account_scores", "accounts"),
        lambda: pictures.account_past(reader.account_past(night, of), of.plan or "unknown"),
    )  # fmt: skip
    return Response(svg, media_type="image/svg+xml")


def rows(request: Request) -> Response:
    """The account's rows of one night in one table, tokens masked."""
    table, subject = request.path_params["table"], request.path_params["subject"]
    if table not in ROW_TABLES or len(subject) > 512:
        raise HTTPException(404, "Rows of that table are not shown.")
    try:
        date = dt.date.fromisoformat(request.path_params["date"])
    except ValueError:
        raise HTTPException(404, "A night is written YYYY-MM-DD.") from None
    night_or_404(request)
    page = page_of(request)
    columns, found = reader_of(request).rows_of(table, date, subject, page)
    if not found and page == 0 and reader_of(request).account(date, subject) is None:
        raise HTTPException(404, "No account of that id was there on the night.")
    tokens = {c.name for c in TABLES[table].columns if c.personal == "token"}
    kept = [c for c in columns if any(row[c] is not None for row in found)] or columns
    text = [
        [masked("", str(row[c])) if c in tokens and row[c] is not None
         else ", ".join(shown(v, 200) for v in row[c][:50]) if isinstance(row[c], list)
         else shown(row[c], 200) for c in kept]
        for row in found[:ROWS_A_PAGE]
    ]  # fmt: skip
    return render(
        request, "rows.html", subject=subject, table=TABLES[table], date=date, columns=kept,
        hidden=len(columns) - len(kept), rows=text, page=page, more=len(found) > ROWS_A_PAGE,
    )  # fmt: skip


ROUTES = (
    Page("/account/{subject:path}", account, ("GET",), READ, "account"),
    Page("/chart/account/past.svg/{subject:path}", picture, ("GET",), READ, "account-picture"),
    Page("/rows/{table}/{date}/{subject:path}", rows, ("GET",), READ, "rows"),
)
