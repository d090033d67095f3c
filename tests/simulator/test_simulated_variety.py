"""Other customers, other labels and given texts: what sets a world apart from the default one."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from jobs.simulator import (
    ADVERSARIES,
    TACTICS,
    CampaignPlan,
    World,
    WorldSettings,
    build_world,
    simulate_day,
)
from jobs.simulator.day import Requests, draw
from jobs.simulator.population import DAY

QUIET = WorldSettings(days=10, accounts=500, tactics=(), reseller=False, text=False)
# Requests of a day, and a digest of who lives in a world with everything in it: integers only,
# which no machine rounds in its own way. A new number that nobody turns leaves them as they are.
KNOWN = (2621, "aec37787a76c3516")


def test_a_world_that_turns_no_new_number_is_what_it_was() -> None:
    world = build_world(
        WorldSettings(days=5, accounts=500, seed=11, tactics=TACTICS, distillation_share=0.15)
    )
    rows = draw(world, 2, 0, 1.0)
    digest = hashlib.sha256()
    for values in (
        *(world.accounts[name] for name in ("key", "org", "phone", "payment", "plan", "gateway")),
        *(world.workloads[name] for name in ("account", "style", "client1", "pool1", "size1")),
        world.labels.account,
    ):
        digest.update(np.ascontiguousarray(values).tobytes())
    assert (len(rows), digest.hexdigest()[:16]) == KNOWN


# ------------------------------------------------------------------------------ customers


def test_honest_weights_make_another_population() -> None:
    usual = build_world(replace(QUIET, accounts=2_000, reseller=True))
    weights = {"classroom": 6.0, "production": 0.1, "red_team": 0.0, "reseller": 8.0}
    other = build_world(replace(QUIET, accounts=2_000, reseller=True, honest_weights=weights))
    before, after = (Counter(world.accounts["kind"]) for world in (usual, other))
    assert sum(after.values()) == sum(before.values()) == 2_000
    assert after["classroom"] > 4 * before["classroom"]
    assert after["production"] < 0.2 * before["production"]
    assert after["red_team"] == 0 < before["red_team"]
    assert after["reseller"] == pytest.approx(8 * before["reseller"], abs=1)
    same = build_world(replace(QUIET, accounts=2_000, reseller=True, honest_weights={}))
    assert (same.accounts["key"] == usual.accounts["key"]).all()
    for wrong, message in (
        ({"clairvoyant": 1.0}, "unknown honest kind 'clairvoyant'"),
        ({"hobbyist": -1.0}, "must not be negative"),
        (dict.fromkeys(QUIET.honest_kinds, 0.0), "no honest kind"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(QUIET, honest_weights=wrong)


def test_developers_can_have_several_popular_harnesses() -> None:
    one = build_world(replace(QUIET, accounts=2_000))
    many = build_world(replace(QUIET, accounts=2_000, popular_tools=4))
    for world, tools in ((one, 1), (many, 4)):
        users = world.accounts["kind"][world.workloads["account"]] == "agent_harness"
        agents = world.clients["user_agent"].take(world.workloads["client1"][users]).to_pylist()
        names = Counter(agent.split("/")[0] for agent in agents)
        assert len(names) == tools
        ranked = [count for _, count in names.most_common()]
        assert ranked[0] == max(ranked) > 1.5 * ranked[-1] * (tools > 1)
    alone = build_world(replace(QUIET, accounts=20, honest_kinds=("agent_harness",),
                                popular_tools=40))  # fmt: skip
    assert len(alone.accounts["key"]) == 20
    with pytest.raises(ValueError, match="popular_tools"):
        replace(QUIET, popular_tools=0)


# --------------------------------------------------------------------------------- labels


def labelled(**settings: object) -> World:
    """A world with a campaign that analysts look into."""
    plan = CampaignPlan("hydra_proxies", 300, -5, labelled=True)
    base = WorldSettings(days=30, accounts=4_000, campaigns=(plan,), text=False)
    return build_world(replace(base, **settings))  # type: ignore[arg-type]


def test_only_a_share_of_banned_accounts_has_a_label() -> None:
    def share(world: World) -> float:
        a, last = world.accounts, world.settings.label_horizon
        banned = np.flatnonzero((a["class_"] == "distillation") & a["suspended"])
        banned = banned[a["end_s"][banned] < (last - 3) * DAY]
        assert len(banned) > 100
        return float(np.isin(banned, world.labels.account).mean())

    assert share(labelled()) > 0.97
    assert share(labelled(label_share=0.3)) == pytest.approx(0.3, abs=0.1)
    assert share(labelled(label_share=0.0)) == 0
    with pytest.raises(ValueError, match="label_share"):
        labelled(label_share=1.1)


@pytest.mark.parametrize("noise", [0.05, 0.10])
def test_wrong_labels_go_both_ways(noise: float) -> None:
    accused = cleared = honest = guilty = 0
    for seed in (1, 2, 3, 4):
        world = labelled(label_noise=noise, seed=seed)
        labels = world.labels
        class_ = world.accounts["class_"][labels.account]
        benign = class_ == "benign"
        honest += benign.sum()
        guilty += (~benign).sum()
        accused += (benign & (labels.label == "distillation")).sum()
        wrong = ~benign & (labels.label == "benign")
        cleared += wrong.sum()
        # A wrong label gives itself away by nothing.
        assert all(name is None for name in labels.campaign[labels.label == "benign"])
        sources = set(labels.source[labels.label == "benign"])
        assert sources <= {"analyst", "appeal_upheld"}
        assert set(labels.label) == {"benign", "distillation", "resale"}
    assert accused / honest == pytest.approx(noise, abs=0.035)
    assert cleared / guilty == pytest.approx(noise, abs=0.025)
    assert accused > 3
    assert cleared > 3
    right = labelled()
    assert (right.labels.label == right.accounts["class_"][right.labels.account]).all()


# ------------------------------------------------------------------------------ given texts

HONEST = [f'{i:03d} "why\tis it" \\ so?\n\x07' for i in range(400)]
SUPPORT = [f"order {i} is late. " * 300 for i in range(50)]
WORK = [f"work item {i}" for i in range(240)]
CORPORA = {"honest": HONEST, "support_bot": SUPPORT, "distillation:template_farm": WORK,
           "distillation:unused": ["never seen"]}  # fmt: skip


def texts_of(world: World, day: int) -> tuple[Requests, np.ndarray]:
    """A day's requests and their prompts."""
    rows = draw(world, day, 0, 1.0)
    return rows, np.array(world.grammar.write(rows.prompt, False).to_pylist(), object)


