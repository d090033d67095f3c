"""Small worlds written by hand: who carries which token, among strangers who share none."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest

from jobs.campaigns.daily import _MEASURES, HOURS, LOGARITHMS, SUMS, daily_of
from jobs.campaigns.evidence import _ACCOUNT_COLUMNS, KINDS, Evidence, _carried_by, _matrices
from jobs.campaigns.links import Links, find_links
from jobs.campaigns.lists import lists_of
from jobs.campaigns.traces import traces_of
from jobs.carriers.counting import Numbering
from jobs.carriers.reading import Rows
from jobs.catalog.measures import WORDS
from jobs.catalog.policy import CAMPAIGN_POLICY, CampaignPolicy

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
    numbering = Numbering(keys)
    counted = []
    for kind in KINDS:
        carried = [(account, token) for account in accounts
                   for token in everyone[account].get(kind, [f"own {account}"])]  # fmt: skip
        token, account = (
            np.array([key(text) for text in column], np.int64)
            for column in ([t for _, t in carried], [a for a, _ in carried])
        )
        requests = np.full(len(carried), REQUESTS, np.int64)
        rows = Rows(token, account, requests, requests, np.ones(len(carried), np.bool_))
        counted.append(_carried_by(kind, rows, 0, numbering))
    daily = daily_of(night_of([a for a in accounts if key(a) % 28 == day]) for day in range(28))
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
        hours=daily.hours, first_active=daily.first_active, last_active=daily.last_active,
        **_matrices(counted, len(keys)),
    )  # fmt: skip


def night_of(accounts: list[str]) -> pa.Table:
    """A night on which each of these had requests in one hour."""
    busy = {
        name: [REQUESTS if key(a) // 256 % 24 == hour else 0 for a in accounts]
        for hour, name in enumerate(HOURS)
    }
    nothing = dict.fromkeys(_MEASURES, [0] * len(accounts))
    columns = {name: pa.array(values, pa.int64()) for name, values in (nothing | busy).items()}
    return pa.table({"account_id": pa.array(accounts, pa.string()), **columns})


def links_of(evidence: Evidence, policy: CampaignPolicy = CAMPAIGN_POLICY) -> Links:
    """The links that the step finds."""
    traces = traces_of(evidence, policy)
    return find_links(evidence, traces, lists_of(traces, policy), policy)


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
        links = links_of(evidence)
        return {
            (evidence.accounts[a], evidence.accounts[b])
            for a, b in zip(links.first, links.second, strict=True)
        }

    return of
