"""A decided night without an engine, and a server to send it to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from bad_server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def decided(bare_lake, night, fill) -> Callable[..., Any]:
    """`decided(actions=[…], campaigns=[…], changes=[…], mode="enforce")`: a lake of one night."""

    def make(
        actions: Sequence[dict[str, Any]] = (),
        campaigns: Sequence[dict[str, Any]] = (),
        changes: Sequence[dict[str, Any]] = (),
        mode: str | None = "enforce",
    ) -> Any:
        fill(bare_lake, "thresholds", night, [{"action": "watch", "policy_version": "p-1"}])
        fill(bare_lake, "account_scores", night, [{"account_id": "a1", "model_version": "m/1"}])
        fill(bare_lake, "enforcement_actions", night, actions)
        fill(bare_lake, "campaigns", night, campaigns)
        fill(bare_lake, "campaign_events", night, changes)
        if mode:
            fill(bare_lake, "enforcement_mode", night, [{"mode": mode}])
        return bare_lake

    return make
