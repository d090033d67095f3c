"""Ablation, leaving a tactic out, strength and public text: what each takes away, and only that."""

from __future__ import annotations

import dataclasses
import gzip
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from jobs.catalog import policy
from jobs.catalog.features import FEATURE_NAMES
from jobs.catalog.policy import CAMPAIGN_POLICY
from jobs.lab import corpora
from jobs.lab.ablation import families, rescored, without
from jobs.lab.command import chosen
from jobs.lab.nights import axis_families, described, dropped, folder_of, policy_in_force
from jobs.lab.strength import strength_curves
from jobs.lab.tactics import without_tactic
from jobs.lab.worlds import SMALL_WORLDS, WORLDS, public_text_world, strength_world, turning
from jobs.platform.errors import StillwatchError
from jobs.prior import HOLDOUT_WORLDS, TRAINING_WORLDS
from jobs.simulator import ADVERSARIES
from models.dataset import TrainingSet
from models.prior import load_prior

# Ablation


def test_every_feature_is_of_one_family_and_those_of_campaigns_are_one() -> None:
    of = families()
    assert sorted(name for names in of.values() for name in names) == sorted(FEATURE_NAMES)
    assert {"campaign_accounts", "campaign_score", "campaign_strength"} <= set(of["campaign"])
    assert {name.partition("_")[0] for name in of["campaign"]} == {"campaign"}
    assert "address_fan_7d" in of["infrastructure"]


def test_a_feature_taken_away_changes_scores_as_if_it_could_not_be_had() -> None:
    prior = load_prior()
    names = list(prior.feature_names)
    whole = pa.table({n: [1.0, 0.5] for n in names} | {"account_id": ["a", "b"]})
    truth = pd.DataFrame({
        "account_id": ["a", "b"], "class": ["distillation", "benign"],
        "campaign": ["D00", None], "tactic": ["t", None],
    })  # fmt: skip
    less = without(whole, ["campaign_score", "campaign_strength"])
    assert less["campaign_score"].null_count == less["campaign_strength"].null_count == 2
    assert less["campaign_resale_score"].null_count == 0
    assert whole["campaign_score"].null_count == 0
    expected = prior.predict(less)["distillation_score"].to_pylist()
    rows = rescored(prior, less, truth)
    assert rows["distillation_score"].tolist() == expected
    assert rows["guilty"].tolist() == [True, False]
    assert expected != prior.predict(whole)["distillation_score"].to_pylist()


def test_a_family_dropped_from_the_policy_is_worth_nothing_and_others_as_much() -> None:
    assert axis_families(CAMPAIGN_POLICY).count("identity") == 1, "of two axes, once"
    less = dropped(CAMPAIGN_POLICY, "identity")
    for before, after in zip(CAMPAIGN_POLICY.axes, less.axes, strict=True):
        if before.family == "identity":
            assert after.cap == 0 and {cap for _, cap in after.kinds} == {0.0}
            assert [kind for kind, _ in after.kinds] == [kind for kind, _ in before.kinds]
        else:
            assert after == before
    assert dataclasses.replace(less, axes=CAMPAIGN_POLICY.axes) == CAMPAIGN_POLICY


def test_another_policy_is_in_force_for_its_block_only_even_when_that_fails() -> None:
    less = dropped(CAMPAIGN_POLICY, "time")
    with pytest.raises(ZeroDivisionError), policy_in_force(less):
        assert policy.CAMPAIGN_POLICY is less
        raise ZeroDivisionError
    assert policy.CAMPAIGN_POLICY is CAMPAIGN_POLICY


# Worlds


def test_worlds_have_seeds_that_the_prior_has_not() -> None:
    of_prior = {world.seed for world in (*TRAINING_WORLDS, *HOLDOUT_WORLDS)}
    every = [*WORLDS.values(), *SMALL_WORLDS.values()]
    assert not of_prior & {world.settings.seed for world in every}


def test_forward_in_time_means_that_some_campaign_begins_after_the_last_label() -> None:
    from jobs.simulator import build_world

    settings = dataclasses.replace(WORLDS["open"].settings, accounts=400)
    operations = build_world(settings).operations
    late = [o for o in operations if o.start_day > settings.label_horizon]
    assert len(late) == 2 and not any(o.labelled for o in late)


