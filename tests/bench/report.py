"""The results as tables for people and as JSON for programs."""

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tests.bench import machine, pairs
from tests.bench.books import Books
from tests.bench.load import Run
from tests.bench.targets import Row

COLUMNS: dict[str, Callable[[Run], float]] = {
    "req/s": lambda run: run.rps,
    "events/s": lambda run: run.events_per_s,
    "p50 ms": lambda run: run.latency_us.p50 / 1000,
    "p99 ms": lambda run: run.latency_us.p99 / 1000,
    "first byte p50 ms": lambda run: run.ttfb_us.p50 / 1000,
    "first byte p99 ms": lambda run: run.ttfb_us.p99 / 1000,
    "CPU us/req": lambda run: run.cpu_us,
    "Redis us/req": lambda run: run.cpu_us_per_request.get("redis", 0),
    "drain us/req": lambda run: run.cpu_us_per_request.get("drain", 0),
    "RSS MiB": lambda run: run.memory_kib / 1024,
    "bad": lambda run: run.bad,
    "machine busy": lambda run: run.machine_busy,
}


def text(runs: Sequence[Run], rows: Sequence[Row]) -> str:
    scenarios = dict.fromkeys(run.scenario for run in runs)
    parts = [_scenario(name, [run for run in runs if run.scenario == name]) for name in scenarios]
    if compared := pairs.lines(runs):
        parts.append(_pairs(compared))
    head = ("what", "target", "measured", "")
    body = [(row.what, row.target, row.measured, "" if row.is_met else "MISSED") for row in rows]
    return "\n\n".join([*parts, "### Targets\n\n" + _table(head, body)])


def _pairs(lines: Sequence[pairs.Line]) -> str:
    head = [field.name.replace("_", " ") for field in dataclasses.fields(pairs.Line)]
    cells = [
        [cell if isinstance(cell, str) else _number(cell) for cell in dataclasses.astuple(line)]
        for line in lines
    ]
    return "### Client and upstream in different dialects\n\n" + _table(head, cells)


def _scenario(name: str, runs: Sequence[Run]) -> str:
    targets = dict.fromkeys(run.target for run in runs)
    lines = []
    for target in targets:
        of_target = [run for run in runs if run.target == target]
        figures = [statistics.median(map(read, of_target)) for read in COLUMNS.values()]
        lines.append((target, *map(_number, figures)))
    rounds = max(sum(run.target == target for run in runs) for target in targets)
    return f"### {name} (medians of {rounds})\n\n" + _table(("target", *COLUMNS), lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def _number(value: float) -> str:
    if not value:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write_json(
    path: Path, runs: Sequence[Run], audits: Sequence[Books], rows: Sequence[Row]
) -> None:
    document = {
        "machine": machine.describe(),
        "pinning": {"1 worker": str(machine.one_api()), "2 workers": str(machine.two_apis())},
        "targets": [dataclasses.asdict(row) for row in rows],
        "pairs": pairs.lines(runs),
        "runs": runs,
        "audits": audits,
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))
