"""A small night on which every check holds, and ways to break it, as tables of plain rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

NIGHT = dt.date(2026, 5, 3)
ACCOUNTS = [f"a{n:03d}" for n in range(120)]
Rows = list[dict[str, Any]]
Night = dict[str, Rows]


def good_night() -> Night:
    requests = [
        {"request_id": f"r{n:04d}", "account_id": ACCOUNTS[n % 120], "prompt_chars": 9,
         "address_token": "t"}
        for n in range(240)
    ]  # fmt: skip
    return {
        "landing_files": [landing_file("requests", 240), landing_file("accounts", 120),
                          landing_file("labels", 1)],
        "quarantine": [],
        "requests": requests,
        "accounts": [{"account_id": name, "status": "active"} for name in ACCOUNTS],
        "labels": [{"account_id": "a000", "label": "benign"}],
        "account_daily": [{"account_id": name, "requests": 2} for name in ACCOUNTS],
        "account_features": [{"account_id": name} for name in ACCOUNTS],
        "campaigns": [{"campaign_id": "c1", "accounts": 2, "first_seen": NIGHT}],
        "campaign_members": [{"campaign_id": "c1", "account_id": name} for name in ACCOUNTS[:2]],
        "campaign_events": [{"campaign_id": "c1", "event": "founded", "accounts": 2}],
        "account_scores": [
            {"account_id": name, "distillation_score": n / 1000,
             "campaign_id": "c1" if n < 2 else None}
            for n, name in enumerate(ACCOUNTS)
        ],
        "drift": [drifted("campaign_score", 14), drifted("campaign_strength", 14),
                  drifted("distillation_score", 3, model_version="m/1")],
    }  # fmt: skip


def drifted(name: str, nights: int, psi: float = 0.2, **values: Any) -> dict[str, Any]:
    """A row of drift of 900 accounts, compared with that many nights."""
    return {"name": name, "accounts": 900, "missing": 0.1, "reference_nights": nights,
            "reference_missing": 0.1, "psi": psi, "psi_expected": 0.05, **values}  # fmt: skip


def landing_file(source: str, kept: int, refused: int = 0, repeated: int = 0) -> dict[str, Any]:
    return {"source": source, "file": f"{source}/date=2026-05-03/x.parquet",
            "landed": kept + refused + repeated, "kept": kept, "quarantined": refused,
            "duplicates": repeated}  # fmt: skip


def refused(night: Night, count: int, source: str = "requests") -> None:
    """`count` records of the source were refused, and are in quarantine."""
    file = next(row for row in night["landing_files"] if row["source"] == source)
    file["landed"] += count
    file["quarantined"] += count
    night["quarantine"] += [
        {"source": source, "file": file["file"], "line": n, "reason": "not JSON"}
        for n in range(count)
    ]


def planted() -> Night:
    """A night on which many checks fail and every value that is no key is a secret."""
    night = good_night()
    night["requests"] = [
        {
            **row,
            "client": "SECRET",
            "request_model": "SECRET",
            "prompt_key": "SECRET",
            "address_token": None,
            "prompt_chars": None,
        }
        for row in (*night["requests"], night["requests"][0])
    ]
    night["accounts"] = [
        {**row, "email_domain": "SECRET", "email_local_shape": "SECRET", "status": None}
        for row in (*night["accounts"][1:], night["accounts"][2])
    ]
    night["labels"] = [{"account_id": "stranger", "campaign": "SECRET"}]
    night["quarantine"] = [
        {"source": "requests", "file": "f", "line": 1, "reason": "SECRET", "record": "SECRET"}
    ]
    night["account_daily"][0]["errors"] = 9
    night["campaigns"] = [
        {"campaign_id": "c1", "accounts": 2, "summary": "SECRET", "reasons": ["SECRET"]}
    ] * 2
    night["account_scores"] = [
        {"account_id": "zz", "reasons": ["SECRET"], "model_version": "SECRET"}
    ] * 2
    night["drift"] = [drifted("campaign_score", 14, psi=2.5, missing=0.4, bins="SECRET")]
    return night  # fmt: skip


def write(lake: Lake, fill: Callable[..., int], night: Night, before: int = 0) -> None:
    """The night and `before` quiet nights with the same counts."""
    for name, rows in night.items():
        fill(lake, name, NIGHT, rows)
    _quiet(lake, fill, before)


def alter(good: Lake, fill: Callable[..., int], night: Night, before: int = 0) -> None:
    """The same on a lake that holds `good_night`: tables that differ from it are written again."""
    of_good = good_night()
    for name, rows in night.items():
        if rows != of_good[name]:
            fill(good, name, NIGHT, rows)
    _quiet(good, fill, before)


def _quiet(lake: Lake, fill: Callable[..., int], before: int) -> None:
    for n in range(1, before + 1):
        date = NIGHT - dt.timedelta(days=n)
        fill(lake, "landing_files", date, good_night()["landing_files"])
        fill(lake, "account_scores", date, good_night()["account_scores"])
