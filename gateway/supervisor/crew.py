"""The running children: started, watched, restarted when they die, stopped in order."""

import signal
from collections.abc import Callable
from pathlib import Path

from gateway import clock
from gateway.supervisor.child import Child, ChildSpec
from gateway.supervisor.problems import StartError
from gateway.supervisor.roster import Roster
from gateway.supervisor.signals import Signals

Announce = Callable[[str], None]
IDLE_SECONDS = 5.0
CHECK_SECONDS = 0.05
# While starting, a child that dies this often will not come up by itself.
MAX_DEATHS_AT_START = 3


class StoppedError(Exception):
    """Somebody asked us to stop while we were still starting."""


class Crew:
    def __init__(self, state_dir: Path, signals: Signals, announce: Announce) -> None:
        self.children: list[Child] = []
        self._log_dir = state_dir / "log"
        self._roster = Roster(state_dir)
        self._signals = signals
        self._announce = announce

    def start(self, *specs: ChildSpec) -> None:
        for spec in specs:
            child = Child(spec, self._log_dir)
            child.start()
            self.children.append(child)
        self._roster.record(self.children)

    def wait_until(self, is_ready: Callable[[], bool], what: str, timeout_seconds: float) -> None:
        """Keep the children alive until the condition holds; raises when it cannot."""
        deadline = clock.monotonic() + timeout_seconds
        while not is_ready():
            self._signals.wait(CHECK_SECONDS)
            if self._signals.stop_requests:
                raise StoppedError
            self.tend()
            self._give_up_on_the_dying()
            if clock.monotonic() > deadline:
                msg = f"{what} was not ready after {timeout_seconds:.0f} s; see {self._log_dir}"
                raise StartError(msg)

    def run(self) -> None:
        """Watch over the children until somebody asks us to stop."""
        while not self._signals.stop_requests:
            due = [child.due_at for child in self.children if not child.is_running]
            next_start = min(due, default=clock.monotonic() + IDLE_SECONDS)
            self._signals.wait(min(IDLE_SECONDS, next_start - clock.monotonic()))
            self.tend()

    def tend(self) -> None:
        """Say who died, and start again whose pause is over."""
        for child in self.children:
            if (code := child.find_exit()) is not None:
                self._announce(_obituary(child, code))
        due = [
            child
            for child in self.children
            if not child.is_running and child.due_at <= clock.monotonic()
        ]
        for child in due:
            child.start()
        if due:
            self._roster.record(self.children)

    def _give_up_on_the_dying(self) -> None:
        for child in self.children:
            if child.spec.essential and child.deaths >= MAX_DEATHS_AT_START:
                msg = f"{child.spec.name} keeps dying; its log is {child.log}"
                raise StartError(msg)

    def stop(self) -> None:
        """Rank by rank, gently and then by force; a second request skips the gentle part."""
        for rank in sorted({child.spec.stop_rank for child in self.children}):
            self._stop_rank([c for c in self.children if c.spec.stop_rank == rank])
        self._roster.record(self.children)

    def _stop_rank(self, children: list[Child]) -> None:
        for child in children:
            child.signal(signal.SIGTERM)
        deadline = clock.monotonic() + max(child.spec.grace_seconds for child in children)
        while not _all_gone(children):
            if clock.monotonic() > deadline or self._signals.stop_requests > 1:
                for child in children:
                    child.signal(signal.SIGKILL)
            self._signals.wait(CHECK_SECONDS)


def _all_gone(children: list[Child]) -> bool:
    for child in children:
        child.find_exit()
    return not any(child.is_running for child in children)


def _obituary(child: Child, code: int) -> str:
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    line = f"{child.spec.name} {how}; starting it again"
    details = child.last_lines() if code > 0 else ""
    return f"{line}. The end of {child.log}:\n{details}" if details else line
