"""The landing folder: what gateways, the account system and analysts drop there each day.

Each gateway has a format of its own and lacks what real ones lack: one cloud's log has no
addresses and no clients, another no conversations, a partner's telemetry no organisation and no
keys. Dirt is put in here, and counted as it is put in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs.simulator import dirt
from jobs.simulator.day import FINISH, Arrivals, Requests, arrivals
from jobs.simulator.hashing import identifiers, mix, unit
from jobs.simulator.population import (
    CHANNELS,
    DAY,
    GATEWAYS,
    MODELS,
    OPERATIONS,
    PAYMENTS,
    PLANS,
)
from jobs.simulator.prompts import PromptRows
from jobs.simulator.records import (
    TIMESTAMP,
    Columns,
    json_lines,
    write_lines,
    write_parquet,
)
from jobs.simulator.world import Tally, World

_WAITING_ROWS: Final = 200_000
_PART_ROWS: Final = 50_000  # records a file at most: half an hour of a large gateway

Task = Callable[[], tuple[int, dirt.Counts]]  # writes a file; returns bytes and counts


@dataclass(frozen=True)
class Gateway:
    """How one gateway writes: its format, what it lacks, what it adds."""

    name: str
    format: str
    lacks: frozenset[str] = frozenset()
    tokens: bool = False  # addresses leave it as tokens only
    adds: tuple[str, str] | None = None  # a column nobody knows, and its value


LAYOUT: Final = {
    "edge": Gateway("edge", "parquet"),
    "console": Gateway("console", "jsonl", frozenset({"api_key_id", "choice_count", "logprobs"})),
    # As the invocation log of one cloud: no addresses, no clients.
    "harbor": Gateway("harbor", "jsonl.gz", frozenset(
        {"client_address", "client_asn", "client_country", "user_agent", "tls_ja4"})),
    # As another's: no conversations; and addresses as tokens.
    "summit": Gateway("summit", "parquet", frozenset({"conversation_id", "turn_index"}), True,
                      ("billing_zone", "z2")),
    # As telemetry of a partner: no organisation, no keys, no system prompt.
    "transit": Gateway("transit", "jsonl", frozenset(
        {"organization_id", "api_key_id", "system_prompt_hash"}), False,
        ("otel_scope", "gen_ai")),
}  # fmt: skip
assert tuple(LAYOUT) == GATEWAYS


def _nullable(values: NDArray[Any], null: NDArray[np.bool_], type_: pa.DataType) -> pa.Array:
    return pa.array(values, type_, mask=null)


def _words(words: tuple[str, ...], index: NDArray[np.int64]) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(index, mask=index < 0))


def _take(array: pa.Array, index: NDArray[np.int64]) -> pa.Array:
    return array.take(pa.array(index, mask=index < 0))


def request_columns(world: World, rows: Requests, gateway: Gateway, escaped: bool) -> Columns:
    """The columns of requests as one gateway writes them, in the contract's order."""
    names, a = world.names, world.accounts
    count = len(rows)
    start = np.datetime64(world.settings.start, "us")
    keys = pa.chunked_array([names["key0"], names["key1"]]).combine_chunks()
    conversation = identifiers("conv_", rows.conversation)
    system = identifiers("", mix(rows.system, 6))
    makers: dict[str, Callable[[], pa.Array]] = {
        "request_id": lambda: identifiers("req_", rows.key),
        "timestamp": lambda: pa.array(start + rows.time_us.astype("timedelta64[us]"), TIMESTAMP),
        "account_id": lambda: _take(names["account"], rows.account),
        "organization_id": lambda: _take(
            names["organization"], np.where(a["org"][rows.account] > 0, rows.account, -1)
        ),
        "api_key_id": lambda: _take(keys, rows.account + rows.api_key * len(names["key0"])),
        "channel": lambda: pa.array([CHANNELS[GATEWAYS.index(gateway.name)]] * count, pa.string()),
        "operation": lambda: _words(OPERATIONS, rows.operation),
        "request_model": lambda: _words(MODELS, rows.model),
        "client_address": lambda: _take(
            world.addresses["token" if gateway.tokens else "clear"], rows.address
        ),
        "client_asn": lambda: _take(world.addresses["asn"], rows.address),
        "client_country": lambda: _take(world.addresses["country"], rows.address),
        "user_agent": lambda: _take(world.clients["user_agent"], rows.client),
        "tls_ja4": lambda: _take(world.clients["ja4"], rows.client),
        "input_tokens": lambda: pa.array(rows.input_tokens, pa.int64()),
        "output_tokens": lambda: pa.array(rows.output_tokens, pa.int64()),
        "max_tokens": lambda: _nullable(rows.max_tokens, rows.max_tokens < 0, pa.int64()),
        "temperature": lambda: _nullable(
            rows.temperature, np.isnan(rows.temperature), pa.float64()
        ),
        "top_p": lambda: _nullable(rows.top_p, np.isnan(rows.top_p), pa.float64()),
        "choice_count": lambda: pa.array(rows.choices, pa.int64()),
        "logprobs": lambda: pa.array(rows.logprobs, pa.bool_()),
        "stream": lambda: pa.array(rows.stream, pa.bool_()),
        "tool_count": lambda: pa.array(rows.tools, pa.int64()),
        "tool_result_count": lambda: pa.array(rows.tool_results, pa.int64()),
        "conversation_id": lambda: pc.if_else(
            pa.array(rows.conversation > 0), conversation, pa.scalar(None, pa.string())
        ),
        "turn_index": lambda: _nullable(rows.turn, rows.conversation == 0, pa.int64()),
        "system_prompt_hash": lambda: pc.if_else(
            pa.array(rows.system > 0), system, pa.scalar(None, pa.string())
        ),
        "status_code": lambda: pa.array(rows.status, pa.int64()),
        "finish_reason": lambda: _words(FINISH, rows.finish),
        "latency_ms": lambda: pa.array(rows.latency_ms, pa.int64()),
    }
    if world.settings.text:
        makers["prompt_text"] = lambda: _prompt_text(world, rows, escaped)
        if gateway.name == "edge" and world.settings.responses > 0:
            makers["response_text"] = lambda: _response_text(world, rows, escaped)
    return {name: make() for name, make in makers.items() if name not in gateway.lacks}


