"""Which CPU runs what, so that the parts of a measurement do not take time from each other."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Cpus = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pinning:
    """``api`` has one CPU per API process; peers run where the first API process does."""

    api: tuple[Cpus, ...]
    state: Cpus  # Redis, worker, beat, database
    upstream: Cpus
    load: Cpus

    def __str__(self) -> str:
        api = " ".join(_text(cpus) for cpus in self.api)
        rest = (("Redis, drain and database", self.state), ("upstream", self.upstream))
        parts = [f"API and peers on CPU {api}", *(f"{name} on {_text(c)}" for name, c in rest)]
        return ", ".join([*parts, f"load on {_text(self.load)}"])


def one_api() -> Pinning:
    """A CPU for each part; with fewer than four CPUs some of them share."""
    return Pinning(api=(_cpu(0),), state=_cpu(1), upstream=_cpu(2), load=_cpu(3))


def two_apis() -> Pinning:
    """With four CPUs upstream and load, which need little, share one."""
    if len(os.sched_getaffinity(0)) > 4:
        return Pinning(api=(_cpu(0), _cpu(4)), state=_cpu(1), upstream=_cpu(2), load=_cpu(3))
    return Pinning(api=(_cpu(0), _cpu(2)), state=_cpu(1), upstream=_cpu(3), load=_cpu(3))


def _cpu(number: int) -> Cpus:
    ours = sorted(os.sched_getaffinity(0))
    return (ours[number % len(ours)],)


def _text(cpus: Cpus) -> str:
    return "+".join(str(cpu) for cpu in cpus)


@contextmanager
def pinned(cpus: Cpus) -> Generator[None]:
    """Processes started in the block stay on these CPUs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def describe() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    return f"{len(os.sched_getaffinity(0))} CPUs ({model})"


def busy_ticks() -> tuple[int, int]:
    """(busy, all) of the whole machine since it started."""
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)
