"""The upstream that everybody calls: fast, predictable, and it counts what it answered."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.bench.harness import build
from tests.bench.load import Target
from tests.bench.machine import Cpus
from tests.bench.processes import Program, free_port, is_listening

# What it says it used in a plain answer.
PROMPT_TOKENS = 25
COMPLETION_TOKENS = 160


@dataclass(frozen=True, slots=True)
class Upstream:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def direct(self) -> Target:
        """Without any gateway: the bound of what can be measured here."""
        return Target("direct", self.url)

    def count_answers(self) -> int:
        """Plain answers since it started."""
        stats = httpx.get(f"{self.url}/__stats", trust_env=False).json()
        return int(stats["json"])


@contextmanager
def started(folder: Path, cpus: Cpus) -> Generator[Upstream]:
    port = free_port()
    program = Program(
        [str(build("fakeupstream")), "--port", str(port)], cpus, folder / f"upstream-{port}.log"
    )
    try:
        program.wait_until(lambda: is_listening(port), 5)
        yield Upstream(port)
    finally:
        program.stop()
