"""What the gateway must reach, and what was measured, as rows of one table."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench import measures, pairs
from tests.bench.books import Books
from tests.bench.load import Run
from tests.bench.scenarios import JSON_C1, JSON_C32, STREAM_C32, STREAM_C256, Scenario

Figure = Callable[[Run], float]


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    target: str
    measured: str
    is_met: bool


def rows_of(runs: Sequence[Run], audits: Sequence[Books]) -> list[Row]:
    """Only what was measured; a target without its measurement has no row."""
    table = _Table(runs)
    found = [
        *_plain(table),
        *_streams(table),
        *_pairs(runs),
        *_memory(table),
        *_workers(table),
    ]
    for books in audits:
        found += _books(books)
    return found


class _Table:
    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs

    def median(self, scenario: str, target: str, figure: Figure) -> float | None:
        found = [figure(r) for r in self._runs if (r.scenario, r.target) == (scenario, target)]
        return statistics.median(found) if found else None

    def added_ms(self, scenario: Scenario, figure: Figure) -> float | None:
        ours = self.median(scenario.name, "sluice", figure)
        direct = self.median(scenario.name, "direct", figure)
        return None if ours is None or direct is None else (ours - direct) / 1000


def _plain(table: _Table) -> list[Row]:
    rows = []
    ours = table.median(JSON_C32.name, "sluice", lambda run: run.rps)
    if ours is not None:
        rows.append(_at_least("JSON calls at 32 connections", 2500, ours, "req/s"))
        for peer, times in (("litellm", 25), ("portkey", 2)):
            theirs = table.median(JSON_C32.name, peer, lambda run: run.rps)
            if theirs:
                rows.append(_at_least(f"… as a multiple of {peer}'s", times, ours / theirs, "x"))
    added = table.added_ms(JSON_C1, lambda run: run.latency_us.p50)
    if added is not None:
        rows.append(_at_most("one connection, added p50", 1.1, added, "ms"))
    return rows


def _streams(table: _Table) -> list[Row]:
    rows = []
    cpu_us = table.median(STREAM_C32.name, "sluice", lambda run: run.cpu_us)
    if cpu_us is not None:
        what = "CPU of a stream of 100 events, 10 ms apart"
        rows.append(_at_most(what, 7, cpu_us / 1000, "ms"))
    added = table.added_ms(STREAM_C256, lambda run: run.ttfb_us.p50)
    if added is not None:
        rows.append(_at_most("first byte at 256 streams, added p50", 15, added, "ms"))
    return rows


def _pairs(runs: Sequence[Run]) -> list[Row]:
    rows = []
    for kind in pairs.LOADS:
        for pair in pairs.PAIRS:
            times = pairs.ratio(runs, kind, pair)
            if times is not None and pair != pair.passing:
                what = f"{kind.name}: CPU of {pair.name} / of {pair.passing.name}"
                rows.append(_at_most(what, 1.5, times, "x"))
    return rows


def _memory(table: _Table) -> list[Row]:
    kib = table.median(measures.MEMORY, "sluice", lambda run: run.grown_kib)
    if kib is None:
        return []
    return [_at_most("memory per open stream at 1 000", 45, kib / 1000, "KiB")]


def _workers(table: _Table) -> list[Row]:
    def cost(target: str, part: str) -> float | None:
        return table.median(measures.WORKERS, target, lambda r: r.cpu_us_per_request[part])

    rows = []
    for part, label in (("api", "API"), ("redis", "Redis"), ("drain", "drain")):
        one, two = cost("1 worker", part), cost("2 workers", part)
        if one and two:
            row = _at_most(f"CPU per call at 2 workers / at 1: {label}", 1.1, two / one, "x")
            measured = f"{row.measured} ({two:.0f} / {one:.0f} us)"
            is_bound = part == "api"
            rows.append(
                Row(row.what, row.target if is_bound else "-", measured, row.is_met or not is_bound)
            )
    return rows


def _books(books: Books) -> list[Row]:
    run = books.run
    cores = run.cpu_us_per_request["drain"] * run.rps / 1e6
    backlog = _at_most(
        f"longest backlog of the drain, {books.engine}", 2, books.longest_backlog_seconds, "s"
    )
    detail = f"at {run.rps:.0f} calls/s the drain uses {cores:.0%} of a CPU"
    ledger = (
        f"{books.charges} charges, {books.charged_nanos} nanos; {books.answered} answers, "
        f"{books.expected_nanos} nanos; upstream {books.sent}; "
        f"{len(books.differences)} differences"
    )
    return [
        Row(backlog.what, backlog.target, f"{backlog.measured} ({detail})", backlog.is_met),
        Row(f"Σ ledger = Σ answers, {books.engine}", "equal", ledger, books.agree),
    ]


def _at_least(what: str, bound: float, measured: float, unit: str) -> Row:
    return Row(what, f"≥ {bound} {unit}", f"{_number(measured)} {unit}", measured >= bound)


def _at_most(what: str, bound: float, measured: float, unit: str) -> Row:
    return Row(what, f"≤ {bound} {unit}", f"{_number(measured)} {unit}", measured <= bound)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
