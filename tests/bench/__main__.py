"""``python -m tests.bench``: what the gateway costs, beside its peers; tables and JSON."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import machine, measures, profiling, report, targets
from tests.bench.measures import Plan
from tests.bench.peers import PEERS

QUICK = ("json-c1", "json-c32", "stream10ms-c32", "drain-sqlite")


def main() -> int:
    options = _options()
    sys.stderr.write(f"bench: {machine.describe()}; {machine.one_api()}\n")
    with tempfile.TemporaryDirectory(prefix="sluice-bench-", ignore_cleanup_errors=True) as name:
        plan = _plan(options, Path(name))
        if options.profile is not None:
            listing = profiling.profile(plan, options.profile, options.profile_seconds)
            sys.stdout.write(listing)
            return 0
        return _measure(plan, options.out)


def _measure(plan: Plan, out: Path) -> int:
    runs = [
        *measures.side_by_side(plan),
        *measures.of_pairs(plan),
        *measures.memory(plan),
        *measures.workers(plan),
    ]
    audits = measures.audits(plan)
    rows = targets.rows_of(runs, audits)
    shown = [*runs, *(books.run for books in audits)]
    sys.stdout.write(report.text(shown, rows) + "\n")
    report.write_json(out, runs, audits, rows)
    sys.stderr.write(f"bench: {out} written\n")
    return 0


def _plan(options: argparse.Namespace, folder: Path) -> Plan:
    only = tuple(_list(options.only)) if options.only else measures.NAMES
    return Plan(
        only=QUICK if options.quick and not options.only else only,
        peers=tuple(_list(options.peers)),
        rounds=options.rounds or (1 if options.quick else 3),
        seconds=options.seconds or (2 if options.quick else 4),
        folder=folder,
    )


def _list(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help=f"one short round of {', '.join(QUICK)}")
    add("--only", help=f"some of {', '.join(measures.NAMES)}, joined by commas")
    add(
        "--peers",
        default="",
        help=f"gateways to measure beside ours: {','.join(PEERS)}; installed when first needed, "
        "below PEERS_DIR (default: a folder in the temporary directory)",
    )
    add("--rounds", type=int, help="how often each target is measured (3)")
    add("--seconds", type=float, help="how long one measurement of plain calls lasts (4)")
    add("--out", type=Path, default=Path("bench-results.json"), help="where the JSON goes")
    add("--profile", type=Path, metavar="DIR", help="sample the API's stacks under load instead")
    add("--profile-seconds", type=float, default=10)
    options = parser.parse_args()
    for given, known in ((options.only, measures.NAMES), (options.peers, PEERS)):
        if unknown := set(_list(given or "")) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
