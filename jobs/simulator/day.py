"""One day's requests, drawn from (seed, day) alone: as numbers and indexes, without any text.

A day comes in streams: what arrives on time, what comes 1 to 3 days late, and what arrives twice
on different days. Each stream is a thinned draw of the same workloads under its own generator, so
the landing of any day can be made without making the days before it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jobs.simulator import traffic
from jobs.simulator.hashing import gauss, mix, pick, unit
from jobs.simulator.population import DAY, NEW_MODEL, SERVICE, SHIFT
from jobs.simulator.prompts import HEAD_CHARS, UNIT_CHARS, PromptRows
from jobs.simulator.templates import CAPABILITIES

if TYPE_CHECKING:
    from jobs.simulator.world import World

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]
_FOLLOWUP = CAPABILITIES.index("followup")
_FOLLOWUP_SHARE = 0.55  # of later turns: a few words that lean on what was said before
_EPOCH_DAY = 1_000  # keeps generator seeds of days before the start positive
_CHARS_A_TOKEN = 4.2
_ON_TIME, _LATE, _ECHO = 0, 10, 20


@dataclass
class Requests:
    """Requests of one stream, one element each; -1, 0 keys and NaN stand for null."""

    workload: Ints
    account: Ints
    time_us: Ints  # since the world's start
    key: Keys  # unique; the request's identifier follows from it
    api_key: Ints  # 0 or 1: an account has up to two
    address: Ints
    client: Ints
    model: Ints
    operation: Ints
    input_tokens: Ints
    output_tokens: Ints
    max_tokens: Ints
    temperature: Floats
    top_p: Floats
    choices: Ints
    logprobs: NDArray[np.bool_]
    stream: NDArray[np.bool_]
    tools: Ints
    tool_results: Ints
    conversation: Keys
    turn: Ints
    system: Keys
    status: Ints
    finish: Ints  # index into FINISH, -1: none
    latency_ms: Ints
    prompt: PromptRows

    def __len__(self) -> int:
        return len(self.workload)

    def take(self, rows: Any) -> Requests:
        """Some of the requests."""
        some: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            some[f.name] = value.slice(rows) if f.name == "prompt" else value[rows]
        return Requests(**some)

    @staticmethod
    def concatenate(parts: list[Requests]) -> Requests:
        """All requests of several streams, one after another."""
        if len(parts) == 1:
            return parts[0]
        merged: dict[str, Any] = {}
        for f in fields(Requests):
            values = [getattr(part, f.name) for part in parts]
            if f.name == "prompt":
                names = PromptRows.__dataclass_fields__
                merged["prompt"] = PromptRows(
                    **{n: np.concatenate([getattr(v, n) for v in values]) for n in names}
                )
            else:
                merged[f.name] = np.concatenate(values)
        return Requests(**merged)


@dataclass
class Arrivals:
    """What lands on one day, and why it lands then."""

    fresh: Requests  # on time or late, never seen before
    late: NDArray[np.bool_]  # of fresh
    repeated: Requests  # landed on an earlier day already


def arrivals(world: World, day: int, part: int = 0) -> Arrivals:
    """What lands on a day: its own traffic, and what earlier days left behind.

    A large day comes in `world.parts` parts, each of other accounts, to keep memory low.
    """
    rates = world.settings.rates
    echoes = rates.duplicate_across_days
    on_time = 1.0 - sum(rates.late) - sum(echoes)
    parts = [draw(world, day, _ON_TIME, on_time, part)]
    parts += [draw(world, day, _ECHO + lag, share, part) for lag, share in enumerate(echoes, 1)]
    present = sum(len(part) for part in parts)
    parts += [
        draw(world, day - lag, _LATE + lag, share, part)
        for lag, share in enumerate(rates.late, 1)
        if day - lag >= 0
    ]
    fresh = Requests.concatenate(parts)
    repeated = Requests.concatenate(
        [
            draw(world, day - lag, _ECHO + lag, share, part)
            for lag, share in enumerate(echoes, 1)
            if day - lag >= 0
        ]
        or [parts[0].take(slice(0, 0))]
    )
    return Arrivals(fresh, np.arange(len(fresh)) >= present, repeated)


def draw(world: World, day: int, stream: int, share: float, part: int = 0) -> Requests:
    """Draw `share` of a day's requests, as one stream of it, of one part of the accounts."""
    w = world.workloads
    # Volume is the day's and the same for all its streams; the rest is the stream's.
    volume = np.random.default_rng([world.settings.seed, day + _EPOCH_DAY, 1])
    rng = np.random.default_rng([world.settings.seed, day + _EPOCH_DAY, 2, stream, part])
    counts = _counts(world, day, share, volume, rng)
    counts[w["account"] % world.parts != part] = 0
    row = np.repeat(np.arange(len(counts)), counts)
    row, session, first, seconds = _times(world, day, row, counts, rng)
    time_us = ((day * DAY + seconds) * 1e6).astype(np.int64)
    alive = _alive(world, row, time_us // 1_000_000)
    row, session, first = row[alive], session[alive], first[alive]
    time_us, seconds = time_us[alive], seconds[alive]
    count = len(row)
    key = rng.integers(1, 2**63, count).astype(np.uint64)
    # Sessions and conversations are named by hashes, so that streams never share one.
    salt = stream * 7_919 + (day + _EPOCH_DAY) * 104_729 + part * 1_299_709
    session_key = mix(session.astype(np.uint64), salt)
    opens = first | (rng.random(count) < 1.0 / w["turns"][row])
    begins = np.maximum.accumulate(np.where(opens, np.arange(count), 0))
    turn = np.arange(count) - begins
    conversation = np.where(w["conversations"][row], mix(key[begins], 5), np.uint64(0))

    prompt, chars = _prompts(world, row, key, turn, rng)
    if world.has_corpora:
        prompt, chars = _given_prompts(world, row, key, time_us, (day, stream), prompt, chars)
    spread = rng.normal(size=(2, count))
    history = 1 + 0.35 * np.minimum(turn, 12)
    tokens_in = np.exp(w["in_mu"][row] + w["in_sd"][row] * spread[0]) * history
    tokens_in = np.maximum(np.rint(tokens_in), np.ceil(chars / _CHARS_A_TOKEN)).astype(np.int64)
    tokens_in = np.clip(tokens_in, 1, 180_000)
    tokens_out = np.exp(w["out_mu"][row] + w["out_sd"][row] * spread[1])
    settings = _settings(world, row, rng)
    outcome = _outcome(w["errors"][row], tokens_out, settings, rng)
    operation = w["operation"][row]
    embeds = operation == 3
    outcome["output_tokens"][embeds] = 0
    outcome["finish"][embeds] = -1
    hashed = mix(session_key, 31)
    # An address lasts a session, or a request where exits rotate.
    hashed = np.where(w["rotate"][row], mix(key, 32), hashed)
    second = unit(mix(hashed, 33)) < w["second"][row]
    address = np.where(
        second,
        w["pool2"][row] + pick(mix(hashed, 34), w["size2"][row]),
        w["pool1"][row] + pick(mix(hashed, 34), w["size1"][row]),
    )
    client = np.where(
        unit(mix(session_key, 35)) < w["second_client"][row], w["client2"][row], w["client1"][row]
    )
    tools = settings["tools"]
    return Requests(
        workload=row, account=w["account"][row], time_us=time_us, key=key,
        api_key=(unit(mix(session_key, 36)) < 0.15).astype(np.int64), address=address,
        client=client, model=_models(world, row, day + seconds / DAY, embeds, key),
        operation=operation, input_tokens=tokens_in, conversation=conversation, turn=turn,
        tool_results=np.where(tools > 0, np.minimum(turn, 6), 0), system=w["system"][row],
        prompt=prompt, **settings, **outcome,
    )  # fmt: skip


def weekend(start: date, day: int) -> bool:
    """Whether a day of a world is a Saturday or Sunday."""
    return (start + timedelta(days=day)).weekday() >= 5


def _counts(
    world: World, day: int, share: float, volume: np.random.Generator, rng: np.random.Generator
) -> Ints:
    """Requests of each workload on the day."""
    w = world.workloads
    size = len(w["rate"])
    free = weekend(world.settings.start, day)
    chance = w["active"] * (w["weekend"] if free else 1.0)
    active = volume.random(size) < chance
    shape = 1.0 / np.maximum(w["dispersion"], 0.01) ** 2
    rate = w["rate"] * volume.gamma(shape) / shape
    rate *= share * active * world.scale
    even = np.floor(rate + rng.random(size)).astype(np.int64)
    counts = np.where(w["even"], even, rng.poisson(rate))
    # Nobody sends before sign-up or after the end; the part of a day is cut by `_alive`.
    start, end = day * DAY, (day + 1) * DAY
    return np.where((world.first_s < end) & (world.last_s > start), counts, 0)


def _alive(world: World, row: Ints, second: Ints) -> NDArray[np.bool_]:
    return (second >= world.first_s[row]) & (second < world.last_s[row])


def _times(
    world: World, day: int, row: Ints, counts: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints, NDArray[np.bool_], Floats]:
    """Deal requests to sessions and place them; returns rows, session, its first, seconds."""
    w = world.workloads
    if len(row) == 0:
        empty = np.empty(0)
        return row, row, row.astype(bool), empty
    sessions = 1 + rng.poisson(np.maximum(w["sessions"] - 1, 0))
    sessions = np.clip(sessions, 1, np.maximum(counts, 1))
    local = (rng.random(len(row)) * sessions[row]).astype(np.int64)
    order = np.argsort(row * (int(sessions.max()) + 1) + local, kind="stable")
    local = local[order]  # rows are sorted already
    first = np.ones(len(row), bool)
    first[1:] = (row[1:] != row[:-1]) | (local[1:] != local[:-1])
    session = np.cumsum(first) - 1
    heads = np.flatnonzero(first)
    owner = row[heads]
    start = _session_starts(world, day, owner, local[heads], rng)
    length = np.diff(np.append(heads, len(row)))
    gap = w["gap_s"][owner]
    run = w["run_s"][owner]
    gap = np.where(run > 0, run / length, gap)
    shape = 1.0 / w["gap_cv"][owner] ** 2
    gaps = rng.standard_gamma(shape[session]) * (gap / shape)[session]
    gaps[heads] = 0.0
    offset = np.cumsum(gaps)
    offset -= offset[heads][session]
    # A session that would run past midnight is squeezed into what is left of the day.
    end = start + offset[np.append(heads[1:], len(row)) - 1]
    room = np.where(end >= traffic.SECONDS_A_DAY, (traffic.SECONDS_A_DAY - 1 - start), 1.0)
    span = np.where(end >= traffic.SECONDS_A_DAY, np.maximum(end - start, 1e-9), 1.0)
    return row, session, first, start[session] + offset * (room / span)[session]


def _session_starts(
    world: World, day: int, owner: Ints, local: Ints, rng: np.random.Generator
) -> Floats:
    """Seconds of the day at which sessions start."""
    w = world.workloads
    count = len(owner)
    uniform = rng.random(count)
    jitter = rng.normal(size=count) * w["jitter_s"][owner]
    # Workloads of one group follow one timetable: the day's k-th session starts for all at once.
    group = w["sync_group"][owner]
    timetable = unit(mix(mix(group.astype(np.uint64), local.astype(np.uint64)), day + _EPOCH_DAY))
    # The hash of a session says whether it keeps to it; of habits, not of the generator's draw.
    strays = unit(mix(mix(owner.astype(np.uint64), local.astype(np.uint64)), day + 2 * _EPOCH_DAY))
    together = (group >= 0) & (strays < w["synchrony"][owner])
    uniform = np.where(together, timetable, uniform)
    jitter = np.where(together, jitter, 0.0)
    centre, width = w["centre_h"][owner], w["width_h"][owner]
    around = centre + width * rng.normal(size=count)
    shift = centre + width * uniform
    hours = np.where(w["shape"][owner] == SHIFT, shift, around) % 24
    seconds = np.where(
        w["shape"][owner] == SERVICE, traffic.time_of_day(rng, count), hours * 3600.0
    )
    return np.clip(seconds + jitter, 0.0, traffic.SECONDS_A_DAY - 2)


def _prompts(
    world: World, row: Ints, key: Keys, turn: Ints, rng: np.random.Generator
) -> tuple[PromptRows, Floats]:
    """What decides the texts, and their approximate length in characters."""
    w = world.workloads
    count = len(row)
    text = mix(key, 41)
    size = w["list_size"][row]
    listed = size > 0
    item = pick(mix(key, 42), np.maximum(size, 1)).astype(np.uint64)
    text = np.where(listed, mix(w["list_key"][row] + item, 43), text)
    # Asked again: the text of the request before, of the same workload.
    again = (rng.random(count) < w["again"][row]) & (row == np.roll(row, 1))
    again[:1] = False
    source = np.maximum.accumulate(np.where(again, 0, np.arange(count)))
    text = text[source]
    # One search over all mixtures: the m-th one's shares lie between m and m + 1.
    mixture = w["mix"][row]
    wanted = mixture + unit(mix(text, 44))
    capability = np.searchsorted(world.cumulative_mixes, wanted, side="right")
    capability = np.clip(capability - mixture * len(CAPABILITIES), 0, len(CAPABILITIES) - 1)
    lean = (turn > 0) & (unit(mix(text, 45)) < _FOLLOWUP_SHARE) & ~listed & (w["turns"][row] > 1.5)
    capability = np.where(lean & world.followups, _FOLLOWUP, capability)
    english = (unit(mix(text, 46)) < w["english"][row]) & world.english
    language = np.where(english, 0, w["language"][row])
    spoken = world.spoken[pick(mix(text, 53), len(world.spoken))]
    language = np.where(unit(mix(text, 52)) < w["translated"][row], spoken, language)
    template = world.grammar.choose_templates(
        text, w["style"][row], capability, language, w["narrow"][row]
    )
    topic = (w["topic"][row] + pick(mix(text, 47), w["breadth"][row])) % world.topic_count
    size_factor = np.exp(0.6 * gauss(mix(text, 48)) - 0.18)
    units = w["body_chars"][row] * world.body_scale * size_factor / UNIT_CHARS
    whole = np.floor(units + unit(mix(text, 49))).astype(np.int64)
    whole = np.clip(whole, 0, 400)
    opened = unit(mix(text, 50)) < w["preamble_share"][row]
    preamble = w["preamble"][row] + pick(mix(text, 51), w["preamble_count"][row])
    prompt = PromptRows(
        key=text, style=w["style"][row], template=template, topic=topic,
        paraphrase=(w["paraphrase"][row] * world.settings.paraphrase).astype(np.float32),
        synonyms=w["synonyms"][row].astype(np.float32), units=whole,
        preamble=np.where(opened, preamble, 0), closing=w["closing"][row],
    )  # fmt: skip
    body = np.where(world.grammar.has_body[template], whole, 0)
    return prompt, HEAD_CHARS * 0.6 + body * UNIT_CHARS


def _given_prompts(
    world: World,
    row: Ints,
    key: Keys,
    time_us: Ints,
    drawn: tuple[int, int],
    prompt: PromptRows,
    chars: Floats,
) -> tuple[PromptRows, Floats]:
    """Put prompts of a list in the place of the grammar's, for workloads that have one.

    A workload takes its list's prompts in the order of its requests, day after day. Late and
    repeated records, drawn apart, are of the same stretch of the list as the rest of their day.
    """
    w = world.workloads
    day, stream = drawn
    size = w["corpus_size"][row]
    given = size > 0
    stride = 1 + np.ceil(1.3 * w["rate"] * world.scale).astype(np.int64)[row]
    order = np.lexsort((time_us, row))
    ordered = row[order]
    first = np.ones(len(row), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    rank = np.empty(len(row), np.int64)
    at = np.arange(len(row))
    rank[order] = at - np.maximum.accumulate(np.where(first, at, 0))
    if stream != _ON_TIME:
        rank = pick(mix(key, 71), stride)
    item = w["corpus_at"][row] + (day + _EPOCH_DAY) * stride + rank
    # Who works through a list of its own (a test set, homework) has a stretch of the corpus.
    listed = w["list_size"][row]
    own = pick(mix(w["list_key"][row], 72), np.maximum(size, 1))
    item = np.where(listed > 0, own + pick(mix(key, 42), np.maximum(listed, 1)), item)
    index = w["corpus_start"][row] + item % np.maximum(size, 1)
    zero = np.zeros(len(row), np.int64)
    chars = chars.copy()
    chars[given] = world.grammar.given_chars(index[given])
    return (
        replace(
            prompt,
            template=np.where(given, world.grammar.given_template, prompt.template),
            units=np.where(given, zero, prompt.units),
            preamble=np.where(given, index, prompt.preamble),
            closing=np.where(given, zero, prompt.closing),
        ),
        chars,
    )


# Settings that honest people switch between when they play.
_PLAY_TEMPERATURE = np.array([np.nan, 0.0, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2])
_PLAY_MAX_TOKENS = np.array([-1, -1, 100, 256, 500, 512, 800, 1000, 1024, 2000, 2048, 4096])


def _settings(world: World, row: Ints, rng: np.random.Generator) -> dict[str, Any]:
    w = world.workloads
    count = len(row)
    plays = rng.random(count) < w["fidget"][row]
    temperature = np.where(plays, rng.choice(_PLAY_TEMPERATURE, count), w["temperature"][row])
    max_tokens = np.where(plays, rng.choice(_PLAY_MAX_TOKENS, count), w["max_tokens"][row])
    return {
        "temperature": temperature,
        "top_p": np.where(plays & (rng.random(count) < 0.5), np.nan, w["top_p"][row]),
        "max_tokens": max_tokens,
        "choices": np.where(plays & (rng.random(count) < 0.05), 2, w["choices"][row]),
        "logprobs": rng.random(count) < w["logprobs"][row],
        "stream": rng.random(count) < w["stream"][row],
        "tools": w["tools"][row],
    }


FINISH = ("stop", "length", "tool_calls", "content_filter")
_STATUS = np.array([429, 400, 500, 503, 401])
_STATUS_SHARE = (0.5, 0.25, 0.12, 0.08, 0.05)


def _outcome(
    errors: Floats, tokens_out: Floats, settings: dict[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    count = len(errors)
    failed = rng.random(count) < errors
    status = np.where(failed, rng.choice(_STATUS, count, p=_STATUS_SHARE), 200)
    limit = settings["max_tokens"]
    limit = np.where(limit > 0, limit, 16_384)
    tokens = np.maximum(np.rint(tokens_out), 1).astype(np.int64)
    draw_finish = rng.random(count)
    finish = np.where(tokens >= limit, 1, 0)
    finish = np.where((settings["tools"] > 0) & (draw_finish < 0.6), 2, finish)
    finish = np.where(draw_finish > 0.996, 3, finish)
    tokens = np.where(failed, 0, np.minimum(tokens, limit))
    latency = 180 + tokens * 14.0 * np.exp(0.3 * rng.normal(size=count))
    return {
        "status": status,
        "finish": np.where(failed, -1, finish),
        "output_tokens": tokens,
        "latency_ms": latency.astype(np.int64),
    }


def _models(world: World, row: Ints, moment: Floats, embeds: NDArray[np.bool_], key: Keys) -> Ints:
    """The model asked for: the habitual one, or the new one after its launch."""
    w = world.workloads
    since = moment - world.settings.launch - w["adopt_day"][row]
    moved = np.clip(since / np.maximum(w["adopt_ramp"][row], 1e-3), 0, 1) * w["adopt_share"][row]
    launched = moment >= world.settings.launch
    model = np.where(launched & (unit(mix(key, 61)) < moved), NEW_MODEL, w["model"][row])
    return np.where(embeds, 3, model)
