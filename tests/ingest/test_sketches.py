"""What is kept of a prompt: enough to find equal templates and near-duplicates, no word of it."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.catalog.sketch import (
    MARKERS,
    SHINGLE_WORDS,
    SIGNATURE_SIZE,
    SKETCH_CHARS,
    WORD_BUCKETS,
)
from jobs.ingest.sketching import sketches as batch_of_sketches
from jobs.ingest.sketching import with_sketch
from tests.ingest.sketch_by_columns import sketches_by_columns

SEED = 7
WORDS = [f"w{a}{b}" for a in "abcdefghijklmnop" for b in "abcdefghijklmnop"]


def sketches(session, prompts: list[str | None], seed: int = SEED) -> list[dict]:
    frame = session.createDataFrame(
        [(n, text, None) for n, text in enumerate(prompts)],
        "n int, prompt_text string, response_text string",
    )
    rows = with_sketch(frame, ["n"], seed).toArrow().to_pylist()
    return sorted(rows, key=lambda row: row["n"])


def shingles(prompt: str) -> set[tuple[str, ...]]:
    words = prompt.split()
    return {tuple(words[n : n + SHINGLE_WORDS]) for n in range(len(words) - SHINGLE_WORDS + 1)}


def test_numbers_case_and_white_space_make_no_difference(session):
    a, b, c, other = sketches(session, [
        "Grade answer 17 on a scale from 1 to 10: the cat sat on the mat.",
        "grade  answer 4711\non a scale from 1 to 5: the cat sat on the mat.",
        "\tGrade answer 17 on\r\na scale from 1 to 10: the cat sat on the mat. ",
        "Grade essay 17 on a scale from 1 to 10: the cat sat on the mat.",
    ])  # fmt: skip
    for name in ("prompt_key", "template_key", "template_end_key", "prompt_signature"):
        assert a[name] == b[name] == c[name]
    assert other["prompt_key"] != a["prompt_key"]
    assert other["template_key"] != a["template_key"]
    assert other["template_end_key"] == a["template_end_key"]


def test_one_template_with_many_fillings_has_one_key_at_its_front(session):
    front = "You will be given a question; answer it as an expert would. Question: "
    end = " Think it through and reply in one line of JSON."
    rows = sketches(session, [f"{front}{word} {word[::-1]}{end}" for word in WORDS[:20]])
    assert len({row["template_key"] for row in rows}) == 1
    assert len({row["template_end_key"] for row in rows}) == 1
    assert len({row["prompt_key"] for row in rows}) == 20


def test_the_signature_estimates_the_share_of_common_shingles(session):
    """Bottom-k over both: its mean error over many pairs is far below one pair's 1/sqrt(k)."""
    draw = random.Random(11)
    pairs = []
    for changed in (0, 1, 3, 6, 10, 20) * 30:
        words = draw.choices(WORDS, k=60)
        other = list(words)
        for place in draw.sample(range(60), changed):
            other[place] = draw.choice(WORDS)
        pairs.append((" ".join(words), " ".join(other)))
    rows = sketches(session, [text for pair in pairs for text in pair])
    errors, exacts = [], []
    for (a, b), left, right in zip(pairs, rows[::2], rows[1::2], strict=True):
        sa, sb = set(left["prompt_signature"]), set(right["prompt_signature"])
        smallest = sorted(sa | sb)[:SIGNATURE_SIZE]
        exact = len(shingles(a) & shingles(b)) / len(shingles(a) | shingles(b))
        exacts.append(exact)
        errors.append(sum(h in sa and h in sb for h in smallest) / len(smallest) - exact)
    assert max(exacts) == 1.0
    assert min(exacts) < 0.2
    assert abs(sum(errors) / len(errors)) < 0.05
    assert (sum(e * e for e in errors) / len(errors)) ** 0.5 < SIGNATURE_SIZE**-0.5


def test_near_duplicates_share_hashes_and_strangers_none(session):
    base = "Translate the following passage about rivers and bridges into formal German prose " * 2
    near = base.replace("rivers", "canals", 1)
    far = " ".join(reversed(WORDS[:24]))
    a, b, c = (set(row["prompt_signature"]) for row in sketches(session, [base, near, far]))
    assert len(a & b) >= SIGNATURE_SIZE // 2
    assert not a & c
    assert all(len(s) <= SIGNATURE_SIZE for s in (a, b, c))


