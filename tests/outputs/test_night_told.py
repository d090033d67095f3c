"""A night told to a real server: what it says, once, and what becomes of what could not be told."""

from __future__ import annotations

import base64
import datetime as dt
import json

import pytest
from hostile_texts import HOSTILE

from jobs import verdicts
from jobs.outputs import events, notify
from jobs.outputs.nights import load_night
from jobs.outputs.sending import Patience, endpoint

HASTY = Patience(attempts=2, first_pause=0.01, longest_pause=0.02, read=0.5, attempt=1, whole=20)
KEY = base64.b64encode(bytes(32)).decode()
ROWS = {
    "actions": [
        {"account_id": "a1", "action": "review", "campaign_id": "c1"},
        {"account_id": "a2", "action": "limit", "campaign_id": "c1"},
        {"account_id": "a3", "action": "watch"},
    ],
    "campaigns": [
        {"campaign_id": "c1", "kind": "distillation", "score": 0.9, "accounts": 5, "requests": 70},
        {"campaign_id": "c2", "kind": "resale", "accounts": 4},
        {"campaign_id": "quiet", "accounts": 2},
    ],
    "changes": [
        {"campaign_id": "c0", "event": "merged", "other_campaign_id": "c1", "accounts": 3},
        {"campaign_id": "c2", "event": "founded", "accounts": 4},
    ],
}


@pytest.fixture
def to(server):
    return endpoint(server.url, (bytes(32),))


def tell(lake, to, observe=False, kind="webhook", patience=HASTY):
    return notify.tell(lake, to, None, kind, observe, patience)


def outcomes(lake):
    rows = lake.rows("deliveries").sort_by("recorded_at").to_pylist()
    return [(row["outcome"], row["attempts"], row["status"], row["problem"]) for row in rows]


class TestWhatIsSaid:
    def test_the_summary_and_campaigns_that_changed_or_are_acted_on(
        self, decided, server, to, night
    ):
        told = tell(decided(**ROWS), to)
        assert (told.delivered, told.dead, told.mode) == (2, 0, "enforce")
        head, campaigns = (json.loads(request.body) for request in server.requests)
        assert head == {
            "type": "stillwatch.enforce.night",
            "timestamp": f"{night + dt.timedelta(days=1)}T00:00:00Z",
            "data": {
                "night": str(night), "mode": "enforce", "enforce": True,
                "actions": {"watch": 1, "limit": 1, "review": 1},
                "actions_outside_campaigns": {"watch": 1},
                "campaigns": 3,
                "campaigns_by_kind": {"distillation": 2, "resale": 1},
                "campaign_changes": {"founded": 1, "merged": 1},
                "policy_versions": ["p-1"], "model_versions": ["m/1"], "messages": 2,
            },
        }  # fmt: skip
        assert campaigns["type"] == "stillwatch.enforce.campaigns"
        c0, c1, c2 = campaigns["data"]["campaigns"]
        assert c0 == {
            "campaign_id": "c0", "actions": {}, "listed": [],
            "changes": [{"event": "merged", "accounts": 3, "other": "c1"}],
        }  # fmt: skip
        assert (c1["campaign_id"], c1["kind"], c1["requests"]) == ("c1", "distillation", 70)
        assert c1["actions"] == {"limit": 1, "review": 1}
        assert [(a["account_id"], a["action"]) for a in c1["listed"]] == [
            ("a1", "review"), ("a2", "limit"),
        ]  # fmt: skip
        assert c2["changes"] == [{"event": "founded", "accounts": 4}]

    def test_bodies_stay_small_and_none_is_left_out(self, decided, night):
        face = "🙂" * 200
        actions = [
            {"account_id": f"{text}{face}{n}", "campaign_id": f"c{n % 300}", "action": "limit"}
            for n in range(3_000) for text in HOSTILE[:3]
        ]  # fmt: skip
        lake = decided(actions=actions, campaigns=[{"campaign_id": "c1", "summary": "x" * 10**6}])
        made = events.messages(load_night(lake), lake.rows("campaign_events", night, night))
        assert max(len(message.body) for message in made) <= events.MOST_BYTES
        bodies = [json.loads(message.body) for message in made]
        assert bodies[0]["data"]["messages"] == len(made)
        told = [c for body in bodies[1:] for c in body["data"]["campaigns"]]
        assert sorted(c["campaign_id"] for c in told) == sorted(f"c{n}" for n in range(300))
        assert all(c["actions"] == {"limit": 30} for c in told)
        sizes = [len(json.dumps(c, ensure_ascii=False).encode()) for c in told]
        assert max(sizes) < events.MOST_BYTES * 0.55, "one campaign takes half of a body at most"
        assert all(0 < len(c["listed"]) <= events.MOST_ACCOUNTS for c in told)

    def test_names_of_messages_follow_night_content_and_mode(self, decided, night):
        def names(**rows):
            lake = decided(**rows)
            made = events.messages(load_night(lake), lake.rows("campaign_events", night, night))
            return {message.id for message in made}

        first = names(**ROWS)
        assert names(**ROWS) == first
        assert names(**ROWS, mode="observe").isdisjoint(first)
        assert len(names(**ROWS | {"campaigns": ROWS["campaigns"][:1]}) & first) == 0
        assert all("." not in name for name in first)


