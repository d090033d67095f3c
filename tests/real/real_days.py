"""Landing days made of real material: real prompts as text, real arrival windows, real lengths.

Who is behind an account is made up here, and nothing else: addresses, cards, times of sign-up.
None of it comes from the simulator, so what was tuned on simulated worlds meets another hand's.

- production: a client of ServeGen each, with its own windows, burstiness and token counts; half of
  them without text, the others with a fixed preamble and a changing query.
- support_bot: queries of a few CLINC150 intents each, on the windows of further clients.
- human: one ShareGPT conversation or three arena prompts each, lengths of Azure's chat log.
- classroom: one campus, one week of sign-ups, the same six questions.
- two operations, each a work list that its accounts share out: tool use and role play.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

FIRST = dt.date(2026, 5, 4)
DAY_S = 86_400
WINDOW_S = 600
#: Share of ServeGen's requests that is replayed: its 162 clients sent 237 million in a fortnight.
SCALE = 0.0017
BOTS, CLASS, ARENA_PROMPTS_EACH = 40, 40, 3
TOOL_USE, ROLE_PLAY = "gpteacher_toolformer", "gpteacher_roleplay"
OPERATIONS = {TOOL_USE: 120, ROLE_PLAY: 60}
#: ServeGen clients whose hours are the operations' and the bots', and no production client's.
HOURS_OF = {TOOL_USE: 156, ROLE_PLAY: 157}
PRODUCTION = range(110)
Row = dict[str, Any]


@dataclass
class RealDays:
    """What was written: `kinds` says what each account is, and no job can read that."""

    landing: Path
    dates: list[dt.date]
    kinds: dict[str, str] = field(default_factory=dict)
    requests: int = 0


@dataclass
class _Account:
    """How an account comes: its record of the day, and what its requests have in common."""

    record: Row
    common: Row
    addresses: list[str]


def build(data: Path, landing: Path, days: int, seed: int) -> RealDays:
    """Write `days` landing days from the real material under `data`."""
    made = _Builder(data, days, np.random.default_rng(seed))
    made.production()
    made.support_bots()
    made.humans()
    made.classroom()
    made.operation(TOOL_USE, exits=60, accounts_on_a_card=3, accounts_on_a_phone=1)
    made.operation(ROLE_PLAY, exits=30, accounts_on_a_card=1, accounts_on_a_phone=2)
    return made.written(landing)


class _Builder:
    def __init__(self, data: Path, days: int, rng: np.random.Generator) -> None:
        self.data, self.days, self.rng = data, days, rng
        self.accounts: dict[str, _Account] = {}
        self.kinds: dict[str, str] = {}
        self.rows: list[Row] = []
        self.windows = _columns(data / "traffic" / "servegen_m-large_windows.parquet")
        chat = _columns(data / "traffic" / "azure_conv_requests.parquet")
        self.chat = np.stack([chat["input_tokens"], chat["output_tokens"]], axis=1)
        self.programs = [
            (f"{name}/{version}", rng.bytes(6).hex())
            for name, versions in (("openai-python", 9), ("axios", 5), ("okhttp", 4), ("curl", 3))
            for version in range(1, versions)
        ]
        self.browsers = [(f"Mozilla/5.0 (X11) Gecko/{n}", rng.bytes(6).hex()) for n in range(8)]
        self.gateways = [self.address() for _ in range(15)]  # of mobile carriers, many people each

    # Who they are

    def address(self) -> str:
        a, b, c, d = self.rng.integers((23, 0, 0, 1), (100, 256, 256, 255))
        return f"{a}.{b}.{c}.{d}"

    def days_before(self, least: float, most: float) -> dt.datetime:
        start = dt.datetime.combine(FIRST, dt.time(), dt.UTC)
        return start - dt.timedelta(days=float(self.rng.uniform(least, most)))

    def new(self, kind: str, addresses: list[str], program: tuple[str, str],
            common: Row | None = None, **record: Any) -> str:  # fmt: skip
        number = len(self.accounts)
        name = f"acct-{self.rng.bytes(5).hex()}"
        self.kinds[name] = kind
        self.accounts[name] = _Account(
            {
                "account_id": name, "organization_id": None, "created_at": self.days_before(5, 700),
                "plan": "pay_as_you_go", "status": "active", "kyc_level": 1,
                "verified_organization": False, "email_domain": self._pick(("gmail.com",
                "outlook.com", "proton.me", "qq.com")), "email_local_shape": self._shape(),
                "phone_token": None, "payment_fingerprint": f"card-{number}",
                "payment_type": "card", "signup_address": addresses[0],
                "signup_country": self._pick(("US", "DE", "IN", "BR", "FR")),
            } | record,
            {"channel": "first_party", "operation": "chat", "request_model": "m-large",
             "user_agent": program[0], "tls_ja4": program[1], "status_code": 200,
             "finish_reason": "stop"} | (common or {}),
            addresses,
        )  # fmt: skip
        return name

    def _pick(self, values: Sequence[Any]) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def _shape(self) -> str:
        return "a" * int(self.rng.integers(4, 14)) + "9" * int(self.rng.integers(0, 5))

    # When they send

    def arrivals(self, client: int, total: int | None = None) -> NDArray[np.float64]:
        """Seconds from the first day's start: the client's own windows, each filled by its fitted
        renewal process; scaled to `total` requests where one is given."""
        of = self.windows["client_id"] == client
        starts, rates = self.windows["window_start_s"][of], self.windows["rate_rps"][of]
        within = starts < self.days * DAY_S
        starts, rates = starts[within], rates[within]
        families = self.windows["arrival_family"][of][within]
        shapes = self.windows["shape"][of][within]
        expected = rates * WINDOW_S * SCALE
        if total is not None and expected.sum() > 0:
            expected *= total / expected.sum()
        counts = self.rng.poisson(expected)
        times = []
        for start, n, family, shape in zip(starts, counts, families, shapes, strict=True):
            if not n:
                continue
            draw = self.rng.gamma if family == "Gamma" else self.rng.weibull
            gaps = draw(max(float(shape), 0.05), size=n + 1) + 1e-9
            times.append(start + WINDOW_S * np.cumsum(gaps)[:-1] / gaps.sum())
        return np.concatenate(times) if times else np.empty(0)

    def sent(self, account: str, at: float, tokens: tuple[int, int], **more: Any) -> None:
        """One request; those after the last day are not sent any more."""
        if not 0 <= at < self.days * DAY_S:
            return
        of = self.accounts[account]
        time = dt.datetime.combine(FIRST, dt.time(), dt.UTC) + dt.timedelta(seconds=float(at))
        self.rows.append({
            "request_id": f"r-{len(self.rows)}", "timestamp": time, "account_id": account,
            "client_address": self._pick(of.addresses), "input_tokens": int(tokens[0]),
            "output_tokens": int(tokens[1]), "latency_ms": 200 + 8 * int(tokens[1]),
            **of.common, **more,
        })  # fmt: skip

    # What they ask

    def prompts(self, family: str) -> list[Row]:
        with gzip.open(self.data / "prompts" / f"{family}.jsonl.gz", "rt", encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def chat_tokens(self) -> tuple[int, int]:
        read, written = self.chat[int(self.rng.integers(len(self.chat)))]
        return int(read), int(written)

    def production(self) -> None:
        tokens = _token_counts(self.data / "traffic" / "servegen_m-large_tokens.parquet")
        preambles = [row["prompt"][:300] for row in self.prompts("arena_hard_v01")]
        queries = [row["prompt"] for row in self.prompts("clinc150")]
        for number, client in enumerate(PRODUCTION):
            times = self.arrivals(client)
            if not len(times):
                continue
            vetted = number % 3 == 0
            account = self.new(
                "production", [self.address() for _ in range(1 + number % 3)],
                self._pick(self.programs), {"temperature": self._pick((None, 0.0, 0.2, 0.7)),
                "max_tokens": self._pick((None, 512, 1024, 4096)), "stream": number % 2 == 0,
                "system_prompt_hash": f"s-{number}"},
                organization_id=f"org-{number}", verified_organization=vetted,
                kyc_level=3 if vetted else 2, plan="enterprise" if vetted else "pay_as_you_go",
                payment_type="invoice" if vetted else "card", email_domain=f"firm{number}.example",
            )  # fmt: skip
            # Not every client's counts were published: others take those of one like them.
            counted = client if ("input_tokens", client) in tokens else number % 10
            read, written = (
                self.rng.choice(values, size=len(times), p=shares)
                for values, shares in (tokens["input_tokens", counted],
                                       tokens["output_tokens", counted])
            )  # fmt: skip
            preamble = preambles[number] if number % 2 else None
            for at, r, w in zip(times, read, written, strict=True):
                text = preamble and f"{preamble}\n\n{self._pick(queries)}"
                self.sent(account, at, (r, w), prompt_text=text)

    def support_bots(self) -> None:
        by_intent: dict[str, list[str]] = {}
        for row in self.prompts("clinc150"):
            by_intent.setdefault(row["intent"], []).append(row["prompt"])
        intents = sorted(by_intent)
        for number in range(BOTS):
            known = self.rng.choice(intents, int(self.rng.integers(2, 9)), replace=False)
            asked = [prompt for intent in known for prompt in by_intent[intent]]
            account = self.new(
                "support_bot", [self.address() for _ in range(2)], self._pick(self.programs),
                {"channel": "cloud", "temperature": 0.0, "max_tokens": 256,
                 "system_prompt_hash": f"bot-{number}"},
                organization_id=f"shop-{number}", kyc_level=2,
                email_domain=f"shop{number}.example",
            )  # fmt: skip
            total = int(self.rng.lognormal(np.log(110 * self.days), 0.6))
            for n, at in enumerate(self.arrivals(PRODUCTION.stop + number, total)):
                text = asked[min(int(self.rng.pareto(0.8)), len(asked) - 1)]
                self.sent(
                    account,
                    at,
                    (420 + len(text) // 4, self.chat_tokens()[1]),
                    prompt_text=text,
                    conversation_id=f"b{number}-{n}",
                    turn_index=0,
                )

    def person(self, kind: str, **record: Any) -> str:
        """At home or on a phone; one in five prefers a program to the web page."""
        addresses = [self.address()]
        if self.rng.random() < 0.4:
            addresses.append(self._pick(self.gateways))
        web = self.rng.random() < 0.8
        return self.new(
            kind, addresses, self._pick(self.browsers if web else self.programs),
            {"channel": "web" if web else "first_party", "stream": True},
            plan=self._pick(("free", "credits", "pay_as_you_go")), **record,
        )  # fmt: skip

    def humans(self) -> None:
        conversations: dict[str, list[str]] = {}
        for row in self.prompts("sharegpt"):
            conversations.setdefault(row["conversation"], []).append(row["prompt"])
        for name, turns in conversations.items():
            self._talk(self.person("human"), name, turns)
        arena = [row["prompt"] for row in self.prompts("arena_hard_v01")]
        for start in range(0, len(arena), ARENA_PROMPTS_EACH):
            account = self.person("human")
            for n, prompt in enumerate(arena[start : start + ARENA_PROMPTS_EACH]):
                self._talk(account, f"a{start}-{n}", [prompt])

    def _talk(self, account: str, name: str, turns: list[str]) -> None:
        at = float(self.rng.integers(self.days)) * DAY_S + float(self.rng.normal(15, 4)) * 3600
        for turn, prompt in enumerate(turns):
            self.sent(
                account,
                at,
                self.chat_tokens(),
                prompt_text=prompt,
                conversation_id=name,
                turn_index=turn,
            )
            at += 40 + float(self.rng.lognormal(4, 1))

    def classroom(self) -> None:
        campus, opened = self.address(), self.days_before(8, 9)
        questions = [row["prompt"] for row in self.prompts("arena_hard_v01")[:6]]
        for number in range(CLASS):
            account = self.new(
                "classroom", [campus], self._pick(self.browsers), {"channel": "web"}, plan="free",
                email_domain="campus.example", payment_type="none", payment_fingerprint=None,
                created_at=opened + dt.timedelta(minutes=float(self.rng.uniform(0, 90))),
            )  # fmt: skip
            lesson = float(number % self.days) * DAY_S + 10 * 3600
            for n, question in enumerate(questions):
                own = f"{question} {self._pick(('please', 'in simple words', 'thanks', 'asap'))}"
                self.sent(
                    account,
                    lesson + float(self.rng.uniform(0, 5_000)),
                    self.chat_tokens(),
                    prompt_text=own,
                    conversation_id=f"{account}-{n}",
                )

    def operation(
        self, family: str, exits: int, accounts_on_a_card: int, accounts_on_a_phone: int
    ) -> None:
        """One work list shared out over accounts that work on one roster of rented exits."""
        work = self.prompts(family)
        self.rng.shuffle(work)  # type: ignore[arg-type]
        roster = [self.address() for _ in range(exits)]
        program = self._pick(self.programs)  # a popular one: no build of its own
        team = []
        for number in range(OPERATIONS[family]):
            opened = self.days_before(6, 25) if number % 6 == 0 else opened  # noqa: F821
            addresses = [str(a) for a in self.rng.choice(roster, 3, replace=False)]
            team.append(self.new(
                family, addresses, program, {"temperature": 0.7, "max_tokens": 1024},
                created_at=opened + dt.timedelta(minutes=float(self.rng.uniform(0, 50))),
                payment_type="prepaid", kyc_level=2,
                payment_fingerprint=f"{family}-card-{number // accounts_on_a_card}",
                phone_token=f"{family}-phone-{number // accounts_on_a_phone}",
                email_local_shape="aaaaaa9999" if number % 2 else self._shape(),
            ))  # fmt: skip
        times = np.sort(self.arrivals(HOURS_OF[family], len(work)))
        # Nobody is perfect at spreading load: who is on shift today is drawn, and who is next.
        shifts = self.rng.random((self.days, len(team))) < 0.8
        for at, row in zip(times, work, strict=False):
            account = team[self._pick(np.flatnonzero(shifts[int(at // DAY_S)]))]
            answer = row["response"]
            tokens = (len(row["prompt"]) // 4 + 1, len(answer) // 4 + 1)
            self.sent(account, at, tokens, prompt_text=row["prompt"], response_text=answer)

    # What lands

    def written(self, landing: Path) -> RealDays:
        dates = [FIRST + dt.timedelta(days=n) for n in range(self.days)]
        gateways = {name: n % 4 for n, name in enumerate(self.accounts)}
        for date in dates:
            today = [row for row in self.rows if row["timestamp"].date() == date]
            parts: list[list[Row]] = [[], [], []]
            for row in today:
                parts[max(gateways[row["account_id"]] - 1, 0)].append(row)
            folder = _folder(landing, "requests", date)
            _parquet(folder / "gateway-0.parquet", parts[0])
            (folder / "gateway-1.jsonl").write_text("".join(_lines(parts[1])), encoding="utf-8")
            with gzip.open(folder / "gateway-2.jsonl.gz", "wt", 1, encoding="utf-8") as file:
                file.writelines(_lines(parts[2]))
            _parquet(_folder(landing, "accounts", date) / "all.parquet",
                     [of.record for of in self.accounts.values()])  # fmt: skip
        return RealDays(landing, dates, self.kinds, len(self.rows))


def _folder(landing: Path, source: str, date: dt.date) -> Path:
    folder = landing / source / f"date={date.isoformat()}"
    folder.mkdir(parents=True)
    return folder


def _parquet(path: Path, rows: list[Row]) -> None:
    # Every key that any row has: from_pylist alone takes the first row's.
    names = sorted({name for row in rows for name in row})
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)


def _lines(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        known = {name: value for name, value in row.items() if value is not None}
        known["timestamp"] = row["timestamp"].isoformat().replace("+00:00", "Z")
        yield json.dumps(known) + "\n"


def _columns(path: Path) -> dict[str, NDArray[Any]]:
    table = pq.read_table(path)
    return {name: table[name].to_numpy() for name in table.column_names}


def _token_counts(
    path: Path,
) -> dict[tuple[str, int], tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Token counts of each client with their shares, all its windows together."""
    pooled: dict[tuple[str, int], dict[int, float]] = {}
    for row in pq.read_table(path).to_pylist():
        of = pooled.setdefault((row["field"], row["client_id"]), {})
        for tokens, share in zip(row["tokens"], row["probability"], strict=True):
            of[int(tokens)] = of.get(int(tokens), 0.0) + share
    return {
        key: (np.array(list(of)), np.array(list(of.values())) / sum(of.values()))
        for key, of in pooled.items()
    }
