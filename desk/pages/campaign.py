"""A campaign: what it is, what binds it, what an action would cost and save, and its pictures."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from desk.asked import lake_of, note, settings_of
from desk.charts import pictures
from desk.page import READ, Page
from desk.reading.campaign import KIND_SAID, Campaign
from desk.reading.limits import budget
from desk.reading.masking import masked
from desk.reading.members import MEMBERS_A_PAGE, SORTS
from desk.reading.of_request import night_or_404, page_of, reader_of
from desk.reading.reader import LakeReader
from desk.rendering import render
from jobs import verdicts

PICTURES = ("past", "asked", "binding", "hours")


def _campaign(request: Request) -> tuple[LakeReader, Campaign]:
    night, subject = night_or_404(request), request.path_params["subject"]
    reader = reader_of(request)
    found = reader.campaign(night, subject) if len(subject) <= 512 else None
    if found is None:
        raise HTTPException(404, "No campaign of that name was seen in the last 60 nights.")
    return reader, found


def campaign(request: Request) -> Response:
    reader, of = _campaign(request)
    lake = lake_of(request)
    sort, page = request.query_params.get("sort", "requests"), page_of(request)
    sort = sort if sort in SORTS else "requests"
    pages = max(-(-of.accounts // MEMBERS_A_PAGE), 1)
    page = min(page, pages - 1)
    thresholds = reader.thresholds(of.date)
    watch_from = thresholds.get("watch") or settings_of(request).enforcement_policy.rungs[0].floor
    binding = reader.binding(of)
    return render(
        request, "campaign.html", subject=of.campaign_id, of=of, night=night_or_404(request),
        past=reader.past(of.date, of.campaign_id), like=reader.like_groups(of),
        asked=reader.asked(of), templates=reader.templates(of), binding=binding,
        token_names=[f"{KIND_SAID.get(t.kind, t.kind)} {masked(t.kind, t.token)}"
                     for t in binding.tokens],
        hours=reader.hours(of), costs=reader.costs(lake, of, watch_from), watch_from=watch_from,
        members=reader.members(lake, of, sort, page), sort=sort, page=page, pages_of=pages,
        a_page=MEMBERS_A_PAGE,
        decisions=verdicts.decisions_on(lake, of.campaign_id, reader.member_ids(of)),
        kind_said=KIND_SAID, masked=masked,
        budgets=budget(reader.store, lake, night_or_404(request), of.campaign_id,
                       reader.member_ids(of)),
    )  # fmt: skip


def picture(request: Request) -> Response:
    """One of PICTURES of a campaign that is there, as SVG."""
    name = request.path_params["picture"]
    if name not in PICTURES:
        raise HTTPException(404, "There is no such picture.")
    reader, of = _campaign(request)
    note(request, picture=name)

    def draw() -> bytes:
        match name:
            case "past":
                return pictures.campaign_past(reader.past(of.date, of.campaign_id))
            case "asked":
                return pictures.asked_for(reader.asked(of))
            case "binding":
                return pictures.binding(reader.binding(of))
        return pictures.hours(reader.hours(of))

    tables = ("campaigns", "campaign_members", "account_daily", "account_indicators",
              "account_templates", "accounts")  # fmt: skip
    svg = reader.store.remember(("picture", name, of.date, of.campaign_id), tables, draw)
    return Response(svg, media_type="image/svg+xml")


ROUTES = (
    Page("/campaign/{subject:path}", campaign, ("GET",), READ, "campaign"),
    Page("/chart/campaign/{picture}.svg/{subject:path}", picture, ("GET",), READ,
         "campaign-picture"),
)  # fmt: skip
