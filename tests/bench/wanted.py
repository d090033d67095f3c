"""What is wanted of the figures, and what the runs found."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from tests.bench.cases import EARLY, LATE, STILLWATCH
from tests.bench.results import BUSY, Results, Run, cpu, seconds, step_seconds

_GB = 1e9
_ALL_NIGHTS = 45
#: What memory is wanted at.
_LARGE_DAY = 64_000_000


@dataclass(frozen=True)
class Found:
    value: float
    where: str
    #: The same ratio of CPU seconds, which other work on the machine does not touch.
    by_cpu: float | None = None
    #: What a reader must know of the value.
    but: str = ""
    #: Whether it is what was asked: another size, or other output, is not.
    answers: bool = True


@dataclass(frozen=True)
class Wanted:
    name: str
    bound: float
    unit: str  # "×" for ratios
    case: str
    find: Callable[[Results], list[Found]]
    at_least: bool = False
    of_seconds: bool = True  # which other work on the machine makes longer

    def holds(self, found: Found, results: Results) -> bool | None:
        """None where what was found is no answer, or the machine was busy with other work."""
        if not found.answers or (self.of_seconds and results.others_cores(self.case) > BUSY):
            return None
        return found.value >= self.bound if self.at_least else found.value <= self.bound


def _size(run: Run) -> str:
    return f"{run.size:,} {run.unit}"


def _data_of(results: Results, case: str) -> list[str]:
    return list(dict.fromkeys(run.data for run in results.of(case)))


def _ratio(ours: Sequence[Run], theirs: Sequence[Run], fault: str = "") -> Found:
    by_cpu = cpu(ours) / max(cpu(theirs), 1e-9)
    ratio = seconds(ours) / max(seconds(theirs), 1e-9)
    return Found(ratio, _size(ours[0]), by_cpu, fault, not fault)


def _rollups(results: Results) -> list[Found]:
    found = []
    for data in _data_of(results, "rollups"):
        ours, theirs = (results.of("rollups", arm, data) for arm in (STILLWATCH, "DuckDB"))
        check = results.checks.get("rollups", {}).get(data, {})
        differing = sum(check.get("differing", {}).get("duckdb", {"no check": 1}).values())
        if ours and theirs:
            but = f"outputs differ in {differing:,} rows" if differing else ""
            found.append(_ratio(ours, theirs, but))
    return found


def _night_on_rollups(results: Results) -> list[Found]:
    return [
        _ratio(ours, theirs)
        for data in _data_of(results, "night")
        if (ours := results.of("night", STILLWATCH, data))
        and (theirs := results.of("rollups", "DuckDB", data))
    ]


def _sketch(arm: str) -> Callable[[Results], list[Found]]:
    def found(results: Results) -> list[Found]:
        ours, theirs = (results.of("sketch", name) for name in (STILLWATCH, arm))
        if not ours or not theirs:
            return []
        return [Found(cpu(theirs) / max(cpu(ours), 1e-9), f"{_size(ours[0])}, CPU time")]

    return found


def _groups_on_networkx(arm: str) -> Callable[[Results], list[Found]]:
    """How often our time goes into theirs, on the same links."""

    def find(results: Results) -> list[Found]:
        found = []
        for data in dict.fromkeys(run.data for run in results.of("graph", arm)):
            ours, theirs = (results.of("graph", who, data) for who in (STILLWATCH, arm))
            where = _size(ours[0]) + (", a tenth of them chance" if "chance" in data else "")
            by_cpu = cpu(theirs) / max(cpu(ours), 1e-9)
            found.append(Found(seconds(theirs) / max(seconds(ours), 1e-9), where, by_cpu))
        return found

    return find


def _groups_on_scipy(results: Results) -> list[Found]:
    found = []
    for data in _data_of(results, "graph"):
        if "chance" in data:  # components answer another question there
            continue
        ours, theirs = (results.of("graph", arm, data) for arm in (STILLWATCH, "SciPy"))
        check = results.checks.get("graph", {}).get(data, {})
        both = check.get("differing", {"stillwatch": 1, "scipy": 0})
        differing = both["stillwatch"] + both["scipy"]
        but = f"{differing:,} accounts are in another group" if differing else ""
        if ours and theirs:
            found.append(_ratio(ours, theirs, but))
    return found


def _last_on_first(case: str) -> Callable[[Results], list[Found]]:
    """The second data of a case over its first."""

    def find(results: Results) -> list[Found]:
        names = _data_of(results, case)
        if len(names) < 2:
            return []
        return [_ratio(results.of(case, data=names[1]), results.of(case, data=names[0]))]

    return find


def _doublings(results: Results) -> list[Found]:
    """Between whole nights of two sizes, what one doubling of the requests takes on average."""
    nights = [results.of("night", STILLWATCH, data) for data in _data_of(results, "night")]
    nights.sort(key=lambda runs: runs[0].size)
    found = []
    for smaller, larger in pairwise(nights):
        times = math.log2(larger[0].size / smaller[0].size)
        whole = _ratio(larger, smaller)
        where = f"{smaller[0].size:,} to {larger[0].size:,} {larger[0].unit}"
        by_cpu = None if whole.by_cpu is None else whole.by_cpu ** (1 / times)
        found.append(Found(whole.value ** (1 / times), where, by_cpu))
    return found


def _late_on_early(results: Results) -> list[Found]:
    early, late = (results.of("nights", arm) for arm in (EARLY, LATE))
    if not early or not late:
        return []

    def ratio(figure: str) -> float:
        # Of each week its median night, which is none that starts a process or trains.
        weeks = ([median(night[figure] for night in run.measured.result["nights"]) for run in runs]
                 for runs in (early, late))  # fmt: skip
        of_early, of_late = map(median, weeks)
        return of_late / of_early

    def ends(run: Run) -> tuple[int, int]:
        first = run.measured.result["first"]
        return first, first + len(run.measured.result["nights"]) - 1

    weeks = " and ".join("{} to {}".format(*ends(of[0])) for of in (late, early))
    where = f"nights {weeks} (medians), {_size(late[0])} a day"
    asked = ends(late[0])[1] >= _ALL_NIGHTS
    but = "" if asked else f"fewer nights than the {_ALL_NIGHTS} that are asked about"
    return [Found(ratio("seconds"), where, ratio("cpu_seconds"), but, asked)]


def _memory(results: Results) -> list[Found]:
    runs = results.of("night", STILLWATCH)
    if not runs:
        return []
    size = max(run.size for run in runs)
    peak = max(run.measured.peak_bytes for run in runs if run.size == size) / _GB
    accounts = results.data[max(runs, key=lambda run: run.size).data].get("accounts", 0)
    asked = size >= _LARGE_DAY
    but = "" if asked else "a smaller day than is asked about"
    return [Found(peak, f"{size:,} requests, {accounts:,} accounts", None, but, asked)]


def _fixed(results: Results) -> list[Found]:
    runs = results.of("empty")
    if not runs:
        return []
    return [Found(median(run.measured.process_seconds for run in runs), "a whole process",
                  median(run.measured.cpu_seconds for run in runs))]  # fmt: skip


def _spark_rollup(results: Results) -> list[Found]:
    ours, theirs = (results.of("spark", arm) for arm in ("Stillwatch on Spark", "Spark"))
    if not ours or not theirs:
        return []
    return [Found(step_seconds(ours, "rollup") / seconds(theirs), _size(ours[0]))]


def _spark_night(results: Results) -> list[Found]:
    ours, theirs = (results.of("spark", arm) for arm in ("Stillwatch on Spark", "Spark"))
    return [_ratio(ours, theirs)] if ours and theirs else []


WANTED: tuple[Wanted, ...] = (
    Wanted("rollups against DuckDB by hand, same output", 1.0, "×", "rollups", _rollups),
    Wanted("whole night, with text, against DuckDB's rollups", 3.0, "×", "night",
           _night_on_rollups),
    Wanted("signatures a core, times as fast as datasketch in bulk, as many hashes", 50.0, "×",
           "sketch", _sketch("datasketch"), at_least=True, of_seconds=False),
    Wanted("signatures a core, times as fast as datasketch as it comes, 128 hashes", 50.0, "×",
           "sketch", _sketch("datasketch, as it comes"), at_least=True, of_seconds=False),
    Wanted("groups, times as fast as networkx's label propagation", 50.0, "×", "graph",
           _groups_on_networkx("networkx, labels"), at_least=True),
    Wanted("groups, times as fast as networkx's components", 50.0, "×", "graph",
           _groups_on_networkx("networkx, components"), at_least=True),
    Wanted("groups against SciPy's components, same groups", 2.0, "×", "graph",
           _groups_on_scipy),
    Wanted("twice the day", 2.1, "×", "twice", _last_on_first("twice")),
    Wanted("twice the day, a doubling on average", 2.1, "×", "night", _doublings),
    Wanted("a late night against an early one", 1.1, "×", "nights", _late_on_early),
    Wanted("one customer with 30 % of the requests", 1.2, "×", "one-customer",
           _last_on_first("one-customer")),
    Wanted("peak memory of a night of 64 million requests and 1,000,000 accounts", 8.0, "GB",
           "night", _memory, of_seconds=False),
    Wanted("a nearly empty day", 15.0, "s", "empty", _fixed),
    Wanted("rollup step on Spark against Spark's by hand", 4.0, "×", "spark", _spark_rollup),
    Wanted("whole night on Spark against Spark's rollups by hand", 4.0, "×", "spark",
           _spark_night),
)  # fmt: skip
