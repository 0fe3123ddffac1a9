"""One supervised process: started in a group of its own, ended with the supervisor."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway import clock
from gateway.supervisor import launch

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
# Who lived this long starts again without the pauses of earlier deaths.
SETTLED_SECONDS = 10.0
ROTATE_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run; lower ranks are stopped before higher ones."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    stop_rank: int
    grace_seconds: float = 10
    # The start goes on without it when it keeps dying.
    essential: bool = True


def die_with_parent(*command: str) -> list[str]:
    """The command wrapped so that it ends when the calling process does."""
    return [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), *command]


class Child:
    """A process that may be started again after it has died."""

    def __init__(self, spec: ChildSpec, log_dir: Path) -> None:
        self.spec = spec
        self.log = log_dir / f"{spec.name}.log"
        self.deaths = 0
        self.due_at = 0.0  # when it may be started again, on the monotonic clock
        self._started_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Append to the log; the process gets its own group, so Ctrl-C reaches only us."""
        if self.log.exists() and self.log.stat().st_size > ROTATE_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # the commands are our own
                die_with_parent(*self.spec.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.spec.environment),
                process_group=0,
            )
        self._started_at = clock.monotonic()

    def find_exit(self) -> int | None:
        """The exit code if it has died since it was last asked, with the next start planned."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._process = None
        lived_seconds = clock.monotonic() - self._started_at
        self.deaths = 1 if lived_seconds > SETTLED_SECONDS else self.deaths + 1
        pause = min(FIRST_PAUSE_SECONDS * 2 ** (self.deaths - 1), LONGEST_PAUSE_SECONDS)
        self.due_at = clock.monotonic() + pause
        return code

    def signal(self, number: Literal[signal.Signals.SIGTERM, signal.Signals.SIGKILL]) -> None:
        """Ask the process to end, or end it and whatever it started."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    def last_lines(self, count: int = 12) -> str:
        """The end of the log, for the console after a death."""
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 8192))
            lines = log.read().decode(errors="replace").splitlines()
            return "\n".join(f"    {line}" for line in lines[-count:])
        return ""
