"""Adversaries: each hides what it says, by as much as it is told, and pays for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from adversary_worlds import ACCOUNTS, QUIET, members, work_of, world_of

from jobs.simulator import (
    ADVERSARIES,
    TACTICS,
    CampaignPlan,
    World,
    build_world,
)
from jobs.simulator.adversaries import SMALLEST_OPERATION
from jobs.simulator.day import Requests, draw
from jobs.simulator.population import DAY
from jobs.simulator.tactics import CATALOGUE, Tactic

ALWAYS = (
    "jitter", "time_zones", "paraphrase_grammar", "paraphrase_synonym", "paraphrase_language",
    "residential", "one_card", "mixing", "rolling_roster", "low_and_slow", "sleepers",
    "human_pace", "many_small", "agent_harness", "customer_clothes",
)  # fmt: skip


def all_of(world: World, day: int = 5) -> Requests:
    """A day's requests of the operation, cover included."""
    rows = draw(world, day, 0, 1.0)
    return rows.take(np.flatnonzero(np.isin(rows.account, members(world))))


def texts_of(world: World, rows: Requests) -> list[str]:
    """The prompts of some requests."""
    return world.grammar.write(rows.prompt, False).to_pylist()


def accounts_sharing(values: np.ndarray) -> int:
    """How many accounts have a value, of those given, that another has too."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return int((counts[inverse] > 1).sum())


# --------------------------------------------------------------------------- all alike


def test_there_is_an_adversary_for_each_means_and_each_tactic() -> None:
    assert set(ADVERSARIES) == {*ALWAYS, *TACTICS}
    for name, adversary in ADVERSARIES.items():
        assert adversary.name == name
        assert len(adversary.about) > 20
        assert 0 < adversary.middle <= 1


@pytest.mark.parametrize("name", ADVERSARIES)
def test_every_adversary_plans_as_many_accounts_as_told_and_works(name: str) -> None:
    adversary = ADVERSARIES[name]
    for strength in (0.0, adversary.middle, 1.0):
        for accounts in (3, 17, ACCOUNTS):
            plans = adversary.plans(strength, accounts, 2, labelled=True)
            assert sum(plan.accounts for plan in plans) == accounts
            assert min(plan.accounts for plan in plans) >= 1
            assert all(plan.labelled and plan.start_day <= 2 for plan in plans)
    with pytest.raises(ValueError, match="strength must lie between 0 and 1"):
        adversary.plans(1.2, 5, 0, labelled=False)
    for strength in (0.0, 1.0):
        rows = work_of(world := world_of(name, strength))
        assert len(rows) > 40
        assert (world.accounts["class_"][rows.account] == "distillation").all()


@pytest.mark.parametrize("name", TACTICS)
def test_a_tactic_is_an_adversary_with_its_own_numbers(name: str) -> None:
    adversary = ADVERSARIES[name]
    assert adversary.habits(adversary.middle) == CATALOGUE[name]


@pytest.mark.parametrize("name", ["paraphrase_synonym", "mixing", "agent_harness", "time_zones"])
def test_same_seed_same_requests_and_texts(name: str) -> None:
    first, second = (all_of(world_of(name, 0.7)) for _ in range(2))
    assert (first.key == second.key).all()
    assert (first.time_us == second.time_us).all()
    assert (first.address == second.address).all()
    worlds = [world_of(name, 0.7) for _ in range(2)]
    assert texts_of(worlds[0], first) == texts_of(worlds[1], second)


# ------------------------------------------------------------------------------- hours


def together(world: World) -> float:
    """Chance that two sessions of the operation start within the same ten minutes."""
    rows = work_of(world)
    opens = np.ones(len(rows), bool)
    close = np.diff(rows.time_us) < 3_600e6
    opens[1:] = (rows.workload[1:] != rows.workload[:-1]) | ~close
    bins = np.bincount((rows.time_us[opens] // 600_000_000) % 144, minlength=144)
    return float(((bins / bins.sum()) ** 2).sum())


def test_jitter_takes_synchrony_apart() -> None:
    never, half, always = (together(world_of("jitter", s)) for s in (0.0, 0.5, 1.0))
    assert never > 2 * half > 2 * always
    assert always < 2.4 / 144  # hardly more than if sessions were spread evenly over the day


def test_a_share_of_sessions_keeps_to_the_timetable() -> None:
    def world(synchrony: float) -> World:
        plan = CampaignPlan("synchronized_shards", ACCOUNTS, 0, False,
                            changes={"synchrony": synchrony})  # fmt: skip
        return build_world(replace(QUIET, campaigns=(plan,)))

    all_, half, none = (together(world(share)) for share in (1.0, 0.5, 0.0))
    assert all_ > 1.7 * half > 2 * none


def hours_of(rows: Requests) -> tuple[np.ndarray, np.ndarray]:
    """Resultant length of the hours of each account (1: all at one moment), and of them all."""
    angle = np.exp(2j * np.pi * (rows.time_us / 1e6 % DAY) / DAY)
    count = np.bincount(rows.account)
    total = np.bincount(rows.account, angle.real) + 1j * np.bincount(rows.account, angle.imag)
    busy = count >= 8
    return np.abs(total[busy]) / count[busy], np.abs(angle.mean())


def test_time_zones_give_each_account_hours_of_its_own() -> None:
    one, many = (work_of(world_of("time_zones", s)) for s in (0.0, 1.0))
    each, together_ = hours_of(one)
    assert together_ > 0.5
    each, together_ = hours_of(many)
    assert together_ < 0.25
    assert np.median(each) > 0.55  # an account still works one shift a day
    hours = (many.time_us // 3_600_000_000) % 24
    assert len(np.unique(hours)) == 24
    assert len(np.unique((one.time_us // 3_600_000_000) % 24)) <= 11


def test_rolling_rosters_live_two_to_five_days() -> None:
    forever = world_of("rolling_roster", 0.0)
    assert (forever.accounts["replaces"][members(forever)] < 0).all()
    world = world_of("rolling_roster", 1.0)
    a, mine = world.accounts, members(world)
    days = (a["end_s"][mine] - a["begin_s"][mine]) / DAY
    assert days.min() >= 2
    assert days.max() <= 5
    assert 2.5 < len(mine) / ACCOUNTS < 5  # as many after one another in ten days
    assert not a["suspended"][mine].any()
    longer = world_of("rolling_roster", 0.5)
    assert len(members(longer)) < len(mine)


def test_low_and_slow_asks_three_times_a_day() -> None:
    for strength, a_day in ((0.0, 26.0), (1.0, 3.0)):
        world = world_of("low_and_slow", strength)
        counts = np.bincount(all_of(world).account, minlength=len(world.accounts["key"]))
        counts = counts[members(world)]
        assert np.median(counts[counts > 0]) == pytest.approx(a_day, rel=0.1, abs=0.5)


def pace(world: World) -> tuple[float, float]:
    """Spread of the accounts' volumes (of their logarithms), and share of days without work."""
    counts = np.array([
        np.bincount(work_of(world, day).account, minlength=len(world.accounts["key"]))
        for day in range(2, 10)
    ])[:, members(world)]  # fmt: skip
    total = counts.sum(axis=0)
    return float(np.log(total[total > 0]).std()), float((counts == 0).mean())


