"""What windows count of who carries which token equals a plain count, however rows lie."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.carriers import reading
from jobs.carriers.counting import Numbering, entries_of
from jobs.carriers.figures import FIGURES, figures_of
from jobs.carriers.reading import Rows, window_of
from jobs.catalog.measures import FEATURE_WINDOWS, TEMPLATE
from tests.conftest import NIGHT, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.platform.lake import Lake

Fill = Callable[..., int]
KINDS = ("address", "shingle", TEMPLATE)
COMMON = 2

# Few values, from both ends: of one part or of several, of one bucket or of several.
HASH = st.sampled_from([-(1 << 63), -5, -1, 0, 1, 2, 7, 1 << 40, (1 << 63) - 1])
ROW = st.fixed_dictionaries({
    "age": st.sampled_from([0, 6, 7, 27]),
    "kind": st.sampled_from(KINDS),
    "token": HASH,
    "account": HASH,
    "requests": st.integers(1, 5),
    "prompts": st.integers(0, 3),
})  # fmt: skip


def naive(rows: list[dict[str, Any]]) -> dict[tuple[str, int], dict[str, int | None]]:
    """FIGURES of each kind and account, row by row."""
    found: dict[tuple[str, int], dict[str, int | None]] = defaultdict(dict)
    for kind in KINDS:
        remembered = 7 if kind == "shingle" else 28
        all_of_kind = [r for r in rows if r["kind"] == kind and r["age"] < remembered]
        for days in FEATURE_WINDOWS:
            uses: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
            for row in all_of_kind:
                if row["age"] < days:
                    of = uses[row["account"], row["token"]]
                    of[0] += row["requests"]
                    of[1] += row["prompts"]
            carriers = defaultdict(set)
            for account, token in uses:
                carriers[token].add(account)
            for account in {row["account"] for row in all_of_kind}:
                own = {t: u for (a, t), u in uses.items() if a == account}
                total = sum(requests for requests, _ in own.values())
                some = [t for t in own if 2 <= len(carriers[t]) <= COMMON]
                fans = [len(carriers[t]) for t, (r, _) in own.items() if r >= 0.25 * total]
                found[kind, account] |= {
                    f"tokens_{days}d": len(own),
                    f"fan_{days}d": min(fans, default=None),
                    f"share_{days}d": (
                        sum(r for t, (r, _) in own.items() if len(carriers[t]) > 1) if own else None
                    ),
                    f"top_{days}d": max((r for r, _ in own.values()), default=0),
                    f"prompts_{days}d": sum(p for _, p in own.values()),
                    f"some_{days}d": sum(own[t][0] for t in some),
                    f"some_fan_{days}d": min((len(carriers[t]) for t in some), default=None),
                }
    return dict(found)


def written(lake: Lake, rows: list[dict[str, Any]]) -> None:
    """Each night's rows, as they come."""
    for age in (0, 6, 7, 27):
        night = NIGHT - dt.timedelta(days=age)
        merged: dict[tuple[str, int, int], dict[str, Any]] = {}
        for row in rows:
            if row["age"] == age:
                key = (row["kind"], row["token"], row["account"])
                of = merged.setdefault(key, row | {"requests": 0, "prompts": 0})
                of["requests"] += row["requests"]
                of["prompts"] += row["prompts"]
        of_night = [{k: v for k, v in r.items() if k != "age"} for r in merged.values()]
        lake.replace_night("account_tokens", night, rows_of("account_tokens", night, of_night))


def counted(lake: Lake) -> dict[tuple[str, int], dict[str, int | None]]:
    window = window_of(lake, NIGHT, max(FEATURE_WINDOWS))
    return {
        (kind, account): dict(zip(FIGURES, values, strict=True))
        for kinds in window.together(KINDS)
        for kind, accounts, figures in figures_of(window, kinds, COMMON)
        for account, *values in zip(
            accounts.tolist(), *(column.to_pylist() for column in figures), strict=True
        )
    }


@settings(max_examples=40)
@given(st.lists(ROW, max_size=60), st.sampled_from([1, 3, 10, 1_000]))
def test_figures_equal_a_plain_count(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], at_once: int
) -> None:
    lake = _bare(tmp_path_factory.mktemp("lake"))
    written(lake, rows)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "COUNTED_ROWS", at_once)
        assert counted(lake) == naive(rows)


