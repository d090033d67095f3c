"""The files that gateways read: parsed as Envoy's rate limit service does, hostile ids in them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from jobs.catalog.limit_tables import REQUEST_LIMITS, TOKEN_LIMITS
from jobs.cli import cli
from jobs.limits import gateway as export
from jobs.limits.now import in_force
from jobs.platform.errors import LakeError

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

NIGHT = dt.date(2026, 5, 20)
Fill = Callable[..., int]
#: Ids that YAML, a descriptor or a terminal could read as something else.
HOSTILE = [
    "1e3", "null", "yes", "2026-05-20", "- key: x", 'a"\n  value: "b', "\u202egnp.exe", "#", "{a}",
    "acct_1_minute", "=cmd|' /C calc'!A0", "<script>", "ид", "a" * 512,
]  # fmt: skip
UNFIT = ["", "acct_*", "a\x00b", "a" * 513]
KEYS = {"domain", "key", "value", "descriptors", "rate_limit", "unit", "requests_per_unit",
        "shadow_mode"}  # fmt: skip


def row(account: str, **columns: Any) -> dict[str, Any]:
    amounts = dict(zip(REQUEST_LIMITS, (3, 5, 10), strict=True))
    amounts |= dict(zip(TOKEN_LIMITS, (6_000, 10_000, 2**40), strict=True))
    return {"account_id": account, "capability": "all", "step": 1, "expires": NIGHT,
            **amounts} | columns  # fmt: skip


def placed(
    lake: Lake, fill: Fill, rows: list[dict[str, Any]], budgets: list[dict[str, Any]]
) -> Lake:
    fill(lake, "account_scores", NIGHT, [{"account_id": r["account_id"]} for r in rows])
    fill(lake, "rate_limits", NIGHT, rows)
    fill(lake, "campaign_budgets", NIGHT, budgets)
    fill(lake, "enforcement_actions", NIGHT, [
        {"account_id": r["account_id"], "action": "limit", "expires": NIGHT + dt.timedelta(days=7)}
        for r in rows if r["capability"] == "all"
    ])  # fmt: skip
    return lake


def loaded(text: str) -> dict[tuple[str, ...], tuple[str, int, bool]]:
    """As the service loads a file: (domain, key_value, …) → unit, requests_per_unit, shadow_mode.

    Refuses what it refuses: unknown keys, values that are no text, an unknown unit, a key twice.
    """
    root = yaml.safe_load(text)
    found: dict[tuple[str, ...], tuple[str, int, bool]] = {}

    def walk(descriptors: list[dict[str, Any]], path: tuple[str, ...]) -> None:
        names = []
        for one in descriptors:
            assert set(one) <= KEYS and isinstance(one["key"], str) and one["key"]
            assert isinstance(one["value"], str) and one["value"] and "*" not in one["value"]
            names.append(f"{one['key']}_{one['value']}")
            if "rate_limit" in one:
                limit = one["rate_limit"]
                assert set(limit) <= KEYS
                assert limit["unit"] in ("second", "minute", "hour", "day")
                assert 0 < limit["requests_per_unit"] < 2**32
                found[(*path, names[-1])] = (limit["unit"], limit["requests_per_unit"],
                                             one.get("shadow_mode", False))  # fmt: skip
            walk(one.get("descriptors", []), (*path, names[-1]))
        assert len(names) == len(set(names)), "duplicate descriptor composite key"

    assert set(root) == {"domain", "descriptors"}
    walk(root["descriptors"], (root["domain"],))
    return found


def enforced(lake: Lake, fill: Fill) -> Lake:
    fill(lake, "enforcement_mode", NIGHT, [{"mode": "enforce"}])
    return lake


def test_envoy_gets_a_limit_for_each_window_capability_and_domain(
    bare_lake: Lake, fill: Fill
) -> None:
    rows = [row("a1"), row("a1", capability="code", requests_a_day=4), row("a2")]
    limits = in_force(enforced(placed(bare_lake, fill, rows, []), fill))
    found = loaded(export.as_envoy(limits, tokens=False))
    assert found["stillwatch", "account_id_a1", "per_minute"] == ("minute", 3, False)
    assert found["stillwatch", "account_id_a1", "per_day"] == ("day", 10, False)
    assert found["stillwatch", "account_id_a1", "capability_code", "per_day"] == ("day", 4, False)
    assert len(found) == 9
    tokens = loaded(export.as_envoy(limits, tokens=True))
    assert tokens["stillwatch_tokens", "account_id_a2", "per_day"] == ("day", 2**32 - 1, False)


def test_in_observe_mode_everything_is_in_shadow_mode(bare_lake: Lake, fill: Fill) -> None:
    limits = in_force(placed(bare_lake, fill, [row("a1")], []))
    assert all(shadow for _, _, shadow in loaded(export.as_envoy(limits, tokens=False)).values())
    assert "observe mode" in export.as_envoy(limits, tokens=False).splitlines()[0]
    assert json.loads(export.as_json(limits))["mode"] == "observe"


def test_hostile_ids_stay_values_and_unfit_ones_are_left_out(bare_lake: Lake, fill: Fill) -> None:
    placed(bare_lake, fill, [row(name) for name in [*HOSTILE, *UNFIT]], [])
    limits = in_force(bare_lake)
    found = {path[1] for path in loaded(export.as_envoy(limits, tokens=False))}
    fit = [name for name in HOSTILE if "\n" not in name]
    assert found == {f"account_id_{name}" for name in fit}
    assert export.unfit(limits) == len(UNFIT) + 1
    assert export.as_envoy(limits, tokens=False).isascii()
    plain = json.loads(export.as_json(limits))
    assert {one["account_id"] for one in plain["accounts"]} == {*HOSTILE, *UNFIT}


def test_a_budget_that_the_gateway_counts_is_a_descriptor_of_the_campaign(
    bare_lake: Lake, fill: Fill
) -> None:
    budgets = [
        {"campaign_id": "c1", "accounts": 2, "requests_a_day": 40, "tokens_a_day": 9_000,
         "counted_by": "gateway"},
        {"campaign_id": "c2", "accounts": 1, "requests_a_day": 50, "tokens_a_day": 9_000,
         "counted_by": "shares"},
    ]  # fmt: skip
    rows = [row("a1", campaign_id="c1"), row("a2", campaign_id="c1"), row("b", campaign_id="c2")]
    limits = in_force(placed(bare_lake, fill, rows, budgets))
    found = loaded(export.as_envoy(limits, tokens=False))
    assert found["stillwatch", "campaign_id_c1", "per_day"] == ("day", 40, True)
    assert ("stillwatch", "campaign_id_c2", "per_day") not in found
    plain = json.loads(export.as_json(limits))
    assert [(c["campaign_id"], c["accounts"]) for c in plain["campaigns"]] == [("c1", 2), ("c2", 1)]


def test_who_was_cleared_since_is_in_no_file_and_in_no_budget(bare_lake: Lake, fill: Fill) -> None:
    budgets = [{"campaign_id": name, "accounts": 1, "requests_a_day": 40, "tokens_a_day": 9_000,
                "counted_by": "gateway"} for name in ("c1", "c2")]  # fmt: skip
    rows = [row("a1", campaign_id="c1"), row("b", campaign_id="c2")]
    placed(bare_lake, fill, rows, budgets)
    decision = {
        "decision_id": "d-1", "verdict": "overturned", "subject_kind": "account", "subject": "a1",
        "accounts": ["a1"], "night": NIGHT, "needs_approval": False,
    }  # fmt: skip
    fill(bare_lake, "decisions", NIGHT + dt.timedelta(days=1), [decision])
    limits = in_force(bare_lake)
    for text in (export.as_envoy(limits, tokens=False), export.as_json(limits)):
        assert "a1" not in text and "c1" not in text and "c2" in text
    assert limits.lifted == 1


def test_the_command_writes_two_files_as_a_whole_and_says_the_mode(
    bare_lake: Lake, fill: Fill, tmp_path: Path
) -> None:
    placed(bare_lake, fill, [row("a1"), row("*")], [])
    to = tmp_path / "limits.yaml"
    done = CliRunner().invoke(cli, ["gateway-limits", "--lake", bare_lake.root, "--to", str(to)])
    assert done.exit_code == 0, done.output
    assert "limits.yaml and limits-tokens.yaml: 2 accounts" in done.output
    assert "observe mode" in done.output and "1 accounts have an id" in done.output
    assert sorted(path.name for path in tmp_path.glob("*limits*")) == [
        "limits-tokens.yaml", "limits.yaml",
    ]  # fmt: skip
    assert loaded(to.read_text(encoding="utf-8"))


def test_a_lake_without_limits_and_a_place_that_cannot_be_written_are_said(
    bare_lake: Lake, fill: Fill, tmp_path: Path
) -> None:
    with pytest.raises(LakeError, match="no night has worked out limits"):
        in_force(bare_lake)
    placed(bare_lake, fill, [row("a1")], [])
    (tmp_path / "file").write_text("", encoding="utf-8")
    wrong = ["--lake", bare_lake.root, "--to", str(tmp_path / "file" / "x.yaml")]
    done = CliRunner().invoke(cli, ["gateway-limits", *wrong])
    assert done.exit_code == 1 and "can't be written" in str(done.exception)


def test_a_night_that_stops_before_its_limits_leaves_those_of_the_night_before(
    bare_lake: Lake, fill: Fill
) -> None:
    placed(bare_lake, fill, [row("a1")], [])
    after = NIGHT + dt.timedelta(days=1)
    fill(bare_lake, "account_scores", after, [{"account_id": "a1"}])
    limits = in_force(bare_lake)
    assert [one["account_id"] for one in limits.accounts] == ["a1"]
    assert (limits.night, limits.lifted) == (NIGHT.isoformat(), 0)
    # Worked out, and nobody is limited: that is what it says.
    fill(bare_lake, "plan_usage", after, [{"plan": "credits"}])
    limits = in_force(bare_lake)
    assert (limits.night, limits.accounts) == (after.isoformat(), [])