def test_a_human_pace_is_uneven_and_rests() -> None:
    spreads, rests = zip(*(pace(world_of("human_pace", s)) for s in (0.0, 0.5, 1.0)), strict=True)
    assert spreads[0] < 0.15 < spreads[1] < spreads[2]
    assert spreads[2] > 0.7
    assert rests[0] < 0.1 < rests[1] < rests[2]
    assert rests[2] > 0.4
    cheap, dear = (ADVERSARIES["human_pace"].price(s)["account_days"] for s in (0.0, 1.0))
    assert dear > 1.9 * cheap


def test_sleepers_behave_before_they_work_and_are_not_found_before() -> None:
    world = world_of("sleepers", 1.0, start_day=24, labelled=True, days=32, last_label_day=31)
    a, w, mine = world.accounts, world.workloads, members(world)
    founders = mine[a["replaces"][mine] < 0]
    slept = (a["work_s"][founders] - a["begin_s"][founders]) / DAY
    assert 10.4 < slept.min() < 12.5
    assert 19 < slept.max() <= 21
    asleep = all_of(world, 8)
    assert len(np.unique(asleep.account)) > 0.6 * ACCOUNTS
    assert not w["work"][asleep.workload].any()
    assert np.median(np.bincount(asleep.account)[np.unique(asleep.account)]) < 8
    # Nothing of the work shows: neither its openings, nor its settings, nor its clients.
    working = work_of(world, 28)
    assert len(working) > 15 * ACCOUNTS
    assert (asleep.prompt.preamble == 0).all()
    assert (asleep.prompt.closing == 0).all()
    assert not np.isin(asleep.client, working.client).any()
    assert not np.isin(asleep.system[asleep.system > 0], working.system).any()
    # Bans and labels follow the work.
    banned = founders[a["suspended"][founders]]
    assert len(banned) > 3
    assert (a["end_s"][banned] > a["work_s"][banned]).all()
    labels = world.labels
    theirs = labels.label == "distillation"
    assert theirs.sum() > 3
    assert (labels.labelled_s[theirs] >= a["work_s"][labels.account[theirs]]).all()
    awake = world_of("sleepers", 0.0, start_day=2)
    assert (awake.accounts["work_s"] <= np.maximum(awake.accounts["begin_s"], 0))[
        members(awake)
    ].all()