def test_a_signature_is_sorted_and_without_repeats(session):
    for row in sketches(session, ["a b c a b c a b c a b c", " ".join(WORDS[:50])]):
        assert row["prompt_signature"] == sorted(set(row["prompt_signature"]))


def test_words_are_buckets_whatever_their_order_and_number(session):
    one, again, none, other, both, nothing = (row["prompt_words"] for row in sketches(session, [
        "the bridge over a river", "River bridge, bridge river over OVER".replace(",", ""),
        "a is to be it", "quantum", "quantum bridge river over", None,
    ]))  # fmt: skip
    assert one == again  # letters' case, order, repeats and short words make no difference
    assert none == 0
    assert nothing is None
    assert both == one | other
    assert other.bit_count() == 1
    many = {row["prompt_words"] for row in sketches(session, [f"{w}word" for w in WORDS])}
    assert many == {1 << bucket for bucket in range(WORD_BUCKETS)}  # all are used, and no other


@pytest.mark.parametrize(("prompt", "chars", "signature"), [
    (None, None, None), ("", 0, None), ("   ", 3, None), ("one", 3, 1), ("one two", 7, 1),
    ("one two three", 13, 1), ("one two three four", 18, 2),
])  # fmt: skip
def test_short_prompts(session, prompt, chars, signature):
    row, _ = sketches(session, [prompt, "something else entirely"])
    assert row["prompt_chars"] == chars
    assert row["prompt_signature"] is None if signature is None else (
        len(row["prompt_signature"]) == signature)  # fmt: skip
    assert (row["prompt_key"] is None) == (signature is None)
    assert (row["prompt_markers"] is None) == (prompt is None)


def test_another_key_gives_other_hashes(session):
    prompt = "Grade this answer by the rubric below, please, and say why."
    (a,), (b,) = sketches(session, [prompt], 1), sketches(session, [prompt], 2)
    for name in ("prompt_key", "template_key", "template_end_key"):
        assert a[name] != b[name]
        assert len(a[name]) == 16
    assert not set(a["prompt_signature"]) & set(b["prompt_signature"])
    assert a["prompt_words"] != b["prompt_words"]
    assert a["prompt_markers"] == b["prompt_markers"]


