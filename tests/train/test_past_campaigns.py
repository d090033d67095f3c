"""What is too old to learn from is still what a challenger must not lose."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

from jobs.train import EVIDENCE_NIGHTS, past_campaigns, training_set

if TYPE_CHECKING:
    from jobs.platform.lake import Lake


def test_old_distillers_are_kept_apart_from_the_rows_to_learn_from(
    lake: Lake, night: dt.date, fill: Callable[..., int]
) -> None:
    edge = night - dt.timedelta(days=EVIDENCE_NIGHTS)
    old = edge - dt.timedelta(days=1)
    for date in (old, edge):
        fill(lake, "account_features", date, [
            {"account_id": f"{who}-{'old' if date == old else 'new'}", "campaign_score": 0.75}
            for who in ("distils", "benign", "unlabelled")
        ])  # fmt: skip
        fill(lake, "labels", date, [
            {"account_id": f"{who}-{'old' if date == old else 'new'}", "label": label,
             "campaign": "D00", "labelled_at": dt.datetime.combine(date, dt.time(9), dt.UTC)}
            for who, label in (("distils", "distillation"), ("benign", "benign"))
        ])  # fmt: skip
    past = past_campaigns(lake, night)
    assert past is not None
    assert past.column("account_id").tolist() == ["distils-old"]
    assert past.column("campaign").tolist() == ["D00"]
    assert past.column("campaign_score").tolist() == [0.75]
    present = set(training_set(lake, night).column("account_id"))
    assert "distils-new" in present and not present & {"distils-old", "benign-old"}


def test_without_old_labels_there_is_no_past(
    lake: Lake, night: dt.date, fill: Callable[..., int]
) -> None:
    assert past_campaigns(lake, night) is None
    fill(lake, "account_features", night, [{"account_id": "distils"}])
    fill(lake, "labels", night, [{"account_id": "distils", "label": "distillation"}])
    assert past_campaigns(lake, night) is None