# ------------------------------------------------------------------------------ content


def repeated(texts: list[str]) -> float:
    """Mean share of a prompt's five-word runs that another prompt has too."""
    runs = []
    for text in texts[:400]:
        words = text.split()
        runs.append({" ".join(words[i : i + 5]) for i in range(len(words) - 4)})
    seen: dict[str, int] = {}
    for run in runs:
        for words_ in run:
            seen[words_] = seen.get(words_, 0) + 1
    return float(np.mean([np.mean([seen[x] > 1 for x in run]) for run in runs if run]))


def test_grammar_paraphrase_leaves_fewer_runs_of_words_in_common() -> None:
    farm, freer, free = (world_of("paraphrase_grammar", s) for s in (0.0, 0.5, 1.0))
    rows = [work_of(world) for world in (farm, freer, free)]
    shared = [
        repeated(texts_of(world, r)) for world, r in zip((farm, freer, free), rows, strict=True)
    ]
    assert shared[0] > 1.2 * shared[1] > 1.4 * shared[2]
    assert (rows[0].prompt.preamble > 0).all()
    assert (rows[2].prompt.preamble == 0).all()
    templates = [len(np.unique(r.prompt.template)) for r in rows]
    assert templates[0] <= 6 < 12 < templates[2]


def test_synonyms_make_templates_differ_word_by_word() -> None:
    farm, half, full = (world_of("paraphrase_synonym", s) for s in (0.0, 0.5, 1.0))
    written = [texts_of(world, work_of(world)) for world in (farm, half, full)]
    # Only words differ, in the place of others.
    rows = work_of(full)
    as_is = replace(rows.prompt, synonyms=np.zeros(len(rows), np.float32))
    plain = [text.split(" ") for text in full.grammar.write(as_is, False).to_pylist()]
    swapped = [text.split(" ") for text in written[2]]
    assert [len(words) for words in plain] == [len(words) for words in swapped]
    changed = [np.mean(np.array(a) != np.array(b)) for a, b in zip(plain, swapped, strict=True)]
    assert np.mean(changed) > 0.2
    assert np.quantile(changed, 0.05) > 0.05
    fronts = [len({" ".join(text.split()[:8]) for text in texts}) for texts in written]
    assert fronts[0] < 0.2 * fronts[1]
    assert fronts[0] < 0.2 * fronts[2]
    shared = [repeated(texts) for texts in written]
    assert shared[0] > 1.2 * shared[1] > 1.3 * shared[2]
    # Cover and honest people keep their words.
    rows = draw(full, 5, 0, 1.0)
    assert not (rows.prompt.synonyms[~full.workloads["work"][rows.workload]] > 0).any()


def test_the_work_list_is_dealt_over_languages() -> None:
    def languages(strength: float) -> dict[str, float]:
        world = world_of("paraphrase_language", strength)
        names = [world.grammar.template_names[t] for t in work_of(world).prompt.template]
        spoken, counts = np.unique([name.split("/")[1] for name in names], return_counts=True)
        return dict(zip(spoken, counts / counts.sum(), strict=True))

    assert languages(0.0) == {"en": 1.0}
    half, full = languages(0.5), languages(1.0)
    assert set(full) == {"en", "de", "es", "fr", "zh"}
    assert max(full.values()) < 0.3
    assert 0.5 < half["en"] < 0.7


# ------------------------------------------------------------------- networks, identities


