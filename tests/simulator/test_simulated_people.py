"""Who lives in a world: each honest kind, each tactic, what they share, what can be turned."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from landing_reader import Simulated, partitions, records, verdict

from jobs.simulator import HONEST_KINDS, TACTICS, CampaignPlan, World, WorldSettings, build_world
from jobs.simulator.day import draw
from jobs.simulator.population import DAY, NEW_MODEL
from jobs.simulator.tactics import CATALOGUE

QUIET = WorldSettings(days=10, accounts=400, tactics=(), reseller=False, text=False)


def lone(tactic: str, accounts: int = 60, **changes: object) -> World:
    """A world with one campaign."""
    plan = CampaignPlan(tactic, accounts, start_day=0, labelled=False, changes=dict(changes))
    return build_world(replace(QUIET, campaigns=(plan,)))


def members(world: World) -> np.ndarray:
    """Accounts of the only campaign."""
    return np.flatnonzero(world.accounts["campaign"] == 0)


def shared_by(values: np.ndarray) -> float:
    """Mean number of accounts that share a value with an account."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return float(counts[inverse].mean())


@pytest.fixture(scope="module")
def default() -> World:
    """The world that one gets without asking for anything."""
    return build_world(WorldSettings(text=False))


def test_default_world_is_as_promised(default: World) -> None:
    from jobs.simulator.world import expected_requests

    settings = default.settings
    assert len(default.accounts["key"]) >= 6_000
    assert expected_requests(default).sum() * settings.days > 650_000
    campaigns = [o for o in default.operations if o.class_ == "distillation"]
    assert len({o.tactic for o in campaigns}) == 5
    assert sum(o.class_ == "resale" for o in default.operations) == 1
    share = (default.accounts["class_"] == "distillation").mean()
    assert 0.05 < share < 0.13  # replacements included
    last = default.labels.labelled_s.max() // DAY
    late = [o for o in campaigns if not o.labelled]
    assert len(late) == 2
    assert all(last < o.start_day < settings.days - 3 for o in late)
    for number, operation in enumerate(default.operations):
        of = default.accounts["campaign"][default.labels.account] == number
        assert of.any() == operation.labelled
        if operation.class_ == "distillation":
            assert 30 <= (default.accounts["campaign"] == number).sum() <= 500


def test_every_honest_kind_is_there_and_most_accounts_are_small(default: World) -> None:
    kinds = Counter(default.accounts["kind"])
    assert set(HONEST_KINDS) <= set(kinds)
    assert kinds["hobbyist"] > kinds["developer"] > kinds["production"]
    rows = draw(default, 10, 0, 1.0)
    a_day = np.bincount(rows.account, minlength=len(default.accounts["key"]))
    benign = default.accounts["class_"] == "benign"
    assert np.median(a_day[benign]) <= 2
    assert np.sort(a_day[benign])[-60:].sum() > 0.3 * a_day[benign].sum()


@pytest.mark.parametrize("kind", HONEST_KINDS)
def test_honest_kinds_can_be_switched(kind: str) -> None:
    world = build_world(replace(QUIET, accounts=60, honest_kinds=(kind,)))
    assert set(world.accounts["kind"]) == {kind}
    assert len(draw(world, 3, 0, 1.0)) + len(draw(world, 4, 0, 1.0)) > 0


@pytest.mark.parametrize("tactic", TACTICS)
def test_each_tactic_works_at_about_26_requests_an_account_and_day(tactic: str) -> None:
    world = lone(tactic)
    assert [o.tactic for o in world.operations] == [tactic]
    work = sends = 0
    for day in (4, 5, 6):
        rows = draw(world, day, 0, 1.0)
        campaign = np.isin(rows.account, members(world))
        sends += campaign.sum()
        work += world.workloads["work"][rows.workload].sum()
        assert not (world.workloads["work"][rows.workload] & ~campaign).any()
    assert 19 < sends / 3 / 60 < 31
    cover = CATALOGUE[tactic].cover_share
    assert work / sends == pytest.approx(1 - cover, abs=0.06)


def test_simulated_truth_names_each_tactic(simulated: Simulated) -> None:
    accounts = simulated.known("accounts").to_pylist()
    of_campaigns = {r["tactic"] for r in accounts if r["class"] == "distillation"}
    assert of_campaigns == set(TACTICS)
    mixed = {r["tactic"] for r in accounts if r["mixed"]}
    assert mixed == {"hydra_proxies", "customer_clothes"}
    exchanges = simulated.known("exchanges").to_pylist()
    hydra = [r for r in exchanges if (r["campaign"] or "").endswith("hydra_proxies")]
    share = sum(r["work_requests"] for r in hydra) / sum(r["requests"] for r in hydra)
    assert share == pytest.approx(0.5, abs=0.08)
    assert all(r["work_requests"] == 0 for r in exchanges if r["campaign"] is None)


