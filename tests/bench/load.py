"""One run of the load generator against one target, with the CPU time of those who served it."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from tests.bench.harness import build
from tests.bench.machine import Cpus, busy_ticks, pinned
from tests.bench.processes import cpu_seconds, memory_kib
from tests.bench.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class Target:
    """Who is measured; ``parts`` are process ids by name, the first being the gateway itself."""

    name: str
    url: str
    key: str | None = None
    headers: tuple[str, ...] = ()
    parts: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timing:
    seconds: float
    cpus: Cpus
    finish_seconds: float = 0  # let answers under way end, and count them


class Spread(msgspec.Struct):
    """Microseconds."""

    p50: float
    p99: float


class Run(msgspec.Struct, kw_only=True):
    """What the load generator counted in its window, and what we saw beside it."""

    target: str = ""
    scenario: str = ""
    answered: int  # good answers since the start, warm-up included
    seconds: float
    requests: int
    rps: float
    events: int
    events_per_s: float
    latency_us: Spread
    ttfb_us: Spread
    status: dict[str, int]
    broken: int
    reset: int
    timeout: int
    bad_sample: str = ""
    cpu_us_per_request: dict[str, float] = {}  # by part
    memory_kib: int = 0
    grown_kib: int = 0  # since before the run
    machine_busy: float = 0  # share of all CPUs, ours and everybody else's

    @property
    def bad(self) -> int:
        refused = sum(count for kind, count in self.status.items() if kind != "2xx")
        return refused + self.broken + self.reset + self.timeout

    @property
    def cpu_us(self) -> float:
        """Of the gateway itself."""
        return next(iter(self.cpu_us_per_request.values()), 0)


def run(target: Target, scenario: Scenario, timing: Timing) -> Run:
    gateway = next(iter(target.parts.values()), ())
    memory_before = memory_kib(gateway)
    samples: list[_Sample] = []
    memory_after, said = 0, b""
    with pinned(timing.cpus):
        process = subprocess.Popen(_command(target, scenario, timing), stdout=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(b"window-"):
            samples.append(_Sample.take(target))
        if line.startswith(b"window-end"):
            # The connections are still open for a moment: it sorts its samples now.
            memory_after = memory_kib(gateway)
        elif line.startswith(b"{"):
            said = line
    if process.wait() or len(samples) != 2:
        message = f"the load generator failed on {target.name}, {scenario.name}"
        raise RuntimeError(message)
    result = msgspec.json.decode(said, type=Run)
    result.target, result.scenario = target.name, scenario.name
    result.memory_kib, result.grown_kib = memory_after, memory_after - memory_before
    _add_cpu(result, *samples)
    return result


def _command(target: Target, scenario: Scenario, timing: Timing) -> list[str]:
    options = {
        "url": target.url + scenario.path,
        "model": scenario.model,
        "connections": scenario.connections,
        "duration": scenario.seconds or timing.seconds,
        "warmup": scenario.warmup_seconds,
        "ramp-us": scenario.ramp_us,
        "finish": timing.finish_seconds,
    }
    command = [str(build("loadgen"))]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    command += ["--stream"] if scenario.stream else []
    command += ["--events", str(scenario.events)] if scenario.events else []
    command += ["--key", target.key] if target.key else []
    return [*command, *(word for header in target.headers for word in ("--header", header))]


@dataclass(frozen=True, slots=True)
class _Sample:
    cpu: dict[str, float]
    busy: int
    ticks: int

    @classmethod
    def take(cls, target: Target) -> "_Sample":
        cpu = {name: cpu_seconds(pids) for name, pids in target.parts.items()}
        return cls(cpu, *busy_ticks())


def _add_cpu(result: Run, start: _Sample, end: _Sample) -> None:
    if result.requests:
        result.cpu_us_per_request = {
            name: (end.cpu[name] - before) * 1e6 / result.requests
            for name, before in start.cpu.items()
        }
    result.machine_busy = (end.busy - start.busy) / max(1, end.ticks - start.ticks)
