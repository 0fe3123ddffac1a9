"""Who belongs to this state directory: one supervisor at a time, and no leftovers of a dead one."""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from gateway import clock
from gateway.supervisor.child import Child
from gateway.supervisor.problems import StartError

LEFTOVER_GRACE_SECONDS = 5.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def claim(state_dir: Path) -> TextIO:
    """Make the directory and hold its lock for as long as the returned file is open."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state_dir / "log").mkdir(exist_ok=True)
        lock = (state_dir / "supervisor.lock").open("a+")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        msg = f"the state directory {state_dir} cannot be written: {reason} (SLUICE_STATE_DIR)"
        raise StartError(msg) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        msg = f"Sluice already runs on the state directory {state_dir} (process {holder})"
        raise StartError(msg) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


class Roster:
    """The file of running children, from which the next supervisor ends leftovers."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "processes.json"

    def record(self, children: Iterable[Child]) -> None:
        entries = [
            {"name": child.spec.name, "pid": child.pid, "identity": _identity(child.pid)}
            for child in children
            if child.is_running
        ]
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(entries))
        fresh.replace(self._path)

    def end_leftovers(self) -> list[str]:
        """Stop what a killed supervisor left behind; returns the names."""
        left = [entry for entry in self._read() if _is_same(entry["pid"], entry["identity"])]
        for entry in left:
            _signal_group(entry["pid"], signal.SIGTERM)
        deadline = clock.monotonic() + LEFTOVER_GRACE_SECONDS
        while clock.monotonic() < deadline and any(
            _is_same(entry["pid"], entry["identity"]) for entry in left
        ):
            time.sleep(0.05)
        for entry in left:
            if _is_same(entry["pid"], entry["identity"]):
                _signal_group(entry["pid"], signal.SIGKILL)
        self._path.unlink(missing_ok=True)
        return [entry["name"] for entry in left]

    def _read(self) -> list[dict[str, Any]]:
        try:
            entries = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            return []
        return entries if isinstance(entries, list) else []


def _identity(pid: int) -> str:
    """What tells a process from a later one with the same id: boot and start time."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = BOOT_ID.read_text().strip()
    except OSError:
        return ""
    # The name in parentheses may hold spaces; what follows are fields 3 and up.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else f"{boot}:{fields[19]}"


def _is_same(pid: int, identity: str) -> bool:
    return bool(identity) and _identity(pid) == identity


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