class TestOnce:
    def test_a_night_told_again_sends_nothing(self, decided, server, to):
        lake = decided(**ROWS)
        tell(lake, to)
        told = tell(lake, to)
        assert (told.delivered, told.known, len(server.requests)) == (0, 2, 2)

    def test_a_server_that_failed_after_taking_it_has_one_effect(self, decided, server, to):
        """Its answer is lost, so it is told again, under the same name."""
        lake = decided(**ROWS)
        server.script = ["drop", "drop", 200, 200]
        told = tell(lake, to)
        assert (told.delivered, told.dead) == (1, 1)
        server.effects[server.requests[0].headers["webhook-id"]] = server.requests[0].body
        assert tell(lake, to).delivered == 1
        assert len(server.requests) == 4
        assert len(server.effects) == 2

    def test_what_has_changed_since_is_told(self, decided, server, to):
        lake = decided(**ROWS)
        tell(lake, to)
        verdicts.record(lake, verdict="benign", subject="a1", by="kim", reason="a school")
        assert tell(lake, to).delivered == 2
        body = json.loads(server.requests[-1].body)
        assert body["data"]["campaigns"][1]["actions"] == {"limit": 1}


class TestDeadLetters:
    def test_what_is_given_up_is_kept_and_can_be_sent_again(self, decided, server, to, night):
        lake = decided(**ROWS)
        server.script = [500, 500, 404]
        told = tell(lake, to)
        assert (told.delivered, told.dead, told.problem) == (0, 2, "HTTP 404")
        assert outcomes(lake) == [("dead", 2, 500, "HTTP 500"), ("dead", 1, 404, "HTTP 404")]
        sent = {r.headers["webhook-id"]: r.body for r in server.requests}
        rows = lake.rows("deliveries").to_pylist()
        assert {row["delivery_id"]: row["body"].encode() for row in rows} == sent
        assert {(row["date"], row["host"]) for row in rows} == {(night, "127.0.0.1")}

        again = notify.tell_dead(lake, to, "webhook", False, HASTY)
        assert (again.delivered, again.dead) == (2, 0)
        assert server.effects == sent
        assert notify.tell_dead(lake, to, "webhook", False, HASTY).delivered == 0
        bodies = {row["body"] for row in lake.rows("deliveries").to_pylist()
                  if row["outcome"] == "delivered"}  # fmt: skip
        assert bodies == {None}

    def test_those_of_another_host_or_kind_stay(self, decided, server, to):
        lake = decided(**ROWS)
        server.script = [404, 404]
        tell(lake, to)
        other = endpoint(server.url.replace("127.0.0.1", "localhost"), (bytes(32),))
        assert notify.tell_dead(lake, other, "webhook", False, HASTY).delivered == 0
        assert notify.tell_dead(lake, to, "slack", False, HASTY).delivered == 0

    def test_what_was_to_be_enforced_is_not_sent_in_observe_mode(self, decided, server, to, fill):
        lake = decided(**ROWS)
        server.script = [404, 404]
        tell(lake, to)
        fill(lake, "enforcement_mode", load_night(lake).date, [{"mode": "observe"}])
        assert notify.tell_dead(lake, to, "webhook", False, HASTY).held
        assert notify.tell_dead(lake, to, "webhook", True, HASTY).delivered == 0
        assert len(server.requests) == 2


class TestObserveMode:
    @pytest.mark.parametrize("mode", [None, "observe"])
    def test_nothing_is_sent(self, decided, server, to, mode):
        lake = decided(**ROWS, mode=mode)
        assert tell(lake, to).held and tell(lake, to, kind="slack").held
        assert server.requests == []
        assert not lake.exists("deliveries")

    def test_what_is_asked_for_says_what_it_is(self, decided, server, to):
        assert tell(decided(**ROWS, mode="observe"), to, observe=True).delivered == 2
        for request in server.requests:
            body = json.loads(request.body)
            assert body["type"].startswith("stillwatch.observe.")
            assert (body["data"]["mode"], body["data"]["enforce"]) == ("observe", False)


def test_no_address_beyond_its_host_and_no_secret_is_kept(decided, server, to):
    lake = decided(**ROWS)
    server.script = [404]
    tell(lake, to)
    kept = json.dumps(lake.rows("deliveries").to_pylist(), default=str)
    assert "s3cr3t-path" not in kept and KEY not in kept