def test_the_key_of_a_world_follows_its_settings() -> None:
    world = WORLDS["open"]
    other = dataclasses.replace(world, settings=dataclasses.replace(world.settings, seed=1))
    later = dataclasses.replace(world, judged_from=9)
    folders = {folder_of(w, Path("kept")) for w in (world, other, later)}
    assert len(folders) == 3
    assert folder_of(dataclasses.replace(world), Path("kept")) == folder_of(world, Path("kept"))


def test_a_world_that_is_not_declared_is_refused_in_one_line() -> None:
    with pytest.raises(StillwatchError, match="no world 'opne': choose of open, "):
        chosen(["opne"], small=False, corpora_folder=None)
    assert [w.name for w in chosen(["clothes", "open", "clothes"], False, None)] == [
        "clothes", "open",
    ]  # fmt: skip


# Leave one tactic out


def test_only_accounts_of_the_tactic_leave_the_rows() -> None:
    names = ["101/D00-template_farm", "101/D01-hydra_proxies", None, "102/D00-template_farm"]
    rows = TrainingSet(
        pa.table({"account_id": ["a", "b", "c", "d"], "campaign": names}), (),
        WORLDS["open"].nights[0], {},
    )  # fmt: skip
    left = without_tactic(rows, "template_farm")
    assert left.column("account_id").tolist() == ["b", "c"]
    assert len(without_tactic(rows, "farm")) == 4


# Strength


def test_every_adversary_that_turns_is_met_at_each_strength() -> None:
    one, other = strength_world(0.5, "a"), strength_world(0.5, "b")
    assert sorted(name for w in (one, other) for name, _ in w.adversaries) == sorted(turning())
    for world in (one, other):
        plans = world.settings.campaigns or ()
        assert sum(count for _, count in world.adversaries) == len(plans)
        assert not any(plan.labelled for plan in plans)
        at = 0
        for name, count in world.adversaries:
            assert {plan.tactic for plan in plans[at : at + count]} == {ADVERSARIES[name].tactic}
            at += count


def test_an_adversary_of_several_campaigns_is_one_point_weighed_by_accounts() -> None:
    world = dataclasses.replace(
        WORLDS["open"], strength=0.5, adversaries=(("many_small", 2), ("jitter", 1))
    )
    campaigns = {
        "D00": {"accounts": 30, "recall": 1.0, "one_piece": 0.5},
        "D01": {"accounts": 10, "recall": 0.0, "one_piece": None},
        "D02": {"accounts": 0, "recall": None, "one_piece": None},
    }
    curves = strength_curves([(world, {"campaigns": campaigns})])
    (many,) = curves["many_small"]["points"]
    assert (many["strength"], many["accounts"], many["recall"]) == (0.5, 40, 0.75)
    assert many["one_piece"] == 0.5
    assert many["price"] == ADVERSARIES["many_small"].price(0.5)
    assert curves["jitter"]["points"][0]["recall"] is None


# Public text


def _prompts(folder: Path, *rows: dict[str, object]) -> Path:
    (folder / "prompts").mkdir(parents=True)
    with gzip.open(folder / "prompts" / "some.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def test_public_prompts_become_the_texts_of_a_world(tmp_path: Path) -> None:
    texts = corpora.read(_prompts(
        tmp_path,
        {"family": "chats", "kind": "human", "prompt": "why is the sky blue"},
        {"family": "arena", "kind": "human", "prompt": "prove it"},
        {"family": "bank", "kind": "support_bot", "prompt": "where is my card"},
        {"family": "teach", "kind": "distillation", "prompt": "solve step by step"},
        {"family": "teach", "kind": "distillation", "prompt": " "},
    ))  # fmt: skip
    assert texts == {
        "honest": ["why is the sky blue", "prove it"],
        "support_bot": ["where is my card"],
        "distillation:teach": ["solve step by step"],
    }
    world = public_text_world(texts)
    assert {plan.corpus for plan in world.settings.campaigns or ()} == {"teach"}
    # A report says which texts they were, without any of them.
    said = json.dumps(described(world))
    assert "2 texts, sha256" in said and "sky" not in said


def test_a_folder_without_prompts_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match="leave --corpora out"):
        corpora.read(tmp_path)
    rows = _prompts(tmp_path / "one", {"family": "a", "kind": "human", "prompt": "hello"})
    with pytest.raises(StillwatchError, match="kinds human and distillation"):
        corpora.read(rows)
    (rows / "prompts" / "some.jsonl.gz").write_bytes(b"not gzip")
    with pytest.raises(StillwatchError, match="can't be read"):
        corpora.read(rows)