def _bare(folder: Path) -> Lake:
    from jobs.platform.lake import Lake
    from jobs.platform.settings import Settings

    return Lake(Settings(lake=str(folder)))


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from([1, 50, 5_000]), st.sampled_from([1, 7, 5_000]))
def test_entries_of_many_rows_equal_a_plain_count(seed: int, tokens: int, accounts: int) -> None:
    rng = np.random.default_rng(seed)
    # Of many buckets: tokens and accounts in any order.
    every, low, high = 30_000, -(1 << 63), (1 << 63) - 1
    rows = Rows(
        rng.choice(rng.integers(low, high, tokens), every),
        rng.choice(rng.integers(low, high, accounts), every),
        rng.integers(1, 9, every), rng.integers(0, 9, every), rng.random(every) < 0.5,
    )  # fmt: skip
    found = entries_of(*rows, 0)
    keys, place = np.unique(np.stack(rows[:2]), axis=1, return_inverse=True)
    place = place.ravel()
    expected = {
        (int(token), int(account)): [
            int(np.dot(rows.requests[at], rows.recent[at])), int(rows.requests[at].sum()),
            int(np.dot(rows.prompts[at], rows.recent[at])), int(rows.prompts[at].sum()),
        ]
        for (token, account), at in zip(
            keys.T, np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1]),
            strict=True,
        )
    }  # fmt: skip
    carried = found.tokens[found.token]
    assert expected == {
        (token, account): sums
        for token, account, sums in zip(
            carried.tolist(), found.account.tolist(), found.sums.tolist(), strict=True
        )
    }
    for window in range(2):
        used = [key for key, sums in expected.items() if sums[window] > 0]
        fans = np.unique([token for token, _ in used], return_counts=True)
        there = found.accounts[:, window] > 0
        order = np.argsort(found.tokens[there])
        assert (found.tokens[there][order] == fans[0]).all()
        assert (found.accounts[there, window][order] == fans[1]).all()


def test_accounts_are_numbered_as_they_come() -> None:
    accounts = np.random.default_rng(1).permutation(np.arange(-3_000, 3_000))
    numbering = Numbering(accounts[:10])
    again = np.concatenate([accounts[5:], accounts[:5]])
    assert (numbering.find(accounts[:12])[:10] == np.arange(10)).all()
    assert (numbering.find(accounts[10:]) == -1).all()
    assert (accounts[numbering.number(again)] != again).sum() == 0
    assert (numbering.accounts == accounts).all()


def test_rows_that_compaction_has_mixed_are_found_the_same(lake: Lake, fill: Fill) -> None:
    rng = np.random.default_rng(2)
    for age in (0, 3):
        night = NIGHT - dt.timedelta(days=age)
        fill(lake, "account_indicators", night, [
            {"account_id": f"a{rng.integers(9)}", "kind": kind, "token": f"{kind} {token}",
             "requests": 1 + int(rng.integers(4))}
            for kind in ("model", "address") for token in range(30)
        ])  # fmt: skip
    in_order = counted(lake)
    assert len(in_order) == 9
    for age in (0, 3):
        night = NIGHT - dt.timedelta(days=age)
        rows = lake.rows("account_tokens", night, night)
        lake.replace_night("account_tokens", night, rows.take(rng.permutation(rows.num_rows)))
    assert counted(lake) == in_order


def test_a_night_lies_in_order_and_is_read_no_longer_than_remembered(
    lake: Lake, fill: Fill
) -> None:
    day = [
        {"account_id": f"a{number}", "kind": kind, "token": f"{number}", "requests": 1}
        for kind in ("shingle", "address") for number in range(200)
    ]  # fmt: skip
    fill(lake, "account_indicators", NIGHT, day)
    fill(lake, "account_indicators", NIGHT - dt.timedelta(days=9), day)
    rows = lake.rows("account_tokens", NIGHT, NIGHT, ["kind", "token"])
    assert rows.num_rows == 400
    assert rows == rows.sort_by([("kind", "ascending"), ("token", "ascending")])
    window = window_of(lake, NIGHT, 28)
    (kinds,) = window.together(["address", "shingle"])
    (part,) = window.parts(kinds)
    read = window.read(part)
    assert {kind: len(rows.token) for kind, rows in read.items()} == {
        "address": 400, "shingle": 200,
    }  # fmt: skip
    assert read["address"].recent.sum() == 200
