"""The cases: what is run on what, in turn with whom, and how it is seen that all did the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.data import MOST_OF_ONE_CUSTOMER, Data, day, nearly_empty, nights
from tests.bench.graph import graph
from tests.bench.sketches import prompts

#: Stock Spark takes minutes for more, and the ratio does not wait for it.
MOST_FOR_SPARK = 1_000_000
#: Of the larger of two days that are compared, so that disks hold both.
MOST_FOR_TWICE = 8_000_000
#: One customer's share of the traffic.
LARGEST_SHARE = 0.3
#: Share of links between groups, where there are any.
CHANCE = 0.1


@dataclass(frozen=True)
class Plan:
    """What a run of the benchmarks was asked for."""

    requests: tuple[int, ...] = (1_000_000, 8_000_000)
    repeats: int = 3
    night_repeats: int = 1
    days: int = 45
    requests_a_day: int = 20_000
    prompts: int = 200_000
    links: int = 10_000_000
    #: Steps of a night; none named: all of them.
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arm:
    """One of those compared."""

    name: str
    entry: str  # module:function of tests.bench
    about: str
    options: Mapping[str, Any] = field(default_factory=dict)
    java: bool = False
    leaves: str = ""  # what a later `Preparation` of the same name need not make again


@dataclass(frozen=True)
class Trial:
    arm: Arm
    data: Data
    #: In the first turn only: it takes minutes, and what it is held against seconds.
    once: bool = False


@dataclass(frozen=True)
class Preparation:
    """What must lie there before a round; made once a run."""

    name: str
    entry: str


@dataclass(frozen=True)
class Check:
    """Compares what the trials of a round wrote, after its first turn."""

    entry: str
    data: Data
    whom: tuple[str, ...] = ()


@dataclass(frozen=True)
class Round:
    """Trials that run one after another, as often as there are turns."""

    trials: tuple[Trial, ...]
    prepare: tuple[Preparation, ...] = ()
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    about: str
    rounds: Callable[[Plan], Sequence[Round]]
    whole_nights: bool = False  # as often as `night_repeats` says


STILLWATCH = "Stillwatch"
EARLY, LATE = "early nights", "late nights"
WEEK = 7
_REQUESTS = Preparation("requests", "rollups:ingest_day")
_ROLLUPS = Preparation("rollups", "rollups:stillwatch")

_OUR_ROLLUPS = Arm(STILLWATCH, "rollups:stillwatch", "the rollups of the step `rollup`: Delta "
                   "tables, checked against their constraints", leaves="rollups")  # fmt: skip
_DUCKDB = Arm("DuckDB", "rollups_duckdb:work", "SQL by hand, one Parquet file a table")
_POLARS = Arm("Polars", "rollups_polars:work", "expressions by hand, lazy, written as a stream")
_READ = Arm("reading only", "floor:read_requests", "the columns that rollups read, decoded once")
_WRITE = Arm("writing only", "floor:write_rollups", "the rows that DuckDB wrote, from memory")
_STOCK_SPARK = Arm("Spark", "rollups_spark:work", "as it comes, local[2], DuckDB's SQL, Parquet",
                   java=True)  # fmt: skip


def _night(plan: Plan, **options: Any) -> Arm:
    return Arm(STILLWATCH, "nights:night", "every step on a new lake, the engine's start included",
               {"steps": list(plan.steps)} | options, leaves="requests")  # fmt: skip


def _rollups(plan: Plan) -> list[Round]:
    return [
        Round(
            tuple(Trial(arm, d) for arm in (_OUR_ROLLUPS, _DUCKDB, _POLARS, _READ, _WRITE)),
            (_REQUESTS,), (Check("rollups:compare", d, ("duckdb", "polars")),),
        )
        for d in map(day, plan.requests)
    ]  # fmt: skip


def _nights_by_size(plan: Plan) -> list[Round]:
    read = Arm("reading the landing", "floor:read_landing",
               "Parquet decoded, lines unpacked and counted, nothing parsed")  # fmt: skip
    return [Round((Trial(_night(plan), d), Trial(read, d))) for d in map(day, plan.requests)]


def _spark(plan: Plan) -> list[Round]:
    d = day(min(*plan.requests, MOST_FOR_SPARK))
    ours = Arm("Stillwatch on Spark", "nights:night", "every step, STILLWATCH_ENGINE=spark, "
               "local[2]", {"steps": list(plan.steps), "engine": "spark", "lake": "lake-spark"},
               java=True)  # fmt: skip
    check = Check("rollups:compare", d, ("spark",))
    return [Round((Trial(_STOCK_SPARK, d), Trial(ours, d)), (_REQUESTS, _ROLLUPS), (check,))]


def _sketch(plan: Plan) -> list[Round]:
    d = prompts(plan.prompts)
    arms = (
        Arm(STILLWATCH, "sketches:stillwatch", "`with_sketch`, of which the signature is written",
            {"whole": False}),
        Arm("Stillwatch, whole sketch", "sketches:stillwatch",
            "with length, script, markers and three keyed hashes", {"whole": True}),
        Arm("datasketch", "sketches:datasketch", "`MinHash.bulk`, as many hashes"),
        Arm("rensa", "sketches:rensa", "`RMinHash`, many prompts a call, as many hashes"),
        Arm("datasketch, as it comes", "sketches:datasketch_defaults",
            "128 permutations, a shingle at a time"),
        Arm("cutting in Python", "sketches:shingles_only",
            "what the three in Python do before they hash"),
    )  # fmt: skip
    return [Round(tuple(Trial(arm, d) for arm in arms), (), (Check("sketches:agreement", d),))]


def _graph(plan: Plan) -> list[Round]:
    ours = Arm(STILLWATCH, "graph:stillwatch", "`find_groups`: labels by weight, joined, cleaned")
    scipy = Arm("SciPy", "graph:scipy_components", "`connected_components`, compiled")
    parts = Arm("networkx, components", "graph:networkx_components", "`connected_components`")
    labels = Arm("networkx, labels", "graph:networkx_labels",
                 "`asyn_lpa_communities` by weight")  # fmt: skip

    def of(chance: float, slow: Sequence[Arm], whom: Sequence[str]) -> Round:
        d = graph(plan.links, chance)
        trials = (Trial(ours, d), Trial(scipy, d), *(Trial(arm, d, once=True) for arm in slow))
        check = Check("graph:same_groups", d, ("stillwatch", "scipy", *whom))
        return Round(trials, (), (check,))

    return [
        of(0.0, (parts, labels), ("networkx-components", "networkx-labels")),
        of(CHANCE, (labels,), ("networkx-labels",)),
    ]


def _twice(plan: Plan) -> list[Round]:
    half = min(max(plan.requests), MOST_FOR_TWICE) // 2
    return [Round((Trial(_night(plan), day(half)), Trial(_night(plan), day(2 * half))))]


def _one_customer(plan: Plan) -> list[Round]:
    size = min(max(plan.requests), int(MOST_OF_ONE_CUSTOMER / LARGEST_SHARE))
    pair = (day(size), day(size, LARGEST_SHARE))
    return [Round(tuple(Trial(_night(plan), d) for d in pair))]


def _empty(plan: Plan) -> list[Round]:
    return [Round((Trial(_night(plan), nearly_empty()),))]


def _many_nights(plan: Plan) -> list[Round]:
    d = nights(plan.days, plan.requests_a_day)
    # Whole weeks, so that both have the same working days.
    count = min(WEEK, (plan.days - 1) // 2)
    firsts = (2, plan.days - count + 1) if count else ()
    again = [
        Arm(name, "nights:night", f"{which} again, on the lake as it was before them, in a process "
            "of their own",
            {"steps": list(plan.steps), "lake": "lake-again", "first": first, "days": count})
        for name, which, first in zip(
            (EARLY, LATE), ("nights 2 to 8", "the last seven"), firsts, strict=False)
    ]  # fmt: skip
    all_of_them = Trial(_night(plan, days=plan.days, keep=firsts), d, once=True)
    return [Round((all_of_them, *(Trial(arm, d) for arm in again)))]


CASES: tuple[Case, ...] = (
    Case("night", "A whole night",
         "Every step from the landing folder to enforcement, on a new lake.",
         _nights_by_size, whole_nights=True),
    Case("rollups", "Rollups",
         "From the same Parquet files of `requests` to the same three tables. Seconds are of the "
         "work, without the start of a process or an engine.", _rollups),
    Case("spark", "Spark",
         "The same on Apache Spark: a night of ours, and the rollups by hand in DuckDB's SQL on "
         "Spark as it comes.", _spark, whole_nights=True),
    Case("sketch", "Signatures of prompts",
         "From one file of prompts to one of signatures, each of as many hashes. Ours uses both "
         "cores and the others one: compare CPU time a prompt.", _sketch),
    Case("graph", "Groups",
         "From a file of links to a file of members. Where no link leads from group to group all "
         "must find the planted groups; where a tenth of the links are chance, components can't. "
         "networkx runs once.", _graph),
    Case("twice", "Twice the day",
         "The same night with twice the requests and accounts.", _twice, whole_nights=True),
    Case("one-customer", "One large customer",
         "The same night with one account that sends 30 % of the requests.", _one_customer,
         whole_nights=True),
    Case("empty", "A nearly empty day",
         "A whole process, from its start to its end, for a day of one request: what a night costs "
         "before there is anything to do. (A day without any is stopped by `check_landed`.)",
         _empty),
    Case("nights", "Many nights",
         "One night after another of a small day, in one process; then early and late ones again, "
         "in turn.", _many_nights),
)  # fmt: skip
CASES_BY_NAME = {case.name: case for case in CASES}
