"""How fast is Stillwatch, beside others and beside the least that anyone must do?

Makes simulated days, prompts and graphs, and keeps them; runs each case's works in turn, each in a
process of its own; checks that all wrote the same; writes report.md, report.json and pictures. A
case that ended is in the report, so that a run that is stopped is not in vain.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import fields
from pathlib import Path

from tests.bench import measure, report
from tests.bench.cases import CASES_BY_NAME, Plan
from tests.bench.results import Results
from tests.bench.runner import Execute, Runner, about_here, origin_of


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cases = ", ".join(CASES_BY_NAME)
    made.add_argument("--cases", nargs="+", choices=CASES_BY_NAME, metavar="CASE",
                      default=list(CASES_BY_NAME), help=f"of {cases}; all of them")  # fmt: skip
    plan = Plan()
    made.add_argument("--requests", type=int, nargs="+", default=list(plan.requests),
                      help="requests of a day")  # fmt: skip
    made.add_argument("--repeats", type=int, default=plan.repeats, help="turns of a case")
    made.add_argument("--night-repeats", type=int, default=plan.night_repeats,
                      help="turns of a case of whole nights")  # fmt: skip
    made.add_argument("--days", type=int, default=plan.days, help="nights one after another")
    made.add_argument("--requests-a-day", type=int, default=plan.requests_a_day,
                      help="of those nights")  # fmt: skip
    made.add_argument("--prompts", type=int, default=plan.prompts)
    made.add_argument("--links", type=int, default=plan.links)
    made.add_argument("--steps", nargs="*", default=[], metavar="STEP",
                      help="of whole nights, for trying; all of them")  # fmt: skip
    made.add_argument("--no-spark", action="store_true", help="leave out what needs Java")
    made.add_argument("--out", type=Path, default=Path("build/bench"))
    made.add_argument("--page", type=Path, help="write the report into this page, too")
    made.add_argument("--add", action="store_true",
                      help="keep what report.json holds of other cases and sizes")  # fmt: skip
    made.add_argument("--only-report", action="store_true",
                      help="run nothing, write the report of report.json again")  # fmt: skip
    return made


def main(arguments: list[str], execute: Execute = measure.run_apart) -> None:
    given = parser().parse_args(arguments)
    if given.page is not None:
        try:
            report.page_with_block(given.page)
        except (OSError, ValueError) as error:
            sys.exit(str(error))
    out = given.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    kept = out / "report.json"
    if given.only_report:
        if not kept.exists():
            sys.exit(f"no report.json in {given.out}: run the benchmarks first, without "
                     "--only-report")  # fmt: skip
        report.write(Results.read(kept), out, given.page)
        return
    values = {field.name: getattr(given, field.name) for field in fields(Plan)}
    plan = Plan(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    results = _earlier(kept) if given.add else Results(about_here())
    origin = origin_of(_command(arguments))
    no_java = "--no-spark" if given.no_spark else ""
    if not no_java and shutil.which("java") is None:
        no_java = "no Java on the path"
    runner = Runner(out, plan, execute, results, no_java)
    cases = [CASES_BY_NAME[name] for name in given.cases]
    for place, case in enumerate(cases):
        runner.run(case, origin)
        runner.tidy(case, cases[place + 1 :])
        results.write(kept)
        report.write(results, out, given.page)
    print("\n" + report.wanted_table(results))
    print(f"\nreport: {given.out / 'report.md'} and report.json")


def _earlier(kept: Path) -> Results:
    """What an earlier run on this machine and these versions found."""
    about = about_here()
    if not kept.exists():
        return Results(about)
    results = Results.read(kept)
    if results.about != about:
        sys.exit(f"{kept.name} is of another machine or other versions: run all cases, "
                 "without --add")  # fmt: skip
    return results


def _command(arguments: list[str]) -> str:
    """As it was given, without places on this machine."""
    shown, skip = [], False
    for word in arguments:
        skip = skip or word in ("--out", "--page", "--add")
        if not skip:
            shown.append(word)
        # A place follows; nothing does after --add.
        skip = skip and word != "--add" and word.startswith("--")
    return " ".join(["python -m tests.bench", *shown])


if __name__ == "__main__":
    main(sys.argv[1:])
