"""Processes of a measurement: started on their CPUs, watched through /proc, ended with it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.supervisor.child import die_with_parent
from tests.bench.machine import Cpus, pinned

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 10


class Program:
    """One program and whatever it starts; its output goes to a file."""

    def __init__(
        self,
        command: Sequence[str],
        cpus: Cpus,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.log = log
        with log.open("ab") as output, pinned(cpus):
            self.process = subprocess.Popen(
                die_with_parent(*command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Raises RuntimeError with the end of the log if it dies or takes longer."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            if condition():
                return
            time.sleep(0.05)
        end = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        message = f"{self.log.stem} did not start:\n{end}"
        raise RuntimeError(message)

    def stop(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cpu_seconds(roots: Sequence[int]) -> float:
    """User and system time that these processes and their descendants have used."""
    times = _times()
    return sum(times[pid][1] for root in roots for pid in _tree(root, times))


def memory_kib(roots: Sequence[int]) -> int:
    """Resident memory of these processes and their descendants."""
    times = _times()
    return sum(_resident_kib(pid) for root in roots for pid in _tree(root, times))


def _times() -> dict[int, tuple[int, float]]:
    """Parent and CPU seconds of every process."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                ticks = int(fields[11]) + int(fields[12])
                found[int(entry.name)] = (int(fields[1]), ticks / TICKS_PER_SECOND)
    return found


def _tree(root: int, times: Mapping[int, tuple[int, float]]) -> list[int]:
    found = [root] if root in times else []
    for pid in found:
        found += [child for child, (parent, _) in times.items() if parent == pid]
    return found


def _resident_kib(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1])
    return 0
