"""The message for Slack keeps to Block Kit's limits, and nobody's id is a link or calls someone."""

from __future__ import annotations

import json
import re

import pytest
from hostile_texts import HOSTILE

from jobs.outputs import notify, slack
from jobs.outputs.nights import load_night
from jobs.outputs.sending import endpoint


@pytest.fixture
def payload(decided, night):
    def make(**rows):
        lake = decided(**rows)
        return slack.payload(load_night(lake), lake.rows("campaign_events", night, night))

    return make


def texts(payload):
    for block in payload["blocks"]:
        yield from [block["text"]] if "text" in block else block.get("elements", [])


def campaigns(ids, **columns):
    return {
        "campaigns": [{"campaign_id": i, "requests": n, **columns} for n, i in enumerate(ids)],
        "actions": [{"account_id": f"a{n}", "campaign_id": i, "action": "limit"}
                    for n, i in enumerate(ids)],
    }  # fmt: skip


def test_says_the_night_in_figures_and_names_the_largest(payload, night):
    made = payload(
        **campaigns(["c1", "c2"], kind="distillation", score=0.5, summary="Two of them.")
    )
    assert made["text"] == f"Stillwatch, night of {night}"
    said = [text["text"] for text in texts(made)]
    assert "*Accounts acted on*: limit 2" in said[1]
    assert said[2:4] == [
        "`c2` · distillation, score 0.50, 2 accounts, 1 requests · limit 1", "Two of them.",
    ]  # fmt: skip


def test_in_observe_mode_it_says_so(payload):
    made = payload(**campaigns(["c1"]), mode="observe")
    assert made["text"].endswith("(observed only: nothing is enforced)")
    assert made["blocks"][0]["text"]["text"] == made["text"]


@pytest.mark.parametrize("many", [0, 1, 400])
def test_keeps_to_the_limits_of_block_kit(payload, many):
    """Limits from docs.slack.dev, reference of blocks: 50 blocks, 3,000 and 150 characters."""
    ids = [f"{n}{'<🙂>' * 20_000}" for n in range(many)]
    made = payload(**campaigns(ids[:20] + [f"c{n}" for n in range(20, many)], summary="🙂" * 2_000))
    assert len(made["blocks"]) <= 50
    assert all(0 < len(text["text"]) <= 3_000 for text in texts(made))
    assert len(made["blocks"][0]["text"]["text"]) <= 150
    assert len(json.dumps(made)) < 13_000
    if many == 400:
        assert re.fullmatch(r"39\d further campaigns .*", list(texts(made))[-1]["text"])


@pytest.mark.parametrize("text", [t for t in HOSTILE if t])
def test_words_of_others_make_no_link_no_mention_and_no_format(payload, text):
    made = payload(**campaigns([f"x{text}"], summary=f"y{text} https://evil.example/"))
    own, theirs = list(texts(made))[:2], list(texts(made))[2:]
    assert own and theirs
    for part in theirs:
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)|://", part["text"])
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\ufeff]", part["text"])
        if part["type"] == "mrkdwn":
            assert part["verbatim"] is True
            assert re.match(r"`[^`]*` · ", part["text"]), "the id stands in code"
            assert part["text"].count("`") == 2
        else:
            assert part["emoji"] is False
    assert made["unfurl_links"] is False


def test_is_posted_without_a_signature(decided, server):
    lake = decided(**campaigns(["c1"]))
    assert notify.tell(lake, endpoint(server.url), None, "slack", False).delivered == 1
    (request,) = server.requests
    assert json.loads(request.body)["blocks"][0]["type"] == "header"
    assert "webhook-signature" not in request.headers