@pytest.fixture(scope="module")
def given() -> World:
    """A world whose prompts are given, with two campaigns, one of which has no list."""
    plans = (
        CampaignPlan("template_farm", 40, 0, labelled=False, changes={"life_days": 3.0}),
        CampaignPlan("hydra_proxies", 20, 0, labelled=False),
    )
    return build_world(replace(QUIET, accounts=700, campaigns=plans, text_corpora=CORPORA))


def test_each_account_has_prompts_of_its_kinds_list(given: World) -> None:
    seen: dict[str, set[str]] = {"honest": set(), "support_bot": set(), "farm": set()}
    for day in (3, 4):
        rows, texts = texts_of(given, day)
        kind = given.accounts["kind"][rows.account]
        work = given.workloads["work"][rows.workload]
        farm = given.accounts["campaign"][rows.account] == 0
        seen["support_bot"] |= set(texts[kind == "support_bot"])
        seen["farm"] |= set(texts[farm])
        # Cover is customers' traffic; a campaign without a list keeps the grammar.
        seen["honest"] |= set(texts[(kind != "support_bot") & ~work])
        hydra = set(texts[work & ~farm])
        assert len(hydra) > 50
        assert not hydra & {*HONEST, *SUPPORT, *WORK}
    assert seen["honest"] <= set(HONEST)
    assert seen["support_bot"] <= set(SUPPORT)
    assert seen["farm"] <= set(WORK)
    assert min(len(seen["honest"]) / 400, len(seen["farm"]) / 240) > 0.9


