"""What a page of the desk is: its address, who may open it, and what answers.

Kept apart from `desk.routes`, which gathers the pages, so that page modules can import it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

READ, DECIDE, APPROVE, ADMINISTER = "read", "decide", "approve", "administer"
#: From the least to the most: each may do what those before it may.
ROLES = (READ, DECIDE, APPROVE, ADMINISTER)

Endpoint = Callable[[Request], Response | Awaitable[Response]]


@dataclass(frozen=True)
class Page:
    """A route. `role` is the least that may open it; None: open without signing in."""

    path: str
    endpoint: Endpoint
    methods: tuple[str, ...]
    role: str | None
    name: str

    def __post_init__(self) -> None:
        if self.role is not None and self.role not in ROLES:
            raise ValueError(f"page {self.name}: {self.role!r} is no role: {', '.join(ROLES)}")


def may(role: str | None, needed: str | None) -> bool:
    """Whether who has `role` may open what needs `needed`."""
    if needed is None:
        return True
    return role in ROLES and ROLES.index(role) >= ROLES.index(needed)
