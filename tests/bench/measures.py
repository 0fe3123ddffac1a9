"""The measurements, each on a gateway of its own, started for it."""

import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import books, load, machine, pairs, peers, upstream
from tests.bench.books import Books
from tests.bench.load import Run, Target, Timing
from tests.bench.machine import Pinning
from tests.bench.ours import Ours
from tests.bench.scenarios import (
    JSON_C1,
    JSON_C32,
    SLOW_1000,
    STREAM_C32,
    STREAM_C256,
    Scenario,
)
from tests.bench.upstream import Upstream
from tests.servers.cluster import Cluster

SIDE_BY_SIDE = {s.name: s for s in (JSON_C1, JSON_C32, STREAM_C32, STREAM_C256)}
PAIRS, MEMORY, WORKERS = "pairs", SLOW_1000.name, "workers"
SQLITE, POSTGRES = "drain-sqlite", "drain-postgres"
NAMES = (*SIDE_BY_SIDE, PAIRS, MEMORY, WORKERS, SQLITE, POSTGRES)
WARMING_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    only: tuple[str, ...]
    peers: tuple[str, ...]
    rounds: int
    seconds: float
    folder: Path


def side_by_side(plan: Plan) -> list[Run]:
    """All targets in turn in every round, so that the machine's noise hits all of them."""
    chosen = [scenario for name, scenario in SIDE_BY_SIDE.items() if name in plan.only]
    if not chosen:
        return []
    pinning = machine.one_api()
    with ExitStack() as running:
        fake = running.enter_context(upstream.started(plan.folder, pinning.upstream))
        ours = running.enter_context(sqlite_gateway(plan, "main", fake, pinning))
        port = ours.add_api(pinning.api[0])
        others = running.enter_context(
            peers.started(list(plan.peers), fake.url, plan.folder, pinning.api[0])
        )
        targets = [fake.direct, ours.target(port, ours.apis), *others]
        return [run for scenario in chosen for run in _rounds(plan, scenario, targets, pinning)]


def _rounds(
    plan: Plan, scenario: Scenario, targets: Sequence[Target], pinning: Pinning
) -> list[Run]:
    timing = Timing(plan.seconds, pinning.load)
    runs = []
    for _ in range(plan.rounds):
        for target in targets:
            runs.append(load.run(target, scenario, timing))
            say(runs[-1])
    return runs


def of_pairs(plan: Plan) -> list[Run]:
    """Every client's dialect in front of every upstream's, in turn in every round."""
    if PAIRS not in plan.only:
        return []
    pinning = machine.one_api()
    timing = Timing(plan.seconds, pinning.load)
    runs = []
    with sqlite_gateway_alone(plan) as (ours, _):
        target = ours.target(ours.add_api(pinning.api[0]), ours.apis)
        for kind in pairs.LOADS:
            for pair in plan.rounds * pairs.PAIRS:
                run = load.run(target, pairs.scenario(kind, pair), timing)
                run.target = pair.name
                say(run)
                runs.append(run)
    return runs


def memory(plan: Plan) -> list[Run]:
    """A fresh process that has served a second of calls, then 1 000 streams."""
    if MEMORY not in plan.only:
        return []
    pinning = machine.one_api()
    with ExitStack() as running:
        fake = running.enter_context(upstream.started(plan.folder, pinning.upstream))
        ours = running.enter_context(sqlite_gateway(plan, "memory", fake, pinning))
        target = ours.target(ours.add_api(pinning.api[0]), ours.apis)
        load.run(target, JSON_C32, Timing(WARMING_SECONDS, pinning.load))
        run = load.run(target, SLOW_1000, Timing(plan.seconds, pinning.load))
        say(run)
        return [run]


def workers(plan: Plan) -> list[Run]:
    """One API process and two of them, in turn, over the same Redis, drain and database."""
    if WORKERS not in plan.only:
        return []
    pinning = machine.two_apis()
    with ExitStack() as running:
        fake = running.enter_context(upstream.started(plan.folder, pinning.upstream))
        ours = running.enter_context(sqlite_gateway(plan, "workers", fake, pinning))
        alone = ours.add_api(pinning.api[0])
        shared = ours.add_api(pinning.api[0])
        ours.add_api(pinning.api[1], shared)
        targets = (
            ours.target(alone, ours.apis[:1], "1 worker"),
            ours.target(shared, ours.apis[1:], "2 workers"),
        )
        runs = _rounds(plan, JSON_C32, targets, pinning)
    for run in runs:
        run.scenario = WORKERS
    return runs


def audits(plan: Plan) -> list[Books]:
    seconds = max(plan.seconds, 1) * 2.5 if plan.seconds > 1 else plan.seconds
    found = []
    if SQLITE in plan.only:
        with sqlite_gateway_alone(plan) as (ours, fake):
            found.append(_audit(SQLITE, ours, fake, seconds))
    if POSTGRES in plan.only:
        with postgres_gateway_alone(plan) as (ours, fake):
            found.append(_audit(POSTGRES, ours, fake, seconds))
    return found


def _audit(name: str, ours: Ours, fake: Upstream, seconds: float) -> Books:
    target = ours.target(ours.add_api(ours.pinning.api[0]), ours.apis)
    found = books.audit("PostgreSQL" if name == POSTGRES else "SQLite", ours, target, fake, seconds)
    found.run.scenario = name
    say(found.run)
    return found


@contextmanager
def sqlite_gateway_alone(plan: Plan) -> Generator[tuple[Ours, Upstream]]:
    pinning = machine.one_api()
    with (
        upstream.started(plan.folder, pinning.upstream) as fake,
        sqlite_gateway(plan, "alone", fake, pinning) as ours,
    ):
        yield ours, fake


@contextmanager
def postgres_gateway_alone(plan: Plan) -> Generator[tuple[Ours, Upstream]]:
    pinning = machine.one_api()
    cluster = Cluster()
    state = _folder(plan, "postgres")
    try:
        with machine.pinned(pinning.state):
            cluster.start()
        with (
            upstream.started(plan.folder, pinning.upstream) as fake,
            Ours(cluster.url, fake.url, state, pinning) as ours,
        ):
            yield ours, fake
    finally:
        cluster.discard()


def sqlite_gateway(plan: Plan, name: str, fake: Upstream, pinning: Pinning) -> Ours:
    state = _folder(plan, name)
    return Ours(f"sqlite:///{state / 'sluice.db'}", fake.url, state, pinning)


def _folder(plan: Plan, name: str) -> Path:
    folder = plan.folder / name
    folder.mkdir()
    return folder


def say(run: Run) -> None:
    """One line of progress."""
    cpu = ", ".join(f"{part} {us:.0f}" for part, us in run.cpu_us_per_request.items())
    trouble = f", BAD {run.bad} {run.bad_sample[:120]}" if run.bad else ""
    sys.stderr.write(
        f"{run.scenario:20} {run.target:24} {run.rps:8.0f} req/s, "
        f"p50 {run.latency_us.p50 / 1000:.2f} ms, CPU us/req: {cpu or '-'}{trouble}\n"
    )
