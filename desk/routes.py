"""Every address of the desk, in one tuple. What is not here can't be opened."""

from __future__ import annotations

from desk.page import Page
from desk.pages import (
    appeals,
    approvals,
    audit,
    cases,
    decisions,
    mode,
    open_to_all,
    sign_in,
    unwritten,
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
    *unwritten.ROUTES,
)
