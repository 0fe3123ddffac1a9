"""Several processes of clients, started together and asked for their outcomes."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec

from gateway import ids
from gateway.supervisor.child import die_with_parent
from tests.faults.clients import Outcome, Plan
from tests.stack import Stack
from tests.stack.processes import ROOT
from tests.stack.stack import KEY

START_SECONDS = 0.7
MANY = 1_000_000
_outcomes = msgspec.json.Decoder(Outcome)


class Load:
    """``with Load(stack, ...) as load``: they call until ``stop``, which the block's end does."""

    def __init__(
        self,
        stack: Stack,
        *,
        model: str = "chat",
        kinds: Sequence[str] = ("plain",),
        processes: int = 2,
        concurrency: int = 6,
        calls: int = MANY,
        key: str = KEY,
        max_tokens: int | None = None,
        spread: bool = False,
    ) -> None:
        name = ids.new("load")
        self._until = stack.state_dir / f"{name}.stop"
        starts_at = time.time() + START_SECONDS
        self._plans = [
            Plan(
                name=f"{name}-{number}",
                urls=[api.url for api in stack.apis],
                key=key,
                model=model,
                kinds=list(kinds),
                concurrency=concurrency,
                calls=calls,
                until=str(self._until),
                results=str(stack.state_dir / f"{name}-{number}.jsonl"),
                starts_at=starts_at,
                max_tokens=max_tokens,
                spread=spread,
            )
            for number in range(processes)
        ]
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for plan in self._plans:
            given = msgspec.json.encode(plan).decode()
            command = die_with_parent(sys.executable, "-m", "tests.faults.clients", given)
            self._processes.append(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL))
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for process in self._processes:
            process.kill()
            process.wait()

    def wait(self, timeout_seconds: float = 60) -> list[Outcome]:
        """Until all calls are made."""
        for process in self._processes:
            assert process.wait(timeout_seconds) == 0
        return self.outcomes()

    def stop(self) -> list[Outcome]:
        self._until.touch()
        return self.wait()

    def outcomes(self) -> list[Outcome]:
        """What is known up to now."""
        return [
            _outcomes.decode(line)
            for plan in self._plans
            if Path(plan.results).exists()
            for line in Path(plan.results).read_bytes().splitlines(keepends=True)
            if line.endswith(b"\n")
        ]