def test_no_tactics_no_reseller_means_honest_people_only() -> None:
    world = build_world(QUIET)
    assert set(world.accounts["class_"]) == {"benign"}
    assert not world.workloads["work"].any()
    assert set(world.labels.label) <= {"benign"}


def test_a_new_account_takes_over_a_banned_ones_seat_at_once() -> None:
    plan = CampaignPlan("hydra_proxies", 80, 0, labelled=True, changes={"ban_rate": 0.2})
    world = build_world(replace(QUIET, campaigns=(plan,), last_label_day=9))
    a = world.accounts
    replaced = np.flatnonzero(a["replaces"] >= 0)
    assert len(replaced) > 20
    before = a["replaces"][replaced]
    assert a["suspended"][before].all()
    wait = a["begin_s"][replaced] - a["end_s"][before]
    assert (wait > 0).all()
    assert np.median(wait) < 3_600
    assert (a["campaign"][before] == a["campaign"][replaced]).all()
    for day in range(2, 9):  # a banned account falls silent
        rows = draw(world, day, 0, 1.0)
        assert (rows.time_us / 1e6 <= a["end_s"][rows.account]).all()
        assert (rows.time_us / 1e6 >= a["begin_s"][rows.account] - 1).all()


def test_campaigns_share_what_their_tactic_says() -> None:
    payment = lone("shared_payment")
    inside = members(payment)
    assert shared_by(payment.accounts["payment"][inside]) > 5
    assert shared_by(payment.accounts["phone"][inside]) > 3
    created = payment.accounts["created_s"][inside]
    assert created.max() - created.min() < 4 * 3_600
    benign = payment.accounts["class_"] == "benign"
    own = benign & (payment.accounts["payment"] > 0) & (payment.accounts["org"] == 0)
    assert shared_by(payment.accounts["payment"][own]) < 1.2
    hydra = lone("hydra_proxies")
    rows = draw(hydra, 5, 0, 1.0)
    exits = rows.address[np.isin(rows.account, members(hydra))]
    asn = hydra.addresses["asn"].to_numpy()
    assert len(np.unique(asn[exits])) > 25
    assert len(np.unique(exits)) > 120
    clothes = lone("customer_clothes")
    assert shared_by(clothes.accounts["payment"][members(clothes)]) == 1


def test_templates_of_a_farm_are_few_and_shards_do_not_overlap() -> None:
    farm, honest = lone("template_farm"), lone("customer_clothes")
    counts = []
    for world in (farm, honest):
        rows = draw(world, 5, 0, 1.0)
        work = world.workloads["work"][rows.workload]
        counts.append(len(np.unique(rows.prompt.template[work])))
        if world is farm:
            keys = rows.prompt.key[work]
            assert len(np.unique(keys)) > 0.99 * len(keys)
    assert counts[0] <= 6 < counts[1]