def test_a_long_prompt_is_known_by_its_front(session):
    front = "tell me about the sea " * (SKETCH_CHARS // 22 + 1)
    a, b = sketches(session, [front + "and then", front + "or rather"])
    assert a["prompt_key"] == b["prompt_key"]
    assert (a["prompt_chars"], b["prompt_chars"]) == (len(front) + 8, len(front) + 9)


ASKED = [
    ("reasoning", ["Show your work step by step.", "Erkläre Schritt für Schritt.",
                   "Explica paso a paso.", "Explique étape par étape.", "请一步一步推理。"]),
    ("rubric", ["Grade the answer by this rubric.", "Bewerte die Antwort.", "Califica el texto.",
                "请给这段话打分"]),
    ("censor", ["Rewrite it to avoid sensitive words.", "请删除敏感内容"]),
    ("code", ["Write a Python function.", "写一个函数"]),
    ("tools", ["Reply with a function call.", "请调用工具"]),
    ("agent", ["Observation: the file is there. Next action?"]),
    ("multiple_choice", ["Pick one: A) red B) blue C) green", "这是选择题"]),
    ("translate", ["Translate this.", "Übersetze das.", "Traduce esto.", "翻译成英文"]),
    ("role_play", ["Pretend to be a pirate.", "Spiele die Rolle eines Piraten.", "扮演海盗"]),
    ("extraction", ["Summarize this report.", "总结这份报告"]),
    ("synthesis", ["Generate diverse training examples.", "生成十个问题"]),
    ("maths", ["Prove the theorem.", "证明这个定理"]),
]  # fmt: skip


def test_what_is_asked_for_is_marked_in_several_languages(session):
    cases = [(name, prompt) for name, prompts in ASKED for prompt in prompts]
    rows = sketches(session, [prompt for _, prompt in cases])
    bits = {marker.name: 1 << marker.bit for marker in MARKERS}
    unmarked = [case for case, row in zip(cases, rows, strict=True)
                if not row["prompt_markers"] & bits[case[0]]]  # fmt: skip
    assert unmarked == []
    assert {name for name, _ in ASKED} == set(bits), "a marker without an example"


#: What prompts are put together from here: pieces of what is asked for, white space and digits in
#: rows, letters whose small form is longer, shorter or depends on where they stand, four bytes.
PIECES = st.one_of(
    st.sampled_from([*(word for _, texts in ASKED for text in texts for word in text.split(" ")),
                     *" \t\r\n\x0b\x000123", "  ", "\u00a0", "\u2028", "A)", "b)", "17", "٣",
                     "İ", "Σ", "ΑΣ", "ẞ", "ǅ", "\u0345", "Kelvin", "日本", "\U0001f600",
                     "\U00010400"]),
    st.text(st.characters(max_codepoint=0x2FFF, exclude_categories=("Cs", "Cn")), max_size=8),
)  # fmt: skip
PROMPTS = st.one_of(
    st.none(),
    st.builds(
        lambda joint, pieces, times: joint.join(pieces * times),
        st.sampled_from(["", " "]), st.lists(PIECES, max_size=8),
        st.sampled_from([1, 1, 1, 40]),  # longer than a front
    ),
)  # fmt: skip


@settings(max_examples=30)
@given(
    prompts=st.lists(PROMPTS, min_size=10, max_size=30),
    seed=st.integers(-(2**63), 2**63 - 1),
)
def test_a_sketch_is_what_column_expressions_make_of_the_prompt(session, prompts, seed):
    frame = session.createDataFrame([*enumerate(prompts)], "n int, prompt_text string")
    wanted = sketches_by_columns(frame, seed)
    for prompt, found, expected in zip(prompts, sketches(session, prompts, seed), wanted,
                                       strict=True):  # fmt: skip
        assert {name: found[name] for name in expected} == expected, prompt


def test_a_front_ends_with_its_last_character(session):
    """Where characters have one to four bytes, and a capital is longer in its small form."""
    for letter in ("a", "é", "推", "\U0001f600", "İ"):
        prompts = [letter * (SKETCH_CHARS + more) for more in (-1, 0, 1)] + [
            letter * SKETCH_CHARS + " tail"
        ]
        short, full, longer, other = sketches(session, prompts)
        assert full["prompt_key"] == longer["prompt_key"] == other["prompt_key"]
        assert short["prompt_key"] != full["prompt_key"]


def test_batches_that_are_slices_and_other_kinds_of_text():
    texts = [None, "one two three", "", "Überall 12 Σ", "plain talk", None]
    whole = pa.array(texts)
    wanted = batch_of_sketches(whole, SEED).to_pylist()
    assert batch_of_sketches(whole.slice(1, 4), SEED).to_pylist() == wanted[1:5]
    assert batch_of_sketches(whole.cast(pa.large_string()), SEED).to_pylist() == wanted
    assert batch_of_sketches(whole.cast(pa.string_view()), SEED).to_pylist() == wanted
    assert batch_of_sketches(whole.slice(0, 0), SEED).to_pylist() == []


def test_plain_talk_is_not_marked(session):
    prompts = ["What a lovely morning it is.", "Wie geht es dir heute?", "今天天气很好"]
    assert [row["prompt_markers"] for row in sketches(session, prompts)] == [0, 0, 0]


def test_scripts_are_told_apart(session):
    prompts = {
        "latin": "Où est la bibliothèque? Größe.", "kana": "日本語で書いてください",
        "hangul": "한국어로 써 주세요", "han": "请用中文写", "cyrillic": "Напиши по-русски",
        "arabic": "اكتب بالعربية", "devanagari": "हिंदी में लिखें",
    }  # fmt: skip
    rows = sketches(session, [*prompts.values(), "plain ASCII 123"])
    assert [row["prompt_script"] for row in rows] == [*prompts, "latin"]
