"""Child processes of a test that work on its database and its Redis."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

from tests.servers.redis import RedisServer


def environment(database_url: str, redis: RedisServer, state_dir: Path) -> dict[str, str]:
    """Short leases and periods, so that tests need not wait."""
    own = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis.url,
        "SLUICE_STATE_DIR": str(state_dir),
        "SLUICE_DRAIN__LEASE_SECONDS": "2",
        "SLUICE_DRAIN__TICK_SECONDS": "0.5",
        "SLUICE_WORKER__HEARTBEAT_SECONDS": "0.5",
        "SLUICE_WORKER__THREADS": "4",
        "SLUICE_ADMISSION__SWEEP_SECONDS": "1",
    }
    return os.environ | own


@contextlib.contextmanager
def running(
    arguments: list[str], env: dict[str, str], log: Path
) -> Generator["subprocess.Popen[bytes]"]:
    """``python …`` in a process of its own, ended with the block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], env=env, stdout=output, stderr=output
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], bool], seconds: float, log: Path | None = None) -> None:
    """Fail with the end of the log if the condition does not come true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    shown = log.read_text()[-3000:] if log is not None and log.exists() else ""
    message = f"not within {seconds} s\n{shown}"
    raise AssertionError(message)