def test_synchronised_accounts_start_together_and_jitter_takes_it_apart() -> None:
    def together(world: World) -> float:
        """Chance that two sessions of the campaign start within the same ten minutes."""
        rows = draw(world, 5, 0, 1.0)
        inside = np.isin(rows.account, members(world))
        opens = np.ones(len(rows), bool)
        close = np.diff(rows.time_us) < 3_600e6
        opens[1:] = (rows.workload[1:] != rows.workload[:-1]) | ~close
        bins = np.bincount((rows.time_us[inside & opens] // 600_000_000) % 144, minlength=144)
        return float(((bins / bins.sum()) ** 2).sum())

    tight = together(lone("synchronized_shards"))
    assert tight > 2 * together(lone("synchronized_shards", jitter_s=3_600.0))
    assert tight > 3 * together(lone("synchronized_shards", synchronised=False))
    rows = draw(world := lone("synchronized_shards"), 5, 0, 1.0)
    load = np.bincount(rows.account[np.isin(rows.account, members(world))])
    load = load[load > 0]
    assert load.std() / load.mean() < 0.2  # evenly spread; chance alone would give as much


def test_half_of_a_migrating_campaign_moves_within_a_day_of_the_launch() -> None:
    world = lone("model_migration")
    launch = world.settings.launch

    def moved(day: int, inside: bool) -> float:
        rows = draw(world, day, 0, 1.0)
        chosen = np.isin(rows.account, members(world)) == inside
        return float((rows.model[chosen] == NEW_MODEL).mean())

    assert moved(launch - 1, True) == moved(launch - 1, False) == 0
    assert moved(launch + 1, True) > 0.5
    assert moved(launch + 1, False) < 0.25
    early = build_world(replace(QUIET, honest_kinds=("early_adopter",), accounts=80))
    rows = draw(early, early.settings.launch + 1, 0, 1.0)
    assert (rows.model == NEW_MODEL).mean() > 0.5  # and so do people who love novelty


def test_strengths_can_be_turned() -> None:
    rolling = lone("template_farm", life_days=3.0)
    assert (rolling.accounts["replaces"] >= 0).sum() > 60
    sleepers = lone("template_farm", sleep_days=4.0)
    early, late = draw(sleepers, 2, 0, 1.0), draw(sleepers, 7, 0, 1.0)
    assert not sleepers.workloads["work"][early.workload].any()
    assert np.isin(early.account, members(sleepers)).any()
    assert sleepers.workloads["work"][late.workload].any()
    slow = lone("hydra_proxies", requests_per_day=3.0, cover_share=0.0)
    rows = draw(slow, 5, 0, 1.0)
    assert np.isin(rows.account, members(slow)).sum() / 60 == pytest.approx(3, abs=0.6)
    with pytest.raises(ValueError, match="unknown tactic 'telepathy'"):
        WorldSettings(tactics=("telepathy",))
    with pytest.raises(TypeError):
        lone("template_farm", no_such_habit=1)


def test_a_reseller_shares_infrastructure_but_serves_people() -> None:
    world = build_world(replace(QUIET, accounts=2_000, reseller=True))
    pool = np.flatnonzero(world.accounts["class_"] == "resale")
    assert len(pool) == 20
    assert shared_by(world.accounts["payment"][pool]) > 3
    rows = draw(world, 5, 0, 1.0)
    inside = np.isin(rows.account, pool)
    assert not world.workloads["work"][rows.workload[inside]].any()
    assert len(np.unique(rows.prompt.template[inside])) > 25
    assert len(np.unique(rows.client[inside])) <= 2


def test_honest_groups_share_too() -> None:
    world = build_world(replace(QUIET, accounts=2_000))
    a, w = world.accounts, world.workloads
    rows = draw(world, 4, 0, 1.0)
    kind = a["kind"][rows.account]
    batch = a["kind"] == "batch_enterprise"
    assert shared_by(a["payment"][batch]) > 10
    harness = kind == "agent_harness"
    assert len(np.unique(rows.client[harness])) <= 3
    assert len(np.unique(a["payment"][a["kind"] == "agent_harness"])) > 20
    lesson = a["kind"] == "classroom"
    assert len(np.unique(w["list_key"][np.isin(w["account"], np.flatnonzero(lesson))])) < 8
    homework = rows.prompt.key[(kind == "classroom") & (rows.turn == 0)]
    assert len(np.unique(homework)) < len(homework)
    routers = rows.prompt.template[kind == "declared_router"]
    assert len(np.unique(routers)) > 40
    assert all(a["declared_use"][a["kind"] == "declared_router"])
    # Carriers: private people of different households behind one address.
    week = [draw(world, day, 0, 1.0) for day in range(7)]
    address = np.concatenate([rows.address for rows in week])
    account = np.concatenate([rows.account for rows in week])
    people = np.isin(a["kind"][account], ("hobbyist", "developer"))
    pairs = np.unique(np.stack([address[people], account[people]]), axis=1)
    assert (np.bincount(pairs[0]) >= 4).sum() >= 10


def test_labels_land_on_their_day_late_and_incomplete(simulated: Simulated) -> None:
    truth = {r["account_id"]: r for r in simulated.known("accounts").to_pylist()}
    named = {r["known_as"]: r["campaign"] for r in simulated.known("campaigns").to_pylist()}
    found: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for day, folder in partitions(simulated.landing, "labels"):
        assert day <= simulated.settings.start + timedelta(days=simulated.settings.label_horizon)
        for _, record in records(folder):
            if record is None or verdict(record, "labels") != "kept":
                continue
            if (account := truth.get(record["account_id"])) is None:
                continue
            assert str(record["labelled_at"])[:10] == day.isoformat()
            assert account["class"] == record["label"]
            assert account["first_day"] <= day
            found[account["campaign"] or "honest"] += 1
            sources[record["source"]] += 1
            if "campaign" in record:
                assert named[record["campaign"]] == account["campaign"]
    campaigns = simulated.known("campaigns").to_pylist()
    assert not any(found[c["campaign"]] for c in campaigns if not c["labelled"])
    labelled = [c for c in campaigns if c["labelled"] and c["class"] == "distillation"]
    assert 0 < sum(found[c["campaign"]] for c in labelled) < sum(c["accounts"] for c in labelled)
    assert found["honest"] > 0
    assert {"analyst", "confirmed_ban"} <= set(sources)


def test_volume_is_as_told() -> None:
    world = build_world(replace(QUIET, accounts=1_000, requests_per_day=30_000))
    mean = np.mean([len(draw(world, day, 0, 1.0)) for day in range(10)])
    assert mean == pytest.approx(30_000, rel=0.12)
