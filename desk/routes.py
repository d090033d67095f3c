"""Every address of the desk, in one tuple. What is not here can't be opened."""

from __future__ import annotations

from desk.page import Page
from desk.pages import (
    account,
    appeals,
    approvals,
    audit,
    campaign,
    cases,
    compare,
    decisions,
    mode,
    morning,
    open_to_all,
    outcomes,
    reviews,
    search,
    sign_in,
)

PAGES: tuple[Page, ...] = (
    *open_to_all.ROUTES,
    *sign_in.ROUTES,
    *cases.ROUTES,
    *decisions.ROUTES,
    *approvals.ROUTES,
    *appeals.ROUTES,
    *mode.ROUTES,
    *audit.ROUTES,
    *morning.ROUTES,
    *campaign.ROUTES,
    *account.ROUTES,
    *search.ROUTES,
    *compare.ROUTES,
    *reviews.ROUTES,
    *outcomes.ROUTES,
)