def test_residential_accounts_share_no_address_at_full_strength() -> None:
    def pairs(strength: float) -> tuple[World, np.ndarray]:
        world = world_of("residential", strength)
        days = [all_of(world, day) for day in (4, 5, 6)]
        both = [np.concatenate([getattr(d, n) for d in days]) for n in ("account", "address")]
        return world, np.unique(np.stack(both), axis=1)

    world, none = pairs(0.0)
    assert accounts_sharing(none[1]) > 0.9 * none.shape[1]
    world, full = pairs(1.0)
    assert accounts_sharing(full[1]) == 0
    assert accounts_sharing(full[0]) == 0  # one address an account
    assert len(full[0]) == ACCOUNTS
    asn = world.addresses["asn"].to_numpy()[full[1]]
    assert len(np.unique(asn)) > 15
    clear = world.addresses["clear"].take(full[1]).to_pylist()
    networks = [text.rsplit(".", 1)[0] if "." in text else text for text in clear]
    assert accounts_sharing(np.array(networks)) <= 2  # of one /24, by chance
    _, half = pairs(0.5)
    alone = np.unique(half[0], return_counts=True)[1] == 1
    assert alone.sum() == pytest.approx(ACCOUNTS / 2, abs=2)


def test_one_card_and_phone_an_account() -> None:
    for strength in (0.0, 0.5, 1.0):
        world = world_of("one_card", strength)
        mine = members(world)
        payment, phone = (world.accounts[name][mine] for name in ("payment", "phone"))
        assert (payment > 0).all()
        sharing = accounts_sharing(payment)
        assert sharing == pytest.approx(ACCOUNTS * (1 - strength), abs=1)
        verified = phone[phone > 0]
        assert len(verified) > 0.6 * ACCOUNTS
        if strength == 1:
            assert accounts_sharing(verified) == 0
        else:
            assert accounts_sharing(verified) > 0.5 * (1 - strength) * ACCOUNTS