def _prompt_text(world: World, rows: Requests, escaped: bool) -> pa.Array:
    text = world.grammar.write(rows.prompt, escaped)
    withheld = world.accounts["withhold_text"][rows.account]
    array = text.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # more text than one array holds
        raise ValueError("too much text in one file: lower prompt_chars")
    if withheld.any():
        array = pc.if_else(pa.array(withheld), pa.scalar(None, pa.string()), array)
    return array


def _response_text(world: World, rows: Requests, escaped: bool) -> pa.Array:
    """A sample of responses: prose of a length that goes with the tokens."""
    kept = unit(mix(rows.key, 71)) < world.settings.responses
    kept &= ~world.accounts["withhold_text"][rows.account] & (rows.status == 200)
    chosen = np.flatnonzero(kept)
    prompt = rows.prompt.slice(chosen)
    template = np.full(len(chosen), world.grammar.template_names.index("summary/en/2"))
    zero = np.zeros(len(chosen), np.int64)
    answer = PromptRows(
        key=mix(rows.key[chosen], 72), style=prompt.style, template=template, topic=prompt.topic,
        paraphrase=prompt.paraphrase, synonyms=np.zeros(len(chosen), np.float32),
        units=np.clip(rows.output_tokens[chosen] // 18, 1, 60),
        preamble=zero, closing=zero,
    )  # fmt: skip
    place = np.full(len(rows), -1, np.int64)
    place[chosen] = np.arange(len(chosen))
    written = world.grammar.write(answer, escaped).combine_chunks()
    return _take(written, place)


def account_columns(world: World) -> Columns:
    """All accounts a world ever has, as the account system knows them (status excepted)."""
    a, names = world.accounts, world.names
    start = np.datetime64(world.settings.start, "us")
    signup = a["signup_address"]
    phone, payment = (
        identifiers("ph_", mix(a["phone"], 7)),
        identifiers("pm_", mix(a["payment"], 8)),
    )
    none = pa.scalar(None, pa.string())
    seconds = a["created_s"].astype("timedelta64[s]").astype("timedelta64[us]")
    return {
        "account_id": names["account"],
        "organization_id": pc.if_else(pa.array(a["org"] > 0), names["organization"], none),
        "created_at": pa.array(start + seconds, TIMESTAMP),
        "plan": _words(PLANS, a["plan"]),
        "status": none,
        "kyc_level": pa.array(a["kyc"], pa.int64()),
        "verified_organization": pa.array(a["verified"], pa.bool_()),
        "email_domain": pa.array(a["email_domain"].tolist(), pa.string()),
        "email_local_shape": pa.array(a["email_shape"].tolist(), pa.string()),
        "phone_token": pc.if_else(pa.array(a["phone"] > 0), phone, none),
        "payment_fingerprint": pc.if_else(pa.array(a["payment"] > 0), payment, none),
        "payment_type": _words(PAYMENTS, a["payment_type"]),
        "signup_address": _take(world.addresses["clear"], signup),
        "signup_asn": _take(world.addresses["asn"], signup),
        "signup_country": _take(world.addresses["country"], signup),
        "declared_use": pa.array(a["declared_use"].tolist(), pa.string()),
    }


def _snapshot(world: World, day: int) -> Columns:
    """The accounts that exist at the end of a day, in the order of their identifiers."""
    if "snapshot" not in world.cache:
        world.cache["snapshot"] = account_columns(world)
        world.cache["order"] = pc.array_sort_indices(world.names["account"]).to_numpy()
    a, night = world.accounts, (day + 1) * DAY
    order = world.cache["order"]
    index = order[a["created_s"][order] < night]
    ended = a["end_s"][index] < night
    status = np.where(ended, np.where(a["suspended"][index], 1, 2), 0)
    columns = {}
    for name, array in world.cache["snapshot"].items():
        if name == "status":
            columns[name] = _words(("active", "suspended", "closed"), status)
        else:
            columns[name] = array.take(pa.array(index))
    return columns


def _label_columns(world: World, day: int) -> Columns:
    labels = world.labels
    rows = np.flatnonzero((labels.labelled_s // DAY) == day)
    start = np.datetime64(world.settings.start, "us")
    seconds = labels.labelled_s[rows].astype("timedelta64[s]").astype("timedelta64[us]")
    return {
        "account_id": world.names["account"].take(pa.array(labels.account[rows])),
        "label": pa.array(labels.label[rows].tolist(), pa.string()),
        "labelled_at": pa.array(start + seconds, TIMESTAMP),
        "source": pa.array(labels.source[rows].tolist(), pa.string()),
        "campaign": pa.array(labels.campaign[rows].tolist(), pa.string()),
        "confidence": pa.array(labels.confidence[rows], pa.float64()),
    }


def land_day(world: World, day: int, out: Path) -> Tally:
    """Write everything that lands on one day."""
    settings = world.settings
    partition = f"date={settings.start + timedelta(days=day)}"
    results: list[tuple[int, dirt.Counts]] = []
    exchanges = []
    with ThreadPoolExecutor(max(1, settings.workers)) as pool:
        for part in range(world.parts):
            arrived = arrivals(world, day, part)
            exchanges.append(_exchanges(world, day, arrived.fresh))
            tasks: list[Task] = []
            for rows, gateway in _by_gateway(world, arrived):
                tasks += _gateway_tasks(
                    world, day, part, gateway, out / "requests" / partition, rows
                )
                if len(arrived.fresh) > _WAITING_ROWS:  # hold one gateway's rows at a time
                    results += pool.map(_run, tasks)
                    tasks = []
            results += pool.map(_run, tasks)
            del arrived, tasks, rows  # before the next part is drawn
        results += pool.map(_run, _ledger_tasks(world, day, out, partition))
    return Tally(
        exchanges=pa.concat_tables(exchanges),
        dirt=dirt.total([counts for _, counts in results], partition[5:]),
        files=sum(counts.files for _, counts in results),
        bytes=sum(size for size, _ in results),
    )


def _run(task: Task) -> tuple[int, dirt.Counts]:
    return task()


def _by_gateway(world: World, arrived: Arrivals) -> Iterator[tuple[Arrivals, int]]:
    """What arrived, gateway by gateway."""
    gateway_of = world.accounts["gateway"]
    fresh, repeated = gateway_of[arrived.fresh.account], gateway_of[arrived.repeated.account]
    for number in range(len(GATEWAYS)):
        chosen = np.flatnonzero(fresh == number)
        again = np.flatnonzero(repeated == number)
        yield (
            Arrivals(
                arrived.fresh.take(chosen), arrived.late[chosen], arrived.repeated.take(again)
            ),
            number,
        )


def _ledger_tasks(world: World, day: int, out: Path, partition: str) -> list[Task]:
    """The day's snapshot of accounts, in all formats, and its labels, in one."""
    formats = world.settings.formats
    tasks = []
    snapshot = _snapshot(world, day)
    # Dealt by their identifiers, so that no part of the snapshot is special.
    share = _deal(snapshot["account_id"], formats)
    for i, format_ in enumerate(formats):
        rows = pa.array(np.flatnonzero(share == i))
        part = {name: array.take(rows) for name, array in snapshot.items()}
        folder = out / "accounts" / partition
        stream = 9_000_000 + i
        tasks.append(_task(world, day, stream, "accounts", folder, "accounts-0000", format_, part))
    labels = _label_columns(world, day)
    if len(labels["account_id"]):
        folder = out / "labels" / partition
        format_ = formats[day % len(formats)]
        tasks.append(_task(world, day, 9_000_100, "labels", folder, "labels-0000", format_, labels))
    return tasks


def _deal(ids: pa.Array, formats: tuple[str, ...]) -> NDArray[np.int64]:
    last = pc.utf8_slice_codeunits(ids, -3)
    digits = np.array([int(text, 16) for text in last.to_pylist()], np.int64)
    return digits % len(formats)


def _gateway_tasks(
    world: World,
    day: int,
    part: int,
    number: int,
    folder: Path,
    arrived: Arrivals,
) -> list[Task]:
    """Cut a gateway's day into files; duplicates turn up minutes or hours after the record."""
    rates = world.settings.rates
    gateway = LAYOUT[GATEWAYS[number]]
    fresh, repeated = arrived.fresh, arrived.repeated
    rng = np.random.default_rng([world.settings.seed, day + 1_000, 3, number, part])
    twice = rng.integers(
        0, max(len(fresh), 1), rng.poisson(rates.duplicate_within_day * len(fresh))
    )
    twice = twice[: len(fresh)]
    rows = Requests.concatenate([fresh, repeated, fresh.take(twice)])
    if len(rows) == 0:
        return []
    delay = np.zeros(len(rows))
    delay[len(fresh) + len(repeated) :] = rng.exponential(1_800e6, len(twice))
    rows = rows.take(np.argsort(rows.time_us + delay, kind="stable"))
    format_ = (
        gateway.format if gateway.format in world.settings.formats else world.settings.formats[0]
    )
    tasks = []
    for i, at in enumerate(range(0, len(rows), _PART_ROWS)):
        counts = dirt.Counts("requests")
        if i == 0:  # counted once, whichever file they are in
            counts.late, counts.duplicates_within_day = int(arrived.late.sum()), len(twice)
            counts.duplicates_across_days = len(repeated)
        chunk = rows.take(slice(at, at + _PART_ROWS))
        file = part * 1_000 + i
        tasks.append(
            _task(world, day, number * 1_000_000 + file, "requests", folder,
                  f"{gateway.name}-{file:04d}", format_, chunk, gateway, counts)
        )  # fmt: skip
    return tasks


def _task(
    world: World,
    day: int,
    stream: int,
    source: str,
    folder: Path,
    name: str,
    format_: str,
    rows: Requests | Columns,
    gateway: Gateway | None = None,
    counts: dirt.Counts | None = None,
) -> Task:
    """One file to write, dirt included."""

    def write() -> tuple[int, dirt.Counts]:
        folder.mkdir(parents=True, exist_ok=True)
        done = counts or dirt.Counts(source)
        rng = np.random.default_rng([world.settings.seed, day + 1_000, 4, stream])
        jsonl = format_ != "parquet"
        if isinstance(rows, Requests) and gateway is not None:
            columns = request_columns(world, rows, gateway, escaped=jsonl)
            if gateway.adds:
                name_, value = gateway.adds
                columns[name_] = pa.array([value] * len(rows), pa.string())
                done.unknown_columns += len(rows)
        else:
            columns = dict(rows)  # type: ignore[arg-type]
        size = 0
        done.landed += len(next(iter(columns.values())))
        done.files += 1
        spoiled = dirt.spoil(columns, source, world.settings.rates, rng, jsonl, done)
        if jsonl:
            if source == "accounts":
                columns = dirt.repeat_rows(columns, world.settings.rates, rng, done)
            columns = dirt.unknown_column(columns, source, world.settings.rates, rng, done)
            lines = json_lines(columns)
            strays = dirt.stray_lines(lines, spoiled, rng)
            size += write_lines(folder / f"{name}.{format_}", lines, strays, format_.endswith("gz"))
            return size, done
        table = pa.table(columns)
        if spoiled.incomplete:
            table = dirt.with_rows(table, spoiled.incomplete, rng)
        size += write_parquet(folder / f"{name}.parquet", table)
        if spoiled.mistyped:
            size += write_parquet(
                folder / f"{name}-r.parquet", dirt.mistyped_table(table.schema, spoiled.mistyped)
            )
            done.files += 1
        return size, done

    return write


def _exchanges(world: World, day: int, fresh: Requests) -> pa.Table:
    """Distinct requests of the day by account: how many were distillation work, how much came."""
    accounts = len(world.accounts["key"])
    work = world.workloads["work"][fresh.workload]
    requests = np.bincount(fresh.account, minlength=accounts)
    worked = np.bincount(fresh.account[work], minlength=accounts)
    tokens = np.bincount(fresh.account, fresh.output_tokens, accounts).astype(np.int64)
    taken = np.bincount(fresh.account[work], fresh.output_tokens[work], accounts).astype(np.int64)
    active = np.flatnonzero(requests)
    names = [operation.name for operation in world.operations]
    return pa.table(
        {
            "date": pa.array([world.settings.start + timedelta(days=day)] * len(active)),
            "account_id": world.names["account"].take(pa.array(active)),
            "campaign": _take(
                pa.array(names or [""], pa.string()), world.accounts["campaign"][active]
            ),
            "requests": requests[active],
            "work_requests": worked[active],
            "output_tokens": tokens[active],
            "work_output_tokens": taken[active],
        }
    )