def test_a_campaign_deals_its_list_in_disjoint_shards(given: World) -> None:
    owner: dict[str, set[int]] = {}
    shards: dict[int, set[str]] = {}
    for day in range(1, 10):
        rows, texts = texts_of(given, day)
        farm = np.flatnonzero(given.accounts["campaign"][rows.account] == 0)
        seats = given.accounts["seat"][rows.account]
        for i in farm:
            owner.setdefault(texts[i], set()).add(int(seats[i]))
            shards.setdefault(int(seats[i]), set()).add(texts[i])
    assert len(shards) == 40
    assert max(map(len, owner.values())) == 1
    # Accounts take over seats in these days, and a seat's shard stays what it was.
    assert (given.accounts["replaces"][given.accounts["campaign"] == 0] >= 0).sum() > 40
    assert {len(shard) for shard in shards.values()} == {6}


def test_honest_accounts_take_consecutive_prompts_of_their_own() -> None:
    world = build_world(replace(QUIET, honest_kinds=("developer",), text_corpora=CORPORA))
    rows, texts = texts_of(world, 3)
    starts = set()
    for account in np.unique(rows.account):
        mine = np.flatnonzero(rows.account == account)
        mine = mine[np.argsort(rows.time_us[mine], kind="stable")]
        number = np.array([int(text[:3]) for text in texts[mine]])
        assert (np.diff(number) % len(HONEST) == 1).all()
        starts.add(int(number[0]))
    assert len(starts) > 0.5 * len(np.unique(rows.account))
    # The next day goes on with others.
    tomorrow, later = texts_of(world, 4)
    both = np.intersect1d(rows.account, tomorrow.account)
    again = [set(texts[rows.account == a]) & set(later[tomorrow.account == a]) for a in both]
    assert len(both) > 30
    assert np.mean([len(texts_) > 0 for texts_ in again]) < 0.2


def test_given_prompts_land_as_they_are_and_again_the_same(given: World, tmp_path) -> None:
    world = build_world(replace(given.settings, text=True, dirt=False))
    landed: Counter[str] = Counter()
    simulate_day(world, 3, tmp_path)
    for path in (tmp_path / "requests").rglob("*.jsonl"):
        for line in path.read_text("utf-8").split("\n")[:-1]:
            landed[json.loads(line).get("prompt_text", "")] += 1
    assert sum(n for text, n in landed.items() if text in HONEST) > 300
    first, second = texts_of(given, 5), texts_of(world, 5)
    assert (first[1] == second[1]).all()
    tokens = first[0].input_tokens
    chars = np.array([len(text) for text in first[1]])
    long = np.isin(first[1], SUPPORT)
    assert long.sum() > 20
    assert (tokens[long] >= np.ceil(chars[long] / 4.2)).all()
    other = texts_of(build_world(replace(given.settings, seed=8)), 5)[1]
    assert len(other) != len(first[1]) or (other != first[1]).any()


def test_a_plan_names_its_list_and_settings_refuse_others() -> None:
    plan = ADVERSARIES["many_small"].plans(1.0, 20, 0, labelled=False)
    plans = tuple(replace(p, corpus=f"part{i}") for i, p in enumerate(plan))
    corpora = {f"distillation:part{i}": [f"{i}"] * 9 for i in range(len(plans))}
    world = build_world(replace(QUIET, campaigns=plans, text_corpora=corpora))
    rows, texts = texts_of(world, 5)
    number = world.accounts["campaign"][rows.account]
    assert len(np.unique(number)) == len(plans) + 1
    assert {(int(n), t) for n, t in zip(number, texts, strict=True) if n >= 0} == {
        (i, f"{i}") for i in range(len(plans))
    }
    for corpora, message in (
        ({"everything": ["a"]}, "unknown corpus"),
        ({"honest": []}, "not empty"),
        ({"honest": "a text"}, "must be a list"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(QUIET, text_corpora=corpora)
