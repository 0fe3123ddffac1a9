"""What it costs when client and upstream speak different dialects, beside the same one."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.load import Run
from tests.bench.scenarios import CHAT, MESSAGES, Scenario

CONNECTIONS = 32
# An answer begins with one event, ends with one, and between them says the same in each.
CONTENT_EVENTS = 98


@dataclass(frozen=True, slots=True)
class Pair:
    client: str
    upstream: str

    @property
    def name(self) -> str:
        return f"{self.client} from {self.upstream}"

    @property
    def passing(self) -> "Pair":
        """The same client in front of its own dialect: nothing is converted."""
        return Pair(self.client, self.client)


@dataclass(frozen=True, slots=True)
class Dialect:
    path: str
    model: str
    events: int  # with data, that a client sees of a whole stream


@dataclass(frozen=True, slots=True)
class Load:
    """How the four pairs are loaded; ``knobs`` tell the upstream how to answer."""

    name: str
    knobs: str
    stream: bool
    warmup_seconds: float = 1


DIALECTS = {
    "openai": Dialect(CHAT, "fake", CONTENT_EVENTS + 2),
    "anthropic": Dialect(MESSAGES, "fake-messages", CONTENT_EVENTS + 6),
}
PAIRS = (
    Pair("openai", "openai"),
    Pair("openai", "anthropic"),
    Pair("anthropic", "anthropic"),
    Pair("anthropic", "openai"),
)
SLOW = Load("pairs stream10ms-c32", "-c100-d10", stream=True, warmup_seconds=1.5)
FAST = Load("pairs stream-c32", "-c100", stream=True)
PLAIN = Load("pairs json-c32", "", stream=False)
LOADS = (SLOW, FAST, PLAIN)


class Cost:
    """The runs of one pair under one load, as medians."""

    def __init__(self, runs: Sequence[Run], kind: Load, pair: Pair) -> None:
        self._runs = [run for run in runs if (run.scenario, run.target) == (kind.name, pair.name)]

    def __bool__(self) -> bool:
        return bool(self._runs)

    def median(self, figure: Callable[[Run], float]) -> float:
        return statistics.median(map(figure, self._runs))

    @property
    def cpu_us(self) -> float:
        return self.median(lambda run: run.cpu_us)


def scenario(kind: Load, pair: Pair) -> Scenario:
    client = DIALECTS[pair.client]
    return Scenario(
        kind.name,
        CONNECTIONS,
        DIALECTS[pair.upstream].model + kind.knobs,
        stream=kind.stream,
        warmup_seconds=kind.warmup_seconds,
        path=client.path,
        events=client.events if kind.stream else None,
    )


def ratio(runs: Sequence[Run], kind: Load, pair: Pair) -> float | None:
    """CPU of the gateway for one answer, as a multiple of the same client's pass-through."""
    ours, passing = Cost(runs, kind, pair), Cost(runs, kind, pair.passing)
    return ours.cpu_us / passing.cpu_us if ours and passing and passing.cpu_us else None


@dataclass(frozen=True, slots=True)
class Line:
    """One pair under one load."""

    load: str
    client: str
    upstream: str
    cpu_ms: float
    cpu_us_per_event: float
    first_byte_p50_ms: float
    first_byte_p99_ms: float
    answers_per_second: float
    bad: int
    times_pass_through: float


def lines(runs: Sequence[Run]) -> list[Line]:
    """Of what was measured, the pairs of one load beside each other."""
    return [
        _line(runs, kind, pair, times)
        for kind in LOADS
        for pair in PAIRS
        if (times := ratio(runs, kind, pair)) is not None
    ]


def _line(runs: Sequence[Run], kind: Load, pair: Pair, times: float) -> Line:
    cost = Cost(runs, kind, pair)
    return Line(
        load=kind.name.removeprefix("pairs "),
        client=pair.client,
        upstream=pair.upstream,
        cpu_ms=cost.cpu_us / 1000,
        cpu_us_per_event=cost.cpu_us / CONTENT_EVENTS if kind.stream else 0.0,
        first_byte_p50_ms=cost.median(lambda run: run.ttfb_us.p50) / 1000,
        first_byte_p99_ms=cost.median(lambda run: run.ttfb_us.p99) / 1000,
        answers_per_second=cost.median(lambda run: run.rps),
        bad=int(cost.median(lambda run: run.bad)),
        times_pass_through=times,
    )
