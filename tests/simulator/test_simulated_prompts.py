"""Prompts: families that parameters control, diversity, habits, and clean escaping."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest

from jobs.simulator import CampaignPlan, World, WorldSettings, build_world
from jobs.simulator.day import draw
from jobs.simulator.prompts import LANGUAGES, Grammar, PromptRows
from jobs.simulator.templates import CAPABILITIES

CHAT = WorldSettings(days=3, accounts=600, tactics=(), reseller=False)


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    """One grammar for the tests here."""
    return Grammar(5)


def rows_of(grammar: Grammar, count: int, capability: str, language: str, **same) -> PromptRows:
    """Prompts of one capability and language; `same` fixes what would vary."""
    key = np.random.default_rng(1).integers(1, 2**63, count).astype(np.uint64)
    style = np.full(count, same.get("style", 17), np.uint64)
    chosen = np.full(count, CAPABILITIES.index(capability))
    spoken = np.full(count, LANGUAGES.index(language))
    zero = np.zeros(count, np.int64)
    return PromptRows(
        key=key,
        style=style,
        template=grammar.choose_templates(
            key, style, chosen, spoken, np.full(count, same.get("narrow", 0))
        ),
        topic=key.astype(np.int64) % 20,
        paraphrase=np.full(count, same.get("paraphrase", 1.0), np.float32),
        synonyms=np.full(count, same.get("synonyms", 0.0), np.float32),
        units=np.full(count, same.get("units", 3)),
        preamble=zero,
        closing=zero,
    )


def test_a_seed_makes_one_grammar_and_worlds_add_to_copies(grammar: Grammar) -> None:
    again, other, one, two = Grammar(5), Grammar(6), Grammar.of(5), Grammar.of(5)
    rows = rows_of(grammar, 200, "coding", "en")
    for escaped in (False, True):
        text = grammar.write(rows, escaped)
        assert again.write(rows, escaped) == text and one.write(rows, escaped) == text
        assert other.write(rows, escaped) != text
    assert one.add_corpus(["given"]) == two.add_corpus(["another"])
    assert one.add("said first: ") == two.add("said before: ")
    start = one.add("once more: ")
    texts = [g.write(replace(rows, preamble=rows.preamble + start - 1), False)[0].as_py()
             for g in (one, two)]  # fmt: skip
    assert texts[0].startswith("said first: ") and texts[1].startswith("said before: ")
    assert Grammar.of(5).write(rows, False) == grammar.write(rows, False)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_every_capability_writes_whole_and_different_prompts(
    grammar: Grammar, capability: str
) -> None:
    texts = grammar.write(rows_of(grammar, 3_000, capability, "en"), False).to_pylist()
    assert min(len(text) for text in texts) >= 2
    assert not any(mark in text for text in texts for mark in ("{own}", "{np}", "{num}", "BODY"))
    # Short turns and support questions repeat, as they do in life.
    least = 0.2 if capability in ("followup", "support") else 0.9
    assert len(set(texts)) > least * len(texts)


def test_languages_are_written_in_their_script(grammar: Grammar) -> None:
    sample = {
        lang: grammar.write(rows_of(grammar, 300, "question", lang), False).to_pylist()
        for lang in LANGUAGES
    }
    han = [sum("\u4e00" <= c <= "\u9fff" for c in text) / len(text) for text in sample["zh"]]
    assert np.mean(han) > 0.6
    assert np.mean([" die " in f" {t.lower()}" for t in sample["de"]]) > 0.9
    assert np.mean([("los " in t or "las " in t) for t in sample["es"]]) > 0.9
    assert np.mean(["les " in t for t in sample["fr"]]) > 0.9


def test_same_key_same_text_and_habits_follow_the_account(grammar: Grammar) -> None:
    rows = rows_of(grammar, 500, "reasoning", "en", paraphrase=0.0, narrow=1)
    first = grammar.write(rows, False)
    assert first == grammar.write(rows, False)
    assert len(np.unique(rows.template)) == 1
    heads = {text.split(":")[0] for text in first.to_pylist()}
    assert len(heads) < 60  # one template, one phrasing; only slots differ
    free = rows_of(grammar, 500, "reasoning", "en", paraphrase=1.0)
    assert len(np.unique(free.template)) >= 4
    named = rows_of(grammar, 300, "role_play", "en", paraphrase=0.0, narrow=1)
    phrased = {
        grammar.write(replace(named, style=named.style + np.uint64(i)), False)[0].as_py()
        for i in range(8)
    }
    assert len(phrased) > 1


def test_escaped_prompts_are_json_strings(grammar: Grammar) -> None:
    for capability in ("coding", "tool_use", "translation", "email"):
        rows = rows_of(grammar, 200, capability, "en")
        plain = grammar.write(rows, False).to_pylist()
        escaped = grammar.write(rows, True).to_pylist()
        assert [json.loads(f'"{text}"') for text in escaped] == plain


@pytest.mark.parametrize("wanted", [200.0, 340.0, 600.0, 1_500.0])
def test_mean_prompt_length_is_as_told(wanted: float) -> None:
    world = build_world(replace(CHAT, accounts=1_500, prompt_chars=wanted))
    rows = draw(world, 1, 0, 1.0)
    chars = pc.utf8_length(world.grammar.write(rows.prompt, False))
    assert pc.mean(chars).as_py() == pytest.approx(wanted, rel=0.15)


def test_capabilities_and_languages_can_be_chosen() -> None:
    world = build_world(replace(CHAT, capabilities=("maths", "translation"), languages=("en",)))
    rows = draw(world, 1, 0, 1.0)
    names = {world.grammar.template_names[t] for t in np.unique(rows.prompt.template)}
    assert {name.split("/")[0] for name in names} == {"maths", "translation"}
    assert {name.split("/")[1] for name in names} == {"en"}
    with pytest.raises(ValueError, match="unknown capability"):
        build_world(replace(CHAT, capabilities=("clairvoyance",)))


def shingles(text: str) -> set[str]:
    """Runs of five words."""
    words = text.split()
    return {" ".join(words[i : i + 5]) for i in range(len(words) - 4)}


def overlap(world: World, inside: np.ndarray, count: int = 300) -> float:
    """Mean share of a prompt's five-word runs that other prompts of the group have too."""
    rows = draw(world, 1, 0, 1.0)
    chosen = np.flatnonzero(inside[rows.workload])[:count]
    texts = world.grammar.write(rows.prompt.slice(chosen), False).to_pylist()
    sets = [s for s in map(shingles, texts) if s]
    seen: dict[str, int] = {}
    for s in sets:
        for shingle in s:
            seen[shingle] = seen.get(shingle, 0) + 1
    return float(np.mean([np.mean([seen[x] > 1 for x in s]) for s in sets]))


def test_a_template_farm_repeats_itself_and_developers_do_not() -> None:
    plan = CampaignPlan("template_farm", 60, 0, labelled=False)
    world = build_world(replace(CHAT, campaigns=(plan,)))
    kind = world.accounts["kind"][world.workloads["account"]]
    farm, people = overlap(world, world.workloads["work"]), overlap(world, kind == "developer")
    assert farm > 1.6 * people, (farm, people)