def test_mixing_hides_work_in_customers_traffic() -> None:
    for strength, least, most in ((0.0, 0.92, 0.98), (0.5, 0.4, 0.6), (1.0, 0.02, 0.1)):
        world = world_of("mixing", strength)
        rows = [all_of(world, day) for day in (4, 5, 6, 7)]
        work = sum(int(world.workloads["work"][r.workload].sum()) for r in rows)
        assert least < work / sum(map(len, rows)) < most
    # At half strength, half of the seats are honest customers' accounts.
    world = world_of("mixing", 0.5)
    a, w, mine = world.accounts, world.workloads, members(world)
    lent = mine[a["seat"][mine] < ACCOUNTS // 2]
    assert (a["begin_s"][lent] < -DAY // 2).all()
    assert (a["class_"][lent] == "distillation").all()
    assert (a["begin_s"][lent] < a["work_s"][lent]).all()
    before = np.isin(draw(world, -1, 0, 1.0).account, lent)
    assert before.sum() > 20  # they were customers before
    rows = all_of(world)
    theirs = rows.take(np.flatnonzero(np.isin(rows.account, lent)))
    own = ~w["work"][theirs.workload]
    assert len(np.unique(theirs.client[~own])) <= 2
    assert len(np.unique(theirs.client[own])) > 10
    assert not set(theirs.address[own]) & set(theirs.address[~own])
    assert (theirs.prompt.preamble[own] == 0).all()
    assert (theirs.prompt.preamble[~own] > 0).any()
    both = np.intersect1d(theirs.account[own], theirs.account[~own])
    assert len(both) > 0.6 * len(lent)
    # Each lends in proportion to what it uses itself.
    rate = [np.bincount(w["account"], w["rate"] * (w["work"] == x))[lent] for x in (True, False)]
    assert np.corrcoef(rate)[0, 1] > 0.99


def test_many_small_operations_share_nothing() -> None:
    whole = ADVERSARIES["many_small"].plans(0.0, ACCOUNTS, 0, labelled=False)
    assert len(whole) == 1
    world = world_of("many_small", 1.0)
    a = world.accounts
    assert len(world.operations) == ACCOUNTS // SMALLEST_OPERATION
    number = a["campaign"]
    sizes = np.bincount(number[number >= 0])
    assert sizes.min() >= SMALLEST_OPERATION - 1
    assert sizes.max() <= SMALLEST_OPERATION + 1
    rows = all_of(world)
    for values in (rows.client, rows.address, rows.system, a["payment"][rows.account],
                   rows.prompt.preamble):  # fmt: skip
        pairs = np.unique(np.stack([number[rows.account].astype(np.uint64),
                                    values.astype(np.uint64)]), axis=1)  # fmt: skip
        assert accounts_sharing(pairs[1][pairs[1] > 0]) == 0
    groups = world.workloads["sync_group"][world.workloads["work"]] // 8
    assert len(np.unique(groups)) == len(world.operations)


def test_an_operation_behind_the_harness_looks_like_its_honest_users() -> None:
    world = world_of("agent_harness", 1.0, accounts=1_500)
    rows = draw(world, 5, 0, 1.0)
    honest = rows.take(np.flatnonzero(world.accounts["kind"][rows.account] == "agent_harness"))
    theirs = work_of(world)
    w = world.workloads
    users = world.accounts["kind"][w["account"]] == "agent_harness"
    for name in ("client1", "client2", "tools", "temperature", "top_p",
                 "max_tokens", "fidget", "choices", "stream", "logprobs", "system", "turns",
                 "conversations", "gap_s", "preamble", "preamble_share"):  # fmt: skip
        expected = set(np.unique(w[name][users]).tolist())
        mine = set(np.unique(w[name][w["work"]]).tolist())
        assert str(sorted(mine)) == str(sorted(expected)), name  # NaN does not equal itself
    assert len(np.unique(theirs.client)) == 3
    for name in ("input_tokens", "output_tokens"):
        good = [np.log(getattr(r, name)[(r.status == 200) & (r.turn == 0)])
                for r in (honest, theirs)]  # fmt: skip
        assert abs(good[0].mean() - good[1].mean()) < 0.35
        assert good[0].std() == pytest.approx(good[1].std(), rel=0.25)
    turns = [(r.turn > 0).mean() for r in (honest, theirs)]
    assert turns[1] > 0.6 * turns[0]
    # What it asks is its own: fewer templates, for its size, than honest users have.
    first = [r.prompt.template[r.turn == 0] for r in (honest, theirs)]
    assert len(np.unique(first[1])) < len(np.unique(first[0]))
    own = work_of(world_of("agent_harness", 0.0, accounts=1_500))
    assert not set(own.client) & set(honest.client)
    assert not set(own.system) & set(honest.system)


def test_customers_clothes_are_put_on_one_after_another() -> None:
    adversary = ADVERSARIES["customer_clothes"]
    plain = Tactic()
    bare = adversary.habits(0.0)
    assert bare.own_settings
    assert bare.own_lengths
    assert bare.clients == plain.clients > 0
    assert not bare.customers_hours
    worlds = [world_of("customer_clothes", s, accounts=900) for s in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    works = [work_of(world) for world in worlds]
    commonest = [np.unique(rows.max_tokens, return_counts=True)[1].max() / len(rows)
                 for rows in works]  # fmt: skip
    assert commonest[0] > 0.95 > 0.8 > commonest[1]
    spread = []
    for rows in works:
        good = rows.status == 200
        logs = np.log(np.maximum(rows.output_tokens[good], 1))
        count = np.bincount(rows.account[good])
        mean = np.bincount(rows.account[good], logs) / np.maximum(count, 1)
        spread.append(mean[count >= 10].std())
    assert spread[1] < 0.75 * spread[2]
    clients = [len(np.unique(rows.client)) for rows in works]
    assert clients[2] <= 2 < 10 < clients[3]
    hours = [len(np.unique((rows.time_us // 3_600_000_000) % 24)) for rows in works]
    assert hours[3] <= 12 < 20 < hours[4]
    plans = []
    for world in worlds:
        plans.append(np.bincount(world.accounts["plan"][members(world)], minlength=3) / ACCOUNTS)
    assert plans[4][0] == 0
    assert plans[5] == pytest.approx([0.35, 0.2, 0.45], abs=0.2)
    payment = worlds[5].accounts["payment"][members(worlds[5])]
    assert (payment == 0).mean() == pytest.approx(plans[5][0])
    # What is left: one phrasing in a third of its prompts, and more requests than people send.
    styles = worlds[5].workloads
    assert len(np.unique(styles["style"][styles["work"] & (styles["narrow"] > 0)])) == 1
