"""Small worlds written by hand: who carries which token, among strangers who share none."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from jobs.campaigns.evidence import (
    _ACCOUNT_COLUMNS,
    HOURS,
    KINDS,
    LOGARITHMS,
    SUMS,
    Evidence,
    _hour_matrix,
    _matrices,
)
from jobs.campaigns.links import Links, find_links
from jobs.catalog.measures import WORDS
from jobs.catalog.policy import CAMPAIGN_POLICY

NIGHT = dt.date(2026, 5, 28)
STRANGERS = 400
REQUESTS = 100

Tokens = dict[str, dict[str, list[str]]]


def key(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def read(text: str) -> Tokens:
    """Lines of `accounts | kind | token  # reason`; `a1..a9` stands for nine accounts."""
    out: Tokens = {}
    for line in text.strip().splitlines():
        who, kind, token = (cell.strip() for cell in line.split("#")[0].split("|"))
        for account in spread(who):
            out.setdefault(account, {}).setdefault(kind, []).append(token)
    return out


def spread(who: str) -> list[str]:
    """`a1..a3` to a01, a02, a03."""
    out = []
    for part in who.split():
        if ".." in part:
            first, last = part.split("..")
            letter = first[0]
            out += [f"{letter}{i:02d}" for i in range(int(first[1:]), int(last[1:]) + 1)]
        else:
            out.append(f"{part[0]}{int(part[1:]):02d}")
    return out


def evidence_of(tokens: Tokens, strangers: int = STRANGERS) -> Evidence:
    """The evidence of these accounts among strangers, who have one token of their own each kind."""
    everyone = dict(tokens)
    for i in range(strangers):
        everyone[f"z{i:04d}"] = {}
    accounts = sorted(everyone)
    keys = np.array([key(a) for a in accounts], np.int64)
    rows = []
    counts: dict[tuple[int, str], int] = {}
    for account in accounts:
        for code, kind in enumerate(KINDS):
            for token in everyone[account].get(kind, [f"own {account}"]):
                counts[code, token] = counts.get((code, token), 0) + 1
                rows.append((code, account, token))
    common = [row for row in rows if counts[row[0], row[2]] > 1]
    own = [row for row in rows if counts[row[0], row[2]] == 1]
    shared = pa.table(
        {
            "kind": pa.array([code for code, _, _ in common], pa.int64()),
            "key": pa.array([key(account) for _, account, _ in common], pa.int64()),
            "token": pa.array([key(token) for _, _, token in common], pa.int64()),
            "requests": pa.array([REQUESTS] * len(common), pa.int64()),
            "prompts": pa.array([REQUESTS] * len(common), pa.int64()),
        }
    )
    alone = pa.table(
        {
            "kind": pa.array([code for code, _, _ in own], pa.int64()),
            "key": pa.array([key(account) for _, account, _ in own], pa.int64()),
            "tokens": pa.array([1] * len(own), pa.int64()),
        }
    )
    hourly = pa.table(
        {
            "key": pa.array(keys),
            "day": [int(k % 28) for k in keys],
            **{
                h: [REQUESTS if int(k >> 8) % 24 == i else 0 for k in keys]
                for i, h in enumerate(HOURS)
            },
        }
    )
    hours, first, last = _hour_matrix(hourly, keys, NIGHT - dt.timedelta(days=27), 28)
    everywhere = np.full(len(accounts), REQUESTS, np.int64)
    nothing = np.zeros(len(accounts), np.int64)
    sums = dict.fromkeys(SUMS, nothing) | {
        "requests": everywhere, "prompts_known": everywhere, "words_known": everywhere,
        "night_requests": everywhere, "night_output_tokens": everywhere,
    }  # fmt: skip
    kinds = {
        "created_at": pa.timestamp("us", tz="UTC"), "verified_organization": pa.bool_(),
        "kyc_level": pa.int64(),
    }  # fmt: skip
    records = pa.table(
        {name: pa.nulls(len(accounts), kinds.get(name, pa.string())) for name in _ACCOUNT_COLUMNS}
    )
    return Evidence(
        date=NIGHT, accounts=accounts, account_keys=keys, sums=sums, records=records,
        words=np.zeros((len(accounts), len(WORDS)), np.int32),
        logarithms={name: np.zeros(len(accounts)) for name in LOGARITHMS},
        hours=sparse.csr_matrix(hours), first_active=first, last_active=last,
        **_matrices([(shared, alone)], keys),
    )  # fmt: skip


def links_between(
    first: Sequence[int] | np.ndarray,
    second: Sequence[int] | np.ndarray,
    weight: float | Sequence[float] = 1.0,
    axes: int = 0,
    level: int | Sequence[int] = 0,
) -> Links:
    """Links that all hold on the same axes, a bit each."""
    count = len(first)
    return Links(
        first=np.array(first, np.int32),
        second=np.array(second, np.int32),
        weight=np.full(count, weight, np.float64),
        axes=np.full(count, axes, np.uint8),
        kinds=np.zeros(count, np.uint32),
        level=np.full(count, level, np.int8),
    )


@pytest.fixture
def linked() -> Callable[[str], set[tuple[str, str]]]:
    """`linked(text)`: the pairs that the policy links, of accounts that are not strangers."""

    def of(text: str) -> set[tuple[str, str]]:
        evidence = evidence_of(read(text))
        links = find_links(evidence, CAMPAIGN_POLICY)
        return {
            (evidence.accounts[a], evidence.accounts[b])
            for a, b in zip(links.first, links.second, strict=True)
        }

    return of
